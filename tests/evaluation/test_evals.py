"""Evaluators against independent answers: scikit-learn, and the papers' formulas as loops, on pixels of real digits."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace

import faiss
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.data.catalogue import DataSets
from bench.data.splits import drawn
from bench.errors import UserError
from bench.evaluation import logistic, registry
from bench.evaluation.arrays import Arrays, evenly, labels_a_class, normalise, tally
from bench.evaluation.evaluators import few_labels, knn, label_free, linear, projection, stages, transfer, validation
from bench.evaluation.lbfgs import HISTORY, minimise
from bench.evaluation.search import nearest
from bench.plan.names import check_names
from bench.records.record import unpack
from bench.spec import Budget, RunSpec


@pytest.fixture(scope="module")
def digits() -> Arrays:
    """1,797 images of 8 x 8 pixels: 1,000 train, 297 val, 500 test. Three pixels are constant."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return split(x[order].astype(np.float32), y[order].astype(np.int64), 1000, 1297)


def split(x, y, train_end, val_end, num_classes=10) -> Arrays:
    train, val, test = slice(0, train_end), slice(train_end, val_end), slice(val_end, None)
    return Arrays(x[train], y[train], x[val], y[val], num_classes, "digits", x[test], y[test])


@pytest.fixture(scope="module")
def few(digits) -> Arrays:
    """300 of them, where only the wiring is tested: 150 train, 50 val, 100 test."""
    return split(digits.train_x[:300], digits.train_y[:300], 150, 200)


class FakeSubject:
    """What the harness offers an evaluator."""

    dataset, cropped = "digits", True

    def __init__(self, arrays):
        self.kept = arrays

    def arrays(self, dataset=None, *, test=True):
        kept = self.kept if test else replace(self.kept, test_x=None, test_y=None)
        return kept if dataset is None else replace(kept, dataset=dataset)

    def split(self, split, dataset=None):
        return getattr(self.kept, f"{split}_x"), getattr(self.kept, f"{split}_y")

    def shared(self, name, make):
        return make()

    def stages(self):
        return [
            replace(self.kept, **{f"{part}_x": getattr(self.kept, f"{part}_x")[:, :width] for part in ("train", "val", "test")})
            for width in (2, 64, 9)
        ]

    def projected(self):
        return self

    def two_crops(self):
        return self.kept.train_x, np.roll(self.kept.train_x, 1, axis=1)


def as_constant(arrays, value) -> Arrays:
    return replace(arrays, **{f"{part}_x": np.full_like(getattr(arrays, f"{part}_x"), value) for part in ("train", "val", "test")})


def with_another_test(arrays) -> Arrays:
    """The same but for a permuted test."""
    return replace(arrays, test_y=np.random.default_rng(1).permutation(arrays.test_y), test_x=arrays.test_x[::-1].copy())


# The registry.


def test_names_parse_and_summary():
    assert registry.names() == sorted(registry.names()) and {"knn", "linear", "transfer", "validation"} <= set(registry.names())
    assert registry.parse("knn") == ("knn", None)
    assert registry.parse("transfer:digits") == ("transfer", "digits") and registry.target("transfer:digits") == "digits"
    assert registry.parse("few_labels:20") == ("few_labels", "20") and registry.labels_a_class("few_labels:20") == 20
    assert registry.target("few_labels:20") is registry.target("knn") is registry.labels_a_class("transfer:digits") is None
    assert all(registry.summary(name).strip() and callable(registry.load(name).evaluate) for name in registry.names())
    assert all(registry.argument(name) == registry.load(name).ARGUMENT for name in registry.names())


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        ("knm", r"unknown evaluator 'knm'. Did you mean 'knn'\?  All evaluators: run_bench.py list evals"),
        ("arrays", "unknown evaluator 'arrays'"),
        ("", "unknown evaluator ''"),
        ("transfer", "needs a data set: write 'transfer:NAME'"),
        ("transfer:", "needs a data set"),
        ("knn:5", "takes no argument: write 'knn'"),
        ("linear:", "takes no argument"),
        ("few_labels", "needs a number of labels a class: write 'few_labels:N', as in 'few_labels:20'"),
        ("few_labels:1", "'few_labels:1': expected a number of labels a class, 2 or more, as in 'few_labels:20'"),
        ("few_labels:020", "expected a number of labels a class"),
        ("few_labels:many", "expected a number of labels a class"),
        ("few_labels:0%", "2 or more, as in 'few_labels:20', or a whole percentage, as in 'few_labels:1%'"),
        ("few_labels:100%", "expected a number of labels a class"),
        ("few_labels:1.5%", "expected a number of labels a class"),
    ],
)
def test_bad_requests_say_what_to_write(request_text, message):
    with pytest.raises(UserError, match=message):
        registry.parse(request_text)


