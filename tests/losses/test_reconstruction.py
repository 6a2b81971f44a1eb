"""Autoencoder, context encoder and split-brain: each loss against loops over pixels from the paper's formula in float64.

The loops share no code with the methods. One deliberate mistake after the other is written into a copy of each method's source, and
the comparison must then fail.
"""

import copy
import math

import pytest
import torch
from torch import nn

import methods
import methods.autoencoder
import methods.context_encoder
import methods.split_brain
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.errors import UserError
from bench.method import Batch
from bench.parts.heads import reverse_gradient
from bench.parts.reconstruction import squared_error
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.optim import build_optimizer, set_progress
from loss_cases import MEAN, STD, agree, cross_entropy_of_one, lab_of_one, mutate, normalised, pictures

SIZE = 16


def make(name, *, encoder="resnet8", size=SIZE, **hyper_parameters):
    """The method on a narrow encoder, in training mode."""
    make_encoder, data = factory(encoder, size), DatasetInfo(num_images=8, image_size=size, mean=MEAN, std=STD)

    def narrow(width=1.0, **options):
        return make_encoder(width=0.25 * width, **options)

    with seeded("weights", encoder):
        return methods.load(name)(narrow, data, **hyper_parameters).train()


def make_batch(count, size=SIZE, key=0):
    images = Draws("images", key, total=count).randn(3, size, size)
    return Batch((images,), torch.arange(count), Draws("test", key, total=count))


def mean_of_squares(first, second):
    """Over every number of two tensors."""
    pairs = list(zip(first.double().flatten().tolist(), second.double().flatten().tolist(), strict=True))
    return sum((one - other) ** 2 for one, other in pairs) / len(pairs)


# The autoencoder.


def autoencoder_case(count=3, **options):
    """-> the method's loss and the reference's."""
    method, batch = make("autoencoder", **options), make_batch(count)
    twin = copy.deepcopy(method)
    with torch.no_grad():
        rebuilt = twin.decoder(twin.encoder(batch.views[0]))
    return method.loss(batch, 0.3).item(), mean_of_squares(rebuilt, batch.views[0])


@pytest.mark.parametrize("options", [{"count": 1}, {"width": 8}, {"encoder": "vit_micro"}], ids=str)
def test_the_autoencoder_rebuilds_every_pixel(options):
    assert agree(autoencoder_case(**{"count": 2, **options}))


AUTOENCODER_MISTAKES = {
    "nothing but itself": ("squared_error(self.decoder(self.encoder(images)), images)", "squared_error(images, images)"),
    "a sum": ("len(images))", "len(images)) * images[0].numel()"),
    "compared with its mirror image": ("(images)), images)", "(images)), images.flip(-1))"),
}


@pytest.mark.parametrize("mistake", AUTOENCODER_MISTAKES)
def test_a_mistake_in_the_autoencoder_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.autoencoder, *AUTOENCODER_MISTAKES[mistake])
    assert not agree(autoencoder_case())


@pytest.mark.parametrize("size", [8, 28, 32, 96])
def test_the_autoencoder_sees_nothing_but_the_features(size):
    method = make("autoencoder", size=size)
    features = torch.zeros(2, method.encoder.dim)
    assert method.decoder(features).shape == (2, 3, size, size)


def test_squared_error_is_in_full_precision():
    first, second = (Draws("rows", key, total=2).randn(3, 4, 4).bfloat16() for key in range(2))
    assert squared_error(first, second).item() == pytest.approx(mean_of_squares(first, second), rel=1e-6)


# The context encoder.


def hidden_pixels(corners, side):
    """[K][top, left] -> the set of (row, column) inside any square."""
    return {(top + down, left + right) for top, left in corners for down in range(side) for right in range(side)}


def places(count, mask, hidden, blocks, size=SIZE):
    """The hidden pixels of every image, and the side of a square: from the definition of the masks and the batch's own draws."""
    if mask == "centre":
        side = round(size * math.sqrt(hidden))
        first = (size - side) // 2
        return [hidden_pixels([(first, first)], side)] * count, side
    side = round(size * math.sqrt(hidden / blocks))
    corners = Draws("test", 0, total=count).randint(size - side + 1, blocks, 2).tolist()
    return [hidden_pixels(those, side) for those in corners], side


def log_sigmoid(value):
    return -math.log1p(math.exp(-value))


