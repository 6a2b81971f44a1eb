"""The house rules, as tests on the source: which way imports point, that the core names no method, how long things may be.

A rule that has to give way is changed here, in view of whoever reviews the change.
"""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import setuptools

import methods
from places import ROOT

LAYERS = (
    (
        "bench",
        "bench.choices",
        "bench.colours",
        "bench.columns",
        "bench.compiled",
        "bench.curve",
        "bench.distributed",
        "bench.errors",
        "bench.exclusive",
        "bench.memory",
        "bench.precision",
    ),
    ("bench.batch_norm", "bench.lease", "bench.shared_folders", "bench.slurm"),
    (
        "bench.convnext",
        "bench.hardware",
        "bench.interrupt",
        "bench.parts",
        "bench.ranks",
        "bench.randomness",
        "bench.resnet",
        "bench.scratch",
        "bench.stages",
        "bench.vit",
    ),
    (
        "bench.ledger",
        "bench.meeting",
        "bench.patches",
        "bench.reconstruction",
        "bench.record",
        "bench.snapshot",
        "bench.spec",
        "bench.wide_resnet",
    ),
    ("bench.encoders", "bench.recipes"),
    ("bench.cluster", "bench.frame", "bench.heartbeat", "bench.splits"),
    ("bench.folders", "bench.index", "bench.known_datasets", "bench.torchvision_readers"),
    ("bench.packed", "bench.torchvision_sets"),
    ("bench.checkpoint", "bench.datasets", "bench.meter", "bench.optim", "bench.store", "bench.suites", "bench.views"),
    ("bench.method", "bench.features", "bench.evals"),
    ("bench.batches", "bench.recording"),
    ("bench.trainer",),
    ("bench.completions", "bench.out_of_memory", "bench.subject", "bench.weights"),
    ("bench.plan", "bench.run"),
    (
        "bench.catalogue",
        "bench.conformance_case",
        "bench.contact_sheet",
        "bench.data_report",
        "bench.doctor",
        "bench.estimate",
        "bench.follower",
        "bench.packing",
        "bench.progress",
    ),
    ("bench.recipe_page", "bench.sweep", "bench.worker"),
    ("bench.launch", "bench.submit"),
    ("bench.request",),
    ("bench.console",),
    ("bench.options",),
    ("bench.sweep_commands",),
    ("bench.conformance_contract", "bench.conformance_processes", "bench.conformance_runs"),
    ("bench.conformance",),
)
"""A module of the harness imports only from the rows above its own; a package in it is one place, whatever its files."""

FOR_METHODS = {"bench.method", "bench.parts", "bench.patches", "bench.reconstruction", "bench.spec", "bench.views", "methods"}
"""`import methods` is for a method that is made of others, which it names as hyper-parameters and never in its code."""
FOR_REPORTS = {"bench.errors", "bench.record", "bench.spec"}

LONGEST_MODULE, LONGEST_METHOD, LONGEST_LOOP = 300, 150, 60
LONGER: dict[str, int] = {}
"""Modules that are over the limit, and how long they may be. They may shrink and leave this list; no other may join it unseen."""

CORE = sorted(path for path in (ROOT / "bench").rglob("*.py") if path.parent.name != "suites")
METHODS = sorted(path for path in (ROOT / "methods").glob("*.py") if path.name != "__init__.py")
REPORTS = sorted((ROOT / "reports").rglob("*.py"))
MODULES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "methods").rglob("*.py"), *REPORTS, *ROOT.glob("*.py")])

GENERIC = {"pca", "pixels", "random", "rotation", "supervised"}
"""Names of methods that are also words of the trade: as a quoted string they are looked for, as a part of an identifier not."""


def name_of(path: Path) -> str:
    """bench/views.py -> bench.views; any file of bench/evals -> bench.evals"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts[:2] if part != "__init__")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST, package: str = "") -> set[str]:
    """Every module that the code may import, those inside functions included. `from bench import views` counts as
    bench.views, and `from . import x` as <package>.x."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(part for part in (package if node.level else "", node.module) if part)
            within = source in ("bench", "methods", "reports")
            found |= {f"{source}.{alias.name}" for alias in node.names} if within else {source}
    return found


def ours(tree: ast.AST, package: str = "") -> set[str]:
    """Of the imports, those of this repository, to the second level: bench.evals.arrays is bench.evals."""
    own = {"bench", "methods", "reports", "run_bench"}
    return {".".join(name.split(".")[:2]) for name in imports(tree, package) if name.split(".")[0] in own}


