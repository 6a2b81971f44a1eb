"""The registry of evaluators: the folder evaluators/. A file there that defines ARGUMENT, READS_TEST and `evaluate` is an evaluator.

    names()                  ['knn', 'label_free', 'linear', 'stages', 'transfer', 'validation'], without importing any of them
    parse("transfer:digits") ('transfer', 'digits'), or a UserError that says what to write
    load("knn")              the module; its `evaluate(subject, argument)` returns a list of
                                   bench.records.record.Result
    summary("knn")           first line of the file's docstring

Nothing here imports torch, FAISS or NumPy: the command line checks names in a fraction of a second."""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from bench.errors import UserError, unknown

FOLDER = Path(__file__).parent / "evaluators"


@cache
def _declared() -> dict[str, tuple[str, str | None, bool]]:
    """Evaluator -> (first line of its docstring, ARGUMENT, READS_TEST), read from the text of the files."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        values = {
            node.target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in ("ARGUMENT", "READS_TEST")
        }
        if "evaluate" in functions and len(values) == 2:
            summary_line = (ast.get_docstring(tree) or "").split("\n")[0]
            found[path.stem] = (summary_line, values["ARGUMENT"], values["READS_TEST"])
    return found


def names() -> list[str]:
    """Every evaluator in this folder, sorted."""
    return list(_declared())


def _require(name: str) -> tuple[str, str | None, bool]:
    """(summary, ARGUMENT, READS_TEST) of an evaluator; a UserError with the nearest name where there is none."""
    if name not in _declared():
        raise unknown("evaluator", name, names(), "All evaluators: run_bench.py list evals")
    return _declared()[name]


def summary(name: str) -> str:
    """The first line of the file's docstring."""
    return _require(name)[0]


def argument(name: str) -> str | None:
    """What the evaluator needs after its colon ('a data set'), or None where it takes nothing."""
    return _require(name)[1]


def reads_test(name: str) -> bool:
    """Whether the evaluator reads a test split."""
    return _require(name)[2]


def parse(request: str) -> tuple[str, str | None]:
    """'knn' -> ('knn', None); 'transfer:digits' -> ('transfer', 'digits'). UserError where the name is unknown, the
    argument is missing, or there is one too many. Whether the data set exists is for the caller to check."""
    name, colon, given = (part.strip() for part in request.partition(":"))
    needed = argument(name)
    if needed is None and colon:
        raise UserError(f"the evaluator '{name}' takes no argument: write '{name}', not '{request}'")
    if needed is not None and not given:
        raise UserError(f"the evaluator '{name}' needs {needed}: write '{name}:NAME', as in '{name}:digits'")
    return name, given or None


def load(name: str) -> ModuleType:
    """The evaluator's module."""
    _require(name)
    return importlib.import_module(f"bench.evaluation.evaluators.{name}")
