"""The command `figure`: NAME@SCALE as a suite, which records belong to which arm, what is drawn, and what a mistake is answered with."""

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

import methods
from bench.commands import figure as command
from bench.commands import figure_records, figure_scales, figure_together
from bench.commands.figure_records import Known, find
from bench.data import catalogue
from bench.data.dataset import DataSet
from bench.errors import UserError, unknown
from bench.plan.complete import complete
from bench.records.record import Cost, Result, RunRecord, pack
from bench.records.store import ResultStore
from bench.spec import RunSpec
from places import ROOT
from reports import papers
from reports.claims import reference
from reports.claims.figure import EVALS, Arm, Figure, Records, Scale
from reports.claims.rules import Above

SEEDS = (0, 1, 2)
N = 359
"""Test images of digits."""

TINY = Scale("digits", "2steps", "a minute", "Small digits.", "resnet8", image_size=16, seeds=SEEDS, recipe={"batch_size": 16})
LEVELS = {f"level {level}": Arm("denoising_ae", x=level, hyper_parameters={"level": level}) for level in (0.25, 0.5)}
FIGURE = Figure(
    paper="arXiv:0000.00000",
    place="Table 1",
    claim="Hiding more of the image is better",
    axis="hidden",
    measure="linear",
    arms=LEVELS,
    rules=(Above("level 0.5", "level 0.25"),),
    scales={"tiny": TINY, "large": replace(TINY, dataset="cifar10", budget="20epochs", image_size=None)},
    learned=("level 0.5",),
    unit="top-1, %",
)
PUBLISHED = """\
figure,series,x,y,unit,source,confidence
hidden,,0.25,60.5,"top-1, %",github:a/b@c:d,copy
hidden,,0.5,70,"top-1, %",x,paper
"""


def load(name: str) -> Figure:
    if name != "hidden":
        raise unknown("figure", name, ["hidden"])
    return FIGURE


@pytest.fixture
def hidden(monkeypatch, here):
    """A figure of the test's own, the only one there is, in an empty working directory."""
    monkeypatch.setattr(papers, "names", lambda: ["hidden"])
    monkeypatch.setattr(papers, "load", load)
    (here / "figures.csv").write_text(PUBLISHED)
    monkeypatch.setattr(reference, "FILE", here / "figures.csv")
    return FIGURE


def record(run: RunSpec, accuracy: float, status: str = "done", **facts) -> RunRecord:
    """Of a complete spec, whose accuracies are near this one."""
    drawn = np.random.default_rng([run.seed, round(10 * accuracy)]).random(N) < accuracy / 100
    facts_of = {
        "dataset": run.dataset,
        "split": "test",
        "metric": "top1",
        "value": 100 * float(drawn.mean()),
        "n": N,
        "correct": pack(drawn),
    }
    results = tuple(Result(evaluator=name, **facts_of) for name in ("linear", "knn")) if status == "done" else ()
    return RunRecord(
        id=run.id, spec=run.to_json(), suite="hidden@tiny", status=status, evals=("linear", "knn", "label_free"), results=results,
        cost=Cost(steps=2, images=32, flops=1e9, seconds=3.0, cpu_seconds=2.0, evaluation_seconds=1.0), hardware={"model": "Xeon"},
        trained=run.recipe is not None, **facts,
    )  # fmt: skip


def records(scale: str = "tiny", **accuracies) -> list[RunRecord]:
    """Of every run that the figure asks for."""
    means = {"level 0.25": 50.0, "level 0.5": 80.0, "floor random": 30.0, "floor random_rescaled": 40.0} | accuracies
    built: dict = {}
    specs = figure_scales.specs(FIGURE, scale)
    return [record(complete(spec, built=built), means[arm]) for arm, by_seed in specs.items() for spec in by_seed.values()]


