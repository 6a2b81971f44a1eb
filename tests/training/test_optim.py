"""Optimizers: schedules by their formulas, who decays and who is adapted, LARS against the paper's formula written out."""

import math

import pytest
import torch
from torch import nn

import methods
from bench.encoders.factory import factory
from bench.method import build, on_paper
from bench.spec import DatasetInfo, Group, Recipe
from bench.training.optim import (
    WARMUP_START,
    build_optimizer,
    clear_state,
    excluded,
    load_state_by_name,
    lr_at,
    parameter_groups,
    schedule_at,
    set_progress,
    state_by_name,
    weight_decay_at,
)

pytestmark = pytest.mark.usefixtures("fixed_weights")


class Network(nn.Module):
    """An encoder and a predictor with each kind of parameter: weights, biases, three kinds of norm, a bare token and a bare scale."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 6))
        self.predictor = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 2))
        self.token = nn.Parameter(torch.randn(1, 6))
        self.scale = nn.Parameter(torch.rand(6) + 0.5)
        self.fixed = nn.Parameter(torch.randn(1, 2), requires_grad=False)

    def forward(self, images):
        return self.predictor(self.scale * self.encoder(images) + self.token)


BIASES = {"encoder.1.bias", "encoder.4.bias", "predictor.0.bias", "predictor.2.bias", "scale"}
NORMS = {f"{layer}.{kind}" for layer in ("encoder.0", "encoder.2", "predictor.1") for kind in ("weight", "bias")}
WEIGHTS = {"encoder.1.weight", "encoder.4.weight", "predictor.0.weight", "predictor.2.weight", "token"}


def by_name(optimizer) -> dict[str, dict]:
    """The group that each parameter is in."""
    return {name: group for group in optimizer.param_groups for name in group["names"]}


# --- schedules


@pytest.mark.parametrize("progress", [0.0, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("shape", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1])
def test_learning_rate(shape, warmup, progress):
    recipe = Recipe("sgd", lr=0.3, batch_size=512, lr_per_batch=256, warmup=warmup, schedule=shape)
    if progress < warmup:
        factor = 0.01 + 0.99 * progress / warmup
    else:
        done = (progress - warmup) / (1 - warmup)
        factor = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1}[shape]
    assert lr_at(recipe, progress) == pytest.approx(0.6 * factor, abs=1e-12)


def test_ends_of_the_schedule():
    assert schedule_at("cosine", 0.0, 0.1) == WARMUP_START == 0.01
    assert [schedule_at(shape, 0.1, 0.1) for shape in ("cosine", "linear", "constant")] == [1, 1, 1]
    assert [schedule_at(shape, 1.0, 0.1) for shape in ("cosine", "linear", "constant")] == [0, 0, 1]
    assert schedule_at("cosine", 0.55, 0.1) == pytest.approx(0.5)


def test_learning_rate_that_is_not_scaled_to_the_batch():
    assert lr_at(Recipe("adamw", lr=3e-4, batch_size=4096, lr_per_batch=None), 0.0) == 3e-4
    assert lr_at(Recipe("adamw", lr=3e-4, batch_size=64, lr_per_batch=512), 0.0) == pytest.approx(3e-4 / 8)


def test_weight_decay_schedule():
    constant, rising = Recipe("adamw", lr=1, weight_decay=0.05), Recipe("adamw", lr=1, weight_decay=0.04, weight_decay_end=0.4, warmup=0.1)
    for progress in (0.0, 0.3, 1.0):
        assert weight_decay_at(constant, progress) == 0.05
        # DINO's cosine_scheduler: end + (start - end) * (1 + cos) / 2, without warm-up.
        expected = 0.4 + 0.5 * (0.04 - 0.4) * (1 + math.cos(math.pi * progress))
        assert weight_decay_at(rising, progress) == pytest.approx(expected, abs=1e-12)
    assert weight_decay_at(rising, 0.0) == pytest.approx(0.04) and weight_decay_at(rising, 1.0) == pytest.approx(0.4)
    assert weight_decay_at(Recipe("sgd", lr=1, weight_decay=0.1, weight_decay_end=0.0), 1.0) == 0


# --- groups


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [((), set()), (("bias",), BIASES), (("norm",), NORMS), (("bias", "norm"), BIASES | NORMS)],
)
def test_excluded(exclude, expected):
    assert excluded(Network(), exclude) == expected


def built(name: str, encoder: str) -> nn.Module:
    """A method as a plan builds it."""
    with on_paper():
        return build(methods.load(name), factory(encoder, 32), DatasetInfo(1000, 32), 0, {})


@pytest.mark.parametrize("name", ["simclr", "byol", "barlow_twins", "vicreg", "nnclr", "dino"])
def test_every_vector_of_a_convnext_is_excluded(name):
    method = built(name, "convnext_tiny")
    vectors = {path for path, parameter in method.named_parameters() if parameter.ndim <= 1}
    assert any(path.endswith("gamma") for path in vectors), "LayerScale's, which no name gives away"
    assert excluded(method, method.recipe.exclude) == vectors


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50", "wideresnet28x2", "vit_nano"])
@pytest.mark.parametrize("name", ["simclr", "dino", "jigsaw", "mae"])
def test_resnets_and_vits_are_treated_as_by_their_names(name, encoder):
    """Their vectors are biases and norms by name too, and their tokens and positions have three dimensions: DINO's and MAE's code decays
    them (utils.get_params_groups; timm's add_weight_decay), and so do we."""
    if not methods.can_use(name, encoder):
        pytest.skip(f"{name} needs what {encoder} has not")
    method = built(name, encoder)
    norms, biases = set(), set()
    for prefix, module in method.named_modules():
        for own, _ in module.named_parameters(prefix, recurse=False):
            norm = isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm)
            (norms if norm else biases if own.endswith(".bias") else set()).add(own)
    assert (excluded(method, ("norm",)), excluded(method, ("bias",))) == (norms, biases)
    decayed = {name.rpartition(".")[2] for group in parameter_groups(method, method.recipe) if group["decays"] for name in group["names"]}
    if encoder == "vit_nano":
        assert {"pos_embed", "cls_token"} <= decayed and (name != "mae" or "mask_token" in decayed)


