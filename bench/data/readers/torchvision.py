"""How a data set is read through torchvision's loader without decoding an image, and refused where it is not the original.

    entry(TorchvisionSet("dtd", ...))    the `Entry` of a row of torchvision_rows.py

Nothing heavy is imported before a set is read. N images, C channels, H height, W width.
"""

import gzip
import hashlib
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.data.entry import Entry
from bench.data.splits import TEST_FRACTION, VAL_FRACTION, all_but, held_out
from bench.errors import UserError

SHOWN = {"train": "train", "val": "val", "test": "test", "unlabelled": "unlabelled", "all": "the whole"}


@dataclass(frozen=True)
class TorchvisionSet:
    """One data set."""

    name: str
    summary: str
    loader: str
    """A class of torchvision.datasets, or one of `FOLDER_LOADERS`."""
    spelling: dict[str, dict]
    """Part -> the arguments that the loader takes for it; 'all' where the set comes in one piece."""
    official: dict[str, int]
    """Part -> images of the original."""
    classes: int
    files: tuple[str, ...]
    """What must lie under the data root."""
    image_size: int
    source: str
    licence: str = "none stated"
    channels: int = 3
    mirror_safe: bool = True
    metric: str = "top1"
    whole_shares: bool = False
    """Whether val's share (in one piece: test's, then val's) of every class is a whole number, so that the sizes of the splits
    are known before labels are read."""
    of_each: int = 0
    """In one piece: so many images of each class are not test; 0 for the protocol's `TEST_FRACTION` of test."""
    md5: dict[str, str] = field(default_factory=dict)
    """File -> what torchvision compares whenever it reads; of a set of image files these hold the labels alone."""
    class_list: str = ""
    """16 hexadecimal digits of the SHA-256 of the sorted names of the classes, where others share their number."""
    by_hand: str = ""

    @property
    def arrays(self) -> bool:
        return self.loader in ARRAYS


def _tensor(data):
    return np.asarray(data.data)[:, None], data.targets


def _channels_last(data):
    return np.asarray(data.data).transpose(0, 3, 1, 2), data.targets


def _channels_first(data):
    return data.data, data.labels


ARRAYS = {"MNIST": _tensor, "KMNIST": _tensor, "CIFAR100": _channels_last, "STL10": _channels_first, "SVHN": _channels_first}
"""How each loader of arrays holds images and labels."""


def _paths(data):
    """Paths and labels of a data set of image files, which the loaders keep under half a dozen names; nothing is decoded."""
    if hasattr(data, "index"):  # Caltech101
        folder = Path(data.root, "101_ObjectCategories")
        return [folder / data.categories[y] / f"image_{i:04d}.jpg" for y, i in zip(data.y, data.index, strict=True)], data.y
    samples = getattr(data, "samples", None) or getattr(data, "_samples", None)
    if samples is not None:
        return [path for path, _ in samples], [label for _, label in samples]
    return (data._image_files if hasattr(data, "_image_files") else data._images), data._labels


def _image_folder(root: Path, folder: str, name: str):
    from torchvision.datasets import ImageFolder

    data = ImageFolder(str(root / name / folder))
    # Each folder numbers its own classes: with others in one of them the same label would mean another thing.
    if folder != "train" and data.classes != sorted(entry.name for entry in os.scandir(root / name / "train") if entry.is_dir()):
        raise UserError(f"'{root / name / folder}' is refused: its class folders are not those of '{root / name / 'train'}'")
    return data


def _tiny_imagenet(root: Path, folder: str, name: str):
    """Tiny ImageNet as it is published: val lies in one folder, its classes in a text file."""
    data = _image_folder(root, "train", name)
    if folder == "train":
        return data
    lines = (root / name / "val/val_annotations.txt").read_text().splitlines()
    pairs = [line.split("\t")[:2] for line in lines if line.strip()]
    samples = [(root / name / "val/images" / file, data.class_to_idx[label]) for file, label in pairs]
    return SimpleNamespace(samples=samples, classes=data.classes)


FOLDER_LOADERS = {"ImageFolder": _image_folder, "TinyImageNet": _tiny_imagenet}
"""Loaders of plain folders: (data root, folder, folder of the set)."""


def _mnist(base):
    """A loader of MNIST's format that reads the compressed files, whose MD5 is published; the unpacked ones' is not."""

    def load(self):
        part = "train" if self.train else "t10k"
        return tuple(_idx(Path(self.raw_folder, file)) for file, _ in self.resources if file.startswith(part))

    def there(self):
        from torchvision.datasets.utils import check_integrity

        return all(check_integrity(str(Path(self.raw_folder, file)), md5) for file, md5 in self.resources)

    # A legacy file in processed/ would replace the raw ones.
    return type(base.__name__, (base,), {"_load_data": load, "_check_exists": there, "_check_legacy_exist": lambda self: False})


