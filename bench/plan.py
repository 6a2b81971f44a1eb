"""From what was asked for to what is to be done: specs completed with defaults, checked, and set against the store.

Names are checked before anything heavy is imported; then the method is built on torch's meta device, where it costs
nothing, so that a wrong hyper-parameter or encoder is refused before a GPU is asked for.
"""

import inspect
from dataclasses import dataclass, fields, replace

import methods
from bench import datasets, encoders, evals
from bench.completions import asked_of, setting_of
from bench.errors import UserError, unknown
from bench.spec import Recipe, RunSpec
from bench.store import ResultStore

LARGEST_IMAGE = 4096
"""Pixels a side: more is a slip of the keyboard."""


def check_names(spec: RunSpec, requests: tuple[str, ...], root=None) -> None:
    """A UserError for the first name in the spec, or in the evaluators asked for, that does not exist. Imports no torch."""
    methods.require(spec.method)
    entry = datasets.require(spec.dataset, root)
    if spec.pretrain_split not in entry.pretrain_splits:
        raise unknown(f"pretraining split of {spec.dataset}", spec.pretrain_split, entry.pretrain_splits)
    encoders.require(spec.encoder or entry.encoder)
    for request in requests:
        name, target = evals.parse(request)
        # An evaluator without a target measures the pretraining data set itself.
        datasets.require(target or spec.dataset, root, needs_test=evals.reads_test(name))


def check_all(specs: tuple[RunSpec, ...], requests: tuple[str, ...], root=None) -> None:
    """`check_names` of every spec; those that name the same things once."""
    for spec in {(s.method, s.dataset, s.encoder, s.pretrain_split): s for s in specs}.values():
        check_names(spec, requests, root)


def complete(spec: RunSpec, root=None, processes: int = 1) -> RunSpec:
    """The spec with every default filled in, checked against the method, the encoder, the data and
    the number of processes that share it; it has an id."""
    from bench.batch_norm import require_shares
    from bench.hardware import default_precision, describe_device
    from bench.method import build, on_paper
    from bench.optim import parameter_groups

    entry = datasets.require(spec.dataset, root)
    encoder, image_size = spec.encoder or entry.encoder, spec.image_size or entry.image_size
    if not 8 <= image_size <= LARGEST_IMAGE:
        size = "small" if image_size < 8 else "large"
        raise UserError(f"an image size of {image_size} pixels is too {size}; expected 8 to {LARGEST_IMAGE}")
    data = datasets.info(spec.dataset, spec.pretrain_split, image_size, root)
    cls = methods.load(spec.method)
    hyper_parameters = check_hyper_parameters(spec.method, cls, spec.hyper_parameters)
    if cls.needs not in encoders.require(encoder).offers:
        able = [name for name in encoders.names() if cls.needs in encoders.require(name).offers]
        raise UserError(
            f"{spec.method} needs {cls.needs} of its encoder, which {encoder} does not offer; expected one of {', '.join(able)}"
        )
    if cls.uses_labels and spec.pretrain_split == "unlabelled":
        raise UserError(f"{spec.method} needs labels, and the unlabelled split of {spec.dataset} has none")
    num_classes = len(datasets.load(spec.dataset, spec.pretrain_split, image_size, root).classes) if cls.uses_labels else 0
    try:
        with on_paper():
            method = build(cls, encoders.factory(encoder, image_size), data, num_classes, hyper_parameters)
            if cls.trained and not isinstance(method.recipe, Recipe):
                raise TypeError("it has no recipe: __init__ must set self.recipe to a bench.spec.Recipe")
            recipe = changed_recipe(spec, method.recipe) if cls.trained else None
            if recipe:
                parameter_groups(method, recipe)
                require_shares(method, recipe.batch_size, processes)
    except UserError:
        raise
    except Exception as error:  # whatever a method's own code can raise
        settings = ", ".join(f"{name}={value}" for name, value in hyper_parameters.items()) or "no hyper-parameters"
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{spec.method} cannot be built with {encoder} at {image_size} pixels and {settings}: {reason}") from error
    if recipe and recipe.batch_size > data.num_images:
        raise UserError(
            f"a batch of {recipe.batch_size} is larger than the data: the {spec.pretrain_split} split of {spec.dataset} "
            f"has {data.num_images} images; expected --batch-size of at most that"
        )
    return spec.replace(
        encoder=encoder,
        image_size=image_size,
        precision=spec.precision or default_precision(),
        hyper_parameters=hyper_parameters,
        recipe=recipe,
        recipe_changes={},
        method_version=methods.version(spec.method, cls, hyper_parameters),
        data_revision=datasets.revision(spec.dataset, root),
        budget=spec.budget.in_images(data.num_images),
        device=describe_device(processes) if spec.budget.unit == "seconds" else None,
    )


