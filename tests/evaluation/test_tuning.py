"""Copies of an encoder that evaluators train: what they compute, what of them is trained, and that the frozen one does not change."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

import methods
from bench.data import catalogue
from bench.data.catalogue import DataSets
from bench.data.rows import RowsInMemory
from bench.data.source import load_source
from bench.data.splits import drawn
from bench.encoders import factory
from bench.encoders.encoder import Encoder
from bench.errors import UserError
from bench.evaluation import registry
from bench.evaluation.evaluate import evaluate
from bench.evaluation.evaluators import finetune, finetune_adamw, finetune_few, finetune_last, linear_sgd, scratch
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.evaluation.tuning import classifier, descent
from bench.evaluation.tuning.images import Images, Part
from bench.evaluation.tuning.trainable import trainable
from bench.machine.signals import Interrupted, StopSignals
from bench.method import build
from bench.plan.complete import complete
from bench.records.record import unpack
from bench.run.build import build_method
from bench.run.weights import sha256
from bench.spec import Budget, DatasetInfo, RunSpec

WITHOUT_WEIGHTS = {"pca", "pixels"}
"""Floors whose features are not an encoder's."""


def make(method, encoder="resnet8", size=32, **hyper_parameters):
    """An untrained method in train mode, as it is after training."""
    torch.manual_seed(0)
    name = encoder if methods.can_use(method, encoder) else "vit_nano"
    return build(methods.load(method), factory.factory(name, size), DatasetInfo(num_images=64, image_size=size), 10, hyper_parameters)


def copied(method, size=32):
    return trainable(method, DatasetInfo(num_images=64, image_size=size), torch.zeros(3), torch.ones(3), "float32")


def random_images(count=4, height=32, width=32):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def short(monkeypatch):
    """A few steps in place of many."""
    monkeypatch.setattr(finetune, "STEPS", 6)
    monkeypatch.setattr(finetune, "RATES", (0.1,))


# The copy.


@pytest.mark.parametrize("name", methods.takers("images"))
def test_a_copy_computes_what_is_evaluated_and_trains_all_that_it_uses(name):
    method, images = make(name), random_images()
    before = sha256(method)
    own = copied(method)
    assert (own is None) == (name in WITHOUT_WEIGHTS)
    if own is None:
        return
    method.eval(), own.eval()
    with torch.no_grad():
        assert torch.equal(own(images), method.encode(images)) and own.dim == own(images).shape[1]
    optimizer = torch.optim.SGD([parameter for parameter in own.parameters() if parameter.requires_grad], lr=0.1)
    own.train()
    own(images).square().sum().backward()
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in own.parameters()), "and nothing else"
    optimizer.step()
    with torch.no_grad():
        assert not torch.equal(own.eval()(images), method.encode(images))
    assert sha256(method) == before, "the frozen one is as it was, its BatchNorm's statistics too"


def test_what_is_trained_is_the_teacher_where_the_teacher_is_evaluated():
    method = make("dino")
    trained = {name.removeprefix("method.") for name, parameter in copied(method).named_parameters() if parameter.requires_grad}
    assert trained and all(name.startswith("teacher.network.encoder") for name in trained)
    assert not any(parameter.requires_grad for parameter in method.teacher.parameters()), "the method's own stays without"


def test_batchnorm_groups_are_for_pretraining():
    """A batch of 5 cannot be cut into 8 groups."""
    assert copied(make("moco")).train()(random_images(5)).shape == (5, 64)


