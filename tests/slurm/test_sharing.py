"""Many at one sweep: two people, a submitter that dies, several runs in a job, several tasks in a run, and a hundred random kills."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from bench.launch import slurm
from bench.launch.submissions import read_all, tasks_of
from bench.records.store import ResultStore
from conftest import EVALS, HERE, STEPS, command, planned, wait_until
from places import ROOT

DIE_AT_SUBMISSION = """
import os, sys
from pathlib import Path
import submitit
from bench.launch.cluster import Cluster
from bench.run.place import Place
from bench.spec import RunSpec
from bench.launch.submit import submit
real = submitit.SlurmExecutor._submit_command
def dying(self, command):
    if sys.argv[1] == "after":
        real(self, command)
    os._exit(9)
submitit.SlurmExecutor._submit_command = dying
import json
specs = tuple(RunSpec.from_json(data) for data in json.loads(sys.argv[2]))
place = Place(Path(sys.argv[3]), Path(sys.argv[4]), threads=1, checkpoint_every=0.5)
submit(specs, ("knn",), place, Cluster(cpus=1, gpus_per_run=0, time="60"))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_submitting_process_is_killed(moment, sweep, undisturbed, figure):
    import json

    runs = sweep(2, pause=0.01)
    line = [sys.executable, "-c", DIE_AT_SUBMISSION, moment, json.dumps([spec.to_json() for spec in runs.specs])]
    died = subprocess.run([*line, str(runs.place.results), str(runs.place.scratch)], cwd=ROOT, timeout=120)
    assert died.returncode == 9
    if moment == "after":
        # Its jobs are found by their name, though nobody noted their number.
        (submission,) = read_all(runs.place.scratch)
        assert submission.arrays[0].job is None
        tasks = tasks_of([spec.id for spec in runs.specs], runs.place.scratch)
        assert all(task.job and task.state for task in tasks.values()) and set(runs.states()) <= {"pending", "starting"}
        slurm.cancel({task.job for task in tasks.values()})  # else they wait a minute for a file that never comes
        wait_until(lambda: not slurm.queue())
    assert runs.over() == ["lost"] * 2 and not runs.store.records()
    runs.submit()
    assert runs.over() == ["done"] * 2
    runs.require_whole(undisturbed)
    figure("no run twice, none left out")


