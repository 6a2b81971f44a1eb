"""DeepCluster, DeepCluster-v2 and PCL: each loss against loops over images, written from the paper's formula in float64 and sharing no
code with the method; k-means, whitening and concentrations against NumPy; the state that an epoch's clustering leaves.

B images, P projection, N images of the pretraining split, K clusters.
"""

import dataclasses
import math

import numpy
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional as F

import methods.deepcluster
import methods.deepcluster_v2
import methods.pcl
from bench.compute.randomness import Draws, generator
from bench.data.source import Source
from bench.machine.signals import Interrupted
from bench.method import Batch
from bench.parts.clusters import kmeans
from bench.parts.losses import info_nce
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.trainer import Trainer
from loss_cases import TOLERANCE, close, dot, make_encoder, mutate, random_batch, unit
from methods.deepcluster import DeepCluster, balanced_classification, edges, whitened
from methods.deepcluster_v2 import DeepClusterV2
from methods.pcl import PCL, concentration, proto_nce

IMAGES, BATCH = 60, 16  # three batches an epoch
DATA = DatasetInfo(num_images=IMAGES, image_size=8)
SMALL = {
    DeepCluster: {"images_per_cluster": 10, "pca": 4},
    DeepClusterV2: {"images_per_cluster": 10, "projection": 5, "hidden": 7, "local_crops": 2},
    PCL: {"images_per_cluster": 4, "granularities": 2, "negatives": 16, "projection": 5, "bn_groups": 1},
}
"""Hyper-parameters that make heads, queues and clusterings small; PCL's have 15 and 7 clusters."""


def make_method(cls, seed=0, **hyper_parameters):
    torch.manual_seed(seed)
    return cls(make_encoder, DATA, **{**SMALL[cls], **hyper_parameters}).train()


def make_batch(size=8, seed=0, views=2):
    draw = torch.Generator().manual_seed(seed)
    images = tuple(torch.randn(size, 3, 8, 8, generator=draw) for _ in range(views))
    return Batch(images, torch.randperm(IMAGES, generator=draw)[:size], Draws(seed, "loss", total=size))


