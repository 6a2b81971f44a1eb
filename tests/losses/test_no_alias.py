"""No method is another one under a second name."""

import itertools

import pytest
import torch

import methods
from bench.compute.randomness import Draws, seeded
from bench.encoders import factory
from bench.method import Batch, LabelledBatch, build
from bench.pages import methods as methods_page
from bench.parts import Queue
from bench.spec import DatasetInfo
from bench.views.view import render_views

IMAGES = 16
DATA = DatasetInfo(45_000, 32)
FIRST = 8
"""Parameters whose gradients are compared: the encoder's first, which all methods have."""


def loss_and_gradients(name):
    """On the same images, from the same generator's weights: what tells two methods apart. (Views are declared, so they may differ.)"""
    encoder = methods_page.encoder_for(name)
    with seeded("alias", encoder):
        method = build(methods.load(name), factory.factory(encoder, 32), DATA, 10, {}).train()
    count = max(IMAGES, method.smallest_batch)
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = torch.full((3,), 0.5), torch.full((3,), 0.25)
    views = render_views(method.views, images, DATA, mean, std, lambda number: Draws("alias", number, total=count))
    facts = (views, torch.arange(count), Draws("alias", "loss", total=count))
    batch = LabelledBatch(*facts, torch.arange(count) % 10) if method.uses_labels else Batch(*facts)
    for module in method.modules():
        if isinstance(module, Queue):  # an empty one makes every loss of a queue 0
            rows = torch.randn(IMAGES, module.rows.shape[1], generator=torch.Generator().manual_seed(1))
            module.enqueue(torch.nn.functional.normalize(rows, dim=1))
    loss = method.loss(batch, 0.5)
    loss.backward()
    gradients = [parameter.grad.norm().item() for parameter in method.parameters() if parameter.grad is not None]
    return [loss.item(), *gradients[:FIRST]]


@pytest.mark.slow
def test_no_two_methods_have_equal_losses_and_gradients():
    """Variants of one paper are hyper-parameters, or differ in what they do."""
    found = {name: loss_and_gradients(name) for name in methods.takers("images") if methods.load(name).trained}
    for one, two in itertools.combinations(found, 2):
        assert found[one] != pytest.approx(found[two], rel=1e-5), f"{one} and {two} are the same"
    assert found["simclr"] == pytest.approx(loss_and_gradients("simclr"), rel=1e-5), "the comparison can fail"
