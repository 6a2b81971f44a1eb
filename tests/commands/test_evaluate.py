"""`evaluate`: a stranger's checkpoint from a file to a row that stands apart."""

import json
import pickle
import re

import pytest
import safetensors.torch
import torch

from bench.encoders import factory, foreign
from bench.encoders.libraries import timm as library
from bench.method import build
from bench.records.store import ResultStore
from bench.spec import DatasetInfo
from methods.pretrained import Pretrained
from reports.pages.leaderboard import markdown
from reports.tables.build import build as tables_of

SMALL = ("--dataset", "digits", "--evals", "knn", "--budget", "64images")


@pytest.fixture
def resnet8(here, fixed_weights):
    """A file of weights for resnet8, bare, as `export` writes it."""
    path = here / "theirs.safetensors"
    safetensors.torch.save_file(factory.factory("resnet8", 28)().state_dict(), path)
    return path


def test_one_command_measures_a_file(here, resnet8, bench):
    code, out, err = bench("evaluate", resnet8, "--encoder", "resnet8", *SMALL, "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")
    assert code == 0, err
    assert "theirs.safetensors: format ours, mean 0.5,0.5,0.5" in err and "1 done" in out
    (record,) = ResultStore(here / "results").records()
    assert (record.weights, record.trained, record.deterministic, record.suite) == ("elsewhere", False, True, "theirs.safetensors")
    chosen = record.spec["hyper_parameters"]
    assert chosen["format"] == "ours" and chosen["std"] == "0.25,0.25,0.25" and re.fullmatch("[0-9a-f]{64}", chosen["weights"])
    resnet8.rename(here / "elsewhere.safetensors")
    _, again, _ = bench(
        "evaluate", here / "elsewhere.safetensors", "--encoder", "resnet8", *SMALL, "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25"
    )
    assert "1 in the store" in again, "the path is no part of the id"
    code, _, err = bench(
        "run",
        "--method",
        "random",
        "--encoder",
        "resnet8",
        "--dataset",
        "digits",
        "--seeds",
        "0",
        "--evals",
        "knn",
        "--budget",
        "64images",
        "--launcher",
        "debug",
    )
    assert code == 0, err
    (table,) = tables_of(ResultStore(here / "results").frame())
    assert [(row.label, row.kind) for row in table.rows] == [("random", "floor"), ("pretrained", "elsewhere")]
    page = markdown([table])
    assert "trained elsewhere, not under this budget" in page
    assert f"Trained elsewhere, not under this budget: theirs.safetensors (format ours, SHA-256 {chosen['weights']})" in page


def test_what_does_not_fit_leaves_nothing_behind(here, resnet8, bench):
    code, _, err = bench("evaluate", resnet8, "--encoder", "resnet20", *SMALL)
    assert code == 2 and err.splitlines()[-1].startswith("error: the weights do not fit resnet20 at") and "It fits resnet8 at" in err
    assert not list((here / ".scratch/weights").iterdir()) and not (here / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.pth", "--encoder", "resnet8"), "there is no file of weights 'nowhere.pth'.  Expected safetensors"),
        (
            ("their.safetensors", "--encoder", "resnet8"),
            "weights 'their.safetensors'. Did you mean 'theirs.safetensors'?",
        ),
        ((".", "--encoder", "resnet8"), "'.' is a folder; expected a file of weights"),
        (("theirs.safetensors", "--encoder", "resnet8", "--input-size", "0"), "'--input-size': 0 is not in the range"),
        (("theirs.safetensors", "--encoder", "resnet8", "--mean", "a,b,c"), "mean = a,b,c: expected three numbers"),
        (("theirs.safetensors", "--encoder", "resnet8", "--mean", "nan,0,0"), "mean = nan,0,0: expected 0 to 1"),
        (("theirs.safetensors", "--encoder", "resnet8", "--mean", "123,116,103"), "of 0 to 255 divide by 255"),
        (("theirs.safetensors", "--encoder", "resnet8", "--std", "58,57,57"), "expected at most 1"),
        (("theirs.safetensors", "--encoder", "resnet8", "--evals", "projection"), "pretrained has no projector"),
        (("--encoder", "resnet8"), "expected a file of weights, or --pretrained"),
        (("--encoder", "resnet8", "--pretrained"), "--pretrained is for timm:NAME or torchvision:NAME"),
        (("theirs.safetensors", "--encoder", "resnet88"), "Did you mean 'resnet8'"),
        (("theirs.safetensors", "--encoder", "resnet8", "--format", "mocoo"), "Did you mean 'moco'"),
        (("theirs.safetensors", "--encoder", "resnet8", "--std", "0,1,1"), "a standard deviation is more than 0"),
        (("theirs.safetensors", "--encoder", "resnet8", "--mean", "0.5"), "expected three numbers, one for each channel"),
    ],
)
def test_mistakes_are_one_line(resnet8, bench, arguments, said):
    code, _, err = bench("evaluate", *SMALL, *arguments)
    assert code == 2 and said in err.splitlines()[-1] and not (resnet8.parent / "results").exists()


