"""Reports: statistics against formulas written out and simulation; what may stand in one table; equal records, equal bytes."""

import csv
import io
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas
import pytest
from click.testing import CliRunner
from matplotlib.text import Text
from rich.console import Console
from scipy import stats

import run_bench
from bench.errors import UserError
from bench.records.record import Cost, Result, RunRecord, pack, unpack
from bench.records.store import ResultStore
from bench.spec import Budget, Recipe, RunSpec
from reports.pages import differences
from reports.pages.leaderboard import markdown, print_table, write
from reports.plots import cost, families, years
from reports.plots.label_placement import spread
from reports.tables import columns
from reports.tables.build import build
from reports.tables.comparisons import compare
from reports.tables.labels import labels as labels_of
from reports.tables.statistics import interval

N = 400


def spec(method="simclr", seed=0, **changes):
    facts = {
        "dataset": "mnist5k", "budget": Budget("images", 20000), "encoder": "resnet8", "image_size": 28, "precision": "bf16",
        "method_version": "1",
        "data_revision": "abc", "recipe": Recipe("sgd", lr=0.1), "hyper_parameters": {"temperature": 0.5},
    } | changes  # fmt: skip
    return RunSpec(method=method, seed=seed, **facts)


def result(evaluator, dataset, metric, accuracy, seed, weights=None):
    # Image i is right where its difficulty, the same for every method, plus the run's own luck, is below the accuracy.
    generator = np.random.default_rng([seed, len(evaluator), len(dataset), len(metric), round(accuracy * 10)])
    difficulty = 0.7 * np.random.default_rng(len(dataset)).permutation(N) / N + 0.3 * generator.permutation(N) / N
    right = difficulty < np.quantile(difficulty, accuracy / 100)
    return Result(evaluator=evaluator, dataset=dataset, split="test", metric=metric, value=100 * float(right.mean()), n=N,
                  correct=pack(right), weights=weights)  # fmt: skip


def run(method, accuracy, seed=0, status="done", flops=2.4e12, collapsed=0.0, targets=("digits",), weights=(), changes=None, **facts):
    """A record whose accuracies are near `accuracy`."""
    made = spec(method, seed, **(changes or {}))
    results = ()
    if status == "done":
        results = (
            result("linear", made.dataset, "top1", accuracy, seed),
            result("knn", made.dataset, "top1", accuracy - 4, seed),
            result("knn", made.dataset, "top1_k200_T0.1", accuracy - 8, seed),
            *(result("transfer", name, "linear_top1", accuracy - 2, seed) for name in targets),
            *(result("linear", made.dataset, "top1", accuracy - 5, seed, weights=name) for name in weights),
            Result(evaluator="label_free", dataset=made.dataset, split="train", metric="rankme", value=41.0 + seed, n=N),
            Result(evaluator="label_free", dataset=made.dataset, split="train", metric="collapsed_centred", value=collapsed, n=N),
        )
    cost = Cost(steps=78, images=20000, flops=flops, seconds=15.0 + seed, peak_memory_bytes=2**29)
    evals = ("linear", "knn", "label_free") if status == "done" else ()
    return RunRecord(id=made.id, spec=made.to_json(), suite="demo", status=status, evals=evals, cost=cost, results=results,
                     hardware={"model": "Xeon"}, environment={"threads": 2}, **facts)  # fmt: skip


def study():
    """Nine methods x three seeds with floors, a ceiling, a collapse, a divergence and a teacher's student."""
    records = []
    accuracies = {"simclr": 93.1, "byol": 92.9, "moco": 91.2, "swav": 88.0, "rotation": 74.0, "jigsaw": 71.5, "autoencoder": 43.0}
    for seed in range(3):
        records += [run(name, value, seed, flops=(1 + len(name)) * 3e11) for name, value in accuracies.items()]
        records.append(run("simsiam", 20.0, seed, collapsed=1.0))
        records.append(run("dino", 90.0, seed, flops=6.1e12, weights=("student",)))
        records.append(run("random", 47.5, seed, flops=0.0, trained=False))
        records.append(run("pixels", 60.0, seed, flops=0.0, trained=False, weights=()))
        records.append(run("supervised", 97.0, seed, uses_labels=True))
    records[1] = run("byol", 0, 0, status="diverged", error="NaN loss at step 12")
    return records


