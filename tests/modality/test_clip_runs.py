"""Clips in the whole program: trained, evaluated, transferred to images as clips of one frame; what does not fit is refused by name."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from bench.data import catalogue
from bench.data.clips import Clips
from bench.data.readers.known import KnownSet
from bench.registry import Registry
from places import ROOT

SIDE, FRAMES = 16, 8
COUNTS = {"train": 60, "val": 20, "test": 30}


def read(root, part):
    """`Entry.read`: a bright square that goes to the right, or to the left."""
    draws, labels = np.random.RandomState(COUNTS[part]), np.arange(COUNTS[part]) % 2
    clips = np.zeros((COUNTS[part], FRAMES, 1, SIDE, SIDE), np.uint8)
    for clip, label in zip(clips, labels, strict=True):
        top, left = draws.randint(SIDE - 4), draws.randint(SIDE)
        for time in range(FRAMES):
            columns = (left + (1 - 2 * label) * time + np.arange(4)) % SIDE
            clip[time, 0, top : top + 4, columns] = 255
    return clips, labels.astype(np.int64), ("right", "left")


SQUARES = KnownSet(
    1,
    SIDE,
    False,
    (60, 20, 30),
    {"all": "0"},
    read,
    "arithmetic",
    classes=2,
    own_val=True,
    encoder="frames_resnet8",
    modality=Clips(FRAMES),
)


class WithSquares(Registry):
    """The known data sets, and one more."""

    def names(self):
        return sorted([*super().names(), "squares"])

    def require(self, name):
        return ROOT / "tests/modality/test_clip_runs.py" if name == "squares" else super().require(name)

    def load(self, name):
        return SimpleNamespace(SET=SQUARES) if name == "squares" else super().load(name)


@pytest.fixture
def run(bench, here, monkeypatch):
    """run(command, ...) of the program, which knows the data set: its exit code and what it wrote."""
    monkeypatch.setattr(catalogue, "SETS", WithSquares(catalogue.SETS.kind, catalogue.SETS.package, catalogue.SETS.listed_by))
    return bench


def test_clips_are_trained_on_evaluated_and_transferred_from(run, here):
    described = ("--method", "video_simclr,one_frame", "--dataset", "squares", "--budget", "3steps", "--seeds", "0", "--batch-size", "16")
    evals = ("--evals", "knn,linear,label_free,few_labels:5,frame_order,transfer:digits")
    places = ("--results", here / "results", "--scratch", here / "scratch", "--launcher", "debug")
    code, out, error = run("run", *described, *evals, *places)
    assert code == 0, out + error
    records = {(found := json.loads(path.read_text()))["spec"]["method"]: found for path in (here / "results").rglob("*.json")}
    for record in records.values():
        assert record["status"] == "done" and record["spec"]["encoder"] == "frames_resnet8"
        there = {(result["evaluator"], result["dataset"]): result for result in record["results"]}
        wanted = {("knn", "squares"), ("linear", "squares"), ("frame_order", "squares"), ("transfer", "digits"), ("few_labels", "squares")}
        assert wanted <= there.keys() and there["frame_order", "squares"]["n"] == 30
        assert any(result["metric"] == "alignment" for result in record["results"])
    assert records["video_simclr"]["cost"]["flops"] > 0
    code, _, error = run("report", "--results", here / "results", "--output", here / "pages")
    assert code == 0 and "squares · frames_resnet8 · 16 px · budget 3 steps" in (here / "pages/leaderboard.md").read_text(), error


REFUSED = {
    "a method of images": ({"--method": "simclr"}, "simclr takes images, and squares has clips; expected one of arrow_of_time, "),
    "a method of clips": ({"--dataset": "digits"}, "video_simclr takes clips, and digits has images; expected one of all4one"),
    "an encoder of images": ({"--encoder": "resnet8"}, "resnet8 takes images, and squares has clips; expected one of frames_resnet18, "),
    "an encoder of whole clips": (
        {"--method": "shuffle_and_learn", "--encoder": "resnet3d_nano"},
        "shuffle_and_learn needs frames of its encoder, which resnet3d_nano does not offer; expected one of frames_resnet18",
    ),
    "an evaluator of images": (
        {"--evals": "robustness"},
        "the evaluator 'robustness' takes images, and squares has clips; expected one of",
    ),
    "an evaluator of clips": (
        {"--method": "simclr", "--dataset": "digits", "--evals": "frame_order"},
        "the evaluator 'frame_order' takes clips, and digits has images; expected one of",
    ),
    "clips to transfer to": (
        {"--method": "simclr", "--dataset": "digits", "--evals": "transfer:squares"},
        "'transfer:squares': squares has clips, and digits, which is trained on, has images",
    ),
    "a clip shorter than the stride": (
        {"--set": "stride=3"},
        "a clip of 8 frames is shorter than 4 frames with a stride of 3, which span 10; expected fewer frames, or a stride of at most 2",
    ),
    "a size": ({"--image-size": "4"}, "a frame size of 4 pixels is too small; expected 8 to 512"),
}
"""What is asked for, and what the one line says."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_by_name(run, here, what):
    other, says = REFUSED[what]
    asked = {"--method": "video_simclr", "--dataset": "squares", "--budget": "10steps", "--evals": "knn", "--batch-size": "16"} | other
    code, _, error = run("plan", *(word for option in asked.items() for word in option))
    assert code == 2 and says in error and len(error.splitlines()) == 1, error


def test_all_methods_of_clips_are_planned_together(run, here):
    asked = ("--method", "all", "--dataset", "squares", "--budget", "10steps", "--evals", "knn", "--seeds", "0", "--batch-size", "16")
    code, out, error = run("plan", *asked)
    planned = {line.split()[3] for line in out.splitlines() if line.strip().startswith("to do")}
    assert code == 0 and planned >= {"time_cpc", "video_simclr", "arrow_of_time", "one_frame", "random"} and "simclr" not in planned, error
