"""I-JEPA's loss against loops over blocks, patches and features in float64, its blocks and contexts, the teacher's steps, and mistakes that
these must notice.

B images, M blocks of T patches, K patches of the context.
"""

import copy
import itertools
import math

import pytest
import torch

import methods.ijepa
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch
from bench.parts import grid_positions
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, mutate, rows_of

SIDE, SIZE = 8, 16


def make(size=SIZE, **hyper_parameters):
    """I-JEPA on a narrow encoder, whose teacher is another network, with norms and biases somewhere else than at their start."""
    make_encoder, data = factory("vit_micro", size), DatasetInfo(num_images=64, image_size=size)
    with seeded("weights"):
        method = methods.ijepa.IJEPA(lambda: make_encoder(width=0.25), data, **hyper_parameters)
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.25 * torch.randn_like(parameter))
    return method.train()


def make_batch(count, size=SIZE, key=0):
    return Batch((Draws("images", key, total=count).randn(3, size, size),), torch.arange(count), Draws("test", key, total=count))


def drawn(batch, side, blocks, shape):
    """For each image the context's patches, and each block's: rectangles of the shape or turned, and the lowest draws of what is free."""
    draws = copy.deepcopy(batch)
    tall, down, right, free = (draws.rand(count).tolist() for count in (blocks, blocks, blocks, side**2))
    contexts, targets = [], []
    for image in range(len(tall)):
        own = []
        for block in range(blocks):
            height, width = shape if tall[image][block] < 0.5 else shape[::-1]
            top, left = int(down[image][block] * (side - height + 1)), int(right[image][block] * (side - width + 1))
            own.append([row * side + column for row in range(top, top + height) for column in range(left, left + width)])
        taken = set(itertools.chain(*own))
        order = sorted((place for place in range(side**2) if place not in taken), key=free[image].__getitem__)
        contexts.append(order[: side**2 - blocks * shape[0] * shape[1]])
        targets.append(own)
    return contexts, targets


def layer_norm(row):
    mean = sum(row) / len(row)
    variance = sum((value - mean) ** 2 for value in row) / len(row)
    return [(value - mean) / math.sqrt(variance + 1e-5) for value in row]


def expected(method, batch, shape):
    """Each block of each image by itself: the context's tokens and as many mask tokens, in the order of the image."""
    (images,), predictor, side, blocks = batch.views, method.predictor, method.encoder.side, method.targets[0]
    contexts, targets = drawn(batch, side, blocks, shape)
    positions, errors = grid_positions(side, predictor.enter.out_features)[1:], []
    with torch.no_grad():
        whole = method.teacher.network.tokens(images)[:, 1:]
        for image, (context, own) in enumerate(zip(contexts, targets, strict=True)):
            tokens = method.encoder.tokens(images[image : image + 1], keep=torch.tensor([context]))[0, 1:]
            for block in own:
                rows = [predictor.enter(token) + positions[place] for token, place in zip(tokens, context, strict=True)]
                rows += [predictor.mask_token.flatten() + positions[place] for place in block]
                said = predictor.leave(predictor.norm(predictor.blocks(torch.stack(rows)[None])))[0, len(context) :]
                for guess, place in zip(rows_of(said), block, strict=True):
                    for a, b in zip(guess, layer_norm(rows_of(whole[image, place : place + 1])[0]), strict=True):
                        errors.append((a - b) ** 2 / 2 if abs(a - b) < 1 else abs(a - b) - 0.5)
    return sum(errors) / len(errors)


def check_loss(count=3, shape=(4, 3), key=0, size=SIZE, **hyper_parameters):
    method, batch = make(size, **hyper_parameters), make_batch(count, size, key)
    wanted = expected(method, batch, shape)
    close(method.loss(batch, 0.3), wanted)