def frame_of(folder, records):
    store = ResultStore(folder)
    for record in records:
        store.publish(record)
    frame = store.frame()
    assert store.problems == []
    return frame


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return frame_of(tmp_path_factory.mktemp("results"), study())


def test_stages_have_an_interval_where_it_is_known_which_images_were_right(tmp_path):
    """As since they are kept; older records' have the mean that they had, and no interval."""

    def record(method, seed, kept):
        one = result("stages", "cifar10", "stage2_top1", 30 + seed, seed)
        return replace(run(method, 50.0, seed), results=(replace(one, split="val", correct=kept(one.correct)),))

    new, old = (lambda bits: bits), (lambda bits: None)
    for name, ways, kind in (("new", (new, new), "accuracy"), ("old", (old, old), "number"), ("mixed", (new, old), "number")):
        records = [record(method, seed, way) for method, way in zip(("simclr", "byol"), ways, strict=True) for seed in range(3)]
        (table,) = build(frame_of(tmp_path / name, records))
        (column,) = [column for column in table.columns if column.key == "stages:stage2_top1"]
        assert column.kind == kind and column.header == "stage 2 (val)" and (column.key in table.compared) == (kind == "accuracy"), name
        assert table.ranked_by is None
        first = table.rows[0].cells[column.key]
        assert ("±" in columns.text(column, first)) == (kind == "accuracy")
        if name == "new":
            assert first.half_width == pytest.approx(interval(np.array(list(first.values.values())), first.correct))


def test_a_projector_that_collapses_alone_is_no_collapsed_encoder(tmp_path):
    flag = Result(evaluator="projection", dataset="mnist5k", split="train", metric="collapsed_centred", value=1.0, n=N)
    probe = [result("projection", "mnist5k", "linear_top1", 30.0, seed) for seed in range(3)]
    records = [(whole := run("simclr", 93.0, seed)) and replace(whole, results=(*whole.results, flag, probe[seed])) for seed in range(3)]
    (table,) = build(frame_of(tmp_path, records))
    assert table.rows[0].notes == ()
    shown = {column.key: column.header for column in table.columns if column.shown}
    assert shown["projection:linear"] == "linear (projection)" and "projection:collapsed_centred" not in shown


def test_columns_of_shares_of_labels_of_corruptions_and_of_shifts():
    share, number = (columns.column("few_labels", "x", "test", f"top1_n{amount}") for amount in ("1%", "20"))
    assert (share.key, share.header, share.kind) == ("few_labels:1%", "1 % of labels", "accuracy")
    assert columns.position(share) < columns.position(number)
    tuned, one = (columns.column("finetune_few", "x", "test", f"mean_per_class_n20{draw}") for draw in ("", "_draw1"))
    assert (tuned.key, tuned.header) == ("finetune_few:20", "fine-tuned on 20 labels a class (per class)")
    assert (tuned.kind, tuned.shown, one.kind, one.shown) == ("accuracy", "report", "number", "")
    assert columns.position(tuned) > columns.position(number)
    mean, fog, clean = (columns.column("robustness", "x", "test", f"mean_per_class_{name}") for name in ("corrupted", "fog", "clean"))
    assert (mean.key, mean.header, mean.kind, mean.shown) == ("robustness", "corrupted (per class)", "number", "report")
    assert (fog.key, fog.kind, fog.shown) == ("robustness:fog", "number", "") and clean.kind == "accuracy"
    shifted = columns.column("shift", "cifar10_1", "test", "top1")
    assert (shifted.key, shifted.header, shifted.kind) == ("shift:cifar10_1", "shifted to cifar10_1", "accuracy")