@pytest.mark.parametrize("norm", [nn.RMSNorm(4), nn.InstanceNorm2d(4, affine=True)], ids=lambda norm: type(norm).__name__)
def test_scales_of_any_normalisation_are_norms(norm):
    network = nn.Sequential(nn.Linear(4, 4), norm)
    assert {name.partition(".")[0] for name in excluded(network, ("norm",))} == {"1"}
    assert excluded(network, ("bias",)) == {"0.bias"}


def test_a_scale_of_one_number_is_excluded():
    network = nn.ParameterDict({"scale": nn.Parameter(torch.tensor(2.0)), "matrix": nn.Parameter(torch.ones(2, 2))})
    assert excluded(network, ("bias",)) == {"scale"}


def test_every_trainable_parameter_is_in_one_group():
    network = Network()
    optimizer = build_optimizer(network, Recipe("sgd", lr=1))
    names = [name for group in optimizer.param_groups for name in group["names"]]
    assert sorted(names) == sorted(BIASES | NORMS | WEIGHTS)
    parameters = dict(network.named_parameters())
    for group in optimizer.param_groups:
        assert all(parameters[name] is parameter for name, parameter in zip(group["names"], group["params"], strict=True))


@pytest.mark.parametrize("kind", ["sgd", "lars", "adam", "adamw"])
def test_groups_are_driven_by_progress(kind):
    recipe = Recipe(
        kind,
        lr=0.5,
        batch_size=512,
        weight_decay=0.04,
        weight_decay_end=0.4,
        warmup=0.2,
        groups=(
            Group("predictor", lr_scale=10.0, schedule="constant"),
            Group("predictor.0", weight_decay=0.5),
            Group("token", lr_scale=0.1),
        ),
    )
    optimizer = build_optimizer(Network(), recipe)
    for progress in (0.0, 0.6, 1.0):
        set_progress(optimizer, recipe, progress)
        groups = by_name(optimizer)
        cosine = lr_at(recipe, progress)
        assert groups["encoder.1.weight"]["lr"] == groups["encoder.0.bias"]["lr"] == cosine
        assert groups["predictor.2.weight"]["lr"] == groups["predictor.1.weight"]["lr"] == 10 * lr_at(recipe, progress, "constant")
        # The longest prefix wins, and wins whole: predictor.0 follows the recipe's own schedule again.
        assert groups["predictor.0.weight"]["lr"] == groups["predictor.0.bias"]["lr"] == cosine
        assert groups["token"]["lr"] == pytest.approx(0.1 * cosine)
        decay = weight_decay_at(recipe, progress)
        expected = dict.fromkeys(WEIGHTS, decay) | {"predictor.0.weight": 0.5} | dict.fromkeys(BIASES | NORMS, 0.0)
        assert {name: group["weight_decay"] for name, group in groups.items()} == expected


