"""Checks of what a method declares, imports and is built as, before it is asked for anything.

Each returns where the method keeps the rule, and raises Broken where it does not; bench/conformance/check.py runs them.
"""

import ast
import inspect

from bench.conformance.case import Case, require
from bench.conformance.state import differing
from bench.domains import domains
from bench.encoders import table
from bench.errors import UserError, did_you_mean
from bench.method import FAMILIES, Reference, on_paper
from bench.search.space import declared
from bench.spec import Recipe
from bench.views.view import AnyView


def check_documented(case: Case) -> None:
    # A class without a file, at a prompt or in a notebook, has its own docstring alone.
    text = ast.get_docstring(ast.parse(case.file.read_text(encoding="utf-8"))) if case.file else vars(case.cls).get("__doc__")
    where = "file" if case.file else "class"
    require(text, f"begin the {where} with a docstring: paper, and the idea in one sentence")
    require(case.cls.paper or not case.cls.trained, "set `paper` to the arXiv id or DOI, e.g. paper = 'arXiv:2002.05709'")


def check_hyper_parameters(case: Case) -> None:
    given = ["self", "make_encoder", "data", *(["num_classes"] if case.cls.uses_labels else [])]
    for number, (name, parameter) in enumerate(inspect.signature(case.cls.__init__).parameters.items()):
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            require(
                number < len(given) and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD,
                f"put `*` before {name} in __init__({', '.join(given)}, *, ...): hyper-parameters are named, keyword-only arguments",
            )
            continue
        require(parameter.default is not inspect.Parameter.empty, f"give the hyper-parameter {name} a default value")
        require(
            isinstance(parameter.default, bool | int | float | str | None),
            f"the default of {name} must be a number, a text, a truth value or None, so that a record can hold it",
        )
    for domain in domains(case.cls).values():
        require(domain.holds(domain.default), f"the default of {domain.name} is {domain.default!r}, and its type takes {domain.words}")
    if case.cls.search:
        try:
            declared(case.cls.__name__, case.cls)
        except UserError as error:
            require(False, str(error))


def check_declarations(case: Case) -> None:
    method, cls = case.build(), case.cls
    offered = sorted({offer for name in table.names() for offer in table.require(name).offers})
    require(cls.needs in offered, f"needs = {cls.needs!r}; it is {', '.join(offered[:-1])} or {offered[-1]}")
    meant = did_you_mean(cls.family, FAMILIES, before=". ")
    require(cls.family in FAMILIES, f"family = {cls.family!r}; it is {', '.join(FAMILIES[:-1])} or {FAMILIES[-1]}{meant}")
    require(isinstance(cls.smallest_batch, int) and cls.smallest_batch >= 1, f"smallest_batch = {cls.smallest_batch!r}; it is 1 or more")
    require(isinstance(cls.version, int) and cls.version >= 1, f"version = {cls.version!r}; it is a whole number from 1 up")
    require(cls.uses_labels == issubclass(cls, Reference), "only a Reference gets labels: subclass Reference, or drop uses_labels")
    for what, kind, called in (("views", AnyView, "View"), ("phases", float, "float")):
        values = getattr(method, what)
        right = isinstance(values, tuple) and all(isinstance(value, kind) for value in values)
        require(right, f"self.{what} must be a tuple of {called}, so that it can be hashed, not {values!r}")
    hash((method.views, method.recipe))
    inside = all(0 < phase < 1 for phase in method.phases)
    require(inside and list(method.phases) == sorted(set(method.phases)), "phases are values of progress in (0, 1), rising")
    if cls.trained:
        require(method.views, "declare at least one View in self.views")
        require(isinstance(method.recipe, Recipe), "set self.recipe to a Recipe in __init__")
        trained = case.undisturbed.method
        stayed = all(getattr(method, what) == getattr(trained, what) for what in ("views", "recipe", "phases"))
        require(stayed, "views, recipe and phases must not change after construction: they are part of the run's id")
    else:
        require(not method.views and method.recipe is None, "a Floor is not trained: it declares no views and no recipe")


def check_meta_device(case: Case) -> None:
    """A plan builds every method on the meta device before any GPU is asked for, and reads views and recipe from it."""
    with on_paper():
        planned = case.build(planned=True)
    real = case.build()
    same = all(getattr(planned, what) == getattr(real, what) for what in ("views", "recipe", "phases"))
    require(
        same,
        "views, recipe or phases differ on the meta device: they must not depend on the values of tensors, nor on data.mean or data.std",
    )


def check_same_seed_same_start(case: Case) -> None:
    require(
        not differing(case.build().state_dict(), case.build().state_dict()),
        "two constructions with the same seed differ: initialise with torch's own functions, which the harness seeds",
    )