def test_few_labels_are_one_column_whose_interval_knows_the_draws_and_the_images_of_all(tmp_path):
    def record(method, seed):
        draws = [result("few_labels", "mnist5k", f"top1_n20_draw{draw}", 60 + draw, seed) for draw in range(1, 6)]
        mean = Result(evaluator="few_labels", dataset="mnist5k", split="test", metric="top1_n20", n=N,
                      value=float(np.mean([each.value for each in draws])))  # fmt: skip
        return replace(run(method, 50.0, seed), results=(mean, *draws))

    records = [record(method, seed) for method in ("simclr", "byol") for seed in range(3)]
    (table,) = build(frame_of(tmp_path, records))
    (column,) = [column for column in table.columns if column.shown and column.key.startswith("few_labels")]
    assert (column.key, column.header, column.kind) == ("few_labels:20", "20 labels a class", "accuracy") and column.key in table.compared
    cell = table.rows[0].cells[column.key]
    bits = [[unpack(each.correct, N) for each in record("simclr", seed).results[1:]] for seed in range(3)]
    values = np.array(list(cell.values.values()))
    assert np.allclose(cell.correct, np.mean(bits, axis=1))
    assert cell.draws.shape == (3, 5) and np.allclose(cell.draws.mean(axis=1), values)
    assert cell.half_width == interval(values, cell.correct, cell.draws) > interval(values, cell.correct)
    keys = [columns.column("few_labels", "x", "test", f"mean_per_class_n{count}") for count in (1000, 20, 100)]
    assert [each.key for each in sorted(keys, key=columns.position)] == [f"few_labels:{count}" for count in (20, 100, 1000)]


@pytest.mark.parametrize(
    ("evaluator", "metric", "header", "kind"),
    [
        ("finetune", "top1", "fine-tuned voc2012", "accuracy"),
        ("finetune", "mean_per_class", "fine-tuned voc2012 (per class)", "accuracy"),
        ("finetune", "mAP", "fine-tuned mAP voc2012", "number"),
        ("finetune_adamw", "top1", "fine-tuned by AdamW voc2012", "accuracy"),
        ("finetune_adamw", "mAP", "fine-tuned by AdamW mAP voc2012", "number"),
        ("scratch", "top1", "from scratch voc2012", "accuracy"),
        ("linear_sgd", "mean_per_class_epochs100", "linear by SGD voc2012 (per class)", "accuracy"),
        ("multilabel", "mAP", "linear mAP → voc2012", "number"),
        ("segmentation", "frozen_mIoU", "linear mIoU voc2012", "number"),
        ("detection", "finetuned_AP50", "fine-tuned AP50 voc2012", "number"),
    ],
)
def test_columns_of_what_trains_name_their_data_set_and_never_rank(evaluator, metric, header, kind):
    column = columns.column(evaluator, "voc2012", "test", metric)
    assert (column.header, column.kind, column.shown, column.ranks) == (header, kind, "report", False)
    assert columns.column(evaluator, "voc2012", "train", "tflop").shown == ""


def test_columns_of_retrieval_few_shots_what_is_out_and_calibration():
    """Less is better of some, which then say so and are no accuracies: what ranks and compares goes by more."""
    found = [
        columns.column(evaluator, dataset, "test", metric)
        for evaluator, dataset, metrics in (
            ("retrieval", "cifar10", ("mAP_at_R", "recall_at_1")),
            ("few_shot", "dtd", ("logistic_5way5shot", "centroid_5way1shot", "centroid_5way1shot_half_width")),
            ("ood", "dtd", ("fpr95_k50", "auroc_k50")),
            ("calibration", "cifar10", ("nll", "ece_scaled", "brier", "ece")),
        )
        for metric in metrics
    ]
    by_place = [(column.header, column.kind, column.less) for column in sorted(found, key=columns.position) if column.shown]
    assert by_place == [
        ("recall@1", "accuracy", False),
        ("mAP@R", "accuracy", False),
        ("1-shot centroid → dtd", "accuracy", False),
        ("5-shot logistic → dtd", "accuracy", False),
        ("AUROC not dtd", "accuracy", False),
        ("FPR95 not dtd, less is better", "number", True),
        ("ECE, less is better", "number", True),
        ("ECE, scaled, less is better", "number", True),
        ("Brier, less is better", "number", True),
        ("NLL, less is better", "number", True),
    ]
    (half_width,) = [column for column in found if not column.shown]
    assert half_width.key == "few_shot:dtd:centroid_5way1shot_half_width" and half_width.kind == "number"
    assert "retrieval:mAP_at_R" in {column.key for column in found} and not any(column.ranks for column in found)


