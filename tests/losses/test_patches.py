"""Methods of patches against loops in float64 from the papers' formulas, which share no code with the methods: each loop cuts its
own patches, pixel by pixel, from the same draws. Deliberate mistakes in a copy of a method's source must make the comparison fail.
"""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn import functional as F

import methods
import methods.counting
import methods.cpc
import methods.jigsaw
import methods.pirl
import methods.relative_patch
from bench.compute.randomness import Draws, seeded
from bench.encoders.factory import factory
from bench.method import build
from bench.parts.patches import cut, drop_colours, grid, jittered_grid, patch_side, standardised
from bench.spec import DatasetInfo
from loss_cases import close, cross_entropy, dot, mutate, narrow, random_batch, unit

SIZE = 16


def make(name, *, encoder="resnet8", size=SIZE, channels=3, **hyper_parameters):
    """The method on a narrow encoder, in training mode."""
    make_encoder = narrow(encoder, size)
    data = DatasetInfo(num_images=64, image_size=size, channels=channels, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    with seeded("weights", name, encoder):
        return build(methods.load(name), make_encoder, data, 5, hyper_parameters).train()


def replay(batch):
    """The batch's draws from their first call again."""
    return Draws(*batch.draws.key, total=batch.draws.total)


def patch_at(image, corner, side):
    """The patch [3, s, s] of an image [3, S, S] in float64, pixel by pixel."""
    row, column = (int(value) for value in corner)
    patch = torch.zeros(3, side, side, dtype=torch.float64)
    for channel in range(3):
        for down in range(side):
            for right in range(side):
                patch[channel, down, right] = image[channel, row + down, column + right].item()
    return patch


def normalised_alone(patch):
    """Each channel minus its mean and over its standard deviation, by sums of numbers."""
    result = torch.empty_like(patch)
    for channel, values in enumerate(patch.flatten(1).tolist()):
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values) + 1e-5)
        result[channel] = (patch[channel] - mean) / spread
    return result


# The parts.


def test_patches_are_cut_where_they_are():
    images = random_batch(make("jigsaw"), 3, 9).views[0]
    corners = torch.randint(6, (3, 5, 2), generator=torch.Generator().manual_seed(0))
    patches = cut(images, corners, 4)
    assert patches.shape == (3, 5, 3, 4, 4)
    for image in range(3):
        for number in range(5):
            expected = patch_at(images[image], corners[image, number], 4)
            assert torch.equal(patches[image, number].double(), expected)


def test_a_grid_is_row_by_row():
    assert grid(2, 5).tolist() == [[0, 0], [0, 5], [5, 0], [5, 5]]


