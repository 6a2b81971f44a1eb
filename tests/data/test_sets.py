"""The folder of known sets is a registry: what a file there says of its set, and that a file that is added is a set."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from bench import registry
from bench.data import catalogue
from bench.data.load import load_split
from bench.errors import UserError
from bench.registry import Registry

SQUARES = '''"""Squares, two kinds, grey."""

from pathlib import Path

import numpy as np

from bench.data.readers.known import KnownSet, digest, verify

IMAGES = np.arange(4 * 20 * 16, dtype=np.uint8).reshape(4, 20, 16)[:, :, :4, None].repeat(4, 3).reshape(80, 1, 4, 4)
LABELS = np.arange(80) % 2
CONTENT = {"train": digest(IMAGES, LABELS), "test": digest(IMAGES[:10], LABELS[:10])}


def read(root: Path, part: str):
    count = {"train": 80, "test": 10}[part]
    verify("squares", CONTENT[part], "this file is", IMAGES[:count], LABELS[:count])
    return IMAGES[:count], LABELS[:count], ("a", "b")


SET = KnownSet(1, 4, True, (72, 8, 10), CONTENT, read, "arithmetic", classes=2)
'''


def test_a_file_that_is_added_is_a_data_set(tmp_path, monkeypatch):
    folder = tmp_path / "painted" / "sets"
    folder.mkdir(parents=True)
    (folder / "squares.py").write_text(SQUARES)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.setattr(catalogue, "SETS", Registry("data set", "painted.sets", "run_bench.py list datasets"))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    assert catalogue.names() == ["squares"] and catalogue.summary("squares") == "squares, two kinds, grey"
    data = catalogue.require("squares", tmp_path)
    assert (data.name, data.entry.classes, data.num_classes, len(data.revision)) == ("squares", 2, 2, 12)
    splits = {split: load_split("squares", split, root=tmp_path) for split in data.entry.sizes}
    assert {split: len(found.labels) for split, found in splits.items()} == {"train": 72, "val": 8, "train+val": 80, "test": 10}
    assert np.array_equal(splits["train+val"].images.numpy(), importlib.import_module("painted.sets.squares").IMAGES)
    with pytest.raises(UserError, match=r"unknown data set 'square'\. Did you mean 'squares'"):
        catalogue.require("square", tmp_path)


@pytest.mark.parametrize("name", catalogue.names())
def test_a_file_says_all_that_is_known_of_its_set(name):
    entry = catalogue.entry(name)
    assert entry.name == name and entry.summary == catalogue.summary(name) and entry.classes > 0 and entry.source and entry.licence
    assert entry.summary and not entry.summary.endswith(".") and "\n" not in entry.summary
    assert catalogue.SETS.summary(name) == f"{entry.summary[0].upper()}{entry.summary[1:]}."


def test_names_and_summaries_import_no_set():
    code = """
import sys
from bench.data import catalogue
assert all(catalogue.summary(name) for name in catalogue.names())
print([name for name in sys.modules if name.startswith("bench.data.sets.") or name in ("torch", "torchvision", "sklearn")])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


def test_a_name_keeps_the_capital_that_is_its_own(tmp_path, monkeypatch):
    folder = tmp_path / "painted" / "sets"
    folder.mkdir(parents=True)
    (folder / "small.py").write_text('"""ImageNet, but small."""')
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.setattr(catalogue, "SETS", Registry("data set", "painted.sets", "run_bench.py list datasets"))
    assert catalogue.summary("small") == "ImageNet, but small"