def test_what_a_table_has_of_them(tmp_path):
    """One in a hundred images makes no interval of an area under a curve: its seeds do. A number that there is not is no cell."""

    def more(seed):
        facts = {"dataset": "mnist5k", "split": "test", "n": N}
        recall = replace(result("linear", "mnist5k", "recall_at_1", 50 + seed, seed), evaluator="retrieval")
        area = Result(evaluator="ood", metric="auroc_k50", value=80.0 + seed, **(facts | {"dataset": "digits"}))
        nothing = Result(evaluator="calibration", metric="nll", value=None, **facts)
        return recall, area, nothing

    records = [(whole := run("simclr", 93.0, seed)) and replace(whole, results=(*whole.results, *more(seed))) for seed in range(3)]
    (table,) = build(frame_of(tmp_path, records))
    cells = table.rows[0].cells
    assert cells["retrieval:recall_at_1"].correct is not None and cells["ood:digits:auroc_k50"].correct is None
    assert cells["ood:digits:auroc_k50"].half_width == interval(np.array([80.0, 81.0, 82.0]), None)
    assert "calibration:nll" not in cells and table.ranked_by == "linear"


def test_ranks_references_and_notes(frame):
    (table,) = build(frame)
    rows = {row.label: row for row in table.rows}
    assert [row.label for row in table.rows][:9] == [
        "simclr", "moco", "dino", "swav", "rotation", "jigsaw", "autoencoder", "simsiam", "byol",
    ]  # fmt: skip
    assert [row.label for row in table.rows][-3:] == ["pixels", "random", "supervised"]
    assert [row.rank for row in table.rows] == [
        *((1, 3), (1, 4), (1, 4), (2, 4), (5, 6), (5, 6), (7, 7), (8, 8)),
        *[None] * 4,
    ], "byol lost a seed"
    assert [rows[name].kind for name in ("simclr", "pixels", "supervised")] == ["method", "floor", "ceiling"]
    assert rows["autoencoder"].notes == ("below pixels, random",)
    assert "collapsed" in rows["simsiam"].notes and rows["random"].notes == ("floor",)
    assert rows["byol"].notes == ("1 of 3 diverged",) and rows["byol"].seeds == 2
    assert rows["byol"].cells["linear"].half_width is None
    assert rows["dino"].cells["linear"].mean == pytest.approx(90, abs=0.2), "the student's accuracy is not in it"
    assert rows["simclr"].cells["transfer:digits"].mean == pytest.approx(91, abs=0.2)
    assert rows["simclr"].cells["seconds"].mean == 16 and rows["simclr"].cells["rankme"].values == {0: 41, 1: 42, 2: 43}
    assert any("byol seed 0 diverged (NaN loss at step 12)" in line and "1 of 36 runs" in line for line in table.lines)
    assert any(line.startswith("Other weights: dino student: linear 85.0 ±") for line in table.lines)
    assert any(line.startswith("Total: 36 runs,") and "on Xeon" in line for line in table.lines)
    assert table.title == "mnist5k · resnet8 · 28 px · budget 20,000 items · bf16 · protocol 1 · 2 to 3 seeds, mean with 95 % interval"


