"""Files that pages share: this folder's own (static/), and the table component, which is taken from the wheel of itables.

DataTables and jQuery (MIT) lie in itables as one JavaScript module. A module cannot be loaded from a file:// page, so its last line, which
exports names, becomes one that gives DataTable to the page.
"""

import functools
import importlib.util
import re
from pathlib import Path

from reports.site.rendering import FOLDER

BUNDLE = Path("html") / "dt_bundle.js"
"""Below the package itables."""

EXPORTS = re.compile(r"export\{(?P<names>[\w$, ]+)\};?")


@functools.cache
def files() -> dict[str, bytes]:
    """Every shared file by its path below the site."""
    own = {f"assets/{path.name}": path.read_bytes() for path in sorted((FOLDER / "static").iterdir()) if path.is_file()}
    return {**own, "assets/datatables.js": table_component().encode()}


def table_component() -> str:
    """DataTables as a plain script."""
    spec = importlib.util.find_spec("itables")  # without running it: it would ask for a notebook
    assert spec and spec.submodule_search_locations, "itables is installed with this program"
    text = (Path(spec.submodule_search_locations[0]) / BUNDLE).read_text(encoding="utf-8")
    exports = list(EXPORTS.finditer(text))
    pairs = (name.strip().partition(" as ") for name in exports[-1]["names"].split(",")) if exports else ()
    names = {public: own for own, _, public in pairs}
    assert "default" in names, f"{BUNDLE} of this itables exports no table component: see constraints.txt for the version that does"
    last = exports[-1]
    body = f"{text[: last.start()]}window.DataTable={names['default']};{text[last.end() :]}"
    return f'(()=>{{"use strict";\n{body}\n}})();\n'
