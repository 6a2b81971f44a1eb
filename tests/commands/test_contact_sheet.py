"""The contact sheet shows what the encoder sees: views, and what a loss makes of them, each under its caption."""

import dataclasses

import pytest
import torch
from PIL import Image
from torch import nn

import methods
from bench.commands import contact_sheet
from bench.data.catalogue import DataSets
from bench.method import LabelledBatch, build
from bench.plan.complete import complete
from bench.spec import Budget, DatasetInfo, RunSpec
from loss_cases import narrow, random_batch

SIZE, BATCH = 32, 8
TRAINED = [name for name in methods.names() if methods.load(name).trained]
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