def context_case(count=3, mask="blocks", hidden=0.25, blocks=4, adversary=0.0, encoder="resnet8"):
    """-> the method's loss and the reference's."""
    method = make("context_encoder", encoder=encoder, mask=mask, hidden=hidden, blocks=blocks, adversary=adversary, width=8)
    batch, twin = make_batch(count), copy.deepcopy(method)
    (clean,) = batch.views
    masks, side = places(count, mask, hidden, blocks)
    seen = clean.clone()
    for image, pixels in zip(seen, masks, strict=True):
        for row, column in pixels:
            image[:, row, column] = 0
    with torch.no_grad():
        feature_map = twin.encoder.feature_map(seen)
        rebuilt = twin.decoder(feature_map)
        flat, weight = feature_map.flatten(2), twin.decoder[0].weight
        mixed = torch.stack([flat[:, channel] @ weight[channel].T for channel in range(len(weight))], dim=1)
        torch.testing.assert_close(twin.decoder[0](feature_map).flatten(2), mixed)
    total = 0.0
    for image, made, pixels in zip(clean.double(), rebuilt.double(), masks, strict=True):
        errors = [(image[channel, row, column] - made[channel, row, column]).item() ** 2 for row, column in pixels for channel in range(3)]
        total += sum(errors) / len(errors) / count
    if adversary:
        first = (SIZE - side) // 2
        inside = slice(first, first + side) if mask == "centre" else slice(None)
        with torch.no_grad():
            real, made = (twin.adversary(images[:, :, inside, inside]).tolist() for images in (clean, rebuilt))
        likelihood = sum(log_sigmoid(value) for value in real) + sum(log_sigmoid(-value) for value in made)
        total = (1 - adversary) * total - likelihood / count
    return method.loss(batch, 0.3).item(), total


@pytest.mark.parametrize(
    "options",
    [
        {"count": 1},
        {"hidden": 0.5, "blocks": 9},
        {"blocks": 1, "encoder": "vit_micro"},
        {"mask": "centre"},
        {"mask": "centre", "hidden": 0.4, "adversary": 0.3},
        {"adversary": 0.001},
    ],
    ids=str,
)
def test_context_encoding_is_the_papers_formula(options):
    assert agree(context_case(**options))


CONTEXT_MISTAKES = {
    "nothing hidden": ("clean * (1 - hidden)", "clean"),
    "the rest is hidden": ("clean * (1 - hidden)", "clean * hidden"),
    "all pixels count": ("keepdim=True) * hidden", "keepdim=True) * hidden**0"),
    "a sum over hidden pixels": ("(error.sum((1, 2, 3)) / hidden.sum((1, 2, 3)))", "(error.sum((1, 2, 3)))"),
    "blocks of another size": ("hidden / self.count) ** 0.5", "hidden / self.count)"),
    "rows and columns exchanged": ("rows, columns = inside", "columns, rows = inside"),
    "only the first block": ("[..., None, :]).any(1, keepdim=True)", "[..., None, :])[:, :1]"),
}
ADVERSARY_MISTAKES = {
    "real and made exchanged": ("(F.softplus(-real) + F.softplus(made))", "(F.softplus(real) + F.softplus(-made))"),
    "the square's weight forgotten": ("(1 - self.weight) * loss", "loss"),
    "one call for both": (
        "self.adversary(self.judged(clean)), ",
        "self.adversary(self.judged(torch.cat([clean, rebuilt])))[: len(clean)], ",
    ),
}


@pytest.mark.parametrize("mistake", CONTEXT_MISTAKES)
def test_a_mistake_in_the_context_encoder_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.context_encoder, *CONTEXT_MISTAKES[mistake])
    assert not agree(context_case())


@pytest.mark.parametrize("mistake", ADVERSARY_MISTAKES)
def test_a_mistake_in_the_adversary_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.context_encoder, *ADVERSARY_MISTAKES[mistake])
    assert not agree(context_case(adversary=0.3))


