"""The page of budgets: accuracy along the budget, which curves cross, what a level takes, and whether a small budget foretells a large one.

    write(courses(build(store.frame())), "reports/cifar10_budgets")      budgets.md, .csv and .json, of settings at several budgets

The figures are in reports/plots/budget_curves.py, what stands here in reports/tables/budgets.py. The same records give the same bytes.
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from bench.machine import files
from reports.pages import programs
from reports.pages.markdown import escape, grid
from reports.tables import columns as kinds
from reports.tables.budgets import TERA, Course, Crossing, Curve, tera
from reports.tables.rank_correlation import FEWEST
from reports.tables.table import KEY

LEVELS = (50, 60, 70)
"""Percent whose budget is asked for."""

NOTHING = "–"

LEGEND = """\
- Every budget is a training of its own, with its own schedule; a row is one setting at all of them. Only settings that two budgets or more
  have are here; leaderboard.md has the others, and what the marks say.
- **TFLOP for 50 %** the budget at which the line through the means, straight over the logarithm of the budget between those that were
  measured, first is at that accuracy; in brackets where the upper and the lower end of the intervals are (over seeds and test images).
  **more than** the largest budget, **at most** the smallest: nothing is read beyond what was measured. No interval below 3 seeds, nor where
  a seed diverged or failed.
- **Two curves cross** where the comparisons that ranks are by (paired, all pairs of a budget at once) call one method better at one budget
  and the other at a larger one. Each budget's comparisons err, in one pair or more of equal methods, in 5 % of cases. Curves whose order
  was not told at two budgets may cross too.
- **Kendall's tau** between the orders that two budgets give the methods by their means, with its 95 % interval by a bootstrap over methods;
  on the diagonal between the orders of two seeds of one budget, the mean over pairs. Means have less noise than single seeds, so a tau may
  be above both budgets' own. Methods of one family are no independent draws, and all were measured on the same test images: both make
  intervals look narrower than they are. Ceilings and floors are not counted.
"""


def write(found: Sequence[Course], folder: str | Path) -> list[Path]:
    """budgets.md, .csv and .json in `folder`; nothing where no setting has two budgets."""
    if not found:
        return []
    page = "\n".join(["# The budget as an axis\n", *map(section, found), "## How to read it\n", LEGEND])
    numbers = tidy_csv(found)
    made = {"md": page.encode(), "csv": numbers.encode(), "json": programs.twin(numbers)}
    return [files.replace(Path(folder) / f"budgets.{kind}", content) for kind, content in made.items()]


def tidy_csv(found: Sequence[Course]) -> str:
    """A row for each curve at each of its budgets: `runs` are its seeds' there."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    key = [name for name in KEY if name != "budget_amount"]
    writer.writerow([*key, "column", "kind", "method", "flops", "mean", "half_width", "seeds", "runs"])
    for course in found:
        for curve in course.curves:
            for flops, row in curve.rows.items():
                cell, runs = curve.cell(flops), " ".join(run for _, run in row.runs)
                half = "" if cell.half_width is None else f"{cell.half_width:.6g}"
                numbers = [f"{flops:.17g}", f"{cell.mean:.6g}", half, len(cell.values), runs]
                writer.writerow([*(course.key[name] for name in key), course.column.key, curve.kind, curve.label, *numbers])
    return file.getvalue()


def section(course: Course) -> str:
    """All of one course."""
    parts = (accuracies(course), crossings(course), orders(course))
    return f"## {escape(course.title)}\n\n" + "\n".join(parts)


def accuracies(course: Course) -> str:
    """A row for each curve, the best at the largest budget first, then floors: accuracies, and what the levels take."""
    head = ["method", *(f"{tera(flops)} TFLOP" for flops in course.budgets), *(f"TFLOP for {level} %" for level in LEVELS), "notes"]
    body = []
    for curve in course.curves:
        cells = [curve.cell(flops) if flops in curve.rows else None for flops in course.budgets]
        told = [kinds.text(course.column, cell) for cell in cells]
        body.append([curve.label, *told, *(needed(curve, level) for level in LEVELS), "; ".join(notes(curve))])
    for row in course.floors:
        told = [kinds.text(course.column, row.cells[course.column.key]), *[""] * (len(course.budgets) - 1)]
        body.append([row.label, *told, *[NOTHING] * len(LEVELS), "floor, at any budget"])
    return f"### {escape(course.column.header)}, by budget\n\n{grid(head, body)}"


