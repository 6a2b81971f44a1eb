"""What images of a set have beside one class each, or instead of one: sets of classes, boxes, masks.

    entry.annotations["boxes"]      an `Annotation`: which images have boxes, and how those of one image are read
    data.require_annotation("boxes", "the evaluator 'detection'")    a UserError that says what the set has instead

The targets as they are read are here; images and targets of one size are `bench.data.annotated`'s. Nothing heavy is imported. N images,
K classes, M objects of an image, H height, W width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {"classes": "sets of classes", "boxes": "boxes", "masks": "masks"}
"""Every kind, as a sentence has it."""

IGNORED = 255
"""In a mask: a pixel that is neither trained on nor counted."""


@dataclass(frozen=True)
class Annotation:
    """One kind of targets of one data set. Images that have it need not be those of the set's splits (VOC's masks), but for 'classes':
    there they are, in their order. What lies in the set's test lies in no other split of an annotation, and so for val."""

    classes: tuple[str, ...]
    """[K] names; numbers in targets are places among them. Of 'masks' the first is what is none of the others: the background."""
    sizes: Mapping[str, int | None]
    """Images that have it in train, val and test; None where that is not known before files are read."""
    items: Callable[[Path, str], tuple[np.ndarray, np.ndarray]]
    """(data root, split) -> paths of images, object [N], and for each what its target is read from, object [N]: a file's path, or what else
    `read` takes. split: train | val | test."""
    read: Callable[[Any], Any]
    """One target: `ClassSet` of 'classes', `Boxes` of 'boxes', uint8 [H, W] of 'masks', `IGNORED` where a pixel does not count. Raises
    UserError, with the file's name, for one that is damaged or says what cannot be."""


@dataclass(frozen=True)
class ClassSet:
    """The classes that one image shows. A class is present, or it is not, or it is ignored."""

    present: np.ndarray
    """bool [K]"""
    ignored: np.ndarray
    """bool [K]: neither trained on nor counted, as VOC's where all objects of the class are difficult; never where it is present."""


@dataclass(frozen=True)
class Boxes:
    """The objects of one image."""

    corners: np.ndarray
    """float32 [M, 4]: left, top, right, bottom in pixels from the image's corner, which is 0, 0: 0 <= left < right <= W, and so for H."""
    classes: np.ndarray
    """int64 [M], in [0, K)."""
    difficult: np.ndarray
    """bool [M]: not counted where it is missed, nor where it is found."""
    size: tuple[int, int]
    """(H, W) of the image that they lie in, as the annotation has it."""

    def class_set(self, count: int) -> ClassSet:
        """Of `count` classes, as VOC's devkit has them: present where an object is not difficult, ignored where all are."""
        present, there = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        present[self.classes[~self.difficult]] = True
        there[self.classes] = True
        return ClassSet(present, there & ~present)
