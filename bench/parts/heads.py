"""What stands on an encoder or before it: projectors, multi-crop, patches that tile a view, reversed gradients.

B images of the global batch, V crops, D features.
"""

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from bench.encoders.encoder import Encoder


def mlp(inputs: int, hidden: int, outputs: int, *, layers: int = 2, norm: bool = True, last_norm: bool = False, bias: bool = True):
    """Linear layers with (BatchNorm and) ReLU between them. Where a BatchNorm follows, the layer has no bias.

    norm: BatchNorm after each hidden layer. last_norm: BatchNorm without scale and shift after the last.
    bias: of the last layer, and of hidden ones without BatchNorm."""
    modules = []
    for number in range(layers):
        last = number == layers - 1
        followed = last_norm if last else norm
        modules.append(nn.Linear(inputs if number == 0 else hidden, outputs if last else hidden, bias=bias and not followed))
        if followed:
            modules.append(nn.BatchNorm1d(outputs if last else hidden, affine=not last))
        if not last:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


def scale_norm(width: int) -> nn.BatchNorm1d:
    """BatchNorm that learns a scale but no shift, as the last of SimCLR's head: `center=use_bias` with use_bias False in
    google-research/simclr@383d414, tf2/model.py."""
    norm = nn.BatchNorm1d(width)
    norm.bias.requires_grad_(False)
    return norm


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * gradient, None


def reverse_gradient(rows: Tensor, scale: float) -> Tensor:
    """The same rows, whose gradient is turned round and scaled on its way back: what comes after learns to lower a loss, what came
    before to raise it, in one step (arXiv:1409.7495). Give what comes after a Group of its own in the recipe where its rate differs."""
    return _ReverseGradient.apply(rows, scale)


def encode_crops(encoder: nn.Module, crops: tuple[Tensor, ...]) -> Tensor:
    """V crops, each [b, 3, h, w] -> [V * b, D], crop by crop. Crops of one size share an encoder call, so that BatchNorm sees them
    together, as in the authors' code of SwAV (facebookresearch/swav@06b1b7c, src/resnet50.py) and DINO (MultiCropWrapper in
    facebookresearch/dino@7c446df, utils.py)."""
    sizes = [torch.cat(list(group)) for _, group in itertools.groupby(crops, key=lambda crop: crop.shape[-1])]
    return torch.cat([encoder(images) for images in sizes])


def encode_segments(encoder: nn.Module, clips: Tensor, segments: int) -> Tensor:
    """Clips [B, T, 3, H, W] in segments of equal length, each encoded by itself, and what is found of all of them in their order:
    [B, segments * D]. ValueError where nothing of the order would be left: one mean over frames is the same for any."""
    if clips.shape[1] % segments or (segments == 1 and "frames" in getattr(encoder, "offers", ())):
        why = "or, as its features are a mean over frames, more than one" if clips.shape[1] % segments == 0 else "that divide them"
        raise ValueError(f"segments={segments} of {clips.shape[1]} frames: expected as many {why}")
    return encoder(clips.unflatten(1, (segments, -1)).flatten(0, 1)).unflatten(0, (-1, segments)).flatten(1)


def whole_patches(encoder: "Encoder", image_size: int, size: float) -> float:
    """A view's size, as a fraction of the image's, rounded so that the view is a whole number of a ViT's patches wide, one at least;
    for another encoder a whole number of pixels."""
    return encoder.patch_size * max(1, round(size * image_size / encoder.patch_size)) / image_size