def test_registry_imports_nothing_heavy():
    code = (
        "import sys; from bench.evaluation import registry; registry.parse('transfer:digits'); registry.summary('knn');"
        "assert not {'torch', 'faiss', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# kNN.


def rounding_of_votes(temperature: float) -> float:
    """Largest difference of two votes relative to the largest, where similarities are products of 64 features in float32 and another
    kernel sums them in another order: a vote is exp(similarity / temperature)."""
    return 64 * np.finfo(np.float32).eps / temperature


def same_classes(ours, theirs, votes, rounding: float) -> bool:
    """Predictions int64 [Q] of two ways to compute one thing: other classes only where their votes, of [Q, K], are equal up to rounding."""
    rows = np.flatnonzero(ours != theirs)
    return bool((np.abs(votes[rows, ours[rows]] - votes[rows, theirs[rows]]) <= rounding * votes[rows].max(axis=1)).all())


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (5, 0.03), (20, 0.07), (200, 0.1), (200, 0.3)])
def test_knn_is_scikit_learns_weighted_vote(digits, k, temperature):
    similarity, index = nearest(digits.train_x, digits.test_x, 200)
    ours = knn.vote(similarity, digits.train_y[index], 10, (k,), temperature)[0]
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / temperature))
    reference.fit(digits.train_x.astype(float), digits.train_y)
    theirs, votes = reference.predict(digits.test_x.astype(float)), reference.predict_proba(digits.test_x.astype(float))
    assert same_classes(ours, theirs, votes, rounding_of_votes(temperature))


def test_one_search_serves_every_k(digits):
    similarity, index = nearest(digits.train_x, digits.test_x, 200)
    together = knn.vote(similarity, digits.train_y[index], 10, (1, 20, 200), 0.1)
    for position, k in enumerate((1, 20, 200)):
        labels = digits.train_y[index[:, :k]]
        alone = knn.vote(similarity[:, :k], labels, 10, (k,), 0.1)
        votes = (np.exp(similarity[:, :k].astype(float) / 0.1)[:, :, None] * (labels[:, :, None] == np.arange(10))).sum(axis=1)
        # Sums of k numbers in float64, in parts and at once.
        assert same_classes(together[position], alone[0], votes, k * np.finfo(float).eps)


def test_knn_picks_on_val_and_reports_the_bank_of_train_and_val(digits):
    picked, fixed = knn.evaluate(FakeSubject(digits))
    grid = {}
    for k in knn.NEIGHBOURS:
        for temperature in knn.TEMPERATURES:
            similarity, index = nearest(digits.train_x, digits.val_x, k)
            right = knn.vote(similarity, digits.train_y[index], 10, (k,), temperature)[0] == digits.val_y
            grid[k, temperature] = 100 * right.mean()
    assert picked.chosen["val_top1"] == pytest.approx(max(grid.values()))
    best = min(pair for pair, value in grid.items() if value == max(grid.values()))
    assert (picked.chosen["k"], picked.chosen["T"]) == best, "ties go to the smaller k, then the smaller T"
    assert fixed.metric == "top1_k200_T0.1" and fixed.chosen == {}

    for result, (k, temperature) in ((picked, best), (fixed, knn.FIXED)):
        bank_x, bank_y = np.concatenate([digits.train_x, digits.val_x]), np.concatenate([digits.train_y, digits.val_y])
        similarity = normalise(digits.test_x) @ normalise(bank_x).T
        right, clear = [], []
        for row, label in zip(similarity, digits.test_y, strict=True):
            votes = np.zeros(10)
            for neighbour in np.argsort(-row)[:k]:
                votes[bank_y[neighbour]] += np.exp(row[neighbour] / temperature)
            right.append(votes.argmax() == label)
            second, first = np.sort(votes)[-2:]
            clear.append(first - second > rounding_of_votes(temperature) * first)
        found, right, clear = unpack(result.correct, result.n), np.array(right), np.array(clear)
        assert result.value == pytest.approx(100 * found.mean()) and result.n == 500 and result.split == "test"
        assert np.array_equal(found[clear], right[clear]) and clear.mean() > 0.99, "rounding decides only where votes are equal"


def test_k_is_at_most_the_bank(digits):
    small = split(digits.train_x[:300], digits.train_y[:300], 100, 150)
    picked, fixed = knn.measure(small)
    assert fixed.metric == "top1_k150_T0.1" and picked.chosen["k"] <= 100
    with pytest.raises(ValueError, match="k must be in"):
        nearest(small.train_x, small.val_x, 101)


def test_equal_similarities_and_equal_votes():
    bank = np.array([[1, 0], [2, 0], [0, 1], [3, 0]], dtype=np.float32)
    similarity, index = nearest(bank, np.array([[5, 0]], dtype=np.float32), 4)
    assert index.tolist() == [[0, 1, 3, 2]]
    labels = np.array([2, 1, 0, 0])
    assert knn.vote(similarity, labels[index], 3, (1, 2, 3), 0.1)[:, 0].tolist() == [2, 1, 0]


def test_equal_accuracies_go_to_the_smaller_k_then_the_smaller_temperature():
    x, y = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0), np.repeat([0, 1], 20)
    assert knn.choose(Arrays(x, y, x, y, 2, "two points")) == {"k": 1, "T": 0.03, "val_top1": 100}


def test_vote_is_stable_at_tiny_temperatures():
    similarity, labels = np.array([[-0.9, -0.91], [0.99, 0.98]]), np.array([[1, 0], [0, 1]])
    assert knn.vote(similarity, labels, 2, (2,), 1e-4).tolist() == [[1, 0]]


