"""BatchNorm's running statistics, taken from what a network is given, as BatchNorm itself would take them of one batch.

For what is not trained (methods/random_rescaled.py), and for what was trained on something else than what is evaluated
(bench.method.Method.sees_whole_images). B images, C channels.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bench.compute.precision import upcast

BatchNorm = nn.modules.batchnorm._BatchNorm
"""What all of torch's are, which has no public name."""


def batch_norms(network: nn.Module) -> list[BatchNorm]:
    """Those of the network that keep running statistics."""
    return [module for module in network.modules() if isinstance(module, BatchNorm) and module.track_running_stats]


@contextlib.contextmanager
def taking_statistics(network: nn.Module, but: tuple[nn.Module, ...] = ()) -> Iterator[list[BatchNorm]]:
    """In the block every BatchNorm of the network, which must be in eval mode, makes those of its input its own before it normalises it:
    one forward pass changes each layer after those before it. Yields the ones that did. but: which do not."""
    taken = []

    @torch.no_grad()
    def take(norm: BatchNorm, inputs: tuple[Tensor]) -> None:
        images = upcast(inputs[0])
        variance, mean = torch.var_mean(images, [0, *range(2, images.ndim)], correction=0)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        taken.append(norm)

    hooks = [norm.register_forward_pre_hook(take) for norm in batch_norms(network) if not any(norm is other for other in but)]
    try:
        yield taken
    finally:
        for hook in hooks:
            hook.remove()
