"""Draws are functions of their key, of all of it and of nothing else."""

import pytest
import torch

from bench.compute.randomness import Draws, generator, hashed, seeded

KINDS = {
    "rand": lambda draws: draws.rand(3),
    "randn": lambda draws: draws.randn(3),
    "randint": lambda draws: draws.randint(1000, 3),
    "uniform": lambda draws: draws.uniform(2.0, 5.0, 3),
}


def test_hash_is_pinned():
    """Another hash would give every stored run another seed."""
    assert hashed(0, "view", 12, 1) == 5405115933027903173
    assert 0 <= hashed(0) < 2**63


def test_every_part_of_the_key_matters():
    keys = [(0, 1), (1, 0), (0, 1, 0), (0, "1"), ("0", 1), ("01",), (1,), (0, "view", 1, 2), (0, "view", 2, 1), (0, "order", 1, 2), (1, 1)]
    firsts = [torch.rand(4, generator=generator(*key)) for key in keys]
    assert len({tuple(first.tolist()) for first in firsts}) == len(keys)


def test_equal_keys_draw_equally_whatever_was_drawn_before():
    one = Draws(3, "view", 7, total=5)
    torch.rand(100)
    other = Draws(3, "view", 7, total=5)
    assert torch.equal(one.rand(2), other.rand(2)) and torch.equal(one.randn(2), other.randn(2))


def test_calls_are_numbered():
    draws = Draws(0, total=4)
    assert not torch.equal(draws.rand(2), draws.rand(2))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_rows_of_the_global_batch(kind):
    whole, parts = Draws(0, "x", total=8), [Draws(0, "x", total=8, rows=slice(start, start + 2)) for start in range(0, 8, 2)]
    for _ in range(2):
        assert torch.equal(KINDS[kind](whole), torch.cat([KINDS[kind](part) for part in parts]))


def test_a_permutation_is_the_same_on_every_device():
    first, second = (Draws(0, total=8, rows=slice(start, start + 4)) for start in (0, 4))
    drawn = first.permutation(50)
    assert torch.equal(drawn, second.permutation(50)) and torch.equal(drawn.sort().values, torch.arange(50))
    assert not torch.equal(drawn, first.permutation(50))


def test_a_shared_draw_is_the_same_on_every_device_and_for_every_batch():
    first, second, larger = (Draws(0, total=total, rows=slice(start, start + 4)) for total, start in ((8, 0), (8, 4), (30, 7)))
    drawn = first.shared_randn(3, 5)
    assert drawn.shape == (3, 5) and drawn.dtype == torch.float32
    assert torch.equal(drawn, second.shared_randn(3, 5)) and torch.equal(drawn, larger.shared_randn(3, 5))
    assert not torch.equal(drawn, first.shared_randn(3, 5)) and not torch.equal(drawn, Draws(1, total=8).shared_randn(3, 5))


def test_global_state_is_restored():
    before = torch.get_rng_state()
    with seeded(0, "weights"):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(0, "weights"):
        assert torch.equal(torch.rand(3), first)
    with seeded(1, "weights"):
        assert not torch.equal(torch.rand(3), first)
    with pytest.raises(RuntimeError, match="on purpose"), seeded(0):
        raise RuntimeError("on purpose")
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    for draw in KINDS.values():
        draw(Draws(0, total=4))
    Draws(0, total=4).permutation(9)
    Draws(0, total=4).shared_randn(9)
    assert torch.equal(torch.get_rng_state(), before)


def test_distributions():
    draws = Draws(0, "distribution", total=20000)
    uniform = draws.rand()
    assert uniform.min() >= 0 and uniform.max() < 1
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand times by a true uniform.
    assert (uniform.sort().values - (torch.arange(20000) + 0.5) / 20000).abs().max() < 1.95 / 20000**0.5
    normal = draws.randn()
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.02
    counts = draws.randint(10).bincount(minlength=10)
    assert len(counts) == 10 and (counts - 2000).abs().max() < 200
    between = draws.uniform(2.0, 5.0)
    assert between.min() >= 2 and between.max() <= 5 and abs(between.mean() - 3.5) < 0.03


def test_steps_of_one_run_are_not_correlated():
    """With `seed + step`, the draws of (0, 1) and (1, 0) would be one; here no two rows of this table resemble each other."""
    rows = torch.stack([Draws(seed, "view", step, total=2000).rand() for seed in range(4) for step in range(4)])
    correlation = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlation.abs().max() < 0.1
