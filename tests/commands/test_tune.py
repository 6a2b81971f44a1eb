"""The command `tune`: trials as a suite, what is chosen from records, what it writes, and what is refused before anything runs."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from bench.commands import figure_together, tuning_pages
from bench.commands import tune as command
from bench.commands.request import Request
from bench.commands.run import run as run_command
from bench.commands.tuning import Tuning
from bench.data import catalogue
from bench.errors import UserError
from bench.evaluation import frozen_encoder
from bench.plan.complete import complete
from bench.records.record import Cost, Result, RunRecord
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.place import Place
from bench.search.seeds import TRIAL_SEEDS
from bench.search.trials import Effort, spec_at
from bench.spec import Budget, RunSpec
from bench.suites import _tuned
from bench.suites import label as label_of

EFFORT = Effort(1, 3)
ASKED = ("rotation", "--dataset", "digits", "--budget", "4steps", "--precision", "float32", "--studies", "1", "--trials", "3")
SPEC = RunSpec(method="rotation", dataset="digits", budget=Budget("steps", 4), precision="float32")

SUITE = '''"""Two methods, each as it is."""

from bench.spec import Budget, RunSpec
from bench.suites import Suite

FACTS = {"dataset": "digits", "budget": Budget("steps", 4), "precision": "float32"}


def suite():
    runs = tuple(RunSpec(method=name, seed=seed, **FACTS) for name in ("rotation", "random") for seed in (SEEDS))
    return Suite(runs, ("linear",), "results/mine")
'''


@pytest.fixture
def mine(here):
    """A suite in a file of one's own."""
    Path("mine.py").write_text(SUITE.replace("SEEDS", "5, 6, 7"))
    return "mine.py"


def record(run: RunSpec, evaluator: str, split: str, accuracy: float | None) -> RunRecord:
    """Of a complete spec; None: it diverged."""
    facts = {"evaluator": evaluator, "dataset": run.dataset, "split": split, "n": 100}
    metric = "linear_top1" if evaluator == "validation" else "top1"
    results = () if accuracy is None else (Result(metric=metric, value=accuracy, **facts),)
    return RunRecord(
        id=run.id, spec=run.to_json(), suite="adhoc", status="diverged" if accuracy is None else "done", evals=(evaluator,),
        results=results, cost=Cost(steps=4, images=64, flops=2e9, seconds=1.0),
    )  # fmt: skip


def accuracy_of(run: RunSpec) -> float | None:
    """The higher the rate the better, and more than a percent beyond noise; the very highest diverges."""
    if run.recipe.lr > 8:
        return None
    return 50 + 10 * run.recipe.lr**0.5 + (0.1 if run.seed == TRIAL_SEEDS[0] else -0.1)


def publish(tuning: Tuning, folder: str) -> None:
    """A record of each trial that there is."""
    store, built = ResultStore(folder), {}
    for spec in tuning.specs:
        run = complete(spec, built=built, tried=False)
        store.publish(record(run, "validation", "val", accuracy_of(run)))


def searched(folder: str = "results", asked: RunSpec = SPEC) -> Tuning:
    """Two rounds, with records."""
    tuning = Tuning([asked], EFFORT, Path(folder), catalogue.DataSets())
    publish(tuning, folder)
    tuning.look()
    publish(tuning, folder)
    tuning.look()
    return tuning


def test_trials_are_made_of_the_method_alone_and_a_second_round_of_the_firsts_records(here):
    tuning = Tuning([SPEC, SPEC.replace(seed=1), SPEC.replace(method="random")], EFFORT, Path("results"), catalogue.DataSets())
    assert len(tuning.searches) == 1 and len(tuning.specs) == 4 * 2
    assert [spec.seed for spec in tuning.specs[:4]] == [*TRIAL_SEEDS] * 2 and tuning.specs[0] == SPEC.replace(seed=TRIAL_SEEDS[0])
    publish(tuning, "results")
    tuning.look()
    (first,) = tuning.outcomes
    best = max((one for one in first.scored if one.values), key=lambda one: one.trial.values["lr"])
    assert len(first.trials) == 4 + EFFORT.extra and len(first.scored) == 4 and not first.whole
    low = min(trial.values["lr"] for trial in first.trials if trial.second)
    assert low > 0.1, "moved upwards, over the edge that won"
    publish(tuning, "results")
    tuning.look()
    (both,) = tuning.outcomes
    assert both.whole and both.chosen.scored.trial.values["lr"] >= best.trial.values["lr"]


