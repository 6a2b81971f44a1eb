"""Commands that launch runs: run, retry."""

from dataclasses import fields

import click

from bench.commands.beside import KEEP, LOG, loggers_of, require_kept
from bench.commands.console import Stopped, console, describe, note, plan_of, request_of, require_images, say_estimate, say_of_data
from bench.commands.options import RUNS, SLURM, WORKERS
from bench.commands.snapshots import SNAPSHOTS, snapshots_of
from bench.commands.streams import unless_unheard
from bench.defaults import COMMAND
from bench.errors import UserError, said


def cluster_options(described: dict) -> dict:
    """The options of SLURM, taken out of all that were given."""
    from bench.launch.cluster import Cluster

    names = ("cluster", *(field.name for field in fields(Cluster) if field.name != "setup"))
    return {name: described.pop(name) for name in names}


@click.command()
@RUNS
@WORKERS
@SLURM
@KEEP
@LOG
@SNAPSHOTS
@click.option("--no-estimate", is_flag=True, help="Begin at once: no step is timed first to say how long it will take.")
def run(launcher, workers, checkpoint_every, compiled, keep_weights, loggers, dry_run, snapshots, snapshot_evals, no_estimate, **described):
    """Train and evaluate a suite, or the runs that the options describe."""
    options = cluster_options(described)
    request = request_of(launcher=launcher, **described).require_runs().require_places()
    how = {"checkpoint_every": checkpoint_every, "compile": compiled, "keep_weights": keep_weights, **loggers_of(loggers)}
    start(request, workers, how | snapshots_of(snapshots, snapshot_evals, request), dry_run, options, timed=not no_estimate)


@click.command()
@RUNS
@WORKERS
@SLURM
@KEEP
@LOG
@SNAPSHOTS
@click.option("--failed", is_flag=True, help="Only runs that failed or were lost.")
def retry(launcher, workers, checkpoint_every, compiled, keep_weights, loggers, dry_run, snapshots, snapshot_evals, failed, **described):
    """Launch again what failed, was lost, stopped or cancelled; each goes on from its last checkpoint."""
    from bench.launch.status import WENT_WRONG, run_states

    options = cluster_options(described)
    request = request_of(launcher=launcher, **described).require_runs().require_places()
    states = (*WENT_WRONG, *(() if failed else ("stopped", "cancelled")))

    def chosen(plan, store):
        found = run_states(plan.runs, plan.evals, request.scratch, store, note)
        return {run.spec.id for run in found if run.state in states}

    how = {"checkpoint_every": checkpoint_every, "compile": compiled, "keep_weights": keep_weights, **loggers_of(loggers)}
    start(request, workers, how | snapshots_of(snapshots, snapshot_evals, request), dry_run, options, chosen)


def start(request, workers, how, dry_run, options, chosen=None, alike=None, timed=True) -> None:
    """Launch what the request describes and the store lacks; `chosen` names the runs to take, where not all are. how: what decides
    nothing of a run's outcome (bench.run.place.Place). alike: a plan -> one whose runs take as long and are fewer to time. timed: whether
    it is said first how long that will take."""
    given = [name for name, value in options.items() if value is not None] + ["dry-run"] * dry_run
    if request.launcher != "slurm" and given:
        raise UserError(f"--{given[0].replace('_', '-')} is for --launcher slurm")
    if request.launcher == "slurm" and workers:
        raise UserError("--workers is for --launcher local; expected --parallel")
    require_kept(how.get("keep_weights", "none"), request)
    from bench.launch.shared_folders import require_logs

    cluster = None
    require_logs(request.scratch, slurm=request.launcher == "slurm")
    if request.launcher == "slurm":
        cluster = prepare(request, options)
    if how["compile"] and request.processes > 1:
        raise UserError(f"--compile is for runs of one process so far, not of {request.processes}")
    from bench.machine.checkout import state_of_code

    click.echo("checking and completing the plan", err=True)
    plan, store = plan_of(request)
    if plan.todo and (refused := state_of_code().refused):
        note(f"records will not say the commit: {refused}")
    click.echo(f"plan   {describe(plan, request)}")
    say_of_data(plan, request)
    if plan.stored:
        unseen = ", so there is no snapshot of them but what they have" * bool(how.get("snapshots"))
        click.echo(f"skip   {plan.stored} runs are in the store and are not repeated{unseen}")
    if chosen:
        plan = narrowed(plan, chosen(plan, store))
    say_resumed(plan, request.scratch)
    from bench.run.place import Place

    place = Place(request.results, request.scratch, request.root, request.name, request.threads, processes=request.processes, **how)
    if cluster:
        submit(plan, store, place, cluster, request, dry_run)
    elif plan.todo:
        require_images(plan, request)
        try:
            if timed:
                say_estimate(alike(plan) if alike else plan, store, request, workers)
        except Exception as error:  # whatever a method's own step can raise: the run that fails will say it, and the others go on
            note(f"how long it will take is not known: a step that was timed failed ({said(error)})")
        wait_for(plan, store, place, request, workers)


