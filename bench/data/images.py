"""From image files and stored arrays to uint8 tensors of one size, and the statistics of their channels.

N images, C channels, H height, W width.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.data.decoding import decode, readable, say
from bench.data.modality import Modality
from bench.defaults import COMMAND
from bench.errors import UserError
from bench.machine.cores import cores
from bench.spec import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data.entry import Entry
    from bench.data.rows import Rows


def channel_stats(images: "Tensor | Rows") -> "tuple[Tensor, Tensor]":
    """Mean and population standard deviation of each channel: two float32 [3] in 0..1, grey repeated to three. 1 in place of a deviation
    of 0, of a channel that is the same everywhere: all divide by it, and it becomes 0, as in the linear probe.

    images: uint8 [N, C, H, W]. From the counts of the 256 levels, so exact, small, and the same for any number of threads.
    """
    return level_stats(images.split(1024))


def level_stats(pieces: "Iterable[Tensor]") -> "tuple[Tensor, Tensor]":
    """`channel_stats` of images that come in pieces, uint8 [n, C, H, W] each."""
    import torch

    def of_each_level(piece):
        return torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in piece.unbind(1)])

    counts = sum(map(of_each_level, pieces), start=torch.zeros((), dtype=torch.long)).double()
    shares = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64, device=counts.device) / 255
    mean = (shares * levels).sum(1)
    deviation = (shares * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    deviation = torch.where((counts > 0).sum(1) > 1, deviation, 1.0)
    return mean.float().expand(3).clone(), deviation.float().expand(3).clone()


def resize(images: "Tensor", size: int) -> "Tensor":
    """uint8 [N, C, H, W] -> uint8 [N, C, size, size]; the tensor itself where it has that size."""
    import torch
    from torchvision.transforms.v2 import functional

    if images.shape[-2:] == (size, size):
        return images
    # In pieces: where the processor has no uint8 path torchvision resizes in float32, with four times the memory.
    pieces = [functional.resize(piece, [size], functional.InterpolationMode.BILINEAR, antialias=True) for piece in images.split(1024)]
    return functional.center_crop(torch.cat(pieces), [size, size]).contiguous()


def decode_files(files: np.ndarray, size: int, data: "Entry", threads: int, decoded: Callable = lambda: None) -> "Tensor":
    """Image files of a data set -> uint8 [N, 3, size, size], in their order, by so many threads. decoded() is called after each."""
    import torch
    from torchvision.transforms.v2.functional import pil_to_tensor

    def image(file):
        try:
            picture = readable(lambda file: decode(file, data.as_shown), file)
            return resize(pil_to_tensor(picture.image)[None], size)[0], picture.remarks
        except UserError as error:
            return error

    images, unreadable, remarks = torch.empty(len(files), 3, size, size, dtype=torch.uint8), [], set()
    with ThreadPoolExecutor(threads) as pool:
        for index, found in enumerate(pool.map(image, files)):
            if isinstance(found, UserError):
                unreadable.append(found)
            else:
                images[index] = found[0]
                remarks.update(found[1])
            decoded()
    if unreadable:
        count = f"{len(unreadable):,} of {len(files):,} images cannot"
        raise UserError(f"{unreadable[0]} ({count}; `{COMMAND} data check {data.name}` names them)")
    for remark in sorted(remarks):
        say(data.name, remark)
    return images


def looked_at(as_shown: bool, file: str) -> tuple[bytes, str, tuple[str, ...]]:
    """A digest of a file's bytes; what is wrong with it as an image; what is to be said of it (bench.data.decoding.REMARKS)."""
    try:
        content = hashlib.sha256(readable(lambda file: Path(file).read_bytes(), file)).digest()
        return content, "", readable(lambda file: decode(file, as_shown), file).remarks
    except UserError as error:
        return b"", str(error), ()


class Images(Modality):
    """Photographs and drawings, squares of `image_size` pixels a side."""

    name, size, unit, short = "images", "an image size", "pixels", "px"
    sizes, drawn, exported, packed, cropped = (8, 4096), True, True, True, True

    def info(self, count: int, size: int, entry: "Entry") -> DatasetInfo:
        return DatasetInfo(count, size, entry.channels, entry.mirror_safe)

    def bytes(self, size: int, entry: "Entry") -> int:
        return entry.channels * size**2

    def stored(self, items: np.ndarray, rows: np.ndarray | None, size: int, entry: "Entry", threads: int) -> "Tensor | Rows":
        """uint8 [N, C, H, W], or [N] paths -> uint8 [N, C, size, size]."""
        import torch

        from bench.data.rows import RowsInMemory

        if items.dtype == np.uint8 and items.shape[-2:] == (size, size):
            images = torch.from_numpy(items)
            # Train and val are rows of one array.
            return images if rows is None else RowsInMemory(images, torch.from_numpy(rows))
        items = items if rows is None else items[rows]
        return resize(torch.from_numpy(items), size) if items.dtype == np.uint8 else decode_files(items, size, entry, threads)

    def examined(self, items: np.ndarray, entry: "Entry") -> Iterator[tuple]:
        if items.dtype == np.uint8:
            yield from super().examined(items, entry)
            return
        with ThreadPoolExecutor(cores()) as pool:
            yield from pool.map(partial(looked_at, entry.as_shown), items)

    def statistics(self, items: "Tensor | Rows") -> "tuple[Tensor, Tensor]":
        return channel_stats(items)

    def prepare(self, items: "Tensor", mean: "Tensor", std: "Tensor") -> "Tensor":
        from bench.data.levels import prepare

        return prepare(items, mean, std)

    def examples(self, count: int) -> "tuple[Tensor, Tensor, DatasetInfo]":
        from bench.data.photographs import SIDE, photographs

        images, labels = photographs(count)
        return images, labels, DatasetInfo(len(images), SIDE)

    def laid_out(self, method: "nn.Module") -> "nn.Module":
        from bench.data.levels import MEMORY_FORMAT

        return method.to(memory_format=MEMORY_FORMAT)


IMAGES = Images()
