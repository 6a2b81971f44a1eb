"""What a name of a data set comes to: `bench.data.catalogue.require` looks it up once, and this is handed on from there.

Nothing heavy is imported before a part is read. N images.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bench.data import reading, splits
from bench.data.annotations import KINDS
from bench.data.entry import Entry
from bench.data.modality import Modality
from bench.errors import UserError, unknown
from bench.folder_name import is_folder, parse, shown
from bench.spec import DatasetInfo


@dataclass(frozen=True)
class DataSet:
    """A data set whose files are there. Of a folder it is what the walk over it found: files that change later are seen by another
    look-up, and not by this object."""

    entry: Entry
    root: Path
    """The data root, resolved."""

    @property
    def name(self) -> str:
        """Of a folder the one text for every spelling of its path (bench.folder_name.canonical)."""
        return self.entry.name

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the user's own, and not a known set."""
        return is_folder(self.name)

    @cached_property
    def revision(self) -> str:
        """The content's identity, 12 hexadecimal digits: `Entry.revision`, or else a hash of the listing of the image files.

        For a listing the files' number is compared with the original's, and no image is decoded.
        """
        return self.entry.revision or reading.listing(self.entry, self.root)

    @cached_property
    def modality(self) -> Modality:
        """What makes items, with what it learns of this set's train split; of another set's items too, for an encoder trained here."""
        return self.entry.modality.learned_from(self)

    @property
    def num_classes(self) -> int:
        """No image is decoded for it."""
        return self.entry.classes or len(self.part("train")[2])

    def info(self, pretrain_split: str, image_size: int | None = None) -> DatasetInfo:
        """What a method may know of the items it is pretrained on; no image is decoded for it."""
        if not self.entry.pretrain_splits:
            raise UserError(f"{self.name} is a test alone, and nothing can be trained on it; expected a data set with train and val")
        whole, few = splits.parse(pretrain_split)
        size = self.check_split(whole, self.entry.pretrain_splits, image_size)
        count = few * self.num_classes or self.entry.sizes[whole] or len(self.items(whole)[1])
        return self.entry.modality.info(count, size, self.entry)

    def bytes(self, split: str, image_size: int) -> int:
        """Of all items of a split as they are stored; 0 where the entry does not know how many there are."""
        return (self.entry.sizes.get(split) or 0) * self.entry.modality.bytes(image_size, self.entry)

    def part(self, part: str):
        """Images uint8 [N, C, H, W] or paths [N], labels int64 [N] and class names of a part as its reader gives it; nothing is decoded."""
        return reading.read_part(self.entry, part, self.root)

    def items(self, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """The same of a split."""
        items, rows, labels, classes = reading.read_items(self.entry, split, self.part)
        return items if rows is None else items[rows], labels, classes

    def require_evaluable(self, splits: Collection[str], classes: bool, evaluator: str, able: Collection[str] = ()) -> None:
        """A UserError where an evaluator lacks images or classes here, before anything is trained. splits: what it reads of this set;
        classes: it measures how well classes are told apart, one of each image; able: evaluators that measure such a set, to be named."""
        expected = f"; expected one of {', '.join(able)}" if able else ""
        if "train" not in self.entry.sizes and not {"train", "val"}.isdisjoint(splits):
            raise UserError(f"{self.name} is a test alone, without train and val, which {evaluator} needs{expected}")
        if classes and not self.entry.one_class:
            there = ", ".join(KINDS[kind] for kind in self.entry.annotations)
            raise UserError(f"{self.name} has not one class of each image, which {evaluator} needs, but {there}{expected}")
        if not self.is_folder:
            return
        if "test" in splits:
            self.check_split("test", self.entry.sizes)
        if "val" in splits and self.entry.sizes["val"] == 0:
            raise UserError(no_val(self.name))
        if classes and self.entry.classes < 2:
            raise UserError(f"{shown(self.name)} has one class, which any method would tell with 100 %: {evaluator} needs two or more")

    def require_annotation(self, kind: str, who: str, having: Collection[str] = ()) -> None:
        """A UserError where images have no `kind` of targets (bench.data.annotations.KINDS), before anything is trained. who: what needs
        them, as "the evaluator 'detection'"; having: data sets that have them, to be named."""
        if kind in self.entry.annotations:
            return
        there = ["one class of each image"] * self.entry.one_class + [KINDS[other] for other in self.entry.annotations]
        expected = f"; expected one of {', '.join(having)}" if having else ""
        raise UserError(f"{shown(self.name)} has no {KINDS.get(kind, kind)}, which {who} needs, but {', '.join(there)}{expected}")

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """In the order of labels. No image is decoded for it."""
        return tuple(self.part("train" if "train" in self.entry.sizes else "test")[2])

    def require_known_to(self, other: "DataSet", request: str) -> None:
        """A UserError where a class here has none of the same name in `other`, whose probe is to tell them, before anything is trained."""
        strange = [name for name in self.class_names if name not in other.class_names]
        if strange:
            known = ", ".join(other.class_names[:20]) + (", ..." if len(other.class_names) > 20 else "")
            what = f"'{request}': {shown(self.name)} has classes that {shown(other.name)} has not: {', '.join(strange[:20])}"
            raise UserError(f"{what}; expected a test set of some of its classes, by their names: {known}")

    @cached_property
    def rarest_class(self) -> tuple[str, int]:
        """The class that has the fewest images in train, of which val is no part, and how many. No image is decoded for it."""
        return self._rarest("train")

    @cached_property
    def rarest_test_class(self) -> tuple[str, int]:
        """The same in test."""
        return self._rarest("test")

    def _rarest(self, split: str) -> tuple[str, int]:
        _, _, labels, classes = reading.read_items(self.entry, split, self.part)
        images = np.bincount(labels, minlength=len(classes))
        return classes[images.argmin()], int(images.min())

    @property
    def train_labels(self) -> tuple[int, int]:
        """How many images train has, of which val is no part, and how many classes. No image is decoded for it."""
        _, _, labels, classes = reading.read_items(self.entry, "train", self.part)
        return len(labels), len(classes)

    def require_pretraining(self, pretrain_split: str) -> None:
        """A UserError where a run cannot be pretrained on this split of it, before anything is trained."""
        whole, few = splits.parse(pretrain_split)
        there = self.entry.pretrain_splits
        if there and whole not in there:
            raise unknown(f"pretraining split of {self.name}", pretrain_split, there)
        if few and not self.entry.one_class:
            needed = f"{shown(self.name)} has not one class of each image, which the pretraining split '{pretrain_split}' needs"
            raise UserError(f"{needed}; expected one of {', '.join(there)}")
        self.require_labels(few, f"the pretraining split '{pretrain_split}'")

    def require_labels(self, count: int, evaluator: str) -> None:
        """A UserError where a class has fewer train images than an evaluator takes of each, before anything is trained."""
        if count and (there := self.rarest_class[1]) < count:
            rarest = f"{shown(self.name)} has {there} train images of the class '{self.rarest_class[0]}'"
            raise UserError(f"{rarest}, and {evaluator} takes {count} of each class; expected {there} or fewer")

    def require_in_test(self, classes: int, images: int, evaluator: str) -> None:
        """A UserError where test has fewer classes, or fewer images of one, than an evaluator draws, before anything is trained."""
        if self.num_classes < classes:
            raise UserError(
                f"{shown(self.name)} has {self.num_classes} classes, and {evaluator} draws {classes}; expected {classes} or more"
            )
        if images and (there := self.rarest_test_class[1]) < images:
            rarest = f"{shown(self.name)} has {there} test images of the class '{self.rarest_test_class[0]}'"
            raise UserError(f"{rarest}, and {evaluator} draws {images} of a class; expected {images} or more of every class")

    def check_split(self, split: str, there: Collection[str], image_size: int | None = None) -> int:
        """The image size to use, after a look at what was asked for: a split of `there`, and a number of pixels."""
        if split not in there:
            expected = f"; expected '{parse(self.name).path}/{split}/CLASS/IMAGE'" if self.is_folder and split == "test" else ""
            raise UserError(f"{shown(self.name)} has no split '{split}', only {', '.join(there)}{expected}")
        if image_size is not None and image_size < 1:
            modality = self.entry.modality
            raise UserError(f"{modality.size} is a number of {modality.unit} from 1 up, not {image_size}")
        return image_size or self.entry.image_size


def no_val(name: str) -> str:
    """What is wrong with a folder of which no class has an image to spare for val."""
    path = parse(name).path
    return (
        f"{shown(name)} has no val images: a class needs two images in '{path}/train' to have one held out, or put some into '{path}/val'"
    )
