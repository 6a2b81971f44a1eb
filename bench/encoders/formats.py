"""How others write the weights of an encoder into a file: a rule for each format, and which one a file has. Imports no torch.

    found("auto", keys)            the format of a file whose keys are these, 'state_dict/module.encoder_q.conv1.weight'
    inner(FORMATS["moco"], tree)   {name in the library that the network is of: tensor}

A rule says where in a file the weights lie, with which prefix, what of them is a head and left out, and what the rest is called. The names
that come out are torchvision's of a ResNet and timm's of a ViT, which all of these formats use inside; what they are called in an
encoder of ours says the encoder (encoder.py, published_keys). Facts are from the repositories at the commits that are named.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError, unknown

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the channels that nearly all weights were trained with."""

DIVIDER = "/"
"""Between the keys of dictionaries in each other; a parameter's name has none."""


@dataclass(frozen=True)
class Format:
    """A way to write weights."""

    source: str
    """What it was read in, owner/name@commit: files."""
    mark: str
    """A regular expression that a key of a file in this format has, and of none of the formats before it."""
    inside: tuple[str, ...] = ("",)
    """Where the weights lie: keys with DIVIDER between them; the first that is there, '' for the file itself."""
    prefixes: tuple[str, ...] = ("",)
    """Of the encoder's parameters; the first that any has. What lies beside it belongs to no encoder."""
    heads: str = ""
    """A regular expression of what is left out after the prefix."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Regular expressions, and what each becomes."""
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = IMAGENET
    """Mean and standard deviation; None: those of the data set."""
    image_size: int | None = 224
    """Pixels a side; None: the data set's."""
    ours: bool = False
    """Whether parameters have our own names."""
    small_stem_padding: int | None = None
    """Of a first convolution of 3x3, where it is not ours, 1: no shape tells it."""


COUNTS = "num_batches_tracked"
"""Of a BatchNorm: how many batches it has seen, which nothing reads in evaluation. Files of before torch 0.4.1 lack it."""

CLASSIFIERS = r"^(fc|head|heads\.head|head\.fc|head_dist|classifier(\.\d+)?|last_linear|linear)\.(weight|bias)$"
"""Last layers of torchvision's, timm's and others' classifiers."""

