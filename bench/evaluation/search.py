"""Exact nearest neighbours by cosine similarity, in bounded memory: products of blocks, of which FAISS's heaps keep the best.

    similarity, index = nearest(bank, queries, k)
    for rows, similarity, index in blocks(bank, queries, k): ...

What FAISS itself multiplies with is the OpenBLAS in its package, of 2021, which has no kernels for processors that came after it: on one it
was four times slower than torch. So torch multiplies. FAISS's heaps take of each block what is better than the worst that they hold, which
is less work than torch's topk of whole rows.

Ties: of equal similarities the lower index comes first, and which of them are found at all where they straddle the k-th is the heap's.
B images in the bank, Q queries, D features.
"""

from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np
import torch

from bench.evaluation.arrays import normalise

QUERIES_AT_ONCE, BANK_AT_ONCE = 1024, 4096
"""Sides of a block of similarities (16 MiB of float32): large enough for a product to be at its best, small enough to stay in a cache."""

NUMBERS_KEPT = 2**29
"""Features of a bank that are kept normalised (2 GiB); a larger one is normalised anew, block by block, for each block of queries."""

NUMBERS_AT_ONCE = 2**21
"""Features that are normalised at once, in float64 (16 MiB)."""


def nearest(bank: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k most similar rows of `bank` [B, D] for each of `queries` [Q, D], nearest first: cosine similarity
    float32 [Q, k] and index int64 [Q, k]. A vector of zeros has similarity 0 to everything. ValueError where k is not in [1, B]."""
    similarity, index = np.empty((len(queries), k), dtype=np.float32), np.empty((len(queries), k), dtype=np.int64)
    for rows, similar, found in blocks(bank, queries, k):
        similarity[rows], index[rows] = similar, found
    return similarity, index


def among_themselves(x: np.ndarray, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """As `blocks`, of each row of x [Q, D] among all others. ValueError where k is not in [1, Q - 1]."""
    return blocks(x, x, k, but_itself=True)


def blocks(bank: np.ndarray, queries: np.ndarray, k: int, *, but_itself: bool = False) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(which queries, similarity float32 [q, k], index int64 [q, k]) of so many queries at a time, in order; see `nearest`.
    but_itself: query i is row i of the bank, and not a neighbour of its own."""
    most = len(bank) - but_itself
    if not 1 <= k <= most:
        raise ValueError(f"k must be in [1, {most}], the size of the bank, not {k}")
    kept = torch.from_numpy(unit(bank)) if bank.size <= NUMBERS_KEPT else None
    space = torch.empty(min(QUERIES_AT_ONCE, len(queries)) * min(BANK_AT_ONCE, len(bank)))
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        some = kept[part] if kept is not None and queries is bank else torch.from_numpy(unit(queries[part]))
        # Of a heap of the largest the smallest is on top: "minheap".
        heaps: Any = faiss.float_minheap_array_t()
        similarity, index = np.empty((len(some), k), np.float32), np.empty((len(some), k), np.int64)
        heaps.nh, heaps.k, heaps.val, heaps.ids = len(some), k, faiss.swig_ptr(similarity), faiss.swig_ptr(index)
        heaps.heapify()
        for first in range(0, len(bank), BANK_AT_ONCE):
            part = slice(first, first + BANK_AT_ONCE)
            others = torch.from_numpy(unit(bank[part])) if kept is None else kept[part]
            product = torch.mm(some, others.T, out=space[: len(some) * len(others)].view(len(some), len(others)))
            if but_itself:
                itself = np.arange(max(start, first), min(start + len(some), first + len(others)))
                product[itself - start, itself - first] = -torch.inf
            heaps.addn(len(others), faiss.swig_ptr(product.numpy()), first, 0, len(some))
        heaps.reorder()
        yield slice(start, start + len(some)), *_lower_index_first(similarity, index)


def unit(x: np.ndarray) -> np.ndarray:
    """[N, D] -> float32 [N, D]: `normalise`, rounded; a block of rows at a time."""
    rows, scaled = max(1, NUMBERS_AT_ONCE // x.shape[1]), np.empty(x.shape, dtype=np.float32)
    for start in range(0, len(x), rows):
        scaled[start : start + rows] = normalise(x[start : start + rows])
    return scaled


def _lower_index_first(similarity: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of falling similarity [q, k] and their index [q, k], those of equal similarity in the order of the index."""
    tied = (similarity[:, 1:] == similarity[:, :-1]).any(axis=1)
    order = np.lexsort((index[tied], -similarity[tied]), axis=1)
    index[tied] = np.take_along_axis(index[tied], order, axis=1)
    return similarity, index
