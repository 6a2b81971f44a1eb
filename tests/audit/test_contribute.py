"""docs/contribute_results.md is followed, from a run to a verified submission; and each thing that can be wrong with one is said."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.audit.consistent import disagreements
from bench.conformance import Outcome
from bench.records import verification
from bench.records.record import Cost, RunRecord, Snapshot, from_text, to_text
from bench.records.store import ResultStore
from bench.spec import RunSpec
from places import ROOT

PAGE = (ROOT / "docs/contribute_results.md").read_text()

METHOD = '''"""Mine: one step towards an image's own mean."""

from bench.method import Method
from bench.spec import Recipe
from bench.views import View


class Mine(Method):
    paper = "none"

    def __init__(self, make_encoder, data):
        super().__init__()
        self.encoder = make_encoder()
        self.views = (View(()),)
        self.recipe = Recipe("sgd", lr=0.01, batch_size=64)

    def loss(self, batch, progress):
        return self.encoder(batch.views[0]).float().square().mean()
'''


def lines_of_the_page() -> list[list[str]]:
    """The commands that it gives, in their order, without the program's name."""
    return [shlex.split(line) for line in re.findall(r"^    run_bench\.py (.+)$", PAGE, re.M)]


def test_the_page_is_followed(bench, here, monkeypatch):
    """But for the checks of the contract, which have tests of their own and take a minute."""
    held = []
    monkeypatch.setattr("bench.conformance.outcomes", lambda case: held.append(case) or [Outcome("loss", True)])
    (here / "mine.py").write_text(METHOD)
    said = {}
    for words in lines_of_the_page():
        more = ["--launcher", "debug", "--evals", "knn"] if words[0] == "run" else []
        code, out, err = bench(*words, *more)
        assert code == 0, f"{words}: {out}{err}"
        said[" ".join(words)] = out + err
    assert len(held) == 2 and len(said) == 6, "check, and accept --run-code, and they alone"
    looked = said["accept results/mine"]
    assert "accepted: 3 records stand in results/mine as unverified" in looked and "whether mine.py keeps the contract" in looked
    assert "by A. Person" not in looked and json.loads((here / "results/mine/submission.json").read_text())["by"] == "A. Person"
    (found,) = verification.standing(here / "results/mine").values()
    assert [each.outcome for each in found] == ["bit-equal"]
    assert bench("accept", "results/mine")[0] == 0, "what a verification leaves is no change of it"
    shown = bench("show", found[0].id, "--results", "results/mine")[1], bench("show", found[0].id, "--results", "results/mine_runs")[1]
    assert "verified    bit-equal, 2" in shown[0] and "by a machine of the same kind" in shown[0] and "verified    not yet" in shown[1]


@pytest.fixture
def packed(bench, here, floors):
    """A submission of the five floors: its folder, and nothing else in results/."""
    code, _, err = bench("submit", "results", "--output", "results/theirs")
    assert code == 0, err
    shutil.rmtree(here / "results/digits")
    return Path("results/theirs")


def refusals(bench, folder) -> list[str]:
    code, out, _ = bench("accept", folder)
    found = [line.removeprefix("wrong  ") for line in out.splitlines() if line.startswith("wrong  ")]
    assert code == bool(found) and ("accepted:" in out) != bool(found)
    return found


def test_a_changed_value_is_named_with_its_line(bench, packed):
    assert refusals(bench, packed) == []
    path = sorted(packed.glob("digits/*.json"))[0]
    path.write_text(re.sub(r'("metric": "top1", "value": )[\d.]+', r"\g<1>99.5", path.read_text(), count=1))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "99.5" in text)
    changed, wrong = refusals(bench, packed)
    assert changed == f"{path}: changed after it was packed"
    assert wrong.startswith(f"{path}: line {line}: knn on digits, test top1: 99.5 is said, and ")


def test_files_that_are_not_as_packed_are_named(bench, here, packed):
    first, second, *_ = sorted(packed.glob("digits/*.json"))
    first.unlink()
    (packed / "more.txt").touch()
    (packed / "digits/link.json").symlink_to(second.name)
    assert refusals(bench, packed)[:3] == [
        f"{packed}/digits/link.json: a link; a submission holds files alone",
        f"{packed}/more.txt: not in submission.json",
        f"{first}: in submission.json, and not there",
    ]


def test_the_same_run_with_other_values_is_refused_and_both_are_named(bench, here, floors):
    assert bench("submit", "results", "--output", "theirs")[0] == 0
    record = from_text(floors[0].read_bytes())
    (result, *_) = record.results
    other = type(result)(**{**vars(result), "correct": None, "value": 1.0})
    floors[0].write_text(to_text(RunRecord(**{**vars(record), "results": (other,)})))
    (said,) = refusals(bench, "theirs")
    assert said.startswith(f"theirs/digits/{floors[0].name} and {floors[0]} are one run with other values: of knn on digits, test top1")


def test_what_nobody_else_has_is_not_packed(bench, here, floors):
    record = from_text(floors[0].read_bytes())
    for changes, said in {
        ("method", str(here / "mine.py")): "a path that nobody else has",
        ("dataset", f"folder:{here}"): "a folder of somebody's own",
        ("protocol", 9): "it is of protocol 9, and tables are of 1",
    }.items():
        spec = RunSpec.from_json(record.spec | dict([changes]))
        ResultStore("one").publish(RunRecord(**{**vars(record), "spec": spec.to_json(), "id": spec.id}))
        code, _, err = bench("submit", "one", "--output", "new")
        assert code == 2 and said in err and len(err.splitlines()) == 1 and not (here / "new").exists(), err
        shutil.rmtree("one")


def test_a_strangers_file_is_read_and_not_run(bench, here, floors):
    record = from_text(floors[0].read_bytes())
    (here / "mine.py").write_text(trap := '"""One."""\nfrom pathlib import Path\n\nPath("ran").touch()\n')
    spec = RunSpec.from_json(record.spec | {"method": "mine.py", "method_version": "1+00000000"})
    ResultStore("one").publish(RunRecord(**{**vars(record), "spec": spec.to_json(), "id": spec.id}))
    assert "mine.py is not the file that made it" in bench("submit", "one", "--output", "new")[2]
    own = verification.digest(here / "mine.py")[:8]
    shutil.rmtree("one")
    spec = spec.replace(method_version=f"1+{own}")
    ResultStore("one").publish(RunRecord(**{**vars(record), "spec": spec.to_json(), "id": spec.id}))
    assert bench("submit", "one", "--output", "new")[0] == 0
    (said,) = refusals(bench, "new")
    assert said.startswith("new/methods/mine.py: line 2: do not import pathlib.Path")
    code, _, _ = bench("accept", "new", "--run-code")
    assert code == 1 and not list(here.rglob("ran")), "what is wrong already is not run either"
    (here / "new/methods/mine.py").write_text(trap + "\n")
    assert any("is not the file that made it" in said for said in refusals(bench, "new"))


def test_what_is_no_submission_is_refused(bench, here, packed):
    assert "'nothing' is no submission" in bench("accept", "nothing")[2]
    text = (packed / "submission.json").read_text()
    (packed / "submission.json").write_text(text.replace('"layout": 1', '"layout": 2'))
    assert "has layout 2, and this version reads layout 1" in bench("accept", packed)[2]
    (packed / "submission.json").write_text("{}")
    code, _, err = bench("accept", packed)
    assert code == 2 and "submission.json: files = " in err and len(err.splitlines()) == 1
    assert "'results/theirs' (--output) is not empty" in bench("submit", "results", "--output", "results/theirs")[2]


TRAINED = sorted((ROOT / "results/figures/digits").glob("simclr-0-*.json"))[0]


def with_cost(record, **changes):
    return {"cost": Cost(**{**vars(record.cost), **changes})}


def with_curve(record, change):
    return {"loss_curve": tuple(change(list(record.loss_curve)))}


CHANGES = {
    "images are not": lambda record: with_cost(record, images=record.cost.images + 1),
    "too few for a run that is done": lambda record: with_cost(record, steps=1, images=record.spec["recipe"]["batch_size"]),
    "more than a last step": lambda record: with_cost(record, steps=10 * record.cost.steps, images=10 * record.cost.images),
    "a meter is below 0": lambda record: with_cost(record, seconds=-1.0),
    "this one has no point": lambda record: {"loss_curve": ()},
    "it ends at": lambda record: with_curve(record, lambda curve: curve[:-1]),
    "a point lies between two steps": lambda record: with_curve(record, lambda curve: [(curve[0][0] * 1.01, 1.0), *curve[1:]]),
    "one after another": lambda record: with_curve(record, lambda curve: [curve[1], curve[0], *curve[2:]]),
    "are more than": lambda record: with_curve(record, lambda curve: [*curve[:1] * 200, *curve[1:]]),
    "is not the hash of the spec": lambda record: {"id": "0" * 16},
    "are listed, and there are results of": lambda record: {"evals": ("knn",)},
    "measured twice": lambda record: {"results": (*record.results, record.results[0])},
    "images, and test has": lambda record: one_result(record, n=100),
    "does not say which images": lambda record: one_result(record, correct=None),
    "not in base64": lambda record: one_result(record, correct="?"),
    "take 45 bytes, and there are 3": lambda record: one_result(record, correct="AAAA"),
    "at 0.5, knn top1: 1 is said": lambda record: {"snapshots": (snapshot_of(record, value=1.0),)},
}


def snapshot_of(record, **changes):
    results = one_result(record, **changes)["results"][:1]
    return Snapshot(asked=0.5, share=0.5, steps=1, images=64, flops=1.0, evals=("knn",), results=results)


def one_result(record, **changes):
    first, *rest = record.results
    return {"results": (type(first)(**{**vars(first), **changes}), *rest)}


@pytest.mark.parametrize("said", CHANGES)
def test_a_record_that_does_not_agree_with_itself_is_found(said):
    record = from_text(TRAINED.read_bytes())
    other = RunRecord(**{**vars(record), **CHANGES[said](record)})
    found = disagreements(other, to_text(other))
    assert any(said in text and re.match(r"line \d+: ", text) for text in found), found


def test_the_committed_records_agree_with_themselves():
    """A part of them, so that this is quick: every fifth, of all folders."""
    paths = sorted((ROOT / "results").glob("*/*/*.json"))[::5]
    assert len(paths) > 150
    assert [said for path in paths for said in disagreements(from_text(path.read_bytes()), path.read_text())] == []


def test_any_loss_is_plausible():
    record = from_text(TRAINED.read_bytes())
    draw = np.random.default_rng(0)
    for losses in (draw.normal(size=100) * 1e6, np.zeros(100), np.arange(100.0)):
        curve = tuple((share, float(loss)) for (share, _), loss in zip(record.loss_curve, losses, strict=False))
        other = RunRecord(**{**vars(record), "loss_curve": curve})
        assert disagreements(other, to_text(other)) == []
