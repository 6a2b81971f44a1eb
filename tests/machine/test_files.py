"""Files get their names whole, once, and by whoever came first, on file systems that answer oddly too."""

import os

import pytest

from bench.machine.files import put
from bench.machine.lease import claim


@pytest.fixture
def lost_answers(monkeypatch):
    """os.link as over NFS where the server's answer is lost: it is done, asked again, and 'File exists'."""
    link = os.link

    def twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)


def test_a_link_that_was_made_and_answered_with_file_exists_is_a_success(tmp_path, lost_answers):
    (tmp_path / "made").write_text("mine")
    put(tmp_path / "made", tmp_path / "name")
    assert (tmp_path / "name").read_text() == "mine"
    (tmp_path / "late").write_text("other")
    with pytest.raises(FileExistsError):
        put(tmp_path / "late", tmp_path / "name")
    assert (tmp_path / "name").read_text() == "mine"


def test_so_a_lease_is_held_by_whoever_got_it(tmp_path, lost_answers):
    with claim(tmp_path) as mine:
        assert mine and claim(tmp_path) is None
