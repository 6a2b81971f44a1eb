"""Which commit a record names: that of a checkout of this code, and of no other repository that the code happens to lie in."""

import json
import subprocess

import pytest

from bench.machine import hardware


@pytest.fixture
def commit_of(monkeypatch):
    """(commit, dirty) of code that lies in this folder."""

    def of(folder):
        monkeypatch.setattr(hardware, "ROOT", folder)
        return hardware.commit_of_code.__wrapped__()

    return of


def git(folder, *words) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


def code_in(folder):
    """The folder, with a file of this code at its place."""
    path = folder / hardware.CODE_FILE
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
    (root / hardware.CODE_FILE).write_text("code = 2\n")
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


def test_where_there_is_no_git(tmp_path, commit_of):
    root = code_in(tmp_path)
    assert commit_of(root) == (None, None)
    (root / hardware.COMMIT_FILE).write_text(json.dumps({"commit": "abc", "dirty": True}))
    assert commit_of(root) == ("abc", True)


def test_this_file_is_where_it_is_said_to_be():
    assert (hardware.ROOT / hardware.CODE_FILE).samefile(hardware.__file__)
