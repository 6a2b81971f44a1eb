"""How torchvision's loaders, and two of plain folders, hold images and labels; no image is decoded.

Nothing heavy is imported before a set is read. N images, C channels, H height, W width.
"""

import gzip
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from bench.errors import UserError


def _tensor(data):
    return np.asarray(data.data)[:, None], data.targets


def _channels_last(data):
    return np.asarray(data.data).transpose(0, 3, 1, 2), data.targets


def _channels_first(data):
    return data.data, data.labels


ARRAYS = {"MNIST": _tensor, "KMNIST": _tensor, "CIFAR100": _channels_last, "STL10": _channels_first, "SVHN": _channels_first}
"""How each loader of arrays holds images and labels."""


def paths(data):
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


def compressed(base):
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