def test_zero_vectors_and_extreme_scales_give_numbers(digits):
    zero = digits.train_x.copy()
    zero[:10] = 0
    similarity, _ = nearest(zero, np.concatenate([np.zeros((1, 64), np.float32), digits.test_x[:5] * 1e-25, digits.test_x[:5] * 1e30]), 50)
    assert np.isfinite(similarity).all() and (similarity[0] == 0).all()
    assert np.allclose(similarity[1:6], similarity[6:], atol=1e-6)


def test_threads_do_not_change_knn(digits):
    before = faiss.omp_get_max_threads()
    try:
        found = []
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            found.append(knn.measure(digits))
    finally:
        faiss.omp_set_num_threads(before)
    assert found[0] == found[1]


# The linear probe.


def test_every_strength_matches_scikit_learn(digits):
    probe = logistic.fit(digits.train_x, digits.train_y, linear.STRENGTHS)
    assert len(linear.STRENGTHS) >= 13 and probe.converged.all()
    x, test_x = ((part - probe.mean) * probe.scale for part in (digits.train_x, digits.test_x))
    ours = (logistic.predict(probe, digits.test_x) == digits.test_y).mean(axis=1)
    for position, strength in enumerate(linear.STRENGTHS):
        reference = LogisticRegression(C=1 / (strength * len(x)), tol=1e-6, max_iter=5000).fit(x, digits.train_y)
        loss = -reference.predict_log_proba(x)[np.arange(len(x)), digits.train_y].mean()
        objective = loss + strength / 2 * np.square(reference.coef_).sum()
        assert probe.objective[position] == pytest.approx(objective, rel=1e-4)
        assert ours[position] == pytest.approx(reference.score(test_x, digits.test_y), abs=0.001)


def test_two_classes_are_scikit_learns_at_twice_c(digits):
    two = digits.train_y < 2
    x, y = digits.train_x[two], digits.train_y[two]
    probe = logistic.fit(x, y, (0.01,))
    reference = LogisticRegression(C=2 / (0.01 * len(x)), tol=1e-8, max_iter=5000).fit((x - probe.mean) * probe.scale, y)
    assert np.allclose(probe.weights[0, :, 1] - probe.weights[0, :, 0], reference.coef_[0], atol=1e-3)


def test_more_features_than_images(digits):
    x = np.concatenate([digits.train_x[:40] ** power for power in (1, 2, 3)], axis=1)
    y = digits.train_y[:40]
    probe = logistic.fit(x, y, (1e-3, 0.1))
    standardised = (x - probe.mean) * probe.scale
    for position, strength in enumerate((1e-3, 0.1)):
        reference = LogisticRegression(C=1 / (strength * 40), tol=1e-8, max_iter=5000).fit(standardised, y)
        assert np.allclose(probe.weights[position].T, reference.coef_, atol=2e-3)


def test_axes_without_variance_are_left_out(digits):
    """As with grey images that were repeated to three channels; repeated columns are still columns to the penalty."""
    x, test_x = (np.repeat(part, 3, axis=1) for part in (digits.train_x, digits.test_x))
    probe = logistic.fit(x, digits.train_y, (1e-3, 0.1))
    standardised = (x - probe.mean) * probe.scale
    features, axes, variance = logistic.principal_axes(torch.from_numpy(standardised))
    rank = np.linalg.matrix_rank(standardised)
    assert rank <= 64 and features.shape == (1000, rank) and axes.shape == (192, rank) and len(variance) == rank
    assert np.allclose(features @ axes.T, standardised)
    for position, strength in enumerate((1e-3, 0.1)):
        reference = LogisticRegression(C=1 / (strength * len(x)), tol=1e-8, max_iter=5000).fit(standardised, digits.train_y)
        assert np.allclose(probe.weights[position].T, reference.coef_, atol=2e-3)
        theirs = reference.predict((test_x - probe.mean) * probe.scale)
        assert (logistic.predict(probe, test_x)[position] != theirs).sum() <= 1


def test_one_axis_stays_where_nothing_varies():
    features, axes, variance = logistic.principal_axes(torch.zeros(5, 3, dtype=torch.float64))
    assert features.shape == (5, 1) and axes.shape == (3, 1) and variance.tolist() == [0]