def test_order_of_groups_does_not_matter():
    groups = (Group("predictor", lr_scale=10.0), Group("predictor.0", lr_scale=3.0))
    for order in (groups, groups[::-1]):
        recipe = Recipe("sgd", lr=0.5, groups=order)
        optimizer = build_optimizer(Network(), recipe)
        set_progress(optimizer, recipe, 0.0)
        assert by_name(optimizer)["predictor.0.weight"]["lr"] == 1.5 and by_name(optimizer)["predictor.2.weight"]["lr"] == 5.0


def test_a_group_for_nothing_is_refused():
    with pytest.raises(ValueError, match="no parameter starts with 'predictr'"):
        build_optimizer(Network(), Recipe("sgd", lr=1, groups=(Group("predictr", lr_scale=10.0),)))


# --- steps


def trained(recipe: Recipe, steps: int = 5, plain=None) -> Network:
    """A network after some steps; `plain(network)` gives another optimizer, which then nobody drives."""
    torch.manual_seed(1)
    network = Network()
    optimizer = plain(network) if plain else build_optimizer(network, recipe)
    for _ in range(steps):
        network(torch.randn(8, 3, 4, 4)).square().sum().backward()
        if not plain:
            set_progress(optimizer, recipe, 0.0)
        optimizer.step()
        optimizer.zero_grad()
    return network


def difference(first: nn.Module, second: nn.Module) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def treated(network: Network, decay: float) -> list[dict]:
    """torch's own way to spare biases and norms."""
    parameters = dict(network.named_parameters())
    return [
        {"params": [parameters[name] for name in sorted(WEIGHTS)], "weight_decay": decay},
        {"params": [parameters[name] for name in sorted(BIASES | NORMS)], "weight_decay": 0.0},
    ]


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, False), (0.9, True), (0.0, False)])
def test_sgd_is_torchs(momentum, nesterov):
    ours = trained(Recipe("sgd", lr=0.01, momentum=momentum, nesterov=nesterov, weight_decay=0.1, schedule="constant"))
    theirs = trained(None, plain=lambda n: torch.optim.SGD(treated(n, 0.1), lr=0.01, momentum=momentum, nesterov=nesterov, fused=False))
    untouched = trained(ours, steps=0, plain=lambda n: torch.optim.SGD(n.parameters(), lr=0.0))
    assert difference(ours, theirs) < 1e-5 < 1e-3 < difference(ours, untouched)
    assert torch.equal(ours.fixed, untouched.fixed)


