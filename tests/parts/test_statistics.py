"""BatchNorm's statistics taken from what a network is given: those that BatchNorm itself takes of one batch, layer after layer."""

import copy

import pytest
import torch
from torch import nn

from bench.encoders.batch_norm import GroupedBatchNorm, synchronise
from bench.parts.statistics import taking_statistics

pytestmark = pytest.mark.usefixtures("fixed_weights")


def network(norm=nn.BatchNorm2d) -> nn.Sequential:
    parts = nn.Conv2d(3, 5, 3), norm(5), nn.ReLU(), nn.Conv2d(5, 4, 3), norm(4), nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6)
    return nn.Sequential(*parts)


def norms_of(model: nn.Module) -> list:
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize("kind", ["plain", "groups", "synchronised"])
def test_the_images_get_the_features_that_training_gives_them(kind):
    """In training mode, where a batch's own statistics count, which momentum 1 leaves behind (with n - 1 in the variance)."""
    images = 3 * torch.randn(20, 3, 8, 8) + 1
    model = network()
    twin = copy.deepcopy(model).train()
    if kind == "groups":
        model = network(lambda channels: GroupedBatchNorm(channels, 4))
        model.load_state_dict(twin.state_dict())
    elif kind == "synchronised":
        synchronise(model)
    for norm in norms_of(twin):
        norm.momentum = 1.0
    with torch.no_grad():
        expected = twin(images)
        with taking_statistics(model.eval()) as taken:
            model(images)
        assert [id(norm) for norm in taken] == [id(norm) for norm in norms_of(model)]
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)
    for ours, theirs, count in zip(norms_of(model), norms_of(twin), (20 * 36, 20 * 16, 20), strict=True):
        torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.running_var * count / (count - 1), theirs.running_var, rtol=1e-4, atol=1e-5)
    # Outside the block statistics are still.
    before = copy.deepcopy(model.state_dict())
    model(images + 1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_some_keep_theirs_and_no_parameter_or_gradient_is_touched():
    model, images = network().eval(), torch.randn(9, 3, 8, 8)
    before = copy.deepcopy(model.state_dict())
    with taking_statistics(model, but=(model[1],)) as taken:
        model(images)  # with gradients on
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"4.running_mean", "4.running_var", "7.running_mean", "7.running_var"} and taken == [model[4], model[7]]
    assert not any(value.requires_grad for name, value in model.state_dict().items() if "running" in name)


def test_a_norm_without_running_statistics_is_left_alone():
    model = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.BatchNorm2d(3)).eval()
    with taking_statistics(model) as taken:
        model(torch.randn(4, 3, 5, 5))
    assert taken == [model[1]]


def test_low_precision_is_cast_up():
    model, images = nn.BatchNorm2d(3).eval(), (10 + 0.1 * torch.randn(50, 3, 8, 8)).bfloat16()
    with taking_statistics(model), torch.autocast("cpu", torch.bfloat16):
        model(images)
    variance, mean = torch.var_mean(images.float(), [0, 2, 3], correction=0)
    assert torch.equal(model.running_mean, mean) and torch.equal(model.running_var, variance)
