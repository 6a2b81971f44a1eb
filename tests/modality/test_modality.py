"""A modality that the product has not, sine waves, in one file each of data, views, encoder and method: trained, resumed, evaluated and
reported by the core as it is. What does not fit is refused by name, before anything is trained."""

import json
import re
import signal

import pytest

from bench.conformance.case import Case
from bench.conformance.check import checks, name_of, run_check
from bench.data import catalogue
from bench.errors import UserError
from bench.evaluation.evaluators import finetune, finetune_few
from bench.registry import Registry
from bench.training.trainer import Trainer
from places import ROOT
from tests.modality.sets import waves as data

EVALS = "knn,linear,finetune,finetune_last:0,scratch,finetune_few:3"
METHOD, ENCODER = (str(ROOT / f"tests/modality/{name}.py") for name in ("wave_pairs", "wave_encoder"))


class WithWaves(Registry):
    """The known data sets, and one more."""

    def names(self):
        return sorted([*super().names(), "waves"])

    def require(self, name):
        return ROOT / "tests/modality/sets/waves.py" if name == "waves" else super().require(name)

    def load(self, name):
        return data if name == "waves" else super().load(name)


@pytest.fixture
def run(bench, here, monkeypatch):
    """run(command, ...) of the program, which knows the data set: its exit code and what it wrote."""
    monkeypatch.setattr(catalogue, "SETS", WithWaves(catalogue.SETS.kind, catalogue.SETS.package, catalogue.SETS.listed_by))
    return bench


def trained(run, results, *more):
    """The record of ten steps, evaluated on features."""
    described = ("--method", METHOD, "--dataset", "waves", "--budget", "10steps", "--seeds", "0", "--evals", EVALS)
    places = ("--results", results, "--scratch", f"{results}-scratch", "--launcher", "debug")
    code, out, error = run("run", *described, *places, *more)
    return code, out + error, [json.loads(path.read_text()) for path in results.rglob("*.json")]


def test_the_core_trains_resumes_evaluates_and_reports_it(run, here, monkeypatch):
    monkeypatch.setattr(finetune, "STEPS", 20)
    monkeypatch.setattr(finetune_few, "STEPS", 10)
    code, said, (record,) = trained(run, here / "whole")
    assert code == 0 and record["status"] == "done", said
    assert record["spec"]["encoder"].startswith(ENCODER) and record["spec"]["image_size"] == data.LENGTH
    found = {(result["evaluator"], result["split"]): result["value"] for result in record["results"] if result["metric"] == "top1"}
    assert found["knn", "test"] > 60 and found["linear", "test"] > 60, "four classes, which one convolution tells apart"

    assert min(found["finetune", "test"], found["scratch", "test"]) > 60, "its weights too are trained, on waves as they are"
    assert {result["metric"] for result in record["results"]} >= {"top1_last0", "top1_n3"}

    original = Trainer.step

    def step(self, *arguments):
        loss = original(self, *arguments)
        if self.meter.steps == 6:  # in the second epoch, after its hook
            signal.raise_signal(signal.SIGTERM)
        return loss

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", step)
        code, said, records = trained(run, here / "parts")
    assert code != 0 and not records, said
    code, said, (again,) = trained(run, here / "parts")
    assert code == 0, said
    for same in ("id", "weights_sha256", "loss_curve", "results"):
        assert again[same] == record[same]

    code, _, error = run("report", "--results", here / "whole", "--output", here / "pages")
    assert code == 0, error
    assert f"waves · {record['spec']['encoder']} · {data.LENGTH} samples · budget 10 steps" in (here / "pages/leaderboard.md").read_text()


REFUSED = {
    "a method of images": ({"--method": "simclr"}, "simclr takes images, and waves has waves; expected one of random"),
    "an encoder of images": ({"--encoder": "resnet8"}, "resnet8 takes images, and waves has waves; expected a file of your own that"),
    "an evaluator of images": (
        {"--evals": "linear_sgd"},
        "the evaluator 'linear_sgd' takes images, and waves has waves; expected one of calib",
    ),
    "images to transfer to": ({"--evals": "transfer:digits"}, "'transfer:digits': digits has images, and waves, which is trained on, has"),
    "a size": ({"--image-size": "8"}, "a length of 8 samples is too small; expected 16 to 4096"),
    "images for its method": ({"--dataset": "digits"}, "wave_pairs.py takes waves, and digits has images; expected one of all4one, auto"),
    "images for its encoder": (
        {"--dataset": "digits", "--method": "random", "--encoder": ENCODER},
        "takes waves, and digits has images; expected one of convnext",
    ),
}
"""What is asked for, and what the one line says."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_by_name(run, here, what):
    other, says = REFUSED[what]
    asked = {"--method": METHOD, "--dataset": "waves", "--budget": "10steps", "--evals": "knn"} | other
    code, _, error = run("plan", *(word for option in asked.items() for word in option))
    assert code == 2 and says in error and len(error.splitlines()) == 1


def test_all_methods_are_those_that_learn_from_it(run, here):
    code, out, error = run("plan", "--method", "all", "--dataset", "waves", "--budget", "10steps", "--evals", "knn", "--seeds", "0")
    assert code == 0 and "random seed 0" in out and "simclr seed 0" not in out, error


def test_the_document_lists_the_files_with_their_size():
    text, folder = (ROOT / "docs/modalities.md").read_text(), ROOT / "tests/modality"
    listed = dict(re.findall(r"^\| \[.*\]\(\.\./(tests/modality/[\w./]+)\) \| (\d+) \|", text, re.MULTILINE))
    files = [path for path in folder.rglob("*.py") if not path.name.startswith("test_")]
    assert listed == {path.relative_to(ROOT).as_posix(): str(len(path.read_text().splitlines())) for path in files}


def test_a_method_is_checked_with_examples_of_what_it_takes(run, here):
    case = Case(METHOD)
    assert (case.encoder, case.modality.name, case.info.shape, case.narrow) == (ENCODER, "waves", (1, data.LENGTH), 1.0)
    found = [run_check(check, case) for check in checks() if name_of(check) not in ("documented", "imports", "processes")]
    assert [(outcome.name, outcome.reason) for outcome in found if not outcome.passed] == []
    assert Case("random", ENCODER).modality.name == "waves" and Case("random").modality.name == "images"


def test_what_cannot_be_checked_is_said(here, monkeypatch):
    """Without the data set there are no waves; and one who takes waves takes no pixels."""
    with pytest.raises(UserError, match="check has no waves to try WavePairs on; expected what a data set of ours has, with examples"):
        Case(METHOD)
    with pytest.raises(UserError, match="WavePairs takes waves, and resnet8 takes images"):
        Case(METHOD, "resnet8")
    with pytest.raises(UserError, match=r"SimCLR takes images, and .*wave_encoder.py.* takes waves"):
        Case("simclr", ENCODER)


def test_what_is_of_images_alone_says_so(run, here):
    for arguments, says in {
        ("views", METHOD, "--dataset", "waves"): "views draws no waves, which waves has; expected a data set of images",
        ("data", "pack", "waves"): "waves has no image files to pack",
    }.items():
        code, _, error = run(*arguments)
        assert code == 2 and says in error and len(error.splitlines()) == 1
