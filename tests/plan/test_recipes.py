"""The recipes by name: that the published ones are whole, sourced and can be run, what --recipe does, and that the page is theirs."""

import ast
import dataclasses
import inspect
import re
from types import SimpleNamespace

import pytest

import methods
from bench.commands.request import Request
from bench.data.images import IMAGES
from bench.encoders import table
from bench.errors import UserError
from bench.pages import recipes as recipes_page
from bench.plan import recipes
from bench.plan.complete import complete
from bench.settings import written
from bench.spec import Budget, DatasetInfo, Recipe, RunSpec
from places import ROOT

TRAINED = [name for name in methods.takers("images") if methods.load(name).trained]

FACTS = ("encoder", "image_size", "epochs", "steps")

CORE = ("optimizer", "lr", "batch_size", "weight_decay", "warmup", "schedule")
"""Of these fields of a recipe a published one says the value, or why there is none."""

FIELDS = {field.name for field in dataclasses.fields(Recipe)}


@pytest.fixture
def imagenet():
    """What a plan believes to be ImageNet, of which nothing is here: a tenth of it, since memories of all images, and what clusters them,
    are made with their numbers."""
    return SimpleNamespace(
        entry=SimpleNamespace(encoder="resnet8", image_size=224, one_class=True, modality=IMAGES),
        info=lambda split, size: DatasetInfo(128_117, size),
        revision="none",
        num_classes=1000,
    )


def hyper_parameters(name):
    signature = inspect.signature(methods.load(name).__init__)
    return {parameter.name for parameter in signature.parameters.values() if parameter.kind is inspect.Parameter.KEYWORD_ONLY}


def test_every_method_that_is_trained_has_a_published_recipe_and_nothing_else_has():
    assert list(recipes.published()) == TRAINED


@pytest.mark.parametrize("name", TRAINED)
def test_a_published_recipe_can_be_completed_with_the_encoder_that_comes_closest(name, imagenet):
    found = recipes.published()[name]
    own, changes = recipes.changes(name, "imagenet")
    spec = RunSpec(method=name, dataset="imagenet1k", budget=Budget("epochs", 1), encoder=found.closest, image_size=found.image_size)
    done = complete(spec.replace(hyper_parameters=own, recipe_changes=changes), data=imagenet)
    assert {key: done.hyper_parameters[key] for key in own} == own
    assert {key: getattr(done.recipe, key) for key in changes} == {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}


@pytest.mark.parametrize("name", TRAINED)
def test_every_number_has_one_source_or_is_said_to_have_none(name):
    found = recipes.published()[name]
    assert table.require(found.closest) and hyper_parameters(name) >= set(found.hyper_parameters) and set(found.recipe) <= FIELDS
    both = set(found.recipe) & set(found.hyper_parameters)
    numbers = [fact for fact in FACTS if getattr(found, fact) is not None]
    numbers += [f"recipe.{key}" if key in both else key for key in found.recipe]
    numbers += [f"hyper_parameters.{key}" if key in both else key for key in found.hyper_parameters]
    assert sorted(" ".join(found.source).split()) == sorted(numbers)
    assert all(where.strip() for where in found.source.values())
    absent = (*found.inexpressible, *found.unstated)
    assert len(set(absent)) == len(absent) and not set(absent) & set(numbers)
    assert set(absent) <= FIELDS | hyper_parameters(name) | {"image_size", "epochs"}
    lengths = [fact for fact in ("epochs", "steps") if fact in numbers or fact in absent]
    assert len(lengths) == 1 and {"image_size", *CORE} <= {*found.recipe, *numbers, *absent}
    assert found.differs or not found.inexpressible
    assert ("lr" in found.recipe) == ("lr_per_batch" in found.recipe)


def test_the_sources_name_files_of_ours_that_are_there():
    for path in re.findall(r"methods/\w+\.py", recipes.PUBLISHED.read_text()):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", TRAINED)
