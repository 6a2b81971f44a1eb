"""Whether the files of a data set can be decoded, as its modality does it, asked before anything is launched that would read them.

    require_readable(data, 64, scratch)    a UserError that names the first file that cannot be, and counts them
    require_all_readable(specs, targets, ...)    of every set that these runs will read

That all could be is kept in scratch, under a digest of their paths, sizes and times: the next command pays a look at each, and no decoding.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.decoding import RULES, readable, say
from bench.data.entry import Entry
from bench.defaults import COMMAND
from bench.errors import UserError
from bench.machine.files import write
from bench.spec import RunSpec

FOLDER = "readable"
"""Of scratch: an empty file for each state of each data set."""


def require_readable(data: DataSet, size: int | None, scratch: Path, begin: Callable[[int], None] = lambda count: None) -> None:
    """Decode every file of a set, unless that was done before. begin(count) is called if it has to be, with their number.

    Sets that are packed at this size are read from the pack; sets of arrays, and of files that are compared with the original's bytes
    whenever they are listed, hold what we have seen. size: pixels a side; None for the set's own."""
    if data.entry.revision and not data.is_folder:
        return
    from bench.data import packed

    if packed.find(data, size or data.entry.image_size):
        return
    files = np.concatenate([data.part(part)[0] for part in data.entry.parts])
    if files.dtype == np.uint8:
        return
    mark = scratch / FOLDER / _state(files.ravel(), data.entry)
    if mark.exists():
        return
    begin(len(files))
    found = [(problem, remarks) for _, problem, remarks in data.entry.modality.examined(files, data.entry)]
    bad = [problem for problem, _ in found if problem]
    if bad:
        count = f"{len(bad):,} of {len(found):,} {data.entry.modality.name} cannot"
        raise UserError(f"{bad[0]} ({count}; `{COMMAND} data check {data.name}` names them)")
    for remark in sorted({remark for _, remarks in found for remark in remarks}):
        say(data.name, remark)
    with contextlib.suppress(OSError):  # what cannot be kept is looked at again
        mark.parent.mkdir(parents=True, exist_ok=True)
        write(mark, "")


def require_all_readable(
    specs: Iterable[RunSpec], targets: Iterable[str], data: DataSets, scratch: Path, begin: Callable[[str, int], None]
) -> None:
    """`require_readable` of what complete specs are trained and measured on, and of the targets of their transfer. begin(name, count)."""
    targets = tuple(targets)
    for name, size in sorted({(name, spec.image_size) for spec in specs for name in (spec.dataset, *targets)}):
        require_readable(data.require(name), size, scratch, partial(begin, name))


def _state(files: np.ndarray, entry: Entry) -> str:
    """Changes with the files and with how they are decoded."""
    digest = hashlib.sha256(f"{RULES} {entry.as_shown} {metadata.version('pillow')} {vars(entry.modality)}".encode())
    for file in files:
        facts = readable(os.stat, file)
        digest.update(os.fsencode(f"\n{file} {facts.st_size} {facts.st_mtime_ns}"))
    return digest.hexdigest()[:32]
