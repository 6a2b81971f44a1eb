"""A trained encoder as the evaluators see it: features of any data set, extracted once, on the pretraining set's terms.

Images of another data set are resized to the pretraining size, grey is repeated to 3 channels, and all are normalised
with the PRETRAINING set's statistics.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bench import datasets
from bench.evals.arrays import Arrays
from bench.features import extract
from bench.method import Method
from bench.randomness import Draws
from bench.spec import PROTOCOL, RunSpec
from bench.trainer import Source
from bench.views import ResizedCrop, View

CROPS = View((ResizedCrop((0.5, 1.0)),))
"""What alignment is measured between: mild crops, the same for every method."""
CROPPED_IMAGES = 2_000
"""Alignment is a mean over images: more would cost as much again as all other features, and change little."""


class Subject:
    """`function` of `method` (its `encode`, or another encoder of it), frozen."""

    def __init__(self, method: Method, function: Callable[[Tensor], Tensor], spec: RunSpec, source: Source, root=None):
        self.method, self.function, self.spec, self.source, self.root = method, function, spec, source, root
        self.dataset = spec.dataset
        self._arrays: dict[str, Arrays] = {}

    def _features(self, images: Tensor) -> np.ndarray:
        source = self.source
        return extract(self.method, self.function, images, source.mean, source.std, self.spec.precision).cpu().numpy()

    def arrays(self, dataset: str | None = None) -> Arrays:
        """Features and labels of all splits of a data set; see bench.evals.arrays."""
        name = dataset or self.dataset
        if name not in self._arrays:
            splits = {split: datasets.load(name, split, self.spec.image_size, self.root) for split in ("train", "val", "test")}
            x = {f"{split}_x": self._features(data.images) for split, data in splits.items()}
            y = {f"{split}_y": data.labels.numpy() for split, data in splits.items()}
            self._arrays[name] = Arrays(**x, **y, num_classes=len(splits["train"].classes), dataset=name)
        return self._arrays[name]

    @torch.no_grad()
    def two_crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of two fixed crops of the first train images: float32 [N, D] each. The crops depend on the protocol alone."""
        images = datasets.load(self.dataset, "train", self.spec.image_size, self.root).images[:CROPPED_IMAGES]
        both = []
        for number in (0, 1):
            draws = Draws("alignment", PROTOCOL, number, total=len(images))
            rendered = CROPS.render(images, draws, self.source.info)  # on the CPU: the same crops on every device
            both.append(self._features((rendered * 255).round().to(torch.uint8)))
        return both[0], both[1]
