"""Runs as data: what a budget may be, what decides a run's id, and what is refused."""

import dataclasses
import json
import math

import pytest
from pydantic import ValidationError

from bench.errors import UserError
from bench.spec import PROTOCOL, Budget, DatasetInfo, Group, Recipe, RunSpec, method_name, one_line

COMPLETE = {
    "method": "simclr",
    "dataset": "mnist5k",
    "budget": Budget("images", 20000),
    "seed": 0,
    "encoder": "resnet8",
    "image_size": 28,
    "precision": "bf16",
    "pretrain_split": "train",
    "hyper_parameters": {"temperature": 0.5, "projection": 128, "name": "x", "flag": True, "nothing": None},
    "recipe": Recipe("sgd", lr=0.3, batch_size=256, weight_decay=1e-4, warmup=0.1, groups=(Group("predictor", lr_scale=10.0),)),
    "method_version": "1",
    "data_revision": "abc",
    "protocol": 1,
}


def complete(**changes):
    return RunSpec(**(COMPLETE | changes))


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("20000images", "images", 20000),
        ("20000 images", "images", 20000),
        ("1image", "images", 1),
        ("20000items", "images", 20000),
        ("1item", "images", 1),
        ("500steps", "steps", 500),
        ("1e3steps", "steps", 1000),
        ("2e15flops", "flops", 2e15),
        ("600s", "seconds", 600),
        ("0.5seconds", "seconds", 0.5),
        (".5s", "seconds", 0.5),
        ("10epochs", "epochs", 10),
        ("0.25epoch", "epochs", 0.25),
    ],
)
def test_budget_is_read(text, unit, amount):
    assert Budget.parse(text) == Budget(unit, amount)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("20000", "the budget '20000' has no unit"),
        ("images", "cannot read the budget 'images'"),
        ("", "cannot read the budget ''"),
        ("1.2.3images", "cannot read the budget '1.2.3images'"),
        ("20000image5", "cannot read the budget '20000image5'"),
        ("10epocks", "unknown budget unit 'epocks'. Did you mean 'epochs'?"),
        ("10Steps", "unknown budget unit 'Steps'. Did you mean 'steps'?"),
        ("-5steps", "not -5 steps"),
        ("0images", "not 0 items"),
        ("10itens", "unknown budget unit 'itens'. Did you mean 'items'?"),
        ("infs", "not 'infs'"),
        ("nansteps", "not 'nansteps'"),
        ("1e999flops", "not '1e999flops'"),
        ("2.5steps", "whole number, not 2.5"),
    ],
)
def test_budget_that_makes_no_sense_is_refused_by_name(text, says):
    with pytest.raises(UserError) as caught:
        Budget.parse(text)
    assert says in str(caught.value)


def test_an_epoch_is_the_split_in_images():
    assert Budget("epochs", 10).in_images(4000) == Budget("images", 40000)
    assert Budget("epochs", 0.25).in_images(4001) == Budget("images", 1000)
    assert Budget("steps", 10).in_images(4000) == Budget("steps", 10)


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (Budget("images", 20000), "20,000 items"),
        (Budget("flops", 2e15), "2e15 flops"),
        (Budget("epochs", 0.25), "0.25 epochs"),
        (Budget("seconds", 1.5), "1.5 seconds"),
        (Budget("images", 123456789), "123,456,789 items"),
    ],
)
def test_budget_prints_its_amount(budget, text):
    assert str(budget) == text


def test_id_is_pinned():
    """Records are found by this number: where this test goes red, every stored record would become unreachable."""
    assert complete().canonical() == (
        '{"budget":{"amount":20000.0,"unit":"images"},"data_revision":"abc","dataset":"mnist5k","device":null,"encoder":"resnet8",'
        '"hyper_parameters":{"flag":true,"name":"x","nothing":null,"projection":128,"temperature":0.5},"image_size":28,'
        '"method":"simclr","method_version":"1","precision":"bf16","pretrain_split":"train","protocol":1,'
        '"recipe":{"batch_size":256,"betas":[0.9,0.999],"clip_grad":null,"eta":0.001,"exclude":["bias","norm"],'
        '"groups":[{"lr_scale":10.0,"prefix":"predictor","schedule":null,"weight_decay":null}],"lr":0.3,"lr_per_batch":256,'
        '"momentum":0.9,"nesterov":false,"optimizer":"sgd","schedule":"cosine","warmup":0.1,"weight_decay":0.0001,'
        '"weight_decay_end":null},"seed":0}'
    )
    assert complete().id == "d45833d601858ca3"


OTHER = {
    "method": "byol",
    "dataset": "cifar10",
    "budget": Budget("steps", 20000),
    "seed": 1,
    "encoder": "resnet18",
    "image_size": 32,
    "precision": "float32",
    "pretrain_split": "train+val",
    "hyper_parameters": COMPLETE["hyper_parameters"] | {"temperature": 0.50001},
    "recipe": dataclasses.replace(COMPLETE["recipe"], lr=0.30001),
    "encoder_version": 2,
    "method_version": "2",
    "data_revision": "abd",
    "protocol": 2,
    "device": "one CPU",
}


def test_every_field_is_tried():
    assert {*OTHER, "recipe_changes"} == {field.name for field in dataclasses.fields(RunSpec)}


@pytest.mark.parametrize("field", OTHER)
def test_every_field_decides_the_id(field):
    assert complete(**{field: OTHER[field]}).id != complete().id


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_field_of_the_recipe_decides_the_id(field):
    other = {
        "optimizer": "lars", "lr": 0.2, "batch_size": 255, "lr_per_batch": None, "momentum": 0.8, "nesterov": True, "betas": (0.9, 0.99),
        "weight_decay": 1e-5, "weight_decay_end": 0.4, "warmup": 0.2, "schedule": "linear", "clip_grad": 1.0, "exclude": ("bias",),
        "eta": 0.02, "clip_trust": True, "groups": (Group("predictor", lr_scale=9.0),),
    }  # fmt: skip
    assert complete(recipe=dataclasses.replace(COMPLETE["recipe"], **{field: other[field]})).id != complete().id


