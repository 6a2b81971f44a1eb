"""BatchNorm over the GLOBAL batch, whatever the number of devices, and over fixed groups of it where a paper asks for that.

    synchronise(method)    from here on every BatchNorm of the method takes its statistics over all devices

torch's own SyncBatchNorm refuses CPU tensors; this one is a few differentiable lines that work on every backend.
B images of the global batch, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.collectives import gather, mean_of_batch, size
from bench.compute.precision import upcast
from bench.errors import UserError


def over_devices(norm: nn.modules.batchnorm._BatchNorm, inputs: Tensor) -> Tensor:
    """Training-mode BatchNorm of [b, C, ...] with the statistics of all devices' rows; running statistics move as torch's do."""
    own = upcast(inputs)
    dims = [0, *range(2, own.ndim)]
    shape = [1, -1] + [1] * (own.ndim - 2)
    count = own.numel() // own.shape[1]
    own_mean = own.mean(dims)
    own_squares = (own - own_mean.view(shape)).square().sum(dims)
    # Means and squares around them join without cancellation (Chan et al. 1979).
    counts, means, squares = gather(torch.stack([torch.full_like(own_mean, count), own_mean, own_squares])[None], even=True).unbind(1)
    everything = counts.sum(0)
    mean = (counts * means).sum(0) / everything
    variance = (squares.sum(0) + (counts * (means - mean).square()).sum(0)) / everything
    if norm.track_running_stats:
        running_mean, running_variance, batches = running(norm)
        with torch.no_grad():
            batches.add_(1)
            momentum = 1 / batches.item() if norm.momentum is None else norm.momentum
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_variance.lerp_((variance * everything / (everything - 1)).to(running_variance.dtype), momentum)
    normalised = (own - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        normalised = normalised * norm.weight.view(shape) + norm.bias.view(shape)
    return normalised.to(inputs.dtype)


def running(norm: nn.modules.batchnorm._BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    """Running mean and variance [C], and how many batches they have seen, int64 []; of a BatchNorm that keeps them."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    return norm.running_mean, norm.running_var, norm.num_batches_tracked


class SyncedBatchNorm1d(nn.BatchNorm1d):
    """nn.BatchNorm1d over all devices."""

    def forward(self, inputs: Tensor) -> Tensor:
        return over_devices(self, inputs) if self.training and size() > 1 else super().forward(inputs)


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d over all devices."""

    def forward(self, inputs: Tensor) -> Tensor:
        return over_devices(self, inputs) if self.training and size() > 1 else super().forward(inputs)


class GroupedBatchNorm(SyncedBatchNorm2d):
    """BatchNorm whose statistics are taken over fixed groups of consecutive images, as MoCo's eight GPUs did.

    One group is plain BatchNorm. In evaluation there are no groups. Each group is one of MoCo's GPUs, which moved its own
    running statistics once a step and of which the first one's were saved; here their mean is kept, which is what every GPU
    held on average, with less noise. (Moved once for each group in turn, they would be the last two or three groups'.)
    Several devices hold whole groups each, so their number must divide the number of groups."""

    def __init__(self, channels: int, groups: int = 1):
        super().__init__(channels)
        self.groups = groups

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, h, w] -> the same; in training B must be a multiple of the groups."""
        if self.groups == 1 or not self.training:
            return super().forward(images)
        groups = self.groups // size()
        if len(images) % groups or self.groups % size():
            rows = len(images) * size()
            near = " or ".join(str(count) for count in (rows - rows % self.groups, rows - rows % self.groups + self.groups) if count)
            shared = f" over {size()} processes" if size() > 1 else ""
            raise ValueError(f"a batch of {rows} cannot be split into {self.groups} BatchNorm groups{shared}; expected {near} images")
        running_mean, running_variance, batches = running(self)
        means, variances = running_mean.repeat(groups, 1), running_variance.repeat(groups, 1)
        momentum = self.momentum
        assert momentum is not None, "the groups' mean is kept by a momentum"
        parts = [
            F.batch_norm(part, mean, variance, self.weight, self.bias, True, momentum, self.eps)
            for part, mean, variance in zip(images.chunk(groups), means, variances, strict=True)
        ]
        running_mean.copy_(mean_of_batch(means.mean(0), groups))
        running_variance.copy_(mean_of_batch(variances.mean(0), groups))
        batches.add_(1)
        return torch.cat(parts)


SYNCED = {nn.BatchNorm1d: SyncedBatchNorm1d, nn.BatchNorm2d: SyncedBatchNorm2d}


def synchronise(method: nn.Module) -> None:
    """Every plain BatchNorm of the method becomes its synchronised kind, in place: same name, same state, same object."""
    for module in method.modules():
        # The class is changed and not the module: a method may know it by two names.
        module.__class__ = SYNCED.get(type(module), type(module))


def require_shares(method: nn.Module, batch_size: int, processes: int) -> None:
    """A UserError where a global batch cannot be shared among so many processes."""
    if processes > batch_size:
        raise UserError(f"{processes} processes cannot share a batch of {batch_size}; expected --processes of at most {batch_size}")
    for name, module in method.named_modules():
        if isinstance(module, GroupedBatchNorm) and module.groups > 1 and processes > 1:
            groups = module.groups
            if groups % processes or batch_size % groups:
                able = [str(count) for count in range(1, groups + 1) if groups % count == 0]
                raise UserError(
                    f"{processes} processes cannot share the {groups} BatchNorm groups of a batch of {batch_size}; expected --processes "
                    f"{', '.join(able)} and a batch that is a multiple of {groups}"
                )
        elif (
            processes > 1
            and isinstance(module, nn.modules.batchnorm._BatchNorm)
            and type(module) not in {*SYNCED, *SYNCED.values(), GroupedBatchNorm}
        ):
            kind = type(module).__name__
            raise UserError(f"{name} is a {kind}, which cannot take its statistics over {processes} processes; use nn.BatchNorm1d or 2d")
