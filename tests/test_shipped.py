"""The house rules on what others get, as tests on the source: all of the code is installed, messages name the command that they have, no
text holds a path of the machine that it was written on."""

import ast
import re
import subprocess
import tomllib

import pytest
import setuptools

from places import ROOT
from source_code import MODULES, parsed


def test_every_package_is_installed():
    """What setuptools finds by pyproject's patterns: every folder with code, nothing else, and every file beside the code."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    find = settings["packages"]["find"]
    assert find["namespaces"] is False, "else every folder that somebody's report was written to is a package"
    found = {package.replace(".", "/") for package in setuptools.find_packages(ROOT, include=find["include"])}
    with_code = {path.parent.relative_to(ROOT).as_posix() for path in MODULES} - {"."}
    assert found == with_code
    assert set(settings["py-modules"]) == {path.stem for path in MODULES if path.parent == ROOT}
    installed = {path for package, names in settings["package-data"].items() for name in names for path in (ROOT / package).glob(name)}
    listed = subprocess.run(["git", "ls-files", "-z", *found], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    data = {ROOT / name for name in listed.stdout.split("\0") if name and not name.endswith(".py")}
    assert data and data <= installed, "package-data leaves out what the code reads"


def test_messages_name_the_command_that_was_started():
    """run_bench.py or sslbench: bench.defaults.COMMAND. Pages that are made from the code are read in the checkout."""
    for path in sorted(set(MODULES) - {ROOT / "run_bench.py", ROOT / "bench" / "defaults.py"}):
        if "pages" in path.parts:
            continue
        tree = parsed(path)
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
        found = [node.lineno for node in constants if isinstance(node.value, str) and "run_bench.py" in node.value]
        assert not found, f"{path}: expected an f-string with COMMAND in the lines {found}"


def test_no_text_holds_a_path_of_somebodys_machine():
    """In what is tracked, and in what is about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    somewhere = re.compile(r"(?<![\w.~])/(work|root)/")
    # Put together here, so that this file passes its own test.
    assert somewhere.search("/".join(["see ", "work", "data"])) and not somewhere.search("/".join(["data", "work", "x"]))
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {match.group()}" for match in somewhere.finditer(text)]
    assert not found