@pytest.mark.parametrize(
    ("name", "encoder", "widths"), [("rotation", "resnet8", [16, 32, 64]), ("split_brain", "resnet8", None), ("mae", "vit_nano", [64] * 4)]
)
def test_maps_of_the_stages_at_other_sizes(name, encoder, widths):
    own = copied(make(name, encoder)).eval()
    with torch.no_grad():
        for height, width in ((32, 32), (64, 48)):
            maps = own.maps(random_images(2, height, width))
            last = maps[-1].shape[2:]
            assert last == (height // 4, width // 4)
            assert [each.shape[1] for each in maps] == (widths or [each.shape[1] for each in maps]) and maps[-1].dtype == torch.float32
            assert own(random_images(2, height, width)).shape == (2, own.dim)
    if name == "rotation":
        images = random_images(2)
        torch.testing.assert_close(own.maps(images)[-1].mean((2, 3)), own(images))


def test_a_vits_maps_are_its_patches_in_their_places():
    """A patch that changes changes itself most, at its own place of the grid, also where the grid is not square."""
    own, images = copied(make("mae", "vit_nano")).eval(), random_images(1, 64, 48)
    changed = images.clone()
    changed[:, :, 4:8, 16:20] += 3
    with torch.no_grad():
        difference = (own.maps(changed)[0] - own.maps(images)[0]).abs().sum(1)[0]
    assert np.unravel_index(int(difference.argmax()), difference.shape) == (1, 4)


def test_patches_of_an_image_have_no_map_of_it():
    with pytest.raises(ValueError, match="encode cuts an image into"):
        copied(make("cpc")).eval().maps(random_images(2))


def test_new_weights_are_the_protocols_and_not_the_runs(measured, features):
    method, _, source = measured
    fresh, kept = features.trainable(fresh=True), features.trainable()
    other = complete(RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), image_size=8, seed=1))
    again = FrozenEncoder(method, method.encode, other, source, DataSets()).trainable(fresh=True)
    assert sha256(fresh) == sha256(again) != sha256(kept)
    assert sha256(kept.method) == sha256(method) and kept.method is not method


def trained_of(own):
    return [name.removeprefix("method.") for name, parameter in own.named_parameters() if parameter.requires_grad]


@pytest.mark.parametrize(
    ("method", "encoder", "last", "first"),
    [
        *(
            ("rotation", "resnet8", last, first)
            for last, first in ((0, None), (1, "encoder.layers.2"), (3, "encoder.stem"), (9, "encoder.stem"))
        ),
        ("mae", "vit_nano", 1, "encoder.vit.blocks.3"),
        ("mae", "vit_nano", 3, "encoder.vit.blocks.1"),
    ],
)
def test_what_lies_below_the_last_stages_is_frozen(method, encoder, last, first):
    """Parameters in the order in which they are used: the first trained one is of that stage, and so are all that follow it."""
    own = copied(make(method, encoder))
    whole = trained_of(own)
    own.freeze_all_but(last)
    trained = trained_of(own)
    assert trained == whole[len(whole) - len(trained) :]
    assert (trained == []) if first is None else trained[0].startswith(first)
    assert (trained == whole) == (last >= 3 and encoder == "resnet8")
    before = {name: value.clone() for name, value in own.state_dict().items()}
    optimizer = torch.optim.SGD(own.parameters(), lr=0.1)
    own.train()
    output = own(random_images(8)).square().sum()
    if trained:
        output.backward()
        optimizer.step()
    changed = {name.removeprefix("method.") for name, value in own.state_dict().items() if not torch.equal(value, before[name])}
    assert changed >= set(trained) and all(name.startswith("encoder") for name in changed), "BatchNorm's statistics with them"
    lowest = [name for name, _ in own.method.named_modules()].index(".".join(trained[0].split(".")[:-1])) if trained else 0
    above = [name for name, _ in own.method.named_modules()][lowest:] if trained else []
    assert {name.rpartition(".")[0] for name in changed} <= set(above)


def test_an_encoder_without_stages_is_one():
    class Whole(Encoder):
        dim = 4

        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, self.dim)

        def forward(self, images):
            return self.linear(images.mean((2, 3)))

    method = methods.load("random")(Whole, None)
    for last, count in ((0, 0), (1, 2), (4, 2)):
        own = trainable(method, DatasetInfo(4, 8), torch.zeros(3), torch.ones(3), "float32")
        own.freeze_all_but(last)
        assert len(trained_of(own)) == count