def make_trainer(cls, budget="7steps", controls=None, seed=0, **hyper_parameters):
    method = make_method(cls, seed, **hyper_parameters)
    images = torch.randint(0, 256, (IMAGES, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Source(images, None, DATA, torch.full((3,), 0.5), torch.full((3,), 0.25))
    recipe = dataclasses.replace(method.recipe, batch_size=BATCH)
    spec = RunSpec(method="clusters", dataset="x", budget=Budget.parse(budget), precision="float32", recipe=recipe)
    return Trainer(method, source, spec, controls)


def random_rows(*size, seed=0, dtype=torch.float32):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def units(*size, seed=0):
    return F.normalize(random_rows(*size, seed=seed), dim=1)


def nearest(rows, centroids, assignment, spherical=False):
    """Whether no centroid is nearer to a row than its own, by torch instead of FAISS: within the rounding of float32, since each of the
    two sums products of d columns in an order of its own."""
    rows, centroids = rows.double(), centroids.double()
    distance = -rows @ centroids.T if spherical else torch.cdist(rows, centroids).square()
    # FAISS has |row|^2 - 2 row . centroid + |centroid|^2, as large as these three however small the distance.
    scale = rows.square().sum(1, keepdim=True) + centroids.square().sum(1)
    bound = rows.shape[1] * torch.finfo(torch.float32).eps * scale.max()
    return bool((distance.gather(1, assignment[:, None])[:, 0] <= distance.min(1).values + bound).all())


def watch_kmeans(monkeypatch, module):
    """The rows that a method's module clusters from here on."""
    seen = []
    monkeypatch.setattr(module, "kmeans", lambda rows, *rest, **options: (seen.append(rows), kmeans(rows, *rest, **options))[1])
    return seen


# k-means.


def blobs(count, size, seed=0):
    """Groups of rows around far points: rows [count * size, 6], group int64."""
    group = torch.arange(count).repeat_interleave(size)
    return 20 * torch.eye(6)[group] + random_rows(count * size, 6, seed=seed), group


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_finds_blobs(seed):
    rows, group = blobs(2, 30, seed)
    centroids, assignment = kmeans(rows, 2, generator(seed))
    assert centroids.shape == (2, 6) and assignment.dtype == torch.int64 and assignment.shape == (60,)
    assert len(set(assignment[:30].tolist())) == len(set(assignment[30:].tolist())) == 1 and assignment[0] != assignment[-1]
    for cluster in range(2):
        torch.testing.assert_close(centroids[cluster], rows[assignment == cluster].mean(0), rtol=0, atol=1e-4)
    rows, group = blobs(4, 40, seed)
    _, assignment = kmeans(rows, 16, generator(seed))
    assert all(len(set(group[assignment == cluster].tolist())) <= 1 for cluster in range(16)), "a cluster spans two blobs"


def test_kmeans_gives_every_row_its_nearest_centroid_and_does_what_the_generator_says(capfd):
    rows = random_rows(300, 7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first, again, other = (kmeans(rows, 20, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1]) and not torch.equal(first[1], other[1])
    assert nearest(rows, *first)
    assert torch.equal(state, torch.get_rng_state()) and threads == torch.get_num_threads()
    draws = generator(0)
    assert not torch.equal(kmeans(rows, 20, draws)[1], kmeans(rows, 20, draws)[1]), "one generator, two clusterings"
    assert capfd.readouterr() == ("", "")


def test_kmeans_looks_at_all_rows():
    """FAISS alone would take 256 for each cluster."""
    rows = random_rows(2000, 3)
    centroids, assignment = kmeans(rows, 2, generator(0), 100)
    for cluster in range(2):
        torch.testing.assert_close(centroids[cluster], rows[assignment == cluster].mean(0), rtol=0, atol=1e-3)


def test_spherical_kmeans():
    rows = units(200, 5)
    centroids, assignment = kmeans(rows, 8, generator(0), spherical=True)
    torch.testing.assert_close(centroids.norm(dim=1), torch.ones(8))
    assert nearest(rows, centroids, assignment, spherical=True)


def test_kmeans_of_few_equal_or_float64_rows():
    rows = random_rows(6, 3, dtype=torch.float64).requires_grad_()
    centroids, assignment = kmeans(rows, 6, generator(0))
    assert centroids.dtype == torch.float64 and not centroids.requires_grad and sorted(assignment.tolist()) == list(range(6))
    centroids, assignment = kmeans(torch.ones(40, 3), 5, generator(0))
    assert centroids.isfinite().all() and len(set(assignment.tolist())) < 5
    with pytest.raises(ValueError, match="6 rows cannot make 7 clusters"):
        kmeans(rows, 7, generator(0))


# DeepCluster.


def test_edges_are_sobels():
    images = random_rows(2, 3, 5, 6)
    grey = numpy.pad(images.double().mean(1).numpy(), ((0, 0), (1, 1), (1, 1)))
    found = edges(images)
    assert found.shape == (2, 2, 5, 6)
    for image in range(2):
        for y in range(5):
            for x in range(6):
                part = grey[image, y : y + 3, x : x + 3]
                across = sum(weight * (part[row, 0] - part[row, 2]) for row, weight in enumerate((1, 2, 1)))
                down = sum(weight * (part[0, column] - part[2, column]) for column, weight in enumerate((1, 2, 1)))
                close(found[image, 0, y, x], across)
                close(found[image, 1, y, x], down)


@pytest.mark.parametrize(("dims", "kept"), [(3, 3), (8, 8), (256, 8)])
def test_whitening_is_scikit_learns(dims, kept):
    features = random_rows(50, 8) @ random_rows(8, 8, seed=1) + 3
    theirs = PCA(kept, whiten=True).fit_transform(features.double().numpy())
    theirs /= numpy.linalg.norm(theirs, axis=1, keepdims=True)
    ours = whitened(features, dims).double().numpy()
    assert ours.shape == (50, kept)
    numpy.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-4)  # but for the signs of the columns


def test_whitening_of_columns_that_do_not_vary():
    features = torch.cat([random_rows(50, 3), torch.full((50, 4), 0.3)], dim=1)
    ours, alone = whitened(features, 256), whitened(features[:, :3], 256)
    torch.testing.assert_close(ours @ ours.T, alone @ alone.T, rtol=0, atol=1e-4)
    assert not whitened(torch.full((50, 4), 0.3), 256).any()


def loop_balanced(logits, target, assignments):
    """Each image's cross-entropy over the size of its cluster; scaled so that the sum over all N images would be their mean
    under uniform sampling of clusters, times the number of them."""
    sizes = {cluster: assignments.count(cluster) for cluster in set(assignments)}
    total = 0.0
    for row, own in zip(logits.double().tolist(), target.tolist(), strict=True):
        entropy = math.log(sum(math.exp(value) for value in row)) - row[own]
        total += entropy * len(assignments) / (len(sizes) * sizes[own])
    return total / len(logits)


@pytest.mark.parametrize("sobel", [True, False])
def test_deepcluster_loss_is_the_papers(sobel):
    trainer = make_trainer(DeepCluster, sobel=sobel)
    trainer.before_epoch()
    method = trainer.method
    assignments = method.assignments.tolist()
    assert len(method.head.bias) == 6 and len(set(assignments)) > 1
    with torch.no_grad():
        method.head.weight.mul_(100)
    batch = make_batch(views=1)
    images = edges(batch.views[0]) if sobel else batch.views[0]
    logits = method.head(method.encoder(images)).detach()
    loss = method.loss(batch, 0.0)
    close(loss, loop_balanced(logits, method.assignments[batch.index], assignments))
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in method.encoder.parameters())


@pytest.mark.parametrize("sobel", [True, False])
def test_deepcluster_clusters_whitened_features(sobel, monkeypatch):
    trainer, seen = make_trainer(DeepCluster, sobel=sobel), watch_kmeans(monkeypatch, methods.deepcluster)
    trainer.before_epoch()
    method = trainer.method
    assert method.training, "features are those of eval mode, and the mode comes back"
    images = (trainer.source.images.float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        features = method.eval().encoder(edges(images) if sobel else images)
    # The features come from passes of their own, so up to rounding, and to the signs of axes; of equal rows the clusters are equal.
    (rows,), expected = seen, whitened(features, 4)
    torch.testing.assert_close(rows @ rows.T, expected @ expected.T, rtol=0, atol=TOLERANCE)
    assert torch.equal(method.assignments, kmeans(rows, 6, generator(0, "before_epoch", 0))[1])


def test_weights_give_the_mean_under_uniform_sampling_of_clusters():
    """Over all images: the mean over clusters of the mean over their images, as the authors' sampler would give."""
    trainer = make_trainer(DeepCluster)
    trainer.before_epoch()
    method, logits = trainer.method, random_rows(IMAGES, 6)
    target = method.assignments
    losses = F.cross_entropy(logits, target, reduction="none")
    means = [losses[target == cluster].mean() for cluster in range(6) if (target == cluster).any()]
    close(balanced_classification(logits, target, method.weights_of_clusters), (sum(means) / len(means)).item())


def test_an_epoch_begins_with_a_new_head_and_without_its_momentum():
    trainer = make_trainer(DeepCluster, "3steps")
    trainer.before_epoch()
    method = trainer.method
    head, first = method.head.weight.detach().clone(), method.assignments.clone()
    assert abs(head.std().item() / 0.01 - 1) < 0.5 and not method.head.bias.any()
    trainer.run()
    trained = {name: parameter.detach().clone() for name, parameter in method.named_parameters()}
    assert not torch.equal(method.head.weight, head) and torch.equal(method.assignments, first)
    state = trainer.optimizer.state
    assert method.head.weight in state and all(parameter in state for parameter in method.parameters())
    trainer.before_epoch()
    assert method.head.weight not in state and method.head.bias not in state
    assert abs(method.head.weight.std().item() / 0.01 - 1) < 0.5 and not method.head.bias.any()
    assert not torch.equal(method.head.weight, head), "another epoch draws another head"
    for name, parameter in method.encoder.named_parameters():
        assert parameter in state and torch.equal(parameter, trained[f"encoder.{name}"])


def test_collapsed_features_leave_a_finite_loss():
    method = make_method(DeepCluster)
    method.before_epoch(lambda function: torch.ones(IMAGES, 6), generator(0))
    assert len(set(method.assignments.tolist())) == 1
    close(method.weights_of_clusters[method.assignments[0]], 1.0)
    assert method.loss(make_batch(views=1), 0.0).isfinite()


# PCL.


def loop_info_nce(queries, keys, queue, temperature):
    """arXiv:2005.04966, eq. 11, first term."""
    queries, keys, queue = (rows.double().tolist() for rows in (queries, keys, queue))
    total = 0.0
    for query, key in zip(queries, keys, strict=True):
        positive = math.exp(dot(query, key) / temperature)
        total -= math.log(positive / (positive + sum(math.exp(dot(query, row) / temperature) for row in queue if any(row))))
    return total / len(queries)


def loop_proto_nce(queries, prototypes, phi, own, drawn):
    """arXiv:2005.04966, eq. 11, second term for one m; the negatives are prototypes of other clusters."""
    queries, prototypes, phi = (rows.double().tolist() for rows in (queries, prototypes, phi))
    total = 0.0
    for query, cluster in zip(queries, own.tolist(), strict=True):
        scores = {s: math.exp(dot(query, prototypes[s]) / phi[s]) for s in {cluster, *drawn.tolist()}}
        total -= math.log(scores[cluster] / sum(scores.values()))
    return total / len(queries)


@pytest.mark.parametrize(("size", "clusters", "negatives"), [(8, 15, 15), (5, 9, 4), (1, 2, 2), (3, 7, 1)])
def test_pcl_terms_are_the_papers(size, clusters, negatives):
    queries, keys, queue, prototypes = (units(count, 6, seed=seed) for seed, count in enumerate((size, size, 11, clusters)))
    close(info_nce(queries, keys, queue, 0.2), loop_info_nce(queries, keys, queue, 0.2))
    draw = torch.Generator().manual_seed(size)
    phi = 0.05 + 0.2 * torch.rand(clusters, generator=draw)
    own = torch.randint(clusters, (size,), generator=draw)
    drawn = torch.randperm(clusters, generator=draw)[:negatives]
    close(proto_nce(queries, prototypes, phi, own, drawn), loop_proto_nce(queries, prototypes, phi, own, drawn))


def loop_concentration(rows, centroids, assignment, temperature):
    """arXiv:2005.04966, eq. 12 with alpha = 10, and what main_pcl.py does with extremes."""
    rows, centroids, assignment = rows.double().numpy(), centroids.double().numpy(), assignment.numpy()
    phi = {}
    for cluster in range(len(centroids)):
        distances = [math.sqrt(((row - centroids[cluster]) ** 2).sum()) for row in rows[assignment == cluster]]
        if len(distances) > 1:
            phi[cluster] = sum(distances) / (len(distances) * math.log(len(distances) + 10))
    values = numpy.array([phi.get(cluster, max(phi.values())) for cluster in range(len(centroids))])
    values = values.clip(numpy.percentile(values, 10), numpy.percentile(values, 90))
    return temperature * values / values.mean()


@pytest.mark.parametrize(("clusters", "seed"), [(20, 0), (30, 1), (2, 2)])
def test_concentration_is_the_papers(clusters, seed):
    rows = units(60, 5, seed=seed)
    centroids, assignment = kmeans(rows, clusters, generator(seed))
    if clusters == 30:
        assert torch.bincount(assignment).min() == 1, "some cluster should have one image"
    found = concentration(rows, centroids, assignment, 0.1)
    numpy.testing.assert_allclose(found.numpy(), loop_concentration(rows, centroids, assignment, 0.1), rtol=1e-4)
    close(found.mean(), 0.1)


def test_concentration_without_any_spread():
    for assignment in (torch.zeros(20, dtype=torch.long), torch.arange(20) % 4):
        assert torch.equal(concentration(torch.ones(20, 3), torch.ones(4, 3), assignment, 0.1), torch.full((4,), 0.1))
    rows = units(8, 3).repeat_interleave(2, dim=0)
    rows[:4] = units(4, 3, seed=1)  # two clusters of different images, six of equal ones
    centroids, assignment = rows.view(8, 2, 3).mean(1), torch.arange(8).repeat_interleave(2)
    assert (concentration(rows, centroids, assignment, 0.1) >= 0.001).all()


def keys_of(method, images, order):
    """Keys in the images' own order; encoded in the order of `order`, which without groups of BatchNorm moves nothing."""
    encoded = method.teacher.network(images[order]).detach()
    return F.normalize(torch.stack([encoded[order.tolist().index(place)] for place in range(len(images))]), dim=1)


@pytest.mark.parametrize("negatives", [16, 9])
def test_pcl_loss_is_the_papers(negatives):
    """From the outputs of its own networks; with 9 negatives the 15 prototypes are drawn from."""
    trainer = make_trainer(PCL, negatives=negatives)
    trainer.before_epoch()
    method, batch = trainer.method, make_batch()
    assert method.counts == (15, 7) and method.phases == (0.1,)
    draws = Draws(*batch.draws.key, total=8)
    queries = F.normalize(method.projector(method.encoder(batch.views[0])), dim=1).detach()
    method.queue.enqueue(units(5, method.queue.rows.shape[1]))
    keys = keys_of(method, batch.views[1], draws.permutation(8))
    expected = loop_info_nce(queries, keys, method.queue.rows, 0.1)
    close(method.loss(batch, 0.09), expected)
    terms, start = [], 0
    for number, count in enumerate(method.counts):
        prototypes, phi = method.prototypes[start : start + count], method.concentrations[start : start + count]
        drawn = draws.permutation(count)[:negatives]
        terms.append(loop_proto_nce(queries, prototypes, phi, method.assignments[number][batch.index], drawn))
        start += count
    batch = make_batch()
    close(method.loss(batch, 0.1), expected + sum(terms) / 2)
    method.after_step(0.1)
    torch.testing.assert_close(method.queue.rows[5:][:8][: negatives - 5], keys[: negatives - 5], rtol=0, atol=TOLERANCE)


def test_pcl_clusters_the_key_encoders_features(monkeypatch):
    trainer, seen = make_trainer(PCL), watch_kmeans(monkeypatch, methods.pcl)
    nn.init.normal_(trainer.method.teacher.network[1].weight)  # teacher and student differ
    trainer.before_epoch()
    method = trainer.method
    images = (trainer.source.images.float() / 255 - 0.5) / 0.25
    rows = F.normalize(method.teacher.eval()(images), dim=1)
    draws = generator(0, "before_epoch", 0)
    for (prototypes, phi, assignments), extracted in zip(method.clusterings(), seen, strict=True):
        torch.testing.assert_close(extracted, rows, rtol=0, atol=TOLERANCE)
        centroids, assignment = kmeans(extracted, len(prototypes), draws)
        assert torch.equal(assignments, assignment)
        torch.testing.assert_close(prototypes, centroids / centroids.norm(dim=1, keepdim=True))
        numpy.testing.assert_allclose(phi.numpy(), loop_concentration(rows, centroids, assignment, 0.1), rtol=1e-4)


def test_pcl_makes_at_least_two_clusters_and_may_do_without_prototypes():
    assert make_method(PCL, images_per_cluster=50, granularities=3).counts == (2, 2, 2)
    assert make_method(PCL, warmup=0.0).phases == ()


# DeepCluster-v2.


def loop_tell_apart(rows, centroids, assignments, index, temperature):
    """main_deepclusterv2.py: for each head, mean cross-entropy over crops and images; mean over heads."""
    total = 0.0
    for centres, own in zip(centroids.double().tolist(), assignments.tolist(), strict=True):
        for crop in rows:
            for row, image in zip(crop, index.tolist(), strict=True):
                scores = [math.exp(dot(row, centre) / temperature) for centre in centres]
                total -= math.log(scores[own[image]] / sum(scores))
    return total / (len(centroids) * len(rows) * len(index))


def embedded(method, views):
    """Crops of one size through the encoder together, all of them through the head together: lists of unit rows, crop by crop."""
    features = torch.cat([method.encoder(torch.cat(list(same))) for same in (views[:2], views[2:])])
    return [[unit(row) for row in crop.double().tolist()] for crop in method.projector(features).chunk(len(views))]


def check_deepcluster_v2(cls, temperature=0.1):
    """A step after the first clustering: the loss, and the memories that it leaves."""
    trainer = make_trainer(cls, temperature=temperature)
    trainer.before_epoch()
    method, batch = trainer.method, random_batch(trainer.method, 8, 8)
    batch = Batch(batch.views, torch.randperm(IMAGES, generator=torch.Generator().manual_seed(1))[:8], batch.draws)
    rows = embedded(method, batch.views)
    close(method.loss(batch, 0.5), loop_tell_apart(rows, method.centroids, method.assignments, batch.index, temperature))
    kept = [memory.rows.double().tolist() for memory in method.memories]
    method.after_step(0.5)
    for memory, lines, crop in zip(method.memories, kept, rows, strict=False):
        for image, row in zip(batch.index.tolist(), crop, strict=True):
            lines[image] = row
        torch.testing.assert_close(memory.rows.double(), torch.tensor(lines, dtype=torch.float64), rtol=0, atol=TOLERANCE)
    return method


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_deepcluster_v2_loss_is_the_authors(temperature):
    method = check_deepcluster_v2(DeepClusterV2, temperature)
    assert method.centroids.shape == (3, 6, 5) and not any(name.startswith("centroids") for name, _ in method.named_parameters())


def test_deepcluster_v2_clusters_the_memories_in_turn():
    trainer = make_trainer(DeepClusterV2)
    trainer.before_epoch()
    method = trainer.method
    images = (trainer.source.images.float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        first = F.normalize(method.eval().projector(method.encoder(images)), dim=1)
    torch.testing.assert_close(method.memories[0].rows, first, rtol=0, atol=1e-5)
    assert torch.equal(method.memories[0].rows, method.memories[1].rows) and method.filled
    for number, memory in enumerate(method.memories):
        memory.rows.copy_(units(IMAGES, 5, seed=number))
    method.before_epoch(None, generator(7))  # what is remembered is not extracted again
    draws = generator(7)
    for head in range(3):
        rows = method.memories[head % 2].rows
        centroids, assignment = kmeans(rows, 6, draws, 10, spherical=True)
        assert torch.equal(method.centroids[head], centroids) and torch.equal(method.assignments[head], assignment)
        assert nearest(rows, centroids, assignment, spherical=True)
    assert not torch.equal(method.assignments[0], method.assignments[2]), "heads of one memory start apart"


MISTAKES = [
    ("/ temperature", "* temperature"),
    ("self.assignments[:, batch.index]", "self.assignments[:, batch.index.flip(0)]"),
    ("gather(large.detach()) for large in rows[:LARGE]", "gather(large.detach()) for large in rows[1:3]"),
    ("memory.move(index, rows, 0.0)", "memory.move(index, rows, 0.5)"),
    ("F.normalize(upcast(rows), dim=1).unflatten", "upcast(rows).unflatten"),
    ("vbp,hkp->hvbk", "vbp,hkp->vhbk"),
]


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_mistakes_in_deepcluster_v2_are_noticed(right, wrong, monkeypatch):
    mutate(monkeypatch, methods.deepcluster_v2, right, wrong)
    changed = methods.deepcluster_v2.DeepClusterV2
    monkeypatch.setitem(SMALL, changed, SMALL[DeepClusterV2])
    with pytest.raises(AssertionError):
        check_deepcluster_v2(changed)


# All: assignments outlive a stop.


@pytest.mark.parametrize("cls", [DeepCluster, DeepClusterV2, PCL])
@pytest.mark.parametrize("cut", [2, 3, 4])
def test_assignments_are_the_same_after_a_resume(cls, cut, tmp_path):
    """Stopped within an epoch, at its end, and after the first step of the next one."""
    seen = {}

    def watch(trainer):
        seen.setdefault(trainer, {})[trainer.meter.steps] = trainer.method.assignments.clone()

    whole = make_trainer(cls, controls=Controls(report=watch))
    whole.run()
    part = make_trainer(cls, controls=Controls(Checkpoints(tmp_path, "run")))
    part.controls.stop = lambda: part.meter.steps == cut
    with pytest.raises(Interrupted):
        part.run()
    again = make_trainer(cls, seed=1, controls=Controls(report=watch))  # everything must come from the checkpoint
    again.load_state_dict(Checkpoints(tmp_path, "run").load())
    again.run()
    assert list(seen[again]) == list(range(cut + 1, 8))
    assert all(torch.equal(assignments, seen[whole][step]) for step, assignments in seen[again].items())
    assert not torch.equal(seen[whole][3], seen[whole][4]), "the second epoch has other clusters"
    states = whole.method.state_dict(), again.method.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
