"""The files of figures from the records: what `figure draw` writes and `--check` compares. No data set need be on this disk."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import suites
from bench.commands.figure_records import Completions, Known, find
from bench.commands.figure_scales import RESULTS, specs
from bench.commands.request import require_writable
from bench.machine import files
from bench.records.store import ResultStore
from reports import papers
from reports.claims.at_scale import AtScale, look
from reports.claims.figure import Figure, Records

INDEX = os.path.join(os.pardir, "figures.md")
"""As named from the folder of pages."""


class Reader:
    """The records of figures: each folder is read once, however many figures have theirs in it."""

    def __init__(self, results: str | None = None, hear: Callable[[ResultStore], None] = lambda store: None):
        """results: the folder of scales that no suite has made. hear: is told of each store once it was read, and of what could not be."""
        self.results, self.hear = results or RESULTS, hear
        self.known: dict[str, Known] = {}
        self.completions = Completions()

    def records(self, figure: Figure, scale: str) -> Known:
        """All records of the folder that a scale's are in; none where it is not there."""
        chosen = figure.scales[scale]
        folder = suites.load(chosen.suite).results if isinstance(chosen, Records) else self.results
        if folder not in self.known:
            store = ResultStore(folder)
            self.known[folder] = Known(store.frame())
            self.hear(store)
        return self.known[folder]

    def look(self, name: str, figure: Figure, scales: Sequence[str] | None = None) -> list[AtScale]:
        """What the records say of a figure at these scales, or at all that it has."""
        found = []
        for scale in scales or figure.scales:
            known = self.records(figure, scale)
            records = find(specs(figure, scale), known, self.completions)
            found.append(look(name, figure, scale, known.frame, records.runs, records.wanted, records.left_out))
        return found

    def keep(self) -> None:
        """Leave what the runs came to for the next command."""
        self.completions.keep()

    def draw(self, name: str) -> tuple[list[AtScale], dict[str, bytes]]:
        """What the records say of one figure, and its files, named as from the folder of pages."""
        # A list draws nothing, and need not wait for what draws.
        from reports.pages import figures

        figure = papers.load(name)
        shown = self.look(name, figure)
        return shown, figures.files(name, figure, shown)

    def draw_all(self) -> dict[str, bytes]:
        """The files of every figure, and the index."""
        from reports.pages import figure_index

        made, every = {}, {}
        for name in papers.names():
            shown, own = self.draw(name)
            made |= own
            every[name] = papers.load(name), shown
        return made | {INDEX: figure_index.page(every).encode()}


def differing(made: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Files that are not as they would be drawn, or not there."""
    paths = {Path(os.path.normpath(folder / name)): content for name, content in made.items()}
    return [path for path, content in paths.items() if not path.is_file() or path.read_bytes() != content]


def replace(made: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write those that differ, each whole or not at all."""
    stale = differing(made, folder)
    for place in sorted({path.parent for path in stale}):
        require_writable("--output", place)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, made[os.path.relpath(path, folder)])
    return stale
