"""A folder is a registry: every Python file in it is an entry, named as the file is; one whose name begins with _ is none.

    EVALUATORS = Registry("evaluator", "bench.evaluation.evaluators", "run_bench.py list evals")
    EVALUATORS.names()                          ['knn', 'label_free', ...], sorted
    EVALUATORS.require("knn")                   its file, or a UserError with the nearest name
    EVALUATORS.summary("knn")                   the first sentence of the file's docstring
    EVALUATORS.declared("knn", "READS_TEST")    the literal that the file gives this name
    EVALUATORS.load("knn")                      the module

Only `load` imports an entry. The rest is read in its text, so that whoever lists names or checks one imports neither torch nor NumPy.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from bench.defaults import ROOT
from bench.errors import UserError, said, unknown

Base = TypeVar("Base")

REQUIRED = object()
"""In place of a default: a file must declare the name."""


@dataclass(frozen=True)
class Registry:
    """The entries of one folder. A file that is added is an entry at once: nothing is kept of the folder."""

    kind: str
    """What an entry is called in a message: method, evaluator, suite."""
    package: str
    """The folder as an import has it: bench.evaluation.evaluators."""
    listed_by: str
    """The command that lists all entries: run_bench.py list evals."""

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return ROOT.joinpath(*self.package.split("."))

    def names(self) -> list[str]:
        """Every entry, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.py") if not path.stem.startswith("_"))

    def require(self, name: str) -> Path:
        """The entry's file; a UserError with the nearest name where there is none."""
        names = self.names()
        if name not in names:
            raise self.unknown(name, names)
        return self.folder / f"{name}.py"

    def unknown(self, name: str, names: list[str]) -> UserError:
        """The error for a name that is not one of these."""
        return unknown(self.kind, name, names, f"All {self.kind}s: {self.listed_by}")

    def docstring(self, name: str) -> str:
        """The file's docstring; '' where it has none."""
        return docstring(self.require(name))

    def summary(self, name: str) -> str:
        """The first sentence of the file's docstring."""
        return summary(self.require(name))

    def declared(self, name: str, value: str, default: Any = REQUIRED) -> Any:
        """The literal that the file, or a class in it, gives the name `value`: see `declared`."""
        return declared(self.require(name), value, default)

    def load(self, name: str) -> ModuleType:
        """The entry's module, imported."""
        self.require(name)
        return importlib.import_module(f"{self.package}.{name}")


def import_file(path: Path) -> ModuleType:
    """The module that a file of somebody's own holds, imported anew at each call. Raises whatever the file does."""
    module_name = f"user_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec and spec.loader, "a path that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def import_own(path: str) -> ModuleType:
    """`import_file` of a user's file; a UserError with its name in place of whatever it does."""
    try:
        return import_file(Path(path))
    except (Exception, SystemExit) as error:
        raise UserError(f"'{path}' cannot be imported: {said(error)}") from error


def only_class(module: ModuleType, base: type[Base], called: str, what: str) -> type[Base]:
    """The one subclass of `base` that the module itself defines; a UserError where there is none, or more than one. called: the module, and
    what: `base`, in the message."""
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        listed = ", ".join(cls.__name__ for cls in found) or "none"
        raise UserError(f"'{called}' must define exactly one {what}; it defines {listed}")
    return found[0]


def docstring(file: Path) -> str:
    """The docstring of a Python file, which is not imported; '' where it has none."""
    return ast.get_docstring(_parsed(file)) or ""


def summary(file: Path) -> str:
    """The first sentence of a file's docstring, up to a full stop at the end of a line, as one line; '' where it has no docstring."""
    text = docstring(file)
    return text.split(".\n")[0].removesuffix(".").replace("\n", " ") + "." * bool(text)


def declared(file: Path, name: str, default: Any = REQUIRED) -> Any:
    """The literal that is given a name in a file's text, with or without a type: by a class in it, or else by the module.

    The first of several counts. `default` where the name is given no value; a UserError where there is no default either, and where the
    value is not a literal, which only an import could tell."""
    body = _parsed(file).body
    for lines in (*(node.body for node in body if isinstance(node, ast.ClassDef)), body):
        for line in lines:
            if not isinstance(line, ast.Assign | ast.AnnAssign) or line.value is None:
                continue
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                try:
                    return ast.literal_eval(line.value)
                except ValueError as error:
                    raise UserError(f"'{file}', line {line.lineno}: {name} must be a literal, as it is read without an import") from error
    if default is REQUIRED:
        raise UserError(f"'{file}' must give {name} a value")
    return default


def keyword_defaults(file: Path) -> dict[str, Any]:
    """The keyword-only arguments of the constructors in a file that have a literal as their default, by name. Imports nothing."""
    return dict(_keyword_defaults(_parsed(file)))


@lru_cache(maxsize=256)
def _keyword_defaults(module: ast.Module) -> dict[str, Any]:
    found = {}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if isinstance(default, ast.Constant):
                    found[argument.arg] = default.value
    return found


def _parsed(file: Path) -> ast.Module:
    """The file's text as Python reads it; a UserError with the line where it is none."""
    try:
        return _tree(file.read_text(encoding="utf-8"), str(file))
    except (OSError, SyntaxError, ValueError) as error:  # ValueError: no UTF-8, or a byte 0
        raise UserError(f"'{file}' cannot be read as Python: {said(error)}") from error


@lru_cache(maxsize=256)
def _tree(text: str, name: str) -> ast.Module:
    """A listing asks for the same files again and again."""
    return ast.parse(text, name)
