"""Images with their boxes or masks, at a size of their own or resized alike; and the sets of classes of a split.

    found = load_annotated(data, "boxes", "train")             at their own size; all boxes are read and looked at
    image, target = found[0]                                   decoded when it is asked for
    load_annotated(data, "masks", "val", 128)                  the short side 128 pixels, image and mask alike; (128, 128): exactly that
    present, ignored = load_class_sets(data, "train")          bool [N, K] twice, in the order of `bench.data.load.load`

Targets are torchvision's (tv_tensors), so its transforms v2 change image and target together. N images, K classes, M objects of an image,
H height, W width.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode, functional

from bench.data.annotations import Boxes, ClassSet
from bench.data.dataset import DataSet
from bench.data.decoding import decode, readable, size_in_pixels
from bench.data.reading import DAMAGE
from bench.errors import UserError

Size = int | tuple[int, int] | None
"""Of what is handed out: its own; pixels of the short side, the other one to scale; or height and width, whatever the shape was."""


@dataclass(frozen=True)
class Annotated(Sequence):
    """Images of one split that have a target of one kind, in the set's order. `found[i]` decodes one image: (image, target)

    image    tv_tensors.Image uint8 [3, H, W], as the field reads published sets (bench.data.decoding)
    boxes    {"boxes": tv_tensors.BoundingBoxes float32 [M, 4], XYXY in pixels of that image, "labels": int64 [M] from 0, "difficult": bool
             [M]}; M may be 0
    masks    tv_tensors.Mask uint8 [H, W]: numbers of classes, of which 0 is the background; bench.data.annotations.IGNORED does not count
    """

    files: tuple[str, ...]
    """[N] of the images."""
    targets: tuple[Any, ...]
    """[N]: `Boxes`, or the files of masks, which are read with their images."""
    classes: tuple[str, ...]
    """[K] names, as `Annotation.classes`."""
    read: Callable[[Any], Any]
    """From one of `targets` to what `bench.data.annotations.Annotation.read` gives."""
    size: Size = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int):
        """Image and target number `index`, both of the size asked for. Raises UserError, with the file's name."""
        image = readable(lambda file: decode(file).image, self.files[index])
        picture = tv_tensors.Image(functional.pil_to_tensor(image))
        target = self.target(index)
        if self.size is None:
            return picture, target
        size = [self.size] if isinstance(self.size, int) else list(self.size)
        resized = tv_tensors.Image(functional.resize(picture, size, InterpolationMode.BILINEAR, antialias=True))
        if isinstance(target, dict):
            return resized, target | {"boxes": functional.resize(target["boxes"], size)}
        # Nearest by the centres of pixels, as images are resized: torchvision's own for masks takes the corners', half a pixel beside them.
        mask = functional.resize_image(target[None], size, InterpolationMode.NEAREST_EXACT, antialias=False)[0]
        return resized, tv_tensors.Mask(mask)

    def target(self, index: int) -> "dict[str, torch.Tensor] | tv_tensors.Mask":
        """Target number `index` at its image's own size, whatever size was asked for; the image is not decoded."""
        found = self.read(self.targets[index])
        if not isinstance(found, Boxes):
            return tv_tensors.Mask(torch.from_numpy(found))
        corners = tv_tensors.BoundingBoxes(torch.from_numpy(found.corners), format="XYXY", canvas_size=found.size)  # pyright: ignore[reportCallIssue]
        return {"boxes": corners, "labels": torch.from_numpy(found.classes), "difficult": torch.from_numpy(found.difficult)}


@lru_cache(maxsize=8)
def load_annotated(data: DataSet, kind: str, split: str, size: Size = None) -> Annotated:
    """Images of 'train', 'val', 'train+val' or 'test' that have `kind`, 'boxes' or 'masks'; no image is decoded.

    A UserError names the first file that is not what it should be: a box outside its image or empty, a class that the set has not, a mask
    or an annotation of another size than its image, a file that is none. Masks' pixels are looked at when they are read."""
    data.require_annotation(kind, "this")
    annotation = data.entry.annotations[kind]
    images, sources = _items(data, kind, split)
    read = annotation.read
    if kind == "boxes":
        sources, read = tuple(annotation.read(source) for source in sources), _itself
    for image, source in zip(images, sources, strict=True):
        there, own = source.size if isinstance(source, Boxes) else size_in_pixels(source), size_in_pixels(image)
        if there != own:
            what = "boxes of an image" if isinstance(source, Boxes) else f"the mask '{source}'"
            raise UserError(f"'{image}' has {what} of {_shown(there)} pixels, and is {_shown(own)} itself; expected the same")
    return Annotated(tuple(images), tuple(sources), annotation.classes, read, size)


@lru_cache(maxsize=16)
def load_class_sets(data: DataSet, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Which classes each image of a split shows, and which are ignored: bool [N, K] twice, in the order of `bench.data.load.load`. Shared
    between callers: not to be written into."""
    data.require_annotation("classes", "this")
    images, sources = _items(data, "classes", split)
    own = data.items(split)[0]
    if len(images) != len(own) or (own.dtype != np.uint8 and list(images) != list(own)):
        raise UserError(f"{data.name}: sets of classes are of other images than those of {split}; expected one of each, in their order")
    sets: list[ClassSet] = [data.entry.annotations["classes"].read(source) for source in sources]
    return np.stack([found.present for found in sets]), np.stack([found.ignored for found in sets])


def require_whole(data: DataSet, kind: str, split: str, threads: int) -> None:
    """A UserError for the first image or target of a split that cannot be read: all of them are, which takes as long as decoding does."""
    if kind == "classes":
        load_class_sets(data, split)
        return
    found = load_annotated(data, kind, split)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(found.__getitem__, range(len(found))):
            pass


def _items(data: DataSet, kind: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """As `Annotation.items`, of train+val too."""
    annotation = data.entry.annotations[kind]
    data.check_split(split, (*annotation.sizes, "train+val"))
    try:
        parts = [annotation.items(data.root, part) for part in split.split("+")]
    except DAMAGE as error:
        raise UserError(f"{kind} of {data.name} under '{data.root}' are damaged ({error}): remove them and get them again") from error
    images, sources = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(images):
        raise UserError(f"{data.name} has no image with {kind} in {split}; expected one or more")
    return images, sources


def _shown(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _itself(target: Boxes) -> Boxes:
    return target