@pytest.mark.parametrize(("bound", "entries"), [("LARGEST_LOGITS", 1200 * 10), ("LARGEST_HISTORY", 2 * HISTORY * 65 * 10)])
def test_strengths_solved_in_turn_are_the_same(digits, monkeypatch, bound, entries):
    """Two at once and then one, whichever would be too much of them: the logits, or the remembered steps."""
    x, y, strengths = digits.train_x[:1200], digits.train_y[:1200], (1e-3, 1e-2, 1e-1)
    at_once = []
    monkeypatch.setattr(logistic, "minimise", lambda *given: at_once.append(len(given[-1])) or minimise(*given))
    together = logistic.fit(x, y, strengths)
    monkeypatch.setattr(logistic, bound, 2 * entries + 1)
    alone = logistic.fit(x, y, strengths)
    assert at_once == [3, 2, 1]
    # Round-off grows from step to step, so the two end at different points of the same flat minimum.
    assert np.allclose(together.objective, alone.objective, rtol=1e-6)
    assert np.allclose(together.weights, alone.weights, atol=1e-3)


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest float64 tensor has that an operation makes."""

    entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        tensors = [part for part in tree_leaves(made) if isinstance(part, torch.Tensor) and part.dtype == torch.float64]
        self.entries = max(self.entries, *(part.numel() for part in tensors), 0)
        return made


def test_images_looked_at_in_blocks_make_the_same_probe_in_bounded_memory(monkeypatch):
    """Two strengths at once, of three; a feature that is constant, one that is another's double; more images cost no more memory."""
    generator, strengths = np.random.default_rng(0), (0.1, 0.3, 1.0)
    labels = generator.integers(0, 6, 1000)
    x = (generator.normal(size=(1000, 10)) + generator.normal(size=(6, 10))[labels]).astype(np.float32)
    x[:, 3], x[:, 4] = 7, 2 * x[:, 5]
    whole = logistic.fit(x, labels, strengths)
    monkeypatch.setattr(logistic, "LARGEST_LOGITS", 6 * 250)
    monkeypatch.setattr(logistic, "BLOCK", 250 * 2 * 6)
    monkeypatch.setattr(logistic, "HISTORY_BESIDE_BLOCKS", 2 * HISTORY * 11 * 6 * 2)
    with Largest() as largest:
        blocks = logistic.fit(x, labels, strengths)
    assert largest.entries == 250 * 2 * 6, "the logits of a block"
    tracemalloc.start()
    predicted = logistic.predict(blocks, x)
    assert tracemalloc.get_traced_memory()[1] - 2 * predicted.nbytes < 4 * 8 * 250 * 2 * 6, "four blocks of NumPy's"
    tracemalloc.stop()
    assert blocks.converged.all() and np.allclose(whole.objective, blocks.objective, rtol=1e-6)
    assert np.allclose(whole.weights, blocks.weights, atol=2e-3) and np.allclose(whole.scale, blocks.scale, rtol=1e-12)
    assert (logistic.predict(whole, x) != predicted).mean() < 0.004
    monkeypatch.undo()
    assert np.array_equal(logistic.predict(blocks, x), predicted), "in blocks or not"


def test_linear_picks_on_val_and_refits_on_train_and_val(digits):
    [result] = linear.evaluate(FakeSubject(digits))
    on_train = logistic.predict(logistic.fit(digits.train_x, digits.train_y, linear.STRENGTHS), digits.val_x)
    right = (on_train == digits.val_y).sum(axis=1)
    strongest_of_best = max(s for s, count in zip(linear.STRENGTHS, right, strict=True) if count == right.max())
    assert result.chosen["l2"] == strongest_of_best and result.chosen["val_top1"] == pytest.approx(100 * right.max() / 297)

    x, y = np.concatenate([digits.train_x, digits.val_x]), np.concatenate([digits.train_y, digits.val_y])
    mean, deviation = x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float)
    scale = np.divide(1, deviation, out=np.zeros(64), where=deviation > 0)
    reference = LogisticRegression(C=1 / (strongest_of_best * len(x)), tol=1e-8, max_iter=5000).fit((x - mean) * scale, y)
    correct = reference.predict((digits.test_x - mean) * scale) == digits.test_y
    assert result.value == pytest.approx(100 * correct.mean(), abs=0.1) and result.n == 500
    assert (unpack(result.correct, 500) != correct).sum() <= 1


def test_an_edge_of_the_grid_is_noted_and_ties_go_to_the_stronger(digits):
    assert linear.choose(digits, (1e-3, 1e-2))["at_edge"] == 1
    # Strengths this close give equal accuracies: the strongest is picked.
    assert linear.choose(digits, (1e-2, 1.000002e-2, 1.000001e-2))["l2"] == 1.000002e-2
    assert "at_edge" not in linear.choose(digits, (1e-5, 3e-2, 100.0))


def test_a_class_missing_in_val_or_in_train(digits):
    keep_val, keep_train = digits.val_y != 3, digits.train_y != 7
    no_three = replace(digits, val_x=digits.val_x[keep_val], val_y=digits.val_y[keep_val])
    assert linear.choose(no_three, (1e-3, 1e-2, 0.1))["val_top1"] > 90 and knn.measure(no_three)[0].value > 90
    probe = logistic.fit(digits.train_x[keep_train], digits.train_y[keep_train], (1e-2,))
    assert set(np.unique(logistic.predict(probe, digits.test_x))) == set(range(10)) - {7}


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
def test_collapsed_features_give_chance_and_a_flag(digits, value):
    collapsed = FakeSubject(as_constant(digits, value))
    [result] = linear.evaluate(collapsed)
    most_frequent = np.bincount(np.concatenate([digits.train_y, digits.val_y])).argmax()
    assert result.value == pytest.approx(100 * (digits.test_y == most_frequent).mean())
    assert all(np.isfinite(r.value) for r in knn.evaluate(collapsed))
    values = {r.metric: r.value for r in label_free.evaluate(collapsed)}
    assert values["collapsed_centred"] == 1 and values["rankme_centred"] is None and values["alpha_req"] is None
    assert values["feature_std"] == pytest.approx(0, abs=1e-6)
    assert values["uniformity"] == pytest.approx(0, abs=1e-9)
    assert values["rankme"] is None if value == 0 else values["rankme"] == pytest.approx(1, abs=1e-3)


