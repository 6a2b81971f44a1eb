"""Where a record lies below the store's folder, `<dataset>/<method>-<seed>-<id>.json`, a later part `....2.json`; and what tells that its
file was changed.
"""

import functools
import operator
import os
import re
from collections.abc import Callable
from pathlib import Path

from bench.spec import method_name

FILE_NAME = re.compile(r"(?P<stem>.+-\d+-[0-9a-f]{16})(?:\.(?P<part>[2-9]|[1-9]\d+))?\.json")

State = tuple[int, int, int]
"""Of a file: when it was written (ns), its size (bytes), its inode. What is equal in all three is taken for unchanged."""

state_of: Callable[[os.stat_result], State] = operator.attrgetter("st_mtime_ns", "st_size", "st_ino")


@functools.lru_cache(maxsize=4096)
def folder_and_method(dataset: str, method: str) -> tuple[str, str]:
    """How they are written in a record's path."""
    # 'folder:/data/My birds' -> 'My_birds'; never a hidden directory, nor one above this.
    folder = re.sub(r"[^\w.-]", "_", re.split(r"[/\\:]", dataset.rstrip("/\\"))[-1]).lstrip(".") or "dataset"
    return folder, method_name(method)


def path_below(dataset: str, method: str, seed: int, run_id: str, part: int) -> str:
    """The path of a record below the store's folder, as text: a Path for each made a status of 10,000 runs 1.55 s instead of 1.33."""
    folder, name = folder_and_method(dataset, method)
    return f"{folder}/{name}-{seed}-{run_id}{f'.{part}' if part > 1 else ''}.json"


def order(path: Path) -> tuple[str, str, int]:
    """Sort key of a record's path: directory, stem, part."""
    return order_below(f"{path.parent.name}/{path.name}")


@functools.lru_cache(maxsize=2**18)
def order_below(path: str) -> tuple[str, str, int]:
    """As `order`, of a path below the folder."""
    directory, _, name = path.partition("/")
    match = FILE_NAME.fullmatch(name)
    return (directory, match["stem"], int(match["part"] or 1)) if match else (directory, name, 1)


def run_of(path: str) -> tuple[str, str]:
    """What the paths of a run's parts share: directory and stem."""
    return order_below(path)[:2]


def listing(folder: Path) -> dict[str, State]:
    """Every file that could be a record, by its path below the folder, as it is now; in the order in which the system lists them."""
    found = {}
    for directory in os.scandir(folder) if folder.is_dir() else ():
        below = f"{directory.name}/"
        for entry in os.scandir(directory) if directory.is_dir() else ():
            if (name := entry.name).endswith(".json") and name[0] != ".":
                found[below + name] = state_of(entry.stat())
    return found