def test_a_search_is_in_order_of_val_and_says_so(tmp_path):
    trials = [replace(run(name, 90.0), results=(validation(value),)) for name, value in (("alpha", 80.0), ("beta", 85.0))]
    (table,) = build(frame_of(tmp_path, trials))
    assert [(row.label, row.rank) for row in table.rows] == [("beta", None), ("alpha", None)], "in order, and without a rank"
    assert "linear (val)" in markdown([table])
    labels = {text.get_text() for text in cost.draw(table, "tflop", "TFLOP").findobj(Text)}
    assert "linear (val), top-1 (%)" in labels


def validation(value):
    return Result(evaluator="validation", dataset="mnist5k", split="val", metric="linear_top1", value=value, n=400)


def test_incomparable_runs_never_share_a_table(tmp_path):
    changes = [
        {}, {"protocol": 2}, {"budget": Budget("images", 40000)}, {"budget": Budget("steps", 20000)}, {"encoder": "resnet18"},
        {"image_size": 32},
        {"precision": "float32"}, {"pretrain_split": "train+val"}, {"data_revision": "def"}, {"dataset": "cifar10"},
        {"budget": Budget("seconds", 60), "device": "A100 x1"}, {"budget": Budget("seconds", 60), "device": "H100 x1"},
    ]  # fmt: skip
    frame = frame_of(tmp_path, [run(method, 80, changes=change) for change in changes for method in ("simclr", "byol")])
    tables = build(frame)
    assert len(tables) == len(changes) and all(len(table.rows) == 2 for table in tables)
    assert len({tuple(table.key.values()) for table in tables}) == len(changes)
    assert sum("H100 x1" in table.title for table in tables) == 1
    assert (
        len(cost.write(tables, tmp_path / "figures")) == len({path.name for path in (tmp_path / "figures").iterdir()}) == 4 * len(changes)
    )


def test_settings_of_one_method_are_rows_named_by_what_differs(tmp_path):
    records = [run("simclr", 80 + 10 * t, changes={"hyper_parameters": {"temperature": t, "lr": 1.0}}) for t in (0.2, 0.5)]
    records.append(run("byol", 70, changes={"recipe": Recipe("sgd", lr=0.1)}))
    records.append(run("byol", 71, changes={"recipe": Recipe("sgd", lr=0.2)}))
    records.append(run("moco", 60))
    (table,) = build(frame_of(tmp_path, records))
    assert [row.label for row in table.rows] == [
        "simclr temperature=0.5", "simclr temperature=0.2", "byol lr=0.2", "byol lr=0.1", "moco",
    ]  # fmt: skip


def test_a_method_that_only_failed_keeps_its_row(tmp_path):
    records = [run("simclr", 80), run("byol", 0, status="failed", error="RuntimeError:\n| out of memory")]
    (table,) = build(frame_of(tmp_path, records))
    row = table.rows[-1]
    assert (row.label, row.rank, row.seeds, row.notes) == ("byol", None, 0, ("1 of 1 failed",))
    write(build(frame_of(tmp_path, [])), tmp_path / "out")
    text = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "byol seed 0 failed (RuntimeError: \\| out of memory)" in text


def test_what_is_not_trained_needs_no_recipe(tmp_path):
    records = [run("simclr", 80 + seed, seed) for seed in range(3)]
    records += [run("random", 45 + seed, seed, flops=0.0, trained=False, changes={"recipe": None}) for seed in range(3)]
    frame = frame_of(tmp_path / "results", records)
    assert frame[frame.method == "random"].batch_size.isna().all()
    (table,) = build(frame)
    assert [(row.label, row.kind, row.seeds) for row in table.rows] == [("simclr", "method", 3), ("random", "floor", 3)]
    assert len(write(build(frame), tmp_path / "out")) == 3 and len(cost.write(build(frame), tmp_path / "out")) == 4
    print_table(build(frame), Console(file=io.StringIO(), width=100))