def test_equal_but_for_rounding_is_constant(digits):
    noise = np.random.default_rng(0).integers(0, 2, (50, 8)).astype(np.float32) * np.float32(1e-7)
    probe = logistic.fit(1 + noise, digits.train_y[:50], (1e-3,))
    assert (probe.scale == 0).all() and len(label_free.spectrum(1 + noise)) == 0


# What holds for every evaluator that reads test.


@pytest.mark.parametrize("module", [knn, linear, transfer])
def test_test_never_decides_what_is_chosen(few, module):
    honest, shuffled = module.measure(few), module.measure(with_another_test(few))
    assert [result.chosen for result in honest] == [result.chosen for result in shuffled]
    assert all(a.value > b.value + 30 for a, b in zip(honest, shuffled, strict=True)), "the labels were indeed shuffled"


def test_mean_per_class_is_the_mean_of_the_classes_accuracies():
    labels = np.array([0, 0, 0, 0, 1, 3, 3])
    correct = np.array([True, True, True, False, False, True, False])
    assert tally("top1", correct, labels) == (4, 7)
    assert tally("mean_per_class", correct, labels) == (0.75 + 0 + 0.5, 3)


def test_a_data_set_of_mean_per_class_is_searched_and_reported_by_it(few):
    uneven = np.flatnonzero((few.test_y != 3) | (np.arange(len(few.test_y)) % 4 == 0))
    arrays = replace(few, metric="mean_per_class", test_x=few.test_x[uneven], test_y=few.test_y[uneven])
    results = transfer.measure(arrays)
    assert [result.metric for result in results] == ["linear_mean_per_class", "knn_mean_per_class", "knn_mean_per_class_k200_T0.1"]
    for result in results:
        correct = unpack(result.correct, result.n)
        expected = np.mean([correct[arrays.test_y == label].mean() for label in np.unique(arrays.test_y)])
        assert result.value == pytest.approx(100 * expected) and result.value != 100 * correct.mean()
    assert results[0].chosen["val_mean_per_class"] == pytest.approx(validation.measure(arrays)[0].value)
    assert [result.metric for result in validation.measure(arrays)] == ["linear_mean_per_class", "knn_mean_per_class"]


def test_transfer_is_linear_and_knn_on_the_other_data_set(few):
    results = transfer.evaluate(FakeSubject(few), "other")
    assert [r.metric for r in results] == ["linear_top1", "knn_top1", "knn_top1_k200_T0.1"]
    assert {(r.evaluator, r.dataset, r.split) for r in results} == {("transfer", "other", "test")}
    assert [r.value for r in results] == [r.value for r in (*linear.measure(few), *knn.measure(few))]


OF_IMAGES = {"detection", "finetune", "finetune_adamw", "finetune_few", "finetune_last", "linear_sgd", "scratch", "segmentation"}
"""Train on images, and say themselves where a loss or a feature is not finite."""

WITH_OWN_TESTS = {"frame_order", "multilabel"}
"""Read frames, or images of several classes: their own tests have this."""


@pytest.mark.parametrize("measure", [linear.measure, lambda arrays: few_labels.measure(arrays, 3)[1:]], ids=["linear", "few_labels"])
def test_a_probe_that_ran_out_of_iterations_is_told(few, monkeypatch, measure):
    monkeypatch.setattr(few_labels, "DRAWS", 1)
    assert not any("not_converged" in result.chosen for result in measure(few))
    monkeypatch.setattr("bench.evaluation.lbfgs.MAX_ITERATIONS", 1)
    assert all(result.chosen["not_converged"] == 1 for result in measure(few))


@pytest.mark.parametrize(("number", "told"), [(0, {"at_edge": 1}), (1, {})])
def test_few_labels_tell_a_strength_at_the_edge(few, monkeypatch, number, told):
    monkeypatch.setattr(few_labels, "STRENGTHS", (linear.STRENGTHS[number],))
    rows = drawn(few.train_y, 3, 1)
    chosen = few_labels.choose(few.train_x[rows], few.train_y[rows])
    assert {name: value for name, value in chosen.items() if name == "at_edge"} == told


def test_few_labels_have_the_data_sets_metric(few, monkeypatch):
    monkeypatch.setattr(few_labels, "DRAWS", 1)
    _, draw = few_labels.measure(replace(few, metric="mean_per_class"), 3)
    correct = unpack(draw.correct, draw.n)
    assert draw.metric == "mean_per_class_n3_draw1"
    assert draw.value == pytest.approx(100 * np.mean([correct[few.test_y == label].mean() for label in np.unique(few.test_y)]))
    assert draw.value != pytest.approx(100 * correct.mean())


def parts_read() -> list[tuple[str, str]]:
    """(evaluator, split) of every split whose features an evaluator reads."""
    names = [name for name in registry.names() if name not in OF_IMAGES | WITH_OWN_TESTS]
    return [(name, part) for name in names for part in sorted({*registry.splits(name), *registry.splits_of_pretraining(name)})]


