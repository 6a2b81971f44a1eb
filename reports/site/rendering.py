"""Templates (templates/) to HTML. Everything that a template prints is escaped, but for what a function here has made as markup."""

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.defaults import ROOT
from reports.site.addresses import relative

FOLDER = ROOT / "reports" / "site"

NAVIGATION = (
    ("index.html", "Home"),
    ("leaderboards/index.html", "Leaderboards"),
    ("method/index.html", "Methods"),
    ("compare.html", "Compare"),
    ("figures/index.html", "Figures"),
    ("data/index.html", "Data sets"),
    ("text/protocol.html", "Protocol"),
    ("text/statistics.html", "Statistics"),
    ("changes.html", "Changes"),
)
"""Pages that every page links to, as far as they are there."""

TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(template: str, page: str, there: frozenset[str], **values: Any) -> bytes:
    """A page's bytes. page: its path below the site. there: the paths of all pages, of which navigation names no other."""

    def link(target: str) -> str:
        return relative(page, target)

    section = page if page in dict(NAVIGATION) else f"{page.partition('/')[0]}/index.html"
    navigation = [(link(target), title, target == section) for target, title in NAVIGATION if target in there]
    made = TEMPLATES.get_template(template).render(page=page, link=link, there=there, navigation=navigation, **values)
    return f"{made}\n".encode()
