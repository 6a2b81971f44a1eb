"""The runs of folders of records, each with its files: what `verify` chooses from and `accept` looks at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.audit.compare import Of, key_of
from bench.errors import UserError
from bench.launch.logs import the_run
from bench.records.record import RunRecord
from bench.records.standing import same_weights
from bench.records.store import ResultStore
from bench.spec import method_name


@dataclass(frozen=True)
class Recorded:
    """One run in one folder."""

    store: ResultStore
    records: dict[Path, RunRecord]
    """All its parts by their files, in order."""

    @cached_property
    def parts(self) -> list[RunRecord]:
        """Those that count: the done ones with the weights of the first, else the last."""
        every = list(self.records.values())
        return same_weights(every) or every[-1:]

    @property
    def path(self) -> Path:
        """Of its first part."""
        return next(iter(self.records))

    @property
    def id(self) -> str:
        return self.parts[0].id

    @property
    def name(self) -> str:
        """'simclr seed 0'"""
        return f"{method_name(self.parts[0].spec['method'])} seed {self.parts[0].spec['seed']}"

    @cached_property
    def evals(self) -> tuple[str, ...]:
        """What any of its parts measured."""
        return tuple(dict.fromkeys(name for record in self.parts for name in record.evals))

    @property
    def seconds(self) -> float:
        """That it took where it was made: training, set-up and evaluation."""
        cost = self.parts[0].cost
        return cost.seconds + cost.setup_seconds + sum(record.cost.evaluation_seconds for record in self.parts)


def read(folders: Sequence[Path], hear: Callable[[ResultStore], None] = lambda store: None) -> list[Recorded]:
    """Every run that is done or diverged, by folder and path. hear: is told of each store once it was read. UserError where there is none,
    and where two folders have the same run with other values."""
    found: list[Recorded] = []
    for folder in folders:
        store = ResultStore(folder)
        parts: dict[str, dict[Path, RunRecord]] = {}
        for path, record in store.files_of().items():
            if record.status != "failed":
                parts.setdefault(record.id, {})[path] = record
        hear(store)
        found += [Recorded(store, records) for records in parts.values()]
    if not found:
        raise UserError(f"there is no record of a run in {', '.join(map(str, folders)) or 'results'}")
    refuse_others(found)
    return found


def require(found: Sequence[Recorded], beginning: str) -> Recorded:
    """The run whose id begins so; a UserError where there is none, or more than one."""
    where = ", ".join(dict.fromkeys(str(run.store.folder) for run in found))
    run_id = the_run(beginning, {run.id for run in found}, where)
    return next(run for run in found if run.id == run_id)


def values_of(run: Recorded) -> dict[Of, tuple[float | None, str | None]]:
    """What it measured, by what it is of: value and which images were right."""
    results = [result for record in reversed(run.parts) for result in record.results]
    return {key_of(result): (result.value, result.correct) for result in results}


def refuse_others(found: Sequence[Recorded]) -> None:
    """A UserError where one id stands in two folders with other values, which names both files: one of them is not the run."""
    first: dict[str, Recorded] = {}
    for run in found:
        other = first.setdefault(run.id, run)
        mine, theirs = values_of(run), values_of(other)
        for key in mine.keys() & theirs.keys():
            if mine[key] != theirs[key]:
                raise UserError(
                    f"{other.path} and {run.path} are one run with other values: of {key.evaluator} on {key.dataset}, {key.split} "
                    f"{key.metric}, {theirs[key][0]} and {mine[key][0]}"
                )
