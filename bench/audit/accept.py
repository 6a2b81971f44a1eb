"""What of a submission is wrong: its files, its records by themselves and beside those that are there, its method files.

    for finding in findings(Path("results/mine"), [Path("results/cifar10")]):
        print(finding)

No file of the submission is run but by `keeps_contract`, which is called where a person asked for it.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import methods
from bench.audit.again import METHODS, not_the_file
from bench.audit.compare import key_of
from bench.audit.consistent import disagreements
from bench.audit.submission import LIST, Submission, inside, unshared
from bench.conformance.case import Broken
from bench.conformance.imports import require_nothing_else
from bench.data import catalogue
from bench.encoders import table
from bench.errors import UserError, said
from bench.records import index, verification
from bench.records.record import RunRecord
from bench.records.store import ResultStore
from bench.spec import RunSpec, settled
from reports.tables.statistics import FEWEST_SEEDS


def findings(folder: Path, listed: Submission, records: dict[Path, RunRecord], problems: Sequence, others: Sequence[Path]) -> Iterator[str]:
    """Sentences; none where it can be accepted. records, problems: what a store of the folder has. others: folders of records that are
    there already."""
    yield from of_files(folder, listed)
    for path, reason in problems:
        yield f"{path}: {reason}"
    if not records and not problems:
        yield f"{folder} holds no record"
    for path, record in records.items():
        yield from (f"{path}: {text}" for text in (*disagreements(record, path.read_text()), *unshared(record), *outdated(record)))
    yield from of_methods(folder, records)
    for other in others:
        yield from of_others(records, other)


def of_files(folder: Path, listed: Submission) -> Iterator[str]:
    """Every file is in the list, with the bytes that it was packed with, and no link. What `verify` and an index leave may come later."""
    there = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield f"{path}: a link; a submission holds files alone"
        elif path.is_file() and name not in (LIST, index.NAME) and not verification.NAME.fullmatch(path.name):
            there.add(name)
            if name not in listed.files:
                yield f"{path}: not in {LIST}"
            elif verification.digest(path) != listed.files[name]:
                yield f"{path}: changed after it was packed"
    for name in sorted(listed.files.keys() - there):
        yield f"{folder / name}: in {LIST}, and not there"


def outdated(record: RunRecord) -> Iterator[str]:
    """What of the run is older, or other, than the code has it: no table shows such a row."""
    spec = RunSpec.from_json(record.spec)
    try:
        if not methods.is_path(spec.method):
            version = settled(spec.method_version)
            if "+" not in version and version != str(methods.declared_version(spec.method)):
                yield f"made with version {version} of {spec.method}, and the code has {methods.declared_version(spec.method)}"
        encoder = table.require(settled(spec.encoder)).version
        if spec.encoder_version != encoder:
            yield f"made with version {spec.encoder_version} of {spec.encoder}, and the code has {encoder}"
        known = catalogue.entry(spec.dataset).revision
        if known and spec.data_revision != known:
            yield f"made on {spec.dataset} of revision {spec.data_revision}, and it is {known}"
    except UserError as error:
        yield str(error)


def of_methods(folder: Path, records: dict[Path, RunRecord]) -> Iterator[str]:
    """Each method file is there, is the one that made the runs, and imports what computes and nothing else. It is read and not run."""
    for path, record in records.items():
        spec = RunSpec.from_json(record.spec)
        file = folder / METHODS / spec.method
        if methods.is_path(spec.method) and inside(spec.method) and file.is_file() and (refusal := not_the_file(spec, file.read_bytes())):
            yield f"{path}: {refusal}"
    for method in filter(inside, own_methods(records)):  # of the others it is said in their records' lines
        file = folder / METHODS / method
        if not file.is_file():
            yield f"{file}, a method of these records, is not there"
            continue
        try:
            require_nothing_else(file)
        except Broken as error:
            yield f"{file}: {error}"
        except (SyntaxError, ValueError) as error:
            yield f"{file} cannot be read as Python: {said(error)}"


def of_others(records: dict[Path, RunRecord], folder: Path) -> Iterator[str]:
    """The same run with other values in another folder: one of the two is not that run."""
    known: dict[str, list[tuple[Path, RunRecord]]] = {}
    for path, record in ResultStore(folder).files_of().items():
        known.setdefault(record.id, []).append((path, record))
    for path, record in records.items():
        mine = {key_of(result): (result.value, result.correct) for result in record.results}
        for other, theirs in known.get(record.id, ()):
            for result in theirs.results:
                key = key_of(result)
                if key in mine and mine[key] != (result.value, result.correct):
                    yield (
                        f"{path} and {other} are one run with other values: of {key.evaluator} on {key.dataset}, {key.split} {key.metric}, "
                        f"{mine[key][0]} and {result.value}"
                    )
                    break


def notes(records: dict[Path, RunRecord]) -> Iterator[str]:
    """What a reader should know of records that may be accepted."""
    settings = Counter(
        (record.spec["method"], RunSpec.from_json({**record.spec, "seed": 0}).canonical()) for record in records.values() if record.results
    )
    few = sorted({method for (method, _), seeds in settings.items() if seeds < FEWEST_SEEDS})
    if few:
        yield f"fewer than {FEWEST_SEEDS} seeds of a setting of {', '.join(few)}: its row will have no interval and no rank"
    dirty = sum(bool(record.environment.get("dirty")) for record in records.values())
    if dirty:
        yield f"{dirty} records are of code that was changed and not committed: what it was nobody can see"


def own_methods(records: dict[Path, RunRecord]) -> list[str]:
    """Paths of the method files that are no part of this checkout, as the records have them."""
    return sorted({record.spec["method"] for record in records.values() if methods.is_path(record.spec["method"])})


def keeps_contract(folder: Path, records: dict[Path, RunRecord]) -> Iterator[str]:
    """What `check` says against the submission's method files. This runs them, with all that their author may have written."""
    from bench.conformance import outcomes
    from bench.conformance.case import Case

    for method in own_methods(records):
        file = folder / METHODS / method
        failed = [outcome for outcome in outcomes(Case(os.fspath(file))) if outcome.looked_at and not outcome.passed]
        yield from (f"{file}: {outcome.name}: {outcome.reason}" for outcome in failed)
