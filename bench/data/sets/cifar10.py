"""Things and animals, 10 kinds, colour."""

import pickle
import warnings
from pathlib import Path

import numpy as np

from bench.data.readers.known import KnownSet, verify
from bench.errors import UserError

CONTENT = {
    "data_batch_1": "964e12b27a49d78e",
    "data_batch_2": "27738e58fb52c385",
    "data_batch_3": "e473adcb2428fd52",
    "data_batch_4": "156f7145f1d686b3",
    "data_batch_5": "a0dc6dec60e26bc3",
    "test_batch": "352e4ee47aa78164",
}


def read(root: Path, part: str, download: bool = False):
    """`Entry.read`"""
    import torchvision

    class CIFAR10(torchvision.datasets.CIFAR10):
        def _check_integrity(self):
            # torchvision compares the pickles' MD5, which differs where somebody packed the same arrays anew. Instead, before
            # torchvision unpickles them, each is read in a way that can run nothing, and its content compared.
            batches = [Path(self.root, self.base_folder, file) for file, _ in (self.train_list if self.train else self.test_list)]
            if not all(path.is_file() for path in (*batches, batches[0].with_name(self.meta["filename"]))):
                return False
            for path in batches:
                check_batch(path)
            return True

    with warnings.catch_warnings():
        # The original files give dtype's `align` as an integer; numpy 2.4.0 to 2.4.4 warn of it (numpy issue 30786).
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        data = CIFAR10(str(root), train=part == "train", download=download)
    return np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)), np.array(data.targets, dtype=np.int64), tuple(data.classes)


class ArrayUnpickler(pickle.Unpickler):
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


def check_batch(path: Path):
    """Refuse a file that is anything but an original batch; what passes holds arrays alone, so plain pickle may read it."""
    try:
        with open(path, "rb") as file:
            batch = ArrayUnpickler(file, encoding="latin1").load()
        verify("cifar10", CONTENT[path.name], f"'{path}' is", batch["data"], batch["labels"])
    except UserError:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise UserError(f"'{path}' is refused, not a batch of CIFAR-10: {error or type(error).__name__}") from error


SET = KnownSet(
    channels=3,
    image_size=32,
    mirror_safe=True,
    counts=(45_000, 5_000, 10_000),
    content=CONTENT,
    read=read,
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    papers=("https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",),
    files=tuple(f"cifar-10-batches-py/{file}" for file in ("batches.meta", *CONTENT)),
)
