"""Weights & Biases, a run of project sslbench (WANDB_PROJECT) with our id: its own variables say where, and WANDB_MODE=offline whether."""

import os
from pathlib import Path
from typing import Any

import wandb as library  # pyright: ignore[reportMissingImports]

from bench.errors import UserError
from bench.records.paths import stem
from bench.run.logger import Logger
from bench.spec import RunSpec

LIBRARY: str | None = "wandb"

wandb: Any = library


def require() -> None:
    """A UserError where nobody is logged in: a worker has no terminal to be asked at."""
    if os.environ.get("WANDB_MODE", "online") in ("online", "run") and not wandb.login(prompt=False):
        raise UserError("--log wandb: nobody is logged in; expected `wandb login`, or WANDB_MODE=offline")


class Log(Logger):
    def __init__(self, folder: Path, spec: RunSpec, first: int):
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "sslbench"),
            id=spec.id,
            name=stem(spec),
            config=spec.to_json(),
            dir=str(folder),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True),
        )

    def write(self, step: int, values: dict[str, float]) -> None:
        self.run.log(values, step=step)

    def close(self) -> None:
        self.run.finish()
