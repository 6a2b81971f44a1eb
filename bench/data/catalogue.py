"""The data sets by name: what is known of each before an image is read, and whether its files are here.

Known sets are read by their libraries' own loaders and compared with the original as far as that is known, so two people who
name the same set have the same images. `folder:PATH` is a folder of the user's own. Nothing is downloaded unless `get` is called; nothing
heavy is imported to check a name."""

import os

from bench.data.entry import Entry
from bench.data.readers.folder import folder_entry, folder_path
from bench.data.readers.known import ENTRIES as SEEN
from bench.data.readers.torchvision_rows import ENTRIES as BY_NAME
from bench.data.reading import DAMAGE, listing, read_items
from bench.defaults import COMMAND, data_root
from bench.errors import UserError, unknown
from bench.spec import DatasetInfo

Root = str | os.PathLike | None

ENTRIES = SEEN | BY_NAME
"""The known sets by name, whether their files are there or not."""


def names() -> list[str]:
    """The known data sets; 'folder:PATH' is accepted wherever one of them is."""
    return sorted(ENTRIES)


def require(name: str, root: Root = None, needs_test: bool = False) -> Entry:
    """The entry of a data set whose files are there; else a UserError that says how to get them.

    needs_test: also refuse a folder without a test split, before anything is trained for it.
    """
    if name.startswith("folder:"):
        entry = folder_entry(name)
        if needs_test:
            check_split(entry, "test", entry.sizes)
        return entry
    if name not in ENTRIES:
        raise unknown("data set", name, names(), f"All data sets: {COMMAND} list datasets")
    root = data_root(root)
    for file in ENTRIES[name].files:
        if not (root / file).exists():
            how = ENTRIES[name].by_hand or f"run `{COMMAND} data get {name}` or put {os.path.dirname(file) or file} there"
            raise UserError(f"{name} is not under '{root}' (no {file}): {how} (--data-root, or $SSLBENCH_DATA)")
    return ENTRIES[name]


def metric(name: str) -> str:
    """What is reported of a data set: top1 | mean_per_class. The files need not be there."""
    return ENTRIES[name].metric if name in ENTRIES else "top1"


def revision(name: str, root: Root = None) -> str:
    """The content's identity, 12 hexadecimal digits: `Entry.revision`, or else a hash of the listing of the image files.

    For a listing the files' number is compared with the original's, and no image is decoded.
    """
    entry = require(name, root)
    return entry.revision or listing(entry, data_root(root).resolve())


def info(name: str, pretrain_split: str, image_size: int | None = None, root: Root = None) -> DatasetInfo:
    """What a method may know of the images it is pretrained on; no image is decoded for it."""
    entry = require(name, root)
    size = check_split(entry, pretrain_split, entry.pretrain_splits, image_size)
    count = entry.sizes[pretrain_split] or len(read_items(entry, pretrain_split, data_root(root).resolve())[1])
    return DatasetInfo(count, size, entry.channels, entry.mirror_safe)


def get(name: str, root: Root = None) -> str:
    """Download a data set through torchvision unless it is there and whole; returns a sentence that says what is now so."""
    root = data_root(root)
    if name not in ENTRIES or not ENTRIES[name].files:
        return f"{require(name, root).name} needs no download"
    if ENTRIES[name].by_hand:
        return f"{require(name, root).name} is under '{root}'"
    try:
        for part in ("train", "test"):
            ENTRIES[name].read(root, part, download=True)
    except DAMAGE as error:
        raise UserError(f"{name} could not be downloaded to '{root}': {' '.join(str(error).split())}") from error
    return f"{name} is under '{root}'"


def check_split(entry: Entry, split: str, there, image_size: int | None = None) -> int:
    """The image size to use, after a look at what was asked for."""
    if split not in there:
        expected = f"; expected '{folder_path(entry.name) / split}/CLASS/IMAGE'"
        hint = expected if split == "test" and entry.name.startswith("folder:") else ""
        raise UserError(f"{entry.name} has no split '{split}', only {', '.join(there)}{hint}")
    if image_size is not None and image_size < 1:
        raise UserError(f"an image size is a number of pixels from 1 up, not {image_size}")
    return image_size or entry.image_size
