"""Detection of bright squares in made-up images: that it is learned, by which weights, and its measure beside torchmetrics'."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from test_segmentation import Subject
from test_tuning import copied, make
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import MultiScaleRoIAlign

from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.evaluation.evaluators import detection
from bench.evaluation.tuning import detector
from bench.evaluation.tuning.average_precision import average_precision
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.images import AnnotatedSplits
from bench.plan.names import check_names
from bench.run.weights import sha256
from bench.spec import Budget, RunSpec


def squares(count, seed):
    """Noise with one square of 20 pixels, bright (class 0) or dark (class 1), and a difficult box that shows nothing; 48 by 64 pixels."""
    items = []
    for number in range(count):
        draws = torch.Generator().manual_seed(1000 * seed + number)
        image = torch.randint(100, 150, (3, 48, 64), dtype=torch.uint8, generator=draws)
        top, left = torch.randint(0, 28, (2,), generator=draws).tolist()
        image[:, top : top + 20, left : left + 20] = 250 if number % 2 == 0 else 5
        boxes = torch.tensor([[left, top, left + 20, top + 20], [50, 30, 60, 40]], dtype=torch.float32)
        difficult = torch.tensor([False, True])
        items.append((image, {"boxes": boxes, "labels": torch.tensor([number % 2, 0]), "difficult": difficult}))
    return items


@pytest.fixture
def splits():
    return AnnotatedSplits("squares", ("bright", "dark"), True, squares(12, 1), squares(4, 2), squares(6, 3))


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A detector that is made and trained in a moment."""
    monkeypatch.setattr(detector, "WIDTH", 16)
    monkeypatch.setattr(detector, "HIDDEN", 32)
    monkeypatch.setattr(detection, "STEPS", 2)
    monkeypatch.setattr(detection, "RATES", (0.02,))
    monkeypatch.setattr(detection, "BATCH", 2)


def test_squares_are_found(splits):
    network = detector.make(Backbone(copied(make("random")), False), 2, 48)
    flops = detector.train(network, splits.train, True, detection.sgd(0.05, 0.0, 2), 60, lambda done: None)
    assert flops > 0 and average_precision(detector.detected(network, splits.test), 2)["AP50"] > 50


def test_both_kinds_are_measured_and_the_frozen_encoder_is_as_it_was(splits):
    subject = Subject()
    before = sha256(subject.method)
    results = detection.measure(subject, splits, 48)
    assert [result.metric for result in results] == [
        *(f"{kind}_{name}" for kind in ("frozen", "finetuned") for name in ("AP", "AP50", "AP75")),
        "tflop",
    ]
    assert results[-1].value > 0 and results[0].n == 6
    assert sha256(subject.method) == before and len(subject.told) == 2 * 4 and subject.told == sorted(subject.told)


class Read(Sequence):
    """Items that say when one of them is asked for."""

    def __init__(self, items, events):
        self.items, self.events = items, events

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.events.append(f"test {index}")
        return self.items[index]


def test_the_rate_is_chosen_on_val_and_test_is_read_once(splits, monkeypatch):
    monkeypatch.setattr(detection, "RATES", (0.02, 1e-9))
    by_rate = {0.02: 30.0, 1e-9: 60.0}  # what the measure says, whatever was found
    events, rates, train, judge = [], [], detection.train, detection.average_precision

    def trained(network, items, mirror, recipe, *rest):
        rates.append(recipe.lr)
        events.append(f"{recipe.lr} on {len(items)}")
        return train(network, items, mirror, recipe, *rest)

    monkeypatch.setattr(detection, "train", trained)
    monkeypatch.setattr(detection, "average_precision", lambda found, classes: judge(found, classes) | {"AP50": by_rate[rates[-1]]})
    results = detection.measure(Subject(), dataclasses.replace(splits, test=Read(splits.test, events)), 48)
    # Each on train, the best on val again on train + val, and then each image of test.
    assert events == ["0.02 on 12", "1e-09 on 12", "1e-09 on 16", *(f"test {index}" for index in range(6))] * 2
    assert all(result.chosen == {"lr": 1e-9, "val_AP50": 60.0} for result in results[:-1])


def test_no_rate_is_left_where_no_loss_is_finite(splits, monkeypatch):
    monkeypatch.setattr(detection, "STEPS", 3)
    monkeypatch.setattr(detection, "RATES", (1e38,))
    with pytest.raises(ValueError, match="detection on squares, frozen: no learning rate has a finite loss"):
        detection.measure(Subject(), splits, 48)


@pytest.mark.parametrize("frozen", [True, False])
def test_which_weights_are_trained(splits, frozen):
    encoder = copied(make("random"))
    before = sha256(encoder)
    network = detector.make(Backbone(encoder, frozen), 2, 48)
    again = detector.make(Backbone(copied(make("random")), frozen), 2, 48)
    for each in (network, again):
        detector.train(each, splits.train, True, detection.sgd(0.02, 0.0, 4), 2, lambda done: None)
    assert (sha256(encoder) == before) == frozen, "its BatchNorm's statistics among them"
    assert sha256(network) == sha256(again), "the same bits at every call"


def test_a_vit_detects_on_its_patch_grid(splits):
    encoder = copied(make("mae", "vit_nano"))
    network = detector.make(Backbone(encoder, False), 2, 48)
    assert detector.train(network, splits.train, True, detection.sgd(0.02, 0.0, 4), 2, lambda done: None) > 0
    found = list(detector.detected(network, splits.test))
    assert len(found) == 6 and all(seen["boxes"].shape == (len(seen["scores"]), 4) for _, seen in found)
    assert all(seen["labels"].min(initial=0) >= 0 for seen in ({"labels": seen["labels"].numpy()} for _, seen in found))


