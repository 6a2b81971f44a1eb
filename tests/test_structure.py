"""The house rules, as tests on the source: which way imports point. What a file may name has test_known_names.py, how long it may be
test_lengths.py, and what of it others get test_shipped.py.

A rule that has to give way is changed here, in view of whoever reviews the change.
"""

import ast

import pytest

from places import ROOT
from source_code import (
    BENCH,
    METHODS,
    MODULES,
    REPORTS,
    methods_named,
    name_of,
    others_own,
    ours,
    parsed,
    room_of,
    scales_levels,
    within,
    words,
)

ORDER = (
    *(
        "errors",
        "defaults",
        "registry",
        "domains",
        "budget",
        "folder_name",
        "spec",
        "settings",
        "machine",
        "compute",
        "records",
        "data",
        "views",
        "parts",
        "method",
    ),
    *("encoders", "methods", "training", "evaluation", "run", "suites", "plan", "launch", "search", "conformance", "pages"),
    *("reports", "audit", "commands"),
)
"""The rooms of the house, the ground floor first: each imports from itself and from those before it. A new file needs no edit."""

DOORS = {"bench.patches", "bench.reconstruction"}
"""Names that users' own files import from, of modules that lie in a room."""

FOR_METHODS = {
    "bench.domains",
    "bench.method",
    "bench.parts",
    "bench.patches",
    "bench.reconstruction",
    "bench.spec",
    "bench.views",
    "methods",
}
"""`import methods` is for a method that is made of others, which it names as hyper-parameters and never in its code."""
FOR_REPORTS = {
    *(
        "bench.data.splits",
        "bench.defaults",
        "bench.errors",
        "bench.folder_name",
        "bench.machine.files",
        "bench.records.record",
        "bench.records.verification",
        "bench.registry",
        "bench.settings",
        "bench.spec",
    )
}
FOR_EVALUATORS = {
    "bench.data.splits",
    "bench.evaluation.arrays",
    "bench.evaluation.corruptions",
    "bench.evaluation.features",
    "bench.evaluation.logistic",
    "bench.evaluation.one_against_rest",
    "bench.evaluation.search",
    "bench.evaluation.tuning",
    "bench.records.record",
}
"""An evaluator is a function of arrays, or trains a copy of the encoder by what bench/evaluation/tuning/ has; and evaluators import each
other. Which images a draw has is one rule, for a probe and for a pretraining."""
TRAIN = "bench/evaluation/tuning/"
"""The only place of the evaluation that may take something of bench.training: a frozen encoder is measured, not trained, and whoever trains
does it on a copy, by one loop, in batches and crops that are the same for all methods."""


def test_the_checks_see_what_they_look_for():
    inside = """def f():
    from bench import spec
    import bench.evaluation.evaluators.knn
    from bench.data import load
    from bench.data.load import load_split
    from reports.tables.build import build
    from . import views
    if TYPE_CHECKING:
        from bench.commands import cli
"""
    found = {"bench.spec", "bench.evaluation.evaluators.knn", "bench.data.load", "reports.tables.build", "bench.views"}
    assert ours(ast.parse(inside), "bench") == found
    assert [room_of(name) for name in ("bench.data.readers.folder", "bench.spec", "methods.byol")] == ["data", "spec", "methods"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"] and circle({"a": {"b", "c"}, "b": {"c"}}) == []
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
    assert words(ast.parse("f(size=x.y) + 'z'")) == {"f", "size", "x", "y", "z"}
    for code in ("x / 255", "x /= 255", "x.div_(255)", "torch.div(x, 255.0)"):
        assert scales_levels(ast.parse(code)), code
    assert not scales_levels(ast.parse("255 / x + x / 256 + x * 255"))
    own = "from a import _b\ndef _c(d): return _c(d)._e + d.__f__ + d._asdict()\nx._g = 1\nself._h"
    assert others_own(ast.parse(own)) == {"_b", "_e", "_g"}


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_in_the_core_point_one_way(path):
    name = name_of(path)
    if name in {"bench", *DOORS}:
        return
    floor = ORDER.index(room_of(name))
    package = ".".join(path.relative_to(ROOT).parent.parts)
    above = {module for module in ours(parsed(path), package) if room_of(module) not in ("bench", *ORDER[: floor + 1])}
    assert not above, f"{name} imports what stands above it"


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The first circle of names, sorted; empty where there is none."""
    left = {name: set(others) for name, others in arrows.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    # What is left leads to a circle or lies on one: those that nobody left leads to do not.
    while loose := [name for name in left if not any(name in others for others in left.values())]:
        for name in loose:
            del left[name]
    return sorted(left)


def test_there_is_no_circle_of_modules():
    arrows = {}
    for path in BENCH:
        package = ".".join(path.relative_to(ROOT).parent.parts)
        arrows[name_of(path)] = ours(parsed(path), package) - {name_of(path)}
    assert not circle(arrows)


def test_every_room_is_in_the_order():
    rooms = {path.stem for path in (ROOT / "bench").glob("*.py")} | {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}
    assert rooms - {"__init__"} - {room_of(door) for door in DOORS} <= set(ORDER)


def test_a_spec_needs_nothing_of_the_harness():
    assert ours(parsed(ROOT / "bench" / "spec.py")) == {"bench.budget", "bench.errors", "bench.folder_name"}
    assert ours(parsed(ROOT / "bench" / "budget.py")) == {"bench.errors"}


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.name)
def test_a_method_imports_only_the_contract(path):
    assert {module for module in ours(parsed(path), "methods") if not within(module, FOR_METHODS)} == set()


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_reports_import_only_records(path):
    assert {module for module in ours(parsed(path), "reports") if not within(module, FOR_REPORTS | {"reports"})} == set()


EVALUATORS = sorted((ROOT / "bench/evaluation/evaluators").glob("*.py"))


@pytest.mark.parametrize("path", EVALUATORS, ids=lambda path: path.name)
def test_an_evaluator_imports_only_arrays(path):
    allowed = FOR_EVALUATORS | {"bench.evaluation.evaluators"}
    assert {module for module in ours(parsed(path)) if not within(module, allowed)} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "bench/evaluation").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_one_place_of_the_evaluation_trains(path):
    trains = any(room_of(module) == "training" for module in ours(parsed(path)))
    assert not trains or path.relative_to(ROOT).as_posix().startswith(TRAIN)


FACES = {"views", "parts", "conformance", "suites"}
"""Folders whose __init__ may hold more than a docstring: what a user's own code imports from, and the doors of registries."""


def test_the_other_rooms_import_nothing():
    """`--help` imports neither torch nor pydantic, whichever room it passes."""
    for path in (ROOT / "bench").rglob("__init__.py"):
        folder = path.parent.relative_to(ROOT / "bench").as_posix()
        if folder not in FACES:
            lines = [node for node in parsed(path).body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
            assert folder == "." or not lines, f"{folder} has code in its __init__.py"


def test_entries_are_loaded_in_one_way():
    """By bench/registry.py: a second place that imports by name would be a second kind of registry."""
    found = set()
    for path in MODULES:
        called = {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
        if called & {"import_module", "__import__"}:
            found.add(path.relative_to(ROOT).as_posix())
    assert found == {"bench/registry.py"}
