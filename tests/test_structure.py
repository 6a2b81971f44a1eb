"""The house rules, as tests on the source: which way imports point, that the core names no method, how long things may be.

A rule that has to give way is changed here, in view of whoever reviews the change.
"""

import ast
import functools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import setuptools

import methods
from places import ROOT

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

LONGEST_MODULE, LONGEST_ELSEWHERE, LONGEST_METHOD, LONGEST_LOOP = 220, 300, 160, 60
"""Lines of a module of bench/ and of one outside it, of a method's file, and of the loop."""
LONGER: dict[str, int] = {}
"""Modules that are over the limit, and how long they may be. They may shrink and leave this list; no other may join it unseen."""

OF_IMAGES = {"data", "views", "parts", "encoders", "methods", "conformance"}
"""Rooms that know that an image is [B, 3, H, W], of 256 levels. To all others it is a tensor, of rows that belong together."""

NAMES_MIRRORS = {
    "bench/spec.py": "what a method is told of its images",
    "bench/evaluation/frozen_encoder.py": "tells evaluators that train which images may be flipped",
}
"""Of the other rooms the only files that name channels, or say which images may be mirrored, each with the reason."""

NAMES_FORMATS = {
    "bench/encoders/formats.py": "weights are written as their authors' code does, and a format has its repository's name",
    "bench/data/images.py": "the size of an image is a number of pixels",
}
"""Files of the core that may name what is a method's name too, each with the reason."""

NAMES_THE_SIZE = {
    "bench/spec.py": "what a run is, and what a method is told of its images",
    "bench/plan/evaluation_cost.py": "what an evaluator's time depends on",
    "bench/records/frame.py": "a column",
    "bench/run/build.py": "hands it from a spec to its encoder",
    "bench/run/export.py": "what other programs must be told of a network",
    "bench/commands/card.py": "what an exported encoder is fed with",
    "bench/commands/evaluate.py": "an argument",
    "bench/commands/export.py": "what other programs must be told of a network",
    "bench/run/crash.py": "what to lower where memory ran out",
    "bench/evaluation/frozen_encoder.py": "other data sets are read in the size of the pretraining",
    "bench/evaluation/read_ahead.py": "the same",
    "bench/evaluation/tuning/trainable.py": "what a copy of an encoder is tried with",
    "bench/suites/tiny_imagenet50.py": "a setting of its runs",
    "bench/suites/_shrunk.py": "a setting of its runs, left to their data set",
    "bench/plan/complete.py": "fills it in, and says how small and large it may be",
    "bench/plan/estimate.py": "what takes as long as what",
    "bench/plan/memory.py": "how much memory images take",
    "bench/plan/recipes.py": "what a paper trained with",
    "bench/pages/methods.py": "what methods are built with, to be described",
    "bench/pages/recipes.py": "what a paper trained with",
    "bench/commands/data.py": "an argument",
    "bench/commands/request.py": "an argument",
    "bench/commands/view_pictures.py": "in which test images are read, to be shown",
    "bench/commands/views.py": "an argument",
    "reports/claims/figure.py": "a setting of its runs",
    "reports/papers/_rates.py": "a setting of its runs",
    "reports/papers/jigsaw_shortcut.py": "a setting of its runs",
    "reports/papers/pretext_layers.py": "a setting of its runs",
    "reports/tables/table.py": "one table for each size",
    "reports/pages/met.py": "up to which our ResNets have the stem of theirs",
    "reports/tables/lines.py": "in a table's title",
    "reports/tables/file_names.py": "in a file's name",
    "reports/site/command.py": "an argument",
}
"""Files outside those rooms that know the height and width of images as a setting of a run, like its encoder; and what for."""

SCALES_LEVELS = {"bench/data/levels.py", "bench/data/images.py", "bench/parts/reconstruction.py", "bench/evaluation/corruptions/parts.py"}
"""Files that divide by the highest level: the one that makes images ready for a network, two that list all levels there are, and one for
corruptions, which are defined on shares of it."""

OF_LIBRARIES = {
    # No public name, though other code is meant to build on it: the base of every BatchNorm, and of these and every InstanceNorm, what
    # tells a buffer that is not saved, the step of averaged weights.
    "bench/encoders/batch_norm.py": {"_BatchNorm"},
    "bench/encoders/wrapped.py": {"_BatchNorm"},
    "bench/training/optim.py": {"_NormBase"},
    "bench/conformance/calls.py": {"_BatchNorm"},
    "bench/parts/statistics.py": {"_BatchNorm"},
    "bench/conformance/state.py": {"_non_persistent_buffers_set"},
    # Which tensors share their memory: where there is none, an address does not tell.
    "bench/plan/step.py": {"_cdata"},
    "bench/parts/teachers.py": {"_foreach_lerp_"},
    # What torch.linalg.eigh and others are where torch counts, and what its counter asks a formula.
    "bench/compute/flops.py": {
        *("_linalg_eigh", "_linalg_svd", "_euclidean_dist", "_cdist_forward", "_cdist_backward"),
        *("_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_get_raw"),
    },
    # torch compiles a module in place, and has nothing to undo it.
    "bench/encoders/compiled.py": {"_compiled_call_impl"},
    # torch says of a GPU what it computes in, and of a processor only to itself.
    "bench/machine/hardware.py": {"_is_avx512_bf16_supported", "_is_amx_tile_supported"},
    # torchvision lists files and labels of a set without decoding them here alone.
    "bench/data/readers/torchvision_loaders.py": {"_image_files", "_images", "_labels"},
    # submitit forwards no signal to a job on this machine, and shows no submission before it is made.
    "bench/launch/local.py": {"_process"},
    "bench/launch/submit.py": {"_make_submission_file_text", "_submitit_command_str"},
}
"""Names with an underscore that belong to a library, where nothing public does what is needed."""

NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
"""Public, whatever they begin with."""

CORE = sorted(path for path in (ROOT / "bench").rglob("*.py") if path.parent.name != "suites")
METHODS = sorted(path for path in (ROOT / "methods").glob("*.py") if path.name != "__init__.py")
REPORTS = sorted((ROOT / "reports").rglob("*.py"))
MODULES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "methods").rglob("*.py"), *REPORTS, *ROOT.glob("*.py")])
BENCH = sorted((ROOT / "bench").rglob("*.py"))
NAMES = {".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__") for path in MODULES}
"""Of every module and package, as an import has it."""

GENERIC = {"pca", "pixels", "pretrained", "random", "rotation", "supervised"}
"""Names of methods that are also words of the trade: as a quoted string they are looked for, as a part of an identifier not."""


def name_of(path: Path) -> str:
    """bench/data/load.py -> bench.data.load; the __init__ of a folder -> the folder's name"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    """bench.data.readers.folder -> data; methods.byol -> methods"""
    parts = module.split(".")
    return parts[1] if parts[0] == "bench" and len(parts) > 1 else parts[0]


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST, package: str = "") -> set[str]:
    """Every module that the code may import, those inside functions included, but for the eyes of a type checker alone. `from bench.data
    import load` counts as bench.data.load, and `from . import x` as <package>.x."""
    found, unseen = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            unseen |= {id(inner) for inner in ast.walk(node)}
    for node in (node for node in ast.walk(tree) if id(node) not in unseen):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(part for part in (package if node.level else "", node.module) if part)
            below = {f"{source}.{alias.name}" for alias in node.names}
            modules = source in ("bench", "methods", "reports")
            found |= {name if name in NAMES or (modules and not name.endswith("__")) else source for name in below}
    return found


def ours(tree: ast.AST, package: str = "") -> set[str]:
    """Of the imports, those of this repository."""
    return {name for name in imports(tree, package) if name.split(".")[0] in ("bench", "methods", "reports", "run_bench")}


def within(module: str, allowed: set[str]) -> bool:
    """Whether a module is one of these or lies in one."""
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


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


def words(tree: ast.AST) -> set[str]:
    """Names and whole strings that the code has, comments and docstrings apart: 'f(size=x.y)' has f, size, x and y."""
    named = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg", ast.Constant: "value"}
    found = (getattr(node, named[type(node)]) for node in ast.walk(tree) if type(node) in named)
    return {word for word in found if isinstance(word, str)}


def scales_levels(tree: ast.AST) -> bool:
    """Whether the code divides by 255, the highest level of a stored image."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            by = node.right if isinstance(node, ast.BinOp) else node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("div", "div_") and node.args:
            by = node.args[-1]
        else:
            continue
        if isinstance(by, ast.Constant) and by.value == 255:
            return True
    return False


def others_own(tree: ast.AST) -> set[str]:
    """Names with one leading underscore that the code uses and does not give."""
    of_itself = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls")]
    others = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node not in of_itself]
    given = (identifiers(tree) - {node.attr for node in others}) | {node.attr for node in of_itself} | NAMED_TUPLE
    used = {node.attr for node in others}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return {name for name in used - given if name.startswith("_") and not name.startswith("__")}


def too_long(path: Path, limit: int) -> bool:
    return len(path.read_text(encoding="utf-8").splitlines()) > limit


def limit_of(path: Path) -> int:
    """Lines that a module may have."""
    return LONGEST_MODULE if path.is_relative_to(ROOT / "bench") else LONGEST_ELSEWHERE


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


NAMED_ALONE = {
    **dict.fromkeys(("heartbeat.json", "given-back.json", "weights.safetensors", "rank-", ".done", "meeting"), "bench/run/folder.py"),
    "step-": "bench/training/checkpoint.py",
    "lease-": "bench/machine/lease.py",
}
"""How names begin, or are, of what lies in a run's folder, and the one file that spells each."""


@pytest.mark.parametrize("name", NAMED_ALONE)
def test_a_name_in_a_runs_folder_is_spelt_in_one_file(name):
    spelling = set()
    for path in BENCH:
        texts = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str))
        if any(text.startswith(name) and len(text.split()) == 1 for text in texts):
            spelling.add(path.relative_to(ROOT).as_posix())
    assert spelling == {NAMED_ALONE[name]}


FACES = {"views", "parts", "conformance", "suites"}
"""Folders whose __init__ may hold more than a docstring: what a user's own code imports from, and the doors of registries."""