def test_the_last_stages_are_tuned_as_all_are(features, short, monkeypatch):
    """With as many as there are it is `finetune`, number by number; frozen it is another one, and the encoder the same."""
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    whole, cost = finetune.evaluate(features)
    few, frozen = (finetune_last.evaluate(features, argument) for argument in ("3", "0"))
    assert (few[0].value, few[0].correct, few[0].chosen) == (whole.value, whole.correct, whole.chosen) and few[1].value == cost.value
    assert [result.metric for result in (*few, *frozen)] == ["top1_last3", "tflop_last3", "top1_last0", "tflop_last0"]
    assert frozen[0].correct != whole.correct and frozen[1].value < cost.value / 2, "without a backward pass"
    assert {result.evaluator for result in few} == {"finetune_last"}


def test_adamw_is_another_descent_of_the_same_tuning(features, short, monkeypatch):
    """Warmup, rates of its own chosen on val, no decay of biases and norms; all else is `finetune`'s."""
    seen = []
    monkeypatch.setattr(
        classifier, "descend", lambda network, recipe, *rest: seen.append(recipe) or descent.descend(network, recipe, *rest)
    )
    monkeypatch.setattr(finetune_adamw, "RATES", (1e-9, 3e-3))
    accuracy, cost = finetune_adamw.evaluate(features)
    assert (accuracy.evaluator, accuracy.metric, accuracy.split, cost.metric) == ("finetune_adamw", "top1", "test", "tflop")
    assert [recipe.lr for recipe in seen] == [1e-9, 3e-3, accuracy.chosen["lr"]] and accuracy.chosen["weight_decay"] == 0.05
    assert {(r.optimizer, r.weight_decay, r.warmup, r.schedule, r.exclude, r.batch_size) for r in seen} == {
        ("adamw", 0.05, 0.1, "cosine", ("bias", "norm"), 64)
    }
    assert accuracy.correct != finetune.evaluate(features)[0].correct


def test_text_is_tuned_as_it_is_stored(short, monkeypatch):
    """Without crops; and of a transformer of words the last blocks alone, what comes after them with them."""
    modality = catalogue.entry("sst2").modality
    items, labels, info = modality.examples(96)
    method = build(methods.load("random"), factory.factory("text_transformer_nano", info.image_size, kinds=info.kinds), info, 2, {})

    def make():
        return trainable(method, info, *modality.statistics(items), "float32", modality)

    monkeypatch.setattr(classifier, "cropped", None)
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    parts = [Part((items[rows],), labels[rows].numpy()) for rows in (slice(0, 48), slice(48, 72), slice(72, 96))]
    accuracy, cost = finetune.measure("finetune", make, Images("examples", info, 2, "top1", *parts, modality), lambda done: None)
    assert accuracy.n == 24 and accuracy.chosen["lr"] == 0.1 and cost.value > 0
    own = make()
    assert torch.equal(own.eval()(own.prepare(items)), method.eval().encode(items.long()))
    whole = trained_of(own)
    own.freeze_all_but(2)
    trained = trained_of(own)
    assert (
        trained == whole[len(whole) - len(trained) :] and trained[0].startswith("encoder.blocks.2") and trained[-1] == "encoder.norm.bias"
    )


def test_a_number_of_stages_may_be_none():
    assert registry.parse("finetune_last:0") == ("finetune_last", "0") and registry.target("finetune_last:0") is None
    for wrong in ("finetune_last:-1", "finetune_last:00", "finetune_last:x", "few_labels:0"):
        with pytest.raises(UserError, match="expected a number of"):
            registry.parse(wrong)
    with pytest.raises(UserError, match="needs a number of stages: write 'finetune_last:N'"):
        registry.parse("finetune_last")


# Its images.


def test_parts_are_read_by_position_over_their_splits():
    first, second = torch.arange(6, dtype=torch.uint8).reshape(3, 1, 1, 2), torch.arange(6, 14, dtype=torch.uint8).reshape(4, 1, 1, 2)
    both = Part((first,), np.array([0, 1, 2])) + Part((second,), np.array([3, 4, 5, 6]))
    assert len(both) == 7 and both.labels.tolist() == list(range(7))
    assert both[torch.tensor([6, 0, 3])].flatten().tolist() == [12, 13, 0, 1, 6, 7]


