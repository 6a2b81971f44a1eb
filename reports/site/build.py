"""The whole site as bytes, a function of its source: the same records, files and docs give the same site.

pages(source)    {"index.html": b"…", "leaderboards/….html": …, "runs/<id>.html": …, "assets/site.css": …}
"""

import itertools
from collections import Counter
from collections.abc import Iterator

from bench.folder_name import shown
from reports.bibliography import address_of, bibtex, paper
from reports.site import assets, boards, comparisons, methods, runs
from reports.site.documents import Documents, images_of, pages_of, section
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
        self.compared = comparisons.data(source.boards)
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

    def home(self) -> Iterator[tuple[str, bytes]]:
        """What this is, the table in which most methods have a rank, and how much there is."""
        board = boards.foremost(self.source)
        columns = [column for column in boards.columns_of(board) if column.shown == "terminal"] if board else []
        rows = boards.rows_of(board, columns, self.source.method_pages, self.source.methods) if board else ()
        counts = {
            "methods with a record": sum(count > 0 for count in methods.counts(self.source).values()),
            "runs": len(self.source.runs),
            "tables": len(self.source.boards),
            "data sets trained on": len({shown(str(board.table.key["dataset"])) for board in self.source.boards}),
            "figures of papers": sum(page.startswith("figures/") and not page.endswith("/index.html") for page in self.texts.values()),
        }
        yield self.page("home.html", "index.html", board=board, columns=columns, rows=itertools.islice(rows, TOP), counts=counts)

    def leaderboards(self) -> Iterator[tuple[str, bytes]]:
        """The list of tables, and a page for each."""
        listed = [(board, boards.facts_of(board), boards.best(board)) for board in self.source.boards]
        yield self.page("leaderboards.html", "leaderboards/index.html", listed=listed, data_pages=self.source.data_pages)
        for board in self.source.boards:
            columns = boards.columns_of(board)
            yield self.page(
                "leaderboard.html",
                board.page,
                board=board,
                facts=boards.facts_of(board),
                data_pages=self.source.data_pages,
                columns=columns,
                rows=boards.rows_of(board, columns, self.source.method_pages, self.source.methods),
                legend=boards.legend(self.documents, board.page),
            )

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
                figures=figures.get(name, []),
            )

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
            yield self.page("text.html", page, title=title, body=self.documents.html(file))