def test_the_other_rooms_import_nothing():
    """`--help` imports neither torch nor pydantic, whichever room it passes."""
    for path in (ROOT / "bench").rglob("__init__.py"):
        folder = path.parent.relative_to(ROOT / "bench").as_posix()
        if folder not in FACES:
            lines = [node for node in parsed(path).body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
            assert folder == "." or not lines, f"{folder} has code in its __init__.py"


OWN_PLACE = {"bench/defaults.py", "bench/registry.py"}
"""Files that may ask where they lie; all others take ROOT."""


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_ground_floor_asks_where_it_lies(path):
    asked = {node.lineno for node in ast.walk(parsed(path)) if isinstance(node, ast.Name) and node.id == "__file__"}
    assert not asked or path.relative_to(ROOT).as_posix() in OWN_PLACE


def test_entries_are_loaded_in_one_way():
    """By bench/registry.py: a second place that imports by name would be a second kind of registry."""
    found = set()
    for path in MODULES:
        called = {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
        if called & {"import_module", "__import__"}:
            found.add(path.relative_to(ROOT).as_posix())
    assert found == {"bench/registry.py"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_knows_no_methods_name(path):
    named = methods_named(parsed(path), set(methods.names()))
    assert not named or path.relative_to(ROOT).as_posix() in NAMES_FORMATS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_some_rooms_know_what_an_image_is(path):
    name, tree = path.relative_to(ROOT).as_posix(), parsed(path)
    assert not scales_levels(tree) or name in SCALES_LEVELS, "bench.data.levels.prepare makes images ready for a network"
    if room_of(name_of(path)) in OF_IMAGES:
        return
    assert not words(tree) & {"channels_last"}
    assert name in NAMES_MIRRORS or not words(tree) & {"channels", "mirror_safe"}
    assert name in NAMES_THE_SIZE or "image_size" not in words(tree)


def compares_modalities(tree: ast.AST) -> bool:
    """Whether the code asks if a modality is a certain one: sets one against a quoted name, or against an object of one that there is."""
    sides = [(node.left, *node.comparators) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    of_one = [both for both in sides if any(re.search(r"\b(modality|takes)\b", ast.unparse(side)) for side in both)]
    return any(isinstance(side, ast.Constant) or re.fullmatch(r"[\w.]*[A-Z]{3,}", ast.unparse(side)) for both in of_one for side in both)


def test_the_core_asks_of_no_modality_by_its_name():
    for code in ("data.entry.modality.name == 'texts'", "modality is IMAGES", "'images' in method.takes"):
        assert compares_modalities(ast.parse(code)), code
    assert not compares_modalities(ast.parse("takes != there and there in entry.modality.takes and unit == 'images'"))
    asking = {name_of(path) for path in (*CORE, *REPORTS) if compares_modalities(parsed(path))}
    assert not asking, "a modality is data: bench/data/modality.py, and what is declared of it"


@pytest.mark.parametrize("name", NAMES_THE_SIZE)
def test_what_may_name_the_size_of_images_does(name):
    assert "image_size" in words(parsed(ROOT / name)), "take it off the list"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_a_files_own_is_used_nowhere_else(path):
    assert others_own(parsed(path)) == OF_LIBRARIES.get(path.relative_to(ROOT).as_posix(), set())


ASKS_TORCH = {"bench/commands/doctor.py", "bench/conformance/processes.py"}
"""Who reads how many threads torch has: one to say it, one to put it back. Everybody else is handed the number."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_number_of_threads_is_handed_on(path):
    asked = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute) and node.attr == "get_num_threads"]
    assert bool(asked) == (path.relative_to(ROOT).as_posix() in ASKS_TORCH)


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


def test_messages_name_the_command_that_was_started():
    """run_bench.py or sslbench: bench.defaults.COMMAND. Pages that are made from the code are read in the checkout."""
    for path in sorted(set(MODULES) - {ROOT / "run_bench.py", ROOT / "bench" / "defaults.py"}):
        if "pages" in path.parts:
            continue
        tree = parsed(path)
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
        found = [node.lineno for node in constants if isinstance(node.value, str) and "run_bench.py" in node.value]
        assert not found, f"{path}: expected an f-string with COMMAND in the lines {found}"


def test_nothing_is_called_utils():
    assert not [path for path in MODULES if re.search(r"util|helper|common|misc", path.stem)]


def test_the_loop_is_short():
    tree = parsed(ROOT / "bench" / "training" / "trainer.py")
    (trainer,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trainer")
    (run,) = (node for node in trainer.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    assert run.end_lineno - run.body[0].lineno + 1 <= LONGEST_LOOP


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.name)
def test_a_method_is_short(path):
    assert not too_long(path, LONGEST_METHOD)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_short(path):
    assert not too_long(path, LONGER.get(path.relative_to(ROOT).as_posix(), limit_of(path)))


def test_what_may_be_longer_still_is():
    for name in LONGER:
        assert too_long(ROOT / name, limit_of(ROOT / name)), f"{name} is short enough now: take it off the list"


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
