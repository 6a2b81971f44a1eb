"""A control group's limit of the processor bounds workers and threads, and is in no run's id."""

import os

import pytest

from bench.launch import local
from bench.machine import cores as counted
from bench.machine import hardware

V1 = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0"
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """put(own groups, mounts, {file below /sys/fs/cgroup: text})"""
    monkeypatch.setattr(counted, "ROOT", tmp_path)

    def put(own, mounts, **files):
        (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self/cgroup").write_text(own)
        (tmp_path / "proc/self/mounts").write_text(mounts)
        for path, text in files.items():
            file = tmp_path / "sys/fs/cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return put


@pytest.mark.parametrize(
    ("own", "mounts", "files", "cores"),
    [
        ("0::/", V2, {"cpu.max": "200000 100000"}, 2.0),  # a container with its own namespace
        ("0::/user/job", V2, {"user/job/cpu.max": "max 100000", "user/cpu.max": "150000 100000"}, 1.5),  # the tightest above it
        ("0::/user/job", V2, {"user/job/cpu.max": "max 100000"}, None),
        ("0::/docker/host", V2, {"cpu.max": "50000 100000"}, 0.5),  # the host's path, the container's mount
        (
            "4:cpu,cpuacct:/slurm/job_3",
            V1,
            {"cpu,cpuacct/slurm/job_3/cpu.cfs_quota_us": "400000", "cpu,cpuacct/slurm/job_3/cpu.cfs_period_us": "100000"},
            4.0,
        ),
        ("4:cpu,cpuacct:/", V1, {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, None),
        (
            "3:cpuset:/a\n4:cpu,cpuacct:/b",
            V1,
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "100000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("0::/", V2, {"cpu.max": "nonsense"}, None),
        ("0::/", "", {}, None),
    ],
)
def test_the_limit_of_control_groups_of_both_kinds(machine, own, mounts, files, cores):
    machine(own, mounts, **files)
    assert counted.cpu_quota() == cores


def test_where_there_are_no_control_groups_there_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(counted, "ROOT", tmp_path / "nowhere")
    assert counted.cpu_quota() is None


def test_a_limit_bounds_workers_and_threads_and_no_run_changes(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(hardware.torch.cuda, "device_count", lambda: 0)
    for limit, cores in ((None, 64), (2.0, 2), (2.9, 2), (0.5, 1), (100.0, 64)):
        monkeypatch.setattr(counted, "cpu_quota", lambda limit=limit: limit)
        assert (hardware.cores(), local.workers_here(100, 1)) == (cores, cores)
        # What a run computes with, and so its bits; and what a budget in seconds has in its id.
        assert hardware.default_threads() == 1 and hardware.describe_device(1, 1) == f"1 thread of {hardware.processor()}"
    monkeypatch.setattr(hardware.torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(counted, "cpu_quota", lambda: 8.0)
    assert hardware.default_threads() == 2
