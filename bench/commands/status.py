"""How runs are getting on, and how to end them: status, cancel, logs."""

import time

import click

from bench.commands.as_json import plain, say_json
from bench.commands.console import console, note, plan_of, request_of, say_problems
from bench.commands.options import JSON, RUNS
from bench.defaults import scratch_root
from bench.errors import UserError

TAIL = 40
"""Lines of a log that `logs` shows."""


@click.command()
@RUNS
@click.option("--watch", is_flag=True, help="Again every few seconds, until nothing is at work.")
@JSON
def status(watch, as_json, **described):
    """Say of each run whether it is done, running, queued, stopped, failed or lost; of all of a results folder where none is named."""
    from bench.launch.status import AT_WORK

    if watch and as_json:
        raise UserError("--watch is for who looks on; leave out --json")
    look = looking_at(request_of(**described))
    was_idle = False
    while True:
        found = look()
        states = [run.state for run in found]
        if as_json:
            say_json([{"id": run.spec.id, "name": run.spec.name, **plain(run), "spec": run.spec.to_json()} for run in found])
            return
        lines = []
        for run in found:
            log = f"  log: {run.log}" if run.log and run.state in LOGGED else ""
            lines.append(f"{run.spec.id}  {run.spec.name:<24} {run.state:<9} {run.detail}{log}")
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        if watch:
            console().clear()
        click.echo("\n".join([*lines, f"{len(found)} runs: {counts}"]))
        idle, recorded = not set(states) & set(AT_WORK), set(states) <= {"done", "diverged"}
        # On its way back to the queue a job is in no list of SLURM's for a moment: idle means twice in a row.
        if not watch or recorded or (idle and was_idle):
            return
        was_idle = idle
        time.sleep(EVERY)


def looking_at(request):
    """A function that says how the runs of the request are getting on now."""
    from bench.launch.folder import states_of
    from bench.launch.status import run_states
    from bench.records.store import ResultStore

    if request.specs:
        plan, store = plan_of(request, look=True)
        return lambda: run_states(plan.runs, plan.evals, request.scratch, store, note)
    store = ResultStore(request.results)

    def look():
        found = states_of(store, request.scratch, note)
        say_problems(store)
        if not found:
            from bench.commands.report import elsewhere

            raise UserError(f"{request.results} has no run, and none was begun for it from {request.scratch}{elsewhere(request.results)}")
        return found

    return look


LOGGED = ("failed", "lost", "cancelled", "stopped")
"""States of which `status` says where the log is."""

EVERY = 5.0
"""Seconds between two looks of `status --watch`."""


@click.command()
@RUNS
def cancel(**described):
    """End the jobs and workers that are at these runs, queued ones too; `run` or `retry` go on from the checkpoints."""
    from bench.launch.status import cancel as end
    from bench.launch.status import run_states

    request = request_of(**described).require_runs()
    plan, store = plan_of(request, look=True)
    done = end(run_states(plan.runs, plan.evals, request.scratch, store, note), request.scratch)
    click.echo(f"cancelled {done.jobs} jobs of SLURM; asked {done.processes} processes of this machine to stop")
    if done.others:
        click.echo(f"with them {len(done.others)} runs that share a job (--pack) were cancelled: {', '.join(done.others)}")
    for sentence in done.left:
        note(sentence)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--scratch", metavar="DIR", help="Folder of checkpoints and logs.  [default: $SSLBENCH_SCRATCH, or .scratch]")
def logs(run_id, scratch):
    """Show the end of a run's logs. RUN: its id, as `status` says it, or the beginning of it."""
    from bench.launch.logs import logs_of, runs_from, the_run

    scratch = scratch_root(scratch)
    run_id = the_run(run_id, runs_from(scratch), str(scratch))
    found = logs_of(run_id, scratch, note)
    if not found:
        raise UserError(f"run {run_id} has written nothing yet that was kept; what it prints with --launcher debug is on the screen alone")
    for log in found:
        for line in tail(log, TAIL):
            click.echo(line)


def tail(log, lines: int) -> list[str]:
    """The log's name and its last lines."""
    shown = "all" if len(log.lines) <= lines else f"the last {lines}"
    title = f"{log.path} ({shown} of {len(log.lines)} lines{'' if log.whole else ' that this run wrote there'})"
    return [click.style(title, bold=True), *log.lines[-lines:]]
