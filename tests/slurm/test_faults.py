"""Every way in which a cluster ends a job, done to real jobs; afterwards the record is there once, and is that of an undisturbed run."""

import os
import signal
import subprocess
import time

import pytest

from bench.launch import slurm
from bench.training.checkpoint import Checkpoints
from conftest import EVALS, PAUSE, STEPS, control, planned, wait_until


def hog(partition: str) -> str:
    """A job that takes both nodes; its number."""
    script = "#!/bin/sh\nsleep 600\n"
    line = ["sbatch", f"--partition={partition}", "--nodes=2", "--exclusive", "--output=/dev/null"]
    done = subprocess.run(line, input=script, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_an_undisturbed_sweep(sweep, undisturbed, figure):
    started = time.monotonic()
    runs = sweep(4, pause=0)
    runs.submit()
    assert runs.over() == ["done"] * 4
    runs.require_whole(undisturbed)
    figure(f"4 runs from submission to records in {time.monotonic() - started:.0f} s")
    record = runs.store.records()[0]
    assert record.environment["commit"] is None or record.environment["dirty"] is not None


def test_preempted_by_a_higher_partition(sweep, undisturbed, figure):
    runs = sweep()
    runs.submit(partition="low")
    runs.in_training(after=0.1)
    other = hog("high")
    wait_until(lambda: runs.beat().get("state") == "interrupted" and not runs.holder())
    stopped = round(runs.beat()["progress"] * STEPS)
    assert runs.steps_saved() == stopped, "the checkpoint is written at the signal: nothing is lost"
    control("scancel", other)
    assert runs.over() == ["done"]
    runs.require_whole(undisturbed)
    figure(f"checkpoint at the signal, at step {stopped} of {STEPS}: 0 steps lost")


def test_requeued_without_a_signal(sweep, undisturbed, figure):
    runs = sweep()
    job = runs.submit()
    runs.in_training(after=0.2)
    control("scontrol", "requeue", job)
    wait_until(lambda: not runs.holder())
    lost, pace = runs.steps_lost(), runs.place.checkpoint_every / PAUSE
    assert runs.over() == ["done"]
    runs.require_whole(undisturbed)
    figure(f"{lost} steps lost, where an interval of checkpoints is {pace:.0f}")


def test_a_node_that_fails(sweep, undisturbed, cluster, figure):
    """Its daemon and all of its processes are gone at once; the other node takes over."""
    runs = sweep()
    runs.submit()
    runs.in_training(after=0.2)
    node = runs.holder()["host"]
    os.kill(int((cluster / f"run/slurmd-{node}.pid").read_text()), signal.SIGKILL)
    # First the word of it: else SLURM may hear of the task's end before, from the step that outlives it, and call the job failed.
    control("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    runs.kill()
    try:
        lost = runs.steps_lost()
        runs.in_training()
        assert runs.holder()["host"] != node
        assert runs.over() == ["done"]
    finally:
        control("slurmd", "-N", node, "-f", str(cluster / "etc/slurm.conf"))
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True, timeout=30)
        wait_until(lambda: "idle" in control("sinfo", "-h", "-N", "-n", node, "-o", "%T"))
    runs.require_whole(undisturbed)
    figure(f"{lost} steps lost; requeued by SLURM, gone on from the checkpoint on the other node")


@pytest.mark.parametrize("moment", ["training", "checkpoint", "evaluation"])
def test_killed(moment, sweep, undisturbed, figure, tmp_path, monkeypatch):
    if moment != "training":
        monkeypatch.setenv("PATIENT_DEATH", f"{moment}:{tmp_path / 'died'}")
    runs = sweep(pause=0.05 if moment == "training" else 0.01)
    runs.submit()
    if moment == "training":
        runs.in_training(after=0.2)
        runs.kill()
    assert runs.over() == ["lost"], "SLURM says nothing to anyone: its lease tells"
    saved = runs.steps_saved()
    assert not runs.store.records() and (saved > 0 or moment == "checkpoint")
    runs.submit()
    assert runs.over() == ["done"]
    runs.require_whole(undisturbed)
    figure(f"known to be lost; gone on from step {saved} of {STEPS}")


def test_out_of_memory(sweep, figure):
    """The job's limit is the shell's here, since this cluster enforces none: what Python gets is the same refusal."""
    runs = sweep(specs=[planned(hyper_parameters={"memory_gib": 64.0})])
    runs.submit(setup=("ulimit -v 16000000",))
    assert runs.over() == ["failed"]
    (record,) = runs.store.records()
    assert record.status == "failed" and "alloc" in record.error.lower()
    figure(f"a record that says why: {record.error[:60]}")


def test_cancelled_and_tried_again(sweep, undisturbed):
    from bench.launch.status import Cancelled, cancel, run_states

    runs = sweep()
    runs.submit()
    runs.in_training(after=0.2)
    found = run_states(runs.specs, EVALS, runs.place.scratch, runs.store)
    assert cancel(found, runs.place.scratch) == Cancelled(1, 0, (), ())
    assert runs.over() == ["cancelled"]
    runs.submit()
    assert runs.over() == ["done"]
    runs.require_whole(undisturbed)


def test_the_controller_is_restarted_in_mid_sweep(sweep, undisturbed, cluster, figure):
    from bench.launch.status import run_states

    runs = sweep(2)
    runs.submit()
    runs.in_training(after=0.1)
    os.kill(int((cluster / "run/slurmctld.pid").read_text()), signal.SIGKILL)
    try:
        started = time.monotonic()
        found = run_states(runs.specs, EVALS, runs.place.scratch, runs.store)
        waited = time.monotonic() - started
        time.sleep(1)
    finally:  # the tests after this one need it
        control("slurmctld", "-f", str(cluster / "etc/slurm.conf"))
        wait_until(lambda: subprocess.run(["scontrol", "ping"], capture_output=True).returncode == 0)
    assert waited < slurm.PATIENCE + 10
    assert found[0].state in ("running", "done"), "heartbeats and records tell, though SLURM does not answer"
    assert runs.over() == ["done"] * 2
    runs.require_whole(undisturbed)
    figure(f"states without a controller in {waited:.0f} s; both runs done")


def test_the_scratch_disk_is_full(sweep, undisturbed, tmp_path, figure):
    disk = tmp_path / "scratch"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk takes the right to mount one")
    try:
        runs = sweep()
        runs.submit()
        runs.in_training(after=0.2)
        with (disk / "filler").open("wb", buffering=0) as filler:  # or what did not fit would be tried again where it is closed
            try:
                while True:
                    filler.write(b"\0" * 65536)
            except OSError:
                pass
        states = runs.over()
        assert states[0] in ("stopped", "lost") and not runs.store.records()
        assert "No space left" in runs.logs() or states == ["lost"]
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        saved = runs.steps_saved()
        runs.submit()
        assert runs.over() == ["done"]
        runs.require_whole(undisturbed)
        figure(f"{states[0]}; after room was made, gone on from step {saved}")
    finally:
        subprocess.run(["umount", "-l", str(disk)])


def test_the_results_folder_becomes_read_only(sweep, undisturbed, tmp_path, figure):
    folder = tmp_path / "results"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("a read-only folder takes the right to mount one")
    try:
        runs = sweep(pause=0.01)
        runs.submit()
        runs.in_training()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        states = runs.over()
        assert states == ["stopped"] and "Read-only file system" in runs.logs() and not list(folder.rglob("*.json"))
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        runs.submit()
        assert runs.over() == ["done"]
        runs.require_whole(undisturbed)
        figure(f"{states[0]}; the trained weights were evaluated again and recorded once it could be written to")
    finally:
        subprocess.run(["umount", "-l", str(folder)])


def test_a_checkpoint_that_was_cut_short(sweep, undisturbed, figure):
    runs = sweep()
    job = runs.submit()
    runs.in_training(after=0.4)
    control("scontrol", "requeue", job)
    wait_until(lambda: not runs.holder())
    newest, before = Checkpoints(runs.place.scratch, runs.specs[0].id).paths()
    newest.write_bytes(newest.read_bytes()[:1000])
    assert runs.over() == ["done"]
    assert f"{newest.name} cannot be read" in runs.logs() and "trying the one before it" in runs.logs()
    runs.require_whole(undisturbed)
    figure(f"{newest.stem} cut short, gone on from {before.stem}, which the log says")


def test_a_method_that_diverges(sweep, figure):
    runs = sweep(specs=[planned(hyper_parameters={"diverge_at": 0.5})], pause=0)
    runs.submit()
    assert runs.over() == ["diverged"]
    (record,) = runs.store.records()
    assert record.cost.steps == STEPS // 2 + 1
    figure(record.error)


def test_a_time_limit_of_a_minute(sweep, undisturbed, figure):
    """Submitit takes every job of ten minutes or less to be timed out; and it comes back all the same."""
    runs = sweep(pause=0.5)
    runs.submit(time="1")
    wait_until(lambda: runs.beat().get("state") == "interrupted", 150)
    stopped = round(runs.beat()["progress"] * STEPS)
    assert runs.steps_saved() == stopped
    assert runs.over(240) == ["done"]
    runs.require_whole(undisturbed)
    starts = runs.logs().count("Starting with")
    assert starts >= 2
    figure(f"first stopped at step {stopped} of {STEPS} with nothing lost; {starts} starts")
