"""Where a record lies below the store's folder, `<dataset>/<method>-<seed>-<id>.json`, a later part `....2.json`; and what tells that its
file was changed.
"""

import functools
import operator
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.folder_name import is_folder, shown
from bench.spec import RunSpec, method_name

FILE_NAME = re.compile(r"(?P<stem>.+-\d+-[0-9a-f]{16})(?:\.(?P<part>[2-9]|[1-9]\d+))?\.json")

RUN_ID = re.compile(r"-([0-9a-f]{16})\.")
"""Where a path below the folder names a run; of a file whose name is not quite a record's too."""

State = tuple[int, int, int]
"""Of a file: when it was written (ns), its size (bytes), its inode. What is equal in all three is taken for unchanged."""

state_of: Callable[[os.stat_result], State] = operator.attrgetter("st_mtime_ns", "st_size", "st_ino")


@functools.lru_cache(maxsize=4096)
def folder_and_method(dataset: str, method: str) -> tuple[str, str]:
    """How they are written in a record's path."""
    # 'folder:/data/My birds' -> 'My_birds'; never a hidden directory, nor one above this.
    folder = re.sub(r"[^\w.-]", "_", shown(dataset)).lstrip(".") or "dataset"
    return folder, method_name(method)


def stem(spec: RunSpec) -> str:
    """'simclr-0-1f0e...': a record's name without its ending."""
    return f"{method_name(spec.method)}-{spec.seed}-{spec.id}"


def path_below(dataset: str, method: str, seed: int, run_id: str, part: int) -> str:
    """The path of a record below the store's folder, as text: a Path for each made a status of 10,000 runs 1.55 s instead of 1.33."""
    folder, name = folder_and_method(dataset, method)
    return f"{folder}/{name}-{seed}-{run_id}{f'.{part}' if part > 1 else ''}.json"


def path_in(store: Path, spec: RunSpec, part: int = 1) -> str:
    """The same of a run in a store, which for a folder of the user's own is under the name that the folder first had there."""
    below = path_below(spec.dataset, spec.method, spec.seed, spec.id, part)
    if is_folder(spec.dataset):
        directory, name = (first := path_below(spec.dataset, spec.method, spec.seed, spec.id, 1)).split("/")
        if not os.path.exists(os.path.join(store, first)):
            directory = next((path.parent.name for path in sorted(store.glob(f"*/{name}"))), directory)
        below = f"{directory}/{below.partition('/')[2]}"
    return below


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


def runs_in(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Id -> the folders that have a record of it, in order, for every run; by the names of files alone."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        stems = {match["stem"] for path in listing(folder) if (match := FILE_NAME.fullmatch(Path(path).name))}
        for one in stems:
            found.setdefault(one[-16:], []).append(folder)
    return found


def listing(folder: Path, problem: Callable[[str, str], None] = lambda path, reason: None) -> dict[str, State]:
    """Every file that could be a record, by its path below the folder, as it is now; in the order in which the system lists them.
    problem: hears of a path below the folder that cannot be looked at, and why."""
    found = {}
    for directory in looked_at(folder, "", problem):
        for entry in looked_at(Path(directory.path), f"{directory.name}/", problem) if stat.S_ISDIR(mode(directory, "", problem)) else ():
            if (name := entry.name).endswith(".json") and name[0] != "." and (kind := mode(entry, f"{directory.name}/", problem)):
                if stat.S_ISREG(kind):
                    found[f"{directory.name}/{name}"] = state_of(entry.stat())
                else:
                    problem(f"{directory.name}/{name}", "it is not a file")
    return found


def stores(folder: Path) -> list[Path]:
    """The folder, and those in it, that hold records as they should lie: results/ has a folder for each committed suite."""
    below = [Path(entry.path) for entry in looked_at(folder, "", lambda path, reason: None) if entry.is_dir()]
    return [each for each in (folder, *sorted(below)) if any(FILE_NAME.fullmatch(path.rpartition("/")[2]) for path in listing(each))]


def looked_at(folder: Path, below: str, problem: Callable[[str, str], None]) -> list[os.DirEntry]:
    """What is in a folder; nothing where there is none, and where it cannot be read."""
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        problem(below, error.strerror or str(error))
        return []


def mode(entry: os.DirEntry, below: str, problem: Callable[[str, str], None]) -> int:
    """Of what it leads to; 0 where it leads nowhere, or in a circle."""
    try:
        return entry.stat().st_mode
    except OSError as error:
        # What is gone since the folder was read is no problem; a link that leads nowhere is.
        if entry.is_symlink():
            problem(below + entry.name, f"a link that leads nowhere: {error.strerror}")
        elif not isinstance(error, FileNotFoundError):
            problem(below + entry.name, error.strerror or str(error))
        return 0
