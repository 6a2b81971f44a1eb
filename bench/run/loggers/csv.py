"""A CSV file a run, <method>-<seed>-<id>.csv: a row for each number, as step, name, value.

pandas.read_csv(path).pivot(index="step", columns="name", values="value")
"""

import csv
from pathlib import Path

from bench.machine.files import write
from bench.records.paths import stem
from bench.run.logger import Logger
from bench.spec import RunSpec

LIBRARY: str | None = None

COLUMNS = ("step", "name", "value")


class Log(Logger):
    def __init__(self, folder: Path, spec: RunSpec, first: int):
        path = folder / f"{stem(spec)}.csv"
        kept = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []
        kept = [line for line in kept if line.count(",") >= 2 and line.split(",")[0].isdigit() and int(line.split(",")[0]) < first]
        write(path, "".join(f"{line}\n" for line in (",".join(COLUMNS), *kept)))
        self.file = path.open("a", encoding="utf-8", newline="")
        self.rows = csv.writer(self.file, lineterminator="\n")

    def write(self, step: int, values: dict[str, float]) -> None:
        self.rows.writerows((step, name, value) for name, value in values.items())
        self.file.flush()

    def close(self) -> None:
        self.file.close()
