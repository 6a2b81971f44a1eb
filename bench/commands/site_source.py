"""What the site is made of, collected: the records of every folder, their tables, and what methods' files and the catalogue say.

Nothing is trained, built or read of any data set for it, and torch is not imported.
"""

from collections.abc import Sequence
from pathlib import Path

from bench.commands.console import say_problems
from bench.commands.report import elsewhere, newest_versions, size_units
from bench.defaults import ROOT
from bench.errors import UserError
from bench.folder_name import shown
from bench.records.paths import stores
from bench.records.store import ResultStore
from bench.records.verification import standing
from reports.site.source import DataSetFacts, Folder, MethodFacts, Source, Stored
from reports.tables.build import build

RESULTS = Path("results")
"""Where the folders of records lie if none is named."""


def collected(folders: Sequence[str]) -> Source:
    """A UserError where a folder is not there, holds no record, or one of a newer program, and where two folders disagree on a run."""
    paths = list(dict.fromkeys(map(Path, folders))) or stores(RESULTS)
    if not paths:
        raise UserError(f"there is no record in {RESULTS}{elsewhere(RESULTS)}")
    found = tuple(read(path, name) for path, name in zip(paths, names_of(paths), strict=True))
    require_agreement(found)
    # An installed program has no docs beside it.
    return Source(found, method_facts(), dataset_facts(), ROOT if (ROOT / "docs").is_dir() else None)


def names_of(paths: Sequence[Path]) -> list[str]:
    """What pages call each folder: its own name, with a number behind the second of that name."""
    own = [path.resolve().name for path in paths]
    return [name if not (before := own[:place].count(name)) else f"{name} ({before + 1})" for place, name in enumerate(own)]


def read(path: Path, name: str) -> Folder:
    """A folder's records and tables, and what came of making its runs again."""
    if not path.is_dir():
        raise UserError(f"the results folder '{path}' (--results) is not there{elsewhere(path)}")
    store = ResultStore(path)
    stored = tuple(Stored(name, file.relative_to(path).as_posix(), record, file.read_bytes()) for file, record in store.files_of().items())
    if store.newer:
        first = sorted(store.newer)[0]
        raise UserError(f"{first} was made by a newer program, and a site without it would not be whole; update this one")
    say_problems(store)
    if not stored:
        raise UserError(f"there is nothing to show: {path} holds no record{elsewhere(path)}")
    return Folder(name, tuple(build(store.frame(), *newest_versions(), size_units())), stored, standing(path))


def require_agreement(folders: Sequence[Folder]) -> None:
    """A UserError that names both files where two folders have another value for one run's number."""
    known: dict[tuple, tuple[float | None, Stored]] = {}
    for stored in (stored for folder in folders for stored in folder.stored):
        for result in stored.record.results:
            # Within a folder the first part wins: test is read once.
            where = (stored.record.id, result.evaluator, result.dataset, result.split, result.metric, result.weights)
            value, other = known.setdefault(where, (result.value, stored))
            if value != result.value and other.folder != stored.folder:
                raise UserError(
                    f"two records of run {stored.record.id} disagree: {result.evaluator} {result.metric} is {value} in "
                    f"{other.folder}/{other.path} and {result.value} in {stored.folder}/{stored.path}; expected one value"
                )


def method_facts() -> dict[str, MethodFacts]:
    """Of every method here, from its file's text."""
    import methods

    return {
        name: MethodFacts(
            methods.summary(name),
            methods.METHODS.docstring(name),
            methods.family(name),
            methods.year(name),
            methods.paper(name),
            methods.METHODS.declared(name, "source", ""),
        )
        for name in methods.names()
    }


def dataset_facts() -> dict[str, DataSetFacts]:
    """Of every known data set, whether its files are here or not."""
    from bench.data import catalogue

    entries = [catalogue.entry(name) for name in catalogue.names()]
    return {
        shown(one.name): DataSetFacts(one.summary, dict(one.sizes), one.classes, one.metric, one.licence, one.source, one.revision)
        for one in entries
    }
