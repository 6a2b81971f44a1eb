"""Models of timm (github.com/huggingface/pytorch-image-models) without their heads, as timm builds them with num_classes=0.

Features are what timm's own pooling gives. A plain ViT, with a class token and learned positions, offers all that ours do; of other
networks `feature_info` names the stages.
"""

import functools
import warnings
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer as TheirViT
from torch import nn

from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.encoders.networks.vit import VisionTransformer
from bench.encoders.wrapped import Described, Wrapped, grouped, require_plain, stages_of, structure
from bench.errors import UserError, said, unknown


class PlainViT(VisionTransformer):
    """timm's own object in the place of the one that ours makes."""

    def __init__(self, vit: TheirViT, image_size: int):
        Encoder.__init__(self)
        self.vit, self.dim = vit, vit.embed_dim
        self.patch_size = vit.patch_embed.patch_size[0]
        self.side = image_size // self.patch_size


def is_plain(network: nn.Module) -> bool:
    """Whether it computes what bench/encoders/networks/vit.py does."""
    return (
        type(network) is TheirViT
        and network.cls_token is not None
        and network.num_prefix_tokens == 1
        and network.pos_embed is not None
        and not network.no_embed_class
        and isinstance(network.norm_pre, nn.Identity)
        and network.global_pool == "token"
    )


def create(model: str, **options) -> Any:
    """timm's network, which has more than torch's modules have; a UserError with the nearest name, or with what timm says."""
    if not timm.is_model(model.partition(".")[0]):
        raise unknown("model of timm", model, timm.list_models(), "All: timm.list_models()")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that timm has given up, and maps to others
            return timm.create_model(model, num_classes=0, **options)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"timm:{model} cannot be built: {said(error)}") from error


@functools.lru_cache(maxsize=64)
def described(model: str) -> Described:
    """What a plan must know of it: built without numbers, in timm's own size."""
    with torch.device("meta"):
        network = create(model)
    if is_plain(network):
        return Described(structure(network), VisionTransformer.offers)
    modules, size = [info["module"] for info in infos(network)], network.default_cfg["input_size"][-1]
    stages = stages_of(network, modules, size, features_of(network))
    return Described(structure(network), Wrapped.offers if stages else ("features",), stages)


def infos(network: nn.Module) -> list[dict]:
    """timm's `feature_info`: of every stage its module and more; [] where a model has none that names modules."""
    info = getattr(network, "feature_info", [])
    return [one for one in (info if isinstance(info, list) else info.get_dicts()) if one.get("module")]


def settings(model: str) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation of every channel, and pixels a side, that timm says the weights of this name were trained with."""
    with torch.device("meta"):
        given = create(model).default_cfg
    return tuple(given["mean"]), tuple(given["std"]), given["input_size"][-1]


def options_for(model: str, image_size: int) -> dict:
    """What timm must be told for images of this size: of a ViT the size, and that views may have another."""
    with torch.device("meta"):
        network = create(model)
    fixed = network.default_cfg.get("fixed_input_size")
    if isinstance(network, TheirViT) and image_size % network.patch_embed.patch_size[0]:
        patch = network.patch_embed.patch_size[0]
        raise UserError(f"timm:{model} at {image_size} pixels: its patches are of {patch} pixels; expected a multiple of {patch}")
    sized = {"img_size": image_size} if fixed else {}
    return sized | ({"dynamic_img_size": True} if is_plain(network) else {})


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> Encoder:
    """The model for images of this size, with new weights."""
    require_plain(entry.name, in_channels, width, channels=True)
    model = entry.shape["model"]
    network = create(model, in_chans=in_channels, **options_for(model, image_size))
    grouped(network, bn_groups, entry.name)
    if isinstance(network, TheirViT) and is_plain(network):
        return PlainViT(network, image_size)
    return Wrapped(network, features_of(network), described(model).stages)


def features_of(network: Any) -> int:
    """How many features it gives: where there is a layer between pooling and classifier, timm counts them apart."""
    return getattr(network, "head_hidden_size", None) or network.num_features


def pretrained(model: str) -> dict[str, torch.Tensor]:
    """The weights that timm has for this name, which it downloads."""
    return create(model, pretrained=True).state_dict()