def test_a_small_recipe_says_where_it_is_from(name):
    """In a comment at it, or above it."""
    text = (methods.FOLDER / f"{name}.py").read_text()
    made = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.recipe"]
    lines = text.splitlines()
    assert made and all("#" in "\n".join(lines[max(0, node.lineno - 9) : node.end_lineno]) for node in made)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('paper = "x"\nencoder = "x"\nclosest = "x"\nepoch = 3\n[mine.source]\n', "mine.epoch = 3: Unexpected"),
        ('paper = "x"\nencoder = "x"\n[mine.source]\n', "mine.closest = .*: Field required"),
        ('paper = "x"\nencoder = "x"\nclosest = "x"\nimage_size = "large"\n[mine.source]\n', "mine.image_size = 'large'"),
    ],
)
def test_a_table_that_is_not_of_the_form_is_refused(table, says, tmp_path, monkeypatch):
    (tmp_path / "imagenet.toml").write_text(f"[mine]\n{table}")
    monkeypatch.setattr(recipes, "PUBLISHED", tmp_path / "imagenet.toml")
    with pytest.raises(UserError, match=says):
        recipes.published.__wrapped__()


def request(*settings, **described):
    given = {"method": "simclr", "dataset": "digits", "budget": "5steps", "image_size": 16, "encoder": "resnet8", "seeds": "0"}
    names = ("batch_size", "precision", "pretrain_split", "recipe")
    given |= dict.fromkeys(names) | {"settings": settings} | described
    return Request(suite=None, requests=None, results=None, data_root=None, scratch=None, threads=1, **given)


def test_a_published_recipe_is_set_and_what_is_set_by_hand_wins():
    (spec,) = request("temperature=0.3", "recipe.lr=0.7", recipe="imagenet", batch_size=64).specs
    done = complete(spec)
    assert done.hyper_parameters["temperature"] == 0.3 and done.hyper_parameters["color_strength"] == 1.0
    assert (done.recipe.lr, done.recipe.batch_size, done.recipe.weight_decay) == (0.7, 64, 1e-6)
    assert (done.encoder, done.image_size, done.budget) == ("resnet8", 16, Budget("steps", 5))


def test_each_method_of_a_grid_gets_its_own_and_what_is_not_trained_none():
    first, second, floor = request(method="simclr,byol,random", recipe="imagenet").specs
    assert first.hyper_parameters["temperature"] == 0.1 and second.hyper_parameters["momentum"] == 0.996
    assert not floor.hyper_parameters and not floor.recipe_changes


def test_the_small_recipe_is_the_default_and_a_recipe_is_its_numbers_alone():
    (default,), (small,) = request().specs, request(recipe="small").specs
    assert complete(default).id == complete(small).id and default == small
    (named,) = request(recipe="imagenet", batch_size=64).specs
    by_hand = [f"{name}={value}" for name, value in named.hyper_parameters.items()]
    by_hand += [written(f"recipe.{name}", value) for name, value in named.recipe_changes.items()]
    (same,) = request(*by_hand).specs
    assert complete(named).id == complete(same).id


def test_a_recipe_of_several_values_survives_being_written_down():
    spec = RunSpec(method="mae", dataset="digits", budget=Budget("steps", 1), recipe_changes={"betas": (0.9, 0.95), "exclude": ()})
    assert RunSpec.from_json(spec.to_json()) == spec


def test_what_has_no_such_recipe_is_said(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text((methods.FOLDER / "simclr.py").read_text())
    with pytest.raises(UserError, match=r"mine.py has no recipe 'imagenet'"):
        request(method=str(tmp_path / "mine.py"), recipe="imagenet")
    with pytest.raises(UserError, match=r"unknown recipe 'imagnet'. Did you mean 'imagenet'\?"):
        request(recipe="imagnet")
    monkeypatch.setattr(recipes, "published", lambda: {})
    with pytest.raises(UserError, match=r"simclr has no recipe 'imagenet'"):
        request(recipe="imagenet")


def test_the_page_of_recipes_is_the_codes():
    """Where it fails: python -m bench.pages.recipes simclr > docs/recipes.md"""
    assert (ROOT / "docs/recipes.md").read_text() == recipes_page.page("simclr")