def test_regions_are_looked_up_by_the_pixels_between_positions():
    ramp = torch.arange(13.0).expand(1, 1, 10, 13)
    box = torch.tensor([[28.0, 28.0, 84.0, 70.0]])
    found = detector.regions_of([14])({"0": ramp}, [box], [(140, 182)])
    assert found.mean().item() == pytest.approx(56 / 14), "positions of a patch of 14 pixels lie 14 apart, not 16"
    ours, theirs = detector.regions_of([4, 8]), MultiScaleRoIAlign(["0", "1"], 7, 2)
    maps = {"0": torch.randn(1, 8, 32, 32), "1": torch.randn(1, 8, 16, 16)}
    boxes = [torch.tensor([[0.0, 0.0, 120.0, 120.0], [8.0, 8.0, 24.0, 30.0]])]
    assert torch.equal(ours(maps, boxes, [(128, 128)]), theirs(maps, boxes, [(128, 128)])), "torchvision's own, where it finds them"


@pytest.mark.parametrize(
    ("name", "encoder", "numbers", "strides"),
    [("random", "resnet8", [2], [4]), ("random", "resnet18", [2, 3], [4, 8]), ("mae", "vit_nano", [3], [4])],
)
def test_which_stages_a_detector_stands_on(name, encoder, numbers, strides):
    pyramid = detector.Pyramid(Backbone(copied(make(name, encoder)), True), 64)
    assert (pyramid.numbers, pyramid.strides) == (numbers, strides)


def test_an_image_is_mirrored_with_its_boxes():
    image, target = squares(1, 0)[0]
    kept = detector.counted(target, 64, True, torch.device("cpu"))
    left, top, right, bottom = kept["boxes"][0].int().tolist()
    assert len(kept["boxes"]) == 1 and kept["labels"].tolist() == [1], "the difficult one is not trained on"
    assert (image.flip(-1)[:, top:bottom, left:right] == 250).all()


def test_average_precision_by_hand():
    """Two objects of one class. Of boxes that count the surest is right with an overlap of 0.64, which three of ten thresholds allow; the
    next is wrong; the last is right. A difficult object is missed, and one is found, at no cost. No image shows class 1."""
    first = {"boxes": [[0, 0, 100, 100], [200, 0, 260, 60]], "labels": [0, 0], "difficult": [False, True]}
    second = {"boxes": [[0, 0, 50, 50], [100, 100, 200, 200]], "labels": [0, 0], "difficult": [False, True]}
    seen = (
        {"boxes": [[0, 0, 64, 100], [200, 0, 260, 60], [150, 110, 190, 150]], "labels": [0, 0, 0], "scores": [0.9, 0.95, 0.8]},
        {"boxes": [[0, 0, 50, 50]], "labels": [0], "scores": [0.5]},
    )
    found = [
        tuple({key: torch.tensor(value) for key, value in facts.items()} for facts in pair)
        for pair in zip((first, second), seen, strict=True)
    ]
    # Precision at recalls 0, 0.01, ..., 1: 51 of them reached by the first alone, at a precision of 1; the other 50 at 2 / 3. Where the
    # first is wrong too, 51 at 1 / 3, and no more.
    loose, strict = (51 + 50 * 2 / 3) / 101, 51 / 3 / 101
    expected = {"AP": 100 * (3 * loose + 7 * strict) / 10, "AP50": 100 * loose, "AP75": 100 * strict}
    assert average_precision(found, 2) == pytest.approx(expected)


def test_average_precision_is_torchmetrics():
    draws = torch.Generator().manual_seed(0)
    # Its own thresholds are COCO's rounded to float32, by which a recall of 3 / 5 falls short of 0.6.
    overlaps, recalls = np.linspace(0.5, 0.95, 10).tolist(), np.linspace(0, 1, 101).tolist()
    found, theirs = [], MeanAveragePrecision(iou_thresholds=overlaps, rec_thresholds=recalls)
    for _ in range(12):
        corner = 40 * torch.rand(4, 2, generator=draws)
        boxes = torch.cat([corner, corner + 10 + 20 * torch.rand(4, 2, generator=draws)], dim=1)
        labels, difficult = torch.randint(0, 3, (4,), generator=draws), torch.tensor([False, False, False, True])
        near = boxes + 4 * torch.rand(4, 4, generator=draws)
        seen = {"boxes": near, "labels": labels.clone(), "scores": torch.rand(4, generator=draws)}
        seen["labels"][0] = 2
        found.append(({"boxes": boxes, "labels": labels, "difficult": difficult}, seen))
        theirs.update([seen], [{"boxes": boxes, "labels": labels, "iscrowd": difficult.int()}])
    expected = theirs.compute()
    ours = average_precision(found, 3)
    for name, key in (("AP", "map"), ("AP50", "map_50"), ("AP75", "map_75")):
        assert ours[name] == pytest.approx(100 * float(expected[key]), abs=1e-4) and ours[name] > 1


def test_nothing_found_is_zero():
    target = squares(1, 0)[0][1]
    nothing = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64), "scores": torch.empty(0)}
    assert average_precision([(target, nothing)], 2) == {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
    with pytest.raises(ValueError, match="no image shows an object that counts"):
        average_precision([(target | {"difficult": torch.tensor([True, True])}, nothing)], 2)


def test_a_set_without_boxes_is_refused():
    spec = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1))
    with pytest.raises(UserError, match=r"digits has no boxes, which the evaluator 'detection' needs, .*; expected one of voc2012"):
        check_names(spec, ("detection:digits",), DataSets())
