"""What every data set has, known or a folder of the user's own: an entry with the facts, and how its parts are read.

The readers (readers/) make entries; load.py serves the images. N images, C channels, H height, W width.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.data.annotations import Annotation
from bench.data.images import IMAGES
from bench.data.modality import Modality


@dataclass(frozen=True)
class Entry:
    """What is known of a data set before its images are read."""

    name: str
    summary: str
    channels: Literal[1, 3]
    image_size: int
    """Default height and width, in pixels."""
    mirror_safe: bool
    """Whether a mirror image still shows the same thing."""
    sizes: Mapping[str, int | None] = field(compare=False)
    """Images in every split that there is; None where the count follows from labels that are not read yet."""
    revision: str
    """12 hexadecimal digits that change with the content: of a known set its decoded arrays or its files (compared whenever
    they are read), of a folder the path and size of every image file. Empty where those are listed only when asked for:
    `bench.data.dataset.DataSet.revision`."""
    read: Callable = field(compare=False, repr=False)
    """(root, part) -> [N, C, H, W] uint8 or [N] paths, or what `modality` stores; int64 [N] labels; class names. NumPy. A part is one of
    `parts`. A label is -1 where an image has no class, or not one alone."""
    files: tuple[str, ...] = field(default=(), repr=False)
    """What must lie under the data root, or the folder itself; empty where the images come inside a library."""
    own_val: bool = field(default=False, repr=False)
    """Whether val is a part of its own and not to be taken from train."""
    encoder: str = "resnet8"
    pretrain_splits: tuple[str, ...] = ("train", "train+val")
    metric: str = "top1"
    """What an evaluator reports, and picks hyper-parameters by: top1 | mean_per_class (what the field uses for the set)."""
    classes: int = 0
    licence: str = "none stated"
    """As its authors state it, as far as we know."""
    source: str = ""
    """Where it comes from."""
    papers: tuple[str, ...] = field(default=(), repr=False)
    """What whoever uses it is to cite, as a method names its paper: 'arXiv:1708.07747', 'doi:…' or an address."""
    compared: str = "pixels and labels, by a hash"
    """What is compared with the original when it is read."""
    as_shown: bool = field(default=False, repr=False)
    """Whether image files are decoded as a viewer shows them (bench.data.decoding.decode), or as the field reads published sets."""
    notes: Callable[[], Iterable[str]] = field(default=tuple, compare=False, repr=False)
    """What its owner should know before a number of it is believed: sentences, for which files may be read."""
    by_hand: str = field(default="", repr=False)
    """What a user has to do where torchvision cannot download it."""
    one_class: bool = True
    """Whether every image of train, val and test has one class; else all labels are -1, and `annotations` say what images show."""
    annotations: Mapping[str, Annotation] = field(default_factory=dict, compare=False, repr=False)
    """What images have beside that class, or instead of it: kind, one of `bench.data.annotations.KINDS`, -> how it is read."""
    modality: Modality = field(default=IMAGES, compare=False, repr=False)
    """What its items are. Of what is not images `channels` and `mirror_safe` say nothing, and `image_size` is what the modality says."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What is read: the splits but for a val that is taken from train."""
        every = ("train", "val", "test", "unlabelled")
        return tuple(part for part in every if part in self.sizes and (part != "val" or self.own_val))


def split_sizes(train: int, val: int, test: int) -> dict[str, int]:
    """`Entry.sizes` from the counts of images. Without test images there is no such split; without train images test is all there is."""
    splits = {"train": train, "val": val, "train+val": train + val} if train else {}
    return splits | ({"test": test} if test else {})
