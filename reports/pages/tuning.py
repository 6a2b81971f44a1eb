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
SAME = "the same runs"
NOTHING = "–"
TERA = 1e12

LEGEND = """\
- **default** the method as it is, by its recipe; **tuned** as the search chose. Where the two are the same, nothing better was told from
  the recipe.
- **val** mean over the seeds of trials, percent, by the linear probe on val, and the standard error of such a mean. Of the tuned row it is
  what was chosen by, so too high by chance: what tuning was worth is said by test.
- **test** columns: runs at reported seeds, none of which was searched. **beside default**: above, alike or below by the first of them, with
  the variance between seeds of all rows together and allowance for their number; or the same runs, where it was chosen as it is.
- **best of each study** percent on val: studies differ in nothing but the points that were tried. **trials** of both rounds, without the
  method as it is.
- **search TFLOP** of all trials, and **runs' worth** how many runs of the method as it is cost as much, – where that
  diverged. Trials are as many for every method; what they cost is the method's.
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
    standing = standings(section, tables, columns)
    head = ["method", "", "val", *(f"{column.header}, test" for column in columns), *(["beside default"] if standing else [])]
    head += ["best of each study", "trials", "search TFLOP", "runs' worth", "run TFLOP", "setting"]
    body = []
    for one in sorted(section.searched, key=lambda one: (-(one.tuned or 0.0), one.method)):
        cost = NOTHING if one.run_flops is None else f"{one.run_flops / TERA:.3g}"
        for which, val in ((DEFAULT, one.default), (TUNED, one.tuned)):
            row, tuned = row_of(tables[which], ids_of(one, which)), which == TUNED
            cells = [one.method, which, NOTHING if val is None else f"{val:.1f} ± {one.error:.1f}"]
            cells += [kinds.text(column, row.cells.get(column.key) if row else None) or NOTHING for column in columns]
            cells += [standing.get(one.method, NOTHING) if tuned else ""] if standing else []
            body.append([*cells, *(of_search(one) if tuned else ["", "", "", "", cost, "as it is"])])
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


def ids_of(one: Searched, which: str) -> tuple[str, ...]:
    """Its reported runs, as it is or as it was tuned."""
    return one.tuned_ids if which == TUNED else one.default_ids


def row_of(table: Table | None, ids: Sequence[str]) -> Row | None:
    """The row of these runs; None where there is no record of one. A method may have been searched at several settings."""
    return next((row for row in table.rows if {run for _, run in row.runs} & set(ids)), None) if table else None


def standings(section: Section, tables: dict[str, Table | None], columns: Sequence[Column]) -> dict[str, str]:
    """Method -> how its tuned row stands beside the default one, by the first column; empty where either table is missing."""
    if not columns or not all(tables.values()):
        return {}
    found, rows = {}, []
    for one in section.searched:
        default, tuned = (row_of(tables[which], ids_of(one, which)) for which in (DEFAULT, TUNED))
        if one.tuned_ids and one.tuned_ids == one.default_ids:
            # The runs are the same: counted twice they would pass for more to judge the variance by.
            found[one.method], tuned = SAME, None
        rows += [replace(row, label=f"{one.method} {which}") for which, row in ((DEFAULT, default), (TUNED, tuned)) if row]
    told = compare(rows, columns[0].key)
    for one in section.searched:
        labels = f"{one.method} {TUNED}", f"{one.method} {DEFAULT}"
        if {*labels} <= set(told.labels):
            found[one.method] = told.standing(*labels)
    return found


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