def test_the_aggregate_over_targets_is_of_the_seeds(tmp_path):
    targets = ("digits", "fashion", "letters", "kmnist", "signs")
    frame = frame_of(tmp_path, [run("simclr", 80, seed, targets=targets) for seed in range(3)])
    cells = build(frame)[0].rows[0].cells
    cell = cells["transfer_iqm_of_seeds"]
    middle = [np.mean(sorted(cells[f"transfer:{name}"].values[seed] for name in targets)[1:4]) for seed in range(3)]
    assert list(cell.values.values()) == pytest.approx(middle) and cell.mean == pytest.approx(np.mean(middle))
    # One encoder serves all targets: the seeds are what is independent.
    assert cell.half_width == pytest.approx(4.302653 * stats.sem(middle))


@pytest.mark.slow
def test_equal_records_give_equal_bytes(frame, tmp_path):
    again = frame_of(tmp_path / "results", reversed(study()))
    for folder, records in (("first", frame), ("second", again)):
        assert len(write(build(records), tmp_path / folder)) == 3
        assert len(cost.write(build(records), tmp_path / folder)) == 4
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert [name.rsplit(".")[-1] for name in names] == ["png", "svg", "png", "svg", "csv", "json", "md"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_the_csv_is_tidy_and_complete(frame, tmp_path):
    _, path, _ = write(build(frame), tmp_path)
    table = pandas.read_csv(path)
    assert not table.duplicated(["dataset", "method", "column"]).any()
    row = table[(table.method == "simclr") & (table.column == "rankme")].iloc[0]
    assert (row["mean"], row.n, row["values"], row.rank_low, row.rank_high) == (42, 3, "0=41 1=42 2=43", 1, 3)
    assert {
        "linear",
        "knn",
        "knn_k200_T0.1",
        "transfer:digits",
        "tflop",
        "seconds",
        "images",
        "peak_memory",
        "steps",
        "collapsed_centred",
    } <= set(table.column)
    assert len(list(csv.reader(io.StringIO(path.read_text())))) == len(table) + 1


def test_markdown_has_a_legend_and_even_rows(frame, tmp_path):
    text = write(build(frame), tmp_path)[0].read_text()
    for sign in ("**±**", "**=**", "**floor**"):
        assert sign in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_table_fits(frame, width):
    out = io.StringIO()
    print_table(build(frame), Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    (simclr,) = [line for line in lines if line.split()[:4] == ["1", "to", "3", "simclr"]]
    assert simclr.split()[3:7] == ["simclr", "93.0", "±", "1.8"]
    assert "…" not in "".join(lines), "no number is cut"
    assert ("for want of width" in out.getvalue()) == (width <= 100)


@pytest.mark.parametrize("width", [30, 45, 60])
def test_what_ranks_is_shown_however_narrow_the_terminal_is(frame, width):
    out = io.StringIO()
    print_table(build(frame), Console(file=out, width=width))
    text = " ".join(out.getvalue().split())
    table, _, left_out = text.partition("Not shown for want of width:")
    assert "linear" in table.split("simclr")[0] and "93.0 ±" in table
    assert "kNN" in left_out and "linear" not in left_out.split(".")[0]


def test_a_terminal_without_unicode(frame):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_table(build(frame), Console(file=file, width=100))
    file.flush()
    assert "93.0 +- 1.8" in file.buffer.getvalue().decode("ascii")


def test_nothing_to_report_says_where_it_looked(tmp_path):
    empty = ResultStore(tmp_path / "results").frame()
    with pytest.raises(UserError, match=r"nothing to report.*results"):
        build(empty)


def test_labels_in_the_margin_keep_their_order_and_distance():
    heights = [47.5, 48.0, 60.0, 97.0, 97.1, 96.9]
    placed = spread(heights, gap=2)
    assert np.argsort(placed).tolist() == np.argsort(heights).tolist()
    assert np.diff(sorted(placed)).min() >= 2 - 1e-9 and placed[2] == 60


def test_a_hyper_parameter_that_a_record_does_not_name_has_its_default():
    named = {"method": "a", "method_source": "", "method_version": "1", "hyper_parameters": '{"normalise": false}', "recipe": ""}
    assert labels_of([named, named | {"hyper_parameters": "{}"}]) == ["a normalise=false", "a normalise=default"]


def test_labels_of_ten_methods_do_not_overlap(tmp_path):
    generator = np.random.default_rng(3)
    records = [
        run(f"method{i}", 80 + 15 * generator.random(), seed, flops=(2 + generator.random()) * 1e12) for i in range(10) for seed in range(3)
    ]
    (table,) = build(frame_of(tmp_path, records))
    figure = cost.draw(table, "tflop", "TFLOP")
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert len(boxes) == 10
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)


def test_families_stand_side_by_side_the_best_first(frame, tmp_path):
    known = {"simclr": "contrastive", "byol": "joint embedding", "moco": "contrastive", "rotation": "pretext", "jigsaw": "pretext"}
    paths = families.write(build(frame), tmp_path, known | {"elsewhere": "clustering"})
    assert sorted(path.suffix for path in paths) == [".png", ".svg"] and all(path.name.startswith("families-mnist5k-") for path in paths)
    (table,) = build(frame)
    panels = families.grouped(table, known)
    assert {family: [row.label for row in rows] for family, rows in panels.items()} == {
        "pretext": ["rotation", "jigsaw"],
        "contrastive": ["simclr", "moco"],
        "joint embedding": ["byol"],
    }
    figure = families.draw(table, panels)
    assert [axes.get_title() for axes in figure.axes] == ["pretext", "contrastive", "joint embedding"]
    texts = [text.get_text() for text in figure.axes[-1].texts]
    assert [text.split()[0] for text in texts] == [row.label for row in table.rows if row.kind != "method"] and not figure.axes[0].texts
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    before = [path.read_bytes() for path in paths]
    assert families.write(build(frame), tmp_path, known) == paths and [path.read_bytes() for path in paths] == before


def test_one_family_alone_is_no_comparison(frame, tmp_path):
    assert families.write(build(frame), tmp_path, {"rotation": "pretext", "jigsaw": "pretext"}) == []


def test_methods_stand_by_the_year_of_their_paper(frame, tmp_path):
    known, family = {"simclr": 2020, "byol": 2020, "moco": 2019, "rotation": 2018, "elsewhere": 2006}, {"simclr": "contrastive"}
    paths = years.write(build(frame), tmp_path, known, family)
    assert sorted(path.suffix for path in paths) == [".png", ".svg"] and all(path.name.startswith("years-mnist5k-") for path in paths)
    (table,) = build(frame)
    by_year = years.grouped(table, known)
    assert {year: [row.label for row in rows] for year, rows in by_year.items()} == {
        2018: ["rotation"],
        2019: ["moco"],
        2020: ["simclr", "byol"],
    }
    (axes,) = years.draw(table, by_year, family).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rotation", "moco", "simclr", "byol"]
    assert [text.get_text() for text in axes.texts][:3] == ["2018", "2019", "2020"]
    heights = {float(bar.lines[0].get_ydata()[0]) for bar in axes.containers}
    assert heights == {row.cells["linear"].mean for rows in by_year.values() for row in rows}
    before = [path.read_bytes() for path in paths]
    assert years.write(build(frame), tmp_path, known, family) == paths and [path.read_bytes() for path in paths] == before
    assert years.write(build(frame), tmp_path, {"simclr": 2020, "byol": 2020, "moco": 2019}, family) == [], "two years are no axis"
    assert years.trend(table, by_year) == "", "four methods are too few to correlate anything"


def test_the_trend_over_years_is_the_rank_correlation_that_scipy_has(frame):
    (table,) = build(frame)
    row = next(row for row in table.rows if row.kind == "method")
    accuracy = [30.0, 41.0, 35.0, 36.0, 50.0, 44.0, 44.5, 60.0, 52.0]
    made = [replace(row, cells={"linear": replace(row.cells["linear"], mean=value)}) for value in accuracy]
    by_year = {2016: made[:3], 2018: made[3:4], 2020: made[4:7], 2022: made[7:]}
    told = years.trend(table, by_year)
    of_years = [year for year, rows in by_year.items() for _ in rows]
    assert told.startswith("Spearman") and f"9 methods: {stats.spearmanr(of_years, accuracy).statistic:.2f} [" in told


def test_every_two_methods_stand_on_the_page_once_each_way(frame, tmp_path):
    page, listed, twin = differences.write(build(frame), tmp_path / "first")
    (table,) = build(frame)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.read_text().splitlines() if line.startswith("|")]
    assert lines[0][:5] == ["no.", "method", "linear", "over pixels", "over random"]
    body = {line[1]: line for line in lines[2:]}
    assert list(body) == [row.label for row in table.rows]
    first = {row.label: row.cells["linear"] for row in table.rows if row.kind == "method"}
    best, square = table.rows[0].label, {name: line[5:] for name, line in body.items()}
    place = {name: number for number, name in enumerate(square)}
    for name in first:
        assert square[name][place[name]] == ""
        if name not in (best, "byol"):  # what the leaderboard cannot tell from the best is not told from it here
            assert (square[best][place[name]] == "=") == first[name].tied
            assert square[best][place[name]] in ("=", "+" + square[name][place[best]].removeprefix("-"))
    assert "±" in body["simclr"][3] and body["byol"][3].startswith("(+") and body["pixels"][3] == ""
    table_of = list(csv.DictReader(io.StringIO(listed.read_text())))
    assert len([row for row in table_of if row["column"] == "linear"]) == len(body) * (len(body) - 1) // 2
    again = [path.read_bytes() for path in differences.write(build(frame), tmp_path / "again")]
    assert again == [page.read_bytes(), listed.read_bytes(), twin.read_bytes()]


