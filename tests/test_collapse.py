"""What each method that repels nothing does against collapse is needed: without it, training on real digits ends in one answer for
every image, and with it not.

The digits of scikit-learn, 8 pixels wide, a tiny encoder, some seconds of one core. P projection, K outputs.
"""

import dataclasses
import math

import pytest
import torch
from loss_cases import mutate
from torch.nn import functional as F

import methods.byol
import methods.dino
import methods.simsiam
import methods.vicreg
from bench import datasets
from bench.resnet import ResNet
from bench.spec import Budget, RunSpec
from bench.trainer import Source, Trainer
from bench.views import normalise

BATCH, WIDTH = 64, 16
COLLAPSED, SPREAD = 0.1, 0.3
"""Standard deviation of unit rows times sqrt(P): 0 where all are the same, 1 where they point everywhere."""


def trained(cls, steps, lr, **hyper_parameters):
    """A method after so many steps on the digits, and test images as it sees them, [B, 3, 8, 8]."""
    split, info = datasets.load("digits", "train"), datasets.info("digits", "train")
    mean, std = datasets.channel_stats(split.images)
    torch.manual_seed(0)
    method = cls(lambda **_: ResNet((1,), (WIDTH,), info.image_size), info, **hyper_parameters)
    recipe = dataclasses.replace(method.recipe, lr=lr, lr_per_batch=None, batch_size=BATCH)
    spec = RunSpec(method="x", dataset="digits", budget=Budget("steps", steps), precision="float32", recipe=recipe)
    Trainer(method, Source(split.images, None, info, mean, std), spec).run()
    return method.eval(), normalise(datasets.load("digits", "test").images / 255, mean, std)


def spread(cls, *arguments, **hyper_parameters):
    """How far a trained method's projections of test images are apart."""
    method, images = trained(cls, *arguments, **hyper_parameters)
    rows = F.normalize(method.project(images), dim=1).detach()
    return rows.std(0).mean().item() * math.sqrt(rows.shape[1])


SIMSIAM = {"projection": 64, "hidden": 16}


@pytest.mark.slow
def test_simsiam_needs_its_stopped_gradient(monkeypatch):
    """arXiv:2011.10566, figure 2."""
    assert spread(methods.simsiam.SimSiam, 70, 0.3, **SIMSIAM) > SPREAD
    mutate(monkeypatch, methods.simsiam, "projections.detach()", "projections")
    assert spread(methods.simsiam.SimSiam, 70, 0.3, **SIMSIAM) < COLLAPSED


BYOL = {"projection": 32, "hidden": 64, "momentum": 0.9}


@pytest.mark.slow
def test_byol_needs_its_predictor(monkeypatch):
    """arXiv:2006.07733, table 5b."""
    assert spread(methods.byol.BYOL, 40, 3.0, **BYOL) > SPREAD
    predictor = "mlp(projection, hidden, projection, bias=False)"
    mutate(monkeypatch, methods.byol, predictor, "nn.Identity()")
    assert spread(methods.byol.BYOL, 40, 3.0, **BYOL) < COLLAPSED


@pytest.mark.slow
def test_vicreg_needs_its_variance_term():
    """arXiv:2105.04906, table 7: agreement and covariance alone collapse."""
    assert spread(methods.vicreg.VICReg, 50, 0.35, projection=32) > SPREAD
    assert spread(methods.vicreg.VICReg, 50, 0.35, projection=32, variance=0.0) < COLLAPSED


DINO = {"outputs": 64, "hidden": 32, "bottleneck": 16, "local_crops": 0, "momentum": 0.9}


def outputs_used(cls):
    """Part of the K outputs that the teacher's targets of test images name on average: the exponential of their entropy, over K."""
    method, images = trained(cls, 30, 5e-3, **DINO)
    scores = method.teacher((images,))[0] - method.centre
    share = (scores / method.teacher_temperature).softmax(1).mean(0)
    return (-share * share.clamp(min=1e-30).log()).sum().exp().item() / len(share)


@pytest.mark.slow
def test_dino_needs_its_centre(monkeypatch):
    """arXiv:2104.14294: without centring one output is every image's target. (With it, so short a run is near the other end, where
    every target is even: this shows what centring prevents, not that nothing collapses.)"""
    assert outputs_used(methods.dino.DINO) > 0.5
    mutate(monkeypatch, methods.dino, "self.centre.lerp_(self.batch_mean, 1 - self.centre_momentum)", "pass")
    assert outputs_used(methods.dino.DINO) < 0.05
