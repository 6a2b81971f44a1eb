"""Training within an evaluator: batches in an order that the protocol fixes, crops that are the same for every method, and the steps.

N images, B of a batch.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from bench.compute.flops import count_flops
from bench.compute.randomness import Draws
from bench.spec import PROTOCOL, DatasetInfo, Recipe
from bench.training.optim import build_optimizer, set_progress
from bench.views.ops import Flip, ResizedCrop
from bench.views.view import View

CROPS = View((ResizedCrop(), Flip()))
"""torchvision's RandomResizedCrop (8 to 100 % of the area) and a flip where a mirror image shows the same: what ssl-transfer
(linusericsson/ssl-transfer@4e9b9c2, finetune.py), VISSL (facebookresearch/vissl@817561a) and the linear probes of MoCo and SimSiam
train on."""


def cropped(images: Tensor, info: DatasetInfo, *key: int | str) -> Tensor:
    """uint8 [B, C, H, W] -> a crop of each, float32 [B, C, H, W] in [0, 1]; drawn from the protocol and the key alone, on the CPU: the same
    for every method, seed and device."""
    return CROPS.render(images.cpu(), Draws(*key, PROTOCOL, total=len(images)), info)


def batches(count: int, size: int, *key: int | str) -> Iterator[Tensor]:
    """Positions int64 [B] in range(count), epoch after epoch without end, each in an order of its own, drawn from the protocol and the key;
    what an epoch leaves over for less than a batch is left out, unless it is all there is."""
    size, epoch = min(size, count), 0
    while True:
        order = Draws(*key, "order", PROTOCOL, epoch, total=count).permutation(count)
        yield from order[: count // size * size].split(size)
        epoch += 1


def sgd(rate: float, weight_decay: float, batch_size: int) -> Recipe:
    """Nesterov momentum of 0.9, the learning rate along a cosine to 0, decay of all parameters, of norms too: ssl-transfer's."""
    return Recipe(
        "sgd", lr=rate, lr_per_batch=None, batch_size=batch_size, nesterov=True, weight_decay=weight_decay, schedule="cosine", exclude=()
    )


def adamw(rate: float, weight_decay: float, batch_size: int) -> Recipe:
    """The first tenth a warmup, then a cosine to 0; biases and norms do not decay: as transformers are fine-tuned."""
    return Recipe("adamw", lr=rate, lr_per_batch=None, batch_size=batch_size, weight_decay=weight_decay, warmup=0.1, schedule="cosine")


Descent = Callable[[float, float, int], Recipe]
"""Of a learning rate, a weight decay and a batch size."""


def descend(network: nn.Module, recipe: Recipe, steps: int, loss: Callable[[int], Tensor], check: Callable[[float], None]) -> float | None:
    """Train what of `network` has `requires_grad`, in train mode, by so many steps on `loss(step)`, a float32 scalar. FLOPs of all of them,
    from those of the first; None, and no further step, where a loss is not finite.

    check: is told before each step which share of them is done, and may raise what ends it (bench.evaluation.features.Features.check)."""
    optimizer, flops = build_optimizer(network, recipe), 0.0
    network.train()
    for step in range(steps):
        check(step / steps)
        set_progress(optimizer, recipe, step / steps)
        optimizer.zero_grad(set_to_none=True)
        value = torch.zeros(())

        def backward(step: int = step) -> None:
            nonlocal value
            value = loss(step)
            value.backward()

        if step:
            backward()
        else:
            flops = count_flops(backward) * steps
        if not torch.isfinite(value):
            return None
        optimizer.step()
    return flops
