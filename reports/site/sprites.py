"""Pictures that hold all test images of a data set, for the page that compares two methods: of sets that come inside a library and may be
shown. `run_bench.py views all` makes them beside the methods' views; a page finds image i in row i // COLUMNS and column i % COLUMNS.
"""

import struct
from pathlib import Path

FOLDER = Path("docs") / "views"
"""Below the checkout."""

PREFIX = "images-"
"""What a file's name begins with, before the data set's."""

COLUMNS = 40
"""Images in a row."""


def found(root: Path | None) -> dict[str, Path]:
    """Data set -> file, of those that the checkout has."""
    paths = sorted((root / FOLDER).glob(f"{PREFIX}*.png")) if root else []
    return {path.stem.removeprefix(PREFIX): path for path in paths}


def facts(path: Path) -> dict[str, object]:
    """Where its copy is below the site, and the pixels a side of an image."""
    width = struct.unpack(">I", path.read_bytes()[16:20])[0]  # of a PNG's header
    return {"path": copy(path), "size": width // COLUMNS, "columns": COLUMNS}


def copy(path: Path) -> str:
    """Below the site."""
    return f"pictures/{path.name}"
