"""Whether the image files of a data set can be decoded, asked before anything is launched that would read them.

    require_readable(data, 64, scratch, 2)    a UserError that names the first file that cannot be, and counts them
    require_all_readable(specs, targets, ...)    of every set that these runs will read

That all could be is kept in scratch, under a digest of their paths, sizes and times: the next command pays a look at each, and no decoding.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.decoding import RULES, decode, readable, say
from bench.defaults import COMMAND
from bench.errors import UserError
from bench.machine.files import write
from bench.spec import RunSpec

FOLDER = "readable"
"""Of scratch: an empty file for each state of each data set."""


def require_readable(
    data: DataSet, size: int | None, scratch: Path, threads: int, begin: Callable[[int], None] = lambda count: None
) -> None:
    """Decode every image file of a set, unless that was done before. begin(count) is called if it has to be, with their number.

    Sets that are packed at this size are read from the pack; sets of arrays, and of files that are compared with the original's bytes
    whenever they are listed, hold what we have seen. size: pixels a side; None for the set's own."""
    if data.entry.revision and not data.is_folder:
        return
    from bench.data import packed

    if packed.find(data, size or data.entry.image_size):
        return
    files = np.concatenate([data.part(part)[0] for part in data.entry.parts])
    mark = scratch / FOLDER / _state(files, data.entry.as_shown)
    if files.dtype == np.uint8 or mark.exists():
        return
    begin(len(files))

    def look(file):
        try:
            return readable(partial(decode, as_shown=data.entry.as_shown), file).remarks
        except UserError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(look, files))
    bad = [error for error in found if isinstance(error, UserError)]
    if bad:
        count = f"{len(bad):,} of {len(files):,} images cannot"
        raise UserError(f"{bad[0]} ({count}; `{COMMAND} data check {data.name}` names them)")
    for remark in sorted({remark for remarks in found if not isinstance(remarks, UserError) for remark in remarks}):
        say(data.name, remark)
    with contextlib.suppress(OSError):  # what cannot be kept is looked at again
        mark.parent.mkdir(parents=True, exist_ok=True)
        write(mark, "")


def require_all_readable(
    specs: Iterable[RunSpec], targets: Iterable[str], data: DataSets, scratch: Path, threads: int, begin: Callable[[str, int], None]
) -> None:
    """`require_readable` of what complete specs are trained and measured on, and of the targets of their transfer. begin(name, count)."""
    targets = tuple(targets)
    for name, size in sorted({(name, spec.image_size) for spec in specs for name in (spec.dataset, *targets)}):
        require_readable(data.require(name), size, scratch, threads, partial(begin, name))


def _state(files: np.ndarray, as_shown: bool) -> str:
    """Changes with the files and with how they are decoded."""
    digest = hashlib.sha256(f"{RULES} {as_shown} {metadata.version('pillow')}".encode())
    for file in files:
        facts = readable(os.stat, file)
        digest.update(os.fsencode(f"\n{file} {facts.st_size} {facts.st_mtime_ns}"))
    return digest.hexdigest()[:32]