def _idx(path: Path) -> np.ndarray:
    """A compressed IDX file of bytes."""
    content = gzip.decompress(path.read_bytes())
    ends = 4 + 4 * content[3]
    return np.frombuffer(content, np.uint8, offset=ends).reshape(np.frombuffer(content[4:ends], ">i4")).copy()


def _open(row: TorchvisionSet, root: Path, part: str, download: bool):
    """The loader's data set. Where a file is not the original a UserError names it."""
    import torchvision

    spelling = row.spelling[part]
    try:
        if row.loader in FOLDER_LOADERS:
            return FOLDER_LOADERS[row.loader](root, spelling["folder"], Path(row.files[0]).parts[0])
        loader = getattr(torchvision.datasets, row.loader)
        return (_mnist(loader) if row.loader.endswith("MNIST") else loader)(str(root), download=download, **spelling)
    except Exception:
        for file, expected in row.md5.items():
            if (root / file).is_file() and (found := _md5(root / file)) != expected:
                raise UserError(f"'{root / file}' is refused, not the file of {row.name}: MD5 {found}, expected {expected}") from None
        raise


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def read(row: TorchvisionSet, root: Path, part: str, download: bool = False):
    """`Entry.read`: images or paths, labels and class names of a part, refused where their number is not the original's."""
    piece = "all" if "all" in row.spelling else part
    data = _open(row, root, piece, download)
    items, labels = (ARRAYS[row.loader] if row.arrays else _paths)(data)
    labels = np.asarray(labels, dtype=np.int64)
    classes = getattr(data, "classes", None) or getattr(data, "categories", None) or [str(label) for label in range(row.classes)]
    classes = tuple(name if isinstance(name, str) else name[0] for name in classes)
    _compare(row, root, piece, len(labels), classes)
    items = np.ascontiguousarray(items) if row.arrays else np.array([str(path) for path in items], dtype=object)
    if piece == "all":
        test = all_but(labels, row.of_each) if row.of_each else held_out(labels, TEST_FRACTION)
        picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
        items, labels = items[picked], labels[picked]
    return items, labels, classes


def _compare(row: TorchvisionSet, root: Path, piece: str, count: int, classes: tuple[str, ...]):
    if (count, len(classes)) != (row.official[piece], row.classes):
        raise UserError(
            f"{row.name} under '{root}' is refused, a part of it or another set: {SHOWN[piece]} has {count:,} images in "
            f"{len(classes):,} classes, expected {row.official[piece]:,} in {row.classes:,}"
        )
    if row.class_list and hashlib.sha256(" ".join(sorted(classes)).encode()).hexdigest()[:16] != row.class_list:
        raise UserError(f"{row.name} under '{root}' is refused: its {row.classes} classes are not the ones of {row.source}")


def _sizes(row: TorchvisionSet) -> dict[str, int | None]:
    """`Entry.sizes`, as far as they follow from the original's counts."""
    official = dict(row.official)
    if row.of_each:
        official["train"] = row.of_each * row.classes
        official["test"] = official["all"] - official["train"]
    elif "all" in official and row.whole_shares:
        official["test"] = round(TEST_FRACTION * official["all"])
        official["train"] = official["all"] - official["test"]
    train, val, test = (official.get(part) for part in ("train", "val", "test"))
    both = None if train is None else train + (val or 0)
    if val is None:
        val = round(VAL_FRACTION * train) if row.whole_shares else None
        train = train - val if row.whole_shares else None
    sizes = {"train": train, "val": val, "train+val": both, "test": test}
    return sizes | ({"unlabelled": official["unlabelled"]} if "unlabelled" in official else {})


def entry(row: TorchvisionSet) -> Entry:
    """What the rest of the harness sees of a row."""
    compared = "the number of images and classes" + ", the labels by MD5" * bool(row.md5) + ", the classes' names" * bool(row.class_list)
    return Entry(
        row.name,
        row.summary,
        row.channels,
        row.image_size,
        row.mirror_safe,
        _sizes(row),
        hashlib.sha256("".join(row.md5.values()).encode()).hexdigest()[:12] if row.arrays else "",
        partial(read, row),
        row.files or tuple(row.md5),
        own_val="val" in row.official,
        pretrain_splits=("train", "train+val", *(["unlabelled"] if "unlabelled" in row.official else [])),
        metric=row.metric,
        classes=row.classes,
        licence=row.licence,
        source=row.source,
        compared="every file, by MD5" if row.arrays else compared,
        by_hand=row.by_hand,
    )
