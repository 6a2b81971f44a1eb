"""The columns that a table can have: which result goes where, what its header says, and how a number is written.

A result that no rule names still gets a column of its own in leaderboard.csv: nothing that was measured is lost.
"""

import itertools
import math
import re
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.folder_name import shown

FEWEST_TARGETS = 3
"""Transfer targets from which on their interquartile mean says something."""


@dataclass(frozen=True)
class Column:
    """`shown`: '' only in the CSV, 'report' also in Markdown, 'terminal' everywhere."""

    key: str
    header: str
    kind: str
    """accuracy (percent, with an interval) | aggregate (the same, over tasks) | number | cost"""
    order: float
    shown: str = ""
    ranks: bool = False
    """May decide the rank; the first such column of a table does."""
    target: bool = False
    """A transfer target, which the aggregate is over."""
    of_time: bool = False
    """Seconds, which depend on the processor."""
    optimum: float | None = None
    """Of a number: its best value as BEST has it, or None, and then nothing is ordered by it."""
    label_free: bool = False
    percent: bool = False
    """A share in percent by labels, of which more is better and no image is right or wrong: a number without an interval over images."""

    @property
    def best(self) -> float | None:
        """The best value that there can be: infinity where more is better, minus infinity where less is, another where it lies between;
        None where no value is said to be better than another."""
        return {"accuracy": math.inf, "aggregate": math.inf, "cost": -math.inf}.get(self.kind, self.optimum)

    @property
    def less(self) -> bool:
        """Less is better. Never of an accuracy or an aggregate: ranks, comparisons and the best of a column go by more."""
        return self.best == -math.inf

    @property
    def of_features(self) -> bool:
        """Whether it says how good features are, by labels or without: agreement.md sets every two such columns against each other."""
        return self.kind in ("accuracy", "number") and bool(self.shown or self.label_free) and self.best is not None


BEST = {
    r"alignment|uniformity|fpr95_k\d+|(ece|brier|nll)(_scaled)?": -math.inf,
    # Of eigenvalues that fall like rank^-alpha. Its authors find features good in a range of alpha, and by theory 1 to be the best of it.
    "alpha_req": 1.0,
    r"rankme|lidar|nesum|cluster_learnability|intrinsic_dimension|spearman_\w+|analogies": math.inf,
    r".*(top1|mean_per_class).*|(\w+_)?(mAP(_\d+|_at_R)?|mIoU|AP\d*)": math.inf,
}
"""Patterns of metrics, whichever evaluator's -> their best value, see `Column.best`. A metric that none of them names has none."""

FORETELLERS = ("alignment", "alpha_req", "rankme", "uniformity")
"""Metrics of the evaluator label_free that papers propose to judge features by; the rest of them tell whether they collapsed."""

AGGREGATE = Column("transfer_iqm_of_seeds", "transfer IQM", "aggregate", 50, "report")

CLID = Column("clid", "CLID", "number", 71, label_free=True, optimum=math.inf)
CLID_OF = ("cluster_learnability", "intrinsic_dimension")
"""Keys of the columns that it is made of."""

COSTS = (
    (Column("tflop", "TFLOP", "cost", 60, "terminal"), "flops", 1e12),
    (Column("seconds", "s", "cost", 61, "terminal", of_time=True), "seconds", 1),
    (Column("cpu_seconds", "CPU s", "cost", 61.5, "report", of_time=True), "cpu_seconds", 1),
    (Column("images", "items", "cost", 62, "report"), "images", 1),
    (Column("peak_memory", "MiB", "cost", 63, "report"), "peak_memory_bytes", 2**20),
    (Column("steps", "steps", "cost", 64), "steps", 1),
)
"""(column, the frame's column, how many of it make one)."""


def best_of(metric: str) -> float | None:
    """The best value of a number, as `Column.best` has it."""
    return next((best for pattern, best in BEST.items() if re.fullmatch(pattern, metric)), None)


Numbers = TypeVar("Numbers", float, np.ndarray)


def goodness(numbers: Numbers, best: float) -> Numbers:
    """A number, or many, whose best value is `best` -> more where it is better: itself, or turned, or less the farther from there."""
    if math.isinf(best):
        return numbers if best > 0 else -numbers
    return -abs(numbers - best)


def said(best: float | None) -> str:
    """', less is better'; ', nearer 1 is better'; '' where more is better or nothing is said."""
    return "" if best in (None, math.inf) else ", less is better" if best == -math.inf else f", nearer {best:g} is better"


def column(evaluator: str, dataset: str, split: str, metric: str, paired: bool = False) -> Column:
    """The column of a result. Accuracies on test rank; those of a search, on val, do where there are no others; the rest
    goes to the CSV. paired: which images were right is known of every seed, as it is not of the stages of older records."""
    return replace(_column(evaluator, dataset, split, metric, paired), optimum=best_of(metric))


