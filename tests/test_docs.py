"""The documents: every link resolves, every command and option in them exists, the numbers they quote are the code's."""

import re
import shlex
from pathlib import Path

import click
import pytest

import methods
import run_bench
from bench.conformance import check
from bench.data import catalogue
from bench.encoders import table
from bench.evaluation import registry
from bench.suites.suite import LR_FACTORS
from places import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "results/README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def commands(page: Path) -> list[list[str]]:
    """Every run_bench.py command line of a page's indented or fenced code, without its comment; lines that go on are one."""
    text = page.read_text().replace("\\\n", " ")
    found = re.findall(r"^(?: {4}|\$ |python |\.venv/bin/python )*run_bench\.py (?! )([^\n#]*)", text, re.M)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page):
    for words in commands(page):
        command = run_bench.cli.commands[words[0]]
        if isinstance(command, click.Group):
            command, words = command.commands[words[1]], words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word for word in words if word.startswith("--")}
        assert used <= known, f"{page.name}: {words}"


def test_readme_names_the_two_commands_that_the_makefile_has():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in (ROOT / "README.md").read_text() and f"\n{target}: " in makefile
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_the_changelog_lists_what_is_there():
    text = (ROOT / "CHANGELOG.md").read_text()
    for name in (*methods.names(), *catalogue.names(), *table.names(), *registry.names()):
        assert re.search(rf"\b{name}\b", text), name


def test_readme_counts_the_checks_and_the_trials():
    text = (ROOT / "README.md").read_text()
    assert len(list(check.checks(trained=True))) == 20 and "twenty small checks" in text
    assert len(LR_FACTORS) * 2 == 8 and "eight trials a method" in text


def test_constraints_hold_no_address():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text and " @ " not in text
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", line) for line in text.split())
