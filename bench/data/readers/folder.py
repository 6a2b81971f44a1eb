"""Folders of the user's own as data sets: 'folder:PATH', with PATH/train/CLASS/IMAGE and the same for val and test if any.

    folder_entry("folder:birds")    the `Entry`, from a walk over the files; no image is decoded for it
    folder_entry("folder:birds?skip=unreadable")    the same without the files that cannot be decoded, so all are

Nothing heavy is imported before images are looked at.
"""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from bench.data.decoding import RULES, decode, readable
from bench.data.entry import Entry, split_sizes
from bench.data.splits import VAL_FRACTION, held_out_count
from bench.errors import UserError
from bench.machine.cores import cores

FOLDER_IMAGE_SIZES = (32, 64, 96, 128, 224)
HEADERS_READ = 2000
"""At most so many image headers are read to choose a folder's image size."""
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes for an image."""
SKIP = "?skip=unreadable"
"""Behind a folder's name: leave out what cannot be decoded. It is another data set, with a name and a revision of its own."""


def folder_path(name: str) -> Path:
    """The directory that 'folder:PATH' means."""
    path = name.removeprefix("folder:").removesuffix(SKIP)
    if not path:
        raise UserError("'folder:' needs a path: folder:PATH, with PATH/train/CLASS/IMAGE")
    return Path(path).expanduser()


def folder_entry(name: str) -> Entry:
    """The entry of 'folder:PATH'; a UserError that says what is wrong with its files, if anything is."""
    path = folder_path(name)
    for directory in (path, path / "train"):
        if not directory.is_dir():
            raise UserError(f"there is no folder '{directory}'; expected {path}/train/CLASS/IMAGE, and the same for val and test if any")
    tree = {split: _images_by_class(path / split) for split in ("train", "val", "test") if (path / split).is_dir()}
    if name.endswith(SKIP):
        tree = _without_unreadable(tree, path)
    for split, classes in tree.items():
        for label in sorted(classes.keys() ^ tree["train"].keys())[:1]:
            raise UserError(f"class '{label}' is in only one of '{path / 'train'}' and '{path / split}'; both need the same classes")
    counts = {split: [len(files) for files in classes.values()] for split, classes in tree.items()}
    val = sum(counts["val"] if "val" in tree else [held_out_count(count, VAL_FRACTION) for count in counts["train"]])
    sizes = split_sizes(sum(counts["train"]) - ("val" not in tree) * val, val, sum(counts.get("test", ())))
    files = [file for split in tree.values() for files in split.values() for file in files]
    listing = sorted(f"{file.removeprefix(str(path))} {readable(os.path.getsize, file)}".replace(os.sep, "/") for file in files)
    content = hashlib.sha256("\n".join([f"decoding rules {RULES}", *listing]).encode()).hexdigest()[:12]
    train = [file for files in tree["train"].values() for file in files]
    sample = np.linspace(0, len(train) - 1, min(len(train), HEADERS_READ)).round().astype(int)
    size = _image_size_for(tuple(train[index] for index in sample), content, name)
    summary = f"a folder of images, {len(counts['train'])} classes"
    read = partial(_read_folder, tree)
    more = {
        "own_val": "val" in tree,
        "classes": len(counts["train"]),
        "licence": "yours",
        "source": "you",
        "compared": "nothing",
        "as_shown": True,
    }
    return Entry(name, summary, 3, size, True, sizes, content, read, (str(path.resolve()),), **more)


def _images_by_class(directory: Path) -> dict[str, list[str]]:
    """The paths that torchvision's ImageFolder finds, in its order."""
    classes = {}
    for label in sorted(entry.name for entry in os.scandir(directory) if entry.is_dir()):
        walk = sorted(os.walk(directory / label, followlinks=True))
        classes[label] = [os.path.join(parent, file) for parent, _, files in walk for file in sorted(files) if _is_image(file)]
        if not classes[label]:
            raise UserError(f"'{directory / label}' holds no image ({', '.join(IMAGE_ENDINGS)})")
    if not classes:
        raise UserError(f"'{directory}' holds no class folders; expected {directory}/CLASS/IMAGE")
    return classes


def _without_unreadable(tree: dict[str, dict[str, list[str]]], path: Path) -> dict[str, dict[str, list[str]]]:
    """The tree without the files that cannot be decoded; a UserError where a class has none left."""
    files = [file for classes in tree.values() for files in classes.values() for file in files]
    bad = unreadable(tuple((file, os.stat(file).st_size if os.path.exists(file) else -1) for file in files), str(path))
    kept = {
        split: {label: [file for file in files if file not in bad] for label, files in classes.items()} for split, classes in tree.items()
    }
    for split, classes in kept.items():
        for label in (label for label, files in classes.items() if not files):
            raise UserError(f"of '{path / split / label}' no image can be read")
    return kept


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


def _is_image(file: str) -> bool:
    return file.lower().endswith(IMAGE_ENDINGS)


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
        raise UserError(f"{bad[0]} ({len(bad):,} of {len(files):,} headers cannot; '{name}{SKIP}' leaves out what cannot be decoded)")
    return max((size for size in FOLDER_IMAGE_SIZES if size <= np.median(sides)), default=FOLDER_IMAGE_SIZES[0])


def _read_folder(tree: dict[str, dict[str, list[str]]], root: Path, part: str):
    samples = [(file, label) for label, files in enumerate(tree[part].values()) for file in files]
    files, labels = zip(*samples, strict=True)
    return np.array(files, dtype=object), np.array(labels, dtype=np.int64), tuple(tree["train"])
