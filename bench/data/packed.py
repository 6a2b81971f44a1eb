"""Images that stay on disk: a data set's image files decoded once, at one size, into shards that are mapped into memory.

    pack = find(data, 64)    None where the set is not packed at 64 pixels
    pack.images(rows)        PackedImages, which `bench.data.load.load_split` gives instead of a tensor

A pack is a folder, <data root>/packed/SET-SIZEpx-REVISION, of manifest.json and shards, each the bytes of uint8 [n, C, H, W]. Its
rows are the set's files in their order, part after part; every shard but the last has the same number of them. The pixels are those
that are decoded without a pack. bench/data/packing.py writes packs. N images, C channels, H height, W width.
"""

import ctypes
import hashlib
import json
import mmap
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.data.dataset import DataSet
from bench.data.rows import Rows
from bench.defaults import COMMAND
from bench.errors import UserError

MANIFEST = "manifest.json"
CHANNELS = 3
"""Image files are read as RGB."""

WILL_NEED = 3
"""MADV_WILLNEED, of Linux and macOS. Python's own mmap has it too, but keeps a file open for each of what may be a thousand shards."""
MADVISE = getattr(ctypes.CDLL(None), "madvise", None)
if MADVISE:
    MADVISE.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Shards:
    """The bytes of a pack: uint8 [n, C, H, W] arrays that are mapped from disk, of which all but the last have the same n."""

    def __init__(self, arrays: list[np.ndarray]):
        self.arrays, self.addresses = arrays, [array.ctypes.data for array in arrays]

    def read(self, rows: Tensor, into: np.ndarray) -> None:
        """Copy the images of int64 [B] rows, counted through all shards, into uint8 [B, C, H, W]."""
        each, size = len(self.arrays[0]), self.arrays[0][0].nbytes
        places = [divmod(row, each) for row in rows.tolist()]
        if MADVISE:
            # The disk hears of the whole batch at once, and of nothing but the batch: left alone, the kernel would wait for one
            # image after the other, and read 128 KiB for each.
            for shard, place in places:
                begin = self.addresses[shard] + place * size
                page = begin - begin % mmap.PAGESIZE
                MADVISE(page, begin + size - page, WILL_NEED)
        # Row by row: the time does not grow with the number of shards, and no thread is started for it.
        for number, (shard, place) in enumerate(places):
            into[number] = self.arrays[shard][place]


class PackedImages(Rows):
    """uint8 [N, C, H, W] on disk, used as a tensor is. What is read is a tensor of its own, on `device`."""

    def __init__(self, shards: Shards, rows: Tensor, device: torch.device | str = "cpu"):
        """rows: int64 [N], counted through all shards."""
        super().__init__(rows, torch.device(device))
        self.shards = shards

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.shards.arrays[0].shape[1:]))

    def read(self, rows: Tensor) -> Tensor:
        on_gpu = self.device.type == "cuda"
        images = torch.empty(len(rows), *self.shape[1:], dtype=torch.uint8, pin_memory=on_gpu)
        self.shards.read(rows, images.numpy())
        return images.to(self.device, non_blocking=on_gpu)

    def reordered(self, order: Tensor | slice) -> "PackedImages":
        return PackedImages(self.shards, self.rows[order], self.device)

    def to(self, device: torch.device | str) -> "PackedImages":
        """What is read from now on goes to this device; the images stay on disk."""
        return PackedImages(self.shards, self.rows, device)


