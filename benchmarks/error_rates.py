"""How often the intervals, marks and ranks of reports err: the tables of docs/statistics.md, which are simulated here and printed.

python -m benchmarks.error_rates             1,000 tables a row, a few minutes of one core
python -m benchmarks.error_rates --quick     that it runs at all
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from reports.pages.markdown import grid
from reports.tables import statistics
from reports.tables.cells import with_aggregate
from reports.tables.columns import AGGREGATE, column
from reports.tables.comparisons import compare
from reports.tables.table import Cell, Row

METHODS = 20
SEED_EFFECT = 1.0
"""What a seed does to all methods, in standard deviations of what it does to one."""

SPREADS = {
    "equal": np.ones(METHODS),
    "one method 3 times": np.r_[3.0, np.ones(METHODS - 1)],
    "one method 5 times": np.r_[5.0, np.ones(METHODS - 1)],
    "half of the methods twice": np.r_[2 * np.ones(METHODS // 2), np.ones(METHODS // 2)],
    "from 0.43 to 2.3, evenly in the logarithm": np.exp(np.linspace(-0.85, 0.85, METHODS)),
}
"""What is said of the spread over seeds of twenty methods -> their standard deviations."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.error_rates", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 tables a row")
    tables = 20 if parser.parse_args().quick else 1000
    for title, made in (("The interval of one method", means), ("Many tasks", aggregates), ("Equal methods", equal), ("Power", power)):
        head, rows = made(tables, np.random.default_rng(0))
        print(f"{title}\n\n{grid(head, rows, (head[0],))}", flush=True)


def percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def means(tables: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Share of intervals that hold the truth about new seeds and new test images."""
    rows = []
    for spreads in ((0, 1, 0.3), (0.05, 1, 0.3), (0.1, 1, 0.3), (0.3, 1, 0.3), (0, 0.3, 1)):
        cells = []
        for seeds, images_count in ((3, True), (5, True), (3, False)):
            hits = 0
            for _ in range(tables):
                right, truth = crossed(generator, seeds, 1000, *spreads)
                values = 100 * right.mean(axis=1)
                hits += abs(values.mean() - truth) <= statistics.interval(values, right if images_count else None)
            cells.append(percent(hits / tables))
        rows.append([", ".join(map(str, spreads)), *cells])
    return ["chance from seeds, images, both", "S = 3", "S = 5", "S = 3, seeds only (A without B)"], rows


def crossed(generator, seeds: int, images: int, seed_spread: float, image_spread: float, noise: float) -> tuple[np.ndarray, float]:
    """Correctness under chance from seeds, from test images and from both: bool [seeds, images], and its expectation in percent."""
    spread_all = (seed_spread**2 + image_spread**2 + noise**2) ** 0.5
    score = 1.0 + seed_spread * generator.standard_normal((seeds, 1)) + image_spread * generator.standard_normal(images)
    return score + noise * generator.standard_normal((seeds, images)) > 0, 100 * stats.norm.cdf(1.0 / spread_all)


def aggregates(tables: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Share of a transfer aggregate's intervals that hold the mean over many seeds."""
    rows = []
    for shared in (0.0, 0.5, 0.9):
        cells = []
        for tasks, seeds in ((4, 3), (8, 3), (4, 5), (8, 5)):
            targets = tuple(column("transfer", f"t{task}", "test", "linear_top1") for task in range(tasks))
            levels = generator.uniform(30, 90, tasks)

            def row_of(scores: np.ndarray, targets=targets) -> Row:
                cells = {target.key: Cell(0.0, None, dict(enumerate(scores[:, task].tolist()))) for task, target in enumerate(targets)}
                return with_aggregate([Row("m", "method", len(scores), cells)], targets)[0]

            def scores(count: int, tasks=tasks, levels=levels, shared=shared) -> np.ndarray:
                of_encoder = generator.standard_normal((count, 1)) * shared**0.5
                return levels + of_encoder + generator.standard_normal((count, tasks)) * (1 - shared) ** 0.5

            truth = float(stats.trim_mean(scores(100_000), 0.25, axis=1).mean())
            found = (row_of(scores(seeds)).cells[AGGREGATE.key] for _ in range(tables))
            cells.append(percent(sum(abs(cell.mean - truth) <= cell.half_width for cell in found) / tables))
        rows.append([percent(shared), *cells])
    return ["share of the variance that tasks have in common", "T = 4, S = 3", "T = 8, S = 3", "T = 4, S = 5", "T = 8, S = 5"], rows


def simulated(
    tables: int, generator: np.random.Generator, seeds: int, spreads: np.ndarray, levels: np.ndarray | float = 0.0, images: int = 0
) -> Iterator[list[Row]]:
    """Tables of METHODS methods and a drawn floor at 50, each method `levels` above it: values in standard deviations over seeds, or,
    with images, accuracies near 50 % of so many test images, on which methods agree as much as they do on photographs."""
    for _ in range(tables):
        values = np.r_[spreads, 1.0][:, None] * generator.standard_normal((METHODS + 1, seeds))
        values += SEED_EFFECT * generator.standard_normal(seeds)
        values[:METHODS] += np.reshape(levels, (-1, 1))
        right: list = [None] * (METHODS + 1)
        if images:
            score = 0.02 * values[..., None] + generator.standard_normal(images) + 0.5 * generator.standard_normal((METHODS + 1, 1, images))
            right = list(score + 0.5 * generator.standard_normal(score.shape) > 0)
            values = np.array([100 * its.mean(axis=1) for its in right])
        cells = [Cell(float(its.mean()), None, dict(enumerate(its.tolist())), found) for its, found in zip(values, right, strict=True)]
        names = [*(f"m{place}" for place in range(METHODS)), "random"]
        yield [
            Row(name, "floor" if name == "random" else "method", seeds, {"linear": cell}) for name, cell in zip(names, cells, strict=True)
        ]


def best_and_others(rows: list[Row]) -> tuple[int, np.ndarray]:
    """The method with the highest mean, and the values [METHODS, S]."""
    values = np.array([list(row.cells["linear"].values.values()) for row in rows[:METHODS]])
    return int(values.mean(axis=1).argmax()), values


def told(rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """bool [METHODS]: told from the best, told from the floor, as reports do."""
    found = compare(rows, "linear")
    best, _ = best_and_others(rows)
    return found.beyond[best, :METHODS] != 0, found.beyond[:METHODS, METHODS] != 0


def told_one_by_one(rows: list[Row]) -> np.ndarray:
    """The same from the best by a paired t test each, as if it had not been chosen."""
    best, values = best_and_others(rows)
    differences = values[best] - np.delete(values, best, axis=0)
    return np.abs(differences.mean(axis=1)) > stats.t.ppf(0.975, values.shape[1] - 1) * stats.sem(differences, axis=1)


def told_by_tukey(rows: list[Row]) -> np.ndarray:
    """The same by Tukey's test with one variance for all."""
    best, values = best_and_others(rows)
    left = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    freedom = (METHODS - 1) * (values.shape[1] - 1)
    error = (2 * (left**2).sum() / freedom / values.shape[1]) ** 0.5
    return values.mean(axis=1)[best] - values.mean(axis=1) > statistics.all_pairs(METHODS, freedom) * error


def told_after_bartlett(rows: list[Row]) -> np.ndarray:
    """The same by Tukey's test, or, where Bartlett's rejects equal variances at 5 %, with the variance of each difference by itself."""
    best, values = best_and_others(rows)
    if stats.bartlett(*values).pvalue >= 0.05:
        return told_by_tukey(rows)
    differences = values[best] - np.delete(values, best, axis=0)
    return differences.mean(axis=1) > statistics.all_pairs(METHODS, values.shape[1] - 1) * stats.sem(differences, axis=1)


RULES: dict[str, Callable[[list[Row]], np.ndarray]] = {
    "one by one": told_one_by_one,
    "one variance": told_by_tukey,
    "Bartlett first": told_after_bartlett,
}


def equal(tables: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """P(at least one of twenty equal methods is told from the best), and from a floor that is equal too; by other rules beside ours."""
    rows = []
    for seeds in (3, 5):
        for name, spreads in SPREADS.items():
            counts = dict.fromkeys(("best", "floor", *RULES), 0)
            for table in simulated(tables, generator, seeds, spreads):
                of_best, of_floor = told(table)
                counts["best"] += of_best.any()
                counts["floor"] += of_floor.any()
                for rule, decide in RULES.items():
                    counts[rule] += decide(table).any()
            rows.append([name, str(seeds), *(percent(count / tables) for count in counts.values())])
        counts = dict.fromkeys(("best", "floor"), 0)
        for table in simulated(tables, generator, seeds, np.ones(METHODS), images=1000):
            of_best, of_floor = told(table)
            counts["best"] += of_best.any()
            counts["floor"] += of_floor.any()
        rows.append(["equal, with 1,000 test images", str(seeds), *(percent(count / tables) for count in counts.values()), "", "", ""])
    return ["spread over seeds", "S", "from the best", "from a floor", *RULES], rows


def power(tables: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Share of ten methods, of twenty, that are told from the best of the other ten, which are that far above; and of the ten that are
    told from a floor that far below."""
    rows = []
    for seeds in (3, 5, 10):
        for distance in (2, 3, 4, 5):
            levels = np.r_[np.full(METHODS // 2, float(distance)), np.zeros(METHODS // 2)]
            shares = [
                (of_best[METHODS // 2 :].mean(), of_floor[: METHODS // 2].mean())
                for of_best, of_floor in map(told, simulated(tables, generator, seeds, np.ones(METHODS), levels))
            ]
            rows.append([str(distance), str(seeds), *map(percent, np.mean(shares, axis=0))])
    return ["apart, in standard deviations over seeds", "S", "told from the best", "told from a floor"], rows


if __name__ == "__main__":
    main()
