"""Classification models of torchvision without their last linear layer, which becomes the identity.

Features are what that layer gets: of a ResNet the averages of the last stage, of a VGG or an AlexNet the 4,096 of the layer before, of a
ViT the class token. Images have 3 channels.
"""

import functools

import torch
import torchvision
from torch import nn

from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.encoders.wrapped import Described, Wrapped, grouped, require_plain, stages_of, structure
from bench.errors import UserError, unknown

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of torchvision's own weights (torchvision.transforms._presets.ImageClassification)."""

SIZE = 224
"""Pixels a side that they were trained with, or nearly."""

PROBED = 299
"""Pixels a side at which stages are looked for: inception_v3 takes no fewer."""

WITHOUT_AUXILIARY = ("googlenet", "inception_v3")
"""Have classifiers in the middle, which are left out."""


def create(model: str, weights: str | None = None, image_size: int = SIZE) -> tuple[nn.Module, int, str]:
    """torchvision's network without its head, how many features it gives, and what the head was called; a UserError where there is none."""
    known = torchvision.models.list_models(module=torchvision.models)
    if model not in known:
        raise unknown("model of torchvision", model, known, "All: torchvision.models.list_models(module=torchvision.models)")
    options: dict = {"aux_logits": bool(weights), "init_weights": False} if model in WITHOUT_AUXILIARY else {}
    if model.startswith("vit_") and image_size != SIZE:
        options["image_size"] = image_size
    network = torchvision.models.get_model(model, weights=weights, **options)
    if weights and model in WITHOUT_AUXILIARY:
        for name, value in {"aux_logits": False, "aux1": None, "aux2": None, "AuxLogits": None}.items():
            if hasattr(network, name):
                setattr(network, name, value)
    heads = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    name, head = heads[-1] if heads else ("", None)
    if head is None or head.out_features != 1000:
        raise UserError(f"torchvision:{model} has no linear layer of classes to leave out; expected another model")
    network.set_submodule(name, nn.Identity())
    return network, head.in_features, name


@functools.lru_cache(maxsize=64)
def described(model: str) -> Described:
    """What a plan must know of it: built without numbers."""
    with torch.device("meta"):
        network, dim, _ = create(model)
    size = SIZE if model.startswith(("vit_", "maxvit")) else PROBED
    stages = stages_of(network, candidates(network), size, dim)
    return Described(structure(network), Wrapped.offers if stages else ("features",), stages)


def candidates(network: nn.Module) -> list[str]:
    """Modules in their order after which a stage may end: the network's own, and those of its `features`; no pooling to one position."""
    names = []
    for name, module in network.named_children():
        inner = [f"{name}.{child}" for child, _ in module.named_children()] if name == "features" else [name]
        names += [each for each in inner if not isinstance(network.get_submodule(each), nn.AdaptiveAvgPool2d)]
    return names


def settings(model: str) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation of every channel, and pixels a side, that torchvision's weights were trained with."""
    return MEAN, STD, SIZE


def options_for(model: str, image_size: int) -> dict:
    """What torchvision's constructor must be told for images of this size."""
    if model in WITHOUT_AUXILIARY:
        raise UserError(f"torchvision:{model} is built here without its auxiliary classifiers; expected --format safetensors")
    return {"image_size": image_size} if model.startswith("vit_") and image_size != SIZE else {}


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> Encoder:
    """The model with new weights; most take images of any size, a ViT one, and what cannot have this size says so in the plan."""
    require_plain(entry.name, in_channels, width, channels=False)
    model = entry.shape["model"]
    network, dim, _ = create(model, image_size=image_size)
    grouped(network, bn_groups, entry.name)
    return Wrapped(network, dim, described(model).stages)


def pretrained(model: str) -> dict[str, torch.Tensor]:
    """The weights that torchvision has for this name (DEFAULT), which it downloads."""
    return create(model, "DEFAULT")[0].state_dict()
