"""What a user types for many runs: ranges of seeds, all methods or a family's, several values of a setting, a suite in a file."""

import re
from pathlib import Path

import pytest

import methods
from bench.commands import grid
from bench.errors import UserError
from bench.spec import Budget, RunSpec

SMALL = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "4steps", "--evals", "label_free"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-4", [0, 1, 2, 3, 4]), ("3", [3]), ("7,0-2", [7, 0, 1, 2]), ("0-2,1-3", [0, 1, 2, 3]), ("5-5", [5]), (" 1 - 2 , 4", [1, 2, 4])],
)
def test_seeds(text, expected):
    assert grid.seeds(text) == expected


@pytest.mark.parametrize("text", ["4-0", "0-", "0-4-8", "a-b", "0-1000000", "-3", "1.5", "0..4"])
def test_what_is_no_range_of_seeds_is_refused(text):
    with pytest.raises(UserError, match="seed"):
        grid.seeds(text)


def test_of_a_suite_some_methods_and_seeds_can_be_asked_for():
    runs = tuple(
        RunSpec(method=name, seed=seed, dataset="digits", budget=Budget("steps", 1)) for seed in (1, 2) for name in ("moco", "byol")
    )
    assert grid.of_suite("mine", runs) == runs
    assert [(run.method, run.seed) for run in grid.of_suite("mine", runs, "byol", "2")] == [("byol", 2)]
    assert grid.of_suite("mine", runs, None, "1-2") == runs
    with pytest.raises(UserError, match=r"unknown method of the suite mine 'moko'\. Did you mean 'moco'"):
        grid.of_suite("mine", runs, "byol,moko")
    with pytest.raises(UserError, match="the suite 'mine' has no run at seed 0 of these methods; it has 1, 2"):
        grid.of_suite("mine", runs, "byol", "0-2")


def test_all_methods_are_those_that_the_encoder_serves():
    noted = []
    on_resnet, on_vit = grid.names("all", "resnet8", noted.append), grid.names("all", "vit_micro")
    of_images = set(methods.takers("images")) & set(grid.every())
    assert of_images - set(on_resnet) == {name for name in of_images if methods.needs(name) == "tokens"} != set()
    assert set(grid.names("all", "text_transformer_nano")) == {name for name in methods.takers("text") if not methods.takes_weights(name)}
    assert len(noted) == 1 and "bert" not in noted[0] and "mae" in noted[0] and "resnet8 does not offer" in noted[0]
    assert on_vit == [name for name in grid.every() if methods.can_use(name, "vit_micro")]
    assert set(methods.names()) - set(grid.every()) == {name for name in methods.names() if methods.takes_weights(name)} != set()


def test_a_family_is_its_methods_and_names_stand_beside_it(here):
    Path("mine.py").write_text('"""Mine."""')
    found = grid.names("family:clustering, simclr,./mine.py,swav", "resnet8")
    assert found == ["deepcluster", "deepcluster_v2", "pcl", "resa", "swav", "simclr", "mine.py"]
    assert "simclr" in grid.names("family:contrastive", "resnet8") and "byol" in grid.names("family:joint embedding", "resnet8")
    with pytest.raises(UserError, match=re.escape("unknown family 'contrastiv'. Did you mean 'contrastive'?")):
        grid.names("family:contrastiv", "resnet8")


