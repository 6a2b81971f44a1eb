"""The evaluators by name: the files of the folder evaluators/, each of which defines ARGUMENT, READS_TEST and `evaluate`.

    names()                  ['knn', 'label_free', 'linear', 'stages', 'transfer', 'validation'], without importing any of them
    parse("transfer:digits") ('transfer', 'digits'), or a UserError that says what to write
    load("knn")              the module; its `evaluate(subject, argument)` returns a list of bench.records.record.Result
    summary("knn")           first sentence of the file's docstring

Nothing here imports torch, FAISS or NumPy: the command line checks names in a fraction of a second.
"""

from types import ModuleType

from bench.defaults import COMMAND
from bench.errors import UserError
from bench.registry import Registry

EVALUATORS = Registry("evaluator", "bench.evaluation.evaluators", f"{COMMAND} list evals")


def names() -> list[str]:
    """Every evaluator in this folder, sorted."""
    return EVALUATORS.names()


def summary(name: str) -> str:
    """The first sentence of the file's docstring."""
    return EVALUATORS.summary(name)


def argument(name: str) -> str | None:
    """What the evaluator needs after its colon ('a data set'), or None where it takes nothing."""
    return EVALUATORS.declared(name, "ARGUMENT")


def reads_test(name: str) -> bool:
    """Whether the evaluator reads a test split."""
    return EVALUATORS.declared(name, "READS_TEST")


def needs_classes(name: str) -> bool:
    """Whether the evaluator measures how well classes are told apart, as all do that do not say otherwise."""
    return EVALUATORS.declared(name, "NEEDS_CLASSES", default=True)


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
    return EVALUATORS.load(name)