def test_who_is_above_untrained_features_is_said_for_every_column_that_may_rank(frame):
    (table,) = build(frame)
    lines = differences.learned(table).strip().split("\n")
    assert [line.split("**")[1] for line in lines] == [column.header for column in table.columns if column.ranks]
    told = [group.split(": ") for group in lines[0].removesuffix(".").split(": ", 1)[1].split("; ")]
    groups = {name.rsplit(" ", 1)[0]: labels.split(", ") for name, labels in told}
    assert sorted(itertools.chain(*groups.values())) == sorted(row.label for row in table.rows if row.kind == "method")
    for group, labels in groups.items():
        assert {table.compared["linear"].standing(label, "random") for label in labels} == {group}
    assert "above" in groups and groups["no statement"] == ["byol"]
    (table,) = build(frame[frame.method != "random"])
    assert differences.learned(table) == ""


def test_many_rows_make_no_square_and_one_row_no_page(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(differences, "WIDEST", 3)
    page, *_ = differences.write(build(frame), tmp_path)
    assert "too many for a square" in page.read_text() and "| over random |" in page.read_text()
    assert differences.write(build(frame[frame.method == "simclr"]), tmp_path / "none") == [] and not (tmp_path / "none").exists()


def test_a_report_builds_its_tables_once_and_compares_every_two_rows_once(tmp_path, monkeypatch):
    (table,) = build(frame_of(tmp_path / "results", study()))
    counts = Counter()

    def counted(name, function):
        def count(*arguments):
            counts[name] += 1
            return function(*arguments)

        return count

    monkeypatch.setattr("reports.tables.build.labels", counted("tables", labels_of))
    monkeypatch.setattr("reports.tables.build.compare", counted("columns", compare))
    done = CliRunner().invoke(run_bench.cli, ["report", "--results", str(tmp_path / "results"), "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert counts == {"tables": 1, "columns": sum(column.kind == "accuracy" for column in table.columns)}
