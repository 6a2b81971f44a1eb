"""One run on several devices: which rows of the global batch are this device's, and how rows, means and gradients come together.

    gather(rows)              this device's rows -> the rows of the global batch, differentiable
    shard(rows)               the rows of the global batch -> this device's
    mean_of_batch(mean, n)    this device's mean over its n rows -> the mean over the global batch, differentiable

Networks are applied to this device's rows; a loss is that of the global batch, the same number on every device. On one device
each of these is the identity, bit for bit. Collectives have their true adjoints, so with W devices each one's gradient is W
times its share, and the mean over devices (`average_gradients`) is the gradient of the global loss, whatever comes after a gather.

W devices, b rows of this device, B of the global batch.
"""

import contextlib

import torch
import torch.distributed as dist
from torch import Tensor, nn

_depth = 0
"""How many `alone` blocks are open."""


def size() -> int:
    """W: devices that share this run."""
    return dist.get_world_size() if not _depth and dist.is_available() and dist.is_initialized() else 1


@contextlib.contextmanager
def alone():
    """Within the block this device is the only one: it has the whole global batch, and asks nobody."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def rank() -> int:
    """This device's number, 0 to W - 1. The first one writes checkpoints, keeps the clock, evaluates and records."""
    return dist.get_rank() if size() > 1 else 0


def rows_of(total: int, number: int | None = None) -> slice:
    """Which of `total` rows belong to device `number` (default: this one): runs of consecutive rows, as equal as can be;
    nobody has more than the first."""
    number, devices = rank() if number is None else number, size()
    return slice(-(-number * total // devices), -(-(number + 1) * total // devices))


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, even: bool) -> Tensor:
        counts = [len(rows)] * size()
        if not even:
            told = [torch.zeros((), dtype=torch.long, device=rows.device) for _ in counts]
            dist.all_gather(told, torch.tensor(len(rows), device=rows.device))
            counts = [int(count) for count in told]
        ctx.own = slice(sum(counts[: rank()]), sum(counts[: rank() + 1]))
        # Every device must send as many: the shorter ones are filled up, and cut again.
        sent = rows.new_zeros(max(counts), *rows.shape[1:])
        sent[: len(rows)] = rows
        received = [torch.empty_like(sent) for _ in counts]
        dist.all_gather(received, sent)
        return torch.cat([part[:count] for part, count in zip(received, counts, strict=True)])

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.own], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


def gather(rows: Tensor, even: bool = False) -> Tensor:
    """[b, ...] of this device -> [B, ...] of the global batch, in its order, differentiable. The numbers of rows may differ; even: they
    do not, as is known beforehand, and no device asks the others for theirs: one message and not two."""
    return _Gather.apply(rows, even) if size() > 1 else rows


def shard(rows: Tensor) -> Tensor:
    """[B, ...] of the global batch -> [b, ...] of this device."""
    return rows[rows_of(len(rows))] if size() > 1 else rows


def mean_of_batch(mean: Tensor, rows: int) -> Tensor:
    """This device's mean over its `rows` images -> the mean over the images of the global batch, differentiable."""
    if size() == 1:
        return mean
    return _Sum.apply(mean * rows) / total(rows)


def total(value: float) -> float:
    """The sum over devices of a number; exact for whole numbers below 2**53."""
    if size() == 1:
        return value
    summed = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(summed)
    return summed.item()


def agree(values: list[float]) -> list[float]:
    """The first device's numbers, on every device."""
    if size() == 1:
        return values
    shared = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(shared, 0)
    return shared.tolist()


@torch.no_grad()
def average_gradients(network: nn.Module) -> None:
    """Every gradient becomes its mean over devices: in one message for each type of number."""
    if size() == 1:
        return
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for parameter in network.parameters():
        if parameter.grad is not None:
            by_type.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in by_type.values():
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= size()
        for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))
