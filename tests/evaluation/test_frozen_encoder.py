"""What a frozen encoder hands out beside its own images' features, and what is kept of the time that took."""

import numpy as np
import pytest
import torch

from bench.data.catalogue import DataSets
from bench.data.rows import Changed, RowsInMemory
from bench.evaluation import frozen_encoder, logistic, read_ahead, registry
from bench.evaluation.evaluate import evaluate
from bench.evaluation.evaluators import calibration, knn, linear, robustness
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.machine import large_arrays
from bench.machine.signals import StopSignals


def test_one_split_alone(features):
    x, y = features.split("test")
    assert [split for _, split in features._splits] == ["test"]
    assert np.array_equal(x, features.arrays().test_x) and np.array_equal(y, features.arrays().test_y)


def test_what_is_read_before_training_is_what_evaluators_are_handed(measured, monkeypatch):
    read = []
    monkeypatch.setattr(read_ahead, "load", lambda found, split, size, threads, modality: read.append((found.name, split)))
    for request, expected in {
        "knn": [("digits", "train"), ("digits", "val"), ("digits", "test")],
        "validation": [("digits", "train"), ("digits", "val")],
        "retrieval": [("digits", "test")],
        "few_shot:mnist5k": [("mnist5k", "test")],
        "ood:mnist5k": [("digits", "train"), ("digits", "test"), ("mnist5k", "test")],
    }.items():
        read.clear()
        read_ahead.read_images(measured[1], (request,), DataSets(), 1)
        assert read == expected


def test_features_of_changed_images(features):
    """Images left as they are have the features that they had; others those of what they were changed to, told by their index."""
    plain, indices = features.arrays().test_x, []

    def same(images, index):
        assert images.dtype == np.uint8 and images.shape[1:] == (1, 8, 8)
        indices.append(index)
        return images

    assert np.array_equal(features.changed("test", same), plain)
    assert np.array_equal(np.concatenate(indices), np.arange(len(plain)))
    dark = features.changed("test", lambda images, index: np.where((index == 3)[:, None, None, None], 0, images).astype(np.uint8))
    assert np.flatnonzero((dark != plain).any(axis=1)).tolist() == [3]
    indices.clear()
    assert np.array_equal(features.changed("test", same, rows=np.array([7, 2])), plain[[7, 2]])
    assert np.concatenate(indices).tolist() == [7, 2], "of some of them, by their indices in the split"


def test_features_too_large_for_memory_lie_in_a_file_and_are_the_same(features, measured, tmp_path, monkeypatch):
    method, spec, source = measured
    plain = features.arrays()
    monkeypatch.setattr(large_arrays, "total_memory", lambda: 1.0)
    stored = FrozenEncoder(method, method.encode, spec, source, DataSets(), scratch=tmp_path)
    val_first = stored.split("val")[0]
    arrays = stored.arrays()
    for split in ("train", "val", "test"):
        x = getattr(arrays, f"{split}_x")
        assert isinstance(x, np.memmap) and np.array_equal(x, getattr(plain, f"{split}_x"))
    both, labels = arrays.fitting_split()
    assert np.shares_memory(both, arrays.train_x) and np.shares_memory(both, val_first), "both together are no copy"
    assert np.array_equal(both, np.concatenate([plain.train_x, plain.val_x])) and len(labels) == len(both)
    assert knn.measure(arrays) == knn.measure(plain) and not list(tmp_path.iterdir())


def test_two_crops_are_extracted_once(features, monkeypatch):
    found = features.two_crops()
    monkeypatch.setattr(frozen_encoder, "extract", None)
    assert features.two_crops() is found


def test_extracting_changed_images_is_time_of_the_one_that_asks(features):
    features.arrays()
    before = features.extraction.seconds
    features.changed("test", lambda images, index: images, rows=np.arange(9))
    assert features.extraction.seconds == before > 0


def test_what_images_may_not_be_changed_to(features):
    with pytest.raises(ValueError, match=r"were changed to float64 \[\d+, 1, 8, 8\]"):
        features.changed("test", lambda images, index: images / 2)
    with pytest.raises(ValueError, match=r"were changed to uint8 \[\d+, 1, 4, 4\]"):
        features.changed("test", lambda images, index: images[..., ::2, ::2])


def test_changed_rows_are_rows():
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1)
    twice = Changed(RowsInMemory(images, torch.tensor([5, 4, 3])), lambda images, index: images * 2)
    assert twice.shape == (3, 1, 1, 1) and twice[torch.tensor([2, 0])].flatten().tolist() == [6, 10]
    assert torch.cat(list(twice.reordered(torch.tensor([1, 2])).split(1))).flatten().tolist() == [8, 6]


def test_what_is_shared_is_made_once_by_its_name(features):
    made = []

    def make():
        made.append(len(made))
        return made[-1]

    assert [features.shared(name, make) for name in ("one", "other", "one")] == [0, 1, 0] and made == [0, 1]
    assert features._of(features.function).shared("one", make) == 2, "of other features it is another"


def test_the_linear_probe_is_fitted_once_for_all_that_need_it(measured, monkeypatch):
    """With the very results that each has alone, whoever asks first."""
    method, spec, source = measured
    fits = []

    def counted(x, y, strengths):
        fits.append((len(y), len(strengths)))
        return logistic.fit(x, y, strengths)

    monkeypatch.setattr(linear, "fit", counted)
    monkeypatch.setattr(calibration, "fit", counted)
    monkeypatch.setattr(robustness, "MOST_IMAGES", 5)
    monkeypatch.setattr(robustness, "CORRUPTIONS", ("fog",))
    search, refit, of_temperature = (1295, 13), (1438, 1), (1295, 1)
    needed = {
        "validation": [search],
        "calibration": [search, refit, of_temperature],
        "linear": [search, refit],
        "robustness": [search, refit],
        "shift:digits": [search, refit],
        "transfer:digits": [search, refit],
    }

    def results(*requests):
        fits.clear()
        return evaluate(method, spec, source, requests, DataSets(), 1, StopSignals())[0]

    alone = []
    for request, expected in needed.items():
        alone += results(request)
        assert fits == expected, request
    assert results(*needed) == alone
    assert fits == [search, refit, of_temperature], "of one data set, and of the temperature's own probe"


def test_the_seconds_of_each_evaluator_and_of_extraction(measured, monkeypatch):
    method, spec, source = measured
    knn, slept = registry.load("knn").evaluate, []

    def slow(of, argument=None):
        result = knn(of, argument)
        before = of.extraction.seconds
        with of.extraction:
            slept.append(sum(range(3_000_000)))
        assert of.extraction.seconds > before
        return result

    monkeypatch.setattr(registry.load("knn"), "evaluate", slow)
    results, seconds = evaluate(method, spec, source, ("knn", "validation"), DataSets(), 1, StopSignals())
    assert {result.evaluator for result in results} == {"knn", "validation"}
    assert set(seconds) == {"features", "knn", "validation"} and slept
    assert seconds["features"] > seconds["knn"] > 0, "what is extracted for an evaluator is not its own time"