def test_what_is_chosen_is_written_and_reported_runs_stand_beside_it(bench, here):
    tuning = searched()
    code, out, _ = bench("tune", *ASKED)
    assert code == 0 and "search rotation: lr 0.01 to 3, weight_decay 5e-05 to 0.005, padding 0 to 8" in out
    assert "12 in the store" in out and " 0 to do" in out
    (outcome,) = tuning.outcomes
    best = outcome.chosen.scored.trial.values
    assert f"chosen rotation: lr={best['lr']} weight_decay=" in out and "best of each study" in out
    chosen = json.loads(Path("reports/tune/choice.json").read_text())
    assert chosen["chosen"][0]["recipe_changes"]["lr"] == best["lr"] and chosen["chosen"][0]["trials"] == 3 + EFFORT.extra
    assert f"--set padding={best['padding']} --set recipe.lr={best['lr']}" in out and "--seeds 0,1,2" in out
    written = {path.name: path.read_bytes() for path in Path("reports/tune").iterdir()}
    assert {"choice.json", "tuning.md", "tuning.csv"} < set(written) and any(name.endswith(".svg") for name in written)
    (drawing,) = (content.decode() for name, content in written.items() if name.endswith(".svg"))
    recorded = {path.stem[-16:] for path in Path("results").rglob("*.json")}
    assert recorded and sum(run in drawing for run in recorded) == len(recorded), "the picture says which trials it is of"
    page = written["tuning.md"].decode()
    assert "| default" in page and "| tuned" in page and "0.024" in page, "12 runs of 2 GFLOP"
    for trial, accuracy in ((outcome.trials[0], 40.0), (outcome.chosen.scored.trial, 70.0)):
        for seed in (0, 1, 2):
            run = tuning.complete(spec_at(SPEC, outcome.search.space, trial, seed))
            ResultStore("results").publish(record(run, "linear", "test", accuracy + 0.1 * seed))
    assert bench("tune", *ASKED)[0] == 0
    again = {path.name: path.read_bytes() for path in Path("reports/tune").iterdir()}
    page = again.pop("tuning.md").decode()
    assert again == {name: content for name, content in written.items() if name != "tuning.md"}
    lines = [line for line in page.splitlines() if line.startswith("| rotation")]
    assert "linear, test" in page and " 40.1 ± " in lines[0] and " 70.1 ± " in lines[1] and "| above" in lines[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"budget": Budget("images", 1_234_567), "image_size": 12, "pretrain_split": "train/20", "recipe_changes": {"batch_size": 32}},
        {"budget": Budget("flops", 1.23456789e9), "encoder": "resnet18", "hyper_parameters": {"angles": "0,180"}},
    ],
)
def test_the_line_to_type_next_is_the_run_that_was_chosen(here, asked):
    tuning = searched("my results", SPEC.replace(**asked))
    (outcome,) = tuning.outcomes
    program, name, *words = shlex.split(tuning_pages.command(outcome, SimpleNamespace(results=Path("my results")), [0, 2]))
    given = run_command.make_context(name, words).params
    names = ("method", "dataset", "encoder", "image_size", "batch_size", "precision", "pretrain_split", "budget", "seeds", "recipe")
    request = Request(**{name: given[name] for name in (*names, "settings", "results")})
    search, trial = outcome.search, outcome.chosen.scored.trial
    assert trial.study is not None and (program, request.results) == ("run_bench.py", Path("my results"))
    chosen = [tuning.complete(spec_at(search.asked, search.space, trial, seed)).id for seed in (0, 2)]
    assert [complete(spec, tried=False).id for spec in request.specs] == chosen


def test_searches_of_a_method_at_several_settings_are_told_apart(here):
    both = [SPEC.replace(hyper_parameters={"padding": padding}) for padding in (2, 4)]
    tuning = Tuning([*both, SPEC.replace(image_size=12)], EFFORT, Path("results"), catalogue.DataSets())
    told = [(tuning_pages.title(one), tuning_pages.name_of(one, tuning.searches)) for one in tuning.searches]
    title = "digits · resnet8 · 4 steps · float32"
    assert told[:2] == [(title, "rotation padding=2"), (title, "rotation padding=4")]
    assert told[2] == ("digits · resnet8 · size 12 · 4 steps · float32", "rotation")


def test_trials_of_a_suite_are_a_suite(bench, mine):
    folder = "results/mine_tune"
    suite = figure_together.load("mine.py@tune1x3", catalogue.DataSets())
    assert suite.evals == ("validation",) and suite.results == folder and len(suite.runs) == 8
    assert {run.seed for run in suite.runs} == set(TRIAL_SEEDS) and {run.method for run in suite.runs} == {"rotation"}
    assert label_of("./a/mine.py@tune1x3") == "mine@tune1x3" and label_of("a b.py") == "a_b" and label_of("demo@tune") == "demo@tune"
    assert "rotation seed 1000" in bench("status", "mine.py@tune1x3")[1]
    searched(folder)
    code, out, _ = bench("tune", "mine.py", "--studies", "1", "--trials", "3")
    assert code == 0 and "then   run_bench.py run mine.py" in out
    (setting,) = _tuned.read("mine.py").values()
    assert (setting.method, setting.dataset, setting.budget) == ("rotation", "digits", "4steps")
    assert SPEC.replace(**setting.settings).recipe_changes["lr"] > 0.1


