"""What the items of a data set are: all that the harness must know of them, said by the data set and by nobody else.

An entry (entry.py) has one; images (images.py) are the default. To everybody above this room an item is a row of a tensor.
Nothing heavy is imported before a part is read. N items.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from bench.spec import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.data.dataset import DataSet
    from bench.data.entry import Entry
    from bench.data.rows import Rows


class Modality:
    """The base: items that a reader gives as arrays of numbers, as they are stored, and that a network sees unchanged."""

    name: str
    """What items are called, many of them: what methods, encoders and evaluators say that they take."""
    size: str
    """What `image_size` is of them, with its article, as "an image size" is of images."""
    unit: str
    """What that is a number of: pixels."""
    short: str
    """The same behind a number in a table: px."""
    drawn: bool = False
    """Whether a contact sheet can show them, as it shows images."""
    exported: bool = False
    """Whether their encoders are written for other programs, which know some by name; of whatever else the weights lie in scratch alone."""
    packed: bool = False
    """Whether their files may be decoded once and for all into a pack, whose rows are images'."""
    cropped: bool = False
    """Whether two crops of an item, as images have them, still show the same thing; what else there is, is trained on as it is stored."""
    sizes: tuple[int, int]
    """The smallest and the largest that is accepted."""
    served: tuple[str, ...] = ()
    """Other modalities whose items, as they are stored, `prepare` takes too: their sets can be transferred to."""

    def learned_from(self, data: "DataSet") -> "Modality":
        """The same with what makes items and has to be learned of a set's train split first, as a vocabulary is; itself where nothing has.
        It makes the items of other sets too that an encoder trained on this one is to take."""
        return self

    def vocabulary(self) -> tuple[str, ...]:
        """What is learned of a train split, where that is names of the whole numbers that an item is of: [kinds]; of other items none."""
        return ()

    def notes(self) -> Iterator[str]:
        """What an owner should know of what was made of a set's items, as how many are cut: sentences, for which all of them are read."""
        return iter(())

    def require_size(self, size: int) -> None:
        """A UserError where items cannot have this size, or it is a slip of the keyboard."""
        least, most = self.sizes
        if not least <= size <= most:
            wrong = "small" if size < least else "large"
            raise UserError(f"{self.size} of {size} {self.unit} is too {wrong}; expected {least} to {most}")

    def info(self, count: int, size: int, entry: "Entry") -> DatasetInfo:
        """What a method may know of `count` items that it is pretrained on; of what are not images a class of their own, whose `shape` and
        `kinds` say what one of them is."""
        raise NotImplementedError(f"{type(self).__name__} does not define info")

    def bytes(self, size: int, entry: "Entry") -> int:
        """Of one item as it is stored."""
        raise NotImplementedError(f"{type(self).__name__} does not define bytes")

    def stored(self, items: np.ndarray, rows: np.ndarray | None, size: int, entry: "Entry", threads: int) -> "Tensor | Rows":
        """What a reader gives -> the items [N, ...] of this size. rows: which of `items`, None for all. threads: that decode files."""
        import torch

        return torch.from_numpy(items if rows is None else items[rows])

    def examined(self, items: np.ndarray, entry: "Entry") -> "Iterator[tuple[Any, str, tuple[str, ...]]]":
        """What a reader gives, piece by piece: the bytes that identify it, what is wrong with it, '' where nothing is, and what is to be
        said of it (bench.data.decoding.REMARKS)."""
        yield np.ascontiguousarray(items).data, "", ()

    def statistics(self, items: "Tensor | Rows") -> "tuple[Tensor, Tensor]":
        """Mean and deviation of pretraining items, which `prepare` gets: float32 [C] each; of none where items are not to be normalised."""
        import torch

        return torch.zeros(0), torch.ones(0)

    def prepare(self, items: "Tensor", mean: "Tensor", std: "Tensor") -> "Tensor":
        """Stored items as a network sees them where no view changes them: [B, *DatasetInfo.shape]."""
        return items

    def examples(self, count: int) -> "tuple[Tensor, Tensor, DatasetInfo] | None":
        """`count` items or more that need no data set, stored, each of one of two classes, int64 [N], and their `info`: what `check` tries
        methods on. None: there are none."""
        return None

    def laid_out(self, method: "nn.Module") -> "Any":
        """A method whose weights lie in memory as networks for these items are fastest with; itself."""
        return method
