"""PASCAL VOC's layout, VOCdevkit/VOC2012: which images lie in which split, and the sets of classes, boxes and masks of each.

    SET = VocSet(...)    in bench/data/sets/voc2012.py: how many images the original lists, or digests of a part's every byte

The lists are read by torchvision's VOCDetection and VOCSegmentation. The official test's annotations are kept secret: test is the official
val, as the field has it, and val a tenth of the official train. Nothing heavy is imported before a set is read. N images, K classes,
H height, W width.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from bench.data.annotations import IGNORED, Annotation
from bench.data.entry import Entry
from bench.data.readers.known import EVERY_BYTE, compare, digest_files
from bench.data.readers.voc_xml import CLASSES, boxes, class_set
from bench.data.splits import VAL_FRACTION, held_out
from bench.errors import UserError

FOLDER = "VOCdevkit/VOC2012"
FILES = tuple(f"{FOLDER}/{name}" for name in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets"))
OFFICIAL = {"train": "train", "val": "train", "test": "val"}
"""Split -> the official list that holds it."""


@dataclass(frozen=True)
class VocSet:
    """One data set of VOC's layout."""

    official: Mapping[str, tuple[int, int]]
    """Official list, train or val -> its images with boxes (ImageSets/Main) and with masks (ImageSets/Segmentation)."""
    image_size: int
    source: str
    licence: str
    content: Mapping[str, str] = field(default_factory=dict)
    """Of a part: split -> 16 hexadecimal digits of every byte of its images, boxes and masks."""
    counts: tuple[int, int, int] | None = None
    """Images of train, val and test with boxes, where they are known."""
    masks: tuple[int, int, int] | None = None
    """The same of masks."""
    by_hand: str = ""
    papers: tuple[str, ...] = ()

    def entry(self, name: str, summary: str) -> Entry:
        """What the rest of the harness sees of it."""
        sizes = self._sizes(0, self.counts)
        without = {split: count for split, count in sizes.items() if split != "train+val"}
        annotations = {
            "classes": Annotation(CLASSES, without, partial(items, self, name, "Main"), class_set),
            "boxes": Annotation(CLASSES, without, partial(items, self, name, "Main"), boxes),
            "masks": Annotation(
                ("background", *CLASSES),
                {split: count for split, count in self._sizes(1, self.masks).items() if split != "train+val"},
                partial(items, self, name, "Segmentation"),
                mask,
            ),
        }
        return Entry(
            name,
            summary,
            3,
            self.image_size,
            True,
            sizes,
            hashlib.sha256("".join(self.content.values()).encode()).hexdigest()[:12] if self.content else "",
            partial(read, self, name),
            FILES,
            own_val=True,
            classes=len(CLASSES),
            licence=self.licence,
            source=self.source,
            compared=EVERY_BYTE if self.content else "the number of images with boxes and with masks",
            by_hand=self.by_hand,
            papers=self.papers,
            one_class=False,
            annotations=annotations,
        )

    def _sizes(self, which: int, counts: tuple[int, int, int] | None) -> dict[str, int | None]:
        train, val, test = counts or (None, None, self.official["val"][which])
        return {"train": train, "val": val, "train+val": self.official["train"][which], "test": test}


def read(row: VocSet, name: str, root: Path, part: str, download: bool = False):
    """`Entry.read`: paths of a split's images, of no one class each."""
    if download:
        from torchvision.datasets import VOCDetection

        VOCDetection(str(root), "2012", OFFICIAL[part], download=True)
    images, _ = items(row, name, "Main", root, part)
    return images, np.full(len(images), -1, dtype=np.int64), CLASSES


@lru_cache(maxsize=8)
def _listed(root: Path, official: str, kind: str) -> tuple[list[str], list[str]]:
    """Images and targets of an official list, in its order. kind: Main | Segmentation."""
    from torchvision.datasets import VOCDetection, VOCSegmentation

    found = {"Main": VOCDetection, "Segmentation": VOCSegmentation}[kind](str(root), "2012", official)
    return found.images, found.targets


@lru_cache(maxsize=4)
def _held_out(root: Path) -> frozenset[str]:
    """Images of the official train that are val: a tenth, whether they have boxes or masks, so that no image is in train of one and in val
    of the other. Images are dealt by the rarest of their classes, which gives every class its share."""
    images = sorted({*_listed(root, "train", "Main")[0], *_listed(root, "train", "Segmentation")[0]})
    shown = [sorted(set(boxes(str(root / FOLDER / "Annotations" / f"{Path(image).stem}.xml")).classes.tolist())) for image in images]
    often = Counter(label for labels in shown for label in labels)
    rarest = np.array([min(labels, key=lambda label: (often[label], label), default=len(CLASSES)) for labels in shown])
    return frozenset(images[index] for index in held_out(rarest, VAL_FRACTION))


def items(row: VocSet, name: str, kind: str, root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """`Annotation.items`: images of a split that have boxes (kind 'Main') or masks ('Segmentation'), and the files of those."""
    official = OFFICIAL[split]
    listed, targets = _listed(root, official, kind)
    expected = row.official[official][kind == "Segmentation"]
    if len(listed) != expected:
        what = f"'{root / FOLDER}/ImageSets/{kind}/{official}.txt' lists {len(listed):,} images, expected {expected:,}"
        raise UserError(f"{name} under '{root}' is refused, a part of it or another set: {what}")
    if row.content:
        _compare(row.content[official], name, root, official)
    held = _held_out(root) if official == "train" else frozenset()
    picked = [index for index, image in enumerate(listed) if (image in held) == (split == "val")]
    return np.array(listed, dtype=object)[picked], np.array(targets, dtype=object)[picked]


@lru_cache(maxsize=4)
def _compare(expected: str, name: str, root: Path, official: str) -> None:
    """A UserError where a byte of an official list's images, boxes or masks is another one; once for each."""
    files = sorted({file for kind in ("Main", "Segmentation") for column in _listed(root, official, kind) for file in column})
    found = digest_files(files, [-1] * len(files), root / FOLDER)
    compare(name, expected, f"'{root / FOLDER}' ({official}) is", found)


def mask(path: str) -> np.ndarray:
    """`Annotation.read` of 'masks': uint8 [H, W], 0 the background, 1 to K the classes, `IGNORED` their edges. Raises UserError."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            numbers = np.array(image) if image.mode in ("P", "L") else None
            mode = image.mode
    except Exception as error:  # Pillow raises a dozen kinds, by format and damage
        raise UserError(f"'{path}' cannot be read as a mask: {error}") from error
    if numbers is None:
        raise UserError(f"'{path}' is no mask: its pixels are {mode}, expected numbers of classes (P or L)")
    strange = numbers[(numbers > len(CLASSES)) & (numbers != IGNORED)]
    if strange.size:
        raise UserError(f"'{path}' has a pixel of class {strange[0]}; expected 0 to {len(CLASSES)}, or {IGNORED}")
    return numbers
