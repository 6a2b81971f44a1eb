"""Segmentation on squares of made-up images: that it is learned, by which weights, and its measure beside torchmetrics'."""

import dataclasses

import pytest
import torch
from test_tuning import copied, make
from torchmetrics.classification import MulticlassJaccardIndex

from bench.data.annotations import IGNORED
from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.evaluation.evaluators import segmentation
from bench.evaluation.tuning import segmenter
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.images import AnnotatedSplits, Together
from bench.plan.names import check_names
from bench.run.weights import sha256
from bench.spec import Budget, RunSpec


def squares(count, seed):
    """Grey noise with a bright square, whose mask is class 1 but for an edge that does not count; 32 pixels."""
    items = []
    for number in range(count):
        draws = torch.Generator().manual_seed(1000 * seed + number)
        image = torch.randint(0, 100, (3, 32, 32), dtype=torch.uint8, generator=draws)
        mask = torch.zeros(32, 32, dtype=torch.uint8)
        top, left = torch.randint(2, 16, (2,), generator=draws).tolist()
        image[:, top : top + 12, left : left + 12] += 150
        mask[top - 1 : top + 13, left - 1 : left + 13] = IGNORED
        mask[top : top + 12, left : left + 12] = 1
        items.append((image, mask))
    return items


@pytest.fixture
def splits():
    return AnnotatedSplits("squares", ("background", "square"), True, squares(16, 1), squares(8, 2), squares(8, 3))


class Subject:
    """What the harness offers, of an untrained resnet8."""

    def __init__(self):
        self.method, self.told = make("random"), []
        self.check = self.told.append

    def trainable(self):
        return copied(self.method)


def test_squares_are_found_and_the_frozen_encoder_is_as_it_was(splits, monkeypatch):
    monkeypatch.setattr(segmentation, "STEPS", 30)
    monkeypatch.setattr(segmentation, "RATES", {"frozen": (1.0,), "finetuned": (0.1,)})
    subject = Subject()
    before = sha256(subject.method)
    found = segmentation.measure(subject, splits, 32)
    assert [result.metric for result in found] == ["background_mIoU", "frozen_mIoU", "finetuned_mIoU", "tflop"]
    background, frozen, finetuned, spent = found
    pixels = torch.cat([mask[mask != IGNORED] for _, mask in splits.test])
    assert background.value == pytest.approx(100 * float((pixels == 0).float().mean()) / 2)
    assert min(frozen.value, finetuned.value) > 60 and spent.value > 0 and frozen.n == 8
    assert sha256(subject.method) == before and len(subject.told) == 30 * 4 and subject.told == sorted(subject.told)


def test_the_rate_is_chosen_on_val(splits, monkeypatch):
    monkeypatch.setattr(segmentation, "STEPS", 6)
    monkeypatch.setattr(segmentation, "RATES", {"frozen": (1e-7, 1.0)})
    results = segmentation.measure(Subject(), splits, 32)
    assert results[1].chosen["lr"] == 1.0 and results == segmentation.measure(Subject(), splits, 32), "the same bits at every call"
    other = dataclasses.replace(splits, test=[(image, 1 - mask.clamp(max=1)) for image, mask in splits.test])
    changed = segmentation.measure(Subject(), other, 32)
    assert changed[1].chosen == results[1].chosen and changed[1].value < results[1].value
    monkeypatch.setattr(segmentation, "RATES", {"frozen": (1e38,)})
    with pytest.raises(ValueError, match="segmentation on squares, frozen: no learning rate has a finite loss"):
        segmentation.measure(Subject(), splits, 32)


@pytest.mark.parametrize("frozen", [True, False])
def test_which_weights_are_trained(splits, frozen):
    encoder = copied(make("random"))
    before = sha256(encoder)
    network = segmenter.Segmenter(Backbone(encoder, frozen), 64, 2)
    head = network.head.state_dict() and {name: value.clone() for name, value in network.head.state_dict().items()}
    segmenter.train(network, splits.train, True, segmentation.sgd(0.1, 0.0, 8), 2, torch.ones(2), lambda done: None)
    assert (sha256(encoder) == before) == frozen, "its BatchNorm's statistics among them"
    assert any(not torch.equal(value, head[name]) for name, value in network.head.state_dict().items())


def test_mean_iou_is_torchmetrics():
    draws = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 5, (3, 9, 9), generator=draws)
    masks[torch.rand(masks.shape, generator=draws) < 0.2] = IGNORED
    predicted = torch.randint(0, 6, (3, 9, 9), generator=draws)  # 5 is nowhere; 6 of 7 classes are there or said to be
    theirs = MulticlassJaccardIndex(7, average="macro", ignore_index=IGNORED)(predicted, masks)
    assert segmenter.mean_iou(segmenter.confused(predicted, masks, 7)) == pytest.approx(100 * float(theirs), abs=1e-4)


