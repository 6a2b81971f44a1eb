"""A run's encoder as a file that other programs load: which network of a method it is, and what its parameters are called elsewhere.

B images.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from bench.encoders import foreign
from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.encoders.formats import as_ours
from bench.encoders.networks.convnext import THEIR_PATCH
from bench.encoders.networks.resnet import SMALL_IMAGE
from bench.encoders.networks.vit import VisionTransformer
from bench.errors import UserError
from bench.machine.files import write
from bench.method import Method
from bench.records.paths import FILE_NAME
from bench.records.record import RunRecord
from bench.run.weights import sha256
from bench.spec import RunSpec, settled

FORMATS = ("safetensors", "timm", "torchvision")

IMAGES = 2
"""That a method encodes to show which of its networks it uses."""


def telling(called: list[Encoder], whole: Encoder) -> Callable:
    """A hook that says that a part of this encoder was called."""
    return lambda *_: called.append(whole)


@torch.no_grad()
def evaluated(method: Method, spec: RunSpec, device: torch.device) -> tuple[Encoder, bool]:
    """The one encoder that the method's `encode` calls, and whether its features are the method's as they are. A UserError where it calls
    none or several."""
    found = [module for module in method.modules() if isinstance(module, Encoder)]
    called: list[Encoder] = []
    hooks = [module.register_forward_hook(telling(called, module)) for module in found]
    # Stages and tokens are read without a call of the whole: then the first layer tells.
    hooks += [layer.register_forward_hook(telling(called, module)) for module in found if (layer := first_layer(module))]
    size = settled(spec.image_size)
    images = torch.rand(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    method.eval()
    try:
        features = method.encode(images)
    finally:
        for hook in hooks:
            hook.remove()
    used = list(dict.fromkeys(called))
    if len(used) != 1:
        raise UserError(f"{spec.method} is evaluated with {len(used) or 'no'} encoder{'s' * (len(used) != 1)}: there is not one to export")
    alone = inputs_of(used[0]) == 3 and used[0](images)
    return used[0], isinstance(alone, Tensor) and alone.shape == features.shape and bool(torch.equal(alone, features))


def first_layer(encoder: Encoder) -> nn.Conv2d | None:
    """The first convolution; None where there is none, as in an encoder of one's own that is a perceptron."""
    return next((module for module in encoder.modules() if isinstance(module, nn.Conv2d)), None)


def inputs_of(encoder: Encoder) -> int:
    """How many numbers a pixel has, of the images that it takes."""
    layer = first_layer(encoder)
    return layer.in_channels if layer else 3


def counterpart(entry: EncoderEntry, encoder: Encoder, image_size: int, library: str) -> tuple[str, dict]:
    """The library's name of the same network, and what else its constructor must be told; a UserError where it has none."""
    whole: Any = encoder  # whose layers the base class does not know
    taken = inputs_of(encoder)
    if taken != 3 and library != "timm":
        raise UserError(f"the encoder takes images of {taken} channel(s), and {library}'s 3; expected --format safetensors")
    more = {"in_chans": taken} if taken != 3 else {}
    same_stem = entry.family == "resnet" and entry.name in ("resnet18", "resnet50") and image_size > SMALL_IMAGE
    if entry.family == library:
        return entry.shape["model"], more | foreign.LIBRARIES.load(library).options_for(entry.shape["model"], image_size)
    if same_stem:
        return entry.name, more
    if library == "timm" and isinstance(encoder, VisionTransformer):
        vit: Any = encoder.vit
        sizes = {"img_size": image_size, "patch_size": encoder.patch_size, "embed_dim": encoder.dim}
        return "vit_tiny_patch16_224", more | sizes | {"depth": len(vit.blocks), "num_heads": vit.blocks[0].attn.num_heads}
    if library == "timm" and entry.name == "convnext_tiny" and whole.convnext.stem[0].kernel_size == (THEIR_PATCH, THEIR_PATCH):
        return entry.name, more
    raise UserError(f"{entry.name} at {image_size} pixels has no counterpart in {library}; expected --format safetensors")


def by_their_names(encoder: Encoder, library: str, model: str, options: dict) -> dict[str, Tensor]:
    """The encoder's parameters and buffers by the library's names, on the processor."""
    with torch.device("meta"):
        made = foreign.LIBRARIES.load(library).create(model, **options)
    network = made[0] if isinstance(made, tuple) else made
    own, state = encoder.state_dict(), {}
    for key, value in network.state_dict().items():
        name = as_ours(key, encoder.published_keys)
        if name not in own or own[name].shape != value.shape:
            raise UserError(f"{library}'s {model} has other parameters than this encoder, {key} among them; expected --format safetensors")
        state[key] = own.pop(name).detach().cpu().contiguous()
    assert not own, f"{library}'s {model} has no {', '.join(own)}"
    return state


def load(method: Method, encoder: Encoder, path: Path, record: RunRecord) -> None:
    """Gives the encoder of a method the weights that its run ended with: of all of the method, as scratch has them, or its own alone. A
    UserError where they are of another training."""
    state = safetensors.torch.load_file(path)
    if set(state) == set(encoder.state_dict()):
        encoder.load_state_dict(state)
        return
    method.load_state_dict(state)
    if record.weights_sha256 not in (None, sha256(method)):
        raise UserError(f"the weights in {path} are not those that {record.id} was evaluated with; expected a --scratch that has them")


def keep_beside(method: Method, spec: RunSpec, device: torch.device, record: Path) -> None:
    """The encoder that the method is evaluated with, by our names, in a file beside its record; a warning where there is not one."""
    try:
        encoder, _ = evaluated(method, spec, device)
    except UserError as error:
        warnings.warn(f"no weights are kept: {error}", stacklevel=2)
        return
    state = {key: value.detach().cpu().contiguous() for key, value in encoder.state_dict().items()}
    save(state, kept_beside(record), {"spec": spec.canonical()})


def kept_beside(record: Path) -> Path:
    """The file of a run's weights beside its record, whichever part that is."""
    match = FILE_NAME.fullmatch(record.name)
    assert match, "a record's path"
    return record.with_name(f"{match['stem']}.safetensors")


def save(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """safetensors with the metadata, or where the name ends in .pth what torch.save writes; whole or not there."""
    if path.suffix == ".pth":
        beside = path.with_suffix(".tmp")
        torch.save(state, beside)
        beside.replace(path)
    else:
        # "pt" is what timm and others ask of such a file.
        write(path, safetensors.torch.save(state, {"format": "pt", **metadata}))
