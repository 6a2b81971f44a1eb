"""A trained encoder as the evaluators see it: features of any data set, extracted once, on the pretraining set's terms.

Images of another data set are resized to the pretraining size, grey is repeated to 3 channels, and all are normalised
with the PRETRAINING set's statistics.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import methods
from bench.compute.randomness import Draws, seeded
from bench.data.annotated import Size, load_annotated, load_class_sets
from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.load import Split, load
from bench.data.rows import Changed, Rows
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.encoders.features import extract
from bench.encoders.stage_features import StageReader
from bench.evaluation.arrays import Arrays, LabelSets, evenly
from bench.evaluation.extraction import Places, Stopwatch
from bench.evaluation.features import Shared
from bench.evaluation.tuning.images import AnnotatedSplits, Images, Part
from bench.evaluation.tuning.trainable import Trainable, trainable
from bench.method import Method, build, projection_of
from bench.spec import PROTOCOL, RunSpec, settled
from bench.views.ops import ResizedCrop
from bench.views.view import View

CROPS = View((ResizedCrop((0.5, 1.0)),))
"""What alignment is measured between: mild crops, the same for every method."""
CROPPED_IMAGES = 2_000
"""Alignment is a mean over images: more would cost as much again as all other features, and change little."""


def sets_of_classes(data: DataSet, split: str) -> np.ndarray:
    """Of every image of a split the set of classes that it shows: int64 [N, K], 1 and 0, and -1 where a class does not count."""
    present, ignored = load_class_sets(data, split)
    return np.where(ignored, -1, present.astype(np.int64))


class FrozenEncoder:
    """`function` of `method` (its `encode`, or another encoder of it), frozen."""

    def __init__(
        self,
        method: Method,
        function: Callable[[Tensor], Tensor],
        spec: RunSpec,
        source: Source,
        data: DataSets,
        threads: int = 1,
        extraction: Stopwatch | None = None,
        check: Callable[[float], None] = lambda done: None,
        scratch: Path | None = None,
    ):
        """data: where the pretraining data set and all others are found by their names. threads: that decode image files. extraction: runs
        while features are extracted, here and by what this makes. check: see bench.evaluation.features. scratch: where
        features lie that are too large for memory."""
        self.method, self.function, self.spec, self.source, self.data, self.threads = method, function, spec, source, data, threads
        self.extraction, self.check, self.scratch = extraction or Stopwatch(), check, scratch
        self.dataset, self.cropped = spec.dataset, source.modality.cropped
        self._splits: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, int]] = {}
        self._shared: dict[str, Any] = {}
        self._places = Places(scratch)

    def _extracted(self, images: Tensor | Rows, place: Callable[[int], np.ndarray] | None = None) -> np.ndarray:
        """place: D -> float32 [N, D], where the features are to lie."""
        source, place, placed = self.source, place or self._places.alone(len(images)), []

        def into(width: int) -> Tensor:
            placed.append(place(width))
            return torch.from_numpy(placed[0])

        setting = source.mean, source.std, settled(self.spec.precision)
        extract(self.method, self.function, images, *setting, into=into, prepare=source.modality.prepare)
        return placed[0]

    def _of(self, function: Callable[[Tensor], Tensor]) -> "FrozenEncoder":
        """The same of another function of the method."""
        return FrozenEncoder(
            self.method, function, self.spec, self.source, self.data, self.threads, self.extraction, self.check, self.scratch
        )

    def _loaded(self, name: str, split: str) -> Split:
        """A split, its items made on the pretraining set's terms."""
        return load(self.data.require(name), split, self.spec.image_size, self.threads, self.source.modality)

    def _split(self, name: str, split: str) -> tuple[np.ndarray, np.ndarray, int]:
        """Features, labels and number of classes of one split, extracted when first asked for."""
        if (name, split) not in self._splits:
            found = self._loaded(name, split)
            # Of images of no one class each there are no labels, and evaluators that need some were refused.
            one_class = self.data.require(name).entry.one_class
            labels = found.labels.numpy() if one_class else np.zeros(len(found.labels), dtype=np.int64)
            with self.extraction:
                x = self._extracted(found.images, self._places.of_split(self.data.require(name), split, len(found.labels)))
            self._splits[name, split] = (x, labels, len(found.classes) if one_class else 1)
        return self._splits[name, split]

    def arrays(self, dataset: str | None = None, *, test: bool = True) -> Arrays:
        """Features and labels of a data set; see bench.evaluation.features."""
        name = dataset or self.dataset
        (train_x, train_y, num_classes), (val_x, val_y, _) = (self._split(name, split) for split in ("train", "val"))
        test_x, test_y, _ = self._split(name, "test") if test else (None, None, 0)
        return Arrays(train_x, train_y, val_x, val_y, num_classes, name, test_x, test_y, self.data.require(name).entry.metric)

    def split(self, split: str, dataset: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of one split; see bench.evaluation.features."""
        return self._split(dataset or self.dataset, split)[:2]

    def classes(self, dataset: str | None = None) -> tuple[str, ...]:
        """Names of the classes; see bench.evaluation.features."""
        return self.data.require(dataset or self.dataset).class_names

    def label_sets(self, dataset: str | None = None, *, test: bool = True) -> LabelSets:
        """Features and sets of classes of a data set; see bench.evaluation.features."""
        name = dataset or self.dataset
        data, columns = self.data.require(name), {}
        for split in ("train", "val", "test") if test else ("train", "val"):
            columns[f"{split}_x"] = self._split(name, split)[0]
            columns[f"{split}_y"], columns[f"{split}_ignored"] = load_class_sets(data, split)
        return LabelSets(**columns, classes=data.entry.annotations["classes"].classes, dataset=name)

    def stages(self) -> list[Arrays]:
        """As `arrays` of the pretraining data set, after every stage of the encoder."""
        reader = StageReader(self.method, self.function)
        own = self._of(reader)
        arrays, starts, stages = own.arrays(), 0, []
        for width in reader.widths:
            part = slice(starts, starts + width)
            columns = {f"{split}_x": np.ascontiguousarray(getattr(arrays, f"{split}_x")[:, part]) for split in ("train", "val", "test")}
            stages.append(replace(arrays, **columns))
            starts += width
        return stages

    def projected(self) -> "FrozenEncoder | None":
        """As itself, of the method's `project`."""
        function = projection_of(self.method)
        return function and self._of(function)

    def words(self) -> tuple[tuple[str, ...], np.ndarray] | None:
        """A vector for each word; see bench.evaluation.features."""
        encoder: Any = getattr(self.method, "encoder", None)
        if "words" not in getattr(encoder, "offers", ()):
            return None
        return self.source.modality.vocabulary(), encoder.word_vectors().detach().float().cpu().numpy()

    def changed(
        self,
        split: str,
        change: Callable[[np.ndarray, np.ndarray], np.ndarray],
        dataset: str | None = None,
        rows: np.ndarray | None = None,
    ) -> np.ndarray:
        """Features of a split's images, each changed by a function; see bench.evaluation.features."""
        found = self._loaded(dataset or self.dataset, split)
        # Not on the stopwatch, which is for what evaluators share: these seconds are of the one that asks.
        return self._extracted(Changed(found.images, change, None if rows is None else torch.from_numpy(rows)))

    def trainable(self, fresh: bool = False) -> Trainable | None:
        """A copy that may be trained; see bench.evaluation.features."""
        assert self.function == self.method.encode, "what is trained is what the paper evaluates"
        spec, source, method = self.spec, self.source, self.method
        if fresh:
            make_encoder = factory(settled(spec.encoder), settled(spec.image_size), kinds=source.info.kinds)
            with seeded("scratch", PROTOCOL):
                classes = self.data.require(self.dataset).num_classes
                method = build(methods.load(spec.method), make_encoder, source.info, classes, spec.hyper_parameters)
            method = source.modality.laid_out(method.to(source.device))
        return trainable(method, source.info, source.mean, source.std, settled(spec.precision), source.modality)

    def images(self, dataset: str | None = None, *, test: bool = True) -> Images:
        """The stored images of a data set; see bench.evaluation.features."""
        found, size = self.data.require(dataset or self.dataset), self.spec.image_size
        splits = {split: self._loaded(found.name, split) for split in ("train", "val", *(["test"] if test else []))}
        one, metric = found.entry.one_class, found.entry.metric if found.entry.one_class else "mAP"
        parts = {split: Part((its.images,), its.labels.numpy() if one else sets_of_classes(found, split)) for split, its in splits.items()}
        return Images(found.name, found.info("train", size), found.num_classes, metric, **parts, modality=self.source.modality)

    def annotated(self, kind: str, dataset: str, size: Size) -> AnnotatedSplits:
        """Images with boxes or masks; see bench.evaluation.features."""
        found = self.data.require(dataset)
        splits = {split: load_annotated(found, kind, split, size) for split in ("train", "val", "test")}
        return AnnotatedSplits(found.name, splits["train"].classes, found.entry.mirror_safe, **splits)

    def shared(self, name: str, make: Callable[[], Shared]) -> Shared:
        """`make()`, once for each name; see bench.evaluation.features."""
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    def two_crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of two fixed crops of train images, evenly spaced: float32 [N, D] each. The crops depend on the protocol alone."""
        return self.shared("two crops", self._two_crops)

    @torch.no_grad()
    def _two_crops(self) -> tuple[np.ndarray, np.ndarray]:
        images = self._loaded(self.dataset, "train").images
        images = images[evenly(len(images), CROPPED_IMAGES)]
        both = []
        for number in (0, 1):
            draws = Draws("alignment", PROTOCOL, number, total=len(images))
            rendered = CROPS.render(images, draws, self.source.info)  # on the CPU: the same crops on every device
            with self.extraction:
                both.append(self._extracted((rendered * 255).round().to(torch.uint8)))
        return both[0], both[1]