def notes(curve: Curve) -> list[str]:
    """That it is a ceiling, and at which budgets a seed of it was lost or it collapsed."""
    lost = [flops for flops, row in curve.rows.items() if row.lost]
    collapsed = [flops for flops, row in curve.rows.items() if any("collapsed" in note for note in row.notes)]
    found = ["ceiling"] if curve.kind == "ceiling" else []
    found += [f"seeds lost at {', '.join(map(tera, lost))} TFLOP"] if lost else []
    return found + ([f"collapsed at {', '.join(map(tera, collapsed))} TFLOP"] if collapsed else [])


def needed(curve: Curve, level: float) -> str:
    """'7.4 [5.1, 11]', 'more than 30', 'more than 30 [12, > 30]', 'at most 1'"""
    its, (smallest, largest) = curve.needed(level), (tera(curve.budgets[end]) for end in (0, -1))
    short, words = ((f"{low}{smallest}", f"{high}{largest}") for low, high in (("≤ ", "> "), ("at most ", "more than ")))

    def told(flops: float, ends: tuple[str, str]) -> str:
        return ends[0] if flops == 0 else ends[1] if math.isinf(flops) else kinds.rounded(flops / TERA)

    if its.low is None or its.high is None or its.low == its.high:
        return told(its.flops, words)
    return f"{told(its.flops, words)} [{told(its.low, short)}, {told(its.high, short)}]"


def crossings(course: Course) -> str:
    """Which curves cross, or that none does as far as can be told."""
    found = course.crossings()
    head = "### Where curves cross\n\n"
    if not found:
        return f"{head}No two methods of which one is told to be better at one budget and the other at another.\n"
    order = {curve.label: place for place, curve in enumerate(course.curves)}
    found.sort(key=lambda its: (order[its.second], order[its.first], its.before))
    columns = ["better at first", "at TFLOP", "by", "better then", "from TFLOP", "by (later)"]
    return head + grid(columns, [crossing(its) for its in found], left=("better at first", "better then"))


def crossing(its: Crossing) -> list[str]:
    """A row of the table."""
    (before, ahead, half), (after, behind, later) = its.before, its.after
    return [its.first, tera(before), f"{ahead:.1f} ± {half:.1f}", its.second, tera(after), f"{-behind:.1f} ± {later:.1f}"]


def orders(course: Course) -> str:
    """Kendall's tau between every two budgets, and in words what the smallest says of the largest."""
    head = "### Whether the order at a small budget foretells that at a larger one\n\n"
    budgets = course.budgets
    table = [
        [tau(course, first, second) if place <= other else "" for other, second in enumerate(budgets)]
        for place, first in enumerate(budgets)
    ]
    if not any(cell not in ("", NOTHING) for row in table for cell in row):
        return f"{head}Fewer than {FEWEST} methods have two budgets: too few for an order to say anything.\n"
    columns = ["TFLOP", *map(tera, budgets)]
    said = [f"- {foretold(course, first, budgets[-1])}\n" for first in budgets[:-1]]
    return f"{head}{grid(columns, [[tera(flops), *row] for flops, row in zip(budgets, table, strict=True)])}\n{''.join(filter(None, said))}"


def tau(course: Course, first: float, second: float) -> str:
    """'0.52 [0.31, 0.70]'; of a budget and itself '0.64', between its seeds."""
    if first == second:
        own = course.own_seeds(first)
        return NOTHING if own is None else f"{own:.2f}"
    its = course.foretells(first, second)
    return str(its) if its else NOTHING


def foretold(course: Course, first: float, last: float) -> str:
    """One sentence on two budgets."""
    its = course.foretells(first, last)
    if its is None:
        return f"{tera(first)} and {tera(last)} TFLOP: fewer than {FEWEST} methods have both."
    verdict = "foretells" if its.low > 0 else "is the opposite of" if its.high < 0 else "cannot be said to foretell"
    alike = f"of 100 pairs about {50 * (1 + its.correlation):.0f} are in the same order"
    return f"The order at {tera(first)} TFLOP {verdict} that at {tera(last)}: tau {its} over {its.entries} methods; {alike}."