@pytest.mark.parametrize(("name", "part"), parts_read())
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(digits, name, part, bad):
    x = getattr(digits, f"{part}_x").copy()
    x[7, 3] = bad
    argument = {None: None, "a data set": "digits"}.get(registry.argument(name), "2")
    told = "the first crop" if name == "lidar" else f"{part}_x"
    with pytest.raises(ValueError, match=f"{name}.* on digits: 1 of {len(x)} rows of {told}"):
        registry.load(name).evaluate(FakeSubject(replace(digits, **{f"{part}_x": x})), argument)


@pytest.mark.parametrize("name", ["label_free", "projection"])
def test_crops_whose_features_are_not_finite_are_refused(digits, name):
    def crops(subject):
        bad = digits.train_x.copy()
        bad[7, 3] = np.nan
        return digits.train_x, bad

    with pytest.raises(ValueError, match=f"{name} on digits: 1 of {len(digits.train_x)} rows of the second crop"):
        registry.load(name).evaluate(type("Subject", (FakeSubject,), {"two_crops": crops})(digits), None)


@pytest.mark.parametrize(
    "change",
    [
        {"test_x": np.zeros((500, 64))},
        {"test_x": np.zeros((500, 63), np.float32)},
        {"test_y": np.zeros(499, np.int64)},
        {"test_y": np.full(500, 10)},
        {"val_x": np.zeros((0, 64), np.float32), "val_y": np.zeros(0, np.int64)},
    ],
)
def test_arrays_check_their_shapes(digits, change):
    with pytest.raises(ValueError, match="digits"):
        replace(digits, **change)


# Label-free, against the formulas as loops.


def test_rankme_formula(digits):
    singular = np.sqrt(np.linalg.eigvalsh(digits.train_x.astype(float).T @ digits.train_x).clip(0))
    entropy = -sum(p * np.log(p) for p in (s / singular.sum() + 1e-7 for s in singular))
    assert label_free.rankme(digits.train_x) == pytest.approx(np.exp(entropy), rel=1e-4)
    assert label_free.rankme(np.eye(20, dtype=np.float32)) == pytest.approx(20, rel=1e-4)


def test_uniformity_and_alignment_formulas(digits, monkeypatch):
    x, other = digits.train_x[:60], digits.val_x[:60]
    unit, unit_other = ([row / np.sqrt((row.astype(float) ** 2).sum()) for row in part] for part in (x, other))
    pairs = [np.exp(-2 * ((unit[i] - unit[j]) ** 2).sum()) for i in range(60) for j in range(i)]
    assert label_free.uniformity(x) == pytest.approx(np.log(np.mean(pairs)), rel=1e-6)
    monkeypatch.setattr(label_free, "ROWS_AT_ONCE", 7)
    assert label_free.uniformity(x) == pytest.approx(np.log(np.mean(pairs)), rel=1e-6)
    distances = [((a - b) ** 2).sum() for a, b in zip(unit, unit_other, strict=True)]
    assert label_free.alignment(x, other) == pytest.approx(np.mean(distances), rel=1e-6)
    assert label_free.uniformity(x[:1]) is None


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_alpha_req_recovers_a_power_law(alpha):
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(400, 120)))[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    x = (basis * np.arange(1, 121) ** (-alpha / 2)).astype(np.float32)
    assert label_free.alpha_req(label_free.spectrum(x)) == pytest.approx(alpha, abs=1e-3)


def test_alpha_req_fit(digits):
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(digits.train_x.astype(float).T)))[::-1]
    # The noise of constant pixels is no eigenvalue.
    count = int((eigenvalues > 1e-8).sum())
    rank = np.arange(4, count + 1)
    a = np.stack([-np.log(rank), np.ones(len(rank))], axis=1)
    slope, _ = np.linalg.solve(a.T @ (a / rank[:, None]), (a / rank[:, None]).T @ np.log(eigenvalues[3:count]))
    assert label_free.alpha_req(label_free.spectrum(digits.train_x)) == pytest.approx(slope, rel=1e-6)


def test_feature_std_of_evenly_spread_features():
    x = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    assert label_free.feature_std(x) == pytest.approx(1, abs=0.01)
    assert label_free.feature_std(x + 100) < 0.1


def features(generator, directions, mean=0.0, noise=0.0, count=500, width=64):
    """Features that differ in so many directions of equal weight, around a mean common to all: float32 [count, width]."""
    axes = np.linalg.qr(generator.normal(size=(width, directions)))[0].T
    x = mean * np.ones(width) + generator.normal(size=(count, directions)) @ axes
    return (x + noise * generator.normal(size=x.shape)).astype(np.float32)


COLLAPSES = {
    "constant": lambda g: np.full((500, 64), 0.3),
    "constant but for rounding": lambda g: 0.3 + 1e-8 * g.normal(size=(500, 64)),
    "zero": lambda g: np.zeros((500, 64)),
    "one direction": lambda g: features(g, 1),
    "one direction far from zero": lambda g: features(g, 1, mean=1000.0),
    "one direction and a little noise": lambda g: features(g, 1, noise=1e-3),
    "all units dead but one": lambda g: np.maximum(features(g, 64), 0) * (np.arange(64) == 7),
}
HEALTHY = {
    "all directions": lambda g: features(g, 64),
    "a large common mean": lambda g: features(g, 64, mean=1000.0),
    "few directions and a common mean": lambda g: features(g, 5, mean=100.0),
    "half of the units dead": lambda g: np.maximum(features(g, 64), 0) * (np.arange(64) % 2),
    "small": lambda g: 1e-6 * features(g, 64),
    "one direction three times the rest": lambda g: features(g, 8) * np.where(np.arange(64) == 0, 3, 1),
}


