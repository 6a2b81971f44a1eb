"""How the runs of a sweep are getting on: the store's word first, then leases and heartbeats, SLURM's last.

Nothing here waits for SLURM: a job that died without a word is known by its lease, which nobody touches any more.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from bench.launch import slurm
from bench.launch.submissions import UNASKED, Task, read_all, tasks_of
from bench.machine.lease import holder, machine
from bench.records.store import ResultStore
from bench.run.folder import run_folder
from bench.run.heartbeat import read_heartbeat
from bench.spec import RunSpec

AT_WORK = ("running", "pending", "starting", "submitted")
"""States of a run that needs nothing: somebody is at it, or will be."""

WENT_WRONG = ("failed", "lost")


@dataclass(frozen=True)
class RunState:
    """How one run of a sweep is getting on."""

    spec: RunSpec
    state: str
    """done | diverged | running | starting | pending (in SLURM's queue) | submitted (SLURM does not answer) | stopped (its checkpoint is
    written) | cancelled | failed | lost (it died without a word) | to do."""
    detail: str
    log: Path | None
    task: Task | None
    holder: dict | None


def run_states(
    specs: tuple[RunSpec, ...], requests: tuple[str, ...], scratch: Path, store: ResultStore, note=lambda text: None
) -> list[RunState]:
    """The state of each run. `note` hears why SLURM could not be asked."""
    recorded = {spec.id: store.parts(spec) for spec in specs}
    open_runs = {spec.id for spec in specs if store.missing(spec, requests, recorded[spec.id])}
    tasks = tasks_of(open_runs, scratch, note)
    return [
        of_open(spec, requests, scratch, store, recorded[spec.id], tasks.get(spec.id))
        if spec.id in open_runs
        else of_ended(spec, requests, recorded[spec.id])
        for spec in specs
    ]


def of_ended(spec: RunSpec, requests: tuple[str, ...], parts: list) -> RunState:
    """Of a run that needs nothing more, from the parts of its record."""
    return RunState(spec, parts[-1].status, parts[-1].error or ", ".join(requests), None, None, None)


def of_open(spec: RunSpec, requests: tuple[str, ...], scratch: Path, store: ResultStore, parts: list, task: Task | None) -> RunState:
    """Of a run that the store lacked something of before SLURM was asked; parts: of its record, then."""
    beat, who = read_heartbeat(scratch, spec.id), holder(run_folder(scratch, spec.id).path)
    if not who:
        # It may have ended since, for many seconds where SLURM is silent: a run writes its record before it lets go.
        parts = store.parts(spec)
        if not store.missing(spec, requests, parts):
            return of_ended(spec, requests, parts)
    log = task.log if task else Path(beat["log"]) if beat and beat.get("log") else None
    state, detail = state_of(beat, who, task, parts[-1] if parts else None)
    return RunState(spec, state, detail, log, task, who)


def state_of(beat: dict | None, who: dict | None, task: Task | None, record) -> tuple[str, str]:
    """(state, detail) of a run that the store lacks something of."""
    spent = f"{beat['progress']:.0%} of the budget, {beat['images_per_second']:,.0f} images/s" if beat and "progress" in beat else ""
    if who:
        left = clock(beat.get("seconds_left")) if beat and beat["state"] == "training" else (beat or {}).get("state", "")
        return "running", f"{spent}  {left}".strip()
    if task and task.state == "PENDING":
        return "pending", task.reason + (f"; {spent} done" if spent else "")
    if task and task.state == UNASKED:
        return "submitted", "SLURM does not answer"
    if task and task.state:
        return "starting", f"SLURM says {task.state}"
    if record and record.status == "failed":
        return "failed", record.error or ""
    if task and task.cancelled:
        return "cancelled", f"at {spent or 'the start'}"
    if beat and beat["state"] == "interrupted":
        return "stopped", f"at {spent or 'the start'}; run it again to go on"
    if beat and beat["state"] in ("starting", "training", "evaluating"):
        return "lost", f"at {spent or 'the start'}, {beat['state']}; its last sign was {ago(beat['time'])}"
    if task:
        return "lost", "its job ended before the run began"
    return "to do", ""


def clock(seconds: float | None) -> str:
    """90 -> '1:30'"""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def ago(when: float) -> str:
    """'40 s ago', '3 min ago', '5 h ago'"""
    seconds = max(0, time.time() - when)
    return f"{seconds:.0f} s ago" if seconds < 90 else f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"


def cancel(found: list[RunState], scratch: Path) -> tuple[int, int]:
    """End what is at work on these runs: (jobs of SLURM, processes of this machine, which write their checkpoints)."""
    jobs = {run.task.job for run in found if run.task and run.task.job and run.task.state not in (None, UNASKED)}
    if jobs:
        slurm.cancel(sorted(jobs))
        ended = {run.spec.id for run in found if run.task and run.task.job in jobs}
        for submission in read_all(scratch):
            own = {run for array in submission.arrays for run in array.runs & ended}
            submission.cancelled = sorted(own.union(submission.cancelled))
            submission.write(scratch)
    here = {run.holder["pid"] for run in found if run.holder and not run.holder.get("job") and run.holder.get("machine") == machine()}
    for pid in here:
        os.kill(pid, signal.SIGTERM)
    return len(jobs), len(here)


def outcome(run, plan, store) -> str:
    """How a run that was to be done ended: done, diverged, failed, or unfinished where something is still missing."""
    records = store.parts(run)
    if not store.missing(run, plan.evals):
        return records[-1].status if records[-1].status != "failed" else "done"
    return "failed" if records and records[-1].status == "failed" else "unfinished"
