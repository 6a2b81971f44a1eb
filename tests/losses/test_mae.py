"""MAE's loss against loops from the paper's description in float64: the decoder's rows in the order of the image, an error for every pixel.

The loops share no code with the method. A comparison that cannot fail says nothing, so one deliberate mistake after the other
is written into a copy of the method's source, and the comparison must then fail.
"""

import copy
import math

import pytest
import torch
from torch import nn

import methods.mae
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import Batch
from bench.spec import DatasetInfo
from loss_cases import TOLERANCE, agree, mutate

SIZE, PATCH, SIDE = 16, 2, 8


def make(size=SIZE, **hyper_parameters):
    """MAE on a narrow encoder, with norms and biases somewhere else than at their start."""
    make_encoder, data = factory("vit_micro", size), DatasetInfo(num_images=64, image_size=size)
    with seeded("weights"):
        method = methods.mae.MAE(lambda: make_encoder(width=0.25), data, **hyper_parameters)
        with torch.no_grad():
            for parameter in method.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.3 * torch.randn_like(parameter))
    return method.train()


def make_batch(count, size=SIZE, key=0):
    return Batch((Draws("images", key, total=count).randn(3, size, size),), torch.arange(count), Draws("test", key, total=count))


def positions_by_loops(side, dim):
    """Sines and cosines of the column in the first half of the features, of the row in the second; nothing for the class token."""
    rows = [[0.0] * dim]
    for row in range(side):
        for column in range(side):
            halves = []
            for place in (column, row):
                angles = [place / 10000 ** (number / (dim // 4)) for number in range(dim // 4)]
                halves += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
            rows.append(halves)
    return torch.tensor(rows)


def pixels_of(image, patch):
    """The numbers of the patch-th patch of one image, row by row, a pixel's colours together."""
    top, left = patch // SIDE * PATCH, patch % SIDE * PATCH
    return [image[c][top + y][left + x] for y in range(PATCH) for x in range(PATCH) for c in range(3)]


def hidden_patches(batch, ratio):
    """For each image the patches with the highest draws, and all others in the order of their draws."""
    draws = copy.deepcopy(batch).rand(SIDE * SIDE).tolist()
    kept = int(SIDE * SIDE * (1 - ratio))
    orders = [sorted(range(SIDE * SIDE), key=row.__getitem__) for row in draws]
    return [order[:kept] for order in orders], [set(order[kept:]) for order in orders]


def loss_by_loops(method, batch, ratio, norm_pix):
    """Section 3: encode the visible patches, put mask tokens where patches are missing, add positions, decode, compare the hidden."""
    (images,), decoder = batch.views, method.decoder
    visible, hidden = hidden_patches(batch, ratio)
    with torch.no_grad():
        tokens = decoder.enter(method.encoder.tokens(images, keep=torch.tensor(visible)))
        whole = decoder.mask_token.repeat(len(images), 1 + SIDE * SIDE, 1)
        for image, places in enumerate(visible):
            whole[image, 0] = tokens[image, 0]
            for number, place in enumerate(places):
                whole[image, 1 + place] = tokens[image, 1 + number]
        whole = whole + positions_by_loops(SIDE, whole.shape[2])
        predicted = decoder.leave(decoder.norm(decoder.blocks(whole)))[:, 1:].double().tolist()
    errors = []
    for image, places in enumerate(hidden):
        pixels = images[image].double().tolist()
        for place in places:
            target = pixels_of(pixels, place)
            if norm_pix:
                mean = sum(target) / len(target)
                variance = sum((value - mean) ** 2 for value in target) / (len(target) - 1)
                target = [(value - mean) / math.sqrt(variance + 1e-6) for value in target]
            errors.append(sum((a - b) ** 2 for a, b in zip(predicted[image][place], target, strict=True)) / len(target))
    return sum(errors) / len(errors)


def loss_case(count=3, ratio=0.75, norm_pix=True, key=0, **hyper_parameters):
    """-> the method's loss and the reference's."""
    method, batch = make(mask_ratio=ratio, norm_pix=norm_pix, **hyper_parameters), make_batch(count, key=key)
    reference = loss_by_loops(method, batch, ratio, norm_pix)
    return method.loss(batch, 0.3).item(), reference


@pytest.mark.parametrize("norm_pix", [True, False])
@pytest.mark.parametrize(
    ("count", "ratio", "dim", "depth"), [(1, 0.75, 64, 2), (4, 0.5, 32, 1), (3, 0.9, 96, 3), (2, 0.1, 64, 1), (2, 0.98, 32, 2)]
)
def test_the_loss_is_the_papers(norm_pix, count, ratio, dim, depth):
    assert agree(loss_case(count, ratio, norm_pix, count, decoder_dim=dim, decoder_depth=depth))


MISTAKES = {
    "visible patches are the target": (
        "choose(patchify(images, self.encoder.patch_size), hide)",
        "choose(patchify(images, 2), order)[:, : len(hide[0])]",
    ),
    "patches predicted in another order": ("[:, -hidden:])", "[:, -hidden:].flip(1))"),
    "the visible are predicted": ("[:, -hidden:])", "[:, 1 : 1 + hidden])"),
    "no positions": ("rows + self.positions[places]", "rows"),
    "positions of the image's order": ("self.positions[places]", "self.positions"),
    "positions off by one": ("order + 1]", "order]"),
    "another encoder input": ("keep=keep", "keep=hide[:, : self.kept]"),
    "the encoder sees all": ("self.encoder.tokens(images, keep=keep)", "self.encoder.tokens(images)[:, : 1 + self.kept]"),
    "no norm of pixels": ("if norm_pix:", "if False:"),
    "mean stays": ("(patches - mean) /", "patches /"),
    "variance for deviation": ("(variance + 1e-6).sqrt()", "(variance + 1e-6)"),
    "variance with the mean of N": ("torch.var_mean(patches, dim=-1,", "torch.var_mean(patches, correction=0, dim=-1,"),
    "absolute error": (".square().mean()", ".abs().mean()"),
    "sum over pixels": (".square().mean()", ".square().sum(-1).mean()"),
    "no norm after the decoder": ("self.leave(self.norm(", "self.leave(("),
    "one mask for all images": (
        "batch.rand(self.patches).argsort(dim=1)",
        "batch.rand(self.patches).argsort(dim=1)[:1].expand(len(images), -1)",
    ),
    "the highest draws stay": (".argsort(dim=1)", ".argsort(dim=1, descending=True)"),
    "ratio upside down": ("(1 - mask_ratio)", "mask_ratio"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.mae, *MISTAKES[mistake])
    assert not agree(loss_case())


def seen_and_predicted(method, monkeypatch):
    """Lists that every later loss appends to: the patches that the encoder keeps, and those that the decoder is asked for."""
    kept, hidden = [], []
    tokens, decode = method.encoder.tokens, method.decoder.forward

    def spy_tokens(images, keep=None, **rest):
        kept.append(keep)
        return tokens(images, keep=keep, **rest)

    def spy_decode(visible, order):
        predicted = decode(visible, order)
        hidden.append(order[:, -predicted.shape[1] :])
        return predicted

    monkeypatch.setattr(method.encoder, "tokens", spy_tokens)
    monkeypatch.setattr(method.decoder, "forward", spy_decode)
    return kept, hidden


@pytest.mark.parametrize(("ratio", "visible"), [(0.75, 16), (0.5, 32), (0.9, 6)])
def test_the_hidden_patches_are_those_that_are_not_kept(monkeypatch, ratio, visible):
    method = make(mask_ratio=ratio)
    kept, hidden = seen_and_predicted(method, monkeypatch)
    method.loss(make_batch(5), 0.0)
    (kept,), (hidden,) = kept, hidden
    assert kept.shape == (5, visible) and hidden.shape == (5, SIDE * SIDE - visible)
    assert all(set(row) == set(range(SIDE * SIDE)) for row in torch.cat([kept, hidden], dim=1).tolist())
    assert len({tuple(sorted(row)) for row in kept.tolist()}) == 5


def changed_in(images, patches):
    """The images with other pixels in the given patches [B, K]."""
    images = images.clone()
    for image, places in enumerate(patches.tolist()):
        for place in places:
            top, left = place // SIDE * PATCH, place % SIDE * PATCH
            images[image, :, top : top + PATCH, left : left + PATCH] += torch.randn(3, PATCH, PATCH)
    return images


@pytest.mark.parametrize("norm_pix", [True, False])
def test_the_loss_depends_on_the_hidden_targets_alone_and_the_encoder_on_the_visible(monkeypatch, norm_pix):
    method, batch = make(norm_pix=norm_pix), make_batch(3)
    order = copy.deepcopy(batch).rand(SIDE * SIDE).argsort(dim=1)
    keep, hide = order[:, :16], order[:, 16:]
    loss, patchify = method.loss(copy.deepcopy(batch), 0.0), methods.mae.patchify
    for patches, same in ((keep, True), (hide, False), (hide[:, :1], False)):
        other = changed_in(batch.views[0], patches)
        with monkeypatch.context() as patch:  # targets of other images; the encoder sees the same
            patch.setattr(methods.mae, "patchify", lambda images, size, other=other: patchify(other, size))
            assert torch.equal(method.loss(copy.deepcopy(batch), 0.0), loss) == same
    seen = method.encoder.tokens(batch.views[0], keep=keep)
    assert torch.equal(method.encoder.tokens(changed_in(batch.views[0], hide), keep=keep), seen)


def test_positions_are_the_loops():
    for side, dim in ((8, 64), (7, 32), (3, 96)):
        found = methods.mae.grid_positions(side, dim)
        torch.testing.assert_close(found, positions_by_loops(side, dim), rtol=TOLERANCE, atol=TOLERANCE)
    method = make()
    assert "decoder.positions" in method.state_dict() and "decoder.positions" not in dict(method.named_parameters())


def test_patches_stand_in_the_order_of_the_encoders_tokens():
    """Token 1 + k of a ViT is about the same pixels as row k of patchify."""
    images = torch.zeros(SIDE * SIDE, 3, SIZE, SIZE)
    method = make()
    empty = method.encoder.embed(images[:1])
    for place in range(SIDE * SIDE):
        images[place : place + 1] = changed_in(images[place : place + 1], torch.tensor([[place]]))
    touched = (method.encoder.embed(images) != empty)[:, 1:].any(2)
    assert torch.equal(touched, torch.eye(SIDE * SIDE, dtype=torch.bool))
    assert torch.equal(methods.mae.patchify(images, PATCH).any(2), touched)
    assert methods.mae.patchify(images, PATCH)[5, 5].tolist() == pixels_of(images[5].tolist(), 5)


def test_the_class_token_is_evaluated_and_the_mean_of_patches_recorded():
    method, images = make().eval(), make_batch(3).views[0]
    tokens = method.encoder.tokens(images)
    assert torch.equal(method.encode(images), tokens[:, 0])
    torch.testing.assert_close(method.encode_also()["patch_mean"](images), tokens[:, 1:].mean(1))


def test_everything_trains_and_the_decoder_starts_as_the_authors():
    method = make()
    method.loss(make_batch(2), 0.0).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in method.parameters())
    with seeded("fresh"):
        decoder = methods.mae.Decoder(24, 64, 2, 8, 12)
    for layer in decoder.modules():
        if isinstance(layer, nn.Linear):
            bound = math.sqrt(6 / sum(layer.weight.shape))
            assert 0.9 * bound < layer.weight.abs().max() <= bound and not layer.bias.any()
    assert all(block.attn.num_heads == 2 for block in decoder.blocks)


def test_everything_is_float64_in_a_float64_run():
    method, batch = make().double(), make_batch(2)
    batch = Batch((batch.views[0].double(),), batch.index, batch.draws)
    assert method.loss(batch, 0.0).dtype == torch.float64


@pytest.mark.parametrize(
    ("hyper_parameters", "message"),
    [
        ({"mask_ratio": 0.999}, "leaves 0 of 64 patches visible"),
        ({"mask_ratio": 0.0}, "leaves 64 of 64 patches visible"),
    ],
)
def test_what_cannot_be_is_refused(hyper_parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**hyper_parameters)