def _column(evaluator: str, dataset: str, split: str, metric: str, paired: bool) -> Column:
    """The same, without what its best value is."""
    # A mean over classes stands where a plain accuracy would: a data set has one or the other.
    per_class = " (per class)" if "mean_per_class" in metric else ""
    plain = metric.replace("mean_per_class", "top1")
    fixed = re.fullmatch(r"top1_k(\d+)_T(.+)", plain)
    name = (evaluator, plain)
    if evaluator == "label_free":
        if metric == "rankme":
            return Column(metric, "RankMe", "number", 70, "terminal")
        foretells = metric in FORETELLERS
        return Column(metric, metric, "number", 71, label_free=foretells)
    if evaluator == "validation":
        title, order = {"linear_top1": ("linear (val)", 55), "knn_top1": ("kNN (val)", 56)}[plain]
        return Column(f"val:{metric}", title + per_class, "accuracy", order, "terminal", ranks=True)
    if evaluator == "stages":
        if plain == "top1":
            return Column("stages", f"best stage{per_class}", "accuracy", 15, "terminal", ranks=True)
        number = plain.removeprefix("stage").removesuffix("_top1")
        # Without images the interval would be of seeds alone, which is too narrow where images matter more: none is given.
        return Column(f"stages:{metric}", f"stage {number} (val){per_class}", "accuracy" if paired else "number", 57, "report")
    if evaluator == "projection":
        return _of_projection(metric, plain, per_class)
    if evaluator in FEW and (few := re.fullmatch(r"top1_n(\d+%?)(_draw\d+)?", plain)):
        amount, (begins, first) = few[1].removesuffix("%"), FEW[evaluator]
        title = f"{amount} % of labels" if few[1] != amount else f"{amount} labels a class"
        title, order = begins + title + per_class, first + int(amount) / 1e9
        if few[2]:
            return Column(f"{evaluator}:{few[1]}:{few[2][1:]}", f"{title}, {few[2][1:]}", "number", 81)
        return Column(f"{evaluator}:{few[1]}", title, "accuracy", order, "report")
    if evaluator in WRITTEN and (found := _written(evaluator, dataset, metric)):
        return found
    if evaluator in ("lidar", "nesum", "clid"):
        return Column(metric, {"lidar": "LiDAR", "nesum": "NESum"}.get(metric, metric), "number", 71, label_free=True)
    if evaluator == "word_similarity":
        title, order = WORDS[metric]
        return Column(metric, title, "number", order, "report", percent=metric == "analogies")
    if evaluator == "robustness":
        name = plain.removeprefix("top1_")
        if name == "corrupted":
            return Column("robustness", f"corrupted{per_class}", "number", 47, "report", percent=True)
        # Which images are right is known of the clean ones alone.
        return Column(f"robustness:{name}", f"{name}{per_class}", "accuracy" if name == "clean" else "number", 83)
    if evaluator == "shift":
        return Column(f"shift:{dataset}", f"shifted to {shown(dataset)}{per_class}", "accuracy", 42, "report")
    if split != "test":
        return Column(f"{evaluator}:{dataset}:{split}:{metric}", f"{evaluator} {dataset} {split} {metric}", "number", 90)
    if name == ("linear", "top1"):
        return Column("linear", f"linear{per_class}", "accuracy", 10, "terminal", ranks=True)
    if name == ("knn", "top1"):
        return Column("knn", f"kNN{per_class}", "accuracy", 20, "report", ranks=True)
    if evaluator == "knn" and fixed:
        return Column(f"knn_k{fixed[1]}_T{fixed[2]}", f"kNN (k={fixed[1]}){per_class}", "accuracy", 30, "terminal", ranks=True)
    if name == ("transfer", "linear_top1"):
        return Column(f"transfer:{dataset}", f"→ {shown(dataset)}{per_class}", "accuracy", 40, "terminal", target=True)
    kind = "accuracy" if "top1" in plain else "number"
    return Column(f"{evaluator}:{dataset}:{metric}", f"{evaluator} {dataset} {metric}", kind, 80)


FEW = {"few_labels": ("", 45), "finetune_few": ("fine-tuned on ", 45.5)}
"""Evaluators on a few labels of each class: how their headers begin, and their order."""

WORDS = {"spearman_wordsim353": ("WordSim-353", 46), "spearman_simlex999": ("SimLex-999", 46.1), "analogies": ("analogies", 46.2)}
"""Metrics of word_similarity, their headers and order."""

OF_IMAGES = "(top1|mean_per_class)"

