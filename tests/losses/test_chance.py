"""The chance loss of every method is its loss where every image gets the same answer."""

import math

import pytest
import torch
from torch import nn

import methods
from bench.encoders.factory import factory
from bench.method import LabelledBatch, build, on_paper
from bench.parts import Needed
from bench.spec import DatasetInfo
from loss_cases import narrow, random_batch

pytestmark = pytest.mark.usefixtures("fixed_weights")

IMAGES, BATCH = 64, 8
SIZES = {
    "mae": 32,
    "simmim": 32,
    "ijepa": 32,
    "data2vec": 32,
    "msn": 32,
    "ibot": 32,
    "dinov2": 32,
    "counting": 16,
    "cpc": 32,
    "jigsaw": 32,
    "relative_patch": 32,
    "pirl": 32,
}
DATA = DatasetInfo(IMAGES, 16)


def silent(layer: nn.Module) -> None:
    """It says the same of everything."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def equal_rows(*tensors) -> None:
    for tensor in tensors:
        with torch.no_grad():
            tensor.copy_(nn.functional.normalize(torch.ones_like(tensor), dim=-1))


def same_answer(layer: nn.Linear | nn.BatchNorm1d) -> None:
    """It says one of everything."""
    silent(layer)
    nn.init.ones_(layer.bias)


def same_keys(method) -> None:
    """Queries, keys and queue are one vector."""
    for head in (method.projector, method.teacher.network[1]):
        same_answer(head if isinstance(head, nn.Linear) else head[-1])
    equal_rows(method.queue.rows)


def same_clusters(method) -> None:
    same_keys(method)
    equal_rows(method.prototypes)
    method.concentrations.fill_(0.1)


def same_moment(method) -> None:
    """Student and teacher answer one vector, and the second moment remembers nothing else."""
    for head in (method.projector, method.teacher.network[1]):
        same_answer(head[-1])
    method.moment.fill_(1 / len(method.moment))


def one_direction(method) -> None:
    """Both networks and both predictors answer one vector, and so does the queue."""
    for head in (method.projector, method.predictor, method.centroid_predictor, method.teacher.network[1]):
        same_answer(head[-1])
    equal_rows(method.queue.rows)


def same_directions(method) -> None:
    """Student and teacher answer one vector."""
    for network in (method.student, method.teacher.network):
        same_answer(network.head.mlp[-1])


def no_counts(method) -> None:
    silent(method.head[0][-1])


def even_clusters(method) -> None:
    silent(method.head)
    method.weights_of_clusters.fill_(1.0)


def no_colour(method) -> None:
    silent(method.head)


CASES = {
    "rotation": ({}, lambda method: silent(method.classifier)),
    "supervised": ({}, lambda method: silent(method.classifier)),
    "relative_patch": ({}, lambda method: silent(method.classifier[-1])),
    "jigsaw": ({}, lambda method: silent(method.classifier[-1])),
    "exemplar": ({}, lambda method: silent(method.classifier)),
    "counting": ({}, no_counts),
    "colorization": ({}, no_colour),
    "split_brain": ({}, lambda method: (silent(method.says_colour), silent(method.says_lightness))),
    "autoencoder": ({}, lambda method: silent(method.decoder[-1])),
    "denoising_ae": ({}, lambda method: silent(method.decoder[-1])),
    "context_encoder": ({}, lambda method: silent(method.decoder[-1])),
    "mae": ({}, lambda method: silent(method.decoder.leave)),
    "simclr": ({}, lambda method: silent(method.projector[-1])),
    "dcl": ({"weighted": True}, lambda method: silent(method.projector[-1])),
    "supcon": ({}, lambda method: silent(method.projector[-1])),
    "nnclr": ({"queue": 16}, lambda method: silent(method.predictor[-1])),
    "moco": ({"queue": 16}, same_keys),
    "moco_v1": ({"queue": 16}, same_keys),
    "ressl": ({"queue": 16}, same_keys),
    "resa": ({}, lambda method: silent(method.projector[-2])),
    "moco_v3": ({}, lambda method: silent(method.predictor[-1])),
    "frossl": ({}, lambda method: same_answer(method.projector[-1])),
    "emp_ssl": ({}, lambda method: same_answer(method.head[-1])),
    "lejepa": ({}, lambda method: silent(method.projector[-1])),
    "visreg": ({}, lambda method: silent(method.projector[-1])),
    "tico": ({}, same_moment),
    "simdino": ({}, same_directions),
    "mmcr": ({}, lambda method: same_answer(method.projector[1])),
    "essl": ({}, lambda method: (silent(method.projector[-2]), silent(method.classifier[-1]))),
    "all4one": ({"queue": 16}, one_direction),
    "npid": ({}, lambda method: equal_rows(method.memory.rows)),
    "pirl": ({}, lambda method: equal_rows(method.memory.rows)),
    "cpc": ({}, lambda method: silent(method.predictors)),
    "swav": ({"prototypes": 16, "queue": 16}, lambda method: equal_rows(method.prototypes.weight)),
    "msn": ({"prototypes": 16, "focal_views": 1}, lambda method: equal_rows(method.prototypes)),
    "ibot": ({"outputs": 32, "mask_probability": 1.0}, lambda method: equal_rows(method.student.head.last.weight)),
    "dino": ({"outputs": 32}, lambda method: equal_rows(method.student.head.last.weight)),
    "deepcluster": ({"images_per_cluster": 8}, even_clusters),
    "deepcluster_v2": ({"images_per_cluster": 8}, lambda method: equal_rows(method.centroids)),
    "pcl": ({"negatives": 64}, same_clusters),
    "multi_task": (
        {"tasks": "rotation,npid", "weights": "2,1"},
        lambda method: (silent(method.tasks[0].classifier), equal_rows(method.tasks[1].memory.rows)),
    ),
}
NONE = {"byol", "simsiam", "fastsiam", "barlow_twins", "vicreg", "vibcreg", "w_mse", "simmim", "ijepa", "data2vec", "dinov2"}
"""Where nothing repels, one answer for all images is what the loss asks for, or it has no answer at all; what one colour's absolute error
is, the pixels decide; what KoLeo is, the features."""


def made(name: str, **hyper_parameters):
    size = SIZES.get(name, 16)
    data = DatasetInfo(IMAGES, size)
    encoder = "vit_micro" if methods.load(name).needs == "tokens" else "resnet8"
    method = build(methods.load(name), narrow(encoder, size), data, 5, hyper_parameters).train()
    return method, random_batch(method, BATCH, size)


@pytest.mark.parametrize("name", CASES)
def test_the_chance_loss_is_that_of_one_answer_for_all(name):
    options, mute = CASES[name]
    method, batch = made(name, **options)
    mute(method)
    if method.uses_labels:
        batch = LabelledBatch(batch.views, batch.index, batch.draws, torch.arange(BATCH) % 5)
    chance = method.chance_loss(BATCH)
    # Random pixels have a variance of 1 up to chance, and random images are not equally colourful.
    assert method.loss(batch, 0.9).item() == pytest.approx(chance, rel=0.05 if name in ("autoencoder", "denoising_ae") else 0.02, abs=1e-5)


def test_npid_by_noise_contrast():
    method, batch = made("npid", negatives=20)
    equal_rows(method.memory.rows, method.projector.weight)
    silent(method.projector)
    nn.init.ones_(method.projector.bias)
    assert method.loss(batch, 0.0).item() == pytest.approx(method.chance_loss(BATCH), rel=1e-4)


def test_exemplar_with_candidates():
    method, batch = made("exemplar", candidates=30)
    silent(method.classifier)
    assert method.loss(batch, 0.0).item() == pytest.approx(method.chance_loss(BATCH), rel=0.05)


def test_what_has_none():
    trained = {name for name in methods.takers("images") if methods.load(name).trained}
    assert trained == {*CASES, *NONE}
    for name in NONE:
        assert made(name)[0].chance_loss(BATCH) is None
    assert made("split_brain", kind="regression")[0].chance_loss(BATCH) is None
    assert made("multi_task", tasks="rotation,byol")[0].chance_loss(BATCH) is None


def test_a_method_is_said_to_need_what_it_waits_for():
    """On CIFAR-10 with the default batch: as written, steps."""

    def needed(name, **hyper_parameters):
        data = DatasetInfo(45_000, 32)
        with on_paper():
            method = build(methods.load(name), factory("resnet8", 32), data, 10, hyper_parameters)
        found = method.needed(256)
        assert all(isinstance(each, Needed) for each in found)
        return [each.steps for each in found]

    epoch = math.ceil(45_000 / 256)
    leaves = math.ceil(math.log(0.05) / math.log(0.99))
    assert needed("moco") == needed("moco_v1") == needed("ressl") == [16, leaves] and needed("pcl") == [16, leaves, epoch]
    assert needed("all4one") == [16, *needed("byol")]
    assert needed("nnclr") == [16] and needed("swav") == [400] and needed("swav", queue=0) == []
    assert needed("npid") == needed("pirl") == needed("exemplar") == needed("deepcluster") == needed("deepcluster_v2") == [epoch]
    assert needed("byol")[0] > 590 and needed("dino")[0] > 1490 and needed("byol") == needed("moco_v3")
    assert needed("byol") == needed("resa") == needed("simdino")
    assert needed("simclr") == needed("essl") == needed("emp_ssl") == needed("rotation") == [] and needed("multi_task") == [epoch]