def test_images_of_another_set_and_without_test(features):
    images = features.images(test=False)
    assert images.test is None and images.num_classes == 10 and not images.info.mirror_safe
    with pytest.raises(ValueError, match="READS_TEST"):
        images.test_split()
    arrays = features.arrays()
    own = features.images()
    assert (own.fitting_split().labels == arrays.fitting_split()[1]).all() and (own.test_split().labels == arrays.test_y).all()


def test_digits_are_not_mirrored_and_photographs_are():
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    asked = [descent.cropped(images, DatasetInfo(64, 8, mirror_safe=safe), "tuning", 0) for safe in (True, False)]
    mirrored = [torch.equal(one, other.flip(-1)) and not torch.equal(one, other) for one, other in zip(*asked, strict=True)]
    assert 16 < sum(mirrored) < 48
    assert torch.equal(asked[1], descent.cropped(images, DatasetInfo(64, 8, mirror_safe=False), "tuning", 0)), "the same at every call"


def test_batches_are_epochs_in_orders_of_their_own():
    steps = descent.batches(10, 4, "tuning")
    seen = [next(steps).tolist() for _ in range(4)]
    assert all(len(batch) == 4 for batch in seen)
    assert len({*seen[0], *seen[1]}) == len({*seen[2], *seen[3]}) == 8 and seen[:2] != seen[2:]
    assert sorted(next(descent.batches(3, 64, "tuning")).tolist()) == [0, 1, 2]


# Fine-tuning.


