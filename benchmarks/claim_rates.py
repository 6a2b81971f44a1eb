"""How often the rules that judge a claim err, and what they see: the last tables of docs/statistics.md, simulated here and printed.

python -m benchmarks.claim_rates             400 figures a row (bootstraps: 200), some minutes of one core
python -m benchmarks.claim_rates --quick     that it runs at all
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.error_rates import SEED_EFFECT, percent
from reports.claims.points import Point, Points
from reports.claims.rules import CONTRADICTED, REPRODUCED, Above, Agrees, Collapses, Peak, Reorders, Rises, Rule, Shrinks, Within
from reports.pages.markdown import grid

NOISE = 1.0
"""What a seed does to one arm alone, in points: a paired difference has 1.4 then, a little more than CIFAR-10 with resnet8."""

IMAGES = 1000
POINT = 0.0306
"""Of the score that decides whether an image is right, what moves an accuracy near 50 % by one point."""

Levels = Callable[[float], Mapping[str, float]]
"""An effect in points -> arm -> its true level."""

RULES: dict[str, tuple[Rule, Levels]] = {
    "Above": (Above("a", "b"), lambda e: {"a": e, "b": 0}),
    "Within 3": (Within("a", "b"), lambda e: {"a": max(3 - e, 0), "b": 0}),
    "Rises, evenly over 4 places": (Rises(tuple("abcd")), lambda e: {"a": 0, "b": e / 3, "c": 2 * e / 3, "d": e}),
    "Rises, between the first two of 4": (Rises(tuple("abcd")), lambda e: {"a": 0, "b": e, "c": e, "d": e}),
    "Peak of 2 places between 2": (Peak(("a", "d"), ("b", "c")), lambda e: {"a": 0, "b": e, "c": e, "d": 0}),
    "Peak, one end far below": (Peak(("a", "d"), ("b", "c")), lambda e: {"a": -20, "b": e, "c": e, "d": 0}),
    "Shrinks": (Shrinks(("a", "b"), ("c", "d")), lambda e: {"a": e, "b": 0, "c": 0, "d": 0}),
    "Collapses, as far as untrained": (Collapses("a", "b", None), lambda e: {"a": 0, "b": e, "floor": 0}),
    "Collapses, all far above untrained": (Collapses("a", "b", None), lambda e: {"a": 0, "b": e, "floor": -20}),
}
"""What is said of a rule -> the rule, and the levels of its arms where the effect is so large."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claim_rates", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5 figures a row")
    figures = 5 if parser.parse_args().quick else 400
    for title, made in (("Rules of points", contrasts), ("Agreement of two measures", agreement), ("Orders of two encoders", orders)):
        head, rows = made(figures, np.random.default_rng(0))
        print(f"{title}\n\n{grid(head, rows, (head[0],))}", flush=True)


def drawn(generator, levels: Mapping[str, float], seeds: int, noise: float = NOISE, images: int = 0) -> Points:
    """Points of arms at these levels: values that are normal over seeds, or accuracies near 50 % of so many test images, on which arms
    agree as much as methods do on photographs."""
    values = np.array(list(levels.values()))[:, None] + noise * generator.standard_normal((len(levels), seeds))
    values += SEED_EFFECT * generator.standard_normal(seeds)
    right: list = [None] * len(levels)
    if images:
        score = POINT * values[..., None] + generator.standard_normal(images) + 0.5 * generator.standard_normal((len(levels), 1, images))
        right = list(score + 0.5 * generator.standard_normal(score.shape) > 0)
        values = np.array([100 * its.mean(axis=1) for its in right])
    points = {arm: Point(dict(enumerate(its)), known, "test") for arm, its, known in zip(levels, values, right, strict=True)}
    return Points.given("linear", points, {"a": ("floor",)} if "floor" in levels else None)


def said(rule: Rule, figures: int, draw: Callable[[], Points]) -> tuple[str, str]:
    """Shares of figures: reproduced, contradicted."""
    verdicts = [rule.judge(draw()).verdict for _ in range(figures)]
    return percent(verdicts.count(REPRODUCED) / figures), percent(verdicts.count(CONTRADICTED) / figures)


def contrasts(figures: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Of no effect both verdicts, without images and with; of an effect how often it is seen."""
    rows = []
    for seeds in (3, 5):
        for name, (rule, levels) in RULES.items():
            none = said(rule, figures, lambda levels=levels, seeds=seeds: drawn(generator, levels(0), seeds))
            seen = said(rule, figures, lambda levels=levels, seeds=seeds: drawn(generator, levels(0), seeds, images=IMAGES))
            cells = [" / ".join(none), " / ".join(seen)]
            for effect, noise in ((2, NOISE), (4, NOISE), (4, 2.5)):
                draw = lambda e=effect, n=noise, levels=levels, seeds=seeds: drawn(generator, levels(e), seeds, n)  # noqa: E731
                cells.append(said(rule, figures, draw)[0])
            rows.append([name, str(seeds), *cells])
    return ["rule", "S", "no effect", f"no effect, {IMAGES:,} images", "2 points", "4 points", "4 points, noise 2.5"], rows


def agreement(figures: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Both verdicts where the correlation is at the level, and where it is above it."""
    rows, figures = [], max(5, figures // 2)
    for arms, level in ((8, 0.0), (12, 0.0), (27, 0.0), (8, 0.3), (12, 0.3), (27, 0.3)):
        names = tuple(f"m{number}" for number in range(arms))
        rule = Agrees(names, "linear", "knn", level=level)

        def draw(rho: float, names=names) -> Points:
            pearson = 2 * np.sin(np.pi * rho / 6)  # of normal values with this Spearman's correlation
            first, other = generator.standard_normal((2, len(names)))
            second = pearson * first + np.sqrt(1 - pearson**2) * other
            both = (("linear", first), ("knn", second))
            return Points.given("linear", {(arm, by): {0: value} for by, its in both for arm, value in zip(names, its, strict=True)})

        at = " / ".join(said(rule, figures, lambda draw=draw, level=level: draw(level)))
        rows.append([str(arms), str(level), at, *(said(rule, figures, lambda draw=draw, rho=rho: draw(rho))[0] for rho in (0.6, 0.8))])
    return ["arms", "level asked for", "correlation at it", "0.6", "0.8"], rows


def orders(figures: int, generator: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Both verdicts where two encoders have one order, and where what they have in common is half of the variance, or nothing."""
    rows, figures = [], max(5, figures // 2)
    for methods, spreads in ((12, (0.5, 0.5)), (27, (0.5, 0.5)), (27, (0.25, 0.75)), (27, (0.1, 1.5))):
        names = tuple(tuple(f"m{number} {encoder}" for number in range(methods)) for encoder in "ab")

        def draw(common: float, names=names, spreads=spreads) -> Points:
            shared, *own = generator.standard_normal((3, len(names[0])))
            levels = [common**0.5 * shared + (1 - common) ** 0.5 * its for its in own]
            values = {}
            for arms, level, spread in zip(names, levels, spreads, strict=True):
                values |= {arm: dict(enumerate(x + spread * generator.standard_normal(3))) for arm, x in zip(arms, level, strict=True)}
            return Points.given("linear", values)

        shares = [said(Reorders(names), figures, lambda draw=draw, common=common: draw(common)) for common in (1.0, 0.5, 0.0)]
        spread = " and ".join(map(str, spreads))
        rows.append([str(methods), spread, " / ".join(shares[0]), *(share[0] for share in shares[1:])])
    return ["methods", "spread over seeds", "the same order", "half in common", "nothing in common"], rows


if __name__ == "__main__":
    main()
