"""Checkpoints of one run: written beside and renamed, the last two kept, loaded strictly, another run's file refused.

A folder a run: <scratch>/<id>/step-000000012.pt, plain tensors and numbers (read with weights_only=True).
"""

import os
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bench.errors import UserError

KEEP = 2


class Checkpoints:
    """The checkpoints of the run with this id."""

    def __init__(self, root: Path, run_id: str):
        self.folder, self.run_id = Path(root) / run_id, run_id
        self.broken: set[Path] = set()
        """Those that `load` passed over; they must not count as one of the two that are kept."""
        self.writing: Future | None = None

    def path(self, step: int) -> Path:
        """Where the checkpoint after so many steps belongs."""
        return self.folder / f"step-{step:09d}.pt"

    def read(self, step: int) -> dict:
        """The checkpoint after so many steps, which is there and sound: what `load` found for another process of the run."""
        return torch.load(self.path(step), weights_only=True)

    def paths(self) -> list[Path]:
        """Complete checkpoints, newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def begin(self, step: int, state: dict) -> None:
        """`save` in the background: of `state` as it is now, while the training goes on. Raises what the one before raised."""
        self.settle()
        writer = ThreadPoolExecutor(1)
        self.writing = writer.submit(self.write, step, held(state))
        writer.shutdown(wait=False)

    def settle(self) -> None:
        """Wait for what `begin` began. Raises what it raised: OSError where the disk is full, ..."""
        writing, self.writing = self.writing, None
        if writing:
            writing.result()

    def save(self, step: int, state: dict) -> Path:
        """The checkpoint of `state`, on disk when this returns."""
        self.settle()
        return self.write(step, state)

    def write(self, step: int, state: dict) -> Path:
        """Write `state` so that at every moment either this checkpoint is whole or the one before it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.path(step)
        beside = final.with_suffix(f".{os.getpid()}.tmp")
        try:
            with beside.open("wb") as file:
                torch.save({"run_id": self.run_id, "step": step, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, final)
        except RuntimeError as error:
            # What the file said, a full disk or a broken one, torch hides behind an error of its archive.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        finally:
            beside.unlink(missing_ok=True)
        kept = [path for path in self.paths() if path not in self.broken - {final}][:KEEP]
        for old in set(self.paths()) - set(kept):
            old.unlink(missing_ok=True)
        return final

    def load(self, device: torch.device | str = "cpu") -> dict | None:
        """The newest readable checkpoint; None where there is none. A broken newest one is named in a warning and the one
        before it is used; where all are broken, or one belongs to another run, a UserError says so."""
        self.clean()
        paths = self.paths()
        for path in paths:
            try:
                state = torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # torch raises a dozen types for a broken archive
                warnings.warn(f"checkpoint {path} cannot be read ({type(error).__name__}); trying the one before it", stacklevel=2)
                self.broken.add(path)
                continue
            if not isinstance(state, dict) or state.get("run_id") != self.run_id:
                owner = state.get("run_id") if isinstance(state, dict) else None
                raise UserError(f"checkpoint {path} belongs to run {owner}, not to {self.run_id}; move it away")
            return state
        if paths:
            raise UserError(f"no checkpoint in {self.folder} can be read; delete that folder to start the run from zero")
        return None

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        for beside in self.folder.glob("*.tmp"):
            beside.unlink(missing_ok=True)


def held(value: Any) -> Any:
    """A copy that what comes later cannot change; its tensors are in the memory of the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: held(item) for key, item in value.items()}
    return type(value)(map(held, value)) if isinstance(value, list | tuple) else value
