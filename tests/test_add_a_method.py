"""docs/add_a_method.md does what it says: its method keeps the contract, its table lists every check, its commands exist."""

import re

import pytest

import methods
from bench.conformance.check import check_method, checks, name_of
from places import ROOT

TEXT = (ROOT / "docs" / "add_a_method.md").read_text()


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The method of the document, saved as a user would."""
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path_factory.mktemp("path_to") / "mine.py"
    path.write_text(block)
    return path


@pytest.mark.slow
def test_the_method_passes_every_check(mine):
    outcomes = check_method(mine)
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) == len(list(checks()))


def test_the_method_has_the_summary_and_version_of_its_file(mine):
    assert methods.summary(str(mine)).startswith("VICReg (Bardes et al. 2022")
    assert re.fullmatch(r"1\+[0-9a-f]{8}", methods.version(str(mine), methods.load(str(mine)), {}))


def test_the_table_lists_the_checks_in_their_order():
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == [name_of(check) for check in checks()]


def test_the_commands_exist():
    import run_bench

    commands = re.findall(r"^    python run_bench\.py (\w+) (.*)$", TEXT, re.MULTILINE)
    assert [command for command, _ in commands] == ["check", "views", "run"]
    for command, arguments in commands:
        known = {option for parameter in run_bench.cli.commands[command].params for option in parameter.opts}
        assert {word for word in arguments.split() if word.startswith("--")} <= known
