"""Whether this machine has the memory that a run is known to take: images and a training's step. Features that are evaluated are not among
it: where they are too large for memory they lie in a file (bench/machine/large_arrays.py).

All figures are from below, so that what could run is not refused; what is refused cannot run.
"""

from collections.abc import Mapping

import torch

from bench.data import packed
from bench.data.dataset import DataSet
from bench.defaults import COMMAND
from bench.errors import UserError
from bench.machine import hardware
from bench.machine.memory import total_memory
from bench.plan.step import Step

GIB = 2**30

TEMPORARY = 1.2
"""On a CPU a training took 1.23 to 1.31 times what it keeps (simclr, moco, dino and vicreg with resnet8, 18, 50 and vit_nano)."""


def images_bytes(data: DataSet, pretrain_split: str, image_size: int) -> int:
    """Of the items of train and val, and of unlabelled ones that are trained on; none where they are packed and stay on disk.
    Whether test is read, an evaluator decides."""
    splits = ["train", "val", *(["unlabelled"] if pretrain_split == "unlabelled" else [])]
    return 0 if packed.find(data, image_size) else sum(data.bytes(split, image_size) for split in splits)


def require_memory(name: str, items: str, batch_size: int | None, precision: str, images: int, step: Step | None) -> None:
    """A UserError where this machine, or its GPU, has less than what is needed in one moment. items: "images of 32 pixels"."""
    training, total = step.bytes(precision) if step else 0, total_memory()
    parts: dict[str, float] = {items: images}
    what = f"a step of {batch_size} of them" if batch_size else "its look at them"
    on_gpu = hardware.device().type == "cuda"
    if on_gpu and training > (there := torch.cuda.get_device_properties(0).total_memory):
        raise refusal(name, {f"{what}, {items}": training}, there, "this GPU")
    parts[what] = 0 if on_gpu else TEMPORARY * training
    if sum(parts.values()) > total:
        raise refusal(name, parts, total, "this machine")


def refusal(name: str, parts: Mapping[str, float], there: float, where: str) -> UserError:
    """One line: what is needed, for what, and what there is."""
    needed = ", ".join(f"{part} {in_gib(amount)}" for part, amount in parts.items() if amount)
    return UserError(
        f"{name} needs {in_gib(sum(parts.values()))} of memory at least ({needed}), and {where} has {in_gib(there)}; expected a smaller "
        f"--image-size, --batch-size or --encoder, or images that are packed ({COMMAND} data pack)"
    )


def in_gib(amount: float) -> str:
    """'0.4 GiB', '65 GiB'"""
    return f"{amount / GIB:,.2g} GiB" if amount < 10 * GIB else f"{amount / GIB:,.0f} GiB"
