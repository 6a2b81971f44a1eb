"""The command `plan`: what a run would do, without doing it."""

import click

from bench.commands.console import describe, plan_of, request_of, say_estimate, say_of_data
from bench.commands.options import RUNS, WORKERS


@click.command()
@RUNS
@WORKERS
def plan(launcher, workers, checkpoint_every, compiled, **described):
    """Say what a run would do: checked runs, what the store has, time needed."""
    request = request_of(launcher=launcher, **described).require_runs()
    plan, store = plan_of(request)
    click.echo(f"plan   {describe(plan, request)}")
    todo = {run.id for run in plan.todo}
    for run in plan.runs:
        state = "to do   " if run.id in todo else "in store"
        settings = " ".join(f"{key}={value}" for key, value in run.hyper_parameters.items())
        click.echo(f"  {state}  {run.id}  {run.name:<24} {settings}")
    say_of_data(plan, request)
    say_estimate(plan, store, request, workers)
