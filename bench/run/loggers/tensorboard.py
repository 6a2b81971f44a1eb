"""TensorBoard's event files, a folder a run: `tensorboard --logdir <scratch>/loggers/tensorboard`."""

from pathlib import Path

from bench.records.paths import stem
from bench.run.logger import Logger
from bench.spec import RunSpec

LIBRARY: str | None = "tensorboard"


class Log(Logger):
    def __init__(self, folder: Path, spec: RunSpec, first: int):
        from torch.utils.tensorboard import SummaryWriter

        # purge_step: what a start before wrote of this step and of later ones is not shown.
        self.writer = SummaryWriter(str(folder / stem(spec)), purge_step=first)

    def write(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
