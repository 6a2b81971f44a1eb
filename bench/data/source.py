"""The images that a run is trained on: a pretraining split on the device, in an order that tells nothing, with its statistics.

N images, C channels, H height, W width.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.compute.randomness import generator
from bench.data.dataset import DataSet
from bench.data.images import IMAGES
from bench.data.load import load
from bench.data.modality import Modality
from bench.data.rows import Rows
from bench.data.splits import draw_of, drawn, parse
from bench.machine import hardware
from bench.spec import PROTOCOL, DatasetInfo, RunSpec


@dataclass(frozen=True)
class Source:
    """The images that a run is trained on, on its device, where packed ones come batch by batch. In memory they are the very images that
    are evaluated, in an order of their own."""

    images: Tensor | Rows
    """uint8 [N, C, H, W], or what `modality` stores [N, ...]."""
    labels: Tensor | None
    """int64 [N] for a Reference, None for everything else."""
    info: DatasetInfo
    mean: Tensor
    """float32 [3], or as many as `modality` has."""
    std: Tensor
    modality: Modality = IMAGES

    @property
    def device(self) -> torch.device:
        return self.images.device


def load_source(spec: RunSpec, data: DataSet, threads: int = 1) -> tuple[Source, int]:
    """The pretraining split on the device, its statistics and what a method may know of it; and the number of classes. Of 'train/20' all
    of it is of those few images alone. threads: that decode image files. ValueError where a class has fewer."""
    whole, few = parse(spec.pretrain_split)
    split = load(data, whole, spec.image_size, threads)
    if few:
        split = split.reordered(torch.from_numpy(drawn(split.labels.numpy(), few, draw_of(spec.seed)).ravel()))
    info = data.info(spec.pretrain_split, spec.image_size)
    modality = data.modality
    mean, std = modality.statistics(split.images)
    info = replace(info, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    # Many sets lie in order of class, where an image's position gives its label away; a method is told positions.
    order = torch.randperm(len(split.images), generator=generator("index", PROTOCOL))
    split = split.reordered(order)
    device = hardware.device()
    mean, std = mean.float().to(device), std.float().to(device)
    source = Source(split.images.to(device), split.labels.to(device), info, mean, std, modality)
    return source, len(split.classes)