@pytest.mark.parametrize("name", [*COLLAPSES, *HEALTHY])
def test_the_flag_says_what_has_collapsed_and_nothing_else(name):
    x = (COLLAPSES | HEALTHY)[name](np.random.default_rng(0)).astype(np.float32)
    values = {result.metric: result.value for result in label_free.measure("x", x, (x, x))}
    assert values["collapsed_centred"] == (name in COLLAPSES), values["rankme_centred"]


def test_directions_are_counted_around_the_mean():
    generator = np.random.default_rng(1)
    for directions in (1, 3, 20):
        x = features(generator, directions, mean=50.0, count=4000)
        assert label_free.rankme_centred(label_free.spectrum(x)) == pytest.approx(directions, rel=0.02)
        centred = x - x.mean(0)
        assert label_free.rankme_centred(label_free.spectrum(x)) == pytest.approx(label_free.rankme(centred), rel=0.01)


def test_label_free_results(digits, monkeypatch):
    monkeypatch.setattr(label_free, "MOST_IMAGES", 400)
    results = {r.metric: r for r in label_free.evaluate(FakeSubject(digits))}
    assert list(results) == ["rankme", "uniformity", "alignment", "alpha_req", "feature_std", "rankme_centred", "collapsed_centred"]
    images = len(digits.train_x)  # the crops that the subject gives are measured whole
    counts = {metric: (r.evaluator, r.split, r.n, r.dataset) for metric, r in results.items()}
    assert counts.pop("alignment") == ("label_free", "train", images, "digits")
    assert set(counts.values()) == {("label_free", "train", 400, "digits")}
    assert results["collapsed_centred"].value == 0 and results["rankme"].value == label_free.rankme(digits.train_x[evenly(images, 400)])


def test_validation_never_reads_test(digits):
    subject = FakeSubject(replace(digits, test_x=np.full_like(digits.test_x, np.nan)))
    results = {result.metric: result for result in validation.evaluate(subject)}
    assert not registry.reads_test("validation") and not registry.reads_test("label_free") and registry.reads_test("knn")
    assert set(results) == {"linear_top1", "knn_top1"} and all(result.split == "val" for result in results.values())
    assert results["linear_top1"].value == linear.choose(digits)["val_top1"]
    assert results["knn_top1"].value == knn.choose(digits)["val_top1"]


def test_the_best_stage_is_chosen_on_val_and_alone_read_on_test(few):
    *per_stage, best = stages.evaluate(FakeSubject(few))
    assert [(r.metric, r.split) for r in per_stage] == [(f"stage{number}_top1", "val") for number in (1, 2, 3)]
    assert best.split == "test" and best.metric == "top1" and best.chosen["stage"] == 2
    assert best.value == linear.evaluate(FakeSubject(few))[0].value and best.chosen["val_top1"] == per_stage[1].value
    for result, arrays in zip(per_stage, FakeSubject(few).stages(), strict=True):
        right = unpack(result.correct, result.n)
        probe = logistic.fit(arrays.train_x, arrays.train_y, (result.chosen["l2"],))
        assert right.tolist() == (logistic.predict(probe, arrays.val_x)[0] == arrays.val_y).tolist(), "of the probe that was picked"
        assert result.value == pytest.approx(100 * right.mean()) and result.n == len(arrays.val_y)
    # Where test says otherwise, val decides.
    turned = replace(few, test_x=np.roll(few.test_x, 1, axis=0))
    assert stages.evaluate(FakeSubject(turned))[-1].chosen["stage"] == 2


def test_without_an_encoder_there_are_no_stages():
    assert stages.measure([]) == []


# Projection.


def test_projection_is_linear_knn_and_label_free_of_what_the_projector_makes(few):
    """And of nothing else: the encoder's own features are not even looked at."""
    kept = FakeSubject(few)

    class Subject:
        def projected(self):
            return kept

    results = projection.evaluate(Subject())
    expected = [*linear.evaluate(kept), *knn.evaluate(kept), *label_free.evaluate(kept)]
    assert [(r.value, r.n, r.split, r.chosen, r.correct) for r in results] == [
        (r.value, r.n, r.split, r.chosen, r.correct) for r in expected
    ]
    assert {r.evaluator for r in results} == {"projection"}
    assert [r.metric for r in results][:4] == ["linear_top1", "knn_top1", "knn_top1_k200_T0.1", "rankme"]
    assert results[7].metric == "feature_std" and results[7].value == label_free.feature_std(few.train_x)


def test_without_a_projector_there_is_no_projection():
    class Subject:
        def projected(self):
            return None

    assert projection.evaluate(Subject()) == []


# Few labels.