def test_the_adversary_lowers_what_the_encoder_raises():
    """Gradients by the definition of the game: of the adversary, its own loss's; of the rest, the error's minus the adversary's."""
    weight = 0.3
    method, batch = make("context_encoder", adversary=weight, width=8), make_batch(4)
    twin, (clean,) = copy.deepcopy(method), batch.views
    method.loss(batch, 0.0).backward()

    hidden = torch.zeros(4, 1, SIZE, SIZE)
    for image, pixels in zip(hidden, places(4, "blocks", 0.25, 4)[0], strict=True):
        for row, column in pixels:
            image[0, row, column] = 1
    rebuilt = twin.decoder(twin.encoder.feature_map(clean * (1 - hidden)))
    error = (((rebuilt - clean) ** 2).mean(1, keepdim=True) * hidden).sum((1, 2, 3)) / hidden.sum((1, 2, 3))
    real, made = twin.adversary(clean), twin.adversary(rebuilt)
    game = -(real.sigmoid().log() + (1 - made.sigmoid()).log()).mean()
    named = dict(twin.named_parameters())
    of_error = torch.autograd.grad(error.mean(), list(named.values()), retain_graph=True, allow_unused=True)
    of_game = torch.autograd.grad(game, list(named.values()))
    for name, first, second in zip(named, of_error, of_game, strict=True):
        expected = second if name.startswith("adversary") else (1 - weight) * first - weight * second
        torch.testing.assert_close(method.get_parameter(name).grad, expected, rtol=1e-3, atol=1e-6)


def test_reversing_a_gradient_leaves_the_rows():
    rows = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    same = reverse_gradient(rows, 0.5)
    assert torch.equal(same, rows)
    (same**2).sum().backward()
    torch.testing.assert_close(rows.grad, -rows.detach())


def test_the_adversary_has_a_rate_of_its_own_and_is_there_only_when_asked_for():
    without, method = make("context_encoder"), make("context_encoder", adversary=0.001, width=8)
    assert without.adversary is None and not without.recipe.groups
    assert not [name for name, _ in without.named_parameters() if "adversary" in name]
    optimizer = build_optimizer(method, method.recipe)
    set_progress(optimizer, method.recipe, 0.5)
    rates = {name.startswith("adversary"): group["lr"] for group in optimizer.param_groups for name in group["names"]}
    assert rates == {False: 0.002, True: pytest.approx(0.0002)}


@pytest.mark.parametrize("size", [8, 16, 28, 96, 224])
@pytest.mark.parametrize("mask", ["blocks", "centre"])
def test_the_adversary_gives_one_number_an_image(size, mask):
    with torch.device("meta"):
        method = make("context_encoder", size=size, mask=mask, adversary=0.5, width=4)
        images = method.judged(torch.empty(2, 3, size, size))
        assert method.adversary(images).shape == (2,)
        widths = [module.out_channels for module in method.adversary if isinstance(module, nn.Conv2d)]
    assert widths[0] == 4 and max(widths) <= 32 and widths[-1] == 1


@pytest.mark.parametrize("blocks", [1, 4, 7])
def test_blocks_hide_at_most_the_part_asked_for_and_move(blocks):
    method, batch = make("context_encoder", blocks=blocks), make_batch(50)
    corners = method.corners(batch)
    masks = methods.context_encoder.squares(corners, method.side, SIZE).flatten(1)
    assert masks.mean(1).max() <= 0.25 + 0.02 and len({tuple(mask.tolist()) for mask in masks}) > 30
    assert corners.min() == 0 and corners.max() == SIZE - method.side


def test_context_encoders_evaluate_what_they_train():
    images = make_batch(2).views[0]
    resnet, vit = make("context_encoder").eval(), make("context_encoder", encoder="vit_micro").eval()
    assert torch.equal(resnet.encode(images), resnet.encoder(images))
    torch.testing.assert_close(vit.encode(images), vit.encoder.tokens(images)[:, 1:].mean(1))


# The split-brain autoencoder.