def test_a_clipped_trust_ratio_is_written_where_it_is_asked_for():
    """Records of before there was one have the ids that they had."""
    clipped = complete(recipe=dataclasses.replace(COMPLETE["recipe"], clip_trust=True))
    assert "clip_trust" not in complete().canonical() and '"clip_trust":true' in clipped.canonical()
    assert RunSpec.from_json(clipped.to_json()) == clipped


def test_the_first_version_of_an_encoder_is_not_written():
    """As the records of before encoders had versions: their ids stay, and one that is read has it."""
    old = complete().to_json()
    assert "encoder_version" not in old and RunSpec.from_json(old).encoder_version == 1
    assert complete(encoder_version=2).to_json() == old | {"encoder_version": 2}


def test_equal_content_has_an_equal_id():
    backwards = dict(reversed(COMPLETE["hyper_parameters"].items()))
    assert list(backwards) != list(COMPLETE["hyper_parameters"])
    assert complete(hyper_parameters=backwards, budget=Budget("images", 20000.0)).id == complete().id


def test_json_round_trip():
    spec = complete()
    through_text = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert through_text == spec and through_text.id == spec.id and through_text.recipe == spec.recipe
    kept = through_text.hyper_parameters
    assert {name: type(value) for name, value in kept.items()} == {name: type(value) for name, value in spec.hyper_parameters.items()}
    # 1, 1.0 and True are equal in Python and different texts in JSON, so their types must survive.
    assert through_text.canonical() == spec.canonical()


def test_json_of_an_incomplete_spec_keeps_what_was_asked_for():
    spec = RunSpec(method="simclr", dataset="mnist5k", budget=Budget("epochs", 2), recipe_changes={"lr": 0.1})
    assert RunSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_json_with_an_unknown_field_is_refused():
    for broken in (
        complete().to_json() | {"learning_rate": 1},
        complete().to_json() | {"budget": {"unit": "steps", "amount": 1, "more": 1}},
        complete().to_json() | {"recipe": complete().to_json()["recipe"] | {"lrr": 1}},
    ):
        with pytest.raises(ValidationError):
            RunSpec.from_json(broken)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(value):
    for build in (
        lambda: Budget("steps", value),
        lambda: Recipe("sgd", lr=value),
        lambda: Recipe("sgd", lr=1.0, weight_decay=value),
        lambda: Group("head", lr_scale=value),
        lambda: complete(hyper_parameters={"temperature": value}),
    ):
        with pytest.raises(ValidationError):
            build()


@pytest.mark.parametrize(
    "changes",
    [{"lr": 0}, {"lr": -1}, {"lr": 1, "batch_size": 0}, {"lr": 1, "warmup": 1.0}, {"lr": 1, "warmup": -0.1}],
)
def test_recipe_out_of_range_is_refused(changes):
    with pytest.raises(UserError):
        Recipe("sgd", **changes)


def test_names_that_do_not_exist_are_refused():
    for build in (
        lambda: Recipe("sgdd", lr=1.0),
        lambda: Recipe("sgd", lr=1.0, schedule="step"),
        lambda: Recipe("sgd", lr=1.0, exclude=("biases",)),
        lambda: complete(precision="fp16"),
        lambda: complete(pretrain_split="test"),
    ):
        with pytest.raises(ValidationError):
            build()
    with pytest.raises(UserError):
        complete(seed=-1)


def test_values_are_frozen_and_hash_by_content():
    recipe = COMPLETE["recipe"]
    info = DatasetInfo(num_images=10, image_size=28)
    for value, field in (
        (recipe, "lr"),
        (Budget("steps", 1), "amount"),
        (info, "image_size"),
        (complete(), "seed"),
        (Group("a"), "prefix"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, 2)
    assert len({recipe, dataclasses.replace(recipe), Budget("steps", 1), Budget("steps", 1.0), info}) == 3


def test_only_a_complete_spec_has_an_id():
    for changes in ({"encoder": None}, {"image_size": None}, {"method_version": None}, {"data_revision": None}):
        spec = complete(**changes)
        assert not spec.complete
        with pytest.raises(AssertionError):
            _ = spec.id
    for changes in ({"budget": Budget("epochs", 1)}, {"recipe_changes": {"lr": 0.1}}):
        with pytest.raises(AssertionError):
            _ = complete(**changes).id
    # A floor is not trained: it has no recipe, and an id all the same.
    assert complete(recipe=None).id != complete().id
    assert complete(recipe=None).batch_size is None and complete().batch_size == 256


def test_replace_checks_again():
    assert complete().replace(seed=3).seed == 3
    with pytest.raises(UserError):
        complete().replace(seed=-3)


def test_a_validation_error_becomes_one_sentence():
    with pytest.raises(ValidationError) as caught:
        RunSpec.from_json(complete().to_json() | {"precision": "fp16"})
    told = str(one_line(caught.value, "the run"))
    assert told.startswith("the run: precision = 'fp16': ") and "\n" not in told and "bf16" in told


def test_names_for_people():
    assert method_name("simclr") == "simclr"
    assert method_name("own/folder/my method.py") == method_name("own\\folder\\my method.py") == "my_method"
    assert complete(seed=2).name == "simclr seed 2"


def test_protocol_is_filled_in():
    assert RunSpec(method="simclr", dataset="mnist5k", budget=Budget("steps", 1)).protocol == PROTOCOL
