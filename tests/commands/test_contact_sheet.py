"""The contact sheet shows what the encoder sees: views, and what a loss makes of them, each under its caption."""

import dataclasses

import pytest
import torch
from PIL import Image
from torch import nn

import methods
from bench.commands import contact_sheet, view_pictures
from bench.data.catalogue import DataSets
from bench.data.load import load
from bench.method import LabelledBatch, build
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from loss_cases import narrow, random_batch
from places import ROOT
from reports.site import sprites
from reports.site.sprites import COLUMNS

SIZE, BATCH = 32, 8
TRAINED = [name for name in methods.takers("images") if methods.load(name).trained]
COLOURS_APART = ("colorization", "split_brain")
"""Their encoders see one or two channels, which are shown as grey images."""


def bytes_of(tensors):
    """Every image's, of [..., C, h, w]."""
    return {image.contiguous().numpy().tobytes() for tensor in tensors for image in tensor.flatten(0, -4)}


@pytest.mark.usefixtures("fixed_weights")
@pytest.mark.parametrize("name", TRAINED)
def test_what_an_encoder_sees_is_a_view_or_is_shown(name):
    cls = methods.load(name)
    encoder = "vit_micro" if cls.needs == "tokens" else "resnet8"
    method = build(cls, narrow(encoder, SIZE), DatasetInfo(64, SIZE), 5, {}).train()
    count = max(BATCH, method.smallest_batch)
    batch = random_batch(method, count, SIZE)
    if method.uses_labels:
        batch = LabelledBatch(batch.views, batch.index, batch.draws, torch.arange(count) % 5)
    seen, shown = [], {}
    for module in method.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    fresh = random_batch(method, count, SIZE).draws
    watched = dataclasses.replace(batch, draws=fresh, show=lambda caption, make: shown.update({caption: make()}))
    with torch.no_grad():
        assert torch.equal(method.loss(batch, 0.9), method.loss(watched, 0.9))  # nothing is drawn, and nothing changed, to be looked at
    made = bytes_of(images[:, None] if images.ndim == 4 else images for images in shown.values() if images.shape[-3] == 3)
    if cls.needs == "tokens":  # its encoder embeds all patches, and then takes or replaces some
        assert list(shown) == ["visible patches"]
    elif name in COLOURS_APART:
        assert not seen and len(shown) == 2
    else:
        others = bytes_of(seen) - bytes_of(view[:, None] for view in batch.views)
        assert made <= bytes_of(seen) and bool(made) == bool(others)


