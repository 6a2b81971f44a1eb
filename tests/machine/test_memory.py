"""Freed memory stays with the process: counted in page faults, which do not depend on how busy the machine is."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from bench.encoders.factory import factory
from bench.machine.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    keep_freed_memory()
encoder = factory("resnet8", 32)()
images = torch.randn(128, 3, 32, 32)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    encoder(images).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(sum([faults() for _ in range(8)][4:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_a_step_does_not_ask_the_kernel_again_for_what_the_last_one_freed():
    faults = {how: int(subprocess.check_output([sys.executable, "-c", FAULTS, how])) for how in ("given back", "kept")}
    assert faults["kept"] < faults["given back"] / 10
