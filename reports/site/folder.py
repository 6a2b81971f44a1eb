"""A site in a folder: which folder may hold one, what in it differs from what would be written, and writing it.

A file of its own, `.sslbench-site`, marks a folder as a site and lists what was written to it, so that a page whose run is gone goes too,
and nothing else does.
"""

from collections.abc import Mapping
from pathlib import Path

from bench.errors import UserError
from bench.machine import files

MARKER = ".sslbench-site"
"""First line: what it is; then the path of each file of the site, sorted."""

TITLE = "a site written by sslbench; the files below are replaced and removed by the next one"


def require_ours(folder: Path) -> None:
    """A UserError where the folder holds something that is no site of ours."""
    if folder.is_dir() and not (folder / MARKER).is_file() and (there := sorted(path.name for path in folder.iterdir())):
        raise UserError(f"'{folder}' (--output) holds something else ('{there[0]}') and no site; give an empty folder, or a new one")


def listed(folder: Path) -> set[str]:
    """The files of the site that was written there last; none that a changed marker may have put elsewhere."""
    marker = folder / MARKER
    names = marker.read_text(encoding="utf-8").splitlines()[1:] if marker.is_file() else []
    return {name for name in names if name and not name.startswith("/") and ".." not in name.split("/")}


def differing(made: Mapping[str, bytes], folder: Path) -> list[str]:
    """Names of files that are not as they would be written, not there, or of an earlier site and no longer wanted; sorted."""
    stale = {name for name, content in made.items() if not (folder / name).is_file() or (folder / name).read_bytes() != content}
    return sorted(stale | {name for name in listed(folder) - made.keys() if (folder / name).is_file()})


def write(made: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write what differs, each file beside and then in its place, and remove what is no longer wanted; returns the names of both. Stopped
    at any moment it leaves a folder that the next one finishes: the marker goes first, and lists old and new."""
    stale, earlier = differing(made, folder), listed(folder)
    mark(folder, earlier | made.keys())
    for name in stale:
        if name in made:
            files.replace(folder / name, made[name])
        else:
            (folder / name).unlink(missing_ok=True)
    mark(folder, made.keys())
    return stale


def mark(folder: Path, names) -> None:
    """Write the marker, where it is another one."""
    content = "\n".join([TITLE, *sorted(names)]).encode() + b"\n"
    marker = folder / MARKER
    if not marker.is_file() or marker.read_bytes() != content:
        files.replace(marker, content)
