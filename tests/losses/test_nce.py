"""NPID by noise contrastive estimation, as its authors' code: against a loop over images in float64, over steps, and with mistakes that
must turn the comparison red."""

import math

import pytest
import torch
from contrastive_cases import DATA, lasting, make_batch, make_method, random_rows
from torch.nn import functional as F

import methods.npid
from bench.compute.randomness import Draws
from loss_cases import close, dot, make_encoder, rows_of
from loss_cases import mutate as mutate_source
from methods.npid import NPID, noise_contrast, similarities


def loop_nce(embeddings, memory, index, noise, temperature, normaliser=None):
    """lib/NCECriterion.py of the authors, in words of arXiv:1805.01978: the probability h that a row came from the data and not from
    uniform noise. -> the mean over images of -log h(own row) - sum of log(1 - h(a row of noise)), and Z."""
    memory, images = rows_of(memory), len(memory)
    likelihoods = []
    for embedding, own, others in zip(rows_of(embeddings), index.tolist(), noise.tolist(), strict=True):
        length = math.sqrt(dot(embedding, embedding))
        likelihoods.append([math.exp(dot(memory[row], embedding) / length / temperature) for row in (own, *others)])
    if normaliser is None:  # that of the first batch
        normaliser = sum(map(sum, likelihoods)) / sum(map(len, likelihoods)) * images
    total = 0.0
    for own, *others in likelihoods:
        share = len(others) / images
        total -= math.log((own / normaliser) / (own / normaliser + share))
        total -= sum(math.log(share / (other / normaliser + share)) for other in others)
    return total / len(likelihoods), normaliser


def check_nce(negatives=7, temperature=0.2, size=6):
    """Three steps of NPID by NCE: each loss against the loop, with the Z of the first batch and the memory as it has moved."""
    method = methods.npid.NPID(make_encoder, DATA, projection=5, temperature=temperature, negatives=negatives).train()
    normaliser = None
    for step in range(3):
        batch = make_batch(size, seed=step, views=1)
        noise = Draws(*batch.draws.key, total=size).randint(DATA.num_images, negatives)
        embeddings = method.projector(method.encoder(batch.views[0]))
        expected, normaliser = loop_nce(embeddings, method.memory.rows, batch.index, noise, temperature, normaliser)
        loss = method.loss(batch, 0.0)
        close(loss, expected)
        assert step or method.normaliser == 0
        method.after_step(0.0)
        assert method.normaliser.item() == pytest.approx(normaliser, rel=1e-5)
        with torch.no_grad():  # as an optimizer would
            method.projector.weight.add_(0.3 * torch.randn(method.projector.weight.shape, generator=torch.Generator().manual_seed(step)))


@pytest.mark.parametrize(("negatives", "temperature", "size"), [(1, 0.5, 2), (7, 0.2, 6), (40, 0.07, 9)])
def test_nce_is_the_authors_criterion(negatives, temperature, size):
    torch.manual_seed(0)
    check_nce(negatives, temperature, size)


@pytest.mark.parametrize("normaliser", [0.5, 30.0, 4000.0])
@pytest.mark.parametrize("negatives", [1, 8])
def test_the_nce_function_is_the_authors_criterion(normaliser, negatives):
    memory, embeddings = random_rows(20, 4, dim=3, seed=1)
    embeddings = F.normalize(embeddings, dim=1)
    draws = Draws("noise", total=4)
    index, noise = draws.randint(20), draws.randint(20, negatives)
    scores = similarities(embeddings, memory, torch.cat([index[:, None], noise], dim=1), 0.3)
    expected, _ = loop_nce(embeddings, memory, index, noise, 0.3, normaliser)
    close(noise_contrast(scores, torch.tensor(normaliser, dtype=torch.float64), 20), expected)


NCE_MISTAKES = {
    "Z is 1": ("self.normaliser > 0, self.normaliser, estimate)", "self.normaliser > 0, self.normaliser, estimate**0)"),
    "Z of every batch": ("self.normaliser > 0, self.normaliser, estimate)", "self.normaliser < 0, self.normaliser, estimate)"),
    "Z of one row": (".mean(), len(own)) * len(self.memory.rows)", ".mean(), len(own))"),
    "the number of noise rows forgotten": ("(scores.shape[1] - 1) / num_images", "1 / num_images"),
    "a mean over noise": ("F.softplus(odds[:, 1:]).sum(1)", "F.softplus(odds[:, 1:]).mean(1)"),
    "noise is data": ("F.softplus(odds[:, 1:])", "F.softplus(-odds[:, 1:])"),
    "the temperature forgotten": ("[:, :, 0] / temperature", "[:, :, 0]"),
    "own rows only": ("torch.cat([batch.index[:, None], noise], dim=1)", "batch.index[:, None].repeat(1, self.negatives + 1)"),
}


@pytest.mark.parametrize("mistake", NCE_MISTAKES)
def test_a_mistake_in_nce_is_seen(monkeypatch, mistake):
    mutate_source(monkeypatch, methods.npid, *NCE_MISTAKES[mistake])
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        check_nce()


def test_z_is_state_only_where_there_is_nce():
    assert "normaliser" not in make_method(NPID).state_dict()
    method = make_method(NPID, negatives=3)
    before = lasting(method)
    method.loss(make_batch(8), 0.0)
    torch.testing.assert_close(lasting(method), before, rtol=0, atol=0)
    method.after_step(0.0)
    twin = make_method(NPID, seed=1, negatives=3)
    twin.load_state_dict(method.state_dict())
    losses = [each.loss(make_batch(8, seed=5), 0.0) for each in (method, twin)]
    assert torch.equal(*losses)
