"""What a hook costs: features, and the products of clusterings and searches, whoever makes them."""

import pytest
import torch

import methods
from bench.compute.flops import count_flops
from bench.compute.randomness import seeded
from bench.data.source import Source
from bench.encoders.factory import factory
from bench.method import build
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.hook import run_hook

IMAGES, SIZE = 48, 16


def cost(name, **hyper_parameters):
    """FLOPs of a method's hook before its first epoch, and the method."""
    images = torch.randint(0, 256, (IMAGES, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Source(images, None, DatasetInfo(IMAGES, SIZE), torch.full((3,), 0.5), torch.full((3,), 0.25))
    with seeded(0, "init"):
        method = build(methods.load(name), factory("resnet8", SIZE), source.info, 0, hyper_parameters).eval()
    spec = RunSpec(method=name, dataset="x", budget=Budget("steps", 1), precision="float32", recipe=getattr(method, "recipe", None))
    return run_hook(method, source, spec, 0)[0], method


def of_images(function):
    """FLOPs of all images' features."""
    return count_flops(lambda: torch.no_grad()(function)(torch.zeros(IMAGES, 3, SIZE, SIZE)))


def test_the_clusterings_of_pcl_count():
    flops, method = cost("pcl", images_per_cluster=4)
    assert method.counts == (12, 6, 3)
    assert flops == of_images(method.teacher) + 2 * IMAGES * 128 * (12 + 6 + 3) * (20 + 1)


def test_the_clusterings_of_deepcluster_count():
    flops, method = cost("deepcluster", images_per_cluster=4, iterations=7)
    whitening = 2 * IMAGES * 64 * 64 + 9 * 64**3 + 2 * IMAGES * 64 * 64
    assert flops == of_images(method.encode) + whitening + 2 * IMAGES * 64 * 12 * (7 + 1)


@pytest.mark.parametrize("iterations", [1, 10])
def test_the_clusterings_of_deepcluster_v2_count(iterations):
    flops, method = cost("deepcluster_v2", images_per_cluster=4, iterations=iterations)
    assert flops == of_images(method.project) + 3 * 2 * IMAGES * 128 * 12 * (iterations + 1)


def test_the_eigenvectors_of_pca_count():
    flops, _ = cost("pca", images=IMAGES)
    pixels = 3 * SIZE**2
    assert flops == 2 * IMAGES**2 * pixels + 9 * IMAGES**3 + 2 * pixels * IMAGES**2


def test_what_is_assigned_evenly_counts():
    from bench.parts import sinkhorn

    assert count_flops(lambda: sinkhorn(torch.randn(6, 5), 0.1, 3)) == 3 * 2 * 2 * 6 * 5
