"""The nearest neighbours against all similarities sorted, in blocks whose edges cut through everything."""

import tracemalloc

import numpy as np
import pytest

from bench.evaluation import search
from bench.evaluation.arrays import normalise


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of sizes that divide nothing."""
    monkeypatch.setattr(search, "QUERIES_AT_ONCE", 7)
    monkeypatch.setattr(search, "BANK_AT_ONCE", 11)
    monkeypatch.setattr(search, "NUMBERS_AT_ONCE", 50)


def features(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 9)).astype(np.float32)


def all_sorted(bank: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every similarity float64 [Q, B], largest first, and of which row of the bank."""
    similarity = normalise(queries) @ normalise(bank).T
    index = np.argsort(-similarity, axis=1, kind="stable")
    return np.take_along_axis(similarity, index, axis=1), index


@pytest.mark.parametrize("k", [1, 5, 60, 100])
def test_they_are_the_first_of_all_sorted(small_blocks, k):
    bank, queries = features(100, 1), features(30, 2)
    similarity, index = search.nearest(bank, queries, k)
    expected, order = all_sorted(bank, queries)
    assert similarity.dtype == np.float32 and index.dtype == np.int64
    assert (index == order[:, :k]).all() and np.allclose(similarity, expected[:, :k], atol=1e-6)


def test_a_bank_that_is_normalised_block_by_block_has_the_same_neighbours(small_blocks, monkeypatch):
    bank, queries = features(100, 1), features(30, 2)
    kept = [search.nearest(bank, of, 9) for of in (queries, bank)]
    monkeypatch.setattr(search, "NUMBERS_KEPT", 899)
    monkeypatch.setattr(search, "unit", lambda x, unit=search.unit: unit(x) if len(x) <= 11 else pytest.fail("more than a block"))
    for of, (similarity, index) in zip((queries, bank), kept, strict=True):
        again = search.nearest(bank, of, 9)
        assert np.allclose(again[0], similarity, atol=1e-6) and np.array_equal(again[1], index)


def test_among_themselves_nobody_is_its_own_neighbour(small_blocks):
    """Though every row is there twice: its copy is a neighbour."""
    x = np.repeat(features(20, 3), 2, axis=0)
    found = list(search.among_themselves(x, 39))
    index = np.concatenate([its for _, _, its in found])
    assert [rows.start for rows, _, _ in found] == list(range(0, 40, 7))
    assert all(sorted(row) == [other for other in range(40) if other != query] for query, row in enumerate(index.tolist()))
    assert (index[:, 0] == np.arange(40) ^ 1).all()
    with pytest.raises(ValueError, match=r"k must be in \[1, 39\]"):
        next(search.among_themselves(x, 40))


def test_rows_that_are_normalised_in_blocks_are_the_same(small_blocks):
    x = features(123, 4) * 1e20
    x[5] = 0
    assert np.array_equal(search.unit(x), normalise(x).astype(np.float32))


def test_equal_similarities_come_in_the_order_of_the_bank(small_blocks):
    bank = np.tile(np.eye(9, dtype=np.float32)[:2], (30, 1))
    similarity, index = search.nearest(bank, bank[:1], 60)
    assert index[0].tolist() == [*range(0, 60, 2), *range(1, 60, 2)] and similarity[0].tolist() == [1] * 30 + [0] * 30


def test_memory_is_that_of_a_block():
    """All similarities of these would take 64 MB."""
    x = features(4_000, 5)
    tracemalloc.start()
    for _ in search.among_themselves(x, 10):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6, "torch's block of 16 MiB is not counted"
