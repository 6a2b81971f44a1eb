"""The house rules on length, as tests on the source: how long the loop, a method and a module may be; and none is a drawer for whatever has
no place.

A rule that has to give way is changed here, in view of whoever reviews the change.
"""

import ast
import re
from pathlib import Path

import pytest

from places import ROOT
from source_code import METHODS, MODULES, parsed

LONGEST_MODULE, LONGEST_ELSEWHERE, LONGEST_METHOD, LONGEST_LOOP = 220, 300, 160, 60
"""Lines of a module of bench/ and of one outside it, of a method's file, and of the loop."""

LONGER: dict[str, int] = {}
"""Modules that are over the limit, and how long they may be. They may shrink and leave this list; no other may join it unseen."""


def too_long(path: Path, limit: int) -> bool:
    return len(path.read_text(encoding="utf-8").splitlines()) > limit


def limit_of(path: Path) -> int:
    """Lines that a module may have."""
    return LONGEST_MODULE if path.is_relative_to(ROOT / "bench") else LONGEST_ELSEWHERE


def test_nothing_is_called_utils():
    assert not [path for path in MODULES if re.search(r"util|helper|common|misc", path.stem)]


def test_the_loop_is_short():
    tree = parsed(ROOT / "bench" / "training" / "trainer.py")
    (trainer,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trainer")
    (run,) = (node for node in trainer.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    assert run.end_lineno - run.body[0].lineno + 1 <= LONGEST_LOOP


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.name)
def test_a_method_is_short(path):
    assert not too_long(path, LONGEST_METHOD)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_short(path):
    assert not too_long(path, LONGER.get(path.relative_to(ROOT).as_posix(), limit_of(path)))


def test_what_may_be_longer_still_is():
    for name in LONGER:
        assert too_long(ROOT / name, limit_of(ROOT / name)), f"{name} is short enough now: take it off the list"
