"""Markdown of docs/, CHANGELOG.md and the methods' files as HTML: what is HTML in it is shown as text, and links lead to pages of the site.

documents = Documents(root, pages)     pages: 'docs/protocol.md' -> 'text/protocol.html', of all files that have a page
documents.html("docs/protocol.md")     markup of the file
"""

import itertools
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.anchors import anchors_plugin

from reports.site.addresses import relative

OUTSIDE = re.compile(r"(https?|mailto):")

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=4)
"""Headings have the ids that links in the files expect. HTML is no markup in it, and an address of a script is no link."""


class Documents:
    """The Markdown files of a checkout."""

    def __init__(self, root: Path | None, pages: Mapping[str, str]):
        """root: the checkout. pages: files below it -> their pages or copies below the site."""
        self.root, self.pages = root, pages

    def html(self, file: str) -> Markup:
        """Of a file that has a page."""
        assert self.root is not None, "without a checkout there is no file"
        return self.of_text((self.root / file).read_text(encoding="utf-8"), self.pages[file], posixpath.dirname(file))

    def of_text(self, text: str, page: str, folder: str = "") -> Markup:
        """Of Markdown that stands on a page; its links are from a folder of the checkout."""
        tokens = MARKDOWN.parse(text)
        for block in tokens:
            if block.type == "inline":
                block.children = self._relinked(block.children or [], page, folder)
        return Markup(wrapped(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})))

    def _relinked(self, tokens: list[Token], page: str, folder: str) -> list[Token]:
        """The same with links to pages of the site; the text alone where a link leads to what is not on it."""
        kept: list[Token] = []
        closes: list[bool] = []  # of each link that is open, whether it leads anywhere
        for token in tokens:
            if token.type == "image":
                found = self._target(str(token.attrs.get("src", "")), page, folder)
                token.attrs["src"] = found or ""
                token.attrs["loading"] = "lazy"
                if not found:
                    continue
            if token.type == "link_open":
                found = self._target(str(token.attrs.get("href", "")), page, folder)
                closes.append(found is not None)
                if found is None:
                    continue
                token.attrs["href"] = found
            elif token.type == "link_close" and not closes.pop():
                continue
            kept.append(token)
        return kept

    def _target(self, address: str, page: str, folder: str) -> str | None:
        """Where a link of a file leads from the page; None where it leads to what is not on the site."""
        if OUTSIDE.match(address) or address.startswith("#"):
            return address
        path, _, fragment = address.partition("#")
        target = self.pages.get(posixpath.normpath(posixpath.join(folder, unquote(path))))
        return None if target is None else relative(page, target) + (f"#{fragment}" if fragment else "")


def wrapped(html: str) -> str:
    """With a box around each table and each block of code, in which it scrolls, with the keyboard too; the boxes of a page are numbered."""
    numbers = itertools.count(1)
    box = '<div class="scroll" role="region" aria-label="Table {}" tabindex="0">\n<table>'
    html = re.sub("<table>", lambda _: box.format(next(numbers)), html)
    return html.replace("</table>", "</table>\n</div>").replace("<pre>", '<pre tabindex="0">')


def pages_of(root: Path | None) -> dict[str, str]:
    """Every file of a checkout that is shown -> its page, or its copy, below the site."""
    if root is None:
        return {}
    found = {path.relative_to(root).as_posix(): f"text/{path.stem}.html" for path in sorted(root.glob("docs/*.md"))}
    for path in sorted(root.glob("docs/figures/*.md")):
        found[path.relative_to(root).as_posix()] = f"figures/{path.stem}.html"
    if "docs/figures.md" in found:
        found["docs/figures.md"] = "figures/index.html"
    if (root / "CHANGELOG.md").is_file():
        found["CHANGELOG.md"] = "changes.html"
    return found


def images_of(root: Path | None, pages: Mapping[str, str]) -> dict[str, str]:
    """Every picture that a shown file has -> its copy below the site."""
    found = {}
    for file in pages if root else ():
        assert root is not None
        for address in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", (root / file).read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), address))
            if not OUTSIDE.match(address) and (root / path).is_file():
                found[path] = f"pictures/{posixpath.basename(path)}"
    return found


def first_table(text: str) -> str:
    """The first table of Markdown; '' where it has none."""
    found = re.search(r"(?m)^\|.*\n(?:\|.*(?:\n|\Z))+", text)
    return found[0] if found else ""


def section(text: str, title: str) -> str:
    """What stands below '### title' in Markdown, up to the next heading; '' where there is no such heading."""
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""