def test_mae_shows_the_patches_that_are_kept():
    method = build(methods.load("mae"), narrow("vit_micro", SIZE), DatasetInfo(64, SIZE), 5, {})
    side = method.encoder.patch_size
    (image,) = method.visible(torch.ones(1, 3, SIZE, SIZE), torch.tensor([[0, SIZE // side + 1]]))
    assert image.sum() == 2 * 3 * side**2 and image[:, :side, :side].all() and image[:, side : 2 * side, side : 2 * side].all()


def test_a_sheet_shows_every_pixel_where_it_is(tmp_path):
    data = DataSets(tmp_path).require("digits")
    spec = RunSpec(method="jigsaw", dataset="digits", budget=Budget("steps", 1), image_size=32)
    captions = contact_sheet.write_contact_sheet(complete(spec, data=data), tmp_path / "new" / "sheet.png", data)
    assert captions == ["image", "view 1 (32 px)", "nine patches in a shuffled order"]
    sheet = Image.open(tmp_path / "new" / "sheet.png").convert("L")
    assert sheet.height > 8 * (96 + contact_sheet.GAP) and [path.name for path in (tmp_path / "new").iterdir()] == ["sheet.png"]
    cells = [("first", torch.zeros(2, 3, 4, 4)), ("a second one in two lines", torch.full((2, 5, 1, 2, 2), 0.5))]
    drawn = contact_sheet.drawn([(caption, [contact_sheet.picture(cell, 4) for cell in images]) for caption, images in cells])
    gap, wide, low = contact_sheet.GAP, contact_sheet.ZOOM_TO, 4 * (2 * 2 + 3)
    top = drawn.height - 2 * (low + gap)
    assert drawn.width == 3 * gap + 2 * wide and top > 2 * contact_sheet.FONT
    assert {drawn.getpixel((gap + x, top + y)) for x in range(16) for y in range(16)} == {(0, 0, 0)}
    assert drawn.getpixel((gap + 16, top)) == drawn.getpixel((gap, top + 16)) == (255, 255, 255)
    # Five of two pixels, three in a row: one pixel of white around each.
    row = [drawn.getpixel((2 * gap + wide + 4 * column, top + 4))[0] for column in range(10)]
    assert row == [255, 127, 127, 255, 127, 127, 255, 127, 127, 255]


def test_a_loss_that_fails_only_with_numbers_is_named(tmp_path, monkeypatch):
    data = DataSets(tmp_path).require("digits")
    spec = complete(RunSpec(method="rotation", dataset="digits", budget=Budget("steps", 1)), data=data)
    monkeypatch.setattr(methods.load("rotation"), "loss", lambda *_: 1 / 0)
    with pytest.raises(Exception, match="the loss of rotation: ZeroDivisionError"):
        contact_sheet.write_contact_sheet(spec, tmp_path / "sheet.png", data)
    assert not (tmp_path / "sheet.png").exists()


@pytest.fixture
def few(monkeypatch):
    """As if there were these methods alone."""
    monkeypatch.setattr(methods, "names", lambda: ["colorization", "simclr", "pixels", "rotation", "mae"])


@pytest.mark.usefixtures("few")
def test_the_pictures_of_all_are_those_of_methods_that_see_such_images(bench, here):
    code, out, err = bench("views", "all", "--dataset", "digits", "--output", "views")
    assert code == 0 and "written: 6 of 6 pictures in views changed" in out and "colorization sees pieces of photographs" in err, err
    assert "grey" in err and "mae sees pieces of photographs: vit_nano at 8 pixels" in err, "of digits of 8 pixels it has no patches"
    own = {"colorization.png", "mae.png", "simclr.png", "rotation.png"}
    assert {path.name for path in here.glob("views/*")} == own | {"images-digits.png", "images-mnist5k.png"}
    with Image.open(here / "views/colorization.png") as coloured:
        assert coloured.mode == "RGB"
    with Image.open(here / "views/simclr.png") as sheet:
        assert sheet.mode == "L" and 3 * 56 < sheet.height < 5 * 56, "three of its images, and as small as they can be kept"
    images = load(DataSets(here).require("digits"), "test", 8, 1).images
    with Image.open(here / "views/images-digits.png") as opened:
        sprite = opened.copy()
    assert sprite.width == 8 * COLUMNS and sprites.facts(here / "views/images-digits.png")["size"] == 8
    for number in (0, COLUMNS - 1, COLUMNS, len(images) - 1):
        left, top = 8 * (number % COLUMNS), 8 * (number // COLUMNS)
        assert list(sprite.crop((left, top, left + 8, top + 8)).tobytes()) == images[number, 0].flatten().tolist()
    before = {path.name: path.read_bytes() for path in here.glob("views/*")}
    assert bench("views", "all", "--dataset", "digits", "--output", "views", "--check")[0] == 0
    with Image.open(here / "views/rotation.png") as whole:
        rounded = whole.point(lambda level: min(255, level + view_pictures.ROUNDING))
    rounded.save(here / "views/rotation.png")
    (here / "views/simclr.png").write_bytes(before["rotation.png"])
    (here / "views/gone.png").write_bytes(before["rotation.png"])
    code, _, err = bench("views", "all", "--dataset", "digits", "--output", "views", "--check")
    assert (
        code == 1 and err.count("is not as it would be drawn") == 1 and "simclr.png" in err and "views/gone.png is of no method here" in err
    )
    assert bench("views", "all", "--dataset", "digits", "--output", "views")[0] == 0
    after = {path.name: path.read_bytes() for path in here.glob("views/*")}
    assert after.pop("gone.png") == before["rotation.png"], "what is not ours stays"
    assert after | {"rotation.png": before["rotation.png"]} == before


def test_what_is_for_all_or_for_one_alone_is_refused(bench, here):
    for arguments, said in {
        ("all", "--encoder", "resnet8"): "views all draws every method as it is; leave out --encoder",
        ("all", "--set", "temperature=1"): "leave out --set",
        ("simclr", "--check"): "--check is for `",
    }.items():
        code, _, err = bench("views", *arguments)
        assert code == 2 and said in err and not (here / "docs").exists()


def test_every_method_and_set_that_can_be_shown_has_its_picture():
    """Where it fails: run_bench.py views all. What is in them is compared by make drift."""
    data = DataSets().require("mnist5k")
    there = {path.stem for path in (ROOT / sprites.FOLDER).glob("*.png")}
    assert there == {name for name in methods.names() if view_pictures.drawable(name, data)} | {
        f"{sprites.PREFIX}{name}" for name in ("digits", "mnist5k")
    }