@dataclass(frozen=True)
class Pack:
    """A pack, or as much of one as has been made."""

    folder: Path
    facts: dict
    """What decides its bytes: set, revision, image_size, parts (name -> number of rows), rows_per_shard, decoder."""
    digests: tuple[str | None, ...]
    """SHA-256 of each shard; None where it is not made yet."""

    @property
    def complete(self) -> bool:
        return None not in self.digests

    @property
    def command(self) -> str:
        name, size = self.facts["name"], self.facts["image_size"]
        return f"{COMMAND} data pack {name} --image-size {size}"

    def rows(self, part: str) -> np.ndarray:
        """Numbers of a part's rows, int64 [N]."""
        parts = list(self.facts["parts"])
        start = sum(self.facts["parts"][before] for before in parts[: parts.index(part)])
        return np.arange(start, start + self.facts["parts"][part])

    def shard(self, number: int) -> Path:
        return self.folder / f"{number:05}.uint8"

    def rows_of(self, number: int) -> range:
        """The rows that a shard holds."""
        total, each = sum(self.facts["parts"].values()), self.facts["rows_per_shard"]
        return range(number * each, min((number + 1) * each, total))

    def images(self, rows: np.ndarray) -> PackedImages:
        """The images of int64 [N] rows. A UserError names a shard that is missing or of another size; no pixel is read."""
        size = self.facts["image_size"]
        shards = []
        for number in range(len(self.digests)):
            shape = (len(self.rows_of(number)), CHANNELS, size, size)
            expected = int(np.prod(shape))
            path = self.shard(number)
            there = path.stat().st_size if path.is_file() else -1
            if there != expected:
                problem = "is missing" if there < 0 else f"has {there:,} bytes, expected {expected:,}"
                raise UserError(f"the shard '{path}' {problem}: `{self.command} --rebuild` makes it anew")
            # Not numpy's memmap, which keeps its file open. A private mapping: what a caller writes by mistake is its own copy.
            mapped = torch.from_file(str(path), shared=False, size=expected, dtype=torch.uint8)
            shards.append(mapped.view(shape).numpy())
        return PackedImages(Shards(shards), torch.from_numpy(rows))

    def problem_of(self, number: int) -> str:
        """What is wrong with a finished shard, after reading all of it; '' if nothing is."""
        path = self.shard(number)
        if not path.is_file():
            return f"the shard '{path}' is missing"
        with open(path, "rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        expected = self.digests[number] or "none"
        return "" if found == expected else f"the shard '{path}' is damaged: SHA-256 {found[:12]}..., expected {expected[:12]}..."


def set_of(data: DataSet) -> str:
    """What a pack is of: a known set by its name, a folder by its absolute path."""
    return data.entry.files[0] if data.is_folder else data.name


def stem_of(data: DataSet) -> str:
    """How the names of a set's packs begin. Two folders of one name have different ones."""
    which = set_of(data)
    path = f"{Path(which).name}-{hashlib.sha256(which.encode()).hexdigest()[:6]}" if which != data.name else which
    return re.sub(r"[^\w.-]+", "_", path)


def folder_of(data: DataSet, size: int) -> Path:
    """Where the pack of this very listing at this size lies, if there is one."""
    return data.root / "packed" / f"{stem_of(data)}-{size}px-{data.revision}"


def read(folder: Path) -> Pack | None:
    """The pack in a folder, finished or not; None where there is none. A UserError where its manifest cannot be read."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        digests = tuple(content.pop("digests"))
        return Pack(folder, content, digests)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(f"'{path}' is damaged ({error}): `{COMMAND} data pack` with --rebuild makes the pack anew") from error


def find(data: DataSet, size: int) -> Pack | None:
    """The finished pack of a set at this size, if there is one; says so where one is unfinished."""
    # The revision can cost a look at every file: it is asked for only where a pack may be there.
    if not any((data.root / "packed").glob(f"{stem_of(data)}-{size}px-*")):
        return None
    pack = read(folder_of(data, size))
    if pack is None or pack.facts["set"] != set_of(data):
        return None
    if not pack.complete:
        warnings.warn(f"'{pack.folder}' is not finished and not used; `{pack.command}` goes on with it", stacklevel=2)
        return None
    return pack


def check(data: DataSet) -> Iterator[tuple[bool, str]]:
    """Whether each pack of a set is well, and a line about it; every shard is read. Damaged shards have a line each."""
    for folder in sorted((data.root / "packed").glob(f"{stem_of(data)}-*px-*")):
        pack = read(folder)
        if pack is None or pack.facts["set"] != set_of(data):
            continue
        made = [number for number, digest in enumerate(pack.digests) if digest]
        with ThreadPoolExecutor() as pool:
            problems = list(filter(None, pool.map(partial(Pack.problem_of, pack), made)))
        for problem in problems:
            yield False, f"{problem}: `{pack.command} --rebuild` makes it anew"
        if problems:
            continue
        state = "" if pack.complete else f", unfinished: `{pack.command}` goes on"
        state = state if pack.facts["revision"] == data.revision else ", of another listing of files: not used, and may be deleted"
        what = f"{len(made)} of {len(pack.digests)} shards have their SHA-256, by {pack.facts['decoder']}"
        yield True, f"packed at {pack.facts['image_size']} px: {what}{state}"
