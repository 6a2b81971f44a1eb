"""What an evaluator is handed: everything that it may ask of a frozen encoder.

N images, D features.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from bench.evaluation.arrays import Arrays, LabelSets

if TYPE_CHECKING:
    from bench.data.annotated import Size
    from bench.evaluation.tuning.images import AnnotatedSplits, Images
    from bench.evaluation.tuning.trainable import Trainable


Shared = TypeVar("Shared")


class Features(Protocol):
    """A frozen encoder under evaluation. Features are extracted when first asked for, then kept."""

    dataset: str
    """The pretraining data set's name."""
    cropped: bool
    """Whether its items have crops that show the same thing, which `two_crops` is of."""

    def arrays(self, dataset: str | None = None, *, test: bool = True) -> Arrays:
        """Features of `dataset`, by default of the pretraining one; without `test`, its test split is not even loaded."""
        ...

    def split(self, split: str, dataset: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Features float32 [N, D] and labels int64 [N] of 'train', 'val' or 'test' alone, of the pretraining data set or of another. For
        an evaluator that needs no other split; the others are not even loaded."""
        ...

    def classes(self, dataset: str | None = None) -> tuple[str, ...]:
        """The names of a data set's classes, in the order of its labels."""
        ...

    def label_sets(self, dataset: str | None = None, *, test: bool = True) -> LabelSets:
        """The same with the set of classes that each image shows, of a data set that has them (ANNOTATION = "classes")."""
        ...

    def stages(self) -> list[Arrays]:
        """Features of the pretraining data set after every stage of the encoder; empty where there are none."""
        ...

    def projected(self) -> "Features | None":
        """The same of what the method's projector makes, the space of its loss: D is P then, and there are no stages. None where it has
        none."""
        ...

    def words(self) -> tuple[tuple[str, ...], np.ndarray] | None:
        """The vocabulary that the encoder knows, special tokens in brackets among it, and a vector float32 [V, D] for each word (NEEDS =
        "words"). None where features are made by no encoder that has them, as of a floor."""
        ...

    def changed(
        self,
        split: str,
        change: Callable[[np.ndarray, np.ndarray], np.ndarray],
        dataset: str | None = None,
        rows: np.ndarray | None = None,
    ) -> np.ndarray:
        """Features float32 [N, D] of a split, in index order, or of some of its images, `rows` int64 [N]; each changed first: `change`
        gets some of them, uint8 [B, C, H, W] of the size at which the encoder is measured, with their indices in the split, int64 [B],
        and returns as many of the same shape and dtype, clips of any number of frames. Extracted anew at every call; nothing is kept."""
        ...

    def two_crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of two random crops of the same train images, in index order: float32 [N, D] each.
        The crops are fixed: the same for every method and seed."""
        ...

    def trainable(self, fresh: bool = False) -> "Trainable | None":
        """A copy of the encoder that may be trained, a new one at every call; the frozen one does not change by it. None where there are no
        weights to train. fresh: with new weights in place of the trained ones, drawn from the protocol and not from the run's seed."""
        ...

    def images(self, dataset: str | None = None, *, test: bool = True) -> "Images":
        """What such a copy is trained on: the stored images and labels of `dataset`, by default of the pretraining one; without `test`,
        its test split is not even loaded."""
        ...

    def annotated(self, kind: str, dataset: str, size: "Size") -> "AnnotatedSplits":
        """The images of `dataset` that have 'boxes' or 'masks', with them, of this size, as bench.data.annotated has them."""
        ...

    def shared(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What several evaluators need alike, as the linear probe: `make()` of the first that asks for this name, kept and handed to all
        others, which do not write into it. Its seconds are those of the first. name: says all that the value depends on beside the encoder,
        the data set among it."""
        ...

    def check(self, done: float) -> None:
        """Said between two steps by an evaluator that takes long, with the share of it that is done, in [0, 1]: it is shown, and where the
        run was asked to stop this raises what ends it."""
        ...
