"""The whole site as bytes, a function of its source: the same records, files and docs give the same site.

pages(source)    {"index.html": b"…", "leaderboards/….html": …, "runs/<id>.html": …, "assets/site.css": …}
"""

import itertools
import posixpath
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from bench.folder_name import shown
from reports.bibliography import address_of, bibtex, paper
from reports.pages import leaderboard, programs
from reports.site import assets, boards, budget, comparisons, methods, outcomes, runs, sprites
from reports.site.documents import Documents, first_table, images_of, pages_of, section
from reports.site.methods import FigureView
from reports.site.rendering import render
from reports.site.source import Source

TOP = 10
"""Rows of the table on the home page."""


def pages(source: Source) -> dict[str, bytes]:
    """Every file of the site by its path below it."""
    return dict(Builder(source).every())


class Builder:
    """What the pages of one site share."""

    def __init__(self, source: Source):
        self.source = source
        files = pages_of(source.root)
        self.images = images_of(source.root, files)
        # Docs name methods' files, too: there they lead to the methods' pages.
        linked = {f"methods/{name}.py": page for name, page in source.method_pages.items()}
        self.documents = Documents(source.root, {**files, **self.images, **linked, "README.md": "index.html"})
        self.texts = files
        self.views = methods.views(source)
        shown_sets = sprites.found(source.root)
        self.copies = dict(self.views.values()) | {file: sprites.copy(file) for file in shown_sets.values()}
        self.compared = comparisons.data(source.boards, {name: sprites.facts(file) for name, file in shown_sets.items()})
        self.with_outcomes = {one["page"] for one in self.compared["tables"] if one["outcomes"]}
        self.there = frozenset(self._listed())

    def _listed(self) -> Iterator[str]:
        """The path of every page."""
        yield from ("index.html", "leaderboards/index.html", "method/index.html", "data/index.html")
        if self.compared["tables"]:
            yield "compare.html"
        yield from (board.page for board in self.source.boards)
        yield from (f"runs/{run}.html" for run in self.source.runs)
        yield from (*self.source.method_pages.values(), *self.source.data_pages.values(), *self.texts.values())

    def every(self) -> Iterator[tuple[str, bytes]]:
        """(path, content) of every file."""
        yield from self.files()
        for make in (self.home, self.leaderboards, self.runs, self.methods, self.data, self.compare, self.texts_of_docs):
            yield from make()

    def page(self, template: str, path: str, **values) -> tuple[str, bytes]:
        """A page that a template makes."""
        return path, render(template, path, self.there, **values)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """What is no page."""
        yield from assets.files().items()
        for stored in self.source.runs.values():
            for file in runs.files_of(stored):
                yield file.page, file.stored.content
        for path, copy in self.images.items():
            assert self.source.root is not None
            yield copy, (self.source.root / path).read_bytes()
        for file, copy in self.copies.items():
            yield copy, file.read_bytes()
        yield from outcomes.files([board for board in self.source.boards if board.page in self.with_outcomes])

    def home(self) -> Iterator[tuple[str, bytes]]:
        """What this is, the table in which most methods have a rank, and how much there is."""
        board = boards.foremost(self.source)
        columns = [column for column in boards.columns_of(board) if column.shown == "terminal"] if board else []
        rows = boards.rows_of(board, columns, self.source) if board else ()
        counts = {
            "methods with a record": sum(count > 0 for count in methods.counts(self.source).values()),
            "runs": len(self.source.runs),
            "tables": len(self.source.boards),
            "data sets trained on": len({shown(str(board.table.key["dataset"])) for board in self.source.boards}),
            "figures of papers": sum(page.startswith("figures/") and not page.endswith("/index.html") for page in self.texts.values()),
        }
        budgets = self.texts.get("docs/budgets.md")
        more = {"along": budget.along(self.source), "budgets_page": budgets, "verdicts": self.verdicts("docs/figures.md", "index.html")}
        yield self.page("home.html", "index.html", board=board, columns=columns, rows=itertools.islice(rows, TOP), counts=counts, **more)

    def verdicts(self, file: str, page: str) -> Markup:
        """The verdicts by scale that a shown file begins with, as they stand on another page; '' where there are none."""
        if file not in self.texts or self.source.root is None:
            return Markup("")
        table = first_table((self.source.root / file).read_text(encoding="utf-8"))
        return self.documents.of_text(table, page, posixpath.dirname(file)) if table.startswith("| scale ") else Markup("")

    def leaderboards(self) -> Iterator[tuple[str, bytes]]:
        """The list of tables, and a page for each."""
        listed = [(board, boards.facts_of(board), boards.best(board)) for board in self.source.boards]
        yield self.page("leaderboards.html", "leaderboards/index.html", listed=listed, data_pages=self.source.data_pages)
        for board in self.source.boards:
            columns, stem = boards.columns_of(board), board.page.removesuffix(".html")
            yield self.page(
                "leaderboard.html",
                board.page,
                board=board,
                facts=boards.facts_of(board),
                data_pages=self.source.data_pages,
                columns=columns,
                rows=boards.rows_of(board, columns, self.source),
                legend=boards.legend(self.documents, board.page),
                numbers=[(kind, f"{stem}.{kind.lower()}") for kind in ("CSV", "JSON")],
            )
            yield f"{stem}.csv", leaderboard.tidy_csv([board.table]).encode()
            yield f"{stem}.json", programs.of_tables([board.table])

    def runs(self) -> Iterator[tuple[str, bytes]]:
        """A page for each run."""
        for run in self.source.runs:
            shared = {"method_pages": self.source.method_pages, "data_pages": self.source.data_pages}
            yield self.page("run.html", f"runs/{run}.html", **runs.values(self.source, run), **shared)

    def methods(self) -> Iterator[tuple[str, bytes]]:
        """The list of methods, and a page for each."""
        counts, figures = methods.counts(self.source), methods.figures(self.source)
        listed = [(name, page, self.source.methods.get(name), counts[name]) for name, page in self.source.method_pages.items()]
        yield self.page("method_list.html", "method/index.html", listed=listed)
        recipes = self.source.root / "docs" / "recipes.md" if self.source.root else None
        text = recipes.read_text(encoding="utf-8") if recipes and recipes.is_file() else ""
        for name, page in self.source.method_pages.items():
            facts, recipe = self.source.methods.get(name), section(text, name)
            yield self.page(
                "method.html",
                page,
                name=name,
                facts=facts,
                paper=address_of(facts.paper) if facts else "",
                bibtex=bibtex(paper(facts.paper)) if facts and facts.paper else "",
                code=methods.code_of(facts.code) if facts else [],
                said=self.documents.of_text(methods.without_summary(facts.docstring), page, "methods") if facts else "",
                recipe=self.documents.of_text(recipe, page, "docs") if recipe else "",
                places=methods.places(self.source, name),
                numbers=methods.numbers,
                figures=[self.figure(title, page) for title in figures.get(name, [])],
                views=self.views[name][1] if name in self.views else None,
            )

    def figure(self, title: str, page: str) -> FigureView:
        """A paper's figure as a method's page shows it."""
        assert self.source.root is not None, "it was found there"
        file = f"docs/figures/{title}"
        claim = methods.claim_of((self.source.root / f"{file}.md").read_text(encoding="utf-8"))
        picture = self.images.get(f"{file}.svg")
        return FigureView(title, self.texts[f"{file}.md"], claim, picture, self.verdicts(f"{file}.md", page))

    def data(self) -> Iterator[tuple[str, bytes]]:
        """The list of data sets, and a page for each."""
        tables = Counter(shown(str(board.table.key["dataset"])) for board in self.source.boards)
        listed = [(name, page, self.source.datasets.get(name), tables[name]) for name, page in self.source.data_pages.items()]
        yield self.page("dataset_list.html", "data/index.html", listed=listed)
        for name, page in self.source.data_pages.items():
            here = [board for board in self.source.boards if shown(str(board.table.key["dataset"])) == name]
            yield self.page("dataset.html", page, name=name, facts=self.source.datasets.get(name), boards=here)

    def compare(self) -> Iterator[tuple[str, bytes]]:
        """Any two methods."""
        if self.compared["tables"]:
            yield self.page("compare.html", "compare.html", data=self.compared)

    def texts_of_docs(self) -> Iterator[tuple[str, bytes]]:
        """Pages that are Markdown in the checkout."""
        for file, page in self.texts.items():
            title = page.rpartition("/")[2].removesuffix(".html").replace("_", " ") if page != "figures/index.html" else "figures of papers"
            numbers = {kind: path for kind, path in self.numbers_of(file).items() if path.is_file()}
            copies = [(kind, f"{page.removesuffix('.html')}{path.suffix}") for kind, path in numbers.items()]
            yield self.page("text.html", page, title=title, body=self.documents.html(file), numbers=copies)
            for (_, copy), path in zip(copies, numbers.values(), strict=True):
                yield copy, path.read_bytes()

    def numbers_of(self, file: str) -> dict[str, Path]:
        """Where the numbers of a figure's page lie in the checkout; of other files nowhere."""
        if self.source.root is None or posixpath.dirname(file) != "docs/figures":
            return {}
        return {kind: (self.source.root / file).with_suffix(f".{kind.lower()}") for kind in ("CSV", "JSON")}