@pytest.mark.parametrize(("kind", "cls"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_adam_is_torchs(kind, cls):
    ours = trained(Recipe(kind, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, schedule="constant"))
    theirs = trained(None, plain=lambda n: cls(treated(n, 0.1), lr=0.01, betas=(0.8, 0.95), fused=False))
    assert difference(ours, theirs) < 1e-5
    other = trained(None, plain=lambda n: cls(treated(n, 0.0), lr=0.01, betas=(0.8, 0.95), fused=False))
    assert difference(ours, other) > 1e-4


class SlowLars:
    """You, Gitman and Ginsburg 2017 (arXiv:1708.03888), algorithm 1, a parameter at a time:

        local lr = eta * |w| / (|g| + decay * |w|);  v = momentum * v + lr * local lr * (g + decay * w);  w = w - v

    and plain momentum SGD, without decay, for what is excluded, as in the authors' and SimCLR's code. clip: the local
    lr is min(local lr / lr, 1), as in LARC and with solo-learn's clip_lr."""

    def __init__(self, network, lr, momentum, decay, eta, clip=False):
        self.parameters, self.velocity = dict(network.named_parameters()), {}
        self.lr, self.momentum, self.decay, self.eta, self.clip = lr, momentum, decay, eta, clip

    @torch.no_grad()
    def step(self):
        for name, w in self.parameters.items():
            if w.grad is None:
                continue
            update = w.grad.clone()
            if name in WEIGHTS:
                size, slope = math.sqrt((w**2).sum()), math.sqrt((w.grad**2).sum())
                local = self.eta * size / (slope + self.decay * size)
                local = min(local / self.lr, 1) if self.clip else local
                update = local * (update + self.decay * w)
            self.velocity[name] = self.momentum * self.velocity.get(name, 0) + self.lr * update
            w -= self.velocity[name]

    def zero_grad(self):
        for w in self.parameters.values():
            w.grad = None


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lars_is_the_papers(decay):
    recipe = Recipe("lars", lr=0.05, momentum=0.9, weight_decay=decay, eta=0.02, schedule="constant")
    ours = trained(recipe)
    theirs = trained(recipe, plain=lambda n: SlowLars(n, 0.05, 0.9, decay, 0.02))
    assert difference(ours, theirs) < 1e-5
    # The two ways differ by far: without adaptation, and with it for everything.
    sgd = trained(Recipe("sgd", lr=0.05, weight_decay=decay, schedule="constant"))
    everything = trained(Recipe("lars", lr=0.05, weight_decay=decay, eta=0.02, schedule="constant", exclude=()))
    assert min(difference(ours, sgd), difference(ours, everything)) > 1e-3


@pytest.mark.parametrize("eta", [0.001, 0.02])
def test_a_clipped_trust_ratio_makes_no_step_larger_than_sgds(eta):
    """At 0.001 most ratios are below the learning rate, at 0.02 most are above."""
    facts = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "schedule": "constant"}
    ours = trained(Recipe("lars", **facts, eta=eta, clip_trust=True))
    theirs = trained(None, plain=lambda n: SlowLars(n, 0.05, 0.9, 0.1, eta, clip=True))
    assert difference(ours, theirs) < 1e-5 < 1e-4 < difference(ours, trained(Recipe("lars", **facts, eta=eta)))


# --- state


@pytest.mark.parametrize("kind", ["sgd", "lars", "adam", "adamw"])
def test_state_round_trip_is_exact(kind):
    recipe = Recipe(kind, lr=0.01, weight_decay=0.1)

    def run(steps, network, optimizer):
        for step in steps:
            torch.manual_seed(step)
            network(torch.randn(8, 3, 4, 4)).square().sum().backward()
            set_progress(optimizer, recipe, step / 10)
            optimizer.step()
            optimizer.zero_grad()

    torch.manual_seed(1)
    network = Network()
    optimizer = build_optimizer(network, recipe)
    run(range(3), network, optimizer)
    state = state_by_name(optimizer)
    assert set(state) == BIASES | NORMS | WEIGHTS
    kept = {name: {key: value.clone() for key, value in values.items()} for name, values in state.items()}
    again = Network()
    again.load_state_dict(network.state_dict())
    other = build_optimizer(again, recipe)
    load_state_by_name(other, kept)
    run(range(3, 6), network, optimizer)
    run(range(3, 6), again, other)
    assert difference(network, again) == 0
    # Without its momenta it would have gone another way.
    forgetful = Network()
    forgetful.load_state_dict(network.state_dict())
    run(range(6, 9), network, optimizer)
    run(range(6, 9), forgetful, build_optimizer(forgetful, recipe))
    assert difference(network, forgetful) > 0


def test_state_of_an_unknown_parameter_is_refused():
    optimizer = build_optimizer(Network(), Recipe("sgd", lr=1))
    with pytest.raises(KeyError):
        load_state_by_name(optimizer, {"encoder.9.weight": {"momentum_buffer": torch.zeros(1)}})


def test_clear_state_forgets_one_head():
    network, recipe = Network(), Recipe("sgd", lr=0.01)
    optimizer = build_optimizer(network, recipe)
    network(torch.randn(8, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    clear_state(optimizer, ())
    assert set(state_by_name(optimizer)) == BIASES | NORMS | WEIGHTS
    clear_state(optimizer, ("predictor", "token"))
    assert set(state_by_name(optimizer)) == {name for name in BIASES | NORMS | WEIGHTS if name.startswith(("encoder", "scale"))}
