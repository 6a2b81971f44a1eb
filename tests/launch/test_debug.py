"""--launcher debug runs in the process that was started, wherever that is."""

import os

import pytest

from bench.launch import worker
from bench.launch.local import in_this_process


def look() -> list[tuple[int, str]]:
    """What a worker takes itself for, in the place of what went wrong."""
    return [(int(worker.under_slurm()), str(worker.number_in_job()))]


def fail():
    raise OSError("no room")


@pytest.mark.parametrize("outer", [{}, {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": "7", "SLURM_PROCID": "2", "SLURM_NTASKS": "4"}])
def test_a_debug_run_is_no_task_of_the_job_that_it_runs_in(outer, tmp_path, monkeypatch):
    monkeypatch.delenv("SUBMITIT_EXECUTOR", raising=False)
    for name, value in outer.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert in_this_process(look, tmp_path, None) == [(0, "(0, 1)")]
    with pytest.raises(OSError, match="no room"):
        in_this_process(fail, tmp_path, None)
    assert dict(os.environ) == before, "what runs in the job after it is a task of it again"
