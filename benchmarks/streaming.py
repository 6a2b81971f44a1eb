"""Training images from a pack on disk, beside images in memory and torchvision's ImageFolder with a DataLoader.

    python -m benchmarks.streaming [--quick]

A folder of JPEGs, cut from scikit-learn's two photographs, is written and packed in a temporary folder ($TMPDIR). All ways of reading
take turns, so that what else goes on on the machine falls on each alike. What is measured:

- reading: batches of 256 uint8 images of 64 px, in random order, nothing else;
- batch: the trainer's batch, with the two views of simclr;
- step: whole training steps of simclr with resnet8;
- access: reading from sets of 10^4 to 10^7 images of 32 px that are simulated by sparse files. It shows what mapping, page tables,
  many shards and copies cost, and nothing of a disk's own time; "first" is of pages that the kernel has not mapped yet.
- cold: reading from the pack after its pages were dropped from the page cache: the disk's time, or its host's.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from bench.data import catalogue, load, packing
from bench.data.packed import Pack, PackedImages
from bench.data.source import load_source
from bench.machine.hardware import cores
from bench.machine.memory import keep_freed_memory
from bench.plan.complete import complete
from bench.run.build import build_method
from bench.spec import Budget, RunSpec
from bench.training.trainer import Trainer
from benchmarks.measure import spread, table

BATCH, SIZE = 256, 64
STORED = {"64 px": (64, 64), "500 x 375": (500, 375)}
"""How the JPEGs lie on disk: as Tiny ImageNet's, and as ImageNet's on average."""


def write_jpegs(folder: Path, count: int, width: int, height: int) -> None:
    """`count` JPEGs of quality 90 in four classes, each another cut of a photograph."""
    from sklearn.datasets import load_sample_images

    draw, photographs = np.random.default_rng(0), [Image.fromarray(photograph) for photograph in load_sample_images().images]
    for index in range(count):
        photograph = photographs[index % 2]
        scale = draw.uniform(0.3, 0.8)
        wide, high = int(photograph.width * scale), int(photograph.width * scale * height / width)
        high = min(high, photograph.height)
        left, top = draw.integers(0, photograph.width - wide + 1), draw.integers(0, photograph.height - high + 1)
        path = folder / "train" / f"class{index % 4}" / f"{index:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph.crop((left, top, left + wide, top + high)).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)


class Loaded:
    """In place of `bench.training.batches.Ahead`: the next batch of a DataLoader, whatever is asked for."""

    def __init__(self, folder: Path):
        # The same pixels as ours: short side to 64, antialiased, and cut from the centre.
        transform = v2.Compose([v2.PILToTensor(), v2.Resize(SIZE, antialias=True), v2.CenterCrop(SIZE)])
        more = {"num_workers": cores(), "persistent_workers": True, "drop_last": True, "shuffle": True}
        self.loader = DataLoader(ImageFolder(folder / "train", transform), BATCH, **more)
        self.batches = self.forever()

    def forever(self) -> Iterator[torch.Tensor]:
        while True:
            for images, _ in self.loader:
                yield images

    def take(self, index, following) -> torch.Tensor:
        return next(self.batches)


class Direct:
    """In place of `bench.training.batches.Ahead`: read when asked, and nothing ahead."""

    def __init__(self, images):
        self.images = images

    def take(self, index, following) -> torch.Tensor:
        return self.images[index]


def measured(what: str, unit: str, values: list[float]) -> dict:
    """One row: the median, lowest and highest of the repeats."""
    return {
        "measure": "streaming",
        "what": what,
        "unit": unit,
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
    }


def rate(work: Callable[[], None], least: float) -> float:
    """How often a second, over `least` seconds or one time."""
    start, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - start < least:
        work()
        times += 1
    return times / (time.perf_counter() - start)


def microseconds(images: PackedImages, indices: torch.Tensor) -> list[float]:
    """Of each batch, [B] of its row, for an image."""
    return [1e6 / BATCH / rate(partial(images.__getitem__, index), 0) for index in indices]


@contextmanager
def trainers(stored: str, count: int) -> Iterator[dict[str, Trainer]]:
    """A trainer of simclr for each way of reading the same folder."""
    with tempfile.TemporaryDirectory(prefix="streaming-") as temporary:
        folder, root = Path(temporary, "photographs"), Path(temporary, "data")
        write_jpegs(folder, count, *STORED[stored])
        name = f"folder:{folder}"
        spec = RunSpec(method="simclr", dataset=name, budget=Budget("steps", 10**6), encoder="resnet8", image_size=SIZE)
        spec = complete(spec.replace(pretrain_split="train+val", precision="float32", recipe_changes={"batch_size": BATCH}), root)

        def trainer() -> Trainer:
            source, classes = load_source(spec, catalogue.require(spec.dataset, root))
            return Trainer(build_method(spec, source, classes), replace(source, labels=None), spec)

        start = time.perf_counter()
        made = {"in memory": trainer()}
        print(f"{stored}: decoded and loaded in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        packing.pack(name, SIZE, root)
        load.read_split.cache_clear()
        start = time.perf_counter()
        made |= {"packed, read ahead": trainer(), "packed": trainer(), "ImageFolder": trainer()}
        print(f"{stored}: three times from the pack in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        assert isinstance(made["packed"].source.images, PackedImages)
        made["packed"].batches.ahead = Direct(made["packed"].source.images)
        made["ImageFolder"].batches.ahead = Loaded(folder)
        yield made


def read(trainer: Trainer) -> None:
    trainer.batches.ahead.take(trainer.batches.index(trainer.meter.steps), lambda: trainer.batches.index(trainer.meter.steps + 1))
    trainer.meter.steps += 1


def make_batch(trainer: Trainer) -> None:
    trainer.batch()
    trainer.meter.steps += 1


def step(trainer: Trainer) -> None:
    trainer.step(trainer.method, trainer.optimizer, trainer.batch(), 0.5)
    trainer.meter.steps += 1


def training(stored: str, quick: bool) -> Iterator[dict]:
    """Rows of images a second: reading, batch and step, for each way of reading."""
    repeats = 2 if quick else 7
    # A step takes seconds on a CPU, and decoding is dearest for the larger JPEGs: steps are measured with those alone.
    works = {"reading": read, "batch": make_batch} | ({"step": step} if stored == "500 x 375" else {})
    with trainers(stored, 1024 if quick else 4096) as ways:
        for name, work in works.items():
            found = {way: [] for way in ways}
            for _ in range(repeats):
                for way, trainer in ways.items():
                    # What lay ready when its turn came is used up first: of a DataLoader two batches a worker.
                    for _ in range(2 * cores() + 1 if (way, name) == ("ImageFolder", "reading") else 1 if name != "step" else 0):
                        work(trainer)
                    found[way].append(BATCH * rate(partial(work, trainer), 0 if quick else 1.5))
                time.sleep(1)  # until the workers have filled their queues again
            for way, values in found.items():
                yield measured(f"{name}: {way}, JPEGs of {stored}", "images/s", values)
            for other in ("in memory", "ImageFolder"):
                ratios = [ours / theirs for ours, theirs in zip(found["packed, read ahead"], found[other], strict=True)]
                yield measured(f"{name}: packed, read ahead, over {other}, turn by turn, JPEGs of {stored}", "times", ratios)


def access(quick: bool) -> list[dict]:
    """Rows of microseconds an image: batches of random rows of simulated sets of 32 px, whose turns alternate."""
    size, batches, exponents = 32, 5 if quick else 20, (4, 5) if quick else (4, 5, 6, 7)
    rows = packing.SHARD_BYTES // (3 * size * size)
    with tempfile.TemporaryDirectory(prefix="streaming-") as folder:
        sets = {}
        for count in (10**exponent for exponent in exponents):
            facts = {"name": "simulated", "image_size": size, "parts": {"train": count}, "rows_per_shard": rows}
            pack = Pack(Path(folder, str(count)), facts, ("",) * -(-count // rows))
            pack.folder.mkdir()
            for number in range(len(pack.digests)):
                with open(pack.shard(number), "wb") as sparse:
                    sparse.truncate(len(pack.rows_of(number)) * 3 * size * size)
            indices = torch.randint(0, count, (batches, BATCH), generator=torch.Generator().manual_seed(0))
            sets[count] = partial(microseconds, pack.images(pack.rows("train")), indices)
        turns = [{count: work() for count, work in sets.items()} for _ in range(10)]
    first = [measured(f"access: {count:,} images, first", "us/image", turns[0][count]) for count in sets]
    again = {count: [statistics.median(turn[count]) for turn in turns[1:]] for count in sets}
    return first + [measured(f"access: {count:,} images, again", "us/image", values) for count, values in again.items()]


def cold(quick: bool) -> Iterator[dict]:
    """A row of microseconds an image: random batches of a pack on disk that is not in the page cache."""
    size, shards = 64, 1 if quick else 4
    rows = packing.SHARD_BYTES // (3 * size * size)
    with tempfile.TemporaryDirectory(prefix="streaming-") as folder:
        facts = {"name": "written", "image_size": size, "parts": {"train": rows * shards}, "rows_per_shard": rows}
        pack = Pack(Path(folder), facts, ("",) * shards)
        for number in range(shards):
            with open(pack.shard(number), "wb") as file:
                file.write(os.urandom(rows * 3 * size * size))
                file.flush()
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        images = pack.images(pack.rows("train"))
        indices = torch.randint(0, len(images), (5 if quick else 20, BATCH), generator=torch.Generator().manual_seed(0))
        times = microseconds(images, indices)
        yield measured(f"cold: {rows * shards:,} images of {size} px, dropped from the page cache", "us/image", times)


def rows(quick: bool = False) -> list[dict]:
    """Every measurement: measure, what, unit, median, low, high."""
    torch.set_num_threads(1)
    keep_freed_memory()
    made = []
    for stored in STORED:
        made += training(stored, quick)
    return [*made, *access(quick), *cold(quick)]


def markdown(rows: list[dict]) -> str:
    """The table of the page of performance."""
    cells = [(row["what"], row["unit"], spread((row["median"], row["low"], row["high"]))) for row in rows]
    return table(("", "unit", "median (lowest to highest)"), cells)


if __name__ == "__main__":
    print(markdown(rows("--quick" in sys.argv[1:])))
