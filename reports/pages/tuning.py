"""The page of a search: of every method a row as it is and one as it was tuned, what the search cost, and how far studies lie apart.

    write(sections, store.frame(), "reports/cifar10_budgets@tune")      tuning.md and tuning.csv

Accuracies on test are those of reported runs, at seeds that no search has seen, where there are records of them. The same records give the
same bytes.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas

from bench.machine import files
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.comparisons import compare
from reports.tables.table import Row, Table
from reports.tables.tuning import Searched, Section, reported

DEFAULT, TUNED = "default", "tuned"
NOTHING = "–"
TERA = 1e12

LEGEND = """\
- **default** the method as it is, by its recipe; **tuned** as the search chose. Where the two are the same, nothing better was told from
  the recipe.
- **val** mean over the seeds of trials, percent, by the linear probe on val, and the standard error of such a mean. Of the tuned row it is
  what was chosen by, so too high by chance: what tuning was worth is said by test.
- **test** columns: runs at reported seeds, none of which was searched. **beside default**: above, alike or below by the first of them, with
  the variance between seeds of all rows together and allowance for their number.
- **best of each study** percent on val: studies differ in nothing but the points that were tried. **trials** of both rounds, without the
  method as it is.
- **search TFLOP** of all trials, and **runs' worth** how many runs of the method cost as much. Trials are as many for every method; what
  they cost is the method's.
- **at edge** beyond the chosen value nothing was tried.
"""


def write(sections: Sequence[Section], frame: pandas.DataFrame, folder: str | Path) -> list[Path]:
    """tuning.md, tuning.csv and tuning.json in `folder`; returns their paths. frame: all records of reported runs."""
    return [
        files.replace(Path(folder) / "tuning.md", page(sections, frame).encode()),
        files.replace(Path(folder) / "tuning.csv", tidy_csv(sections).encode()),
        files.replace(Path(folder) / "tuning.json", programs.twin(tidy_csv(sections))),
    ]


def page(sections: Sequence[Section], frame: pandas.DataFrame) -> str:
    """The Markdown."""
    return "\n".join(["# Tuning\n", *(part(section, frame) for section in sections), "## How to read it\n", LEGEND])


def part(section: Section, frame: pandas.DataFrame) -> str:
    """A table of one data set, encoder and budget: two rows a method, the best on val first."""
    tables = {DEFAULT: reported(frame, section, False), TUNED: reported(frame, section, True)}
    columns = columns_of([table for table in tables.values() if table])
    standing = standings(tables, columns)
    head = ["method", "", "val", *(f"{column.header}, test" for column in columns), *(["beside default"] if standing else [])]
    head += ["best of each study", "trials", "search TFLOP", "runs' worth", "run TFLOP", "setting"]
    body = []
    for one in sorted(section.searched, key=lambda one: (-(one.tuned or 0.0), one.method)):
        for which, val in ((DEFAULT, one.default), (TUNED, one.tuned)):
            row, tuned = row_of(tables[which], one.method), which == TUNED
            cells = [one.method, which, NOTHING if val is None else f"{val:.1f} ± {one.error:.1f}"]
            cells += [kinds.text(column, row.cells.get(column.key) if row else None) or NOTHING for column in columns]
            cells += [standing.get(one.method, NOTHING) if tuned else ""] if standing else []
            body.append([*cells, *(of_search(one) if tuned else ["", "", "", "", f"{one.run_flops / TERA:.3g}", "as it is"])])
    return f"## {escape(section.title)}\n\n{grid(head, body, left=('method', '', 'setting', 'beside default'))}"


def of_search(one: Searched) -> list[str]:
    """The cells of a tuned row that its search fills."""
    worth = f"{one.search_flops / one.run_flops:.0f}" if one.run_flops else NOTHING
    trials = f"{one.trials}{f', {one.diverged} diverged' if one.diverged else ''}"
    chosen = one.chosen or ("as it is" if one.tuned is not None else "all diverged")
    setting = "; at edge: ".join(filter(None, [chosen, ", ".join(one.edges)]))
    best = " ".join(f"{score:.1f}" for score in one.best_of_studies) or NOTHING
    return [best, trials, f"{one.search_flops / TERA:.3g}", worth, "", setting]


def columns_of(tables: Sequence[Table]) -> list[Column]:
    """Accuracies on test that are shown everywhere, what ranks first."""
    found = {column.key: column for table in tables for column in table.columns}
    fitting = [one for one in found.values() if one.kind == "accuracy" and one.shown == "terminal" and not one.key.startswith("val:")]
    return sorted(fitting, key=kinds.position)


def row_of(table: Table | None, method: str) -> Row | None:
    """A method's row; None where there is no record of it."""
    return next((row for row in table.rows if row.method == method), None) if table else None


def standings(tables: dict[str, Table | None], columns: Sequence[Column]) -> dict[str, str]:
    """Method -> how its tuned row stands beside the default one, by the first column; empty where either table is missing."""
    if not columns or not all(tables.values()):
        return {}
    rows = [replace(row, label=f"{row.method} {which}") for which, table in tables.items() if table for row in table.rows]
    told = compare(rows, columns[0].key)
    methods = [row.method for row in rows if {f"{row.method} {DEFAULT}", f"{row.method} {TUNED}"} <= set(told.labels)]
    return {method: told.standing(f"{method} {TUNED}", f"{method} {DEFAULT}") for method in methods}


def tidy_csv(sections: Sequence[Section]) -> str:
    """A row for each trial's score, study by study in the order tried, and for each method as it is; without one where it diverged."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["table", "method", "round", "study", "trial", "val"])
    for section in sections:
        for one in section.searched:
            writer.writerow([section.title, one.method, DEFAULT, "", "", _number(one.default)])
            for round_, studies in enumerate((one.studies, one.second), 1):
                for study, scores in enumerate(studies, 1):
                    rows = ([round_, study, trial, _number(score)] for trial, score in enumerate(scores, 1))
                    writer.writerows([section.title, one.method, *row] for row in rows)
    return file.getvalue()


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.6g}"
