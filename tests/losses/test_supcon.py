"""SupCon: the loss against loops over images, written from eq. 2 of arXiv:2004.11362 in float64; what it is where no image shares its class
with another; mistakes that the comparison must notice.

B images, P projection.
"""

import math

import pytest
import torch
from torch.nn import functional as F

import methods.supcon
from bench.method import LabelledBatch
from bench.parts import nt_xent
from bench.spec import DatasetInfo
from loss_cases import agree, close, dot, make_encoder, mutate, random_batch, rows_of, unit
from methods.supcon import supervised_contrast

SIZE, CLASSES = 8, 3
DATA = DatasetInfo(num_images=64, image_size=SIZE)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 0, 1])


def loop_supervised(first, second, labels, temperature):
    """The sum over positives stands outside of the logarithm, each divided by their number."""
    views = [unit(row) for rows in (first, second) for row in rows_of(rows)]
    classes, total = [*labels.tolist()] * 2, 0.0
    for i, anchor in enumerate(views):
        others = [k for k in range(len(views)) if k != i]
        among = sum(math.exp(dot(anchor, views[k]) / temperature) for k in others)
        positives = [k for k in others if classes[k] == classes[i]]
        total -= sum(math.log(math.exp(dot(anchor, views[k]) / temperature) / among) for k in positives) / len(positives)
    return total / len(views)


def case(size=8, seed=0, labels=LABELS, **hyper_parameters):
    """The method's loss and the loops', scaled as the authors' losses.py."""
    torch.manual_seed(seed)
    settings = {"projection": 5, "temperature": 0.3, **hyper_parameters}
    method = methods.supcon.SupCon(make_encoder, DATA, CLASSES, **settings).train()
    plain = random_batch(method, size, SIZE, seed)
    batch = LabelledBatch(plain.views, plain.index, plain.draws, labels[:size])
    first, second = method.projector(method.encoder(torch.cat(batch.views))).chunk(2)
    expected = loop_supervised(first, second, batch.labels, settings["temperature"])
    return method.loss(batch, 0.0).item(), settings["temperature"] / settings.get("base_temperature", 0.07) * expected


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.07}, {"base_temperature": 1.0}])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_the_loss_is_the_papers(size, settings):
    assert agree(case(size, seed=size, **settings))


def test_all_of_one_class():
    assert agree(case(labels=torch.zeros(8, dtype=torch.long)))


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_without_a_class_in_common_it_is_simclrs(temperature):
    """Section 3.2: eq. 2 is a generalisation of eq. 1."""
    first, second = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    close(supervised_contrast(first, second, torch.arange(6), temperature), nt_xent(first, second, temperature).item())


def test_the_other_form_of_the_loss_is_smaller():
    """Section 3.2.2: by Jensen's inequality eq. 3, whose sum stands within the logarithm, is at most eq. 2."""
    first, second = torch.randn(2, 8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, labels = F.normalize(torch.cat([first, second]), dim=1), LABELS.repeat(2)
    itself = torch.eye(16, dtype=torch.bool)
    shares = (rows @ rows.T / 0.1).masked_fill(itself, -math.inf).softmax(1)
    same = (labels[:, None] == labels) & ~itself
    inside = -((shares * same).sum(1) / same.sum(1)).log().mean()
    assert inside < supervised_contrast(first, second, LABELS, 0.1)


MISTAKES = {
    "a row is among the others": ('.masked_fill(itself, float("-inf"))', ""),
    "a row of another class is a positive": ("labels[:, None] == labels) & ~itself", "labels[:, None] <= labels) & ~itself"),
    "labels of one view": ("labels.repeat(2)", "torch.cat([labels, labels.flip(0)])"),
    "a sum over positives": (".sum(1) / same.sum(1)).mean()", ".sum(1)).mean()"),
    "a mean over all": (".sum(1) / same.sum(1)).mean()", ".mean(1)).mean()"),
    "no temperature": ("rows @ rows.T / temperature", "rows @ rows.T"),
    "no scale": ("return self.scale * supervised_contrast", "return supervised_contrast"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    assert agree(case())
    mutate(monkeypatch, methods.supcon, *MISTAKES[mistake])
    assert not agree(case())