def test_two_people_submit_the_same_suite_at_once(sweep, undisturbed, figure):
    runs = sweep(3)
    runs.place.scratch.mkdir(parents=True)
    names = ["--results", str(runs.place.results), "--scratch", str(runs.place.scratch), "--seeds", "0,1,2", "--evals", "knn"]
    what = ["--method", str(HERE / "patient.py"), "--dataset", "digits", "--budget", f"{STEPS}steps", "--image-size", "8"]
    what += ["--precision", "float32"]
    how = ["--launcher", "slurm", "--gpus-per-run", "0", "--cpus", "1", "--threads", "1"]
    both = [command("run", *what, *names, *how) for _ in range(2)]
    outputs = [process.communicate(timeout=180)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert runs.over() == ["done"] * 3
    wait_until(lambda: not slurm.queue())
    runs.require_whole(undisturbed)
    assert not list(runs.place.results.rglob("*.2.json"))
    submitted = sum(len(array.tasks) for submission in read_all(runs.place.scratch) for array in submission.arrays)
    figure(f"{submitted} tasks were submitted for 3 runs; 3 records, each trained once")
    # And once more: there is nothing to do.
    again = command("run", *what, *names, *how)
    assert "3 in the store" in again.communicate(timeout=120)[0] and again.returncode == 0
    listed = command("status", *what, *names)
    assert "3 runs: 3 done" in listed.communicate(timeout=120)[0]


def test_the_commands(sweep, undisturbed, monkeypatch):
    """A sweep looked after from the command line: what it would cost, submitted, watched, cancelled, its log, tried again."""
    runs = sweep(1, pause=1.0)
    runs.place.scratch.mkdir(parents=True)
    names = ["--results", str(runs.place.results), "--scratch", str(runs.place.scratch), "--seeds", "0", "--evals", "knn"]
    what = ["--method", str(HERE / "patient.py"), "--dataset", "digits", "--budget", f"{STEPS}steps", "--image-size", "8", *names]
    what += ["--precision", "float32", "--threads", "1"]
    how = ["--launcher", "slurm", "--gpus-per-run", "0", "--cpus", "1"]

    def says(*words):
        process = command(*words)
        output = process.communicate(timeout=180)[0]
        assert process.returncode == 0, output
        return output

    would = says("run", *what, *how, "--dry-run")
    assert "#SBATCH --cpus-per-task=1" in would and "process-hours a run, 1 runs" in would and "an estimate" in would
    assert not slurm.queue() and not read_all(runs.place.scratch)
    assert "sent   job" in says("run", *what, *how)
    runs.in_training()
    assert "skip   1 runs are running or queued already" in says("run", *what, *how)
    assert "1 runs: 1 running" in says("status", *what)
    assert "cancelled 1 jobs of SLURM" in says("cancel", *what)
    assert runs.over() == ["cancelled"]
    assert "log: " in says("status", *what) and "Starting with" in says("logs", runs.specs[0].id[:6], *names[2:4])
    monkeypatch.setenv("PATIENT_PAUSE", "0")
    assert "retry  0 of 1" in says("retry", *what, *how, "--failed"), "it was cancelled, and did not fail"
    assert "sent   job" in says("retry", *what, *how)
    assert "1 runs: 1 done" in says("status", *what, "--watch")
    runs.require_whole(undisturbed)


def test_runs_that_share_a_job(sweep, undisturbed, figure):
    runs = sweep(4, pause=0.02)
    job = runs.submit(pack=2, gpus_per_run=1)
    runs.in_training()
    together = {runs.holder(number)["job"] for number in (0, 1) if runs.holder(number)}
    assert together == {f"{job}_0"}
    assert runs.over() == ["done"] * 4
    runs.require_whole(undisturbed)
    figure("4 runs in 2 jobs of a GPU each")


def test_shared_jobs_are_preempted_together(sweep, undisturbed):
    from test_faults import control, hog

    runs = sweep(2)
    runs.submit(pack=2, gpus_per_run=1, partition="low")
    runs.in_training(after=0.1)
    runs.in_training(after=0.1, number=1)
    other = hog("high")
    wait_until(lambda: not runs.holder(0) and not runs.holder(1))
    for number in (0, 1):
        assert runs.steps_saved(number) == round(runs.beat(number)["progress"] * STEPS)
    control("scancel", other)
    assert runs.over() == ["done"] * 2
    runs.require_whole(undisturbed)


def require_one_process_record(record, expected):
    """Float32 sums in another order: the losses agree as test_distributed says; steps and data exactly."""
    assert record.status == "done" and record.cost.steps == expected.cost.steps and record.cost.flops == expected.cost.flops
    assert record.loss_curve[0][1] == pytest.approx(expected.loss_curve[0][1], rel=1e-4)
    assert record.loss_curve[-1][1] == pytest.approx(expected.loss_curve[-1][1], rel=2e-2)


def test_one_run_on_two_nodes_with_two_tasks_each(sweep, undisturbed, figure):
    runs = sweep(1, pause=0, processes=4, tasks=True)
    runs.submit(nodes_per_run=2)
    assert runs.over(180) == ["done"], runs.logs()[-3000:]
    (record,) = runs.store.records()
    assert record.hardware["processes"] == 4
    require_one_process_record(record, undisturbed[record.id])
    first, last = record.loss_curve[0][1], record.loss_curve[-1][1]
    alone = undisturbed[record.id].loss_curve
    figure(f"loss {first:.5f} to {last:.5f}; in one process {alone[0][1]:.5f} to {alone[-1][1]:.5f}")


@pytest.mark.parametrize("which", ["first", "other"])
def test_a_task_of_a_shared_run_dies(which, sweep, undisturbed, figure):
    runs = sweep(1, processes=2, tasks=True)
    runs.submit(nodes_per_run=2)
    runs.in_training(after=0.2)
    first = runs.holder()["pid"]
    pattern = f"submitit.core._submit {runs.place.scratch}"  # this sweep's alone: others may be at work on this machine
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout.split()
    others = [int(pid) for pid in found if int(pid) != first and is_task(int(pid))]
    os.kill(first if which == "first" else others[0], signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: any(job.state == "PENDING" for job in slurm.queue()) or runs.beat().get("state") == "starting", 60)
    noticed = time.monotonic() - killed
    assert runs.over(180) == ["done"], runs.logs()[-3000:]
    require_one_process_record(runs.store.records()[0], undisturbed[runs.specs[0].id])
    figure(f"back in the queue {noticed:.0f} s after the kill")


def is_task(pid: int) -> bool:
    """Whether this is a Python process of a job, and not its srun."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"python" in file.read().split(b"\0")[0]
    except FileNotFoundError:
        return False


def test_a_shared_run_goes_on_with_another_number_of_tasks(sweep, undisturbed):
    from bench.launch.status import cancel, run_states

    runs = sweep(1, processes=2, tasks=True)
    runs.submit(nodes_per_run=2)
    runs.in_training(after=0.3)
    cancel(run_states(runs.specs, EVALS, runs.place.scratch, runs.store), runs.place.scratch)
    assert runs.over() == ["cancelled"] and runs.steps_saved() > 0
    alone = sweep(1, processes=1)
    alone.submit()
    assert alone.over() == ["done"]
    (record,) = alone.store.records()
    require_one_process_record(record, undisturbed[record.id])
    assert record.environment["ended_with"]["hardware"]["processes"] == 1


def torment(runs, kills: int, choose: random.Random) -> dict[str, int]:
    """End jobs at random moments, in random ways, until so many were; what was done, by kind."""
    done: dict[str, int] = {}
    while sum(done.values()) < kills:
        time.sleep(choose.uniform(0.0, 3.0))
        held = [number for number in range(len(runs.specs)) if runs.holder(number)]
        if not held:
            if not slurm.queue():
                if all(not runs.store.missing(spec, EVALS) for spec in runs.specs):
                    break
                runs.submit()
            continue
        number = choose.choice(held)
        who = runs.holder(number)
        kind = choose.choice(["kill -9", "requeue", "SIGUSR2", "scancel"])
        if not who:
            continue
        try:
            if kind == "kill -9":
                os.kill(who["pid"], signal.SIGKILL)
            elif kind == "SIGUSR2":
                os.kill(who["pid"], signal.SIGUSR2)
            elif kind == "requeue":
                slurm.requeue(who["job"])
            else:
                slurm.cancel([who["job"]])
        except (ProcessLookupError, slurm.UserError):
            continue
        done[kind] = done.get(kind, 0) + 1
    return done


def test_random_kills(sweep, undisturbed, figure):
    """$SSLBENCH_KILLS of them: 10 here, 100 in `make torture`."""
    kills = int(os.environ.get("SSLBENCH_KILLS", 10))
    specs, choose, done, rounds, started = [planned(seed) for seed in range(4)], random.Random(0), {}, 0, time.monotonic()
    while sum(done.values()) < kills:
        rounds += 1
        runs = sweep(specs=specs, pause=0.08)
        runs.place = type(runs.place)(runs.place.results / str(rounds), runs.place.scratch / str(rounds), threads=1, checkpoint_every=0.5)
        runs.store = ResultStore(runs.place.results)
        runs.submit()
        for kind, times in torment(runs, kills - sum(done.values()), choose).items():
            done[kind] = done.get(kind, 0) + times
        while any(runs.store.missing(spec, EVALS) for spec in runs.specs):
            runs.over(300)
            if any(runs.store.missing(spec, EVALS) for spec in runs.specs):
                runs.submit()
        runs.require_whole(undisturbed)
    kinds = ", ".join(f"{times} {kind}" for kind, times in sorted(done.items()))
    figure(f"{sum(done.values())} kills ({kinds}) in {rounds} sweeps of 4 runs, {time.monotonic() - started:.0f} s; each record once")
