"""A folder as a registry: what is read of its files, without importing them, and what is said where something is missing."""

import importlib
import re
import subprocess
import sys

import pytest

import methods
from bench import registry
from bench.errors import UserError
from bench.registry import Registry

BRIGHT = '''"""The brightest of the colours, with a name
over two lines. And more of it.
"""

import nothing_of_this_name

SHADES: tuple[int, ...] = (1, 2)
UNSAID: int
first = second = {"light": None}
computed = max(1, 2)


class Colour:
    """Not this one."""

    SHADES = "of the class"
    other.first = 0
'''


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A registry of two colours and two files that are none."""
    folder = tmp_path / "painted" / "colours"
    folder.mkdir(parents=True)
    (folder / "bright.py").write_text(BRIGHT)
    (folder / "dark.py").write_text("x = 1\n")
    (folder / "__init__.py").touch()
    (folder / "_mixing.py").touch()
    (folder / "notes.md").touch()
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return Registry("colour", "painted.colours", "run_bench.py list colours")


def test_a_file_is_an_entry(colours):
    assert colours.names() == ["bright", "dark"]
    assert colours.require("dark") == colours.folder / "dark.py"
    (colours.folder / "azure.py").touch()
    assert colours.names() == ["azure", "bright", "dark"], "nothing is kept of the folder"


def test_an_unknown_name_gets_the_nearest(colours):
    message = "unknown colour 'brigth'. Did you mean 'bright'?  All colours: run_bench.py list colours"
    for ask in (colours.require, colours.summary, colours.docstring, colours.load, lambda name: colours.declared(name, "x")):
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            ask("brigth")
    with pytest.raises(UserError, match="unknown colour '_mixing'"):
        colours.require("_mixing")


def test_the_first_sentence_is_the_summary(colours):
    assert colours.summary("bright") == "The brightest of the colours, with a name over two lines. And more of it."
    assert colours.docstring("bright").startswith("The brightest of the colours, with a name\nover")
    (colours.folder / "bright.py").write_text('"""One sentence.\n\nAnother."""')
    assert colours.summary("bright") == "One sentence."
    assert colours.summary("dark") == colours.docstring("dark") == ""


def test_declared_values_are_read_in_the_text(colours):
    assert colours.declared("dark", "x") == 1
    assert colours.declared("bright", "first") == colours.declared("bright", "second") == {"light": None}
    assert colours.declared("bright", "SHADES") == "of the class", "what a class says of itself comes first"
    assert colours.declared("bright", "other", "a default") == "a default"
    assert colours.declared("bright", "UNSAID", None) is None
    with pytest.raises(UserError, match=r"bright.py' must give UNSAID a value"):
        colours.declared("bright", "UNSAID")
    with pytest.raises(UserError, match=r"bright.py', line 10: computed must be a literal"):
        colours.declared("bright", "computed", 0)


def test_only_load_imports_an_entry(colours):
    assert colours.load("dark").x == 1
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        colours.load("bright")


def test_a_file_of_somebodys_own_is_read_as_an_entry_is():
    own = methods.require("byol")
    assert registry.summary(own) == methods.summary("byol") and registry.declared(own, "family") == methods.family("byol")


def test_it_imports_nothing_heavy():
    code = "import sys, bench.registry; assert not {'torch', 'numpy', 'pydantic', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"def broken(:\n    pass\n", "SyntaxError: invalid syntax (mine.py:1)"),
        ("# caf\u00e9\n".encode("latin-1"), "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9"),
        (b"x = 1\0\n", "null bytes"),
    ],
)
def test_a_file_that_is_no_python_is_one_line(tmp_path, text, told):
    """A setting of it is looked up before it is imported, and a listing reads every file of its folder."""
    file = tmp_path / "mine.py"
    file.write_bytes(text)
    for ask in (registry.keyword_defaults, registry.summary, lambda file: registry.declared(file, "needs", "features")):
        with pytest.raises(UserError) as refused:
            ask(file)
        assert f"'{file}' cannot be read as Python" in str(refused.value) and told in str(refused.value) and "\n" not in str(refused.value)


def test_the_one_class_of_a_users_file(tmp_path):
    file = tmp_path / "mine.py"
    for text, listed in (
        ("class One(dict):\n    pass\n", None),
        ("from collections import OrderedDict\n\nclass Other:\n    pass\n", "none"),
        ("class One(dict):\n    pass\n\n\nclass Two(One):\n    pass\n", "One, Two"),
    ):
        file.write_text(text)
        module = registry.import_own(str(file))
        if listed is None:
            assert registry.only_class(module, dict, str(file), "Table").__name__ == "One"
            continue
        with pytest.raises(UserError, match=f"'{file}' must define exactly one Table; it defines {listed}$"):
            registry.only_class(module, dict, str(file), "Table")
    file.write_text("raise SystemExit(4)\n")
    with pytest.raises(UserError, match=f"'{file}' cannot be imported: SystemExit: 4"):
        registry.import_own(str(file))
