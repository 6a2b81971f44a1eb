"""Every method names the code that it was read in, at a commit, in one form."""

import re

import pytest

import methods
from bench import registry
from bench.pages.methods import code_in_words
from bench.plan import recipes

PLACE = r"[\w.-]+/[\w.-]+@[0-9a-f]{7,40}"
FORM = re.compile(rf"paper alone|{PLACE}(, {PLACE})*")


def source_of(name: str) -> str:
    return registry.declared(methods.require(name), "source", "")


@pytest.mark.parametrize("name", methods.names())
def test_every_method_with_a_paper_says_where_its_code_is(name):
    assert methods.load(name).source == source_of(name)
    assert FORM.fullmatch(source_of(name)) if methods.load(name).paper else not source_of(name)


@pytest.mark.parametrize("name", recipes.published())
def test_a_published_recipes_repository_has_a_commit(name):
    """Where the recipe's files are from a repository, the method says at which commit."""
    if repository := recipes.published()[name].repository.split(",")[0]:
        assert f"{repository}@" in source_of(name)


@pytest.mark.parametrize("wrong", ["main branch", "github.com/a/b@1234567", "a/b@12345", "a/b", "a/b@1234567 c/d@1234567", "paper"])
def test_other_forms_are_noticed(wrong):
    assert not FORM.fullmatch(wrong)


def test_a_page_links_to_the_commit():
    assert code_in_words("a/b@1234567, c/d@89abcde") == (
        "[b@1234567](https://github.com/a/b/tree/1234567), [d@89abcde](https://github.com/c/d/tree/89abcde)"
    )
    assert code_in_words("paper alone") == "paper alone" and code_in_words("") == "–"