CASES = [
    {},
    {"count": 1, "blocks": 1, "predictor_depth": 1},
    {"blocks": 2, "block_area": 0.3, "block_aspect": 2.0, "shape": (6, 3), "predictor_dim": 64},
    {"size": 14, "shape": (3, 3)},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_papers(case):
    check_loss(**case)


def test_blocks_are_as_large_as_the_authors_and_contexts_lie_beside_them():
    """int(rows * columns * scale) patches, the sides rounded (src/masks/multiblock.py)."""
    method = make()
    context, targets = method.draw(make_batch(64))
    assert context.shape == (64, 16) and targets.shape == (64, 4, 12)
    for own, blocks in zip(context.tolist(), targets.tolist(), strict=True):
        assert len(set(own)) == 16 and not set(own) & set(itertools.chain(*blocks))
        for block in blocks:
            rows, columns = sorted({place // 8 for place in block}), sorted({place % 8 for place in block})
            assert (len(rows), len(columns)) in ((4, 3), (3, 4)) and len(set(block)) == 12
            assert rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1
    places = targets.flatten().tolist()
    assert set(places) == set(range(64)), "blocks reach every patch"
    wide = sum(len({place // 8 for place in block}) == 3 for blocks in targets.tolist() for block in blocks)
    assert 90 < wide < 166


def test_the_encoder_sees_the_context_alone_and_the_loss_the_blocks_through_the_teacher(monkeypatch):
    method, batch = make(), make_batch(2)
    kept, tokens = [], method.encoder.tokens
    monkeypatch.setattr(method.encoder, "tokens", lambda images, keep=None: (kept.append(keep), tokens(images, keep=keep))[1])
    method.loss(batch, 0.0).backward()
    assert len(kept) == 1 and kept[0].shape == (2, 16)
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    own = [*method.encoder.parameters(), *method.predictor.parameters()]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in own)


def check_step():
    """momentum_scheduler of the authors' src/train.py: along a line."""
    method = make(momentum=0.9, momentum_end=0.98)
    check_follows(method, method.encoder, 0.25, 0.92)


def test_the_teacher_follows_along_a_line():
    check_step()


def test_the_teachers_mean_of_patches_is_evaluated():
    method, images = make().eval(), make_batch(3).views[0]
    torch.testing.assert_close(method.encode(images), method.teacher.network.tokens(images)[:, 1:].mean(1))
    torch.testing.assert_close(method.encode_also()["student"](images), method.encoder.tokens(images)[:, 1:].mean(1))


def test_everything_is_float64_in_a_float64_run():
    batch = make_batch(2)
    assert make().double().loss(Batch((batch.views[0].double(),), batch.index, batch.draws), 0.0).dtype == torch.float64


def test_blocks_that_leave_no_context_are_refused():
    with pytest.raises(ValueError, match="6 blocks of 4 x 3 patches leave none of 64 for the context"):
        make(blocks=6)


MISFITS = [({"block_aspect": 100.0}, "33 x 0"), ({"block_aspect": 0.1}, "1 x 10"), ({"block_area": 0.001}, "0 x 0")]


@pytest.mark.parametrize(("numbers", "sides"), MISFITS, ids=str)
def test_blocks_that_do_not_fit_the_grid_are_refused(numbers, sides):
    """They would be of another area than they are said to be."""
    with pytest.raises(ValueError, match=f"makes blocks of {sides} patches; expected 1 to 8 on a side"):
        make(**numbers)


MISTAKES = [
    ("F.layer_norm(targets, targets.shape[-1:])", "targets", check_loss),
    ("F.smooth_l1_loss", "F.mse_loss", check_loss),
    ("self.positions[context]", "self.positions[: context.shape[1]]", check_loss),
    ("self.mask_token + self.positions[targets]", "self.mask_token + 0 * self.positions[targets]", check_loss),
    ("grid_positions(side, dim)[1:]", "grid_positions(side, dim)", check_loss),
    ("[:, -length:])", "[:, :length])", check_loss),
    ("keep=context)[:, 1:]", "keep=context)[:, :-1]", check_loss),
    ("self.teacher.network.tokens(images)", "self.encoder.tokens(images)", check_loss),
    ("tokens(images)[:, 1:]\n        return", "tokens(images)[:, :-1]\n        return", check_loss),
    ("cell % widths[..., None]", "cell % self.width", check_loss),
    ("(free + taken)", "free", check_loss),
    ("batch.rand(count) < 0.5", "batch.rand(count) < 2", check_loss),
    ("(momentum, momentum_end, ", "(momentum_end, momentum, ", check_step),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.ijepa, right, wrong)
    with pytest.raises(AssertionError):
        check()
