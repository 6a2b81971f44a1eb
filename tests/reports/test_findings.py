"""docs/findings.md: every number that it states, made anew from the committed records."""

import functools
import re

import numpy as np
import pytest
from scipy import stats
from test_figures import committed

import methods
from places import ROOT
from reports.pages import agreement
from reports.plots import years
from reports.tables.rank_correlation import agreement as correlated
from reports.tables.rank_correlation import between_seeds

ENCODERS = ("resnet8", "vit_nano")


def table(name, encoder):
    return next(table for table in committed(name) if table.key["encoder"] == encoder)


@functools.cache
def said():
    """The page in one line."""
    return re.sub(r"\s+", " ", (ROOT / "docs/findings.md").read_text())


def ranked(encoder):
    return [row for row in table("cifar10_new_seeds", encoder).rows if row.kind == "method"]


def standing(encoder, column, beside, what):
    """'4 of 43' methods that stand so beside a reference."""
    compared = table("cifar10_new_seeds", encoder).compared[column]
    return f"{sum(compared.standing(row.label, beside) == what for row in ranked(encoder))} of {len(ranked(encoder))}"


def in_words(its):
    return f"{its.correlation:.2f} ({its.low:.2f} to {its.high:.2f})"


def test_pixels_and_untrained_features():
    count = functools.partial(standing, beside="pixels")
    linear, knn = ([count(encoder, column, what="above") for encoder in ENCODERS] for column in ("linear", "knn"))
    below = [count(encoder, "knn", what="below").split()[0] for encoder in ENCODERS]
    assert f"By the linear probe {linear[0]} methods are above them with resnet8 and {linear[1]} with the ViT" in said()
    assert f"by kNN {knn[0]} and {knn[1]}, and {below[0]} and {below[1]} are below" in said()
    count = functools.partial(standing, beside="random_rescaled")
    above, below = ([count(encoder, "linear", what=what) for encoder in ENCODERS] for what in ("above", "below"))
    assert f"{above[0]} are above untrained features" in said() and f"and {below[0].split()[0]} below; with the ViT {above[1]}" in said()
    assert f"{above[1]}, and {below[1].split()[0]} below. By kNN" in said()
    assert f"By kNN it is {count('resnet8', 'knn', what='above')}, and {count('vit_nano', 'knn', what='above')}" in said()


def test_who_leads():
    first = [ranked(encoder)[0] for encoder in ENCODERS]
    assert [row.label for row in first] == ["emp_ssl", "emp_ssl"]
    assert [row.rank for row in first] == [(1, 1), (1, 4)] and "(rank 1), and may rank 1 to 4" in said()


def test_what_orders_methods_alike():
    for column, needed in (("knn", True), ("rankme", False)):
        for encoder in ENCODERS:
            found = agreement.of_table(table("cifar10_new_seeds", encoder))["linear", column]
            assert in_words(found) in said() and (found.low > 0) is needed
    cells = [{row.label: row.cells["linear"] for row in ranked(encoder)} for encoder in ENCODERS]
    both = sorted(cells[0].keys() & cells[1].keys())
    found = correlated(*(np.array([its[label].mean for label in both]) for its in cells), "spearman")
    assert f"Over the {len(both)} methods that both have" in said() and in_words(found) in said()
    seeds = [between_seeds([its[label] for label in both], "spearman") for its in cells]
    assert f"of one encoder by {seeds[0]:.2f} and {seeds[1]:.2f}" in said() and min(seeds) > found.high


def test_the_year_says_nothing_that_can_be_told():
    known = {name: year for name in methods.names() if (year := methods.year(name))}
    for encoder in ENCODERS:
        its = table("cifar10_new_seeds", encoder)
        told = years.trend(its, years.grouped(its, known)).split(": ")[1]
        value, low, high = map(float, re.findall(r"-?\d\.\d+", told))
        assert f"{value:.2f} ({low:.2f} to {high:.2f})" in said() and low < 0 < high


@pytest.mark.parametrize(
    ("name", "verdict"), [("simclr_head", "contradicted"), ("moco_queue", "undecided"), ("npid_negatives", "contradicted")]
)
def test_the_verdicts_are_those_of_the_figures(name, verdict):
    line = next(line for line in (ROOT / "docs/figures.md").read_text().splitlines() if line.startswith(f"| [{name}]"))
    verdicts = {"reproduced", "contradicted", "undecided", "out of reach", "no verdict"}
    assert {cell.strip() for cell in line.split("|")} & verdicts == {verdict} and f"figures/{name}.md" in said()


def flattered(encoder, labels):
    """Label -> seed 0 less the mean of seeds 1, 2 and 3, on test."""
    first, later = (
        {row.label: row.cells["linear"].values for row in table(name, encoder).rows if "linear" in row.cells}
        for name in ("cifar10", "cifar10_new_seeds")
    )
    there = [label for label in first if label in later and later[label].keys() == {1, 2, 3} and label in labels]
    return {label: first[label][0] - np.mean(list(later[label].values())) for label in there}


def test_how_much_the_choice_of_a_seed_flatters():
    told = []
    for encoder in ENCODERS:
        found = list(flattered(encoder, {row.label for row in ranked(encoder)}).values())
        half = stats.sem(found) * stats.t.ppf(0.975, len(found) - 1)
        told.append((f"{np.mean(found):.1f} ± {half:.1f}", f"({len(found)} methods)"))
        floors = flattered(encoder, {"random", "random_rescaled"})
        told.append(tuple(f"{abs(floors[name]):.1f}" for name in ("random", "random_rescaled")))
        assert len({floors["random"] > 0, floors["random_rescaled"] > 0, encoder == "resnet8"}) == 1
    (resnet8, methods_8), above, (vit, methods_vit), below = told
    assert (
        f"that seed is {resnet8} above the mean of seeds 1, 2 and 3 with resnet8 {methods_8}, and {vit} with the ViT {methods_vit}"
        in said()
    )
    assert f"{above[0]} and {above[1]} above with resnet8, and {below[0]} and {below[1]} below with the ViT" in said()
