"""docs/add_an_evaluator.md, add_a_suite.md, add_an_encoder.md and add_a_data_set.md do what they say: each one's file, saved where it says
in a copy of the checkout, is listed and used by the commands that the page gives."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.compute.flops import count_flops
from bench.encoders.table import FACTS_SIZE, EncoderEntry, Facts
from bench.errors import UserError
from bench.evaluation.arrays import Arrays
from places import ROOT

PAGES = ("add_a_data_set", "add_a_suite", "add_an_encoder", "add_an_evaluator")

RUN = ("run", "--method", "random", "--budget", "64images", "--seeds", "0", "--launcher", "debug")
"""The cheapest run that there is: nothing is trained."""

OF_THE_PAGES = ("--dataset", "parity", "--encoder", "conv4", "--evals", "nearest_mean,knn")
"""What the pages add, in one run."""


def example(page: str) -> tuple[str, str]:
    """Where a page's file is to be saved, from the checkout, and its text."""
    text = (ROOT / f"docs/{page}.md").read_text()
    (place,) = re.findall(r"Save it as `([^`]+)`", text)
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return place, block


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the code with the files of all pages in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("bench", "methods"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("reports/**/*.py"):
        (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / path.relative_to(ROOT))
    shutil.copy(ROOT / "run_bench.py", copy)
    for page in PAGES:
        place, text = example(page)
        assert not (copy / place).exists() and (copy / place).parent.is_dir(), f"{place} would not be new"
        (copy / place).write_text(text)
    return copy


def call(checkout: Path, *arguments: str) -> str:
    """What run_bench.py prints in the copy; it must end well. One thread, as in all tests."""
    surroundings = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "run_bench.py", *arguments]
    ended = subprocess.run(command, cwd=checkout, env=surroundings, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def record(checkout) -> dict:
    """What one run with the data set, the encoder and the evaluator of the pages has left."""
    call(checkout, *RUN, *OF_THE_PAGES, "--results", "recorded")
    (path,) = (checkout / "recorded").rglob("*.json")
    return json.loads(path.read_text())


def module_of(checkout: Path, page: str):
    """The page's file, imported alone."""
    path = checkout / example(page)[0]
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_the_file_is_written_as_ours_are(page):
    place, block = example(page)
    ruff = [Path(sys.executable).with_name("ruff")]
    for arguments in (["check"], ["format", "--check"]):
        command = [*ruff, *arguments, "--stdin-filename", place, "-"]
        ended = subprocess.run(command, cwd=ROOT, input=block, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.slow
def test_the_files_keep_the_rules_of_the_house(checkout):
    """Imports, names and lengths, of the files of the pages."""
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (checkout / "tests").mkdir(exist_ok=True)
    rules = ("tests/test_structure.py", "tests/test_known_names.py", "tests/test_lengths.py")
    for name in (*rules, "tests/source_code.py", "tests/places.py"):
        shutil.copy(ROOT / name, checkout / "tests")
    stems = " or ".join(Path(example(page)[0]).stem for page in PAGES)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *rules, "-k", stems]
    surroundings = {**os.environ, "PYTHONPATH": str(checkout)}
    ended = subprocess.run(command, cwd=checkout, env=surroundings, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert int(re.search(r"(\d+) passed", ended.stdout)[1]) >= 4 * len(PAGES)


def test_the_evaluator_is_listed(checkout):
    assert re.search(r"^  nearest_mean +Nearest class mean: ", call(checkout, "list", "evals"), re.M)


def test_the_evaluator_agrees_with_scikit_learn(checkout):
    """On its own choice of features, which is the one of two that val favours."""
    from sklearn.neighbors import NearestCentroid

    module = module_of(checkout, "add_an_evaluator")
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(4, 6)) * [[0.2], [1.0], [3.0], [9.0]]
    labels = {split: draw.permuted(np.arange(80) % 4) for split in ("train", "val", "test")}
    x = {split: (centres[y] + draw.normal(size=(80, 6))).astype(np.float32) for split, y in labels.items()}
    arrays = Arrays(x["train"], labels["train"], x["val"], labels["val"], 4, "made up", x["test"], labels["test"])
    (result,) = module.measure(arrays)
    prepare = module.PREPARED[result.chosen["features"]]
    theirs = NearestCentroid().fit(prepare(x["train"]), labels["train"])
    assert result.chosen["val_top1"] == 100 * theirs.score(prepare(x["val"]), labels["val"])
    theirs = NearestCentroid().fit(prepare(np.concatenate([x["train"], x["val"]])), np.concatenate([labels["train"], labels["val"]]))
    assert result.value == 100 * theirs.score(prepare(x["test"]), labels["test"]) and 30 < result.value < 100


@pytest.mark.slow
def test_a_run_is_measured_by_the_evaluator(record):
    (result,) = (result for result in record["results"] if result["evaluator"] == "nearest_mean")
    assert (result["dataset"], result["n"]) == ("parity", 359) and result["value"] > 60


def test_the_suite_is_listed(checkout):
    assert re.search(r"^  digits_temperature +SimCLR's temperature on digits: ", call(checkout, "list", "suites"), re.M)


@pytest.mark.slow
def test_the_suite_is_planned(checkout):
    """Fifteen different runs, every hyper-parameter known."""
    printed = call(checkout, "plan", "digits_temperature")
    assert (
        "15 runs (2 methods x 3 seeds) on digits, resnet8, 20,000 items" in printed
        and "0 in the store (results/digits_temperature)" in printed
    )
    lines = re.findall(r"^  to do +([0-9a-f]{16})  (.*)$", printed, re.M)
    assert len({run for run, _ in lines}) == 15
    assert {value: sum(f"temperature={value}" in line for _, line in lines) for value in ("0.1", "0.2", "0.5", "1.0")} == dict.fromkeys(
        ("0.1", "0.2", "0.5", "1.0"), 3
    )


def test_the_encoders_are_listed(checkout):
    printed = call(checkout, "list", "encoders")
    assert re.search(
        r"^  conv4 +Conv-4: four 3x3 convolutions .*\n +113k parameters, 28.3 MFLOP an item of size 32, 64 features", printed, re.M
    )
    assert re.search(r"^  conv4x2 +Conv-4, twice as wide", printed, re.M)


@pytest.mark.parametrize("name", ["conv4", "conv4x2"])
def test_the_encoders_facts_are_measured(checkout, name):
    module = module_of(checkout, "add_an_encoder")
    entry = EncoderEntry(name, "plain", module.Plain.offers, **module.VARIANTS[name] | {"facts": Facts(**module.VARIANTS[name]["facts"])})
    with torch.device("meta"):
        encoder = module.build(entry, FACTS_SIZE, in_channels=3, width=1.0, bn_groups=1).eval()
        image = torch.empty(1, 3, FACTS_SIZE, FACTS_SIZE)
        measured = sum(parameter.numel() for parameter in encoder.parameters()), count_flops(lambda: encoder(image)), encoder.dim
        assert [tuple(stage.shape[2:]) for stage in encoder.stages(image)] == [(16, 16), (8, 8), (4, 4), (2, 2)]
        assert len(encoder.stage_modules()) == 4
    assert measured == (entry.facts.parameters, entry.facts.flops, entry.facts.dim)


@pytest.mark.slow
def test_the_encoder_is_run_with(record):
    assert record["spec"]["encoder"] == "conv4" and all(result["value"] > 60 for result in record["results"])


def test_the_data_set_is_listed(checkout):
    assert re.search(r"^  parity +handwritten digits of scikit-learn, even or odd, grey$", call(checkout, "list", "datasets"), re.M)


def test_the_data_set_is_refused_where_it_is_another(checkout, monkeypatch):
    """Its parts are as large as it says; with another digest it is not taken for the original."""
    module = module_of(checkout, "add_a_data_set")
    train, val, test = module.SET.counts
    assert [len(module.read(checkout, part)[1]) for part in ("train", "test")] == [train + val, test]
    monkeypatch.setitem(module.CONTENT, "all", "0" * 16)
    with pytest.raises(UserError, match=r"refused, not the images and labels of parity: content 76b6d8c80f0fb4fa, expected 0{16}"):
        module.read(checkout, "train")


@pytest.mark.slow
def test_the_data_set_is_read_and_run_on(checkout, record):
    printed = call(checkout, "data", "check", "parity")
    assert "1,295" in printed and "143" in printed and "359" in printed
    assert record["spec"]["dataset"] == "parity"
    assert {(result["dataset"], result["n"]) for result in record["results"]} == {("parity", 359)}
