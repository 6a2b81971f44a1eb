"""What `show RUN --plots` draws: a run's nearest neighbours, its linear probe's confusions and a map of its test features.

It looks at test images that the run's evaluation has read before, with the weights that it ended with; nothing is chosen by it.
N test images, D features, C classes.
"""

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from bench.commands import contact_sheet
from bench.commands.export import trained_method, weights_of
from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.evaluation.arrays import evenly
from bench.evaluation.evaluators import linear
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.evaluation.logistic import predict
from bench.evaluation.search import nearest
from bench.machine import files
from bench.records.record import RunRecord
from bench.spec import RunSpec
from bench.views import prepare
from reports.pages.programs import csv_of
from reports.plots import of_run
from reports.tables.provenance import UNKNOWN, Provenance

QUERIES, NEIGHBOURS = 10, 6

MOST_POINTS = 2000
"""Of the map: more cannot be told apart."""

SAME, OTHER = "#1b7837", "#b2182b"
"""Frames of neighbours of the query's class, and of another."""
FRAME = 4
"""Pixels."""


def write_plots(record: RunRecord, path: Path, scratch: Path, data_root, folder: Path) -> tuple[list[Path], list[str]]:
    """Into `folder`, of the run with this record at this path; returns the files, and what there is not and why. A UserError where the
    weights are gone, or the run's items are no images of one class each."""
    spec, data = RunSpec.from_json(record.spec), DataSets(data_root)
    found = data.require(spec.dataset, needs_test=True)
    if not found.entry.modality.drawn:
        raise UserError(f"--plots draws no {found.entry.modality.name}, which {found.name} has; expected a run on images")
    if not found.entry.one_class:
        raise UserError(f"--plots: images of {found.name} have not one class each")
    weights = weights_of(record, path, scratch)
    method, source, *_ = trained_method(record, weights, scratch, data_root)
    features, written, lacking = FrozenEncoder(method, method.encode, spec, source, data), [], []
    arrays, names = features.arrays(), features.classes()
    test_x, test_y = arrays.test_split()
    train, test = (getattr(features.images(), split).images[0] for split in ("train", "test"))
    sheet = neighbours(arrays.train_x, arrays.train_y, train, test_x, test_y, test)
    commit = record.environment.get("commit") or UNKNOWN
    made_of, made, said = Provenance((record.id,), (str(commit),), (spec.protocol,)), io.BytesIO(), PngInfo()
    said.add_text("Source", made_of.text())
    sheet.save(made, "png", pnginfo=said)
    written.append(files.replace(folder / "neighbours.png", made.getvalue()))
    _, probe = linear.refit(arrays)
    counts = confusion(test_y, predict(probe, test_x)[0], arrays.num_classes)
    written += [files.replace(folder / f"confusion.{kind}", of_run.confusion(counts, names, kind, made_of)) for kind in ("svg", "png")]
    written.append(files.replace(folder / "confusion.csv", csv_of(["true", *names], zip(names, *counts.T.tolist(), strict=True)).encode()))
    if find_spec("umap") is None:
        lacking.append("no map of the features: it needs a library, pip install umap-learn")
    else:
        chosen = evenly(len(test_x), MOST_POINTS)
        points = embedded(test_x[chosen])
        labels = [names[label] for label in test_y[chosen]]
        written += [files.replace(folder / f"umap.{kind}", of_run.scatter(points, labels, names, kind, made_of)) for kind in ("svg", "png")]
        rows = zip(chosen.tolist(), labels, *points.T.tolist(), strict=True)
        written.append(files.replace(folder / "umap.csv", csv_of(["test_image", "class", "x", "y"], rows).encode()))
    return written, lacking


def neighbours(train_x, train_y, train, test_x, test_y, test) -> Image.Image:
    """A row for each of some test images, one a class as far as there are so many: itself, and the train images that are most like it by
    cosine similarity, in a frame that says whether they are of its class. Images as they are stored, [N, 3, H, W]."""
    first = [int(np.flatnonzero(test_y == label)[0]) for label in np.unique(test_y)]
    queries = np.array(first)[evenly(len(first), QUERIES)]
    _, index = nearest(train_x, test_x[queries], min(NEIGHBOURS, len(train_x)))
    columns = [("test image", [pictured(image, None) for image in test[torch.from_numpy(queries)]])]
    for rank in range(index.shape[1]):
        found = index[:, rank]
        same = train_y[found] == test_y[queries]
        caption = "nearest train image (green: of its class, red: of another)" if rank == 0 else f"{rank + 1}."
        columns.append(
            (caption, [pictured(image, right) for image, right in zip(train[torch.from_numpy(found)], same.tolist(), strict=True)])
        )
    return contact_sheet.drawn(columns)


def pictured(image: torch.Tensor, same: bool | None) -> Image.Image:
    """One stored image [3, H, W], enlarged, in a frame where `same` says which."""
    cell = prepare(image[None], torch.zeros(3), torch.ones(3))[0]
    zoom = max(1, -(-contact_sheet.ZOOM_TO // cell.shape[-1]))
    return ImageOps.expand(contact_sheet.picture(cell, zoom), FRAME, "white" if same is None else SAME if same else OTHER)


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 [C, C]: of the images of a row's class how many the probe takes for a column's."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def embedded(x: np.ndarray) -> np.ndarray:
    """UMAP (McInnes et al. 2018, arXiv:1802.03426) of features [N, D] by cosine distance, its defaults, one seed: float32 [N, 2]."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of n_jobs, which a seed sets to 1, and of the libraries that it is made of
        import umap

        return umap.UMAP(metric="cosine", random_state=0, n_neighbors=min(15, len(x) - 1)).fit_transform(x)
