"""Which commit a record names: that of a checkout of this code, and of no other repository that the code happens to lie in."""

import dataclasses
import json
import subprocess

import pytest

import methods
from bench.commands import doctor
from bench.machine import checkout


@pytest.fixture
def commit_of(monkeypatch):
    """(commit, dirty) of code that lies in this folder."""

    def of(folder):
        state = state_of(folder, monkeypatch)
        return state.commit, state.dirty

    return of


def state_of(folder, monkeypatch):
    monkeypatch.setattr(checkout, "ROOT", folder)
    return checkout.state_of_code.__wrapped__()


@pytest.fixture
def committed(tmp_path):
    """A checkout of this code with one commit, one method and its folder of reports."""
    root = code_in(tmp_path)
    for path in ("methods/known.py", "reports/tables/build.py"):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text("x = 1\n")
    (root / ".gitignore").write_text("reports/*/\n!reports/tables/\nprivate.py\n__pycache__/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "First")
    return root


def git(folder, *words) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


def code_in(folder):
    """The folder, with a file of this code at its place."""
    path = folder / checkout.CODE_FILE
    path.parent.mkdir(parents=True)
    path.write_text("code = 1\n")
    return folder


def test_of_a_checkout(tmp_path, commit_of):
    root = code_in(tmp_path)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "First")
    head = git(root, "rev-parse", "HEAD")
    assert commit_of(root) == (head, False)
    (root / "notes.txt").write_text("not tracked\n")
    assert commit_of(root) == (head, False)
    (root / checkout.CODE_FILE).write_text("code = 2\n")
    assert commit_of(root) == (head, True)


