"""A sweep as sites and users have it: submitted from inside an allocation, nothing exported, hidden partitions, odd paths."""

import os
import subprocess
import sys

from bench.launch import slurm
from bench.records.store import ResultStore
from conftest import HERE, command, control, wait_until
from places import ROOT


def test_submitted_by_a_task_of_an_array_where_nothing_is_exported(tmp_path, cluster, figure):
    """The worst of all: a driver's memory per node beside the profile's, an array's number beside a job of its own, SBATCH_EXPORT=NONE, a
    variable that names the jobs, and a scratch folder with a placeholder of SLURM's in its name."""
    scratch = tmp_path / "100%u"
    what = ["--method", str(HERE / "patient.py"), "--dataset", "digits", "--image-size", "8", "--budget", "20steps", "--evals", "knn"]
    what += ["--precision", "float32", "--threads", "1", "--results", str(tmp_path / "results"), "--scratch", str(scratch)]
    how = ["--launcher", "slurm", "--gpus-per-run", "0", "--cpus", "1", "--memory", "500M", "--partition", "hidden,main"]
    control("scontrol", "create", "PartitionName=hidden", "Nodes=ALL", "Hidden=YES", "State=UP")
    try:
        lines = ["#!/bin/bash", "#SBATCH --array=3-3", "#SBATCH --mem-per-cpu=300", f"#SBATCH --output={tmp_path}/outer.txt"]
        lines += ["export SBATCH_EXPORT=NONE SBATCH_JOB_NAME=mine", f"cd {ROOT}"]
        lines += [" ".join([sys.executable, "run_bench.py", "run", *what, "--seeds", seeds, *how]) for seeds in ("0", "1,2")]
        done = subprocess.run(["sbatch"], input="\n".join([*lines, ""]), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        records = ResultStore(tmp_path / "results")
        wait_until(lambda: len(list(tmp_path.glob("results/*/*.json"))) == 3 and not slurm.queue(), 150)
    finally:
        print((tmp_path / "outer.txt").read_text())
        control("scontrol", "delete", "PartitionName=hidden")
    assert {record.status for record in records.records()} == {"done"} and len(records.records()) == 3
    logs = sorted(path.name.split("_", 1)[1] for path in scratch.glob("submissions/*/*_log.err"))
    assert logs == ["0_0_log.err", "0_log.err", "1_0_log.err"]
    listed = command("status", *what, "--seeds", "0,1,2")
    assert "3 runs: 3 done" in listed.communicate(timeout=120)[0]
    figure("3 of 3 runs, each with its log")
    assert "SBATCH_JOB_NAME" not in os.environ
