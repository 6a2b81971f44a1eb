"""The documents: every link resolves, every command, option and target in them exists, the numbers they quote are the code's. And every
file or module of ours that any text mentions, a comment and a docstring too, is there."""

import ast
import functools
import io
import re
import shlex
import tokenize
import tomllib
from pathlib import Path

import click
import pytest

import bench as bench_package
import methods
import run_bench
from bench.conformance import check
from bench.data import catalogue
from bench.encoders import table
from bench.evaluation import registry
from bench.suites._rates import LR_FACTORS
from places import ROOT
from test_structure import FOR_METHODS, ORDER

PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "results/README")),
    *sorted((ROOT / "docs").glob("*.md")),
]

CODE = sorted(
    path
    for folder in ("bench", "methods", "reports", "benchmarks", "tests", ".")
    for path in (ROOT / folder).glob("*.py" if folder == "." else "**/*.py")
)
OTHERS = [
    ROOT / name
    for name in ("Makefile", ".ci/run", "pyproject.toml", ".pre-commit-config.yaml", "methods/imagenet.toml", "reports/reference/README.md")
]
TEXTS = [*PAGES, *CODE, *OTHERS, *sorted((ROOT / "docs").glob("*.toml")), ROOT / "benchmarks" / "gpu.toml"]

FOLDERS = "bench|methods|reports|tests|docs|results|benchmarks"
PATH = re.compile(rf"(?<![\w./~$<>{{}}-])(?:{FOLDERS})/[\w./*-]*")
"""A path that begins with a folder of ours."""
FILE = re.compile(r"(?<![\w./~$<>{}*-])(?:[\w.-]+/)*[\w-]+\.(?:py|md|toml)\b")
"""A file by its name alone, or by a path from somewhere else than here."""
MODULE = re.compile(r"(?<![\w./-])(?:bench|methods|reports|benchmarks)(?:\.\w+)+")

CITING = (
    "methods/",
    "bench/encoders/formats.py",
    "bench/evaluation/corruptions/",
    "bench/evaluation/evaluators/",
    "bench/parts/",
    "bench/suites/",
    "tests/losses/",
    "tests/encoders/",
    "tests/evaluation/",
    "docs/recipes.md",
    "docs/add_a_method.md",
    "docs/protocol.md",
)
"""Texts that cite the code of papers' authors: there a file by its name alone may be theirs."""
WRITTEN = re.compile(r"(?:reports|results)/[\w-]+(?:/[\w.-]*)*")
"""Folders that a user's own reports and records are written to."""


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


def text_of(path: Path) -> str:
    """What a person reads in a file: of code the comments and strings, of tests' strings only those that stand alone, as docstrings do."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    comments = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT]
    nodes = list(ast.walk(ast.parse(text)))
    if path.is_relative_to(ROOT / "tests"):
        nodes = [node.value for node in nodes if isinstance(node, ast.Expr)]
    return "\n".join([*comments, *(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))])


@functools.cache
def files_of_ours() -> frozenset[str]:
    """The name of every Python file, page and TOML file here, and of every page that a report writes."""
    writers = "".join(path.read_text() for path in (ROOT / "reports" / "pages").glob("*.py"))
    written = re.findall(r'Path\(folder\) / "(\w+\.md)"', writers)
    written += [f"{name}.md" for name in re.findall(r'write_page\(folder, "(\w+)"', writers)]
    return frozenset((*(path.name for path in (*TEXTS, *ROOT.glob("docs/**/*.md"))), *written))


def stands_for_a_file(mention: str, text: str) -> bool:
    """Capitals, whatever is called mine, and what a page has its reader write: "Save it as", and the file's name."""
    stem = Path(mention).stem
    examples = {Path(example).stem for example in re.findall(r"Save it as `([^`]+\.py)`", text)}
    return stem in {"mine", *examples} or (stem.isupper() and f"{stem}.md" not in files_of_ours())


def missing_paths(text: str) -> set[str]:
    """Paths that begin with a folder of ours and lead to nothing; with a * they have to lead to something."""
    found = {path.rstrip("./") for path in PATH.findall(text)}
    there = {path for path in found if (any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists())}
    made = {path for path in found - there if WRITTEN.fullmatch(path) and not path.endswith(".py")}
    return {path for path in found - there - made if not stands_for_a_file(path, text)}


def missing_files(text: str, here: Path) -> set[str]:
    """Files by their name alone that no file here has, and paths that lead to nothing from the text's folder or from bench/."""
    found = {name for name in FILE.findall(text) if not re.match(rf"(?:{FOLDERS})/", name) and not stands_for_a_file(name, text)}
    return {name for name in found - files_of_ours() if not any((folder / name).exists() for folder in (here, ROOT, ROOT / "bench"))}


@functools.cache
def given_names(module: Path) -> frozenset[str]:
    """What a module defines or hands on."""
    names = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return frozenset(names)


