"""The weights that a run ends with: their hash, and their file."""

import contextlib
import hashlib
import os
from pathlib import Path

import safetensors.torch
import torch

from bench.errors import UserError
from bench.method import Method
from bench.records.store import ResultStore
from bench.spec import RunSpec


def sha256(method: Method) -> str:
    """Hash of every parameter and buffer, by name: two runs with the same one have the same weights, bit for bit."""
    digest = hashlib.sha256()
    for name, value in sorted(method.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def require_same(method: Method, store: ResultStore, spec: RunSpec) -> None:
    """A later evaluation must be of the weights that the run's record is about; a UserError where training gave others."""
    recorded = {record.weights_sha256 for record in store.parts(spec) if record.status == "done"}
    if recorded and sha256(method) not in recorded:
        raise UserError(
            f"the weights that {spec.name} ({spec.id}) was evaluated with are gone, and training it again gave others "
            "(another machine or version?): give the new evaluation a --results folder of its own"
        )


def export(method: Method, spec: RunSpec, path: Path) -> None:
    """All weights as safetensors beside the checkpoints, with the spec in the metadata; written beside and renamed."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in method.state_dict().items()}
    beside = path.with_suffix(".tmp")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    safetensors.torch.save_file(tensors, beside, metadata={"spec": spec.canonical()})
    os.replace(beside, path)
