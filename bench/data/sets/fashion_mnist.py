"""Clothing, 10 kinds, grey."""

from pathlib import Path

from bench.data.readers.known import KnownSet, verify

CONTENT = {"train": "d289bcd03da40175", "test": "b038c919412fddca"}


def read(root: Path, part: str, download: bool = False):
    """`Entry.read`"""
    import torchvision

    class FashionMNIST(torchvision.datasets.FashionMNIST):
        def _check_legacy_exist(self):
            return False  # else whatever torch.load finds in processed/ would replace the raw files

    data = FashionMNIST(str(root), train=part == "train", download=download)
    images, labels = data.data.numpy(), data.targets.numpy()
    verify("fashion_mnist", CONTENT[part], f"'{data.raw_folder}' ({part}) is", images, labels)
    return images[:, None], labels, tuple(data.classes)


SET = KnownSet(
    channels=1,
    image_size=28,
    mirror_safe=True,
    counts=(54_000, 6_000, 10_000),
    content=CONTENT,
    read=read,
    source="https://github.com/zalandoresearch/fashion-mnist",
    papers=("arXiv:1708.07747",),
    files=tuple(f"FashionMNIST/raw/{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")),
    licence="MIT",
)
