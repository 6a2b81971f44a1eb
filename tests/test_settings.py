"""Settings as a person writes them: what is read of them, and that what is written is read back."""

import pytest

from bench.errors import UserError
from bench.settings import SEVERAL, read, written
from bench.spec import Budget, Group, Recipe, RunSpec

GROUP = '[{"prefix": "predictor.", "lr_scale": 10, "schedule": "constant"}]'


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("recipe.betas=0.9,0.95", (0.9, 0.95)),
        ("recipe.betas=[0.9, 0.95]", (0.9, 0.95)),
        ("recipe.exclude=bias,norm", ("bias", "norm")),
        ("recipe.exclude=norm", ("norm",)),
        ("recipe.exclude=none", ()),
        ("recipe.exclude=", ()),
        ("recipe.exclude=[]", ()),
        (f"recipe.groups={GROUP}", (Group("predictor.", lr_scale=10.0, schedule="constant"),)),
        ("recipe.lr=1e-3", 1e-3),
        ("recipe.clip-grad=None", None),
    ],
)
def test_a_field_of_a_recipe_is_read_by_its_kind(setting, expected):
    ((_, value),) = read((setting,))[1].items()
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    "value", [0.1, 1, 1.0, True, None, "two words", "1", "none", "True", "1e5", "'quoted'", "a,b", "1,0.5", "", 1e-300]
)
def test_a_hyper_parameter_is_read_back_as_it_was(value):
    ((_, again),) = read((written("name", value),))[0].items()
    assert again == value and type(again) is type(value)


def test_every_recipe_is_read_back_as_it_was():
    groups = (Group("predictor.", lr_scale=10.0), Group("head.", weight_decay=0.0, schedule="linear"))
    recipe = Recipe("adamw", lr=0.1, betas=(0.5, 0.999), exclude=(), groups=groups, weight_decay_end=0.4, nesterov=True)
    facts = {"method": "simclr", "dataset": "digits", "budget": Budget("steps", 1)}
    said = RunSpec(**facts, recipe=recipe).to_json()["recipe"]
    changes = read([written(f"recipe.{name}", value) for name, value in said.items()])[1]
    assert Recipe(**changes) == recipe and set(changes) == set(said) >= SEVERAL
    assert RunSpec(**facts, recipe_changes=changes).recipe_changes == changes, "groups are groups there too"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('recipe.groups=[{"prefix": 1}]', "--set recipe.groups: 0.prefix = 1"),
        ('recipe.groups=[{"prefx": "a"}]', "--set recipe.groups: 0.p"),
        ("recipe.betas=[0.9", "cannot read --set recipe.betas='[0.9'; expected values with commas between them, or a JSON list"),
        ("recipe.betas=0.9,1e999", "--set recipe.betas takes a finite number"),
        ("recipe.lr=0.1,0.2", "--set recipe.lr takes a finite number"),
    ],
)
def test_what_is_no_list_is_refused(setting, said):
    with pytest.raises(UserError) as refused:
        read((setting,))
    assert said in str(refused.value) and "\n" not in str(refused.value)
