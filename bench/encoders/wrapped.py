"""A library's network as an encoder: without its head, its stages read while it runs.

B images, C channels, D features, S pixels a side.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.compute.precision import upcast
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.errors import UserError


@dataclass(frozen=True)
class Described:
    """What a plan must know of a library's model."""

    digits: str
    """Of its structure (foreign.py)."""
    offers: tuple[str, ...]
    stages: tuple[str, ...] = ()
    """Names of the modules after which a stage ends; none where its maps are not [B, channels, h, w]."""


class Wrapped(Encoder):
    """The network, whose output is its features, and the modules after which a stage ends."""

    offers = ("features", "feature_map")
    published_keys = ((r"^", "network."),)

    def __init__(self, network: nn.Module, dim: int, stages: tuple[str, ...]):
        super().__init__()
        self.network, self.dim, self.stage_names = network, dim, stages

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps."""
        return [self.network.get_submodule(name) for name in self.stage_names]

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the output of every stage, each [B, channels, h, w]."""
        outputs = outputs_of(self.network, self.stage_names, images)
        return [outputs[name] for name in self.stage_names]

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        return upcast(self.network(images)).flatten(1)


def outputs_of(network: nn.Module, names: Iterable[str], images: Tensor) -> dict[str, Tensor]:
    """What these modules give in one pass, by name; of one that is called several times the last."""
    found: dict[str, Tensor] = {}

    def keep(name: str):
        return lambda module, inputs, output: found.__setitem__(name, output)

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def structure(network: nn.Module) -> str:
    """Eight digits of the hash of a network as it is printed, and of the names and shapes of its parameters and buffers."""
    printed = re.sub(r" at 0x[0-9a-f]+", "", repr(network))  # where a function lies in memory
    shapes = "\n".join(f"{name} {list(value.shape)}" for name, value in network.state_dict().items())
    return hashlib.sha256(f"{printed}\n{shapes}".encode()).hexdigest()[:8]


def stages_of(network: nn.Module, candidates: Iterable[str], size: int, dim: int) -> tuple[str, ...]:
    """Of modules in their order those after which a map [B, C, h, w] is smaller, each the last of its size. None where there are not two,
    or where the last map has other than D channels: then it is not what the features are the average of. Computes nothing: the network is
    on the meta device."""
    last: dict[int, tuple[str, int]] = {}
    for name, output in outputs_of(network.eval(), candidates, torch.empty(2, 3, size, size, device="meta")).items():
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3] > 1:
            last[output.shape[2]] = name, output.shape[1]
    found = [last[side] for side in sorted(last, reverse=True)]
    return tuple(name for name, _ in found) if len(found) > 1 and found[-1][1] == dim else ()


def grouped(network: nn.Module, groups: int, name: str) -> None:
    """BatchNorm over so many groups of a batch (batch_norm.py), in place; a UserError where the network's are of a kind of its own."""
    for module in network.modules():
        if groups > 1 and isinstance(module, nn.modules.batchnorm._BatchNorm):
            if type(module) is not nn.BatchNorm2d:
                raise UserError(f"{name} has a {type(module).__name__}, which cannot take its statistics over {groups} groups of a batch")
            # The class is changed and not the module, which holds its weights already.
            module.__class__ = GroupedBatchNorm
            setattr(module, "groups", groups)  # noqa: B010 - the type checker does not see the new class


def require_plain(name: str, in_channels: int, width: float, channels: bool) -> None:
    """A UserError where a method asks a library's network for what it is not made for. channels: whether it takes other than 3."""
    if width != 1:
        raise UserError(f"{name} has one width, and the method asks for {width:g} of it; expected an encoder of ours")
    if in_channels != 3 and not channels:
        raise UserError(f"{name} takes images of 3 channels, and the method asks for {in_channels}; expected ours, or timm:NAME")
