"""How many test images of a data set have a near-duplicate among those that are not test: the figures of docs/data.md, printed.

python -m benchmarks.near_duplicates               cifar10, some minutes of one core and 1 GiB
python -m benchmarks.near_duplicates dtd           another set, squeezed to its usual size as for every run
python -m benchmarks.near_duplicates --quick       the first 500 test images alone: that it runs at all

An image's likeness to another is Pearson's correlation of their values over pixels and channels; each test image counts by the highest of
its own. Of the images as they are stored, of their lightness (0.299 R + 0.587 G + 0.114 B), and less the mean image, which most
photographs share.
N test images, M others, V values of an image.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.data.load import load_split
from bench.errors import UserError
from reports.pages.markdown import grid

ABOVE = (0.95, 0.9)
BLOCK = 2000
"""Images at once, of either side."""

LIGHTNESS = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601), as Pillow makes grey of colours."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_duplicates", description=__doc__.split("\n")[0])
    parser.add_argument("dataset", nargs="?", default="cifar10", help="a name of `data list`, or folder:PATH; cifar10 where none is given")
    parser.add_argument("--quick", action="store_true", help="the first 500 test images alone")
    given = parser.parse_args()
    try:
        test, others = (torch.as_tensor(load_split(given.dataset, split).images[:]) for split in ("test", "train+val"))
    except UserError as error:
        parser.error(str(error))
    head, rows = counts(test[: 500 if given.quick else None], others)
    print(f"{given.dataset}: {len(test):,} test images beside {len(others):,} others\n\n{grid(head, rows, (head[0],))}", flush=True)


def counts(test: Tensor, others: Tensor) -> tuple[list[str], list[list[str]]]:
    """uint8 [N, C, H, W], [M, C, H, W] -> a table's head and rows: of how many test images the highest correlation is above each bound."""
    mean = others.sum(0, dtype=torch.float64).div(len(others)).float()
    looks: dict[str, Callable[[Tensor], Tensor]] = {
        "values as stored": lambda images: images,
        "lightness": lightness,
        "less the mean image": lambda images: images - mean,
    }
    rows = []
    for what, look in looks.items():
        best = highest(test, others, look)
        rows.append([what, *(f"{int((best > bound).sum()):,}" for bound in ABOVE)])
    return ["images", *(f"above {bound:g}" for bound in ABOVE)], rows


def lightness(images: Tensor) -> Tensor:
    """float32 [B, 3, H, W], or [B, 1, H, W] of what is grey already -> [B, 1, H, W]"""
    return images if images.shape[1] == 1 else torch.einsum("bchw,c->bhw", images, torch.tensor(LIGHTNESS))[:, None]


def highest(test: Tensor, others: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
    """The highest correlation of each test image with one of the others: float32 [N]."""
    rows = torch.cat([standardised(block, look) for block in test.split(BLOCK)])
    best = torch.full((len(test),), -1.0)
    for block in others.split(BLOCK):
        columns = standardised(block, look).T
        best = torch.maximum(best, torch.cat([(part @ columns).amax(1) for part in rows.split(BLOCK)]))
    return best


def standardised(images: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
    """uint8 [B, C, H, W] -> rows [B, V] of mean 0 and length 1, whose inner products are correlations; of one value alone, zeros."""
    rows = look(images.float()).flatten(1)
    return F.normalize(rows - rows.mean(1, keepdim=True), dim=1)


if __name__ == "__main__":
    main()