WRITTEN = {
    "retrieval": (("recall_at_1", "recall@1", "accuracy", 47), ("mAP_at_R", "mAP@R", "accuracy", 47.1)),
    "few_shot": tuple(
        (f"{classifier}_5way{shots}shot", f"{shots}-shot {classifier} → {{}}", "accuracy", 48 + number / 10)
        for number, (shots, classifier) in enumerate(((1, "centroid"), (5, "centroid"), (1, "logistic"), (5, "logistic")))
    ),
    "ood": ((r"auroc_k\d+", "AUROC not {}", "accuracy", 49), (r"fpr95_k\d+", "FPR95 not {}", "number", 49.1)),
    "calibration": tuple(
        (f"{name}{suffix}", f"{title}{scaled}", "number", 58 + place / 10 + bool(suffix) / 20)
        for place, (name, title) in enumerate((("ece", "ECE"), ("brier", "Brier"), ("nll", "NLL")))
        for suffix, scaled in (("", ""), ("_scaled", ", scaled"))
    ),
    # Of mean average precision and the like no image is right or wrong: no interval over images, so none at all.
    "multilabel": (("mAP", "linear mAP → {}", "number", 44),),
    "linear_sgd": ((OF_IMAGES + r"_epochs\d+", "linear by SGD {}", "accuracy", 43),),
    "finetune": ((OF_IMAGES, "fine-tuned {}", "accuracy", 51), ("mAP", "fine-tuned mAP {}", "number", 51.1)),
    "finetune_adamw": (
        (OF_IMAGES, "fine-tuned by AdamW {}", "accuracy", 51.11),
        ("mAP", "fine-tuned by AdamW mAP {}", "number", 51.12),
    ),
    "finetune_last": tuple(
        (
            f"{OF_IMAGES}_last{count}",
            f"last {count} stages fine-tuned {{}}" if count else "encoder frozen {}",
            "accuracy",
            51 + count / 1000,
        )
        for count in range(100)
    ),
    "frame_order": (("top1", "frame order", "accuracy", 46.3),),
    "scratch": ((OF_IMAGES, "from scratch {}", "accuracy", 51.2), ("mAP", "from scratch mAP {}", "number", 51.3)),
    "segmentation": (("frozen_mIoU", "linear mIoU {}", "number", 52), ("finetuned_mIoU", "fine-tuned mIoU {}", "number", 52.1)),
    "detection": tuple(
        (f"{kind}_{metric}", f"{weights} {metric} {{}}", "number", 53 + place / 10)
        for place, ((kind, weights), metric) in enumerate(
            itertools.product((("frozen", "frozen"), ("finetuned", "fine-tuned")), ("AP", "AP50", "AP75"))
        )
    ),
}
"""Evaluator -> (metric, header with its data set, kind, order) of what is shown in Markdown; the rest of it goes to the CSV."""


def _written(evaluator: str, dataset: str, metric: str) -> Column | None:
    """The column of a metric that WRITTEN names, with the data set in its key where its header names it."""
    for pattern, header, kind, order in WRITTEN[evaluator]:
        if re.fullmatch(pattern, metric):
            key = f"{evaluator}:{dataset}:{metric}" if "{}" in header else f"{evaluator}:{metric}"
            ending = " (per class)" * ("mean_per_class" in metric) + said(best_of(metric) if kind == "number" else None)
            percent = bool(re.fullmatch(r"(\w+_)?(mAP|mIoU|AP\d*)", metric)) and kind == "number"
            return Column(key, header.format(shown(dataset)) + ending, kind, order, "report", percent=percent)
    return None


def _of_projection(metric: str, plain: str, per_class: str) -> Column:
    """Of what the projector makes: the names of the encoder's own columns behind the evaluator's."""
    name = metric.replace("_mean_per_class", "").replace("_top1", "")
    if plain in ("linear_top1", "knn_top1"):
        title = "linear" if name == "linear" else "kNN"
        return Column(f"projection:{name}", f"{title} (projection){per_class}", "accuracy", 46, "report")
    kind = "accuracy" if "top1" in plain else "number"
    return Column(f"projection:{name}", f"{name} (projection){per_class}", kind, 82)


def elsewhere(column: Column, place: str) -> Column:
    """A column of time as measured on other processors than those that its cells are of: for the CSV."""
    return replace(column, key=f"{column.key} on {place}", header=f"{column.header} on {place}", shown="")


def position(column: Column) -> tuple[float, str]:
    """Sort key: columns stand in the same order in every table."""
    return column.order, column.key


def rounded(number: float) -> str:
    """Three significant digits where it is small, whole numbers with separators where it is large."""
    return f"{number:,.0f}" if abs(number) >= 100 or number == 0 else f"{number:.3g}"


def text(column: Column, cell) -> str:
    """'93.1 ± 0.4 =' for an accuracy, '41' for a number, '2.4' for a cost; '–' where there is no cell."""
    if cell is None:
        return "–"
    if column.kind not in ("accuracy", "aggregate"):
        return f"{rounded(cell.mean)}{f' {cell.mark}' if cell.mark else ''}"
    half = "" if cell.half_width is None else f" ± {cell.half_width:.1f}"
    return f"{cell.mean:.1f}{half}{' =' if cell.tied else ''}"
