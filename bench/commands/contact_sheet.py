"""A contact sheet: what a method really sees of a few images, drawn as in training."""

from pathlib import Path

import torch
from torchvision.utils import make_grid, save_image

from bench.compute.randomness import Draws
from bench.data.dataset import DataSet
from bench.data.source import load_source
from bench.run.build import build_method
from bench.spec import RunSpec
from bench.views.view import prepare, render_views

IMAGES = 8
ZOOM_TO = 96
"""Height in pixels that each image is enlarged to, by whole pixels, at least."""


def write_contact_sheet(spec: RunSpec, path: Path, data: DataSet) -> list[str]:
    """One row per image: the image, then every view of it. Returns the columns' names. `spec` must be complete, and of this data set."""
    source, num_classes = load_source(spec, data)
    method = build_method(spec, source, num_classes)
    images = source.images[torch.linspace(0, len(source.images) - 1, IMAGES).long().to(source.device)]
    draws = lambda number: Draws(spec.seed, "view", 0, number, total=len(images), device=source.device)  # noqa: E731
    views = render_views(method.views, images, source.info, source.mean, source.std, draws)
    columns = [prepare(images, source.mean, source.std), *views]
    size = images.shape[-1]
    zoom = max(1, -(-ZOOM_TO // size))
    cells = []
    for column in columns:
        shown = (column * source.std[:, None, None] + source.mean[:, None, None]).clamp(0, 1).cpu()
        # A smaller view is shown at its own scale, in the corner of a full cell.
        cell = torch.ones(len(shown), 3, size, size)
        cell[:, :, : shown.shape[2], : shown.shape[3]] = shown
        cells.append(cell.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3))
    grid = make_grid(torch.stack(cells, dim=1).flatten(0, 1), nrow=len(columns), padding=4, pad_value=1.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(grid, path)
    names = [f"view {i + 1} ({view.pixels(source.info)} px)" for i, view in enumerate(v for v in method.views for _ in range(v.count))]
    return ["image", *names]
