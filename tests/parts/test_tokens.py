"""The parts of masked tokens: patches, positions and means against loops, and mistakes that these must notice. (That patches stand in the
order of an encoder's tokens is in tests/losses/test_mae.py.)"""

import inspect
import math
import types

import pytest
import torch

from bench.parts import tokens
from loss_cases import TOLERANCE

SIZE = 3


def pictures(count=2, rows=2, columns=4):
    return torch.randn(count, 3, rows * SIZE, columns * SIZE, generator=torch.Generator().manual_seed(0))


def check_patchify(module=tokens):
    """Each patch's pixels, row by row, a pixel's colours together."""
    images = pictures()
    found = module.patchify(images, SIZE)
    for image, row, column in ((0, 0, 0), (1, 0, 3), (0, 1, 2)):
        pixels = [images[image, c, row * SIZE + y, column * SIZE + x] for y in range(SIZE) for x in range(SIZE) for c in range(3)]
        assert found[image, row * 4 + column].tolist() == [pixel.item() for pixel in pixels]


def check_positions(module=tokens):
    """Nothing for the class token; then sines and cosines of the column in the first half, of the row in the second."""
    side, dim = 3, 8
    expected = [[0.0] * dim]
    for row in range(side):
        for column in range(side):
            halves = []
            for place in (column, row):
                angles = [place / 10000 ** (number / (dim // 4)) for number in range(dim // 4)]
                halves += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
            expected.append(halves)
    torch.testing.assert_close(module.grid_positions(side, dim), torch.tensor(expected), rtol=TOLERANCE, atol=TOLERANCE)


def check_mean(module=tokens):
    values = torch.arange(12.0).view(3, 4)
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]).bool()
    assert module.mean_where(values, mask).item() == pytest.approx((0 + 4 + 5 + 6) / 4)
    assert module.mean_where(values, torch.zeros_like(mask)).item() == 0


def check_shown(module=tokens):
    images, seen = torch.ones(1, 3, 2 * SIZE, 4 * SIZE), torch.zeros(1, 8, dtype=torch.bool)
    seen[0, 5] = True
    shown = module.show_patches(images, seen, SIZE)
    assert shown[..., SIZE:, SIZE : 2 * SIZE].all() and shown.sum() == 3 * SIZE * SIZE


def check_chosen(module=tokens):
    rows, which = torch.randn(2, 5, 3), torch.tensor([[4, 0], [1, 1]])
    assert torch.equal(module.choose(rows, which), torch.stack([rows[0, [4, 0]], rows[1, [1, 1]]]))


def check_among(module=tokens):
    assert module.among(torch.tensor([[3, 0], [1, 1]]), 4).tolist() == [[True, False, False, True], [False, True, False, False]]


CHECKS = [check_among, check_patchify, check_positions, check_mean, check_shown, check_chosen]


@pytest.mark.parametrize("check", CHECKS)
def test_parts_are_the_loops(check):
    check()


MISTAKES = [
    ("permute(0, 2, 4, 3, 5, 1)", "permute(0, 4, 2, 3, 5, 1)", check_patchify),
    ("permute(0, 2, 4, 3, 5, 1)", "permute(0, 2, 4, 5, 3, 1)", check_patchify),
    ("line.repeat(side, 1), line.repeat_interleave(side, 0)", "line.repeat_interleave(side, 0), line.repeat(side, 1)", check_positions),
    ("(dim // 4))\n    angles", "(dim // 2))\n    angles", check_positions),
    ("(values * mask).sum(1)", "values.sum(1)", check_mean),
    ("mask.sum(1).to(values.dtype).mean()", "mask.any(1).to(values.dtype).mean()", check_mean),
    ("grid.repeat_interleave(size, 2)", "grid.repeat(1, 1, size, 1)", check_shown),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check):
    source = inspect.getsource(tokens)
    assert source.count(right) == 1
    changed = types.ModuleType("changed")
    exec(compile(source.replace(right, wrong), "changed", "exec"), vars(changed))
    with pytest.raises(AssertionError):
        check(changed)
