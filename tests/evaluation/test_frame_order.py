"""Frame order: told where features change with time, a coin's toss where they do not; each test clip once."""

import numpy as np
import pytest

from bench.evaluation.evaluators import frame_order
from bench.evaluation.evaluators.frame_order import IN_ORDER, both, measure, one_of_both, shuffled


def growing(count, seed, step=1.0):
    """Features [N, 6, 4] of frames, one of which grows by `step` from each frame to the next."""
    found = np.random.RandomState(seed).randn(count, 6, 4).astype(np.float32)
    found[:, :, 0] = 0.1 * found[:, :, 0] + step * np.arange(6)
    return found


def test_what_grows_with_time_tells_the_order_and_noise_does_not():
    grows, noise = (measure("some", *(growing(300, seed, step) for seed in range(3)))[0] for step in (1.0, 0.0))
    assert grows.value > 95 and 35 < noise.value < 65
    assert (grows.evaluator, grows.metric, grows.split, grows.n) == ("frame_order", "top1", "test", 300) and "l2" in grows.chosen


def test_every_clip_is_in_another_order():
    x = np.arange(1000 * 3 * 2, dtype=np.float32).reshape(1000, 3, 2)
    other = shuffled(x, np.random.RandomState(0))
    assert (other != x).any((1, 2)).all(), "three frames are in order one time in six"
    assert np.array_equal(np.sort(other, axis=1), x)
    rows, labels = both(x, np.random.RandomState(0))
    assert np.array_equal(rows[:1000].reshape(x.shape), x) and labels.tolist() == [IN_ORDER] * 1000 + [1 - IN_ORDER] * 1000
    drawn, labels = one_of_both(x, np.random.RandomState(0))
    same = (drawn.reshape(x.shape) == x).all((1, 2))
    assert np.array_equal(same, labels == IN_ORDER) and 400 < same.sum() < 600


class Stored:
    """What an evaluator asks of features: those of a clip are the mean grey of its frames."""

    dataset = "some"

    def __init__(self):
        self.clips = {
            split: np.random.RandomState(seed).randint(255, size=(40, 5, 1, 2, 2)).astype(np.uint8)
            for seed, split in enumerate(("train", "val", "test"))
        }

    def split(self, split):
        return None, np.zeros(len(self.clips[split]))

    def changed(self, split, change, rows=None):
        clips = self.clips[split] if rows is None else self.clips[split][rows]
        return change(clips, np.arange(len(clips))).astype(np.float32).mean((1, 2, 3, 4))[:, None]


def test_each_frame_is_encoded_by_itself(monkeypatch):
    stored = Stored()
    found = frame_order.frames(stored, "val")
    assert np.allclose(found[..., 0], stored.clips["val"].mean((2, 3, 4)))
    monkeypatch.setattr(frame_order, "MOST_CLIPS", 10)
    assert frame_order.frames(stored, "train").shape == (10, 5, 1) and frame_order.frames(stored, "test").shape == (40, 5, 1)
    assert len(frame_order.evaluate(stored)) == 1


def test_a_feature_that_is_not_finite_is_named():
    broken = growing(20, 0)
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r"frame_order on some: .* of train_x hold NaN"):
        measure("some", broken, growing(20, 1), growing(20, 2))
