"""Results: one immutable JSON record per run, and the folder that holds them.

    store = ResultStore("results")
    store.frame()          one row per run x evaluator x metric, tidy
    store.publish(record)  written beside, then linked to its final name: whole or not there

Schema of a record: results/README.md and bench/records/record.py.
"""

import itertools
import os
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bench.errors import UserError
from bench.folder_name import identity_of_request, is_folder
from bench.machine.files import put, sync_folder
from bench.machine.memory import no_collection
from bench.records.frame import merge, one_name_each, tidy
from bench.records.index import Index, Part
from bench.records.paths import RUN_ID, State, listing, order, order_below, path_below, path_in, run_of, state_of
from bench.records.record import MadeByNewer, RunRecord, from_text, to_text
from bench.records.standing import covers, same_weights
from bench.spec import RunSpec, ids_of

if TYPE_CHECKING:  # it takes half a second to import: only frame() pays for it
    import pandas


class ResultStore:
    """A folder of records, `<folder>/<dataset>/<method>-<seed>-<id>.json`; a later evaluation of the same run is the next
    part, `....2.json`. Nothing in it is ever overwritten or deleted."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.problems: list[tuple[Path, str]] = []
        """Files that were skipped since the last `records()`, `check()` or `frame()` began, and why."""
        self.newer: set[Path] = set()
        """Those of them that a newer program made."""
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """What was read before, by this process or another."""
        if self._index is None:
            self._index = Index(self.folder)
        return self._index

    def path(self, spec: RunSpec, part: int = 1) -> Path:
        """Where a part of this run's record belongs."""
        return self.folder / path_in(self.folder, spec, part)

    def publish(self, record: RunRecord) -> Path:
        """Put a record into the store, whole or not at all, and return where it is. Where the run's parts already hold everything
        that this record measured, they stay and nothing is written; else it becomes the next part. Raises OSError (disk full,
        read-only); the store is then as it was."""
        spec = RunSpec.from_json(record.spec)
        assert spec.id == record.id, f"record {record.id} is not of its spec, whose id is {spec.id}"
        content = to_text(record).encode()
        directory = self.path(spec).parent
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            earlier = []
            for part in itertools.count(1):
                path = self.path(spec, part)
                try:
                    put(temporary, path)
                    break
                except FileExistsError:
                    # None where it is broken: a broken part holds nothing, and stays.
                    earlier.append(self._part(f"{directory.name}/{path.name}"))
                    if covers([existing for existing in earlier if existing], record):
                        return path
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(directory)
        return path

    def records(self, runs: Collection[str] | None = None) -> list[RunRecord]:
        """Every sound record, sorted by path, parts in their order; the others are in `problems`. runs: of these alone, by id."""
        self.problems = []
        return list(self.files_of(runs).values())

    def check(self) -> None:
        """Look at every file that was not looked at as it is now; what is wrong is in `problems`."""
        self.problems = []
        for path, state in self._in_order():
            if not self.index.part(path, state):
                self._read(self.folder / path, state)
        self.index.save()

    def find(self, run_id: str) -> list[RunRecord]:
        """The parts of one run, in order; empty if the store has none."""
        return list(self.files_of([run_id]).values())

    def files_of(self, runs: Collection[str] | None = None) -> dict[Path, RunRecord]:
        """The same by their paths."""
        named = [item for item in self._in_order() if runs is None or any(run in runs for run in RUN_ID.findall(item[0]))]
        found = [(self.folder / path, state) for path, state in named]
        return {path: record for path, state in found if (record := self._read(path, state))}

    def parts(self, spec: RunSpec) -> list[Part]:
        """What is known of each part of one run, in order, without listing the folder: a plan asks this for thousands of specs."""
        names = (path_in(self.folder, spec, part) for part in itertools.count(1))
        there = itertools.takewhile(lambda below: os.path.lexists(os.path.join(self.folder, below)), names)
        return [part for below in there if (part := self._part(below))]

    def missing(self, spec: RunSpec, evals: Iterable[str], parts: list[Part] | None = None) -> tuple[str, ...]:
        """Which of these evaluators the run still needs: all if it failed or never ran, none if it diverged. parts: as `parts` says
        them, where the caller has them."""
        parts = self.parts(spec) if parts is None else parts
        held = {identity_of_request(name) for record in same_weights(parts) for name in record.evals}
        diverged = any(record.status == "diverged" for record in parts) and not any(record.status == "done" for record in parts)
        return () if diverged else tuple(name for name in evals if identity_of_request(name) not in held)

    @no_collection()
    def frame(self) -> "pandas.DataFrame":
        """Everything as one tidy table: a row per run x evaluator x metric, columns `COLUMNS` (bench/records/frame.py), in an order that
        depends on nothing but the records. A run without results has one row, whose evaluator is None. `.attrs["folder"]`: where."""
        self.problems = []
        if not self.index.whole:
            self._index = Index(self.folder, whole=True)
        index, now = self.index, self._listing()
        frame = index.table()
        # A run's rows depend on all of its parts: one that is new, changed or gone makes all of them anew.
        changed = set() if index.framed_as(now) else {run_of(path) for path, _ in index.framed.items() ^ now.items()}
        if changed:
            # Rows are known by their run's id, which a copy in another folder has too.
            ids = {stem[-16:] for _, stem in changed}
            again = sorted((path for path in now if run_of(path)[1][-16:] in ids), key=order_below)
            read = (self._of_run(list(paths), now) for _, paths in itertools.groupby(again, key=run_of))
            frame = merge(frame.loc[~frame["id"].isin(list(ids))], tidy((parts, sound) for parts, sound in read if parts))
            index.put_table(frame, {path: state for path, state in now.items() if index.part(path, state)})
            index.save()
        self._name_left_out(now)
        frame = one_name_each(frame)
        frame.attrs["folder"] = str(self.folder)
        return frame

    def _name_left_out(self, now: dict[str, State]) -> None:
        """Later parts of a run that measured other weights than its first one are `problems`."""
        # Of 'folder/simclr-0-0123456789abcdef.json' the last character but 21 is a '-'; of a later part, or what is no record, it is none.
        later = sorted((path for path in now if path[-22:-21] != "-"), key=order_below)
        for (directory, stem), paths in itertools.groupby(later, key=run_of):
            those = [path for path in (f"{directory}/{stem}.json", *paths) if path in now]
            parts = [(path, part) for path in those if (part := self.index.part(path, now[path]))]
            sound = same_weights([part for _, part in parts])
            for path in (path for path, part in parts if part.status == "done" and part not in sound):
                self._problem(self.folder / path, "its weights are not those of the run's first part; its results are left out")

    def _of_run(self, paths: list[str], states: dict[str, State]) -> tuple[list[tuple[int, RunRecord]], list[RunRecord]]:
        """(part number, record) of each part of a run, and those whose results count."""
        parts = [(order_below(path)[2], record) for path in paths if (record := self._read(self.folder / path, states[path]))]
        return parts, same_weights([record for _, record in parts])

    def _listing(self) -> dict[str, State]:
        """Every file that could be a record; what cannot be looked at is in `problems`."""
        return listing(self.folder, lambda below, reason: self._problem(self.folder / below, reason))

    def _in_order(self) -> list[tuple[str, State]]:
        """Every file that could be a record, by directory, run and part."""
        return sorted(self._listing().items(), key=lambda item: order_below(item[0]))

    def _part(self, below: str) -> Part | None:
        """What is known of the record at this path below the folder, from the index or from the file; None if it is not sound."""
        try:
            state = state_of(os.stat(os.path.join(self.folder, below)))
        except OSError as error:
            self._problem(self.folder / below, str(error))
            return None
        return self.index.part(below, state) or (Part.of(record) if (record := self._read(self.folder / below, state)) else None)

    def _read(self, path: Path, state: State) -> RunRecord | None:
        """The record at this path if it is sound, for the index too; else None, and the reason in `problems`."""
        try:
            record = from_text(path.read_bytes())
            # What hashes to its id is the spec that was written; only else is it worth the time to look closer.
            if record.id not in ids_of(record.spec) and not ((spec := RunSpec.from_json(record.spec)).complete and spec.id == record.id):
                raise ValueError(f"its id {record.id} is not the hash of its spec")
            dataset, method, seed = (record.spec[name] for name in ("dataset", "method", "seed"))
            below, expected = f"{path.parent.name}/{path.name}", path_below(dataset, method, seed, record.id, order(path)[2])
            if below != expected and not (is_folder(dataset) and path.name == expected.partition("/")[2]):  # it may have had another name
                raise ValueError(f"it belongs at {expected}")
            self.index.add(below, state, Part.of(record))
            return record
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            self._problem(path, f"{where}: {first['msg']}" if where else first["msg"])
        except MadeByNewer as error:
            self.newer.add(path)
            self._problem(path, str(error))
        except (OSError, UserError, ValueError, AssertionError, KeyError) as error:
            self._problem(path, str(error))
        return None

    def require_known(self, specs: Iterable[RunSpec]) -> None:
        """A UserError where a record of one of these runs, whose parts were looked at, is a newer program's: to train such a run again
        would be to repeat it."""
        for path in sorted(self.newer):
            spec = next((spec for spec in specs if f"-{spec.id}." in path.name), None)
            if spec:
                raise UserError(
                    f"the record of {spec.name}, {path}, was made by a newer program; update this one, or give another --results"
                )

    def _problem(self, path: Path, reason: str):
        if (path, reason) not in self.problems:
            self.problems.append((path, reason))
