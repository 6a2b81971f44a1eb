"""data2vec's loss against loops over hidden patches, blocks and features in float64, BEiT's masks against their loops, the teacher, and
mistakes that these must notice."""

import copy
import math

import pytest
import torch

import methods.data2vec
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.encoders.networks.vit import VisionTransformer
from bench.method import Batch
from bench.parts import block_mask
from bench.parts.tokens import TRIES
from bench.spec import DatasetInfo
from loss_cases import check_follows, close, mutate, rows_of

SIDE, SIZE = 8, 16


def make(depth=4, **hyper_parameters):
    """data2vec on a narrow ViT, whose teacher is another network, with norms and biases somewhere else than at their start."""
    with seeded("weights"):
        data = DatasetInfo(num_images=64, image_size=SIZE)
        method = methods.data2vec.Data2Vec(lambda: VisionTransformer(depth, 12, 3, SIZE, SIZE // SIDE), data, **hyper_parameters)
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_((0.3 if parameter.ndim == 1 else 0.05) * torch.randn_like(parameter))
    return method.train()


def make_batch(count, key=0):
    return Batch((Draws("images", key, total=count).randn(3, SIZE, SIZE),), torch.arange(count), Draws("test", key, total=count))


def masks_by_loops(draws, side, count, least):
    """beit/masking_generator.py, its tries one after the other, from the same draws."""
    masks = []
    for tries in draws.tolist():
        hidden = set()
        for size, shape, down, right in tries:
            missing = count - len(hidden)
            area, ratio = least + size * (missing - least), math.exp(math.log(0.3) + shape * (math.log(1 / 0.3) - math.log(0.3)))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if height >= side or width >= side:
                continue
            top, left = math.floor(down * (side - height + 1)), math.floor(right * (side - width + 1))
            block = {row * side + column for row in range(top, top + height) for column in range(left, left + width)}
            if 0 < len(block - hidden) <= missing:
                hidden |= block
        masks.append(hidden)
    return masks


def hidden_places(batch, ratio=0.6, share=0.082):
    draws = copy.deepcopy(batch).rand(TRIES, 4)
    return masks_by_loops(draws, SIDE, round(SIDE**2 * ratio), max(1, round(SIDE**2 * share)))


@pytest.mark.parametrize(("side", "count", "least"), [(14, 120, 16), (8, 38, 5), (7, 20, 1)])
def test_masks_are_beits(side, count, least):
    draws = Draws("masks", side, total=64)
    expected = masks_by_loops(copy.deepcopy(draws).rand(TRIES, 4), side, count, least)
    found = block_mask(draws, side, count, least)
    assert [set(row.nonzero()[:, 0].tolist()) for row in found] == expected
    hidden = found.sum(1)
    assert hidden.max() <= count and hidden.float().mean() > 0.95 * count


def layer_norm(row):
    mean = sum(row) / len(row)
    variance = sum((value - mean) ** 2 for value in row) / len(row)
    return [(value - mean) / math.sqrt(variance + 1e-5) for value in row]


def expected(method, batch, last, beta):
    """The teacher's blocks one by one, each patch normalised, averaged, normalised; the student with mask tokens put in by hand."""
    (images,), encoder, teacher = batch.views, method.encoder.vit, method.teacher.network
    places = hidden_places(batch)
    with torch.no_grad():
        tokens, outputs = teacher.embed(images), []
        for block in teacher.vit.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        patches = encoder.patch_embed(images).flatten(1, 2).clone()
        for image, hidden in enumerate(places):
            for place in hidden:
                patches[image, place] = method.mask_token[0, 0]
        whole = torch.cat([encoder.cls_token.expand(len(images), -1, -1), patches], dim=1) + encoder.pos_embed
        said = method.head(encoder.norm(encoder.blocks(whole)))[:, 1:]
    errors = []
    for image, hidden in enumerate(places):
        for place in hidden:
            layers = [layer_norm(rows_of(output[image, 1 + place][None])[0]) for output in outputs[-last:]]
            target = layer_norm([sum(values) / last for values in zip(*layers, strict=True)])
            for a, b in zip(rows_of(said[image, place][None])[0], target, strict=True):
                errors.append((a - b) ** 2 / (2 * beta) if abs(a - b) < beta else abs(a - b) - beta / 2)
    return sum(errors) / len(errors)


def check_loss(count=3, last=2, beta=2.0, key=0, **hyper_parameters):
    method, batch = make(beta=beta, **hyper_parameters), make_batch(count, key)
    wanted = expected(method, batch, last, beta)
    close(method.loss(batch, 0.3), wanted)


CASES = [{}, {"count": 1, "beta": 0.5}, {"layers": 1.0, "last": 4}, {"layers": 0.1, "last": 1}, {"depth": 3, "layers": 0.5, "last": 2}]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loss_is_the_papers(case):
    check_loss(**case)


def check_small_beta():
    check_loss(beta=0.3)


def check_gradients():
    method = make()
    method.loss(make_batch(2), 0.0).backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    own = [*method.encoder.parameters(), *method.head.parameters(), method.mask_token]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in own)


def test_targets_are_constants():
    check_gradients()


def check_step():
    method = make(momentum=0.9, momentum_end=0.98)
    check_follows(method, method.encoder, 0.25, 0.92)


def test_the_teacher_follows():
    check_step()


def test_hidden_pixels_are_not_seen_by_the_student():
    method, batch = make(), make_batch(2)
    hidden = torch.zeros(2, SIDE**2, dtype=torch.bool)
    for image, places in enumerate(hidden_places(batch)):
        hidden[image, list(places)] = True
    grid = hidden.view(2, 1, SIDE, SIDE).repeat_interleave(2, 2).repeat_interleave(2, 3)
    other = torch.where(grid, batch.views[0] + 1, batch.views[0])
    seen = [method.encoder.tokens(images, replace=hidden, mask_token=method.mask_token) for images in (batch.views[0], other)]
    assert torch.equal(*seen) and not torch.equal(method.targets(batch.views[0]), method.targets(other))


def test_the_mean_of_patches_is_evaluated_and_the_others_recorded():
    method, images = make().eval(), make_batch(3).views[0]
    torch.testing.assert_close(method.encode(images), method.encoder.tokens(images)[:, 1:].mean(1))
    torch.testing.assert_close(method.encode_also()["teacher"](images), method.teacher.network.tokens(images)[:, 1:].mean(1))


def test_what_blocks_make_is_what_the_encoder_makes_before_its_norm():
    encoder = factory("vit_micro", 32)(width=0.25).eval()
    images = torch.randn(2, 3, 32, 32)
    outputs = encoder.block_tokens(images)
    assert len(outputs) == 6
    torch.testing.assert_close(encoder.vit.norm(outputs[-1]), encoder.tokens(images))


def test_everything_is_float64_in_a_float64_run():
    batch = make_batch(2)
    assert make().double().loss(Batch((batch.views[0].double(),), batch.index, batch.draws), 0.0).dtype == torch.float64


@pytest.mark.parametrize("ratio", [0.05, 0.999])
def test_a_mask_that_cannot_be_is_refused(ratio):
    with pytest.raises(ValueError, match=rf"mask_ratio={ratio:g} hides (3|64) of 64 patches"):
        make(mask_ratio=ratio)


def test_an_encoder_that_does_not_show_its_blocks_is_refused(monkeypatch):
    monkeypatch.delattr(VisionTransformer, "block_tokens")
    with pytest.raises(ValueError, match=r"VisionTransformer does not say what each of its blocks makes \(block_tokens\); vit_nano does"):
        make()


MISTAKES = [
    ("F.layer_norm(outputs, shape).mean(0)", "outputs.mean(0)", check_loss),
    ("F.layer_norm(F.layer_norm(outputs, shape).mean(0), shape)", "F.layer_norm(outputs, shape).mean(0)", check_loss),
    ("beta=beta, ", "", check_small_beta),
    ('reduction="none").mean(2)', 'reduction="none").sum(2)', check_loss),
    ("outputs[-last:]", "outputs[:last]", check_loss),
    ("[:, :, 1:])", "[:, :, :-1])", check_loss),
    ("replace=hidden", "replace=~hidden", check_loss),
    ("mask_token=self.mask_token)[:, 1:]", "mask_token=self.mask_token)[:, :-1]", check_loss),
    ("self.teacher.network.block_tokens", "self.encoder.block_tokens", check_loss),
    ("with torch.no_grad():\n            outputs = self.teacher.network", "if True:\n            outputs = self.encoder", check_loss),
    ("round(patches * mask_ratio)", "round(patches * mask_ratio / 2)", check_loss),
    ("(momentum, momentum_end, ", "(momentum_end, momentum, ", check_step),
]


@pytest.mark.parametrize(("right", "wrong", "check"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES])
def test_mistakes_are_noticed(right, wrong, check, monkeypatch):
    mutate(monkeypatch, methods.data2vec, right, wrong)
    with pytest.raises(AssertionError):
        check()
