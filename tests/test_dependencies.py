"""What is installed where: each kind of machine gets the one FAISS that has a wheel for it, and no other."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from places import ROOT

REQUIREMENTS = [Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]

# As Python says them: sys_platform, platform_machine; faiss-gpu has wheels for Linux on x86-64 alone.
MACHINES = {
    "a GPU server": ("linux", "x86_64", "faiss-gpu"),
    "GH200, Graviton, Docker on Apple silicon": ("linux", "aarch64", "faiss-cpu"),
    "POWER": ("linux", "ppc64le", "faiss-cpu"),
    "Apple silicon": ("darwin", "arm64", "faiss-cpu"),
    "a Mac with an Intel processor": ("darwin", "x86_64", "faiss-cpu"),
    "Windows": ("win32", "AMD64", "faiss-cpu"),
    "Windows on Arm": ("win32", "ARM64", "faiss-cpu"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_gets_one_faiss(name):
    system, machine, expected = MACHINES[name]
    environment = {"sys_platform": system, "platform_machine": machine, "extra": ""}
    wanted = {of.name for of in REQUIREMENTS if of.marker is None or of.marker.evaluate(environment)}
    assert {name for name in wanted if name.startswith("faiss")} == {expected}
    assert {of.name for of in REQUIREMENTS if not of.name.startswith("faiss")} <= wanted, "the others are the same everywhere"


def test_what_is_frozen_holds_on_every_machine():
    """A constraint with a tag of one machine's, or with a file's address, would keep others from installing."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*(\.post\d+)?", line), line
