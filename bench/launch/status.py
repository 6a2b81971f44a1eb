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
from bench.machine.lease import describe, holder
from bench.machine.process import machine
from bench.machine.users import me
from bench.records.store import ResultStore
from bench.run.aim import is_for, serves
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
    whose: str | None = None
    """Who is at it, or has it in SLURM's queue; None: nobody."""
    serves: bool = True
    """Whether what is at work, or in the queue, is for all of the evaluators."""


def run_states(
    specs: tuple[RunSpec, ...], requests: tuple[str, ...], scratch: Path, store: ResultStore, note=lambda text: None
) -> list[RunState]:
    """The state of each run. `note` hears why SLURM could not be asked."""
    recorded = {spec.id: store.parts(spec) for spec in specs}
    open_runs = {spec.id for spec in specs if store.missing(spec, requests, recorded[spec.id])}
    tasks = tasks_of(open_runs, scratch, note, store.folder, requests)
    return [
        of_open(spec, requests, scratch, store, recorded[spec.id], tasks.get(spec.id))
        if spec.id in open_runs
        else of_ended(spec, requests, recorded[spec.id])
        for spec in specs
    ]


def of_ended(spec: RunSpec, requests: tuple[str, ...], parts: list) -> RunState:
    """Of a run that needs nothing more, from the parts of its record."""
    return RunState(spec, parts[-1].status, parts[-1].reason or ", ".join(requests), None, None, None)


def of_open(spec: RunSpec, requests: tuple[str, ...], scratch: Path, store: ResultStore, parts: list, task: Task | None) -> RunState:
    """Of a run that the store lacked something of before SLURM was asked; parts: of its record, then."""
    beat, who = read_heartbeat(scratch, spec.id), holder(run_folder(scratch, spec.id).path)
    if not who:
        # It may have ended since, for many seconds where SLURM is silent: a run writes its record before it lets go.
        parts = store.parts(spec)
        if not store.missing(spec, requests, parts):
            return of_ended(spec, requests, parts)
    log = task.log if task else Path(beat["log"]) if beat and beat.get("log") else None
    last, elsewhere = parts[-1] if parts else None, bool(who) and not is_for(who, store.folder)
    # Whoever makes the same run's records in another folder has the checkpoints; this folder's task waits for it (bench/launch/worker.py).
    state, detail = state_of(None if elsewhere else beat, None if elsewhere else who, task, last)
    if who and elsewhere:
        detail = f"{detail}  at work for {who['results']}".strip()
        who = None
    whose = who.get("user") if who else task.user if task and task.state else None
    served = serves(who, store.folder, requests) if who else task is None or task.serves(requests)
    detail += f"  ({whose}'s)" if state in AT_WORK and whose not in (None, me()) else ""
    return RunState(spec, state, detail, log, task, who, whose, served)


def state_of(beat: dict | None, who: dict | None, task: Task | None, record) -> tuple[str, str]:
    """(state, detail) of a run that the store lacks something of."""
    spent = f"{beat['progress']:.0%} of the budget, {beat['images_per_second']:,.0f} items/s" if beat and "progress" in beat else ""
    if who:
        left = clock(beat.get("seconds_left")) if beat and beat["state"] == "training" else stage(beat or {})
        return "running", f"{spent}  {left}".strip()
    if task and task.state == "PENDING":
        return "pending", task.reason + (f"; {spent} done" if spent else "")
    if task and task.state == UNASKED:
        return "submitted", task.reason
    if task and task.state:
        return "starting", f"SLURM says {task.state}"
    if record and record.status == "failed":
        return "failed", record.reason or ""
    if task and task.cancelled:
        return "cancelled", f"at {spent or 'the start'}"
    if beat and beat["state"] == "interrupted":
        return "stopped", f"at {spent or 'the start'}; run it again to go on"
    if beat and beat["state"] in ("starting", "training", "evaluating"):
        return "lost", f"at {spent or 'the start'}, {beat['state']}; its last sign was {ago(beat['time'])}"
    if task:
        return "lost", "its job ended before the run began"
    return "to do", ""


def stage(beat: dict) -> str:
    """'evaluating', or with what of it: 'evaluating finetune 40%'."""
    return " ".join(filter(None, (beat.get("state"), beat.get("doing"))))


def clock(seconds: float | None) -> str:
    """90 -> '1:30'"""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def ago(when: float) -> str:
    """'40 s ago', '3 min ago', '5 h ago'"""
    seconds = max(0, time.time() - when)
    return f"{seconds:.0f} s ago" if seconds < 90 else f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"


@dataclass(frozen=True)
class Cancelled:
    """What `cancel` has done."""

    jobs: int
    """Of SLURM."""
    processes: int
    """Of this machine, which write their checkpoints."""
    others: tuple[str, ...]
    """Ids of runs that were not to be cancelled and end with the same jobs."""
    left: tuple[str, ...]
    """Sentences: what could not be ended, and who can."""


def cancel(found: list[RunState], scratch: Path) -> Cancelled:
    """End what is at work on these runs."""
    left, mine = [], {}
    for run in found:
        task = run.task
        if not task or not task.job or not task.state:
            continue
        if task.state == UNASKED:
            left.append(f"{run.spec.name}, job {task.job}: {task.reason}")
        elif task.user in (None, me()) or os.geteuid() == 0:
            mine[task.job] = task
        else:
            left.append(f"{run.spec.name}: job {task.job} is {task.user}'s, who alone can end it")
    others: set[str] = set()
    if mine:
        slurm.cancel(sorted(mine))
        others = {other for task in mine.values() for other in task.runs} - {run.spec.id for run in found}
        for submission in read_all(scratch):
            ended = {run for task in mine.values() if task.token == submission.token for run in task.runs}
            if not ended <= set(submission.cancelled):
                submission.cancelled = sorted(ended.union(submission.cancelled))
                submission.write(scratch)
    here = set()
    for run in found:
        # A worker in an interactive allocation has a job, which is not to be ended for it.
        if not run.holder or run.holder.get("job") in mine or (run.task and run.task.state):
            continue
        if run.holder.get("machine") != machine():
            left.append(f"{run.spec.name} is done by {describe(run.holder)}: end it there")
        elif run.holder["pid"] not in here:
            try:
                os.kill(run.holder["pid"], signal.SIGTERM)
                here.add(run.holder["pid"])
            except ProcessLookupError:
                pass
            except PermissionError:
                left.append(f"{run.spec.name} is done by {describe(run.holder)}, who alone can end it")
    return Cancelled(len(mine), len(here), tuple(sorted(others)), tuple(left))


def holders(specs: tuple[RunSpec, ...], scratch: Path) -> list[tuple[RunSpec, str]]:
    """Who is at these runs, in words; those that nobody is at are left out."""
    found = [(spec, holder(run_folder(scratch, spec.id).path)) for spec in specs]
    return [(spec, describe(facts)) for spec, facts in found if facts]


def outcome(run, plan, store) -> str:
    """How a run that was to be done ended: done, diverged, failed, or unfinished where something is still missing."""
    records = store.parts(run)
    if not store.missing(run, plan.evals):
        return records[-1].status if records[-1].status != "failed" else "done"
    return "failed" if records and records[-1].status == "failed" else "unfinished"
