"""Rescaled random features: the encoder as initialised, each layer scaled to outputs of mean 0 and variance 1 on training images.

This is the within-layer normalisation of Kraehenbuehl et al. 2016 (arXiv:1511.06856, magic_init.py), and a fairer floor than random
weights where BatchNorm has seen no image: there a channel's scale and mean are whatever chance made them.

Differs from the paper:
- Layers keep their own random directions; the paper draws Gaussian ones (elwise), or takes them from the data (pca, kmeans).
- A layer followed by BatchNorm is centred and scaled by it: its running statistics become those of the images. The paper's networks have
  none. A layer without a bias and without BatchNorm after it (in a pre-activation block) is scaled and not centred.
- No normalisation between layers, which balances gradients and leaves features of an untrained network alone; biases are not raised
  (the authors' default: by 0.1).
B images, D features.
"""

import torch
from torch import Tensor, nn

from bench.domains import Several
from bench.method import Floor
from bench.parts import taking_statistics

LAYERS = (nn.Conv2d, nn.Linear)

SMALLEST = 1e-6
"""A standard deviation below this is that of a dead output, which no scale brings to life."""


def normalise_layer(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    """A forward hook: the layer's weights become such that the output has mean 0 and variance 1 in each channel, which it returns."""
    channel = output.ndim - 1 if isinstance(layer, nn.Linear) else 1
    others = [dim for dim in range(output.ndim) if dim != channel]
    shape = [-1 if dim == channel else 1 for dim in range(output.ndim)]
    deviation, mean = torch.std_mean(output, others, correction=0)
    deviation = torch.where(deviation < SMALLEST, 1, deviation)
    layer.weight.div_(deviation.view(-1, *[1] * (layer.weight.ndim - 1)))
    if layer.bias is None:
        return output / deviation.view(shape)
    layer.bias.sub_(mean).div_(deviation)
    return (output - mean.view(shape)) / deviation.view(shape)


@torch.no_grad()
def rescale(encoder: nn.Module, images: Tensor) -> None:
    """One forward pass in eval mode, in which each layer is normalised before the next one sees its output. images: [B, 3, H, W]."""
    hooks = [module.register_forward_hook(normalise_layer) for module in encoder.modules() if isinstance(module, LAYERS)]
    try:
        with taking_statistics(encoder):
            encoder(images)
    finally:
        for hook in hooks:
            hook.remove()


class RandomRescaled(Floor):
    paper = "arXiv:1511.06856"
    source = "philkr/magic_init@20b87dc"

    def __init__(self, make_encoder, data, *, images: Several = 160):
        """images: how many training images the statistics are of, 160 (magic_init.py: 10 batches of 16)."""
        super().__init__()
        self.encoder = make_encoder()
        self.images, self.shape = images, (3, data.image_size, data.image_size)

    def before_epoch(self, extract, generator):
        rescale(self.encoder, extract(lambda images: images.flatten(1), self.images).unflatten(1, self.shape))
        return ()
