"""Weights that others trained, put into an encoder: read without running any code of theirs, and only where every name and shape is as it
must be.

    keep(Path("moco_v2_800ep.pth"), scratch)              a copy in scratch by its SHA-256, where runs find it
    fill(encoder, sha256, "moco", scratch, ...)           the encoder has its weights; on the meta device it is only compared

Which names a format has: formats.py.
"""

import argparse
import hashlib
import os
import pickle
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bench.encoders.encoder import Encoder
from bench.encoders.entry import EncoderEntry
from bench.encoders.foreign import LIBRARIES
from bench.encoders.formats import COUNTS, DIVIDER, as_ours, inner, require
from bench.encoders.nearest import nearest
from bench.errors import UserError, said

FOLDER = "weights"
"""Of scratch."""

VARIANCE = "running_var"
"""Of a BatchNorm: what the root is taken of."""

LISTED = 4
"""Names of each kind in a message."""


def sha256(path: Path) -> str:
    """Of a file's bytes, as sha256sum prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kept(digest: str, scratch: Path) -> Path:
    """Where runs look for the file with this SHA-256."""
    return scratch / FOLDER / digest


def keep(path: Path, scratch: Path) -> bool:
    """Lays a copy of the file where runs look for it; whether there was none."""
    copy = kept(sha256(path), scratch)
    if copy.exists():
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    beside = copy.with_name(f"{copy.name}.{os.getpid()}.tmp")
    shutil.copyfile(path, beside)
    os.replace(beside, copy)
    return True


def downloaded(entry: EncoderEntry, scratch: Path) -> Path:
    """A file in scratch with the weights that a library has for its model; the library downloads them where it has not yet. A UserError
    where it has none, or cannot be reached."""
    library = LIBRARIES.load(entry.family)
    try:
        state = library.pretrained(entry.shape["model"])
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(f"{entry.family} gives no weights for {entry.shape['model']}: {said(error)}") from error
    path = scratch / FOLDER / f"{entry.family}-{entry.shape['model']}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


def tensors_in(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file, by its keys with DIVIDER between those of dictionaries in each other. A UserError where it is neither
    safetensors nor what torch.load reads with weights_only=True: nothing of a pickle is run."""
    try:
        with torch.device("cpu"):  # a plan builds on the meta device, and reads numbers all the same
            return safetensors.torch.load_file(path)
    except safetensors.SafetensorError:
        pass
    try:
        # Checkpoints of DINO and MAE hold the arguments that they were made with: a Namespace holds values and runs nothing. What torch
        # thinks of a pickle's age is of no use to who asked for its tensors.
        with torch.device("cpu"), torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {wanted[1]}" if wanted else "it is no file of tensors"
        raise UserError(
            f"'{path}' is not read: {what}, and a pickle can run any code; expected safetensors, or a file of tensors alone, "
            "which who trusts it can make: torch.save(checkpoint['state_dict'], NEW)"
        ) from error
    # torch reads what is called .safetensors as that, too, and so fails as safetensors do.
    except (RuntimeError, EOFError, ValueError, KeyError, safetensors.SafetensorError) as error:
        what = f"'{path}' cannot be read as weights ({type(error).__name__})"
        raise UserError(f"{what}; expected safetensors, or what torch.save wrote") from error
    found: dict[str, Tensor] = {}
    flatten(loaded, "", found)
    if not found:
        raise UserError(f"'{path}' holds no tensor; expected the weights of a network")
    return found


def flatten(value: Any, name: str, found: dict[str, Tensor]) -> None:
    """The tensors in dictionaries in each other."""
    if isinstance(value, Tensor):
        found[name] = value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            flatten(one, f"{name}{DIVIDER if name else ''}{key}", found)


def fill(encoder: Encoder, digest: str, format: str, scratch: Path, name: str, build: Callable[[str, int], Encoder]) -> None:
    """Gives the encoder the weights of the file with this SHA-256. A UserError that lists what is missing, left over or of another shape,
    names what is not finite, and says which encoder fits. name: the encoder's. build: makes an encoder by its name and image size. On the
    meta device it is compared and not filled."""
    path = kept(digest, scratch)
    if not path.is_file():
        raise UserError(f"the weights {digest[:16]}… are not in {path.parent}: run `evaluate` with their file again")
    rule = require(format)
    published = inner(rule, tensors_in(path))
    renames = () if rule.ours else encoder.published_keys
    given, own = {as_ours(key, renames): value for key, value in published.items()}, encoder.state_dict()
    given |= {key: torch.zeros_like(value, device="cpu") for key, value in own.items() if key.endswith(COUNTS) and key not in given}
    problems = differences(given, own)
    if problems:
        raise UserError(f"the weights do not fit {name}: {'; '.join(problems)}. {nearest(published, rule.ours, build, encoder.takes)}")
    for key, value in given.items():
        if own[key].is_floating_point() and not value.is_floating_point():
            raise UserError(f"the weights have {value.dtype} in {key}; expected floating-point numbers, as before they were quantised")
        if value.is_floating_point() and not value.isfinite().all():
            raise UserError(f"the weights have a number that is not finite, in {key}; expected a training that did not diverge")
        if key.endswith(VARIANCE) and value.min() < 0:
            raise UserError(f"the weights have a variance of {value.min():g} in {key}; expected 0 or more")
    if rule.small_stem_padding is not None:
        pad_small_stem(encoder, rule.small_stem_padding)
    if not next(iter(own.values())).is_meta:
        encoder.load_state_dict(given)


def differences(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """What is missing, what is left over, and what has another shape; [] where the file fits."""
    both = [key for key in own if key in given and given[key].shape != own[key].shape]
    kinds = {
        "missing": [key for key in own if key not in given],
        "left over": [key for key in given if key not in own],
        "of another shape": [f"{key} {list(given[key].shape)} for {list(own[key].shape)}" for key in both],
    }
    return [f"{len(keys)} {kind}: {', '.join(keys[:LISTED])}{' ...' * (len(keys) > LISTED)}" for kind, keys in kinds.items() if keys]


def pad_small_stem(encoder: Encoder, padding: int) -> None:
    """The first convolution, where it is one of 3x3, pads its images by so many pixels."""
    first = next((module for module in encoder.modules() if isinstance(module, torch.nn.Conv2d)), None)
    if first is not None and first.kernel_size == (3, 3):
        first.padding = (padding, padding)