def test_fine_tuning_is_the_loop_that_it_says(features):
    """Against torch's own SGD, cosine and cross-entropy, written out."""
    images, encoder = features.images(), features.trainable()
    network = classifier.Classifier(encoder, 10)
    theirs = copy.deepcopy(network).train()
    flops = classifier.train(network, images, images.train, descent.sgd(0.05, 1e-3, 64), 4, lambda done: None)
    trained = [parameter for parameter in theirs.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    order = descent.batches(len(images.train), 64, "tuning")
    for step in range(4):
        rows = next(order)
        optimizer.zero_grad()
        views = theirs.encoder.prepare(descent.cropped(images.train[rows], images.info, "tuning", step))
        F.cross_entropy(theirs(views), torch.from_numpy(images.train.labels)[rows]).backward()
        optimizer.step()
        schedule.step()
    for ours, other in zip(network.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)
    assert flops > 4 * 64 * 3 * 10 * 64


def test_finetune_chooses_on_val_and_reads_test_once(features, measured, short, monkeypatch):
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    monkeypatch.setattr(finetune, "RATES", (1e-6, 0.1))
    before, told = sha256(measured[0]), []
    features.check = told.append
    accuracy, spent = finetune.evaluate(features)
    assert (accuracy.evaluator, accuracy.metric, accuracy.split, accuracy.dataset) == ("finetune", "top1", "test", "digits")
    assert accuracy.value == pytest.approx(100 * unpack(accuracy.correct, accuracy.n).mean())
    assert set(accuracy.chosen) == {"lr", "weight_decay", "val_top1"} and accuracy.chosen["lr"] == 0.1
    assert (spent.metric, spent.split) == ("tflop", "train")
    assert spent.value > 0 and told == sorted(told) and told[0] == 0 and len(told) == 3 * 6 and told[-1] < 1
    assert sha256(measured[0]) == before
    again = finetune.evaluate(features)
    assert again == [accuracy, spent], "the same bits at every call"
    # Where test is labelled otherwise nothing else moves.
    images, seen = features.images(), []
    reads = Part.__getitem__
    other = Part(images.test.images, np.roll(images.test.labels, 1))
    monkeypatch.setattr(Part, "__getitem__", lambda self, index: seen.append(self is other) or reads(self, index))
    changed = finetune.measure("finetune", features.trainable, type(images)(**vars(images) | {"test": other}), lambda done: None)
    assert changed[0].chosen == accuracy.chosen and changed[0].value < accuracy.value and not any(seen)


def test_fine_tuning_learns_and_pretraining_is_what_differs_from_scratch(features, measured, short, monkeypatch):
    monkeypatch.setattr(finetune, "STEPS", 24)
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    tuned, _ = finetune.evaluate(features)
    fresh, _ = scratch.evaluate(features)
    assert fresh.evaluator == "scratch" and min(tuned.value, fresh.value) > 25 and tuned.value != fresh.value


def test_a_setting_that_diverges_is_not_chosen(features, short, monkeypatch):
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    monkeypatch.setattr(finetune, "RATES", (0.01, 1e30))
    assert finetune.evaluate(features)[0].chosen["lr"] == 0.01
    monkeypatch.setattr(finetune, "RATES", (1e30,))
    with pytest.raises(ValueError, match="finetune on digits: with every setting the loss was not finite"):
        finetune.evaluate(features)


def test_sets_of_classes_are_judged_by_scikit_learns_average_precision(features, short, monkeypatch):
    """And trained by the binary cross-entropy of what counts."""
    draws = np.random.default_rng(0)
    scores, labels = draws.normal(size=(40, 3)).astype(np.float32), draws.integers(-1, 2, size=(40, 3))
    labels[:, 2] = np.where(labels[:, 2] == 1, 0, labels[:, 2])  # a class that no image shows
    kept = [labels[:, number] >= 0 for number in (0, 1)]
    expected = [average_precision_score(labels[rows, number], scores[rows, number]) for number, rows in enumerate(kept)]
    assert classifier.judged("mAP", scores, labels) == (pytest.approx(100 * np.mean(expected)), None)
    ours = classifier.loss_of(torch.from_numpy(scores), torch.from_numpy(labels))
    each = [
        F.binary_cross_entropy_with_logits(torch.tensor(s), torch.tensor(float(y)))
        for s, y in zip(scores.flat, labels.flat, strict=True)
        if y >= 0
    ]
    torch.testing.assert_close(ours, torch.stack(each).mean())
    images = features.images()
    parts = {}
    for split in ("train", "val", "test"):
        part = getattr(images, split)
        shown = np.stack([part.labels % 2 == 0, part.labels > 4], axis=1).astype(np.int64)
        parts[split] = Part(part.images, shown)
    monkeypatch.setattr(finetune, "DECAYS", (0.0,))
    sets = dataclasses.replace(images, num_classes=2, metric="mAP", **parts)
    accuracy, _ = finetune.measure("finetune", features.trainable, sets, lambda done: None)
    assert accuracy.metric == "mAP" and accuracy.correct is None and accuracy.value > 60 and set(accuracy.chosen) >= {"val_mAP"}


def test_raw_pixels_have_nothing_to_train():
    spec = complete(RunSpec(method="pixels", dataset="digits", budget=Budget("steps", 1), image_size=8))
    source, classes = load_source(spec, DataSets().require("digits"), 1)
    method = build_method(spec, source, classes)
    subject = FrozenEncoder(method, method.encode, spec, source, DataSets())
    assert (
        finetune.evaluate(subject)
        == scratch.evaluate(subject)
        == finetune_few.evaluate(subject, "20")
        == finetune_last.evaluate(subject, "1")
        == []
    )


def test_a_data_set_may_be_left_out_or_named():
    for name in ("finetune", "scratch"):
        assert registry.parse(name) == (name, None) and registry.target(name) is None
        assert registry.parse(f"{name}:digits") == (name, "digits") and registry.target(f"{name}:digits") == "digits"
        with pytest.raises(UserError, match="needs a data set"):
            registry.parse(f"{name}:")


def test_an_evaluator_that_trains_is_told_to_stop(measured, short):
    """Between two steps; and until then it says how far it is."""
    method, spec, source = measured
    signals, told = StopSignals(), []

    def report(request, done):
        told.append((request, done))
        if len(told) == 4:
            signals.received = 15

    with pytest.raises(Interrupted):
        evaluate(method, spec, source, ("finetune",), DataSets(), 1, signals, report)
    assert len(told) == 4 and {request for request, _ in told} == {"finetune"} and told[-1][1] > 0


# On few labels.


@pytest.mark.parametrize(("count", "held"), [(2, [0]), (5, [0]), (7, [0, 5])])
def test_a_fifth_of_the_few_is_held_out_of_every_class(count, held):
    rows = np.arange(3 * count).reshape(3, count)
    to_train_on, to_choose_by = finetune_few.held_out(rows)
    assert to_choose_by.tolist() == rows[:, held].ravel().tolist()
    assert sorted([*to_train_on, *to_choose_by]) == list(range(3 * count))


def test_some_of_a_part_are_read_where_they_lie():
    images = torch.arange(8, dtype=torch.uint8).reshape(4, 1, 1, 2)
    for stored in (images, RowsInMemory(images, torch.arange(4))):
        some = Part((stored,), np.array([0, 10, 20, 30])).some(np.array([3, 1]))
        assert some.labels.tolist() == [30, 10] and some[torch.tensor([1, 0])].flatten().tolist() == [2, 3, 6, 7]


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(finetune_few, "STEPS", 2)


def test_few_labels_are_tuned_on_their_draws_and_no_other_label_is_read(features, measured, brief):
    before, told = sha256(measured[0]), []
    features.check = told.append
    mean, *of_draws, spent = results = finetune_few.evaluate(features, "6")
    assert [result.metric for result in results] == ["top1_n6", *(f"top1_n6_draw{draw}" for draw in range(1, 6)), "tflop"]
    assert {result.evaluator for result in results} == {"finetune_few"} and mean.value == pytest.approx(
        np.mean([r.value for r in of_draws])
    )
    assert all(result.value == pytest.approx(100 * unpack(result.correct, result.n).mean()) for result in of_draws) and spent.value > 0
    assert told == sorted(told) and told[0] == 0 and len(told) == 15 * 2 and told[-1] == pytest.approx(14.5 / 15)
    assert all(set(result.chosen) == {"lr", "held_out_top1"} for result in of_draws) and sha256(measured[0]) == before
    # What was not drawn may show and be called anything; and where test is labelled otherwise, what is chosen stays.
    images = features.images()
    train, test = images.train, images.test
    unused = np.setdiff1d(np.arange(len(train)), np.concatenate([drawn(train.labels, 6, draw).ravel() for draw in range(1, 6)]))
    pixels = train[torch.arange(len(train))]
    pixels[unused] = 0
    parts = {"train": Part((pixels,), train.labels), "val": Part(images.val.images, np.roll(images.val.labels, 1))}
    parts["test"] = Part(test.images, np.roll(test.labels, 1))
    others = finetune_few.measure(features.trainable, dataclasses.replace(images, **parts), "6", told.append)
    assert [result.chosen for result in others] == [result.chosen for result in results]
    renamed = test.labels != np.roll(test.labels, 1)
    for one, other in zip(of_draws, others[1:6], strict=True):
        right, right_of_others = unpack(one.correct, one.n), unpack(other.correct, other.n)
        assert (right == right_of_others)[~renamed].all() and not (right & right_of_others)[renamed].any()


def test_the_rate_that_tells_more_of_the_held_out_is_trained_on_all_of_the_draw(features, monkeypatch):
    """By a loop: each rate on what is not held out, and the better one again on all of them."""
    monkeypatch.setattr(finetune_few, "STEPS", 12)
    monkeypatch.setattr(finetune_few, "over_draws", lambda *given: [given[-1](1)])
    (chosen, correct), _ = finetune_few.evaluate(features, "10")
    images = features.images()
    rows = drawn(images.train.labels, 10, 1)
    right, networks = {}, {}
    for rate in finetune_few.RATES:
        for which, places in (("chosen by", np.array([1, 2, 3, 4, 6, 7, 8, 9])), ("tested", np.arange(10))):
            network = classifier.Classifier(features.trainable(), 10)
            part = images.train.some(rows[:, places].ravel())
            classifier.train(network, images, part, descent.sgd(rate, 0.0, 32), 12, lambda done: None)
            networks[rate, which] = network
        held = images.train.some(rows[:, [0, 5]].ravel())
        right[rate] = int((networks[rate, "chosen by"].scores(held).argmax(axis=1) == held.labels).sum())
    best = max(finetune_few.RATES, key=lambda rate: (right[rate], -rate))
    assert chosen == {"lr": best, "held_out_top1": pytest.approx(100 * right[best] / 20)}
    other, found = (networks[best, which].scores(images.test).argmax(axis=1) for which in ("chosen by", "tested"))
    assert (correct == (found == images.test.labels)).all() and (other != found).any()


def test_few_labels_of_which_no_rate_can_be_trained(features, brief, monkeypatch):
    monkeypatch.setattr(finetune_few, "RATES", (1e30,))
    with pytest.raises(ValueError, match="finetune_few:4 on digits, draw 1: with every learning rate the loss was not finite"):
        finetune_few.evaluate(features, "4")
    assert registry.labels_a_class("finetune_few:20") == 20 and registry.percent_of_labels("finetune_few:10%") == 10


# The probe that papers print.


def test_the_printed_probe_is_torchs_sgd_with_the_cosine():
    """Its layers are trained all at once, by a gradient that is written out; here each by torch, two epochs of four."""
    draws = torch.Generator().manual_seed(1)
    x, y = torch.randn(3 * 256 + 5, 7, generator=draws), torch.randint(0, 4, (3 * 256 + 5,), generator=draws)
    probes = linear_sgd.Probes(7, 4, "test")
    began = [weight.clone() for weight in probes.weights]
    for epoch in range(2):
        probes.train(x, y, epoch, epoch / 4)
    for number, rate in enumerate(linear_sgd.RATES):
        weight, bias = (value[number].T.clone().requires_grad_() for value in began)
        optimizer = torch.optim.SGD([weight, bias], lr=rate, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        for epoch in range(2):
            order = descent.batches(len(x), 256, "test", epoch)
            for _ in range(3):
                rows = next(order)
                optimizer.zero_grad()
                F.cross_entropy(x[rows] @ weight + bias, y[rows]).backward()
                optimizer.step()
            schedule.step()
        torch.testing.assert_close(probes.weights[0][number].T, weight.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(probes.weights[1][number].T, bias.detach(), rtol=1e-4, atol=1e-5)


def test_the_printed_probe_takes_the_last_epoch_of_the_rate_that_val_says(features, monkeypatch):
    told, drawn, crops = [], [], linear_sgd.crops_of
    monkeypatch.setattr(linear_sgd, "crops_of", lambda *given: drawn.append(given[2:]) or crops(*given))
    monkeypatch.setattr(features, "check", told.append)
    [result] = linear_sgd.evaluate(features, "12")
    assert (result.metric, result.split, set(result.chosen)) == (
        "top1_epochs12",
        "test",
        {"lr", "val_top1"},
    )
    assert result.value == pytest.approx(100 * unpack(result.correct, result.n).mean()) and result.value > 50
    assert told == [epoch / 12 for epoch in range(12)]
    assert drawn == [(split, draw) for draw in range(5) for split in ("train", "val")]
    assert linear_sgd.evaluate(features, "12") == [result], "the same bits at every call"
    images, arrays = features.images(), features.arrays()

    class OtherTest:
        changed, check, dataset = features.changed, features.check, "digits"

        def arrays(self, dataset=None):
            return dataclasses.replace(arrays, test_y=np.roll(arrays.test_y, 1))

    assert linear_sgd.measure(OtherTest(), images, 12)[0].chosen == result.chosen


def test_crops_of_the_probe_differ_and_lie_in_order(features):
    images, plain = features.images(), features.arrays().val_x
    before = features.extraction.seconds
    first, second = (linear_sgd.crops_of(features, images, "val", draw) for draw in (0, 1))
    assert features.extraction.seconds == before, "passes over crops are time of the probe, not of extraction that all share"
    assert first.shape == plain.shape and not np.array_equal(first, second)
    own = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(first, plain, strict=True)])
    others = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(first, np.roll(plain, 50, axis=0), strict=True)])
    assert own.mean() > others.mean()


def test_how_many_epochs_the_probe_has():
    assert registry.parse("linear_sgd") == ("linear_sgd", None) and registry.parse("linear_sgd:90") == ("linear_sgd", "90")
    assert registry.target("linear_sgd:90") is registry.labels_a_class("linear_sgd:90") is None
    for wrong in ("0", "090", "ninety", "-1"):
        with pytest.raises(UserError, match="expected a number of epochs, 1 or more"):
            registry.parse(f"linear_sgd:{wrong}")
