"""An encoder in a file of a user's own: one class, made with what its constructor takes, and tried without numbers in the plan."""

import inspect
from typing import Any

import torch

from bench import registry
from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.errors import UserError

ANY = {"in_channels": 3, "width": 1.0, "bn_groups": 1}
"""What a constructor need not take, and the one value that it then has."""


def load(path: str) -> type[Encoder]:
    """The one Encoder class that the file defines. Raises UserError where it is missing, broken or not the only one."""
    return registry.only_class(registry.import_own(path), Encoder, path, "Encoder (bench.encoders.encoder)")


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int, **own: Any) -> Encoder:
    """The file's encoder with new weights. On the meta device it is tried: its output must be what it says."""
    path, cls = entry.shape["file"], load(entry.shape["file"])
    taken = inspect.signature(cls.__init__).parameters
    options: dict = {name: value for name, value in {"image_size": image_size, "kinds": own.pop("kinds", 0)}.items() if name in taken}
    for name, value in {"in_channels": in_channels, "width": width, "bn_groups": bn_groups}.items():
        if name in taken:
            options[name] = value
        elif value != ANY[name]:
            raise UserError(f"{cls.__name__} of '{path}' takes no {name}, and the method asks for {value:g}")
    encoder = cls(**options, **own)
    if next(iter(encoder.parameters()), torch.empty(0)).is_meta:
        tried(encoder, path, image_size, in_channels)
    return encoder


@torch.no_grad()
def tried(encoder: Encoder, path: str, image_size: int, in_channels: int) -> None:
    """A UserError where what it offers has not the shape that it must have. encoder: on the meta device, where nothing is computed."""
    images, what = encoder.tried_with(image_size, in_channels).to("meta"), f"{type(encoder).__name__} of '{path}'"
    encoder.eval()
    shapes: dict[str, tuple[torch.Tensor, tuple[int | None, ...]]] = {"forward": (encoder(images), (2, encoder.dim))}
    if "feature_map" in encoder.offers:
        stages, modules = encoder.stages(images), encoder.stage_modules()
        for number, output in enumerate(stages):
            require(what, f"stage {number} of stages()", output.shape, (2, None, None, None))
        shapes["feature_map"] = encoder.feature_map(images), (2, encoder.dim, None, None)
        if len(modules) != len(stages):
            raise UserError(f"{what}: {len(stages)} stages() and {len(modules)} stage_modules(); expected as many")
    if "tokens" in encoder.offers:
        tokens: Any = encoder.tokens  # which the base class has not
        shapes["tokens"] = tokens(images), (2, None, encoder.dim)
    for name, (output, expected) in shapes.items():
        require(what, f"{name}()", output.shape, expected)
    encoder.train()


def require(what: str, name: str, shape: torch.Size, expected: tuple[int | None, ...]) -> None:
    """A UserError where a shape is another; None is any size."""
    if len(shape) != len(expected) or any(size not in (None, own) for own, size in zip(shape, expected, strict=True)):
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise UserError(f"{what}: {name} gives {list(shape)}; expected [{wanted}]")
