"""A contact sheet: what a method really sees of a few images, its views and what its loss makes of them, drawn as in training."""

import io
import math
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from bench.compute.randomness import Draws
from bench.data.dataset import DataSet
from bench.data.source import Source, load_source
from bench.machine import files
from bench.method import Batch, LabelledBatch, Method
from bench.plan.complete import own_code
from bench.run.build import build_method
from bench.spec import RunSpec
from bench.views import prepare, render_views

IMAGES = 8
ZOOM_TO = 96
"""Height in pixels that each image is enlarged to, by whole pixels, at least."""
GAP = 4
"""Pixels between two columns and between two rows."""
FONT = 12


def write_contact_sheet(spec: RunSpec, path: Path, data: DataSet) -> list[str]:
    """One row per image: the image, every view of it, and what the loss shows. Returns the columns' captions. `spec` must be complete,
    and of this data set."""
    drawing, captions = sheet(spec, data)
    made = io.BytesIO()
    drawing.save(made, path.suffix[1:].lower().replace("jpg", "jpeg"))
    files.replace(path, made.getvalue())
    return captions


def sheet(spec: RunSpec, data: DataSet, rows: int = IMAGES, height: int = ZOOM_TO) -> tuple[Image.Image, list[str]]:
    """The sheet, and its captions. rows: of the images so many are drawn. height: in pixels, what each is enlarged to at least."""
    source, num_classes = load_source(spec, data)
    columns = seen(build_method(spec, source, num_classes), source, spec)
    return arranged(columns, source, rows, height), [caption for caption, _ in columns]


def arranged(columns: list[tuple[str, Tensor]], source: Source, rows: int, height: int) -> Image.Image:
    """What is `seen` of the first images of a source, of so many, each enlarged to at least this height."""
    zoom = max(1, -(-height // source.images.shape[-1]))
    return drawn([(caption, [picture(cell, zoom) for cell in cells[:rows]]) for caption, cells in columns])


def seen(method: Method, source: Source, spec: RunSpec) -> list[tuple[str, Tensor]]:
    """Captions, and what stands below them: in 0..1, float32 [B, C, h, w], or several images of each [B, K, C, h, w]."""
    index = torch.linspace(0, len(source.images) - 1, IMAGES).long().to(source.device)
    images = source.images[index]

    def draws(*key: int | str) -> Draws:
        return Draws(spec.seed, *key, total=len(images), device=source.device)

    views = render_views(method.views, images, source.info, source.mean, source.std, lambda number: draws("view", 0, number))
    names = [f"view {i + 1} ({view.pixels(source.info)} px)" for i, view in enumerate(v for v in method.views for _ in range(v.count))]
    columns = [("image", prepare(images, source.mean, source.std)), *zip(names, views, strict=True)]

    def show(caption: str, make: Callable[[], Tensor]) -> None:
        columns.append((caption, make()))

    if method.trained:
        facts = (views, index, draws("loss", 0))
        with torch.no_grad(), own_code(f"the loss of {spec.method}"):
            if method.uses_labels:
                assert source.labels is not None, "a Reference is handed labels"
                method.loss(LabelledBatch(*facts, source.labels[index], show=show), 0.0)
            else:
                method.loss(Batch(*facts, show=show), 0.0)
    colour = source.std[:, None, None], source.mean[:, None, None]
    return [(caption, cells if cells.shape[-3] == 1 else cells * colour[0] + colour[1]) for caption, cells in columns]


def picture(cell: Tensor, zoom: int) -> Image.Image:
    """An image [C, h, w] in 0..1, or several [K, C, h, w] in rows and columns, enlarged: every pixel is drawn `zoom` times each way."""
    several = cell if cell.ndim == 4 else cell[None]
    columns = math.isqrt(len(several) - 1) + 1
    tiled = make_grid(several.float().clamp(0, 1).cpu(), nrow=columns, padding=1 if len(several) > 1 else 0, pad_value=1.0)
    return to_pil_image(tiled.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2))


def drawn(columns: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    """Every column under its caption, which is broken into lines that the column is wide enough for."""
    font = ImageFont.load_default(FONT)
    widths = [max(ZOOM_TO, *(each.width for each in pictures)) for _, pictures in columns]
    heights = [max(each.height for each in row) for row in zip(*(pictures for _, pictures in columns), strict=True)]
    captions = [wrapped(caption, font, width) for (caption, _), width in zip(columns, widths, strict=True)]
    head = FONT * 5 // 4 * max(map(len, captions)) + GAP
    lefts, tops = (list(accumulate((size + GAP for size in sizes), initial=first)) for sizes, first in ((widths, GAP), (heights, head)))
    whole = Image.new("RGB", (lefts[-1], tops[-1]), "white")
    pen = ImageDraw.Draw(whole)
    for left, lines, (_, pictures) in zip(lefts, captions, columns, strict=False):
        pen.multiline_text((left, 0), "\n".join(lines), fill="black", font=font)
        for top, each in zip(tops, pictures, strict=False):
            whole.paste(each, (left, top))
    return whole


def wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """The text in lines of at most so many pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
