"""The program as a wheel installs it: `sslbench`, started in a folder of the user's, away from any checkout."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __version__
from places import ROOT

PARTS = ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "run_bench.py", "bench", "methods", "reports")
"""Of the checkout, what a wheel is built from."""

ONE = ["--method", "random", "--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "2steps", "--seeds", "0"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder as site-packages, with what the wheel installs; nothing is fetched, and the build leaves nothing in the checkout."""
    place = tmp_path_factory.mktemp("installed")
    source = place / "source"
    source.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    line = [sys.executable, "-m", "pip", "install", *offline, "--target", str(place / "site"), str(source)]
    built = subprocess.run(line, cwd=place, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    shutil.rmtree(source)
    return place / "site"


@pytest.fixture
def sslbench(site, tmp_path, monkeypatch):
    """Call the program in an empty working directory: -> (exit code, standard output, standard error). It has written nothing where it
    is installed."""
    monkeypatch.chdir(tmp_path)
    for name in ("SSLBENCH_DATA", "SSLBENCH_SCRATCH", "SSLBENCH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(site))  # before the checkout, which may be installed as editable

    def call(*arguments):
        before = contents(site)
        done = subprocess.run([sys.executable, str(site / "bin" / "sslbench"), *map(str, arguments)], capture_output=True, text=True)
        assert contents(site) == before
        assert str(ROOT) not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return call


def contents(folder: Path) -> dict[str, int]:
    """When each file and folder was last written to, in nanoseconds."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_wheel_has_the_code_and_one_version(site, sslbench):
    (installed,) = importlib.metadata.distributions(name="sslbench", path=[str(site)])
    assert installed.version == __version__ and installed.metadata["License-Expression"] == "MIT"
    assert sslbench("--version") == (0, f"sslbench {__version__}\n", "")
    code = "import bench, methods, reports; print(*(module.__file__ for module in (bench, methods, reports)), sep='\\n')"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(site / name / "__init__.py") for name in ("bench", "methods", "reports")]


def test_it_can_be_cited(sslbench):
    """As in the checkout, but for the commit, which nobody knows there."""
    code, out, err = sslbench("cite", "--method", "simclr")
    assert (code, err) == (0, "") and f"version = {{{__version__}}}" in out and "@misc{chen2020simple," in out and "commit" not in out


def test_what_the_checkout_lists_is_listed(sslbench):
    here = subprocess.run([sys.executable, str(ROOT / "run_bench.py"), "list"], env=outside(), capture_output=True, text=True, check=True)
    assert sslbench("list") == (0, here.stdout, "")
    code, out, err = sslbench("--help")
    assert (code, err) == (0, "") and out.startswith("Usage: sslbench [OPTIONS]")


def outside() -> dict[str, str]:
    """The environment in which the checkout's own code is imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["rum"], "error: unknown command 'rum'. Did you mean 'run'?  All commands: sslbench --help\n"),
        (["run"], "error: nothing to do: name a suite (sslbench list suites), or describe runs with --method and --budget\n"),
        (["run", "demo1"], "error: unknown suite 'demo1'. Did you mean 'demo'?  All suites: sslbench list suites\n"),
        (["plan", "cifar10"], "error: cifar10 is not under 'data' (no cifar-10-batches-py/batches.meta): run `sslbench data get cifar10`"),
        (["report"], "error: the results folder 'results' (--results) is not there: looked in {here}/results; records that are published "),
        pytest.param(
            ["report", *ONE],
            "holds no record of it: looked in {here}/results; records that are published lie in the project's checkout",
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_is_missing_is_said_in_a_sentence(sslbench, arguments, said):
    code, out, err = sslbench(*arguments)
    assert (code, out) == (2, "") and said.format(here=os.getcwd()) in err
    assert err.count("error: ") == 1 and err.endswith("\n") and "Traceback" not in err
    assert {path.name for path in Path().iterdir()} <= {".scratch"}


@pytest.mark.slow
def test_a_plan_says_where_results_would_go(sslbench):
    code, out, err = sslbench("plan", *ONE)
    assert code == 0 and "0 in the store (results), 1 to do" in out
    assert f"note: there are no results yet: they would go to {os.getcwd()}/results (--results)\n" in err
    assert not Path("results").exists()


@pytest.mark.slow
def test_in_a_checkout_it_says_what_run_bench_says():
    """Nothing of places: the name of the command is the only difference."""
    code = "import sys; sys.argv = [{name!r}, 'report', '--results', 'nowhere']; from bench.commands import cli; cli.main()"
    said = []
    for name in ("run_bench.py", "sslbench"):
        line = [sys.executable, "-c", code.format(name=name)]
        said.append(subprocess.run(line, cwd=ROOT, env=outside(), capture_output=True, text=True))
    assert [done.returncode for done in said] == [2, 2] and said[0].stderr == said[1].stderr
    assert said[0].stderr == "error: the results folder 'nowhere' (--results) is not there\n"


def test_what_it_starts_knows_its_name():
    """A worker's messages name the command that a person typed."""
    child = "from bench.defaults import COMMAND; print(COMMAND)"
    code = "import subprocess, sys; sys.argv = [{name!r}, 'list', 'suites']; from bench.commands import cli; cli.main()"
    code += "; subprocess.run([sys.executable, '-c', {child!r}])"
    for name in ("sslbench", "run_bench.py"):
        line = [sys.executable, "-c", code.format(name=f"/somewhere/bin/{name}", child=child)]
        done = subprocess.run(line, cwd=ROOT, env=outside(), capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == name


@pytest.mark.slow
def test_runs_are_trained_looked_at_and_reported(sslbench):
    """Beside files that are called as the code is: neither the program nor its workers take them for it."""
    for name in ("bench.py", "methods.py", "reports.py"):
        Path(name).write_text("raise SystemExit('not this one')\n")
    shutil.copy(ROOT / "methods" / "rotation.py", "mine.py")
    runs = ["--method", "random,mine.py", *ONE[2:], "--evals", "knn"]
    code, out, err = sslbench("run", *runs, "--launcher", "local", "--workers", "1")
    assert code == 0 and "2 done; records in results" in out, err
    records = [json.loads(path.read_text()) for path in Path("results/digits").iterdir()]
    assert len(records) == 2 and {record["environment"]["commit"] for record in records} == {None}
    assert sslbench("status", *runs)[1].endswith("2 runs: 2 done\n")
    code, out, err = sslbench("report")
    assert code == 0 and "reports/adhoc/leaderboard.md" in out and Path("reports/adhoc/leaderboard.md").is_file(), err
    code, out, err = sslbench("doctor")
    assert f"{os.getcwd()}/results (--results)" in out and "not a git checkout" in out
