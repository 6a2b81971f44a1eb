"""What a run's numbers are told to while it trains, beside its record: TensorBoard, Weights & Biases, MLflow, a CSV file.

A file of bench/run/loggers/ is one: `LIBRARY`, what pip calls the library it needs, or None, and its `Logger`. None of it is part of a
run's id, nor can it end a run: a logger that fails is left with a warning, and the training goes on.
"""

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.defaults import COMMAND
from bench.errors import UserError, said
from bench.records.record import Result
from bench.registry import Registry
from bench.spec import RunSpec

if TYPE_CHECKING:
    from bench.training.trainer import Trainer

LOGGERS = Registry("logger", "bench.run.loggers", f"{COMMAND} run --help")

INTERVAL = 0.5
"""Seconds between two writes of a training, at least; its last step is always written."""


class Logger(ABC):
    """One run's numbers at one logger."""

    @abstractmethod
    def __init__(self, folder: Path, spec: RunSpec, first: int):
        """folder: this logger's own in scratch, shared by all runs. first: the first step that will be written; what an earlier start
        of the run has written of it and of later ones is to be replaced."""

    @abstractmethod
    def write(self, step: int, values: dict[str, float]) -> None:
        """The numbers, by name, after this many steps."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""


def require_ready(names: Iterable[str]) -> None:
    """A UserError where there is no such logger, where its library is not installed, or where it says itself that it cannot begin."""
    for name in names:
        library = LOGGERS.declared(name, "LIBRARY")
        # The library is imported by the name that the file itself has.
        if library and find_spec(name) is None:
            raise UserError(f"--log {name} needs a library that is not installed: pip install {library}")
        getattr(LOGGERS.load(name), "require", lambda: None)()


class Loggers:
    """All that one run is told to; opened at the first number."""

    def __init__(self, names: tuple[str, ...], scratch: Path, spec: RunSpec):
        self.names, self.folder, self.spec = names, scratch / "loggers", spec
        self.opened: dict[str, Logger] | None = None
        self.losses: list[float] = []
        self.last, self.snapshots = 0.0, 0

    def of_training(self, trainer: "Trainer") -> None:
        """After a step: the mean loss since the last writing, learning rates, meters, and snapshots as they are taken."""
        if not self.names:
            return
        if self.opened is None:
            self.snapshots = len(trainer.snapshots.taken)
        self.losses.append(trainer.loss)
        taken = trainer.snapshots.taken[self.snapshots :]
        if taken or trainer.share >= 1 or time.monotonic() - self.last >= INTERVAL:
            self.last, self.snapshots = time.monotonic(), self.snapshots + len(taken)
            values = {"loss": sum(self.losses) / len(self.losses), **learning_rates(trainer), **of_meter(trainer)}
            for snapshot in taken:
                values |= in_names(Result(**result) for result in snapshot["results"])
            self.losses = []
            self.write(trainer.meter.steps, values)

    def of_results(self, step: int, results: Iterable[Result]) -> None:
        """What the run's evaluation found."""
        self.write(step, in_names(results))

    def write(self, step: int, values: dict[str, float]) -> None:
        """To all of them."""
        if self.opened is None:
            self.opened = {}
            for name in self.names:
                with Unharmed(name, self.opened):
                    folder = self.folder / name
                    folder.mkdir(parents=True, exist_ok=True)
                    self.opened[name] = LOGGERS.load(name).Log(folder, self.spec, step)
        for name, logger in tuple(self.opened.items()):
            with Unharmed(name, self.opened):
                logger.write(step, values)

    def close(self) -> None:
        """Once, whatever became of the run."""
        opened, self.opened, self.names = self.opened or {}, {}, ()
        for name, logger in tuple(opened.items()):
            with Unharmed(name, opened):
                logger.close()


class Unharmed:
    """A logger that fails inside is no more among those that are opened; a warning says so."""

    def __init__(self, name: str, opened: dict[str, Logger]):
        self.name, self.opened = name, opened

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if not isinstance(error, Exception):
            return False
        self.opened.pop(self.name, None)
        warnings.warn(f"--log {self.name} has failed and is left; the run goes on: {said(error)}", stacklevel=2)
        return True


def learning_rates(trainer: "Trainer") -> dict[str, float]:
    """'learning_rate' of what the recipe has no group for, and 'learning_rate/predictor' of each of its groups."""
    groups = trainer.optimizer.param_groups
    return {f"learning_rate/{group['own'].prefix.rstrip('.')}" if group["own"] else "learning_rate": group["lr"] for group in groups}


def of_meter(trainer: "Trainer") -> dict[str, float]:
    """What has been spent, and how fast."""
    meter = trainer.meter
    spent = {"budget_share": trainer.share, "images": meter.images, "flops": meter.flops, "seconds": meter.seconds}
    return spent | ({"images_per_second": meter.images / meter.seconds} if meter.seconds else {})


def in_names(results: Iterable[Result]) -> dict[str, float]:
    """'knn/cifar10/test/top1_k200_T0.1' and its value; what has none is left out."""
    return {
        "/".join(filter(None, (result.evaluator, result.dataset, result.split, result.metric, result.weights))): result.value
        for result in results
        if result.value is not None
    }