def split_brain_case(count=2, kind="classification", encoder="resnet8"):
    """-> the method's loss and the reference's."""
    method, images = make("split_brain", kind=kind, encoder=encoder), pictures(count)
    twin, channels = copy.deepcopy(method), torch.empty(count, 3, SIZE, SIZE, dtype=torch.float64)
    for image, own in zip(images.double(), channels, strict=True):
        for row in range(SIZE):
            for column in range(SIZE):
                own[:, row, column] = torch.tensor(lab_of_one(*image[:, row, column].tolist()), dtype=torch.float64)
    lightness, ab = ((channels[:, :1] - 50) / 100).float(), (channels[:, 1:] / 110).float()
    with torch.no_grad():
        colour = twin.says_colour(twin.sees_lightness.feature_map(lightness)).double()
        light = twin.says_lightness(twin.sees_colour.feature_map(ab)).double()
    side, total = colour.shape[-1], 0.0
    places = [place * SIZE // side for place in range(side)]
    for number in range(count):
        for i, row in enumerate(places):
            for j, column in enumerate(places):
                value, a, b = channels[number, :, row, column].tolist()
                says_colour, says_light = colour[number, :, i, j].tolist(), light[number, :, i, j].tolist()
                if kind == "regression":
                    errors = [says_light[0] - (value - 50) / 100, says_colour[0] - a / 110, says_colour[1] - b / 110]
                    total += sum(error**2 for error in errors) / 2
                    continue
                distances = [math.hypot(a - one, b - other) for one, other in method.colours.tolist()]
                total += cross_entropy_of_one(says_colour, distances.index(min(distances)))
                total += cross_entropy_of_one(says_light, min(49, int(value // 2)))
    batch = Batch((normalised(images),), torch.arange(count), Draws("test", total=count))
    return method.loss(batch, 0.3).item(), total / (count * side**2)


@pytest.mark.parametrize("options", [{"count": 1}, {"kind": "regression"}, {"encoder": "vit_micro"}], ids=str)
def test_split_brain_is_the_papers_formula(options):
    assert agree(split_brain_case(**{"count": 2, **options}))


SPLIT_BRAIN_MISTAKES = {
    "steps of another size": ("BIN, BINS = 2, 50", "BIN, BINS = 4, 50"),
    "the farthest colour": (".argmin(1)", ".argmax(1)"),
    "a mean colour": ("F.interpolate(target, predicted.shape[2:])", "F.adaptive_avg_pool2d(target, predicted.shape[2:])"),
    "only one half": ("mean_of_batch(colour + light,", "mean_of_batch(colour,"),
    "colours of another size": ("distances(ab * COLOUR_SCALE,", "distances(ab,"),
    "lightness around 0": ("LIGHTNESS_SCALE + LIGHTNESS_CENTRE) / BIN", "LIGHTNESS_SCALE) / BIN"),
}


@pytest.mark.parametrize("mistake", SPLIT_BRAIN_MISTAKES)
def test_a_mistake_in_split_brain_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.split_brain, *SPLIT_BRAIN_MISTAKES[mistake])
    assert not agree(split_brain_case())


def test_a_mistake_in_split_brains_regression_is_seen(monkeypatch):
    mutate(monkeypatch, methods.split_brain, "half_squared_error(predicted, target)", "half_squared_error(predicted, 2 * target)")
    assert not agree(split_brain_case(kind="regression"))


@pytest.mark.parametrize("encoder", ["resnet8", "vit_micro"])
def test_each_half_sees_its_own_channels_and_both_are_evaluated(encoder):
    method, images = make("split_brain", encoder=encoder).eval(), normalised(pictures(3))
    features, half = method.encode(images), method.sees_lightness.dim
    assert features.shape == (3, half + method.sees_colour.dim)
    grey = normalised(pictures(3).mean(1, keepdim=True).expand(-1, 3, -1, -1))
    darker = normalised(0.5 * pictures(3).mean(1, keepdim=True).expand(-1, 3, -1, -1))
    one, other = method.encode(grey), method.encode(darker)
    torch.testing.assert_close(one[:, half:], other[:, half:], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(one[:, :half], other[:, :half], atol=1e-3)
    whole = make("split_brain", encoder=encoder)
    assert sum(p.numel() for p in whole.sees_lightness.parameters()) < sum(
        p.numel() for p in make("autoencoder", encoder=encoder).encoder.parameters()
    )


def test_split_brain_refuses_grey_data():
    with pytest.raises(UserError, match="these images are grey"):
        complete(RunSpec(method="split_brain", dataset="mnist5k", budget=Budget("steps", 1)))


def test_a_float64_run_of_split_brain_stays_float64():
    method = make("split_brain").double()
    batch = Batch((normalised(pictures(2).double()),), torch.arange(2), Draws("test", total=2))
    assert batch.views[0].dtype == method.loss(batch, 0.0).dtype == method.encode(batch.views[0]).dtype == torch.float64