def put(made, folder="results/figures") -> None:
    store = ResultStore(folder)
    for one in made:
        store.publish(one)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_scale_of_a_figure_is_a_suite(hidden):
    suite = figure_together.load("hidden@tiny", catalogue.DataSets())
    assert (suite.evals, suite.results) == (("knn", "linear", "label_free"), "results/figures")
    assert [(run.method, run.seed) for run in suite.runs[:4]] == [("random", 0), ("random_rescaled", 0), *[("denoising_ae", 0)] * 2]
    assert len(suite.runs) == 4 * len(SEEDS) and {str(run.budget) for run in suite.runs[2:4]} == {"2 steps"}
    assert [run.hyper_parameters for run in suite.runs[2:4]] == [{"level": 0.25}, {"level": 0.5}]
    assert all(run.recipe_changes == ({} if "random" in run.method else {"batch_size": 16}) for run in suite.runs)
    assert figure_scales.all_suites() == ["hidden@tiny", "hidden@large"]
    # A floor that is an arm too is one run.
    floors = replace(FIGURE, arms={**LEVELS, "untrained": Arm("random", x=0)})
    assert sum(run.method == "random" for run in figure_scales.suite_of(floors, "tiny").runs) == len(SEEDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan", "hidden@tinny"], "unknown scale of hidden 'tinny'. Did you mean 'tiny'?"),
        (["plan", "hiden@tiny"], "unknown figure 'hiden'. Did you mean 'hidden'?"),
        (["run", "hidden"], "'hidden' is a figure: expected one of its scales, hidden@SCALE"),
        (["run", "hidden@tiny", "--budget", "2steps"], "describes its runs itself; leave out --budget"),
        (["run", "hidden@tiny", "--seeds", "99"], "the suite 'hidden@tiny' has no run at seed 99 of these methods; it has 0, "),
        (["figure", "run", "hiden"], "unknown figure 'hiden'. Did you mean 'hidden'?"),
        (["figure", "plan", "hidden", "--scale", "larg"], "unknown scale of hidden 'larg'. Did you mean 'large'?"),
        (["figure", "list", "--scale", "larg"], "unknown scale 'larg'. Did you mean 'large'?"),
        (["figure", "run", "hidden", "--scale", "large"], "cifar10 is not under 'data'"),
        (["figure", "drew", "hidden"], "unknown command 'drew'. Did you mean 'draw'?"),
        (["figure", "draw", "hiden"], "unknown figure 'hiden'. Did you mean 'hidden'?"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(bench, hidden, here, arguments, expected):
    code, out, err = bench(*arguments)
    assert code == 2 and expected in err and err.count("\n") == 1 and "Traceback" not in err, (out, err)
    assert list(files_below(here)) == ["figures.csv"]


def test_a_scale_of_records_takes_a_suites_runs():
    arms = {"on": Arm("jigsaw", x="on"), "off": Arm("jigsaw", x="off", hyper_parameters={"normalise": False})}
    figure = replace(FIGURE, arms=arms, scales={"records": Records("tiny_imagenet50", "Smaller.", encoder="resnet8")})
    found = figure_scales.specs(figure, "records")
    assert {arm: [(run.seed, run.hyper_parameters) for run in by_seed.values()] for arm, by_seed in found.items() if arm in arms} == {
        "on": [(seed, {}) for seed in SEEDS],
        "off": [(seed, {"normalise": False}) for seed in SEEDS],
    }
    assert [run.method for run in found["floor random"].values()] == ["random"] * 3
    suite = figure_scales.suite_of(figure, "records")
    assert (len(suite.runs), suite.results) == (12, "results/tiny_imagenet50") and "stages" in suite.evals
    # A default that is said is the default.
    said = Arm("jigsaw", x="on", hyper_parameters={"normalise": True})
    assert len(figure_scales.specs(replace(figure, arms={"on": said}), "records")["on"]) == 3
    for arm, expected in ((Arm("byol", x=0), "has no run of 'it'; expected one of byol"), (Arm("simclr", x=0), "several runs of simclr")):
        records = Records("tiny_imagenet50" if arm.method == "byol" else "cifar10", "d")
        with pytest.raises(UserError, match=expected):
            figure_scales.specs(replace(figure, arms={"it": arm}, scales={"records": records}), "records")


def test_records_are_found_without_the_data_set_and_older_versions_are_left_out(monkeypatch, tmp_path):
    """The committed ones of CIFAR-10, whose files are nowhere."""
    monkeypatch.setenv("SSLBENCH_DATA", str(tmp_path))
    arms = {name: Arm(name, x=name) for name in ("split_brain", "jigsaw")}
    figure = replace(FIGURE, arms=arms, scales={"records": Records("cifar10", "d", encoder="resnet8")})
    frame = ResultStore(ROOT / "results" / "cifar10").frame()
    frame = frame[(frame.method != "jigsaw") | (frame.method_version == "1")]
    found = find(figure_scales.specs(figure, "records"), Known(frame))
    assert {arm: sorted(by_seed) for arm, by_seed in found.runs.items()} == {
        **{"split_brain": [0, 1, 2], "jigsaw": []},
        **{"floor random": [0, 1, 2], "floor random_rescaled": [0, 1, 2]},
    }
    for arm, method in (("split_brain", "split_brain"), ("floor random", "random")):
        rows = frame[frame.id.isin(found.runs[arm].values())]
        assert set(rows.method) == {method} and set(rows.encoder) == {"resnet8"}
    assert found.left_out == ("3 records of jigsaw of version 1, where 2 is asked for",)
    assert found.wanted["jigsaw"] == SEEDS


def test_what_decides_a_run_decides_which_record_is_an_arms(hidden):
    """A run of another length, precision, setting or recipe is none of the figure's; one of another protocol is said."""
    right = records()
    other = RunSpec.from_json(right[2].spec)
    changes = ({"precision": "bf16"}, {"hyper_parameters": {**other.hyper_parameters, "level": 0.3}}, {"protocol": 2})
    changes += ({"recipe": replace(other.recipe, lr=9.0)}, {"budget": replace(other.budget, amount=3.0)})
    put([record(other.replace(**change), 99.0) for change in changes])
    found = find(figure_scales.specs(FIGURE, "tiny"), Known(ResultStore("results/figures").frame()))
    assert not any(found.runs.values())
    assert found.left_out == ("1 record of denoising_ae of protocol 2, where 1 is asked for",)
    put(right)
    found = find(figure_scales.specs(FIGURE, "tiny"), Known(ResultStore("results/figures").frame()))
    assert sum(map(len, found.runs.values())) == 12


def test_drawing_is_a_function_of_the_records(bench, hidden, here, monkeypatch):
    put(records())
    code, out, err = bench("figure", "draw", "all")
    assert code == 0 and "6 of 6 files" in out, err
    drawn = files_below(here / "docs")
    assert sorted(drawn) == ["figures.md", *(f"figures/hidden.{kind}" for kind in ("csv", "json", "md", "png", "svg"))]
    assert bench("figure", "draw", "all", "--check")[0] == 0
    # The same records, written in another order, elsewhere.
    put(reversed(records()), "others")
    code, out, err = bench("figure", "draw", "all", "--results", "others", "--output", "again/figures")
    assert code == 0 and files_below(here / "again") == drawn, err
    page = drawn["figures/hidden.md"].decode()
    assert "not run" in page and "run_bench.py figure run hidden --scale tiny" in page and "![" in page
    assert "read in a secondary copy" in page and "read in the paper" in page and "shape only" not in page
    rows = drawn["figures/hidden.csv"].decode().splitlines()
    assert rows[1].startswith('published,,,0.25,,"top-1, %",,60.5')
    assert sum(row.startswith("tiny,level 0.5,,0.5,linear,") for row in rows) == 3
    said = json.loads(drawn["figures/hidden.json"])
    tiny = next(scale for scale in said["scales"] if scale["scale"] == "tiny")
    assert said["figure"] == "hidden" and len(said["numbers"]) == len(rows) - 1 and tiny["runs"] == len(tiny["made_of"]["runs"]) == 12
    # One page alone, and one that somebody changed.
    (here / "docs/figures/hidden.md").write_text("mine")
    code, _, err = bench("figure", "draw", "hidden", "--check")
    assert code == 1 and "error: docs/figures/hidden.md is not as it would be drawn" in err and "hidden.svg" not in err
    (here / "docs/figures.md").unlink()
    assert bench("figure", "draw", "hidden")[0] == 0 and not (here / "docs/figures.md").exists()
    code, _, err = bench("figure", "draw", "all", "--check")
    assert code == 1 and "docs/figures.md is not" in err and "hidden.md" not in err


def test_with_runs_missing_what_is_there_is_drawn_and_nothing_judged(bench, hidden, here):
    made = records()
    put(made[:5])
    code, out, err = bench("figure", "draw", "hidden")
    assert code == 0 and "tiny       5 of 12 runs: " in out, err
    page = (here / "docs/figures/hidden.md").read_text()
    assert "5 of 12 runs are there: nothing is judged." in page and "reproduced" not in page
    # One that failed, or diverged, is not there either.
    put([record(RunSpec.from_json(made[5].spec), 0.0, status="diverged", error="NaN loss at step 1"), *made[6:]])
    code, out, _ = bench("figure", "draw", "hidden")
    assert code == 0 and "tiny       11 of 12 runs: " in out


def test_the_list_says_what_a_claim_costs_and_what_was_found(bench, hidden):
    put(records())
    code, out, _ = bench("figure", "list")
    assert code == 0 and "Hiding more of the image is better" in out and "a minute" in out and "not run" in out
    code, out, _ = bench("figure", "list", "--ready", "--json")
    (one,) = json.loads(out)
    assert list(one["scales"]) == ["tiny"] and one["scales"]["tiny"]["runs"] == 12, "CIFAR-10 is not here"


def test_what_runs_came_to_is_kept_for_the_next_command(bench, hidden, here, monkeypatch):
    """No method is built again, whatever is asked next; another revision of the data is another run."""
    put(records())
    first = bench("figure", "list", "--json")
    assert list(here.glob(".scratch/completions-*.json"))
    monkeypatch.setattr(figure_records, "complete", lambda spec, data, **_: pytest.fail(f"{spec.method} is built for {data.revision}"))
    assert bench("figure", "list", "--json") == first and '"runs": 12' in first[1]
    assert bench("figure", "draw", "hidden")[0] == 0
    known = DataSet(replace(catalogue.entry("digits"), revision="another"), here)
    with pytest.raises(pytest.fail.Exception, match="random is built for another"):
        figure_records.Completions().run(TINY.spec(Arm("random", 0), 0), known)


def test_a_record_from_before_a_change_that_no_version_says_counts(hidden, monkeypatch):
    """Of the file itself, and of one that a method is made of."""
    put(records())
    monkeypatch.setattr(figure_records, "complete", lambda spec, **_: (run := complete(spec)).replace(
        method_version=f"{run.method_version}+0123abcd"))  # fmt: skip
    found = find(figure_scales.specs(FIGURE, "tiny"), Known(ResultStore("results/figures").frame()))
    assert sum(map(len, found.runs.values())) == 12
    assert figure_records.UNSAID.sub("", "1+npid1+0123abcd+rotation2+89abcdef") == "1+npid1+rotation2"


def test_a_run_is_drawn_whatever_came_of_it(bench, hidden, here, monkeypatch):
    """Exit code 0 whatever the verdict, 1 where a run failed; what is there is drawn in both cases."""
    asked = []

    @click.pass_context
    def run(context, **options):
        asked.append(options)
        put(records()[:3])
        if len(asked) == 2:
            raise SystemExit(1)

    monkeypatch.setattr(command, "run_runs", click.Command("run", callback=run, params=command.run_runs.params))
    for expected in (0, 1):
        code, out, err = bench("figure", "run", "hidden", "--scale", "tiny", "--workers", "1")
        assert code == expected and "tiny       3 of 12 runs: " in out, err
        assert (here / "docs/figures/hidden.md").is_file()
    assert asked[0]["suite"] == "hidden@tiny" and asked[0]["workers"] == 1 and asked[0]["launcher"] is None
    code, out, _ = bench("figure", "run", "hidden", "--scale", "tiny", "--launcher", "slurm")
    assert code == 0 and "then   run_bench.py figure draw hidden" in out, "nothing is there to be drawn yet"


OTHER = replace(
    FIGURE,
    arms={
        "little": Arm("denoising_ae", x=0.25, hyper_parameters={"level": 0.25}),
        "by itself": Arm("denoising_ae", x="by itself", hyper_parameters={"level": 0.75}),
    },
    rules=(Above("by itself", "little"),),
    learned=(),
    scales={"tiny": replace(TINY, evals=(*EVALS, "stages"), recipe={"batch_size": 16, "lr": 0.001}, budget="3steps"), "cpu": TINY},
)
"""The floors of FIGURE, and at `cpu` one of its runs, which the others are not of."""


@pytest.fixture
def two(monkeypatch, hidden):
    monkeypatch.setattr(papers, "names", lambda: ["hidden", "other"])
    monkeypatch.setattr(papers, "load", lambda name: {"hidden": FIGURE, "other": OTHER}[name])


def test_untrained_encoders_are_one_run_of_figures_of_any_length():
    short, long = (figure_scales.specs(replace(FIGURE, scales={"tiny": scale}), "tiny") for scale in (TINY, replace(TINY, budget="9steps")))
    assert short["floor random"] == long["floor random"] and short["level 0.5"] != long["level 0.5"]


def test_all_figures_together_ask_for_each_run_once(two, here):
    """With every evaluator that one of them asks of it, in one suite of each list."""
    found = figure_together.suites_of("tiny", catalogue.DataSets())
    assert {name: (suite.evals, len(suite.runs)) for name, suite in found.items()} == {
        "all@tiny": (EVALS, 2 * len(SEEDS)),
        "all@tiny+stages": ((*EVALS, "stages"), 4 * len(SEEDS)),
    }
    assert {run.method for run in found["all@tiny"].runs} == {"denoising_ae"}, "the floors are measured by stages too, once"
    assert figure_together.load("all@tiny+stages", catalogue.DataSets()) == found["all@tiny+stages"]
    with pytest.raises(UserError, match=re.escape("unknown suite 'all@tiny+stage'. Did you mean 'all@tiny+stages'?")):
        figure_together.load("all@tiny+stage", catalogue.DataSets())


def test_a_run_that_one_figure_spells_out_and_another_leaves_to_the_method_is_one(two, monkeypatch):
    level = inspect.signature(methods.load("denoising_ae").__init__).parameters["level"].default
    said = replace(OTHER, arms={"said": Arm("denoising_ae", x=0, hyper_parameters={"level": level}), "unsaid": Arm("denoising_ae", x=1)})
    monkeypatch.setattr(papers, "load", lambda name: said)
    assert len(figure_together.suites_of("cpu", catalogue.DataSets())["all@cpu"].runs) == 3 * len(SEEDS)


def test_a_plan_of_all_figures_is_one(bench, two):
    code, out, err = bench("figure", "plan", "all", "--scale", "tiny")
    assert code == 0 and "all    2 figures at tiny: hidden, other\n" in out and "suite  all@tiny+stages\n" in out, err
    assert "total  18 runs, 18 to do: about " in out and "\nnot " not in out
    code, out, _ = bench("figure", "plan", "all")
    assert code == 0 and "not    hidden: no scale cpu\n" in out and "total  12 runs" in out
    code, _, err = bench("figure", "plan", "all", "--scale", "tinny")
    assert code == 2 and "unknown scale 'tinny'. Did you mean 'tiny'?" in err


def test_a_run_of_all_figures_is_one_of_each_suite_and_draws_those(bench, two, here, monkeypatch):
    asked = []

    @click.pass_context
    def run(context, **options):
        asked.append(options["suite"])
        raise SystemExit(len(asked) == 1)

    monkeypatch.setattr(command, "run_runs", click.Command("run", callback=run, params=command.run_runs.params))
    code, _, err = bench("figure", "run", "all", "--scale", "tiny")
    assert (code, sorted(asked)) == (1, ["all@tiny", "all@tiny+stages"]), err
    assert (here / "docs/figures/other.md").is_file() and (here / "docs/figures/hidden.md").is_file()
    assert bench("figure", "run", "all")[0] == 0 and asked[2:] == ["all@cpu"]


@pytest.mark.slow
def test_a_figure_from_nothing_to_its_page(bench, hidden, here, monkeypatch):
    small = replace(FIGURE, scales={"tiny": replace(TINY, seeds=(0,), evals=("knn",), arms=("level 0.5",))})
    monkeypatch.setattr(papers, "load", lambda name: small)
    code, out, err = bench("figure", "run", "hidden", "--scale", "tiny", "--launcher", "debug")
    assert code == 0 and "done   3 done; records in results/figures" in out and "tiny       no verdict: " in out, err
    code, out, _ = bench("status", "hidden@tiny")
    assert code == 0 and "3 runs: 3 done" in out
    code, out, _ = bench("figure", "plan", "hidden", "--scale", "tiny")
    assert "3 in the store (results/figures), 0 to do" in out and "gate   level 0.5 above" in out
    assert "| floor random_rescaled" in (here / "docs/figures/hidden.md").read_text()