def missing_modules(text: str) -> set[str]:
    """Names with dots that are neither a module of ours nor something that one gives."""
    missing = set()
    for name in MODULE.findall(text):
        parts = name.split(".")
        if parts[-1] in ("py", "md", "toml", "csv"):
            continue
        length = len(parts)
        while not ((base := ROOT.joinpath(*parts[:length])).with_suffix(".py").exists() or (base / "__init__.py").exists()):
            length -= 1
        module = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
        if length < len(parts) and parts[length] not in given_names(module):
            missing.add(name)
    return missing


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_text_mentions_is_there(path):
    text = text_of(path)
    name = path.relative_to(ROOT).as_posix()
    assert not missing_paths(text)
    assert not missing_modules(text)
    if not name.startswith(CITING):
        assert not missing_files(text, path.parent)


def test_what_is_not_there_is_seen():
    here = ROOT / "docs"
    for text in ("see bench/evals/knn.py", "bench/evaluation/evaluatorz.", "`reports/columns.py`", "docs/nothing.md)", "tests/no_*.py"):
        assert missing_paths(text), text
    for text in (
        "bench/spec.py, bench/.",
        "tests/**/test_*.py",
        "reports/SUITE/leaderboard.md",
        "$HOME/bench/x",
        "Save it as `bench/a.py`: bench/a.py",
    ):
        assert not missing_paths(text), text
    for text in ("torchvision_sets.py", "see spec_old.py.", "nothing.md", "readers/folders.py"):
        assert missing_files(text, here), text
    for text in ("spec.py", "data.md", "README.md", "FILE.toml", "path/to/mine.py", "data/readers/folder.py"):
        assert not missing_files(text, here), text
    for text in ("bench.evals.knn", "bench.spec.PROTOKOL", "`bench.views.Jitter`"):
        assert missing_modules(text), text
    for text in ("bench.spec.PROTOCOL", "bench.method.Method.loss", "bench.views.ColorJitter", "methods.names()", "bench.parts"):
        assert not missing_modules(text), text


@pytest.mark.parametrize("page", [*PAGES, ROOT / ".pre-commit-config.yaml"], ids=lambda page: page.name)
def test_make_has_every_target_that_a_page_names(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^ {4}|`)make ([\w-]+)", page.read_text(), re.M)) <= targets


def rooms_of_the_page() -> dict[str, str]:
    """The table of docs/architecture.md: `bench/data/` -> what is in it, in the page's order."""
    return dict(re.findall(r"^\| `([\w/.]+)` \| (.*) \|$", (ROOT / "docs/architecture.md").read_text(), re.M))


def room_of_path(path: str) -> str:
    """bench/data/ -> data; bench/spec.py -> spec; methods/ -> methods"""
    return path.strip("/").removeprefix("bench/").removesuffix(".py")


def test_the_architecture_has_every_room_in_its_order():
    rooms = rooms_of_the_page()
    there = [room for room in ORDER if any((ROOT / folder / path).exists() for folder in ("bench", ".") for path in (room, f"{room}.py"))]
    assert [room_of_path(path) for path in rooms] == there
    assert all((ROOT / path).is_dir() == path.endswith("/") for path in rooms)


def test_the_architecture_mentions_all_of_bench():
    text = (ROOT / "docs/architecture.md").read_text()
    top = {path.name for path in (ROOT / "bench").glob("*.py")} | {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}
    missing = {name for name in top if not re.search(rf"bench/{re.escape(name)}", text)}
    assert not missing
    assert all(name in text for name in (FOR_METHODS & {"bench.method", "bench.parts", "bench.spec", "bench.views"}))


def test_the_package_says_the_same_of_its_rooms():
    listed = re.findall(r"^    (\w+) +(\S.*)$", bench_package.__doc__, re.M)
    assert listed == [(room_of_path(path), what) for path, what in rooms_of_the_page().items() if path.startswith("bench/")]


def test_the_glossary_is_short_and_has_a_word_once():
    glossary = (ROOT / "docs/architecture.md").read_text().split("\n## Glossary\n")[1]
    lines = [line for line in glossary.splitlines() if line]
    assert len(lines) <= 32
    words = [word for line in lines[2:] for word in re.split("[,;] ", line.split(" | ")[0].strip("| "))]
    assert len(words) == len(set(words)) and {"run", "spec", "record", "progress", "captured step"} <= set(words)


def test_the_version_is_said_once():
    """The package, what is installed, and what is cited have the same one."""
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)[1]
    assert cited == bench_package.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "bench.__version__"}


def test_the_checks_before_a_commit_download_nothing():
    """Hooks of this checkout alone, and what they run is there."""
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (.*)", text) == ["local"] and set(re.findall(r"language: (.*)", text)) == {"system"}
    entries = [shlex.split(entry) for entry in re.findall(r"entry: (.*)", text)]
    assert len(entries) == text.count("- id: ") and all(entry[0].startswith(".venv/bin/") for entry in entries)
    assert all((ROOT / word).exists() for entry in entries for word in entry[1:] if word.startswith("tests/"))
