"""Sine waves of four frequencies, in noise, each begun anywhere."""

import numpy as np
import torch

from bench.data.entry import Entry, split_sizes
from bench.data.modality import Modality
from bench.data.readers.known import digest
from bench.spec import DatasetInfo
from places import ROOT

LENGTH, COUNTS = 64, {"train": 240, "test": 80}
"""Samples of a wave; how many waves a part has."""


class WaveInfo(DatasetInfo):
    """What a method may know of its waves; `image_size` is their length."""

    @property
    def shape(self) -> tuple[int, ...]:
        return 1, self.image_size


class Waves(Modality):
    """float32 [N, L] as they are stored; a network sees [B, 1, L], minus the mean, over the deviation."""

    name, size, unit, short = "waves", "a length", "samples", "samples"
    sizes = 16, 4096

    def info(self, count, size, entry):
        return WaveInfo(count, size)

    def bytes(self, size, entry):
        return 4 * size

    def stored(self, items, rows, size, entry, threads):
        return super().stored(items[:, :size], rows, size, entry, threads)

    def statistics(self, items):
        whole = torch.cat(list(items.split(1024)))
        return whole.mean()[None], whole.std()[None]

    def prepare(self, items, mean, std):
        return ((items - mean) / std)[:, None]

    def examples(self, count):
        waves, labels, _ = read(None, "train")
        return torch.from_numpy(waves[:count]), torch.from_numpy(labels[:count] % 2), WaveInfo(count, LENGTH)


def read(root, part: str):
    """`Entry.read`"""
    draws, count = np.random.RandomState(len(part)), COUNTS[part]
    labels = np.arange(count) % 4
    phase = draws.uniform(0, 2 * np.pi, (count, 1)) + np.arange(LENGTH) * 2 * np.pi * (2 + labels[:, None]) / LENGTH
    return (np.sin(phase) + 0.3 * draws.randn(count, LENGTH)).astype(np.float32), labels, ("two", "three", "four", "five")


class SET:
    """Of what a file of bench/data/sets gives `SET`, the one thing that is asked of it."""

    @staticmethod
    def entry(name: str, summary: str) -> Entry:
        sizes, revision = split_sizes(216, 24, COUNTS["test"]), digest(*read(None, "train")[:2])[:12]
        facts = {"encoder": str(ROOT / "tests/modality/wave_encoder.py"), "classes": 4, "source": "arithmetic", "modality": Waves()}
        return Entry(name, summary, 1, LENGTH, False, sizes, revision, read, **facts)
