"""`verify`: a committed record is made again to what it says, here and now; one that was changed is found out; what cannot be made again
is said."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from bench.audit.compare import compare
from bench.records import verification
from bench.records.record import RunRecord, from_text, pack, to_text
from bench.records.store import ResultStore
from bench.records.verification import Verification
from bench.spec import RunSpec
from places import ROOT
from reports.tables.settings import Measured, Setting
from reports.tables.statistics import of_repetition, student


def changed(path, **fields):
    """The record there, written again with other fields."""
    record = from_text(path.read_bytes())
    path.write_text(to_text(RunRecord(**{**vars(record), **fields})))


def with_result(path, number, **fields):
    """The same with another result."""
    results = list(from_text(path.read_bytes()).results)
    results[number] = type(results[number])(**{**vars(results[number]), **fields})
    changed(path, results=tuple(results))


def test_a_committed_record_is_made_again(bench, here, floors):
    """What CI verifies of the committed records."""
    before = ResultStore("results").frame()
    run_id = floors[0].stem[-16:]
    code, out, err = bench("verify", run_id[:8], "--results", "results")
    assert code == 0, err
    assert "alone" not in out and f"random seed 0  {run_id}  results/digits/" in out
    (found,) = verification.standing(here / "results")[run_id]
    assert found.outcome in ("bit-equal", "within") and found.holds and found.environment["threads"] == 1
    assert (found.outcome == "bit-equal") == (not found.compared and not found.findings)
    store = ResultStore("results")
    assert store.frame().equals(before) and not store.problems, "no reader takes it for a record"
    again = Verification(**{**vars(found), "outcome": "off"})
    assert verification.write(floors[0], again).name.endswith(".verified-2.jsonl"), "nothing is overwritten"
    assert [each.outcome for each in verification.standing(here / "results")[run_id]] == [found.outcome, "off"]
    changed(floors[0], suite="another")
    assert verification.standing(here / "results") == {}, "it spoke for other bytes"


def test_a_record_that_was_changed_is_found_out(bench, floors):
    """By its own images where the value alone was changed, in the line where it was; else by the run that is made again."""
    with_result(floors[1], 0, value=99.0)
    code, out, _ = bench("verify", floors[1].stem[-16:], "--unrecorded")
    line = next(number for number, text in enumerate(floors[1].read_text().splitlines(), 1) if '"value": 99.0' in text)
    assert code == 1 and f"line {line}: knn on digits, test top1: 99 is said, and " in out and "images are right" in out
    (result, *_) = from_text(floors[2].read_bytes()).results
    with_result(floors[2], 0, value=100.0, correct=pack(np.ones(result.n, dtype=bool)))
    code, out, _ = bench("verify", floors[2].stem[-16:], "--unrecorded", "--json")
    (said,) = json.loads(out)["runs"]
    assert code == 1 and said["outcome"] == "off" and said["written"] is None
    assert [(each["metric"], each["value"], each["outcome"]) for each in said["compared"] if each["outcome"] == "off"] == [
        ("top1", 100.0, "off")
    ]


def test_what_cannot_be_made_again_is_looked_at_alone(bench, here, floors):
    record = from_text(floors[3].read_bytes())
    spec = RunSpec.from_json(record.spec).replace(method_version="0")
    path = ResultStore("old").publish(RunRecord(**{**vars(record), "spec": spec.to_json(), "id": spec.id}))
    changed(path, environment={**record.environment, "commit": "0" * 40})
    code, out, _ = bench("verify", spec.id, "--results", "old")
    assert code == 0 and "commit 000000000000 is gone" in out and "looked at: id and spec, budget and meters" in out
    assert "not made again: it was made with version 0 of random, and the code has 1" in out
    assert not list(here.glob("old/*/*.jsonl"))


def test_a_draw_is_its_seeds_and_counts_what_it_passes_over(bench, here, floors, monkeypatch):
    monkeypatch.setattr("bench.audit.verify.make", lambda record, *rest: record)
    draw = ("verify", "2", "--unrecorded", "--seed", "7", "--json")
    first, second = (json.loads(bench(*draw)[1]) for _ in range(2))
    assert first == second and first["seed"] == 7 and len({run["id"] for run in first["runs"]}) == 2
    assert json.loads(bench(*draw[:4], "8", "--json")[1])["runs"] != first["runs"]
    for path in floors:
        spec = RunSpec.from_json(from_text(path.read_bytes()).spec).replace(protocol=9)
        ResultStore("later").publish(RunRecord(**{**vars(from_text(path.read_bytes())), "spec": spec.to_json(), "id": spec.id}))
    code, _, err = bench("verify", "9", "--results", "later", "--unrecorded")
    assert code == 0 and "5 passed over: it is of protocol 9, and the code has 1" in err and "9 were asked for, and 0 can be" in err


def test_what_cannot_be_understood_is_refused(bench, here, floors):
    shutil.copytree(here / "results", here / "others")
    with_result(here / "others/digits" / floors[0].name, 0, value=99.0)
    (here / "full").mkdir()
    (here / "full/mine").touch()
    refused = {
        (
            "2",
            "--results",
            "results",
            "--results",
            "others",
        ): f"{floors[0]} and others/digits/{floors[0].name} are one run",
        ("2", "--output", "full"): "'full' (--output) is not empty",
        ("abcdef", "--seed", "1"): "--seed is for a draw",
        ("zz",): "results has no runs whose id begins with 'zz'",
        ("1", "--results", "none"): "the results folder 'none' (--results) is not there",
    }
    for arguments, said in refused.items():
        code, _, err = bench("verify", *arguments)
        assert code == 2 and said in err and len(err.splitlines()) == 1, err


def test_a_strangers_method_is_run_only_when_asked_for(bench, here):
    """And from the folder of its records, whatever the working directory."""
    (here / "mine.py").write_text(FLOOR)
    code, _, err = bench("run", "--method", "mine.py", "--dataset", "digits", "--budget", "64images", "--seeds", "0", *QUICK)
    assert code == 0, err
    (path,) = (here / "results/digits").glob("*.json")
    (here / "ran").unlink()
    shutil.move(here / "mine.py", (here / "results/methods").mkdir() or here / "results/methods/mine.py")
    code, out, _ = bench("verify", "1")
    assert code == 0 and not (here / "ran").exists()
    code, out, _ = bench("verify", path.stem[-16:], "--run-code")
    assert code == 0 and "bit-equal" in out and (here / "results/methods/ran").exists()
    (here / "results/methods/mine.py").write_text(FLOOR + "\n")
    code, out, _ = bench("verify", path.stem[-16:], "--run-code")
    assert "not made again: mine.py is not the file that made it" in out


def test_a_run_that_diverged_diverges_again(bench, here):
    told = ("--method", "rotation", "--dataset", "digits", "--image-size", "16", "--budget", "1000images", "--seeds", "0")
    code, _, err = bench("run", *told, "--set", "recipe.lr=1e30", "--set", "recipe.warmup=0", *QUICK)
    (path,) = (here / "results/digits").glob("*.json")
    record = from_text(path.read_bytes())
    assert record.status == "diverged" and not record.evals, err
    code, out, _ = bench("verify", record.id, "--unrecorded")
    assert code == 0 and "bit-equal, by a machine of the same kind" in out, out
    changed(path, error="loss is nan at step 1000")
    code, out, _ = bench("verify", record.id, "--unrecorded")
    assert "'loss is nan at step 1000', and made again" in out and "bit-equal" not in out


QUICK = ("--evals", "knn", "--launcher", "debug")
FLOOR = '''"""A floor that leaves a trace."""
from pathlib import Path

from bench.method import Floor

Path("ran").touch()


class Mine(Floor):
    def __init__(self, make_encoder, data):
        super().__init__()
        self.encoder = make_encoder()
'''


def result_of(values, seed=0):
    """What `compare` is told of the other seeds."""
    rows = [Measured("knn", "digits", "test", "top1", number, value, None, 4, None, str(number)) for number, value in values.items()]
    return Setting((), [], rows)


@pytest.mark.parametrize(("again", "outcome"), [(50.0, "bit-equal"), (25.0, "within"), (100.0, "off")])
def test_the_interval_is_that_of_two_runs_of_one_seed(floors, again, outcome):
    """Written out: twice the variance over seeds, the smaller of what the record and the run made again make with the others."""
    record = from_text(floors[0].read_bytes())
    (result, *_) = record.results
    one = type(result)(**{**vars(result), "value": 50.0, "correct": None})
    other = type(result)(**{**vars(one), "value": again})
    made = [RunRecord(**{**vars(record), "results": (each,), "weights_sha256": str(each.value)}) for each in (one, other)]
    others = {1: 40.0, 2: 60.0, 3: 45.0, 4: 55.0}
    found = compare(made[:1], made[1], result_of(others))
    assert found.outcome == outcome and found.numbers == 1
    if outcome != "bit-equal":
        variance = np.var([*others.values(), 50.0], ddof=1)
        assert found.compared[0].half_width == pytest.approx(student(4) * np.sqrt(2 * variance))
        assert compare(made[1:], made[0], result_of(others)).compared[0].half_width == found.compared[0].half_width
    assert compare(made[:1], made[1], result_of({1: 40.0})).outcome == ("bit-equal" if again == 50.0 else "undecided")
    same_weights = RunRecord(**{**vars(made[1]), "weights_sha256": "50.0"})
    assert compare(made[:1], same_weights, result_of(others)).outcome == ("bit-equal" if again == 50.0 else "off"), "seeds have no part"


def test_images_widen_the_interval_and_alone_make_that_of_a_constant():
    draw = np.random.default_rng(0)
    difference = 100.0 * draw.integers(-1, 2, size=400)
    images = student(399) ** 2 * difference.var(ddof=1) / 400
    assert of_repetition((1.0, 2.0), np.array([]), difference, constant=True) == pytest.approx(np.sqrt(images))
    seeds = student(2) ** 2 * 2 * np.var([2.0, 4.0, 1.0], ddof=1)
    assert of_repetition((1.0, 9.0), np.array([2.0, 4.0]), difference) == pytest.approx(np.sqrt(seeds + images))
    assert of_repetition((1.0, 9.0), np.array([2.0]), difference) is None


def test_ci_makes_a_record_again():
    """Through the target that a person has, with a draw that can be had again."""
    (said,) = re.findall(r"^make verify (.+)$", (ROOT / ".ci/run").read_text(), re.M)
    assert said.startswith("COUNT=1 ") and "SEED=" in said
    (recipe,) = re.findall(r"^\t.+ run_bench.py verify (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert recipe == "$(COUNT) --at-most $(AT_MOST) --unrecorded $(if $(SEED),--seed $(SEED))"


def test_the_readme_describes_every_field():
    section = (ROOT / "results/README.md").read_text().split("## Verification\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.M)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == [field.name for field in dataclasses.fields(Verification)]