def test_a_plan_says_the_cost_and_runs_nothing(bench, here, monkeypatch):
    monkeypatch.setattr(command, "say_estimate", lambda plan, *rest: click.echo(f"time   {len({run.id for run in plan.todo})} to be timed"))
    code, out, err = bench("tune", *ASKED[:4], "3e9flops", *ASKED[5:], "--plan")
    assert code == 0 and "8 to do" in out and "cost   0.024 TFLOP to do" in out and "time   1 to be timed" in out
    assert "where an edge wins, 2 trials more for every method" in out and "nothing was run" in err
    assert not Path("results").exists() and not Path("reports").exists()


def test_no_trial_can_read_test(tmp_path, monkeypatch):
    asked = []
    real = frozen_encoder.load
    monkeypatch.setattr(frozen_encoder, "load", lambda found, split, *rest: asked.append(split) or real(found, split, *rest))
    tuning = Tuning([SPEC], EFFORT, tmp_path / "results", catalogue.DataSets())
    execute(tuning.complete(tuning.specs[2]), ("validation",), Place(tmp_path / "results", tmp_path / "scratch", threads=1))
    (made,) = ResultStore(tmp_path / "results").records()
    assert "val" in asked and "test" not in asked and {result.split for result in made.results} == {"val"}
    assert not any("--evals" in parameter.opts for parameter in command.tune.params), "nobody can ask for another evaluator"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cifar10",), "the suite 'cifar10' reports seed 0, which cifar10_search searched: expected reported seeds that no"),
        (("demo",), "the suite 'demo' reports seed 0, which demo_search searched"),
        ((*ASKED, "--seeds", "1000"), "--seeds reports seed 1000, which tune searched"),
        ((*ASKED[:-1], "2"), "--studies 1 --trials 2 are too few"),
        (("rotatio", *ASKED[1:]), "unknown suite or method 'rotatio'. Did you mean 'rotation'?"),
        (("demo", "--budget", "4steps"), "the suite 'demo' describes its runs itself; leave out --budget"),
        (("random", *ASKED[1:]), "there is nothing to search: none of these methods is trained"),
        ((*ASKED[:4], "3s"), "a search at 3 seconds would find another setting on each machine"),
        ((*ASKED, "--pretrain-split", "train+val"), "a search on the pretraining split train+val would choose by images"),
        ((*ASKED, "--set", "padding=9"), "rotation's search leaves out padding = 9, which is set: expected padding 0 to 8"),
        (("rotation", "--dataset", "digits"), "no --budget"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(bench, here, monkeypatch, arguments, said):
    monkeypatch.setattr(command, "start", lambda *rest, **others: pytest.fail("it began"))
    code, _, err = bench("tune", *arguments)
    assert code == 2 and said in err and err.startswith("error: ") and err.count("\n") == 1
    assert not Path("results").exists()


def test_a_suite_whose_seeds_are_those_of_trials_is_refused(bench, here):
    Path("mine.py").write_text(SUITE.replace("SEEDS", "1000, 1"))
    code, _, err = bench("plan", "mine.py@tune")
    assert code == 2 and "the suite 'mine.py' reports seed 1000, which tune searched" in err


def test_a_suite_of_ones_own_is_refused_at_a_seed_of_the_search_beside_it(bench, here):
    Path("mine.py").write_text(SUITE.replace("SEEDS", "0, 1"))
    Path("mine_search.py").write_text(SUITE.replace("SEEDS", "0,"))
    for words in (("plan", "mine.py@tune"), ("tune", "mine.py")):
        code, _, err = bench(*words)
        assert code == 2 and "the suite 'mine.py' reports seed 0, which mine_search.py searched" in err


@pytest.mark.parametrize("command", ["plan", "run", "report"])
def test_a_suite_that_was_tuned_is_refused_at_seeds_of_trials_by_whatever_reports_it(bench, here, command):
    Path("mine.py").write_text(SUITE.replace("SEEDS", "1001, 1"))
    facts = {
        "method": "rotation",
        "dataset": "digits",
        "encoder": "resnet8",
        "budget": "3steps",
        "val": 50.0,
        "default": 49.0,
        "trials": 24,
    }
    chosen = _tuned.Setting(hyper_parameters={}, recipe_changes={}, **facts)
    Path("mine.json").write_text(_tuned.text("", [chosen]))
    code, _, err = bench(command, "mine.py")
    assert code == 2 and "the suite 'mine.py' reports seed 1001, which tune searched" in err
    assert not Path("results").exists()


def test_a_file_that_is_no_choice_is_refused(here):
    assert _tuned.read("mine.py") == {}
    Path("mine.json").write_text('{"chosen": [{"method": "rotation"}]}')
    with pytest.raises(UserError, match=r"'mine.json' is not a choice that `tune` wrote: KeyError"):
        _tuned.read("mine.py")
