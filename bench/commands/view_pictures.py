"""What the site shows of images: a small contact sheet of every trained method, and all test images of sets that come inside a library.

every(DataSets(), "mnist5k")      {"simclr.png": bytes, ..., "images-digits.png": bytes, ...}
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

import methods
from bench.commands.contact_sheet import arranged, seen, sheet
from bench.conformance.case import Case
from bench.data import catalogue
from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.data.load import load
from bench.encoders import table
from bench.errors import UserError
from bench.plan.complete import complete
from bench.spec import Budget, RunSpec
from reports.site.sprites import COLUMNS, PREFIX

ROWS = 3
"""Images of a sheet."""

HEIGHT = 56
"""Pixels that an image is enlarged to at least: a page may enlarge it further."""

ROUNDING = 4
"""Of 255: what a pixel may be apart where another processor computed the views, whose kernels round differently."""


def every(datasets: DataSets, dataset: str, hear: Callable[[str], None]) -> dict[str, bytes]:
    """All pictures by their files' names. dataset: what the methods' views are of. hear: is told which methods cannot learn from it, as one
    that predicts colours from grey, and why: theirs are of pieces of photographs. UserError where the data set is not here."""
    data, made = datasets.require(dataset), {}
    for name in filter(lambda name: drawable(name, data), methods.names()):
        try:
            made[f"{name}.png"] = views_of(name, data)
        except UserError as error:
            hear(f"{name} sees pieces of photographs: {error}")
            made[f"{name}.png"] = views_of_photographs(name)
    inside = [name for name in catalogue.names() if (entry := catalogue.entry(name)).source.startswith("inside ") and entry.modality.drawn]
    return made | {f"{PREFIX}{name}.png": test_images(datasets.require(name)) for name in inside}


def drawable(method: str, data: DataSet) -> bool:
    """Whether it has views of such data: what is not trained has none."""
    cls = methods.load(method)
    return cls.trained and not methods.takes_weights(method) and data.entry.modality.name in (cls.takes or (data.entry.modality.name,))


def views_of(method: str, data: DataSet) -> bytes:
    """With the data set's encoder, or the cheapest that offers what the method needs: views are the same with any."""
    spec = RunSpec(method=method, dataset=data.name, budget=Budget("steps", 1), encoder=encoder_for(method, data))
    drawing, _ = sheet(complete(spec, data=data, tried=False), data, ROWS, HEIGHT)
    return png(drawing)


def views_of_photographs(method: str) -> bytes:
    """Of the images that need no data set, which `check` tries methods on: they have colours, and room for a ViT's patches."""
    case = Case(method)
    made = case.build()
    source = case.source(case.labels[: case.training_images] if made.uses_labels else None)
    spec = RunSpec(method=method, dataset="photographs", budget=Budget("steps", 1))
    return png(arranged(seen(made, source, spec), source, ROWS, HEIGHT))


def encoder_for(method: str, data: DataSet) -> str:
    """A name of bench/encoders/."""
    needs, first = methods.needs(method), data.entry.encoder
    if needs in table.require(first).offers:
        return first
    every = [
        entry for entry in table.entries().values() if needs in entry.offers and entry.takes == data.entry.modality.name and entry.facts
    ]
    return min(every, key=lambda entry: entry.facts.flops).name


def test_images(data: DataSet) -> bytes:
    """All of the test split, in its order, COLUMNS in a row, without a gap."""
    images = load(data, "test", data.entry.image_size, 1).images
    return png(to_pil_image(make_grid(torch.as_tensor(images), nrow=COLUMNS, padding=0)))


def png(image: Image.Image) -> bytes:
    """As small as it can be kept: in grey where it has no colour."""
    bands = np.asarray(image.convert("RGB"))
    grey = bool((bands == bands[..., :1]).all())
    made = io.BytesIO()
    image.convert("L" if grey else "RGB").save(made, "png", optimize=True)
    return made.getvalue()


def differing(made: Mapping[str, bytes], folder: Path) -> list[str]:
    """Names of pictures that look otherwise in the folder, or are not there; sorted."""
    return sorted(name for name, content in made.items() if not (path := folder / name).is_file() or not alike(content, path.read_bytes()))


def alike(first: bytes, second: bytes) -> bool:
    """Whether two pictures are the same but for rounding."""
    if first == second:
        return True
    one, other = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), dtype=np.int16) for each in (first, second))
    return one.shape == other.shape and int(np.abs(one - other).max()) <= ROUNDING