def test_jittered_patches_keep_to_their_cells_and_reach_all_of_them():
    batch = random_batch(make("jigsaw", size=17), 400, 17)
    corners = jittered_grid(batch, batch.views[0], 3, 4)
    assert corners.shape == (400, 9, 2) and corners.min() == 0 and corners.max() == 17 - 4
    for number in range(9):
        cell = torch.tensor([5 * (number // 3), 5 * (number % 3)])
        within = corners[:, number] - cell
        # Two pixels of the image are left over, and one of the cell: 0 to 3 pixels from where the cell would be without both.
        assert within.min() == 0 and within.max() == 3
        assert len(within.unique(dim=0)) == 16


def test_standardised_patches_have_mean_0_and_spread_1_and_flat_ones_are_0():
    patches = 3 + 2 * torch.randn(2, 3, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    patches[0, 0, 0] = 7.0
    result = standardised(patches)
    assert not result[0, 0, 0].any()
    torch.testing.assert_close(result[1, 2].double(), normalised_alone(patches[1, 2].double()), rtol=1e-5, atol=1e-5)


def test_dropped_colours_are_a_hundredth_of_the_kept_one():
    batch = random_batch(make("jigsaw"), 40, SIZE)
    patches = cut(batch.views[0], grid(2, 8).expand(40, -1, -1), 8) * 5 + 3
    result, seen = drop_colours(batch, patches), set()
    for before, after in zip(patches.flatten(0, 1), result.flatten(0, 1), strict=True):
        (kept,) = (channel for channel in range(3) if torch.equal(before[channel], after[channel]))
        seen.add(kept)
        for channel in {0, 1, 2} - {kept}:
            assert after[channel].std().item() == pytest.approx(before[kept].std().item() / 100, rel=0.4)
            assert abs(after[channel].mean()) < before[kept].std() / 20
    assert seen == {0, 1, 2}


@pytest.mark.parametrize(
    ("encoder", "size", "side"), [("resnet8", 28, 7), ("resnet8", 224, 56), ("vit_micro", 32, 8), ("vit_micro", 28, 8)]
)
def test_sides_are_fractions_of_the_image_and_whole_patches_of_a_vit(encoder, size, side):
    with torch.device("meta"):
        assert patch_side(factory(encoder, size)(), size, 0.25, size) == side


# Jigsaw puzzles.


def jigsaw_case(count=3, size=SIZE, key=0, encoder="resnet8", **hyper_parameters):
    """-> the method's loss and the reference's."""
    method = make("jigsaw", size=size, encoder=encoder, permutations=12, **hyper_parameters)
    batch = random_batch(method, count, size, key)
    twin, draws = copy.deepcopy(method), replay(batch)
    cell, side = size // 3, twin.side
    labels = draws.randint(12).tolist()
    start, jitter = draws.randint(size - 3 * cell + 1, 1, 2), draws.randint(cell - side + 1, 9, 2)
    patches = []
    for image in range(count):
        for place in methods.jigsaw.distant_permutations(12)[labels[image]].tolist():
            corner = start[image, 0] + cell * torch.tensor([place // 3, place % 3]) + jitter[image, place]
            patch = patch_at(batch.views[0][image], corner, side)
            patches.append(normalised_alone(patch) if hyper_parameters.get("normalise", True) else patch)
    with torch.no_grad():
        features = twin.encoder(torch.stack(patches).float())
        rows = [torch.cat([twin.projector(row) for row in features[9 * image : 9 * image + 9]]) for image in range(count)]
        logits = twin.classifier(torch.stack(rows))
    return method.loss(batch, 0.5), cross_entropy(logits, labels)


@pytest.mark.parametrize(
    ("count", "size", "normalise", "encoder"), [(2, 16, True, "resnet8"), (4, 28, False, "resnet8"), (3, 32, True, "vit_micro")]
)
def test_jigsaw_is_the_papers_task(count, size, normalise, encoder):
    close(*jigsaw_case(count, size, count, encoder, normalise=normalise), dtype=torch.float32)


JIGSAW_MISTAKES = {
    "labels shifted by one": ("classify(logits, target)", "classify(logits, (target + 1) % 12)"),
    "the inverse permutation": ("self.permutations[target]", "self.permutations[target].argsort(1)"),
    "not shuffled": (".gather(1, order[..., None].expand(-1, -1, 2))", ""),
    "not normalised": ("patches = standardised(patches)", "pass"),
    "normalised images": ("cut(batch.views[0],", "cut(standardised(batch.views[0]),"),
    "patches of different images together": (
        ".unflatten(0, (-1, PATCHES)).flatten(1)",
        ".unflatten(0, (PATCHES, -1)).transpose(0, 1).flatten(1)",
    ),
}


@pytest.mark.parametrize("mistake", JIGSAW_MISTAKES)
def test_a_mistake_in_jigsaw_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.jigsaw, *JIGSAW_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        close(*jigsaw_case(normalise=mistake != "normalised images"), dtype=torch.float32)


def test_each_permutation_is_as_far_as_can_be_from_all_before():
    """The greatest total distance is an assignment problem: of places to values that as few as possible of the others have there."""
    chosen = methods.jigsaw.distant_permutations(60)
    assert len(np.unique(chosen, axis=0)) == 60 and np.array_equal(np.sort(chosen, 1), np.tile(np.arange(9), (60, 1)))
    for number in range(1, 60):
        taken = np.zeros((9, 9))
        for earlier in chosen[:number]:
            taken[np.arange(9), earlier] += 1
        least = taken[linear_sum_assignment(taken)].sum()
        assert (chosen[:number] == chosen[number]).sum() == least, number


def test_a_hundred_permutations_differ_in_eight_of_nine_places_on_average():
    chosen = methods.jigsaw.distant_permutations(100)
    distances = (chosen[:, None] != chosen).sum(2)[np.triu_indices(100, 1)]
    assert distances.mean() == pytest.approx(8.08, abs=0.005)


def test_jigsaw_refuses_what_cannot_be():
    with pytest.raises(ValueError, match=r"image of 14 pixels are 4 pixels wide.*room for 3"):
        make("jigsaw", size=14)
    with pytest.raises(ValueError, match=r"room for 9.*another `patch`"):
        make("jigsaw", size=32, patch=0.4)


# Context prediction.

EIGHT = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
MEAN, STD = torch.tensor([0.5, 0.4, 0.3]).double()[:, None, None], torch.tensor([0.2, 0.25, 0.3]).double()[:, None, None]


def one_patch(patch, chance, area, kept, noise, colour, normalise):
    """What the method's preparation must make of one patch [3, s, s], from the patch's draws."""
    side = patch.shape[-1]
    if chance < 0.33:
        few = int(math.sqrt(area * (1 - (10 / 96) ** 2) + (10 / 96) ** 2) * side)
        small = F.interpolate(patch[None], size=min(max(few, 1), side - 1), mode="bilinear", antialias=True)
        patch = F.interpolate(small, size=side, mode="bilinear", antialias=True)[0]
    if colour == "project":
        rgb = patch * STD + MEAN
        along = (-rgb[0] + 2 * rgb[1] - rgb[2]) / 6
        patch = (rgb - along * torch.tensor([-1.0, 2.0, -1.0]).double()[:, None, None] - MEAN) / STD
    patch = torch.stack([channel - sum(channel.flatten().tolist()) / side**2 for channel in patch])
    if colour == "drop":
        spread = math.sqrt(sum(value**2 for value in patch[kept].flatten().tolist()) / side**2)
        patch = torch.stack([patch[c] if c == kept else noise[c].double() * spread / 100 for c in range(3)])
    square = sum(value**2 for value in patch.flatten().tolist()) / (3 * side**2)
    return patch / math.sqrt(square + 1e-5) if normalise else patch


def relative_patch_case(count=3, size=SIZE, key=0, encoder="resnet8", pairs=4, colour="drop", normalise=True):
    """-> the method's loss and the reference's."""
    method = make("relative_patch", size=size, encoder=encoder, patch=0.25, pairs=pairs, colour=colour, normalise=normalise)
    batch = random_batch(method, count, size, key)
    twin, draws = copy.deepcopy(method), replay(batch)
    side, gap, reach = twin.side, round(twin.side / 2), max(1, round(twin.side * 7 / 96))
    labels, places = draws.randint(8, pairs), draws.rand(pairs, 2)
    shifts = draws.randint(2 * reach + 1, pairs, 2, 2) - reach
    chances, kept = draws.rand(2, 2 * pairs), draws.randint(3, 2 * pairs, 1) if colour == "drop" else None
    noise = draws.randn(2 * pairs, 3, side, side) if colour == "drop" else None
    patches = []
    for image in range(count):
        for pair in range(pairs):
            corners = ([], [])
            for axis in range(2):
                step = (side + gap) * EIGHT[labels[image, pair]][axis]
                # Every place from which neither patch leaves the image, whatever its jitter.
                fits = [at for at in range(size) if all(reach <= x <= size - side - reach for x in (at, at + step))]
                first = fits[int(places[image, pair, axis] * len(fits))]
                for number, corner in enumerate((first, first + step)):
                    corners[number].append(corner + shifts[image, pair, number, axis])
            for number in range(2):
                at = 2 * pair + number
                patch = patch_at(batch.views[0][image], corners[number], side)
                own = (kept[image, at, 0].item(), noise[image, at]) if colour == "drop" else (0, None)
                patches.append(one_patch(patch, *chances[image, :, at].tolist(), *own, colour, normalise))
    with torch.no_grad():
        features = twin.encoder(torch.stack(patches).float())
        logits = twin.classifier(torch.stack([torch.cat([features[at], features[at + 1]]) for at in range(0, len(features), 2)]))
    return method.loss(batch, 0.5), cross_entropy(logits, labels.flatten().tolist())


@pytest.mark.parametrize(
    ("count", "size", "encoder", "pairs", "colour", "normalise"),
    [
        (3, 16, "resnet8", 4, "drop", True),
        (2, 28, "resnet8", 3, "project", True),
        (5, 19, "resnet8", 1, "keep", False),
        (2, 32, "vit_micro", 2, "drop", False),
    ],
)
def test_relative_patch_is_the_papers_task(count, size, encoder, pairs, colour, normalise):
    close(*relative_patch_case(count, size, count, encoder, pairs, colour, normalise), dtype=torch.float32)


RELATIVE_PATCH_MISTAKES = {
    "labels shifted by one": ("target.flatten())", "(target.flatten() + 1) % 8)"),
    "columns before rows": ("around = grid(3, 1) - 1", "around = (grid(3, 1) - 1).flip(1)"),
    "the first patch from the second": ("[first, first + step]", "[first + step, first]"),
    "no gap": ("self.side + round(gap * self.side)", "self.side + round(0 * gap)"),
    "one jitter for both": ("self.pairs, 2, 2)", "self.pairs, 1, 2)"),
    "patches of different pairs together": (".unflatten(0, (-1, 2)).flatten(1)", ".unflatten(0, (2, -1)).transpose(0, 1).flatten(1)"),
    "no pixelation": ("chance < self.pixelate", "chance < 0"),
    "pixelation by the side": ("(area * (1 - FEWEST**2) + FEWEST**2).sqrt()", "area"),
    "colours kept": ("patches = drop_colours(batch, patches)", "pass"),
    "not centred": ("patches = patches - patches.mean((3, 4), keepdim=True)", "pass"),
    "each channel normalised": ("mean((2, 3, 4), keepdim=True) + 1e-5", "mean((3, 4), keepdim=True) + 1e-5"),
}
PROJECTION_MISTAKES = {
    "of normalised colours": ("* scale / scale[:, None]", ""),
    "transposed": ("* scale / scale[:, None]", "/ scale * scale[:, None]"),
    "onto the axis": ("torch.eye(3) - torch.outer", "torch.outer"),
}


@pytest.mark.parametrize("mistake", RELATIVE_PATCH_MISTAKES)
def test_a_mistake_in_relative_patch_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.relative_patch, *RELATIVE_PATCH_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        close(*relative_patch_case(), dtype=torch.float32)


@pytest.mark.parametrize("mistake", PROJECTION_MISTAKES)
def test_a_mistake_in_the_projection_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.relative_patch, *PROJECTION_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        close(*relative_patch_case(colour="project"), dtype=torch.float32)


def test_pairs_lie_in_every_direction_and_reach_the_borders():
    method = make("relative_patch", size=20, patch=0.25)
    corners, target = method.place(random_batch(method, 600, 20))
    assert target.unique().tolist() == list(range(8))
    assert corners.min() == 0 and corners.max() == 20 - method.side
    # Patches of 5 with a gap of 2, and jitter of 1 each way: they overlap in no pair.
    apart = (corners[:, :, 1] - corners[:, :, 0]).abs().amax(2)
    assert method.side == 5 and apart.min() == 5 and apart.max() == 9


@pytest.mark.parametrize("size", [32, 64])
def test_where_a_patch_lies_tells_little_of_the_direction(size):
    """As good a guess of the direction as the first patch's place allows: 0.31 and 0.33, and 0.49 with patches of a quarter."""
    method = make("relative_patch", size=size, pairs=64)
    corners, target = method.place(random_batch(method, 2000, size))
    place = (corners[:, :, 0, 0] // 3 * size + corners[:, :, 0, 1] // 3).flatten()
    counts = torch.zeros(size * size, 8).index_put((place, target.flatten()), torch.tensor(1.0), accumulate=True)
    assert 0.27 < counts.amax(1).sum() / counts.sum() < 0.36


def test_patches_are_prepared_in_float32_under_autocast():
    method = make("relative_patch", size=32)
    patches = torch.rand(4, 8, 3, method.side, method.side) / 50 + 0.4  # of little contrast
    first = method.prepare(patches, random_batch(method, 4, 32))
    with torch.autocast("cpu", torch.bfloat16):
        again = method.prepare(patches, random_batch(method, 4, 32))
    assert first.dtype == again.dtype == torch.float32 and torch.allclose(first, again)


def test_grey_images_keep_their_one_colour():
    assert make("relative_patch", size=32, channels=1).colour == "keep"


def test_relative_patch_refuses_what_cannot_be():
    with pytest.raises(ValueError, match=r"take 18 pixels, and an image has 16.*`gap`"):
        make("relative_patch", patch=0.25, gap=2.0)
    with pytest.raises(ValueError, match="image of 12 pixels are 3 pixels wide"):
        make("relative_patch", patch=0.25, size=12)


# PIRL.


def loop_nce(embedding, own, others, temperature):
    """Eq. 3 and 4 for one image, whose others are given without itself; all vectors of unit length."""
    noise = sum(math.exp(dot(embedding, other) / temperature) for other in others)
    score = math.exp(dot(embedding, own) / temperature)
    total = -math.log(score / (score + noise))
    for other in others:
        score = math.exp(dot(embedding, other) / temperature)
        total -= math.log(1 - score / (score + noise))
    return total


def vissl_nce(embedding, own, others, temperature, images):
    """The authors' criterion: densities over a partition function, against noise that is uniform over the images. Their partition
    function is measured on a batch; here on this image's negatives, which is what eq. 3 does."""
    scores = [math.exp(dot(embedding, other) / temperature) for other in others]
    partition = images * sum(scores) / len(scores)
    chance = len(others) / images
    density = math.exp(dot(embedding, own) / temperature) / partition
    return -math.log(density / (density + chance)) - sum(math.log(chance / (score / partition + chance)) for score in scores)


@pytest.mark.parametrize(("count", "others", "dim", "temperature"), [(1, 2, 3, 0.5), (4, 9, 5, 0.07), (3, 30, 8, 0.2)])
def test_nce_is_the_papers_formula_and_the_authors_with_the_same_noise(count, others, dim, temperature):
    generator = torch.Generator().manual_seed(count)
    rows = [F.normalize(torch.randn(size, dim, generator=generator, dtype=torch.float64), dim=1) for size in (count, count, others)]
    excluded = torch.zeros(count, others, dtype=torch.bool)
    excluded[0, 1] = True
    loss = methods.pirl.nce(*rows, excluded, temperature).item()
    embeddings, own, negatives = (values.tolist() for values in rows)
    left = [[row for number, row in enumerate(negatives) if image or number != 1] for image in range(count)]
    triples = list(zip(embeddings, own, left, strict=True))
    assert loss == pytest.approx(sum(loop_nce(*triple, temperature) for triple in triples) / count, abs=1e-9)
    assert loss == pytest.approx(sum(vissl_nce(*triple, temperature, 77) for triple in triples) / count, abs=1e-9)


def pirl_parts(method, batch, size):
    """From the method's networks: embeddings of the images and of their patches, as lists of lists of unit length."""
    draws, cell, side = replay(batch), size // 3, method.side
    start, jitter = draws.randint(size - 3 * cell + 1, 1, 2), draws.randint(cell - side + 1, 9, 2)
    orders, patches = draws.rand(9).argsort(1).tolist(), []
    for image, order in enumerate(orders):
        for place in order:
            corner = start[image, 0] + cell * torch.tensor([place // 3, place % 3]) + jitter[image, place]
            patches.append(patch_at(batch.views[1][image], corner, side))
    twin = copy.deepcopy(method)
    with torch.no_grad():
        whole = twin.projector(twin.encoder(batch.views[0])).double().tolist()
        features = [twin.patch_projector(row) for row in twin.encoder(torch.stack(patches).float())]
        puzzles = [twin.puzzle_projector(torch.cat(features[at : at + 9])).double().tolist() for at in range(0, len(features), 9)]
    return [unit(row) for row in whole], [unit(row) for row in puzzles], draws.permutation(64).tolist()


def pirl_case(count=4, size=SIZE, key=0, negatives=20, temperature=0.2, weight=0.3, encoder="resnet8"):
    """-> the method's loss and the reference's. Four images, one of which is among its own negatives."""
    method = make("pirl", size=size, encoder=encoder, projection=6, negatives=negatives, temperature=temperature, weight=weight)
    batch = random_batch(method, count, size, key)
    whole, puzzles, order = pirl_parts(method, batch, size)
    batch.index.copy_(torch.tensor([order[0], order[40], *order[50:]][:count]))
    memory = [unit(row) for row in method.memory.rows.double().tolist()]
    total = 0.0
    for image, index in enumerate(batch.index.tolist()):
        others = [memory[other] for other in order[:negatives] if other != index]
        parts = [loop_nce(rows[image], memory[index], others, temperature) for rows in (puzzles, whole)]
        total += weight * parts[0] + (1 - weight) * parts[1]
    return method.loss(batch, 0.5), total / count


@pytest.mark.parametrize(
    ("count", "size", "negatives", "temperature", "weight", "encoder"),
    [(2, 16, 5, 0.07, 0.5, "resnet8"), (5, 28, 4096, 0.5, 1.0, "resnet8"), (3, 32, 20, 0.1, 0.0, "vit_micro")],
)
def test_pirl_is_the_papers_formula(count, size, negatives, temperature, weight, encoder):
    close(*pirl_case(count, size, count, negatives, temperature, weight, encoder), dtype=torch.float32)


PIRL_MISTAKES = {
    "temperature multiplies": ("own).sum(1, keepdim=True) / temperature", "own).sum(1, keepdim=True) * temperature"),
    "an image is its own negative": ('.masked_fill(excluded, float("-inf"))', ""),
    "negatives are not pushed away": (" + F.logsigmoid(noise - negative).sum(1)", ""),
    "a mean over negatives": ("F.logsigmoid(noise - negative).sum(1)", "F.logsigmoid(noise - negative).mean(1)"),
    "the memory's rows as they are": ("F.normalize(self.memory.rows[which], dim=1)", "self.memory.rows[which]"),
    "the weight is the image's": ("torch.lerp(parts[1], parts[0]", "torch.lerp(parts[0], parts[1]"),
    "patches of the other crop": ("self.project_patches(batch.views[1]", "self.project_patches(batch.views[0]"),
    "patches in their order": ("order[..., None].expand(-1, -1, 2)", "order.sort(1)[0][..., None].expand(-1, -1, 2)"),
    "all rows of the memory": ("[: self.negatives]", ""),
    "one head for images and patches": ("self.patch_projector(self.encoder", "self.projector(self.encoder"),
}


@pytest.mark.parametrize("mistake", PIRL_MISTAKES)
def test_a_mistake_in_pirl_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.pirl, *PIRL_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        close(*pirl_case(), dtype=torch.float32)


def pirl_steps(momentum=0.3):
    """Two steps -> the memory, and what it must be: rows of the batch's images moved towards the images' embeddings."""
    method = make("pirl", projection=6, momentum=momentum)
    memory = method.memory.rows.double().tolist()
    for step in range(2):
        batch = random_batch(method, 4, SIZE, step)
        whole, _, _ = pirl_parts(method, batch, SIZE)
        method.loss(batch, 0.0)
        method.after_step(0.0)
        for index, row in zip(batch.index.tolist(), whole, strict=True):
            memory[index] = unit([momentum * old + (1 - momentum) * new for old, new in zip(memory[index], row, strict=True)])
    return method.memory.rows.double(), torch.tensor(memory, dtype=torch.float64)


def test_pirls_memory_moves_towards_the_images():
    torch.testing.assert_close(*pirl_steps(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("gather(whole).detach()", "gather(transformed).detach()"), ("*self.new_rows, self.momentum", "*self.new_rows, 1 - self.momentum")],
)
def test_a_mistake_in_pirls_memory_is_seen(monkeypatch, right, wrong):
    mutate(monkeypatch, methods.pirl, right, wrong)
    with pytest.raises(AssertionError, match="not close"):
        torch.testing.assert_close(*pirl_steps(), rtol=0, atol=1e-6)


def test_pirl_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="room for 3"):
        make("pirl", size=14)


# Learning to count.


def halved(image, way):
    """[3, 2s, 2s] -> [3, s, s], by torch's own resizing, or from the definition of the windowed sine."""
    if way == 0:
        return F.avg_pool2d(image[None], 2)[0]
    if way == 1:
        return F.interpolate(image[None], scale_factor=0.5, mode="bicubic")[0]
    distance = np.arange(-4, 4) + 0.5
    window = np.sinc(distance) * np.sinc(distance / 4)
    window = torch.tensor(window / window.sum())
    padded = F.pad(image[None], (3, 3, 3, 3), mode="replicate")[0]
    padded = sum(window[at] * padded[:, at : at + image.shape[1] - 1 : 2] for at in range(8))
    return sum(window[at] * padded[:, :, at : at + image.shape[2] - 1 : 2] for at in range(8))


def loop_count_loss(whole, quarters, margin):
    """Eq. 4 over lists of counts: whole[image], quarters[image][quarter]."""
    total = 0.0
    for image in range(len(whole)):
        parts = [sum(values) for values in zip(*quarters[image], strict=True)]
        other = whole[(image + 1) % len(whole)]
        total += sum((a - b) ** 2 for a, b in zip(whole[image], parts, strict=True))
        total += max(0.0, margin - sum((a - b) ** 2 for a, b in zip(other, parts, strict=True)))
    return total / len(whole)


def counting_case(count=5, size=SIZE, key=0, encoder="resnet8", margin=1.4, counts=7):
    """-> the method's loss and the reference's. A margin that some pairs of images are nearer than, and some not."""
    method = make("counting", size=size, encoder=encoder, counts=counts, margin=margin)
    batch = random_batch(method, count, size, key)
    twin, side = copy.deepcopy(method), method.side
    seen = []
    for image, way in zip(batch.views[0], replay(batch).randint(3).tolist(), strict=True):
        seen.append(halved(image.double(), way))
        seen += [patch_at(image, (row, column), side) for row in (0, side) for column in (0, side)]
    with torch.no_grad():
        counted = twin.head[0](twin.encoder(torch.stack(seen).float())).clamp(min=0).double().reshape(count, 5, counts).tolist()
    return method.loss(batch, 0.5), loop_count_loss([row[0] for row in counted], [row[1:] for row in counted], margin)


@pytest.mark.parametrize(
    ("count", "size", "encoder", "margin"), [(2, 16, "resnet8", 10.0), (6, 27, "resnet8", 1.2), (4, 28, "vit_micro", 1.0)]
)
def test_counting_is_the_papers_formula(count, size, encoder, margin):
    close(*counting_case(count, size, count, encoder, margin), dtype=torch.float32)


@pytest.mark.parametrize("margin", [0.5, 10.0, 200.0])
def test_the_count_loss_is_eq_4(margin):
    generator = torch.Generator().manual_seed(0)
    whole, quarters = torch.rand(6, 9, generator=generator).double() * 4, torch.rand(6, 4, 9, generator=generator).double()
    loss = methods.counting.count_loss(whole, quarters.sum(1), margin).item()
    assert loss == pytest.approx(loop_count_loss(whole.tolist(), quarters.tolist(), margin), abs=1e-9)


COUNTING_MISTAKES = {
    "the mean of the quarters": ("counts[:, 1:].sum(1)", "counts[:, 1:].mean(1)"),
    "three quarters": ("counts[:, 1:].sum(1)", "counts[:, 2:].sum(1)"),
    "the other image's quarters": ("whole.roll(-1, 0) - parts", "whole - parts.roll(-1, 0)"),
    "no other image": ("whole.roll(-1, 0)", "whole"),
    "the margin of a distance": ("(margin - other).relu()", "(margin - other.sqrt()).relu()"),
    "no margin": ("(margin - other).relu()", "margin - other"),
    "not squared": ("(whole - parts).square()", "(whole - parts).abs()"),
    "counts may be negative": (", nn.ReLU())", ")"),
    "always the mean of four pixels": ("self.halvings[batch.randint(len(self.halvings))]", "self.halvings[0].expand(len(images), -1, -1)"),
    "every second pixel": ("((0.5, 0.5),", "((0.0, 1.0),"),
    "the cubic of Pillow": ("-0.75 * (x**3 - 5 * x**2 + 8 * x - 4)", "-0.5 * (x**3 - 5 * x**2 + 8 * x - 4)"),
    "a window of three": ("math.sin(math.pi * x / 4)", "math.sin(math.pi * x / 3)"),
    "the whole and its quarters apart": (
        "self.project(seen.flatten(0, 1))",
        "torch.stack([self.project(part) for part in seen.unbind(1)], 1).flatten(0, 1)",
    ),
}


@pytest.mark.parametrize("mistake", COUNTING_MISTAKES)
def test_a_mistake_in_counting_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.counting, *COUNTING_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        close(*counting_case(), dtype=torch.float32)


def test_counting_refuses_too_small_images():
    with pytest.raises(ValueError, match="image of 6 pixels are 3 pixels wide"):
        make("counting", size=6)


# Contrastive predictive coding.


def loop_context(context, latents):
    """The masked convolutions on a map {(row, column): [D]}, place by place, in float64."""
    for block in copy.deepcopy(context).double().blocks:
        enter, _, row, above, _, leave = block
        zero = torch.zeros_like(enter.bias)
        inner = {at: (enter.weight[:, :, 0, 0] @ values + enter.bias).clamp(min=0) for at, values in latents.items()}
        rows = {}
        for r, c in inner:
            rows[r, c] = row.bias + sum(row.weight[:, :, 0, 1 + step] @ inner.get((r, c + step), zero) for step in (-1, 0, 1))
        upper, own = above[1].weight[:, :, 0, 0], above[1].weight[:, :, 1, 0]
        after = {}
        for r, c in rows:
            both = own @ rows[r, c] + upper @ rows.get((r - 1, c), zero) + above[1].bias
            after[r, c] = latents[r, c] + leave.weight[:, :, 0, 0] @ both.clamp(min=0) + leave.bias
        latents = after
    return {at: values.clamp(min=0) for at, values in latents.items()}


def cpc_patches(image, size, side, colour):
    """The overlapping patches [3, s, s] of one normalised image, row by row, in float64; and how many a side."""
    image = image.double()
    if colour == "grey":
        rgb = image * STD + MEAN
        image = ((0.2989 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) - MEAN) / STD
    stride = round(side / 2)
    count = (size - side) // stride + 1
    first = (size - side - (count - 1) * stride) // 2
    places = [first + number * stride for number in range(count)]
    return [patch_at(image, (row, column), side) for row in places for column in places], count


def cpc_case(count=2, size=SIZE, key=0, encoder="resnet8", directions=1, colour="grey", ignore=1, predict=5, patch=0.375):
    """-> the method's loss and the reference's."""
    method = make(
        "cpc", patch=patch, size=size, encoder=encoder, directions=directions, colour=colour, ignore=ignore, predict=predict, target=5
    )
    batch = random_batch(method, count, size, key)
    twin, draws, side = copy.deepcopy(method), replay(batch), method.side
    patches, border = [], max(1, round(side / 16))
    for image in batch.views[0]:
        own, n = cpc_patches(image, size, side, colour)
        patches.append(own)
    for own, starts in zip(patches, draws.randint(border + 1, n * n, 2).tolist(), strict=True):
        for patch, (top, left) in zip(own, starts, strict=True):
            for r in range(side):
                for c in range(side):
                    if not (top <= r < top + side - border and left <= c < left + side - border):
                        patch[:, r, c] = (-MEAN / STD)[:, 0, 0]
    seen = torch.stack([torch.stack(own) for own in patches]).float()
    if colour == "drop":
        kept, noise = draws.randint(3, n * n, 1), draws.randn(n * n, 3, side, side)
        for image in range(count):
            for number in range(n * n):
                channel = kept[image, number, 0].item()
                for other in {0, 1, 2} - {channel}:
                    seen[image, number, other] = noise[image, number, other] * seen[image, number, channel].std(correction=0) / 100
    terms = []
    with torch.no_grad():
        features = twin.encoder(seen.flatten(0, 1)).double().reshape(count, n, n, -1)
        for turn in range(directions):
            maps = [{(r, c): features[image, r, c] for r in range(n) for c in range(n)} for image in range(count)]
            for _ in range(turn):
                maps = [{(r, c): values[c, n - 1 - r] for r, c in values} for values in maps]
            known = [loop_context(twin.contexts[turn], values) for values in maps]
            every = [(image, at) for image in range(count) for at in sorted(maps[image])]
            targets = torch.stack([twin.target.weight.double() @ maps[image][at] + twin.target.bias.double() for image, at in every])
            weight, bias = twin.predictors[turn].weight.double(), twin.predictors[turn].bias.double()
            distances = [distance for distance in range(ignore + 1, ignore + predict + 1) if distance < n]
            for number, distance in enumerate(distances):
                rows, labels, part = [], [], slice(5 * number, 5 * number + 5)
                for image in range(count):
                    for r, c in sorted(maps[image]):
                        if r + distance < n:
                            rows.append(targets @ (0.1 * (weight[part] @ known[image][r, c] + bias[part])))
                            labels.append(every.index((image, (r + distance, c))))
                terms.append(cross_entropy(torch.stack(rows), labels))
    return method.loss(batch, 0.5), sum(terms) / len(terms)


@pytest.mark.parametrize(
    ("count", "size", "encoder", "directions", "colour", "ignore", "predict", "patch"),
    [(2, 16, "resnet8", 1, "grey", 1, 5, 0.25), (3, 17, "resnet8", 4, "drop", 2, 1, 0.375), (2, 28, "vit_micro", 1, "keep", 0, 2, 0.4)],
)
def test_cpc_is_the_papers_formula(count, size, encoder, directions, colour, ignore, predict, patch):
    close(*cpc_case(count, size, count, encoder, directions, colour, ignore, predict, patch), dtype=torch.float32)


CPC_MISTAKES = {
    "the row below": ("nn.ZeroPad2d((0, 0, 1, 0))", "nn.ZeroPad2d((0, 0, 0, 1))"),
    "the context's own row": ("places[:, distance:]", "places[:, :-distance]"),
    "not scaled": ("= 5, 0.1", "= 5, 1.0"),
    "no shortcut": ("latents + block(latents)", "block(latents)"),
    "no last ReLU": ("return latents.relu()", "return latents"),
    "columns for rows": (".unflatten(0, (-1, self.count, self.count))", ".unflatten(0, (-1, self.count, self.count)).transpose(1, 2)"),
    "in colour": ('if self.colour == "grey"', 'if self.colour == "none"'),
    "grey borders": ("patches, -self.mean / self.std)", "patches, 0 * self.mean)"),
    "borders at one place": ("start = batch.randint", "start = 0 * batch.randint"),
    "predictions are their own targets": ("rows, targets.flatten(0, 2), which", "rows, rows, which % len(rows)"),
    "always downwards": ("latents.rot90(turn, (1, 2))", "latents"),
    "turned the other way": ("latents.rot90(turn, (1, 2))", "latents.rot90(-turn, (1, 2))"),
}


@pytest.mark.parametrize("mistake", CPC_MISTAKES)
def test_a_mistake_in_cpc_is_seen(monkeypatch, mistake):
    mutate(monkeypatch, methods.cpc, *CPC_MISTAKES[mistake])
    with pytest.raises(AssertionError, match="is not"):
        directions = 4 if mistake in ("always downwards", "turned the other way") else 1
        close(*cpc_case(directions=directions, ignore=1, predict=1), dtype=torch.float32)


def test_the_context_sees_nothing_of_the_rows_below():
    context = make("cpc").contexts[0]
    latents = torch.randn(1, 16, 7, 7, generator=torch.Generator().manual_seed(0))
    changed = latents.clone()
    changed[:, :, 4:] += 1
    with torch.no_grad():
        before, after = context(latents), context(changed)
    assert torch.equal(before[:, :, :4], after[:, :, :4]) and not torch.equal(before[:, :, 4], after[:, :, 4])


@pytest.mark.parametrize(("size", "side", "count"), [(256, 64, 7), (32, 8, 7), (64, 16, 7), (224, 56, 7)])
def test_cpc_has_the_papers_grid_and_distances(size, side, count):
    with torch.device("meta"):
        method = make("cpc", size=size)
    assert (method.side, method.stride, method.count) == (side, side // 2, count)
    assert tuple(method.distances) == (2, 3, 4, 5, 6)


def test_cpc_evaluates_the_mean_over_patches_and_records_the_whole():
    method = make("cpc").eval()
    images = random_batch(method, 2, SIZE).views[0]
    patches, count = cpc_patches(images[1], SIZE, method.side, "grey")
    with torch.no_grad():
        mean = sum(method.encoder(torch.stack(patches).float())) / count**2
        torch.testing.assert_close(method.encode(images)[1], mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(method.encode_also()["whole_image"](images), method.encoder(method.seen(images)))


def test_cpc_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="of 3 rows of patches none is left"):
        make("cpc", patch=0.5, ignore=2)
    with pytest.raises(ValueError, match="image of 12 pixels are 3 pixels wide"):
        make("cpc", size=12)