def test_of_a_virtual_environment_in_somebodys_project(tmp_path, commit_of):
    """Whether the project tracks it, with what is installed, or not; and a repository where it was installed."""
    site = code_in(tmp_path / "venv" / "site-packages")
    (tmp_path / "theirs.txt").write_text("theirs\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "theirs.txt")
    git(tmp_path, "commit", "--quiet", "--message", "Theirs")
    assert commit_of(site) == (None, None)
    git(tmp_path, "add", "venv")
    git(tmp_path, "commit", "--quiet", "--message", "Everything")
    assert commit_of(site) == (None, None)
    git(site, "init", "--quiet")
    git(site, "commit", "--quiet", "--allow-empty", "--message", "Empty")
    assert commit_of(site) == (None, None)


@pytest.mark.parametrize(
    ("path", "is_code"),
    [("methods/mine.py", True), ("bench/evaluation/evaluators/mine.py", True), ("methods/mine.toml", True), ("methods/private.py", True),
     ("methods/a space.py", True), ("notes.txt", False), ("mine.py", False), ("reports/demo/leaderboard.md", False),
     ("bench/__pycache__/x.pyc", False), ("results/demo/x.json", False)],
)  # fmt: skip
def test_code_that_git_does_not_track_is_a_change(committed, monkeypatch, path, is_code):
    """Ignored or not; what is no code, or lies in no folder of code, is none."""
    (committed / path).parent.mkdir(parents=True, exist_ok=True)
    (committed / path).write_text("y = 1\n")
    state = state_of(committed, monkeypatch)
    assert (state.dirty, state.changed) == (is_code, (path,) if is_code else ())


def test_a_tracked_file_that_changed_is_one_staged_or_not(committed, monkeypatch):
    (committed / "methods/known.py").write_text("x = 2\n")
    assert state_of(committed, monkeypatch).changed == ("methods/known.py",)
    git(committed, "add", ".")
    assert state_of(committed, monkeypatch).changed == ("methods/known.py",)
    git(committed, "mv", "methods/known.py", "methods/other.py")
    assert "methods/other.py" in state_of(committed, monkeypatch).changed


@pytest.mark.parametrize(
    ("path", "is_code"),
    [
        *[("docs/figures/simclr_head.svg", False), ("results/figures/x.json", False), ("README.md", False), ("methods/README.md", False)],
        *[("constraints.txt", True), ("methods/imagenet.toml", True), ("run_bench.py", True), ("reports/reference/figures.csv", True)],
    ],
)
def test_a_tracked_page_or_record_that_changed_is_no_code(committed, commit_of, path, is_code):
    """`figure run` draws its pages into docs/: its second run would be called dirty by what the first wrote."""
    (committed / path).parent.mkdir(parents=True, exist_ok=True)
    (committed / path).write_text("one\n")
    git(committed, "add", "--force", path)
    git(committed, "commit", "--quiet", "--message", "Second")
    assert commit_of(committed)[1] is False
    (committed / path).write_text("other\n")
    assert commit_of(committed)[1] is is_code
    git(committed, "add", "--force", path)
    assert commit_of(committed)[1] is is_code


def test_a_hook_of_another_repository_does_not_speak_for_this_code(committed, commit_of, monkeypatch, tmp_path_factory):
    other = code_in(tmp_path_factory.mktemp("other"))
    git(other, "init", "--quiet")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "--message", "Theirs")
    head = git(committed, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert commit_of(committed) == (head, False)


def test_what_git_refuses_to_say_is_said(committed, monkeypatch):
    """Git itself says so of a checkout of another user's; here what stands for git does."""

    def refusing(*words):
        raise subprocess.CalledProcessError(128, ["git", *words], stderr="fatal: detected dubious ownership in repository at 'x'\nTo add")

    monkeypatch.setattr(checkout, "git", refusing)
    state = state_of(committed, monkeypatch)
    assert (state.commit, state.dirty, state.refused) == (None, None, "fatal: detected dubious ownership in repository at 'x'")
    monkeypatch.setattr(checkout, "state_of_code", lambda: state)
    row = next(row for row in doctor.examine() if row[0] == "commit")
    assert row[1] is False and "dubious ownership" in row[2]


def test_a_method_that_git_does_not_tell_has_its_texts_hash_in_its_version(monkeypatch):
    """So its edited text is another run; what is committed keeps its version, and so its records."""

    def versions(*changed):
        monkeypatch.setattr(checkout, "state_of_code", lambda: checkout.State("abc", bool(changed), changed))
        tasks = {"tasks": "rotation,npid", "weights": ""}
        return [methods.version(name, methods.load(name), tasks) for name in ("rotation", "multi_task")]

    rotation, multi_task = versions()
    assert "+" not in rotation and multi_task.count("+") == 2
    own = f"+{methods.digest('rotation')[:8]}"
    assert versions("methods/rotation.py") == [rotation + own, multi_task.replace(f"rotation{rotation}", f"rotation{rotation}{own}")]
    assert versions("methods/simclr.py", "bench/parts/heads.py") == [rotation, multi_task]


def test_a_class_made_from_another_files_is_told_by_that_text_too(monkeypatch, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text('"""Mine."""\nfrom methods.rotation import Rotation\n\n\nclass Mine(Rotation):\n    pass\n')

    def version(*changed):
        monkeypatch.setattr(checkout, "state_of_code", lambda: checkout.State("abc", bool(changed), changed))
        return methods.version(str(mine), methods.load(str(mine)), {})

    assert version().endswith(f"+{methods.digest(str(mine))[:8]}") and version("methods/rotation.py") != version()


def test_where_there_is_no_git(tmp_path, commit_of):
    root = code_in(tmp_path)
    assert commit_of(root) == (None, None)
    (root / checkout.COMMIT_FILE).write_text(json.dumps({"commit": "abc", "dirty": True}))
    assert commit_of(root) == ("abc", True)


def test_a_snapshot_says_what_its_checkout_said(committed, monkeypatch, tmp_path_factory):
    (committed / "methods/mine.py").write_text("x = 1\n")
    state = state_of(committed, monkeypatch)
    copy = code_in(tmp_path_factory.mktemp("copy"))
    (copy / checkout.COMMIT_FILE).write_text(json.dumps(dataclasses.asdict(state)))
    assert state_of(copy, monkeypatch) == state and state.changed == ("methods/mine.py",)


def test_this_file_is_where_it_is_said_to_be():
    assert (checkout.ROOT / checkout.CODE_FILE).samefile(checkout.__file__)
