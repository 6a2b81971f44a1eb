"""Sets of classes, boxes and masks: PASCAL VOC's layout read whole from a tiny copy, image and target resized alike, and what is refused.

Images are 40 x 30: a white rectangle on black, whose box is 11 6 30 20 in VOC's counting, and whose mask has its class.
"""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.datasets import VOCDetection, VOCSegmentation

from bench.data import catalogue, check
from bench.data.annotated import load_annotated, load_class_sets
from bench.data.annotations import IGNORED, Boxes
from bench.data.load import load_split
from bench.data.readers import voc
from bench.data.readers.voc_xml import CLASSES, boxes
from bench.errors import UserError
from bench.evaluation.read_ahead import read_images
from bench.plan.names import check_names
from bench.spec import Budget, RunSpec

BOX = (11, 6, 30, 20)
DOG, CAT, PERSON = (CLASSES.index(name) for name in ("dog", "cat", "person"))
TRAIN, VAL = [f"2008_{index:06}" for index in range(20)], [f"2009_{index:06}" for index in range(6)]
MASKS_ALONE = "2007_000001"
"""Of the official train, as VOC 2007's images: it has a mask, and stands in no list of those with boxes."""


def annotation(objects, size=(40, 30), head="") -> str:
    """XML of (class, box, difficult)."""
    things = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox>"
        + "".join(f"<{edge}>{value}</{edge}>" for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        + "</bndbox><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
        for name, box, hard in objects
    )
    return f"{head}<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{things}</annotation>"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root that holds a tiny voc2012, whose row says so."""
    folder = tmp_path / voc.FOLDER
    for name in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    for number, name in enumerate([*TRAIN, *VAL, MASKS_ALONE]):
        pixels = np.zeros((30, 40, 3), np.uint8)
        pixels[5:20, 10:30] = 255
        Image.fromarray(pixels).save(folder / f"JPEGImages/{name}.jpg", quality=100)
        label = "cat" if number % 2 else "dog"
        extra = [("person", (1, 1, 40, 30), 1)] if number % 3 == 0 else []
        (folder / f"Annotations/{name}.xml").write_text(annotation([(label, BOX, 0), *extra]))
        numbers = np.where(pixels[..., 0] > 0, CLASSES.index(label) + 1, 0).astype(np.uint8)
        numbers[4, 10:30] = IGNORED
        mask = Image.fromarray(numbers)
        mask.putpalette(list(range(256)) * 3)
        mask.save(folder / f"SegmentationClass/{name}.png")
    lists = {"Main": (TRAIN, VAL), "Segmentation": ([MASKS_ALONE, *TRAIN[:9]], VAL[:4])}
    for kind, parts in lists.items():
        for part, names in zip(("train", "val"), parts, strict=True):
            (folder / f"ImageSets/{kind}/{part}.txt").write_text("".join(f"{name}\n" for name in names))
    official = MappingProxyType({"train": (20, 10), "val": (6, 4)})
    module = catalogue.SETS.load("voc2012")
    monkeypatch.setattr(module, "SET", replace(module.SET, official=official))
    return tmp_path


@pytest.fixture
def data(root):
    return catalogue.require("voc2012", root)


def xml(root: Path, name: str) -> Path:
    return root / voc.FOLDER / "Annotations" / f"{name}.xml"


def test_the_set_is_read_by_every_door(root, data):
    splits = {split: load_split("voc2012", split, root=root) for split in ("train", "val", "train+val", "test")}
    assert {split: len(found.labels) for split, found in splits.items()} == {"train": 17, "val": 3, "train+val": 20, "test": 6}
    for found in splits.values():
        assert found.classes == CLASSES and (found.labels == -1).all() and found.images.shape[1:] == (3, 96, 96)
    lines = list(check.check("voc2012", root))
    assert all(line.startswith("ok") for line in lines) and "not one class each" in lines[0]
    assert [line.split()[1:3] for line in lines if line.endswith("images with masks")] == [["train", "9"], ["val", "1"], ["test", "4"]]
    assert catalogue.entry("voc2012").sizes == {"train": None, "val": None, "train+val": 20, "test": 6}


def test_boxes_and_masks_are_torchvision_s_of_the_same_images(root, data):
    for kind, loader in (("boxes", VOCDetection), ("masks", VOCSegmentation)):
        for split, official in (("train+val", "train"), ("test", "val")):
            theirs, ours = loader(str(root), "2012", official), load_annotated(data, kind, split)
            assert sorted(ours.files) == sorted(theirs.images)
            for number, file in enumerate(ours.files):
                image, target = ours[number]
                their_image, their_target = theirs[theirs.images.index(file)]
                assert isinstance(image, tv_tensors.Image) and np.array_equal(image.permute(1, 2, 0), np.asarray(their_image))
                if kind == "masks":
                    assert isinstance(target, tv_tensors.Mask) and np.array_equal(target, np.asarray(their_target))
                else:
                    objects = their_target["annotation"]["object"]
                    expected = [[int(thing["bndbox"][edge]) for edge in ("xmin", "ymin", "xmax", "ymax")] for thing in objects]
                    assert (target["boxes"] + torch.tensor([1, 1, 0, 0])).tolist() == expected and target["boxes"].dtype == torch.float32
                    assert [CLASSES[label] for label in target["labels"]] == [thing["name"] for thing in objects]
                    assert [int(hard) for hard in target["difficult"]] == [int(thing["difficult"]) for thing in objects]


def test_no_image_is_in_two_splits_of_any_kind(data):
    of = {split: set() for split in ("train", "val", "test")}
    for split, files in of.items():
        for kind in ("boxes", "masks"):
            files |= set(load_annotated(data, kind, split).files)
    assert not (of["train"] & of["val"] or of["train"] & of["test"] or of["val"] & of["test"])
    assert len(set.union(*of.values())) == 27
    # A tenth, at least one, of the images whose rarest class is the cat, the dog or the person.
    assert len(of["val"]) == 3


def test_a_set_of_classes_ignores_what_is_difficult_alone(root, data):
    first = xml(root, VAL[0])
    first.write_text(annotation([("person", BOX, 1), ("person", BOX, 0), ("dog", BOX, 1)]))
    present, ignored = load_class_sets(data, "test")
    assert present.shape == ignored.shape == (6, 20) and present.dtype == ignored.dtype == bool
    assert np.flatnonzero(present[0]).tolist() == [PERSON] and np.flatnonzero(ignored[0]).tolist() == [DOG]
    assert np.flatnonzero(present[1]).tolist() == [CAT] and np.flatnonzero(ignored[1]).tolist() == [PERSON]
    assert not (present & ignored).any()


@pytest.mark.parametrize("size", [15, 61, (45, 20), (30, 40)])
def test_image_and_target_are_resized_alike(data, size):
    """What is white lies in the box, and is what the mask names, at any size; the corners apart."""
    expected = size if isinstance(size, tuple) else (size, size * 4 // 3)
    image, target = load_annotated(data, "boxes", "test", size)[0]
    assert image.shape[1:] == expected == target["boxes"].canvas_size
    bright = torch.nonzero(image[0] >= 128)
    shown = [*bright.min(0).values.flip(0).tolist(), *(bright.max(0).values.flip(0) + 1).tolist()]
    assert (target["boxes"][0] - torch.tensor(shown)).abs().max() <= 0.6
    image, mask = load_annotated(data, "masks", "test", size)[0]
    assert mask.shape == image.shape[1:] == expected and mask.dtype == torch.uint8 and set(mask.unique().tolist()) <= {0, DOG + 1, IGNORED}
    counted = mask != IGNORED
    wrong = ((image[0] >= 128) != (mask == DOG + 1)) & counted
    assert wrong.sum() <= 4, "corners of the rectangle; half a pixel off is 8 or more at these sizes"


def test_a_target_keeps_its_own_size_where_it_is_asked_for_alone(data):
    found = load_annotated(data, "masks", "test", 16)
    assert found[0][1].shape[0] == 16 and found.target(0).shape == (30, 40)
    assert load_annotated(data, "boxes", "test", 16).target(0)["boxes"][0].tolist() == [10, 5, 30, 20]


def test_an_image_may_have_no_object(root, data):
    xml(root, VAL[1]).write_text(annotation([]))
    _, target = load_annotated(data, "boxes", "test", 20)[1]
    assert target["boxes"].shape == (0, 4) and len(target["labels"]) == len(target["difficult"]) == 0
    assert not load_class_sets(data, "test")[0][1].any()


REFUSED = {
    "an empty box": (annotation([("dog", (11, 6, 10, 20), 0)]), r"the box of a dog, 11 6 10 20, is empty"),
    "a box outside": (annotation([("dog", (11, 6, 42, 20), 0)]), r"11 6 42 20, lies outside its image; expected 1 to 40 across"),
    "a box from 0": (annotation([("dog", (0, 6, 30, 20), 0)]), r"0 6 30 20, lies outside its image"),
    "a box at the edge": (annotation([("dog", (41, 6, 41, 20), 0)]), r"41 6 41 20, lies outside its image"),
    "an unknown class": (annotation([("dogg", BOX, 0)]), r"unknown class 'dogg'\. Did you mean 'dog'"),
    "no number": (annotation([("dog", (11, 6, "x", 20), 0)]), r"is no annotation of VOC: object/bndbox/xmax is 'x', expected a number"),
    "not a number": (annotation([("dog", (11, 6, "nan", 20), 0)]), r"is no annotation of VOC: object/bndbox/xmax is 'nan'"),
    "another image's": (annotation([("dog", BOX, 0)], (80, 60)), r"has boxes of an image of 80 x 60 pixels, and is 40 x 30 itself"),
    "no size": ("<annotation></annotation>", r"is no annotation of VOC: annotation/size/height is '', expected a number"),
    "another root": ("<svg/>", r"is no annotation of VOC: its root is 'svg'"),
    "no XML": ("dog 1 2 3 4", r"is no annotation of VOC: syntax error"),
    "half a file": (annotation([("dog", BOX, 0)])[:-9], r"is no annotation of VOC: "),
    "entities": (
        annotation([("&b;", BOX, 0)], head='<!DOCTYPE a [<!ENTITY a "dog"><!ENTITY b "&a;&a;">]>'),
        r"is refused: it declares a document type",
    ),
    "a file's text": (
        annotation([("&b;", BOX, 0)], head='<!DOCTYPE a [<!ENTITY b SYSTEM "a.txt">]>'),
        r"declares a document type",
    ),
    "a file that is gone": (None, r"is no annotation of VOC: .*No such file"),
}


@pytest.mark.parametrize("text, said", REFUSED.values(), ids=REFUSED)
def test_what_is_no_annotation_is_refused_by_name(text, said, root, data):
    path = xml(root, VAL[2])
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        load_annotated(data, "boxes", "test")
    assert VAL[2] in str(refused.value) and "\n" not in str(refused.value)


def test_a_run_that_is_to_detect_is_refused_before_it_is_trained(root):
    """By what reads all images for the evaluators that were asked for."""
    xml(root, VAL[2]).write_text(REFUSED["a box outside"][0])
    spec = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1))
    with pytest.raises(UserError, match=f"{VAL[2]}.*{REFUSED['a box outside'][1]}"):
        read_images(spec, ("detection:voc2012",), catalogue.DataSets(root), 1)


def test_sets_of_classes_are_fine_tuned_on_and_read_before_anything_is_trained(root):
    """Where there is one class of each image for most others."""
    spec, data = RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), image_size=8), catalogue.DataSets(root)
    for name in ("finetune", "scratch"):
        check_names(spec, (f"{name}:voc2012",), data)
    said = "voc2012 has not one class of each image, which the evaluator '{}' needs, but sets of classes, boxes, masks"
    named = "detection, finetune, finetune_adamw, multilabel, ood, scratch, segmentation"
    with pytest.raises(UserError, match=said.format("transfer") + f"; expected one of {named}$"):
        check_names(spec, ("transfer:voc2012",), data)
    with pytest.raises(UserError, match=said.format("linear_sgd")):
        check_names(replace(spec, dataset="voc2012"), ("linear_sgd:5",), data)
    xml(root, VAL[2]).write_text(REFUSED["a box outside"][0])
    with pytest.raises(UserError, match=f"{VAL[2]}.*{REFUSED['a box outside'][1]}"):
        read_images(spec, ("finetune:voc2012",), data, 1)


def test_entities_are_refused_before_they_are_expanded(tmp_path):
    """Which expat would do: a billion laughs."""
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    path = tmp_path / "laughs.xml"
    for encoding in ("utf-8", "utf-16"):
        path.write_text(
            f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><annotation>&l9;</annotation>', encoding
        )
        with pytest.raises(UserError, match=r"laughs.xml' is refused: it declares a document type"):
            boxes(str(path))


def test_a_box_that_reaches_a_pixel_past_the_edge_is_cut_off(tmp_path):
    path = tmp_path / "edge.xml"
    path.write_text(annotation([("dog", (1, 1, 41, 31), 0)]))
    found = boxes(str(path))
    assert isinstance(found, Boxes) and found.corners.tolist() == [[0, 0, 40, 30]] and found.size == (30, 40)


def save_mask(root, name, numbers, mode="L"):
    Image.fromarray(numbers).convert(mode).save(root / voc.FOLDER / f"SegmentationClass/{name}.png")


def test_what_is_no_mask_is_refused_by_name(root, data):
    save_mask(root, VAL[0], np.zeros((30, 20), np.uint8))
    with pytest.raises(UserError, match=rf"{VAL[0]}.jpg' has the mask '.*{VAL[0]}.png' of 20 x 30 pixels, and is 40 x 30 itself"):
        load_annotated(data, "masks", "test")
    save_mask(root, VAL[0], np.full((30, 40), 21, np.uint8))
    with pytest.raises(UserError, match=rf"{VAL[0]}.png' has a pixel of class 21; expected 0 to 20, or 255"):
        load_annotated(data, "masks", "test")[0]
    save_mask(root, VAL[0], np.zeros((30, 40), np.uint8), "RGB")
    with pytest.raises(UserError, match=rf"{VAL[0]}.png' is no mask: its pixels are RGB"):
        load_annotated(data, "masks", "test")[0]
    (root / voc.FOLDER / f"SegmentationClass/{VAL[0]}.png").write_bytes(b"PNG")
    with pytest.raises(UserError, match=rf"{VAL[0]}.png' cannot be read"):
        load_annotated.__wrapped__(data, "masks", "test")


def test_a_part_or_another_set_is_refused_by_what_it_lists(root, data):
    lists = root / voc.FOLDER / "ImageSets/Main/val.txt"
    lists.write_text(lists.read_text() + f"{VAL[0]}\n")
    said = r"voc2012 under .* is refused, a part of it or another set: .*Main/val.txt' lists 7 images, expected 6"
    with pytest.raises(UserError, match=said):
        load_split("voc2012", "test", root=root)


def test_a_changed_annotation_is_another_revision(root, data):
    before = catalogue.require("voc2012", root).revision
    xml(root, TRAIN[0]).write_text(annotation([("dog", BOX, 0)]) + "\n")
    voc._listed.cache_clear()
    assert catalogue.require("voc2012", root).revision != before


def test_a_set_says_what_it_has_in_place_of_what_is_asked_for(data, root):
    data.require_annotation("boxes", "the evaluator 'detection'")
    digits = catalogue.require("digits", root)
    said = r"digits has no boxes, which the evaluator 'detection' needs, but one class of each image; expected one of voc2012"
    with pytest.raises(UserError, match=said):
        digits.require_annotation("boxes", "the evaluator 'detection'", ["voc2012"])
    with pytest.raises(UserError, match=r"voc2012 has no depth, which .* needs, but sets of classes, boxes, masks$"):
        data.require_annotation("depth", "the evaluator 'depth'")


@pytest.mark.data
def test_the_real_part_holds_what_its_entry_says(real_set):
    data = catalogue.require("voc2012_part", real_set("voc2012_part"))
    for kind, annotation in data.entry.annotations.items():
        for split, count in annotation.sizes.items():
            found = load_class_sets(data, split)[0] if kind == "classes" else load_annotated(data, kind, split)
            assert len(found) == count, (kind, split)
    present = {split: load_class_sets(data, split)[0].sum(0) for split in ("train", "val", "test")}
    assert all(present["val"][k] > 0 for k in range(20) if present["train"][k] + present["val"][k] >= 10)
    files = load_annotated(data, "boxes", "test").files
    for index in range(0, len(files), 100):
        tree = ElementTree.parse(Path(files[index]).parents[1] / "Annotations" / f"{Path(files[index]).stem}.xml")
        assert len(load_annotated(data, "boxes", "test").target(index)["labels"]) == len(tree.findall("object"))
