"""SimMIM's loss against loops over hidden pixels in float64, which squares are hidden, and mistakes that these must notice."""

import copy
import math

import pytest
import torch

import methods.simmim
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch
from bench.spec import DatasetInfo
from loss_cases import close, mutate

PATCH = 2


def make(size=16, **hyper_parameters):
    make_encoder, data = factory("vit_micro", size), DatasetInfo(num_images=64, image_size=size)
    with seeded("weights"):
        return methods.simmim.SimMIM(lambda: make_encoder(width=0.25), data, **hyper_parameters).train()


def make_batch(count, size=16, key=0):
    return Batch((Draws("images", key, total=count).randn(3, size, size),), torch.arange(count), Draws("test", key, total=count))


def hidden_places(batch, side, square, ratio):
    """For each image the patches whose square has one of the lowest draws; squares row by row, cut at the edge."""
    squares = math.ceil(side / square)
    count = math.ceil(squares**2 * ratio)
    places = []
    for row in copy.deepcopy(batch).rand(squares**2).tolist():
        chosen = set(sorted(range(squares**2), key=row.__getitem__)[:count])
        places.append([p for p in range(side**2) if p // side // square * squares + p % side // square in chosen])
    return places


def expected(method, batch, square, ratio):
    """The mean over hidden pixels and their channels, one by one. The encoder gets mask tokens in a loop over patches."""
    (images,), encoder, side = batch.views, method.encoder, method.encoder.side
    places = hidden_places(batch, side, square, ratio)
    with torch.no_grad():
        patches = encoder.vit.patch_embed(images).flatten(1, 2).clone()
        for image, hidden in enumerate(places):
            for place in hidden:
                patches[image, place] = method.mask_token[0, 0]
        whole = torch.cat([encoder.vit.cls_token.expand(len(images), -1, -1), patches], dim=1) + encoder.vit.pos_embed
        said = method.decoder(encoder.vit.norm(encoder.vit.blocks(whole)))[:, 1:].double().tolist()
    pixels, errors = images.double().tolist(), []
    for image, hidden in enumerate(places):
        for place in hidden:
            top, left = place // side * PATCH, place % side * PATCH
            own = [pixels[image][c][top + y][left + x] for y in range(PATCH) for x in range(PATCH) for c in range(3)]
            errors += [abs(a - b) for a, b in zip(said[image][place], own, strict=True)]
    return sum(errors) / len(errors)


def check_loss(count=3, size=16, square=1, ratio=0.6, key=0, **hyper_parameters):
    method, batch = make(size, mask_ratio=ratio, **hyper_parameters), make_batch(count, size, key)
    wanted = expected(method, batch, square, ratio)
    close(method.loss(batch, 0.3), wanted)


CASES = [{}, {"count": 1, "ratio": 0.1}, {"ratio": 0.9}, {"square": 2, "mask_size": 0.25}, {"square": 3, "mask_size": 0.4, "size": 14}]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_papers(case):
    check_loss(**case)


def test_squares_are_as_wide_as_the_papers_and_as_many_are_hidden():
    """32 of 224 pixels are 2 of 14 patches, and 30 of 49 squares hidden; of 8 patches one."""
    large = DatasetInfo(num_images=64, image_size=224)
    method = methods.simmim.SimMIM(lambda: factory("vit_nano", 224)(width=0.25), large)
    assert (method.square, method.squares, method.hidden) == (2, 7, 30)
    hidden = method.draw_hidden(make_batch(4))
    assert hidden.shape == (4, 196) and (hidden.sum(1) == 120).all() and len({tuple(row) for row in hidden.tolist()}) == 4
    assert (make().square, make().hidden) == (1, 39)


def test_hidden_pixels_are_not_seen_and_visible_ones_no_target():
    method, batch = make(), make_batch(2)
    places = hidden_places(batch, 8, 1, 0.6)
    hidden = torch.zeros(2, 64, dtype=torch.bool)
    for image, own in enumerate(places):
        hidden[image, own] = True
    grid = hidden.view(2, 1, 8, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    other = torch.where(grid, batch.views[0] + 1, batch.views[0])
    seen = [method.encoder.tokens(images, replace=hidden, mask_token=method.mask_token) for images in (batch.views[0], other)]
    assert torch.equal(*seen)
    method.loss(batch, 0.0).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in method.parameters())


def test_the_mean_of_patches_is_evaluated_and_the_class_token_recorded():
    method, images = make().eval(), make_batch(3).views[0]
    tokens = method.encoder.tokens(images)
    torch.testing.assert_close(method.encode(images), tokens[:, 1:].mean(1))
    assert torch.equal(method.encode_also()["class_token"](images), tokens[:, 0])


def test_everything_is_float64_in_a_float64_run():
    batch = make_batch(2)
    assert make().double().loss(Batch((batch.views[0].double(),), batch.index, batch.draws), 0.0).dtype == torch.float64


def test_a_mask_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="hides 4 of 4 squares of 4 x 4 patches"):
        make(mask_ratio=0.8, mask_size=0.5)


MISTAKES = [
    (".abs().mean(2)", ".square().mean(2)"),
    (".abs().mean(2)", ".abs().sum(2)"),
    ("mean_where((predicted - patches).abs().mean(2), hidden)", "(predicted - patches).abs().mean()"),
    ("replace=hidden", "replace=~hidden"),
    ("mask_token=self.mask_token", "mask_token=0 * self.mask_token"),
    ("self.decoder(tokens[:, 1:])", "self.decoder(tokens[:, :-1])"),
    ("rank < self.hidden", "rank >= self.hidden"),
    (".argsort(1).argsort(1)", ".argsort(1)"),
    ("math.ceil(self.squares**2 * mask_ratio)", "int(self.squares**2 * mask_ratio)"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.simmim, right, wrong)
    with pytest.raises(AssertionError):
        check_loss()
