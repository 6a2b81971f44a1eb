"""Decode the image files of a data set once, into a pack (bench/data/packed.py) that runs then read from disk.

    pack("folder:birds", 64, root)    makes what is missing of it; killed at any moment, it goes on with the next call

A shard is written beside and renamed, then noted in the manifest with its SHA-256.
"""

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata
from itertools import count
from pathlib import Path

import numpy as np

from bench.data import catalogue
from bench.data.dataset import DataSet
from bench.data.entry import Entry
from bench.data.images import decode_files
from bench.data.packed import CHANNELS, MANIFEST, Pack, folder_of, read, set_of
from bench.errors import UserError
from bench.machine.files import write
from bench.machine.hardware import cores
from bench.machine.lease import claim

SHARD_BYTES = 256 * 2**20
"""About so much is decoded before it is kept, and decoded again where a shard is damaged."""


def pack(
    name: str,
    image_size: int | None = None,
    root: Path | None = None,
    rebuild: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Pack:
    """Make the pack of a set at an image size (the set's own by default), or what is missing of it; finished shards are compared
    with their SHA-256. rebuild: make damaged ones anew. advance(images done, of how many) is called often. Raises UserError for
    what cannot be packed, an image that cannot be read and a shard that is damaged, OSError where the disk is full or read-only.
    """
    data = catalogue.require(name, root)
    if not data.entry.modality.packed:
        raise UserError(f"{data.name} has no image files to pack: its items are {data.entry.modality.name}; expected a data set of images")
    size = data.check_split("train", data.entry.sizes, image_size)
    parts = {part: data.part(part)[0] for part in data.entry.parts}
    if any(np.issubdtype(files.dtype, np.number) for files in parts.values()):
        raise UserError(f"{data.name} has no image files to pack: it is stored as arrays, and read into memory as it is")
    wanted = _wanted(data, size, parts)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    lease = claim(wanted.folder)
    if lease is None:
        raise UserError(f"another process is packing {name} at {size} pixels, in '{wanted.folder}'")
    try:
        with lease:
            for left in wanted.folder.glob(".*.tmp"):  # of a process that was killed while it wrote
                left.unlink()
            begun = _begun(wanted, rebuild)
            _require_space(begun)
            return _make(begun, np.concatenate(list(parts.values())), data.entry, rebuild, advance)
    finally:
        if not any(wanted.folder.glob("*.uint8")):
            shutil.rmtree(wanted.folder, ignore_errors=True)


def _wanted(data: DataSet, size: int, parts: dict[str, np.ndarray]) -> Pack:
    """The pack with none of its shards made."""
    rows = max(1, SHARD_BYTES // (CHANNELS * size * size))
    facts = {
        "name": data.name,
        "set": set_of(data),
        "revision": data.revision,
        "image_size": size,
        "parts": {part: len(files) for part, files in parts.items()},
        "rows_per_shard": rows,
        # Decoders differ in the last bit: shards of two of them must not stand in one pack.
        "decoder": ", ".join(f"{package} {metadata.version(package)}" for package in ("pillow", "torchvision")),
    }
    shards = -(-sum(facts["parts"].values()) // rows)
    return Pack(folder_of(data, size), facts, (None,) * shards)


def _begun(wanted: Pack, rebuild: bool) -> Pack:
    """`wanted` with what an earlier call has made of it."""
    try:
        there = read(wanted.folder)
    except UserError:
        if rebuild:
            return wanted
        raise
    if there is None:
        return wanted
    # The same folder may be called by two names.
    changed = {key for key, value in wanted.facts.items() if there.facts.get(key) != value} - {"name"}
    if not changed and len(there.digests) == len(wanted.digests):
        return there
    if rebuild:
        return wanted
    differences = ", ".join(f"{key} {there.facts.get(key)}, not {wanted.facts[key]}" for key in sorted(changed))
    raise UserError(f"'{wanted.folder}' was packed with {differences}: --rebuild makes it anew")


def _require_space(pack: Pack) -> None:
    """OSError before anything is decoded where the rest does not fit on the disk."""
    each = CHANNELS * pack.facts["image_size"] ** 2
    needed = sum(len(pack.rows_of(number)) * each for number, digest in enumerate(pack.digests) if digest is None)
    free = shutil.disk_usage(pack.folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"the pack needs {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free", str(pack.folder))


def _make(pack: Pack, files: np.ndarray, data: Entry, rebuild: bool, advance: Callable[[int, int], None]) -> Pack:
    """Make every shard that is missing, or damaged if asked. files: [N] paths, a pack's rows."""
    for number, digest in enumerate(pack.digests):
        rows = pack.rows_of(number)
        problem = pack.problem_of(number) if digest else ""
        if digest and not problem:
            advance(rows.stop, len(files))
            continue
        if problem and pack.shard(number).is_file() and not rebuild:
            raise UserError(f"{problem}: `{pack.command} --rebuild` makes it anew")
        done = partial(next, count(rows.start + 1))
        images = decode_files(
            files[rows.start : rows.stop],
            pack.facts["image_size"],
            data,
            threads=cores(),
            decoded=lambda done=done: advance(done(), len(files)),
        )
        content = images.numpy().data
        write(pack.shard(number), content)
        made = hashlib.sha256(content).hexdigest()
        pack = replace(pack, digests=(*pack.digests[:number], made, *pack.digests[number + 1 :]))
        write(pack.folder / MANIFEST, json.dumps({**pack.facts, "digests": pack.digests}, indent=1))
    return pack
