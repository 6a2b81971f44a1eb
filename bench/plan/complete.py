"""A spec completed with defaults and checked against the method, the encoder and the data.

The method is built on torch's meta device, where it costs nothing, so that a wrong hyper-parameter or encoder is refused before a GPU is
asked for.
"""

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import methods
from bench.data import catalogue
from bench.data.dataset import DataSet
from bench.domains import domains
from bench.encoders import factory, table
from bench.errors import UserError, said, unknown
from bench.folder_name import canonical, shown
from bench.plan.fits import require_encoder, require_method
from bench.spec import Recipe, RunSpec
from bench.spec import canonical as canonical_json


def complete(
    spec: RunSpec,
    root=None,
    processes: int = 1,
    threads: int = 1,
    data: DataSet | None = None,
    built: dict | None = None,
    here: bool = False,
    tried: bool = True,
    scratch: Path | None = None,
) -> RunSpec:
    """The spec with every default filled in, checked against the method, the encoder, the data and
    the number of processes that share it, each with so many threads; it has an id. data: its data set, looked up under the root where none
    is given. built: methods, and their steps, of other specs, which may differ from this one in their recipes alone; gets this one's.
    here: it will run on this machine, whose memory must do. tried: False where nothing will run, and only the id is wanted: the first step
    is not tried, which is what takes the time. scratch: where files of weights lie that somebody else trained. No image is decoded."""
    from bench.encoders.batch_norm import require_shares
    from bench.machine.hardware import default_precision, describe_device
    from bench.method import build, on_paper
    from bench.plan.hook import hook_on_paper
    from bench.plan.memory import images_bytes, require_memory
    from bench.plan.step import Step, encode_on_paper, step_on_paper, task_on_paper
    from bench.training.optim import parameter_groups

    data = data or catalogue.require(spec.dataset, root)
    encoder, image_size = spec.encoder or data.entry.encoder, spec.image_size or data.entry.image_size
    modality, cls = data.entry.modality, methods.load(spec.method)
    require_method(spec.method, cls.takes, data)
    entry = table.require(encoder)
    require_encoder(entry, data)
    modality.require_size(image_size)
    items, info = f"{modality.name} of {image_size} {modality.unit}", data.info(spec.pretrain_split, image_size)
    hyper_parameters = check_hyper_parameters(spec.method, cls, spec.hyper_parameters)
    encoder = entry.name
    if cls.needs not in entry.offers:
        able = [other.name for other in map(table.require, table.names()) if cls.needs in other.offers and other.takes == modality.name]
        raise UserError(
            f"{spec.method} needs {cls.needs} of its encoder, which {encoder} does not offer; expected one of {', '.join(able)}"
        )
    if cls.uses_labels and spec.pretrain_split == "unlabelled":
        raise UserError(f"{spec.method} needs labels, and the unlabelled split of {spec.dataset} has none")
    if cls.uses_labels and not data.entry.one_class:
        raise UserError(f"{spec.method} needs one class of each image, which {spec.dataset} has not")
    num_classes = data.num_classes if cls.uses_labels else 0
    if cls.uses_labels and num_classes < 2:
        raise UserError(f"{spec.method} learns to tell classes, and {shown(spec.dataset)} has one: it needs two or more")
    built, key = {} if built is None else built, (cls, encoder, image_size, info, num_classes, canonical_json(hyper_parameters))
    settings = ", ".join(f"{name}={value}" for name, value in hyper_parameters.items()) or "no hyper-parameters"

    def new_method():
        return build(cls, factory.factory(encoder, image_size, scratch, info.kinds), info, num_classes, hyper_parameters)

    with own_code(f"{spec.method} cannot be built with {encoder} at {image_size} {modality.unit} and {settings}"), on_paper():
        if key not in built:
            built[key] = new_method()
        method, recipe, step, precision = built[key], None, None, spec.precision or default_precision()
        # A batch size is said of a whole grid, and a floor may stand in it.
        for name in set(spec.recipe_changes) - {"batch_size"} if not cls.trained else ():
            raise UserError(f"recipe.{name} changes nothing: {spec.method} is not trained; expected no recipe.FIELD")
        if cls.trained:
            if not isinstance(method.recipe, Recipe):
                raise TypeError("it has no recipe: __init__ must set self.recipe to a bench.spec.Recipe")
            recipe = changed_recipe(spec, method.recipe)
            parameter_groups(method, recipe)
            require_shares(method, recipe.batch_size, processes)
    if recipe and recipe.batch_size > info.num_images:
        raise UserError(
            f"a batch of {recipe.batch_size} is larger than the data: the {spec.pretrain_split} split of {spec.dataset} "
            f"has {info.num_images} {modality.name}; expected --batch-size of at most that"
        )
    if recipe and recipe.batch_size < method.smallest_batch:
        raise UserError(f"{spec.method} needs a batch of {method.smallest_batch} {modality.name} or more, not {recipe.batch_size}")
    if tried:
        when = f"before an epoch, with {encoder} and {items}" if recipe else f"in its look at the training {items}"
        with own_code(f"{spec.method} fails {when}"):
            if (*key, "hook") not in built:
                built[*key, "hook"] = hook_on_paper(method, info, new_method)
        step = Step(0, 0, built[*key, "hook"].bytes)
    if tried and recipe:
        trained_so, given = (
            (*key, recipe.batch_size, recipe.optimizer),
            ", ".join(f"{name}={value}" for name, value in spec.hyper_parameters.items()),
        )
        batch = f"{encoder}, a batch of {recipe.batch_size} {items}" + f" and {given}" * bool(given)
        with own_code(f"{spec.method} fails in its first step with {batch}"):
            if trained_so not in built:
                built[trained_so] = step_on_paper(method, recipe, info, num_classes, new_method)
            step = built[trained_so] and replace(built[trained_so], hook=built[*key, "hook"].bytes)
        with own_code(f"{spec.method} fails where it is asked what it needs of a budget, and for its chance loss"):
            task_on_paper(method, recipe.batch_size, new_method)
        with own_code(f"{spec.method} fails where it is evaluated, with {encoder} and {items}"):
            if (*key, "encode") not in built:
                built[*key, "encode"] = encode_on_paper(method, info, new_method)
    if here and step:
        images = images_bytes(data, spec.pretrain_split, image_size)
        require_memory(spec.method, items, recipe and recipe.batch_size, precision, images, step)
    with own_code(f"{spec.method} fails where it is asked for its version"):
        method_version = methods.version(spec.method, cls, hyper_parameters)
    return spec.replace(
        dataset=canonical(spec.dataset),
        encoder=encoder,
        image_size=image_size,
        precision=precision,
        hyper_parameters=hyper_parameters,
        recipe=recipe,
        recipe_changes={},
        encoder_version=entry.version,
        method_version=method_version,
        data_revision=data.revision,
        budget=spec.budget.in_images(info.num_images),
        device=describe_device(processes, threads) if spec.budget.unit == "seconds" else None,
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
    declared = domains(cls)
    for name, value in cast.items():
        if not declared[name].holds(value):
            raise UserError(f"{method}'s {name} = {value!r}: expected {declared[name].expected(value)}")
    values = defaults | cast
    return {name: value for name, value in values.items() if not (name in cls.added and value == cls.added[name] == defaults[name])}


@contextlib.contextmanager
def own_code(what: str) -> Iterator[None]:
    """A block that runs a method's own code, which may raise anything: it becomes a UserError of one line, with the file's line."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a file of somebody's own may end its process, too
        raise UserError(f"{what}: {said(error)}") from error


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
