"""What a hyper-parameter may be: declared by its type, read as words, and held to by the plan."""

import inspect
import typing
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MultipleOf, doc

import methods
from bench.domains import Count, CountOrZero, Domain, Fraction, NonNegative, Positive, Probability, Share, apart, domains, of
from bench.errors import UserError
from bench.plan.complete import check_hyper_parameters

ALL = [(name, domain) for name in methods.names() for domain in domains(methods.load(name)).values()]


@pytest.mark.parametrize("name", methods.names())
def test_every_hyper_parameter_of_ours_declares_its_values_and_its_default_is_one(name):
    for domain in domains(methods.load(name)).values():
        assert domain.is_declared, f"{name}'s {domain.name} may be anything"
        assert domain.holds(domain.default), f"{name}'s {domain.name} = {domain.default!r} is not {domain.words}"
        kind, _ = apart(domain.declared)
        assert typing.get_origin(kind) is Literal or type(domain.default) is kind, f"{name}'s {domain.name} is cast to its default's type"


def outside(domain: Domain) -> list:
    """Values just beyond each of a domain's bounds, and a name that is not one of several."""
    kind, constraints = apart(domain.declared)
    step = 1 if kind is int else 1e-6
    found = [entry.gt for entry in of(Gt, constraints)] + [entry.ge - step for entry in of(Ge, constraints)]
    found += [entry.lt for entry in of(Lt, constraints)] + [entry.le + step for entry in of(Le, constraints)]
    found += [entry.multiple_of + 1 for entry in of(MultipleOf, constraints)]
    if typing.get_origin(kind) is Literal:
        found.append(3 if isinstance(domain.default, int) else domain.default + "s")
    return [type(domain.default)(value) for value in found]


@pytest.mark.parametrize(("name", "domain"), ALL, ids=lambda value: getattr(value, "name", value))
def test_what_lies_beyond_a_bound_is_refused_with_what_was_expected(name, domain):
    for value in outside(domain):
        with pytest.raises(UserError) as refused:
            check_hyper_parameters(name, methods.load(name), {domain.name: value})
        assert f"{name}'s {domain.name} = {value!r}: expected {domain.words}" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("simclr", {"temperature": 0.0}, "simclr's temperature = 0.0: expected more than 0"),
        ("simclr", {"crop_min": 2.0}, "simclr's crop_min = 2.0: expected more than 0 and at most 1"),
        ("simclr", {"blur": 7}, "simclr's blur = 7.0: expected 0 to 1"),
        # One answer for all images: the loss is 0 from the first step on.
        ("swav", {"prototypes": 1}, "swav's prototypes = 1: expected a whole number, 2 or more"),
        ("dino", {"outputs": 1}, "dino's outputs = 1: expected a whole number, 2 or more"),
        ("swav", {"iterations": 0}, "swav's iterations = 0: expected a whole number, 1 or more"),
        ("simsiam", {"projection": 0}, "simsiam's projection = 0: expected a whole number, 1 or more"),
        ("moco", {"temperature": float("nan")}, "moco's temperature = nan: expected more than 0"),
        ("deepcluster", {"images_per_cluster": 0}, "deepcluster's images_per_cluster = 0"),
        ("colorization", {"kind": "classifcation"}, "expected classification or regression. Did you mean 'classification'?"),
        ("mae", {"decoder_dim": 48}, "expected a whole number, 1 or more, a multiple of 32"),
    ],
)
def test_bad_values_are_told_in_one_line(name, given, told):
    with pytest.raises(UserError) as refused:
        check_hyper_parameters(name, methods.load(name), given)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_values_are_cast_as_ever():
    """To the type of the default, and no further: ids are made of them. What came later is left out at its default."""
    later = methods.load("simclr").added
    assert check_hyper_parameters("simclr", methods.load("simclr"), {"temperature": 1}) == {
        **{name: domain.default for name, domain in domains(methods.load("simclr")).items() if name not in later},
        "temperature": 1.0,
    }
    assert type(check_hyper_parameters("simclr", methods.load("simclr"), {"head_layers": 3.0})["head_layers"]) is int


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (Positive, "more than 0"),
        (NonNegative, "0 or more"),
        (Share, "0 to 1"),
        (Probability, "0 to 1"),
        (Fraction, "more than 0 and at most 1"),
        (Count, "a whole number, 1 or more"),
        (CountOrZero, "a whole number, 0 or more"),
        (Annotated[int, Interval(ge=2, le=1000)], "a whole number, 2 to 1000"),
        (Annotated[float, Interval(gt=0, lt=1)], "more than 0 and below 1"),
        (Annotated[int, MultipleOf(32)], "a whole number, a multiple of 32"),
        (Literal["a", "b", "c"], "a, b or c"),
        (bool, "true or false"),
        (Count | None, "a whole number, 1 or more or none"),
        (Annotated[str, doc("names")], "names"),
        (float, ""),
        (inspect.Parameter.empty, ""),
    ],
)
def test_in_words(declared, words):
    assert Domain("x", None, declared).words == words


def test_a_users_own_file_may_declare_nothing(tmp_path):
    file = tmp_path / "mine.py"
    text = methods.require("simclr").read_text()
    file.write_text(text.replace("temperature: Positive = 0.5", "temperature=0.5"))
    assert check_hyper_parameters(str(file), methods.load(str(file)), {"temperature": -1.0})["temperature"] == -1.0
    file.write_text("from __future__ import annotations\n" + text[text.index("import torch") :])
    with pytest.raises(UserError, match=r"temperature = -1\.0: expected more than 0"):
        check_hyper_parameters(str(file), methods.load(str(file)), {"temperature": -1.0})
