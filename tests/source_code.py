"""The code as the tests of the house rules read it: which files there are, and what each imports, names and uses."""

import ast
import functools
from pathlib import Path

from places import ROOT

CORE = sorted(path for path in (ROOT / "bench").rglob("*.py") if path.parent.name != "suites")
METHODS = sorted(path for path in (ROOT / "methods").glob("*.py") if path.name != "__init__.py")
REPORTS = sorted((ROOT / "reports").rglob("*.py"))
MODULES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "methods").rglob("*.py"), *REPORTS, *ROOT.glob("*.py")])
BENCH = sorted((ROOT / "bench").rglob("*.py"))
NAMES = {".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__") for path in MODULES}
"""Of every module and package, as an import has it."""

GENERIC = {"pca", "pixels", "pretrained", "random", "rotation", "supervised"}
"""Names of methods that are also words of the trade: as a quoted string they are looked for, as a part of an identifier not."""

NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
"""Public, whatever they begin with."""


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