FORMATS = {
    "ours": Format(
        "this repository: bench/run/weights.py",
        r"^(encoder\.)?(stem\.|layers\.|vit\.|convnext\.|network\.)",
        prefixes=("encoder.", ""),
        heads=r"^(?!stem\.|layers\.|norm\.|vit\.|convnext\.|network\.)",
        statistics=None,
        image_size=None,
        ours=True,
    ),
    "vissl": Format(
        "facebookresearch/vissl@09270ed: extra_scripts/convert_vissl_to_torchvision.py, vissl/models/trunks/resnext.py",
        r"_feature_blocks\.",
        inside=("classy_state_dict/base_model/model/trunk", "model_state_dict", ""),
        prefixes=("base_model._feature_blocks.", "_feature_blocks."),
    ),
    "moco": Format(
        "facebookresearch/moco@010242b: main_lincls.py; facebookresearch/moco-v3@c349e6e: main_lincls.py",
        r"(^|[/.])(encoder_q|base_encoder)\.",
        inside=("state_dict", ""),
        prefixes=("module.encoder_q.", "module.base_encoder.", "encoder_q.", "base_encoder."),
        heads=r"^(fc|head)\.",
    ),
    "mae": Format(
        "facebookresearch/mae@efb2a80: models_mae.py, util/misc.py",
        r"(^|/)decoder_(embed|pos_embed|blocks)",
        inside=("model", ""),
        heads=r"^(decoder_|mask_token$|head\.)",
    ),
    "dinov2": Format(
        "facebookresearch/dinov2@b8931f7: dinov2/utils/utils.py, dinov2/models/vision_transformer.py",
        r"blocks\.\d+\.(\d+\.)?ls1\.gamma$",
        inside=("teacher", "model", ""),
        prefixes=("module.backbone.", "backbone.", ""),
        heads=r"^(mask_token$|head\.|dino_head\.|ibot_head\.)",
        renamed=((r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."), (r"\.mlp\.w12\.", ".mlp.fc1."), (r"\.mlp\.w3\.", ".mlp.fc2.")),
        image_size=518,
    ),
    "dino": Format(
        "facebookresearch/dino@7c446df: utils.py, main_dino.py",
        r"^(teacher|student)/|^dino_loss/",
        inside=("teacher",),
        prefixes=("module.backbone.", "backbone.", "module.", ""),
        heads=r"^(head|fc)\.",
    ),
    "lightly": Format(
        "lightly-ai/lightly@e8d317f: simclr.py and mae.py of its ImageNet benchmarks, its examples",
        r"^(state_dict/)?((projection|prediction|student|teacher)_(head|backbone)|online_classifier)\.|^(state_dict/)?(backbone\.)?0\.weight$",
        inside=("state_dict", ""),
        prefixes=("backbone.", "teacher_backbone.", ""),
        heads=r"^(fc|head|vit\.head)\.|^mask_token$",
        # Sequential of a ResNet's children without the last, as the examples have it; a masked ViT holds timm's.
        renamed=((r"^vit\.", ""), (r"^0\.", "conv1."), (r"^1\.", "bn1."), *((rf"^{at}\.", f"layer{at - 3}.") for at in (4, 5, 6, 7))),
    ),
    "solo": Format(
        "vturrisi/solo-learn@9187ea3: main_linear.py, solo/methods/base.py",
        r"^state_dict/((momentum_)?(projector|classifier|backbone)|predictor|prototypes|queue)(\.|$)",
        inside=("state_dict",),
        prefixes=("backbone.", "encoder."),
        heads=r"^(fc|head)\.",
        image_size=None,
        small_stem_padding=2,
    ),
    "akamaster": Format(
        "akamaster/pytorch_resnet_cifar10@d5489e8: resnet.py, trainer.py",
        r"(^|[/.])linear\.weight$",
        inside=("state_dict", ""),
        prefixes=("module.", ""),
        heads=r"^linear\.",
        image_size=None,
    ),
    "timm": Format(
        "huggingface/pytorch-image-models@v1.0.31: timm/models/_helpers.py",
        r"(^|[/.])(blocks|stages|layers)\.0\.|(^|/)(conv_stem|stem)\.",
        inside=("state_dict_ema", "state_dict", "model", ""),
        prefixes=("module.", ""),
        heads=CLASSIFIERS,
    ),
    "torchvision": Format(
        "pytorch/vision@v0.29.2: torchvision/models",
        r"(^|[/.])(conv1|features\.|encoder\.layers\.|layer1\.)",
        inside=("state_dict", "model", ""),
        prefixes=("module.", ""),
        heads=CLASSIFIERS,
    ),
}
"""By name, in the order in which `auto` asks them."""

AUTO = "auto"


def require(name: str) -> Format:
    """The format, or a UserError with the nearest name."""
    if name not in FORMATS:
        raise unknown("format of weights", name, (AUTO, *FORMATS))
    return FORMATS[name]


def found(name: str, keys: Iterable[str]) -> str:
    """The name of a file's format: the one that is asked for, or for `auto` the first whose mark a key has; else a UserError."""
    if name != AUTO:
        require(name)
        return name
    keys = list(keys)
    for known, rule in FORMATS.items():
        if any(re.search(rule.mark, key) for key in keys):
            return known
    shown = ", ".join(keys[:3]) or "none"
    raise UserError(f"the weights are in no known format; their keys begin with {shown}; expected --format {', '.join(FORMATS)}")


def inner(rule: Format, tree: Mapping[str, Any]) -> dict[str, Any]:
    """An encoder's weights, by the names that the library of its network gives them. tree: what a file holds, keys joined by DIVIDER."""
    place = next((place for place in rule.inside if any(key.startswith(place and place + DIVIDER) for key in tree)), "")
    lead = place and place + DIVIDER
    here = {key.removeprefix(lead): value for key, value in tree.items() if key.startswith(lead) and DIVIDER not in key.removeprefix(lead)}
    prefix = next((prefix for prefix in rule.prefixes if any(key.startswith(prefix) for key in here)), "")
    kept = {}
    for key, value in here.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and not (rule.heads and re.search(rule.heads, name)):
            for theirs, known in rule.renamed:
                name = re.sub(theirs, known, name)
            kept[name] = value
    return kept


def as_ours(key: str, renames: Iterable[tuple[str, str]]) -> str:
    """A published name as an encoder has it. renames: the encoder's `published_keys`."""
    for theirs, ours in renames:
        key = re.sub(theirs, ours, key)
    return key