def test_numbers_that_no_training_gives_and_broken_files_are_refused(here, resnet8, bench, recwarn):
    """Integers would be taken for floating-point numbers, and a negative variance makes features that are no numbers."""
    state = safetensors.torch.load_file(resnet8)
    (here / "cut.safetensors").write_bytes(resnet8.read_bytes()[:2000])
    torch.save(state | {"stem.0.weight": state["stem.0.weight"].to(torch.int8)}, here / "int.pth")
    torch.save(state | {"stem.1.running_var": -state["stem.1.running_var"]}, here / "variance.pth")
    (here / "old.pkl").write_bytes(pickle.dumps({"code": print}, protocol=4))
    for file, said in (
        ("cut.safetensors", "'cut.safetensors' cannot be read as weights"),
        ("int.pth", "the weights have torch.int8 in stem.0.weight; expected floating-point numbers"),
        ("variance.pth", "in stem.1.running_var; expected 0 or more"),
        ("old.pkl", "'old.pkl' is not read"),
    ):
        code, _, err = bench("evaluate", file, "--encoder", "resnet8", *SMALL)
        assert code == 2 and said in err.splitlines()[-1] and "Traceback" not in err, err
    assert not recwarn.list and not (here / "results").exists()


def test_what_a_library_downloads_is_measured_as_a_file_is(here, bench, monkeypatch, fixed_weights):
    """Nothing is downloaded here: timm's loader is put in its place."""
    state = library.create("test_resnet").state_dict()
    monkeypatch.setattr(library, "pretrained", lambda model: state)
    code, _, err = bench("evaluate", "--pretrained", "--encoder", "timm:test_resnet", "--input-size", "32", *SMALL)
    assert code == 0, err
    (record,) = ResultStore(here / "results").records()
    mean, std, _ = library.settings("test_resnet")
    assert record.spec["encoder"] == foreign.entry("timm:test_resnet").name and record.spec["hyper_parameters"]["format"] == "timm"
    assert record.spec["hyper_parameters"]["mean"] == ",".join(f"{value:g}" for value in mean)
    assert record.suite == "pretrained timm:test_resnet" and json.dumps(std)


def test_images_are_normalised_as_the_weights_were_trained_with(fixed_weights):
    data = DatasetInfo(8, 28, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    method = build(Pretrained, factory.factory("resnet8", 28), data, 0, {"mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225"}).eval()
    images = torch.rand(2, 3, 28, 28)
    here, there = (
        [torch.tensor(one).view(3, 1, 1) for one in pair]
        for pair in ((data.mean, data.std), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    )
    with torch.no_grad():
        torch.testing.assert_close(
            method.encode((images - here[0]) / here[1]), method.encoder((images - there[0]) / there[1]), rtol=1e-4, atol=1e-5
        )