def narrowed(plan, ids: set[str]):
    """The plan with these runs alone to do; says what is left to `run`."""
    from dataclasses import replace

    taken = tuple(run for run in plan.todo if run.id in ids)
    if plan.todo:
        others = f"; the other {len(plan.todo) - len(taken)} were never begun, or are at work: `{COMMAND} run` begins them"
        click.echo(f"retry  {len(taken)} of {len(plan.todo)}{others if len(taken) < len(plan.todo) else ''}")
    return replace(plan, todo=taken)


def say_resumed(plan, scratch) -> None:
    """Which runs go on from what lies in scratch: it may have been made for another --results."""
    from bench.run.heartbeat import read_heartbeat

    begun = checkpointed(plan.todo, scratch)
    trained = sum((read_heartbeat(scratch, run.id) or {}).get("progress", 0) >= 1 for run in begun)
    if begun:
        ended = f"; of {trained} the training has ended" if trained else ""
        click.echo(f"resume {len(begun)} runs go on from checkpoints in {scratch}{ended}")


def checkpointed(runs, scratch) -> list:
    """Those of the runs that have a checkpoint there."""
    from bench.training.checkpoint import Checkpoints

    return [run for run in runs if Checkpoints(scratch, run.id).paths()]


def prepare(request, options):
    """The cluster that the options describe, checked against what the request asks of it; the request gets its processes."""
    import torch

    from bench.launch.cluster import check, load
    from bench.launch.shared_folders import require_shared

    cluster = load(options.pop("cluster"), options)
    request.processes, request.threads = cluster.processes(request.processes), request.threads or cluster.cpus
    partition = check(cluster, request.processes, request.specs)
    for what, folder in (("--results", request.results), ("--scratch, or $SSLBENCH_SCRATCH", request.scratch)):
        require_shared(what, folder, partition.addresses)
    if cluster.gpus_per_run and not torch.cuda.is_available():
        # What the cluster's GPUs are cannot be seen from here, and both are in a run's id.
        if any(spec.precision is None for spec in request.specs):
            raise UserError("no --precision: this machine has no GPU to decide by; expected bf16 or float32")
        if any(spec.budget.unit == "seconds" for spec in request.specs):
            raise UserError(
                "a budget in seconds is one on a device model, which this machine cannot tell without a GPU; submit from a node"
            )
    return cluster


def wait_for(plan, store, place, request, workers) -> None:
    """Execute on this machine, with a bar for each run; SystemExit where something went wrong."""
    from bench.commands.bars import Watch
    from bench.launch.local import launch
    from bench.launch.status import holders, outcome

    try:
        with Watch(plan.todo, request.scratch, store, console()) as watch:
            problems = launch(plan.todo, plan.evals, place, request.launcher, workers, unless_unheard(watch))
    except KeyboardInterrupt as error:
        raise Stopped(what_is_kept(plan, store, request.scratch)) from error
    for run, held in holders(plan.todo, request.scratch):
        note(f"{run.name} ({run.id}) is at work: {held} has it; `{COMMAND} status` says how far")
    for _, problem in problems:
        click.echo(f"error: {problem}", err=True)
    states = [outcome(run, plan, store) for run in plan.todo]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    click.echo(f"done   {counts}; records in {request.results}")
    if problems or set(states) - {"done", "diverged"}:
        raise SystemExit(max((code for code, _ in problems), default=1))


def what_is_kept(plan, store, scratch) -> str:
    """Of runs that were interrupted: what the same command will find."""
    left = [run for run in plan.todo if store.missing(run, plan.evals)]
    kept = len(checkpointed(left, scratch))
    said = (
        f"the checkpoints of {kept} runs are written, and the same command goes on from there" if kept else "no checkpoint was written yet"
    )
    return f"{said}; {len(plan.todo) - len(left)} runs are recorded, and {len(left)} are to do"


def submit(plan, store, place, cluster, request, dry_run) -> None:
    """Submit to SLURM what is neither done, nor running, nor in its queue."""
    from dataclasses import replace

    from bench.launch import submit as jobs
    from bench.launch.shared_folders import require_writable
    from bench.launch.status import AT_WORK, run_states
    from bench.plan.estimate import job_hours

    place = replace(place, tasks=request.processes > 1)
    found = run_states(plan.todo, plan.evals, request.scratch, store, note)
    busy = {run.spec.id: run.whose or "somebody" for run in found if run.state in AT_WORK and run.serves}
    todo = tuple(run for run in plan.todo if run.id not in busy)
    if busy:
        click.echo(f"skip   {len(busy)} runs are running or queued already, {', '.join(sorted(set(busy.values())))}'s")
    if not todo:
        return
    require_writable(place, todo)
    if dry_run:
        click.echo(jobs.script(todo, place, cluster))
        for line in job_hours(todo, store, request.data, request.threads, cluster.gpus_per_run, cluster.pack, note):
            click.echo(f"cost   {line}")
        return
    jobs.submit(todo, plan.evals, place, cluster, lambda text: click.echo(f"sent   {text}"))
    click.echo(f"watch  {COMMAND} status {request.name if request.name != 'adhoc' else '...'} --watch   results {place.results}")