def check_hyper_parameters(method: str, cls, given: dict) -> dict:
    """Every hyper-parameter of the class with its value: the given ones checked against the signature, the others' defaults."""
    signature = inspect.signature(cls.__init__)
    defaults = {p.name: p.default for p in signature.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    for name, value in given.items():
        if name not in defaults:
            raise unknown(f"hyper-parameter of {method}", name, defaults)
        default = defaults[name]
        number = isinstance(default, int | float) and not isinstance(default, bool)
        fits = isinstance(value, int | float) and not isinstance(value, bool) if number else isinstance(value, type(default))
        if default is not None and (not fits or (isinstance(default, int) and number and value != int(value))):
            raise UserError(f"{method}'s {name} = {value!r}: expected {type(default).__name__}, as its default {default!r}")
    # A whole number where the default is a float is that float: 1 and 1.0 are one run, with one id.
    cast = {name: type(defaults[name])(value) if isinstance(defaults[name], int | float) else value for name, value in given.items()}
    values = defaults | cast
    return {name: value for name, value in values.items() if not (name in cls.added and value == cls.added[name] == defaults[name])}


def changed_recipe(spec: RunSpec, recipe: Recipe) -> Recipe:
    """The method's recipe with the fields that were asked for replaced."""
    from pydantic import ValidationError

    from bench.spec import one_line

    known = {field.name for field in fields(Recipe)}
    for name in spec.recipe_changes:
        if name not in known:
            raise unknown("recipe field", name, known)
    try:
        return replace(recipe, **spec.recipe_changes)
    except ValidationError as error:
        raise one_line(error, "recipe") from error


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    runs: tuple[RunSpec, ...]
    """Complete, without repetition, in the order asked for."""
    evals: tuple[str, ...]
    todo: tuple[RunSpec, ...]
    """The runs for which the store lacks an evaluator."""

    @property
    def stored(self) -> int:
        return len(self.runs) - len(self.todo)


def make_plan(
    specs: list[RunSpec],
    requests: tuple[str, ...],
    store: ResultStore,
    root=None,
    processes: int = 1,
    known: dict[str, RunSpec] | None = None,
) -> Plan:
    """Complete everything, take away what the store already holds; a UserError where a run is listed twice. Names are `check_all`'s.

    known: settings that were completed already (bench/completions.py), believed where the data are still the same; gets the others.
    """
    known, completed, runs = {} if known is None else known, {}, {}
    for spec in specs:
        # Seeds of one setting differ in nothing else: each setting is completed once.
        asked = asked_of(spec)
        if asked not in completed:
            setting = setting_of(spec, root, processes)
            if setting not in known or known[setting].data_revision != datasets.revision(spec.dataset, root):
                known[setting] = complete(spec, root, processes)
            completed[asked] = known[setting]
        run = completed[asked].replace(seed=spec.seed)
        if run.id in runs:
            raise UserError(f"{run.name} ({run.id}) is listed twice: a run is its content, and one of the two would be nothing new")
        runs[run.id] = run
    todo = tuple(run for run in runs.values() if store.missing(run, requests))
    for target in {evals.parse(request)[1] for request in requests} - {None} if todo else ():
        datasets.revision(target, root)  # a part of a set, or another one, is refused now and not after training
    return Plan(tuple(runs.values()), tuple(requests), todo)
