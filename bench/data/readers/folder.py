"""Folders of the user's own as data sets: 'folder:PATH', with PATH/train/CLASS/IMAGE and the same for val and test if any.

    folder_entry("birds=folder:pictures/birds")    the `Entry`, from a walk over the files; no image is decoded for it
    folder_entry("folder:birds?skip=unreadable")   the same without the files that cannot be decoded, so all are

How a folder is named: bench/folder_name.py. Nothing heavy is imported before images are looked at.
"""

import hashlib
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from bench.data.decoding import RULES, decode, readable, size_of
from bench.data.entry import Entry, split_sizes
from bench.data.readers.tree import Classes, Tree, printable, walk
from bench.data.splits import VAL_FRACTION, held_out_count
from bench.errors import UserError
from bench.folder_name import canonical, parse
from bench.machine.cores import cores

FOLDER_IMAGE_SIZES = (32, 64, 96, 128, 224)
HEADERS_READ = 2000
"""At most so many image headers are read to choose a folder's image size."""
UNEVEN = 2
"""Times the rarest class's images of test that the most frequent one has: from there on top-1 says little of the rare ones."""


def folder_entry(name: str) -> Entry:
    """The entry of a folder; a UserError that says what is wrong with its files, if anything is."""
    given, parts = parse(name), parse(canonical(name))
    shown, path = Path(given.path).expanduser(), Path(parts.path)
    for directory, as_given in ((path, shown), (path / "train", shown / "train")):
        if not directory.is_dir():
            raise UserError(f"there is no folder '{as_given}'; expected {shown}/train/CLASS/IMAGE, and the same for val and test if any")
    tree = walk(path)
    if parts.skip:
        tree = _without_unreadable(tree, path)
    counts = {split: [len(files) for files in classes.values()] for split, classes in tree.splits.items()}
    val = sum(counts["val"] if "val" in counts else [held_out_count(count, VAL_FRACTION) for count in counts["train"]])
    sizes = split_sizes(sum(counts["train"]) - ("val" not in counts) * val, val, sum(counts.get("test", ())))
    files = [file for classes in tree.splits.values() for files in classes.values() for file in files]
    listing = sorted(f"{file.removeprefix(str(path))} {readable(size_of, file)}".replace(os.sep, "/") for file in files)
    # A name need not be UTF-8: its own bytes are hashed.
    content = hashlib.sha256(os.fsencode("\n".join([f"decoding rules {RULES}", *listing]))).hexdigest()[:12]
    train = [file for files in tree.splits["train"].values() for file in files]
    sample = np.linspace(0, len(train) - 1, min(len(train), HEADERS_READ)).round().astype(int)
    return Entry(
        parts.text,
        f"a folder of images, {len(counts['train'])} classes",
        3,
        _image_size_for(tuple(train[index] for index in sample), content, name),
        True,
        sizes,
        content,
        partial(_read_folder, tree.splits),
        (str(path),),
        own_val="val" in counts,
        metric=parts.metric,
        classes=len(counts["train"]),
        licence="yours",
        source="you",
        compared="nothing",
        as_shown=True,
        notes=partial(_notes, tree, parts.metric),
    )


def _notes(tree: Tree, metric: str) -> Iterator[str]:
    """What its owner should know before a number of it is believed; files of equal size are read for it."""
    yield from tree.notes()
    test = {label: len(files) for label, files in tree.splits.get("test", {}).items()}
    if test and metric == "top1" and max(test.values()) >= UNEVEN * min(test.values()):
        best = 100 * max(test.values()) / sum(test.values())
        yield (
            f"classes of test have {min(test.values()):,} to {max(test.values()):,} images, and top-1 is {best:.1f} for whoever says "
            "the most frequent one always: '...?metric=mean_per_class' asks for the mean over classes"
        )
    if (copies := copies_in_train(tree.splits)) > 0:
        yield f"{copies:,} of {sum(test.values()):,} test images lie in train or val too, byte for byte: they are no test"


def copies_in_train(splits: dict[str, Classes]) -> int:
    """How many test images have the bytes of a training or val image. Only files of one size are read."""
    files = {split: [file for files in classes.values() for file in files] for split, classes in splits.items()}
    sizes = {split: [readable(size_of, file) for file in some] for split, some in files.items()}
    shared = set(sizes.get("test", ())) & {size for split in sizes if split != "test" for size in sizes[split]}
    candidates = {split: [file for file, size in zip(files[split], sizes[split], strict=True) if size in shared] for split in sizes}

    def digest(file):
        with open(file, "rb") as content:
            return hashlib.file_digest(content, "sha256").digest()

    with ThreadPoolExecutor() as pool:
        digests = {split: list(pool.map(partial(readable, digest), some)) for split, some in candidates.items()}
    known = {digest for split in digests if split != "test" for digest in digests[split]}
    return sum(digest in known for digest in digests.get("test", ()))


def _without_unreadable(tree: Tree, path: Path) -> Tree:
    """The tree without the files that cannot be decoded; a UserError where a class has none left."""
    files = [file for classes in tree.splits.values() for files in classes.values() for file in files]
    bad = unreadable(tuple((file, os.stat(file).st_size if os.path.exists(file) else -1) for file in files), str(path))
    kept = {
        split: {label: [file for file in files if file not in bad] for label, files in classes.items()}
        for split, classes in tree.splits.items()
    }
    for split, classes in kept.items():
        for label in (label for label, files in classes.items() if not files):
            raise UserError(printable(f"of '{path / split / label}' no image can be read"))
    return Tree(kept, tree.passed_over, tree.strange_folders)


@lru_cache(maxsize=8)
def unreadable(files: tuple[tuple[str, int], ...], where: str) -> frozenset[str]:
    """Those of (path, size) that cannot be decoded; says how many, once. The size only tells whether to look again."""

    def bad(file):
        try:
            readable(partial(decode, as_shown=True), file)
        except UserError:
            return file

    with ThreadPoolExecutor(cores()) as pool:
        found = frozenset(filter(None, pool.map(bad, (file for file, _ in files))))
    if found:
        warnings.warn(f"{len(found):,} of {len(files):,} images under '{where}' cannot be read and are left out, as asked", stacklevel=2)
    return found


@lru_cache(maxsize=8)
def _image_size_for(files: tuple[str, ...], content: str, name: str) -> int:
    """The largest usual size that is not above the median short side of the files, or else the smallest. A UserError that names the first
    header that cannot be read and counts them."""
    from PIL import Image

    def short_side(file):
        with Image.open(file) as image:
            return min(image.size)

    sides, bad = [], []
    for file in files:
        try:
            sides.append(readable(short_side, file))
        except UserError as error:
            bad.append(error)
    if bad:
        hint = f"'{name.partition('?')[0]}?skip=unreadable' leaves out what cannot be decoded"
        raise UserError(f"{bad[0]} ({len(bad):,} of {len(files):,} headers cannot; {hint})")
    return max((size for size in FOLDER_IMAGE_SIZES if size <= np.median(sides)), default=FOLDER_IMAGE_SIZES[0])


def _read_folder(tree: dict[str, Classes], root: Path, part: str):
    samples = [(file, label) for label, files in enumerate(tree[part].values()) for file in files]
    files, labels = zip(*samples, strict=True)
    return np.array(files, dtype=object), np.array(labels, dtype=np.int64), tuple(tree["train"])