def test_val_does_not_punish_a_class_that_it_does_not_show():
    masks, predicted = torch.tensor([[[0, 0, 1, 1]]]), torch.tensor([[[0, 2, 1, 1]]])
    counts = segmenter.confused(predicted, masks, 4)
    assert segmenter.mean_iou(counts) == pytest.approx(50) and segmenter.mean_iou(counts, there=True) == pytest.approx(75)


def test_a_class_counts_by_one_over_the_root_of_its_share():
    masks = [torch.tensor([[0] * 15 + [1]]), torch.tensor([[0] * 15 + [IGNORED]])]
    weights = segmenter.class_weights([(None, mask.to(torch.uint8)) for mask in masks], 3)
    share = torch.tensor([30 / 31, 1 / 31])
    assert torch.allclose(weights[1] / weights[0], (share[0] / share[1]).sqrt()) and weights[2] == weights.max()
    assert float(weights[:2] @ share) == pytest.approx(1, abs=0.02)


def test_what_a_class_counts_is_heard_in_training(splits):
    """With nothing to be seen, a linear layer says what is there most; by weight it may say the rarer class."""
    blank = [(torch.zeros_like(image), mask) for image, mask in splits.train]
    said = []
    for weights in (torch.tensor([1.0, 1.0]), torch.tensor([0.1, 10.0])):
        network = segmenter.Segmenter(Backbone(copied(make("random")), True), 64, 2)
        segmenter.train(network, blank, True, segmentation.sgd(0.1, 0.0, 8), 20, weights, lambda done: None)
        said.append(segmenter.confusion(network, blank[:4], 2).sum(0).argmax().item())
    assert said == [0, 1]


def test_the_frozen_heads_rate_means_the_same_at_any_scale_of_features(splits, monkeypatch):
    ask, learned = Backbone.forward, []
    for scale in (1.0, 100.0):
        monkeypatch.setattr(Backbone, "forward", lambda own, images, scale=scale: [scale * each for each in ask(own, images)])
        network = segmenter.Segmenter(Backbone(copied(make("random")), True), 64, 2)
        segmenter.train(network, splits.train, True, segmentation.sgd(0.1, 0.0, 8), 3, torch.ones(2), lambda done: None)
        learned.append(network.head[1].weight)
    assert torch.allclose(*learned, atol=0.02)


def test_a_batch_without_a_pixel_that_counts_changes_nothing_to_nan():
    items = [(torch.zeros(3, 32, 32, dtype=torch.uint8), torch.full((32, 32), IGNORED, dtype=torch.uint8))] * 4
    network = segmenter.Segmenter(Backbone(copied(make("random")), True), 64, 2)
    assert segmenter.train(network, items, True, segmentation.sgd(0.1, 0.0, 4), 2, torch.ones(2), lambda done: None) is not None


def test_images_and_masks_are_mirrored_together(monkeypatch):
    """With a loss that is looked at in place of the network: where an image is bright its mask is 1."""
    network, seen = segmenter.Segmenter(Backbone(copied(make("random")), True), 64, 2), []
    ask = type(network.backbone.encoder).prepare
    monkeypatch.setattr(type(network.backbone.encoder), "prepare", lambda own, images: seen.append(images.clone()) or ask(own, images))
    items = squares(8, 1)
    segmenter.train(network, items, True, segmentation.sgd(0.1, 0.0, 8), 1, torch.ones(2), lambda done: None)
    whole = {image.numpy().tobytes() for image, _ in items} | {image.flip(-1).contiguous().numpy().tobytes() for image, _ in items}
    mirrored = [image.numpy().tobytes() not in {own.numpy().tobytes() for own, _ in items} for image in seen[0]]
    assert all(image.numpy().tobytes() in whole for image in seen[0]) and 0 < sum(mirrored) < 8


def test_several_splits_are_one_after_the_other():
    both = Together("ab", "cde")
    assert len(both) == 5 and "".join(both) == "abcde"


def test_sizes_are_whole_numbers_of_patches():
    assert [segmentation.side(48, patch) for patch in (1, 7, 14, 16)] == [48, 49, 56, 48]


def test_a_set_without_masks_is_refused():
    spec = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1))
    with pytest.raises(UserError, match=r"digits has no masks, which the evaluator 'segmentation' needs, .*; expected one of voc2012"):
        check_names(spec, ("segmentation:digits",), DataSets())
