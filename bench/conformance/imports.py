"""What a method's file may import and name: libraries to compute with, and nothing by which it reaches data, labels, files or a network.

The lists here are the only ones: docs/add_a_method.md says the same, by a test. A name is followed as Python would (`import torch as t`,
`from torch import hub`, `torch.os`), in the text of the file and in the modules that it imports.
"""

import ast
import functools
import inspect
import sys
import warnings
from pathlib import Path

from bench.conformance.case import Case, require

ALLOWED_MODULES = (
    *("bench.domains", "bench.method", "bench.parts", "bench.patches", "bench.reconstruction", "bench.spec", "bench.views", "methods"),
)
"""Of this project; `methods.<name>` to subclass a method whose paper says "X plus ..."."""

ALLOWED_LIBRARIES = (
    *("torch", "torchvision.ops", "torchvision.transforms", "numpy", "timm.layers", "timm.models.vision_transformer", "annotated_types"),
    *("__future__", "abc", "collections", "contextlib", "copy", "dataclasses", "enum", "functools", "itertools", "math"),
    *("operator", "statistics", "types", "typing"),
)
"""Libraries to compute with; none that reaches files, frames, processes or the network."""

REFUSED_NAMES = (
    *("torch.load", "torch.save", "torch.hub", "torch.utils.data", "torch.from_file", "torch.package", "torch.jit.load", "torch.classes"),
    *("torch.multiprocessing", "torch.utils.cpp_extension", "torch.utils.model_zoo", "torch.ops.load_library", "torch.export.load"),
    *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap", "numpy.fromregex", "numpy.save", "numpy.savez"),
    *("numpy.savetxt", "numpy.lib", "numpy.DataSource", "numpy.ctypeslib", "numpy.f2py", "numpy.distutils", "methods.registry"),
)
"""Of the allowed libraries: what reads, writes, downloads or starts something."""

REFUSED_BUILTINS = ("__import__", "__builtins__", "eval", "exec", "open", "compile", "globals", "locals", "vars", "breakpoint", "input")
REFUSED_ATTRIBUTES = ("__globals__", "__builtins__", "__subclasses__", "__loader__", "__spec__", "__dict__", "tofile", "from_file")


def within(name: str, those: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of those, or lies in one."""
    return any(name == other or name.startswith(f"{other}.") for other in those)


def check_imports(case: Case) -> None:
    assert case.file is not None, "only a file can be read"
    require_nothing_else(case.file)


def require_nothing_else(file: Path) -> None:
    """Broken where a method's file imports or names anything beyond what computes. The file is read and not run."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bound = imported(tree)
    for node in ast.walk(tree):
        line = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Name) and node.id in REFUSED_BUILTINS:
            require(False, f"{line} uses {node.id}; a method computes with what it is given and reaches for nothing else")
        if isinstance(node, ast.Attribute):
            require(node.attr not in REFUSED_ATTRIBUTES, f"{line} uses .{node.attr}; a method reaches for nothing but what it is given")
            root, *rest = dotted(node)
            if root in bound:
                require_allowed(".".join([bound[root], *rest]), line)
        if (
            isinstance(node, ast.Call)
            and dotted(node.func) == ["getattr"]
            and len(node.args) > 1
            and (root := dotted(node.args[0]))[0] in bound
        ):
            name = getattr(node.args[1], "value", None)
            require(isinstance(name, str), f"{line}: getattr of {'.'.join(root)} with a name that is made; write the name itself")
            require_allowed(".".join([bound[root[0]], *root[1:], str(name)]), line)
    for node in ast.walk(tree):
        for name in names_of(node):
            require_allowed(name, f"line {getattr(node, 'lineno', 0)}", imported=True)


def names_of(node: ast.AST) -> list[str]:
    """What an import statement asks for, with its module: ['torch.nn.functional'] of `from torch.nn import functional as F`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        return [f"{base}.{alias.name}" for alias in node.names]
    return []


def imported(tree: ast.AST) -> dict[str, str]:
    """What each name that an import binds stands for: {'F': 'torch.nn.functional', 'torch': 'torch'}."""
    found = {}
    for node in ast.walk(tree):
        for name, alias in zip(names_of(node), getattr(node, "names", ()), strict=isinstance(node, ast.Import | ast.ImportFrom)):
            plain = isinstance(node, ast.Import) and alias.asname is None
            found[alias.asname or alias.name.split(".")[0]] = name.split(".")[0] if plain else name
    return found


def dotted(node: ast.expr) -> list[str]:
    """['torch', 'utils', 'data'] of torch.utils.data; [''] where it does not begin with a name."""
    if isinstance(node, ast.Attribute):
        return [*dotted(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else [""]


def require_allowed(name: str, line: str, imported: bool = False) -> None:
    """Broken where a dotted name lies outside of what is allowed, or leads to a module that does."""
    allowed = (*ALLOWED_MODULES, *ALLOWED_LIBRARIES)
    inside = within(name, allowed) or (not imported and any(other.startswith(f"{name}.") for other in allowed))
    found, real = None, ""
    for number, part in enumerate(name.split(".")):
        with warnings.catch_warnings(action="ignore"):  # of names that a library wants to be rid of
            found = sys.modules.get(part) if number == 0 else getattr(found, part, None)
        real = found.__name__ if inspect.ismodule(found) else f"{real}.{part}".lstrip(".")
        leads_out = (
            inspect.ismodule(found)
            and not within(found.__name__, allowed)
            and not any(other.startswith(f"{found.__name__}.") for other in allowed)
        )
        inside = inside and not leads_out
    computes = f"{', '.join(ALLOWED_LIBRARIES[:7])}, plain Python"
    require(
        inside and not within(name, REFUSED_NAMES) and not within(real, REFUSED_NAMES) and not is_refused(found),
        f"{line}: do not {'import' if imported else 'use'} {name}: a method is one file on top of {', '.join(ALLOWED_MODULES[:-1])} and of "
        f"what computes ({computes}); it reaches no data, labels or files",
    )


def is_refused(found: object) -> bool:
    """Whether it is what a refused name stands for, by whichever name: torch.serialization.load is torch.load."""
    if found is None:
        return False
    for name in REFUSED_NAMES:
        module, *parts = name.split(".")
        if found is functools.reduce(lambda place, part: getattr(place, part, None), parts, sys.modules.get(module)):
            return True
    return False