def identifiers(tree: ast.AST) -> set[str]:
    """Names that the code gives: functions, classes, arguments, variables, attributes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def methods_named(tree: ast.AST, names: set[str]) -> set[str]:
    """Methods that the code knows by name: as a quoted string, an import, or a word of an identifier."""
    quoted = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    imported = {name.removeprefix("methods.") for name in imports(tree) | quoted if name.startswith("methods.")}
    words = {word for name in identifiers(tree) for word in (name.lower(), *name.lower().split("_"))}
    return (quoted | imported) & names | words & (names - GENERIC)


def too_long(path: Path, limit: int) -> bool:
    return len(path.read_text(encoding="utf-8").splitlines()) > limit


def test_the_checks_see_what_they_look_for():
    inside = (
        "def f():\n    from bench import trainer\n    import bench.evals.knn\n    from reports.tables import build\n    from . import views"
    )
    assert ours(ast.parse(inside), "bench") == {"bench.trainer", "bench.evals", "reports.tables", "bench.views"}
    names = {"simclr", "byol", "random"}
    for code, found in {
        "if method == 'simclr': pass": {"simclr"},
        "hooks = {'random': 1}": {"random"},
        "from methods.byol import BYOL": {"byol"},
        "from methods import byol": {"byol"},
        "load('methods.byol')": {"byol"},
        "def simclr_ops(): pass": {"simclr"},
        "class ByoL: pass": {"byol"},
        "import random\nrandom_order = 1\n'as in simclr, but'": set(),
    }.items():
        assert methods_named(ast.parse(code), names) == found, code


@pytest.mark.parametrize("path", sorted((ROOT / "bench").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_in_the_core_point_one_way(path):
    name = name_of(path)
    row = next((number for number, layer in enumerate(LAYERS) if name in layer), None)
    assert row is not None, f"{name} is new: give it a row in LAYERS, below all that it imports"
    allowed = {module for layer in LAYERS[:row] for module in layer} | {"methods"} | ({name} if path.parent.name != "bench" else set())
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert ours(parsed(path), package) <= allowed, f"{name} imports what stands above it"


def test_the_layers_name_what_exists():
    assert {module for layer in LAYERS for module in layer} <= {name_of(path) for path in MODULES}


def test_a_spec_needs_nothing_of_the_harness():
    assert ours(parsed(ROOT / "bench" / "spec.py")) == {"bench.errors"}


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.name)
def test_a_method_imports_only_the_contract(path):
    assert ours(parsed(path), "methods") <= FOR_METHODS


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_reports_import_only_records(path):
    allowed = FOR_REPORTS | {name_of(other) for other in REPORTS}
    assert ours(parsed(path), "reports") <= allowed


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_knows_no_methods_name(path):
    assert not methods_named(parsed(path), set(methods.names()))


def test_every_package_is_installed():
    """What setuptools finds by pyproject's patterns: every folder with code, nothing else, and every file beside the code."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    find = settings["packages"]["find"]
    assert find["namespaces"] is False, "else every folder that somebody's report was written to is a package"
    found = {package.replace(".", "/") for package in setuptools.find_packages(ROOT, include=find["include"])}
    with_code = {path.parent.relative_to(ROOT).as_posix() for path in MODULES} - {"."}
    assert found == with_code
    assert set(settings["py-modules"]) == {path.stem for path in MODULES if path.parent == ROOT}
    installed = {path for package, names in settings["package-data"].items() for name in names for path in (ROOT / package).glob(name)}
    listed = subprocess.run(["git", "ls-files", "-z", *found], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    data = {ROOT / name for name in listed.stdout.split("\0") if name and not name.endswith(".py")}
    assert data and data <= installed, "package-data leaves out what the code reads"


def test_nothing_is_called_utils():
    assert not [path for path in MODULES if re.search(r"util|helper|common|misc", path.stem)]


def test_the_loop_is_short():
    tree = parsed(ROOT / "bench" / "trainer.py")
    (trainer,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trainer")
    (run,) = (node for node in trainer.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    assert run.end_lineno - run.body[0].lineno + 1 <= LONGEST_LOOP


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.name)
def test_a_method_is_short(path):
    assert not too_long(path, LONGEST_METHOD)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_short(path):
    assert not too_long(path, LONGER.get(path.relative_to(ROOT).as_posix(), LONGEST_MODULE))


def test_what_may_be_longer_still_is():
    for name in LONGER:
        assert too_long(ROOT / name, LONGEST_MODULE), f"{name} is short enough now: take it off the list"


def test_no_text_holds_a_path_of_somebodys_machine():
    """In what is tracked, and in what is about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    somewhere = re.compile(r"(?<![\w.~])/(work|root)/")
    # Put together here, so that this file passes its own test.
    assert somewhere.search("/".join(["see ", "work", "data"])) and not somewhere.search("/".join(["data", "work", "x"]))
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {match.group()}" for match in somewhere.finditer(text)]
    assert not found