@pytest.mark.parametrize(
    ("settings", "chosen", "expected"),
    [
        ((), ["simclr"], [()]),
        (("recipe.lr=0.1,0.3",), ["simclr"], [("recipe.lr=0.1",), ("recipe.lr=0.3",)]),
        (("temperature=0.1,0.2", "recipe.lr=1,2"), ["simclr"],
         [(f"temperature={a}", f"recipe.lr={b}") for a in ("0.1", "0.2") for b in ("1", "2")]),
        (("recipe.betas=0.9,0.99",), ["dino"], [("recipe.betas=0.9,0.99",)]),
        (("recipe.exclude=bias,norm",), ["simclr"], [("recipe.exclude=bias,norm",)]),
        (("recipe.optimizer=sgd,lars",), ["simclr"], [("recipe.optimizer=sgd",), ("recipe.optimizer=lars",)]),
        (("tasks=npid,rotation",), ["multi_task"], [("tasks=npid,rotation",)]),
        (("temperature",), ["simclr"], [("temperature",)]),
        (("lr=0.1,0.3", "betas=0.9,0.99"), ["simclr", "dino"],
         [("recipe.lr=0.1", "recipe.betas=0.9,0.99"), ("recipe.lr=0.3", "recipe.betas=0.9,0.99")]),
        ((" batch-size=64",), ["simclr"], [("recipe.batch-size=64",)]),
        (("momentum=0.9",), ["simclr"], [("recipe.momentum=0.9",)]),
        (("momentum=0.9",), ["moco"], [("momentum=0.9",)]),  # its teacher's
        (("momentum=0.9",), ["simclr", "moco"], [("momentum=0.9",)]),  # which simclr then refuses
        (("lr",), ["simclr"], [("recipe.lr",)]),
    ],
)  # fmt: skip
def test_several_values_are_a_grid_and_a_list_is_one_value(settings, chosen, expected):
    assert grid.combinations(grid.in_full(settings, chosen), chosen) == expected


def test_a_grid_is_planned_whole(bench, here):
    code, out, err = bench("plan", "--method", "simclr,rotation", *SMALL, "--seeds", "0-1", "--set", "recipe.lr=0.1,0.3,1")
    assert code == 0 and "12 runs (2 methods x 2 seeds x 3 settings)" in out and out.count("to do  ") == 12, err
    for wrong, expected in (
        ("recipe.lr=0.1,1e-1", "listed twice"),
        ("recipe.lr=0.1,,1", "has an empty entry"),
        ("head_layers=2,x", "'x'"),
    ):
        code, _, err = bench("plan", "--method", "simclr", *SMALL, "--set", wrong)
        assert code == 2 and expected in err, err


SUITE = '''"""Mine."""
from bench.spec import Budget, RunSpec
from bench.suites import Suite


def suite():
    runs = [RunSpec(method="rotation", dataset="digits", image_size=16, budget=Budget("steps", 4), seed=seed) for seed in (0, 1)]
    return Suite(tuple(runs), ("label_free",), "results/mine")
'''


def test_a_suite_is_a_file(bench, here):
    Path("my_suite.py").write_text(SUITE)
    code, out, err = bench("run", "my_suite.py", "--launcher", "debug")
    assert code == 0 and "2 done; records in results/mine" in out, err
    assert (
        len(list(Path("results/mine/digits").iterdir())) == 2
        and '"suite": "my_suite"' in next(Path("results/mine/digits").iterdir()).read_text()
    )
    assert "2 in the store" in bench("plan", "./my_suite.py")[1] and "2 runs: 2 done" in bench("status", "my_suite.py")[1]
    code, out, _ = bench("report", "my_suite.py")
    assert code == 0 and Path("reports/my_suite/leaderboard.md").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "there is no file 'my_suite.py'; expected a suite's name, or a Python file whose function suite() returns a Suite"),
        (
            SUITE.replace("def suite", "def sweet"),
            "must have a function suite() that returns a bench.suites.Suite with runs in it, not None",
        ),
        (SUITE.replace("tuple(runs)", "()"), "with runs in it"),
        (SUITE.replace("return Suite", "return nothing"), "cannot be made: NameError: name 'nothing' is not defined (my_suite.py:8)"),
        (SUITE.replace("import Suite", "import Sweet"), "cannot be made: ImportError: "),
        (SUITE.replace("(0, 1)]", "(0, 1]"), "cannot be made: SyntaxError: "),
        (SUITE.replace('"rotation"', '"rotatoin"'), "unknown method 'rotatoin'. Did you mean 'rotation'?"),
        (SUITE.replace('("steps", 4)', '("steps", 0)'), "a budget must be a positive, finite amount"),
    ],
)
def test_a_suite_of_ones_own_that_is_wrong_is_one_line(bench, here, text, expected):
    if text:
        Path("my_suite.py").write_text(text)
    code, out, err = bench("plan", "my_suite.py")
    assert (
        code == 2
        and expected in err
        and "Traceback" not in out + err
        and len([line for line in err.splitlines() if "error: " in line]) == 1
    )