def test_draws_are_balanced_fixed_and_lie_in_each_other(digits):
    labels = digits.train_y
    draws = [drawn(labels, 20, draw) for draw in range(1, 6)]
    for rows in draws:
        assert rows.shape == (10, 20) and len(set(rows.ravel())) == 200
        assert (labels[rows] == np.arange(10)[:, None]).all()
    assert len({tuple(rows.ravel()) for rows in draws}) == 5
    assert all((drawn(labels, 3, number) == rows[:, :3]).all() for number, rows in enumerate(draws, start=1))
    # Fixed for good: another version of NumPy, or another machine, must not draw other images.
    assert drawn(np.arange(40) % 2, 4, 1).tolist() == [[36, 16, 2, 28], [9, 39, 31, 19]]
    with pytest.raises(ValueError, match="21 images of every class are asked for, and class 1 has 20"):
        drawn(np.repeat([0, 1], (30, 20)), 21, 1)


def test_few_labels_are_scikit_learns_probe_of_those_images_alone(digits):
    mean, *of_draws = few_labels.evaluate(FakeSubject(digits), "6")
    assert (mean.metric, mean.split, mean.n, mean.correct) == ("top1_n6", "test", 500, None)
    assert [result.metric for result in of_draws] == [f"top1_n6_draw{draw}" for draw in range(1, 6)]
    assert mean.value == pytest.approx(np.mean([result.value for result in of_draws]))
    for draw, result in enumerate(of_draws, start=1):
        rows = drawn(digits.train_y, 6, draw).ravel()
        x, y = digits.train_x[rows].astype(float), digits.train_y[rows]
        scale = np.where(x.std(axis=0) == 0, 1, x.std(axis=0))
        theirs = LogisticRegression(C=1 / (result.chosen["l2"] * 60), max_iter=5000, tol=1e-8).fit((x - x.mean(axis=0)) / scale, y)
        expected = theirs.predict(np.where(x.std(axis=0) == 0, 0, (digits.test_x - x.mean(axis=0)) / scale)) == digits.test_y
        assert (unpack(result.correct, result.n) != expected).sum() <= 1, "up to a tie"
        assert result.value == pytest.approx(100 * unpack(result.correct, result.n).mean())


def test_the_strength_of_few_labels_is_chosen_within_them(digits):
    """By a loop over folds, and by no other label: neither those of val nor those of train that were not drawn, nor test's."""
    rows = drawn(digits.train_y, 7, 2)
    x, y = digits.train_x[rows], digits.train_y[rows]
    right = dict.fromkeys(linear.STRENGTHS, 0)
    for strength in right:
        for fold in range(5):
            held = [place for place in range(7) if place % 5 == fold]
            rest = [place for place in range(7) if place % 5 != fold]
            probe = logistic.fit(x[:, rest].reshape(-1, 64), y[:, rest].ravel(), (strength,))
            right[strength] += int((logistic.predict(probe, x[:, held].reshape(-1, 64))[0] == y[:, held].ravel()).sum())
    best = max(right, key=lambda strength: (right[strength], strength))
    chosen = few_labels.choose(x, y)
    assert chosen["l2"] == best and chosen["held_out_top1"] == pytest.approx(100 * right[best] / 70)
    unused = np.setdiff1d(np.arange(1000), np.concatenate([drawn(digits.train_y, 3, draw).ravel() for draw in range(1, 6)]))
    other = replace(digits, val_y=np.roll(digits.val_y, 1), val_x=digits.val_x[::-1].copy(), train_x=digits.train_x.copy())
    other.train_x[unused] = 0
    found = few_labels.measure(digits, 3)
    assert few_labels.measure(other, 3) == found
    shuffled = few_labels.measure(with_another_test(digits), 3)
    assert [result.chosen for result in shuffled] == [result.chosen for result in found]
    assert few_labels.measure(digits, 10)[0].value > found[0].value + 5


def test_a_percentage_of_labels_is_that_many_of_each_class(digits):
    """Of 1,000 labels of ten classes 2 % are two a class: the same draws, under the name that was asked for."""
    by_share, by_number = few_labels.evaluate(FakeSubject(digits), "2%"), few_labels.evaluate(FakeSubject(digits), "2")
    assert [result.metric for result in by_share] == ["top1_n2%", *(f"top1_n2%_draw{draw}" for draw in range(1, 6))]
    assert [replace(result, metric="") for result in by_share] == [replace(result, metric="") for result in by_number]
    assert [labels_a_class(*given) for given in ((1, 45_000, 10), (10, 45_000, 10), (1, 1_281_167, 1_000))] == [45, 450, 13]
    assert registry.percent_of_labels("few_labels:1%") == 1 and registry.percent_of_labels("few_labels:20") is None
    assert registry.labels_a_class("few_labels:1%") is registry.target("few_labels:1%") is None


def test_the_plan_refuses_a_percentage_that_leaves_no_two_labels_a_class():
    digits = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), encoder="resnet8", image_size=8, pretrain_split="train")
    check_names(digits, ("few_labels:10%",), DataSets())
    with pytest.raises(UserError, match=r"'few_labels:1%': 1 % of 1,2\d\d train labels of digits are 1 of each .* 10 classes; expected 2"):
        check_names(digits, ("few_labels:1%",), DataSets())
    with pytest.raises(UserError, match=r"of the class '.*', and the evaluator 'few_labels:99%' takes"):
        check_names(digits, ("few_labels:99%",), DataSets())
