"""Freed memory stays with the process: counted in page faults, which do not depend on how busy the machine is."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from bench.encoders.factory import factory
from bench.machine.memory import keep_freed_memory
torch.set_num_threads(1)
encoder = factory("resnet8", 32)()
images = torch.randn(32, 3, 32, 32)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    encoder(images).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def settled():
    return sum([faults() for _ in range(8)][4:])
given_back = settled()
keep_freed_memory()
print(given_back, settled())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_a_step_does_not_ask_the_kernel_again_for_what_the_last_one_freed():
    given_back, kept = map(int, subprocess.check_output([sys.executable, "-c", FAULTS]).split())
    assert kept < given_back / 10


TIMED = """
import os
from pathlib import Path
from bench.data import catalogue
from bench.plan.complete import complete
from bench.plan.estimate import time_one_step
from bench.spec import Budget, RunSpec
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
data = catalogue.require("digits")
spec = complete(RunSpec(method="simclr", dataset="digits", budget=Budget("steps", 2), image_size=32))
before = resident()
time_one_step(spec, data, 1)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_a_plan_gives_back_what_the_steps_took_that_it_timed():
    """MiB that it is larger by after a step of SimCLR, which leaves 540 where nothing is given back; what was imported stays."""
    assert float(subprocess.check_output([sys.executable, "-c", TIMED])) < 350
