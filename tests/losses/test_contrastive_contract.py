"""SimCLR, MoCo (v2 and v1), NPID and BYOL keep the contract: what a loss may change, what a step moves, what is evaluated, what crosses
images."""

import copy

import pytest
import torch
from contrastive_cases import DATA, METHODS, SMALL, lasting, make_batch, make_method

import methods.npid
import methods.simclr
from bench.compute import collectives
from bench.compute.randomness import Draws
from bench.method import Batch
from bench.parts import teachers
from bench.spec import DatasetInfo
from bench.training.optim import build_optimizer, set_progress
from bench.views.view import render_views
from loss_cases import make_encoder
from methods.byol import BYOL
from methods.moco import MoCo
from methods.npid import NPID
from methods.simclr import SimCLR


@pytest.mark.parametrize("cls", METHODS)
def test_loss_keeps_no_state(cls):
    """`loss` changes no parameter, queue or memory; one that no after_step followed leaves no trace; a copy made between `loss` and
    `after_step` goes on as the original; a second after_step has nothing to enqueue."""
    method, once = (make_method(cls) for _ in range(2))
    before = lasting(method)
    method.loss(make_batch(8, seed=1), 0.0)
    torch.testing.assert_close(lasting(method), before, rtol=0, atol=0)
    for each in (method, once):
        each.loss(make_batch(8, seed=2), 0.0).backward()
    twin = copy.deepcopy(method)
    for each in (method, twin, once):
        each.after_step(0.0)
        each.after_step(1.0)
    torch.testing.assert_close(lasting(method), lasting(once), rtol=0, atol=0)
    torch.testing.assert_close(lasting(twin), lasting(once), rtol=0, atol=0)
    assert list(lasting(method)) == list(before)


@pytest.mark.parametrize("cls", METHODS)
def test_global_randomness_changes_nothing(cls):
    losses = []
    for seed in (3, 4):
        method = make_method(cls)
        torch.manual_seed(seed)
        losses.append(method.loss(make_batch(8), 0.0))
    assert torch.equal(*losses)


@pytest.mark.parametrize("data", [DATA, DatasetInfo(num_images=20, image_size=8, channels=1, mirror_safe=False)])
@pytest.mark.parametrize("cls", METHODS)
def test_two_steps_under_the_recipe(cls, data):
    """Views, bfloat16, gradients for everything but teachers, updates by the method's own recipe."""
    torch.manual_seed(0)
    method = cls(make_encoder, data, **SMALL[cls]).train()
    optimizer = build_optimizer(method, method.recipe)
    start = copy.deepcopy(method.state_dict())
    images = torch.randint(256, (8, data.channels, 8, 8), dtype=torch.uint8)
    for step in range(2):
        views = render_views(
            method.views, images, data, torch.zeros(3), torch.ones(3), lambda n, step=step: Draws(0, "view", step, n, total=8)
        )
        with torch.autocast("cpu", torch.bfloat16):
            loss = method.loss(Batch(views, torch.arange(8), Draws(0, "loss", step, total=8)), step / 2)
        assert loss.dtype == torch.float32
        assert loss.isfinite()
        loss.backward()
        for name, parameter in method.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name
            assert not (parameter.requires_grad and name.startswith("teacher")), name
        set_progress(optimizer, method.recipe, step / 2)
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(step / 2)
    method.load_state_dict(copy.deepcopy(method.state_dict()))
    for name, value in method.state_dict().items():
        unmoved = cls is SimCLR and name == "projector.4.bias"  # the shift that its last BatchNorm does not learn
        assert unmoved or not torch.equal(value, start[name]), name
    for encode in (method.encode, *method.encode_also().values()):
        assert encode(views[0]).shape == (8, 6)


@pytest.mark.parametrize("cls", METHODS)
def test_builds_on_the_meta_device(cls):
    with torch.device("meta"):
        method = cls(make_encoder, DATA)
    assert all(value.is_meta for value in method.state_dict().values())
    assert method.views
    assert method.recipe.batch_size == 256


def test_encode_also_names_the_teacher():
    for cls in (MoCo, BYOL):
        method = make_method(cls).eval()
        images = make_batch(4).views[0]
        (name,) = method.encode_also()
        assert name == "teacher"
        assert torch.equal(method.encode(images), method.encoder(images))
        assert not torch.allclose(method.encode_also()["teacher"](images), method.encode(images))
    assert not make_method(SimCLR).encode_also()
    assert not make_method(NPID).encode_also()


def test_gathered_rows_are_those_of_the_loss(monkeypatch):
    """All that crosses images goes through `gather`: a stand-in that counts sees queries and keys, embeddings and index."""
    seen, gather = [], collectives.gather
    for module in (methods.simclr, methods.npid, teachers):
        monkeypatch.setattr(module, "gather", lambda rows: seen.append(len(rows)) or gather(rows))
    for cls in (SimCLR, MoCo, NPID):
        make_method(cls).loss(make_batch(8), 0.0)
        # MoCo's: queries, the images whose keys are made elsewhere, and the keys.
        assert seen == [8] * (3 if cls is MoCo else 2), cls
        seen.clear()
