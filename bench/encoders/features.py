"""Features of a whole data set: encoded once, in index order; float32, computed in the run's own precision."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.compute.collectives import agree, gather, rows_of
from bench.compute.precision import computing_in, upcast
from bench.data.levels import prepare
from bench.data.rows import Rows

IMAGES_AT_ONCE = 500
"""Images per forward pass; features do not depend on it beyond rounding."""

PIXELS_AT_ONCE = IMAGES_AT_ONCE * 224**2
"""Of them together: above 224 pixels a side a pass has fewer images, and takes no more memory. Of other items as many numbers."""


@torch.no_grad()
def extract(
    network: nn.Module,
    function: Callable[[Tensor], Tensor],
    images: Tensor | Rows,
    mean: Tensor,
    std: Tensor,
    precision: str,
    shared: bool = False,
    images_at_once: int = IMAGES_AT_ONCE,
    into: Callable[[int], Tensor] | None = None,
    prepare: Callable[[Tensor, Tensor, Tensor], Tensor] = prepare,
) -> Tensor:
    """function of every image, in index order: uint8 [N, C, H, W] -> float32 [N, d], on the device of `mean`, or where `into` says.
    prepare: makes stored items ready for a network, of those that are not images (bench.data.modality.Modality.prepare).

    In eval mode, without gradient or augmentation; under bf16 the network computes in bfloat16 as it was trained, which
    moves a feature by less than 1 %. `network` is put back in the mode it was in. shared: every device calls this and does
    its part of the forward passes; the same passes are made for any number of devices, and all get all features. images_at_once: images
    per forward pass. into: d -> float32 [N, d] on the CPU, that is filled pass by pass and handed back; not with `shared`."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    images_at_once = max(1, min(images_at_once, PIXELS_AT_ONCE // images.shape[2:].numel()))
    try:
        with computing_in(precision, mean.device):
            parts, whole, done = [], None, 0
            batches = images.split(images_at_once)
            for part in batches[rows_of(len(batches))] if shared else batches:
                found = upcast(function(prepare(part.to(mean.device), mean, std)))
                if into is None:
                    parts.append(found)
                    continue
                assert found.ndim == 2, f"expected [{len(part)}, d], got {list(found.shape)}"
                whole = into(found.shape[1]) if whole is None else whole
                whole[done : done + len(found)] = found
                done += len(found)
    finally:
        for module, training in modes.items():
            module.training = training
    features = whole if whole is not None else gather_features(parts, mean) if shared else torch.cat(parts)
    assert len(features) == len(images) and features.ndim == 2, f"expected [{len(images)}, d], got {list(features.shape)}"
    return features


def gather_features(parts: list[Tensor], like: Tensor) -> Tensor:
    """The batches of features that this device has (the first one has some, another may have none) -> those of all, in index order."""
    (dim,) = agree([float(parts[0].shape[1] if parts else 0)])
    return gather(torch.cat(parts) if parts else like.new_empty(0, int(dim)))
