"""What a site is made of, as data: folders of records with their tables, facts of methods and of data sets, and where docs/ lies.

A page reads these and nothing else; bench/commands/site_source.py collects them.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.folder_name import shown
from bench.records.record import RunRecord
from bench.records.verification import Verification
from bench.spec import method_name
from reports.site.addresses import slug
from reports.tables.file_names import slugs
from reports.tables.table import Row, Table


@dataclass(frozen=True)
class Stored:
    """A record as it lies in a folder."""

    folder: str
    path: str
    """Below the folder: 'cifar10/simclr-0-0123456789abcdef.json'."""
    record: RunRecord
    content: bytes
    """The file."""


@dataclass(frozen=True)
class Folder:
    """A folder of records."""

    name: str
    """As pages call it; no two of a site are alike."""
    tables: tuple[Table, ...]
    stored: tuple[Stored, ...]
    """By path, a run's parts in order."""
    verified: Mapping[str, Sequence[Verification]] = field(default_factory=dict)
    """Run -> what came of making it again, oldest first."""


@dataclass(frozen=True)
class MethodFacts:
    """What a method's file says."""

    summary: str
    docstring: str
    family: str = ""
    year: int | None = None
    paper: str = ""
    """'arXiv:2002.05709' or 'doi:…'; '' where it has none."""
    code: str = ""
    """'google-research/simclr@383d414', several with commas."""


@dataclass(frozen=True)
class DataSetFacts:
    """What the catalogue says of a known data set."""

    summary: str
    sizes: Mapping[str, int | None]
    classes: int
    metric: str
    licence: str
    source: str
    revision: str


@dataclass(frozen=True)
class Board:
    """A table and where its page is."""

    folder: str
    table: Table
    page: str
    """Below the site: 'leaderboards/cifar10-….html'."""

    @property
    def name(self) -> str:
        """'cifar10: cifar10 · resnet8 · …'"""
        return f"{self.folder}: {self.table.title}"


@dataclass(frozen=True)
class Source:
    """All of it."""

    folders: tuple[Folder, ...]
    methods: Mapping[str, MethodFacts] = field(default_factory=dict)
    """Those that have a file here, by name."""
    datasets: Mapping[str, DataSetFacts] = field(default_factory=dict)
    root: Path | None = None
    """The checkout, whose docs/ and CHANGELOG.md are shown; None where there is none."""

    @functools.cached_property
    def boards(self) -> tuple[Board, ...]:
        """Every table of every folder."""
        found = []
        for folder in self.folders:
            for table, name in zip(folder.tables, slugs(list(folder.tables)), strict=True):
                found.append(Board(folder.name, table, f"leaderboards/{slug(f'{folder.name}-{name}')}.html"))
        return tuple(found)

    @functools.cached_property
    def runs(self) -> dict[str, tuple[Stored, ...]]:
        """Id -> all that is stored of a run, folder by folder, parts in order."""
        found: dict[str, list[Stored]] = {}
        for folder in self.folders:
            for stored in folder.stored:
                found.setdefault(stored.record.id, []).append(stored)
        return {run: tuple(stored) for run, stored in found.items()}

    @functools.cached_property
    def verified(self) -> dict[str, tuple[Verification, ...]]:
        """Id -> what came of making a run again, of all folders; of those that nobody has made again nothing."""
        found: dict[str, list[Verification]] = {}
        for folder in self.folders:
            for run, those in folder.verified.items():
                found.setdefault(run, []).extend(one for one in those if one not in found.get(run, ()))
        return {run: tuple(those) for run, those in found.items()}

    @functools.cached_property
    def boards_of_run(self) -> dict[str, tuple[tuple[Board, Row], ...]]:
        """Id -> the tables that a run stands in, each with its row."""
        found: dict[str, list[tuple[Board, Row]]] = {}
        for board in self.boards:
            for row in board.table.rows:
                for _, run in row.runs:
                    found.setdefault(run, []).append((board, row))
        return {run: tuple(places) for run, places in found.items()}

    @functools.cached_property
    def method_pages(self) -> dict[str, str]:
        """Method -> its page: those that have a record or a file."""
        recorded = {method_name(stored[0].record.spec["method"]) for stored in self.runs.values()}
        return {name: f"method/{slug(name)}.html" for name in sorted({*recorded, *self.methods})}

    @functools.cached_property
    def data_pages(self) -> dict[str, str]:
        """Data set, as it is shown -> its page: those that have a record or are known."""
        used = {shown(str(board.table.key["dataset"])) for board in self.boards}
        return {name: f"data/{slug(name)}.html" for name in sorted({*used, *self.datasets})}
