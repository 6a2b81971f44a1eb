"""`compare`: two folders of records side by side, on the committed ones: equal to the last bit, apart by a known amount, of other code."""

import json

import numpy as np
import pandas
import pytest
from click.testing import CliRunner
from scipy import stats

from bench.commands.cli import cli
from bench.records.record import unpack
from bench.records.store import ResultStore
from places import ROOT
from reports.tables.two_folders import side_by_side

METHODS = ["simclr", "byol", "random"]


@pytest.fixture(scope="module")
def frame():
    every = ResultStore(ROOT / "results" / "cifar10").frame()
    return every[every.method.isin(METHODS) & (every.encoder == "resnet8") & every.evaluator.isin(["linear", "knn"])]


def linear_of(frame, method):
    return (frame.method == method) & (frame.evaluator == "linear")


def standings(found):
    return {(pair.setting.split()[-1], pair.column): pair.standing for pair in found.pairs}


def test_a_folder_is_equal_to_itself(frame):
    found = side_by_side(frame, frame)
    assert {pair.standing for pair in found.pairs} == {"equal"} and found.alone == (0, 0) and not found.versions
    assert {pair.setting.split()[4] for pair in found.pairs} == set(METHODS)
    assert all(pair.first == pair.second and pair.difference == 0 and len(pair.seeds) >= 3 for pair in found.pairs)


def test_a_shift_is_found_where_it_is_and_nowhere_else(frame):
    moved = frame.copy()
    moved.loc[linear_of(frame, "byol"), "value"] += 1.0
    pairs = [pair for pair in side_by_side(frame, moved).pairs if pair.standing != "equal"]
    (pair,) = pairs
    assert (pair.column, pair.standing, pair.seeds) == ("linear", "above", (0, 1, 2)) and pair.setting.split()[4] == "byol"
    assert pair.difference == pytest.approx(1.0) and pair.half_width == pytest.approx(0, abs=1e-6)
    (back,) = [pair for pair in side_by_side(moved, frame).pairs if pair.standing != "equal"]
    assert back.standing == "below" and back.difference == pytest.approx(-1.0)


def test_the_interval_is_of_paired_seeds_and_images(frame):
    """One method's numbers in another's place."""
    rows, others = (frame[linear_of(frame, method)].sort_values("seed") for method in ("simclr", "byol"))
    moved = frame.copy()
    moved.loc[rows.index, ["value", "correct"]] = others[["value", "correct"]].to_numpy()
    (pair,) = [pair for pair in side_by_side(frame, moved).pairs if pair.standing != "equal"]
    seeds = others.value.to_numpy() - rows.value.to_numpy()
    right, theirs = (np.stack([unpack(*bits) for bits in zip(each.correct, each.n, strict=True)]).astype(float) for each in (rows, others))
    images = 100 * (theirs - right).mean(axis=0)
    squares = [stats.t.ppf(0.975, len(each) - 1) ** 2 * each.var(ddof=1) / len(each) for each in (seeds, images)]
    assert pair.difference == pytest.approx(seeds.mean()) and pair.half_width == pytest.approx(np.sqrt(sum(squares)))


def test_seeds_that_one_folder_lacks_are_left_out_and_two_say_nothing(frame):
    moved = frame[~(linear_of(frame, "simclr") & (frame.seed == 2))].copy()
    moved.loc[linear_of(moved, "simclr"), "value"] += 5.0
    (pair,) = [pair for pair in side_by_side(frame, moved).pairs if pair.standing != "equal"]
    assert pair.seeds == (0, 1) and pair.standing == "no statement" and pair.half_width is None and pair.difference == pytest.approx(5)


def test_other_code_is_paired_and_said_and_what_is_ambiguous_is_not(frame):
    newer = frame.copy()
    newer.loc[newer.method == "simclr", "method_version"] = "99"
    found = side_by_side(frame, newer)
    assert standings(found) == standings(side_by_side(frame, frame)) and len(found.versions) == 1
    assert found.versions[0].startswith("cifar10 resnet8 3e+12 flops simclr: method_version ") and found.versions[0].endswith(" and 99")
    newest = newer.assign(method_version=newer.method_version.replace("99", "100"))
    found = side_by_side(frame, pandas.concat([newer, newest[newest.method == "simclr"]]))
    assert [name.split()[-1] for name in found.ambiguous] == ["simclr"] and "simclr" not in {
        pair.setting.split()[-1] for pair in found.pairs
    }
    found = side_by_side(frame, frame[frame.method != "byol"])
    assert found.alone == (1, 0)


def test_the_command_lists_what_differs_and_counts_what_is_equal(tmp_path):
    """A record of another value, beside the committed one."""
    source = ROOT / "results" / "cifar10" / "cifar10"
    for path in source.glob("random-*.json"):
        target = tmp_path / "B" / "cifar10" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        record = json.loads(path.read_text())
        for result in record["results"]:
            if (result["evaluator"], result["metric"]) == ("linear", "top1"):
                result["value"] -= 7.0
        target.write_text(json.dumps(record))
    said = CliRunner().invoke(cli, ["compare", str(ROOT / "results" / "cifar10"), str(tmp_path / "B")])
    assert said.exit_code == 0 and "-7" in said.output and "below" in said.output and " equal" in said.output, said.output
    facts = json.loads(CliRunner().invoke(cli, ["compare", str(ROOT / "results" / "cifar10"), str(tmp_path / "B"), "--json"]).output)
    assert {pair["difference"] for pair in facts["pairs"] if pair["standing"] == "below"} == {-7.0} and facts["ambiguous"] == []
    for arguments, text in (
        ([str(tmp_path / "A"), str(tmp_path / "B")], "A' is not there"),
        ([str(tmp_path / "B"), str(tmp_path / "B"), "--columns", "linaer"], "Did you mean 'linear'"),
        ([str(tmp_path / "B"), str(ROOT / "results" / "tiny_imagenet50")], "no setting and seed in common"),
    ):
        said = CliRunner().invoke(cli, ["compare", *arguments], standalone_mode=False)
        assert text in str(said.exception), said.exception
