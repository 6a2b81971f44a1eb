"""The command `plan`: what a run would do, without doing it."""

import click

from bench.commands.as_json import say_json
from bench.commands.console import describe, estimate, plan_of, request_of, say_estimate, say_of_data
from bench.commands.options import JSON, RUNS, WORKERS


@click.command()
@RUNS
@WORKERS
@JSON
def plan(launcher, workers, checkpoint_every, compiled, as_json, **described):
    """Say what a run would do: checked runs, what the store has, time needed."""
    request = request_of(launcher=launcher, **described).require_runs()
    plan, store = plan_of(request)
    if as_json:
        from bench.plan.evaluation_cost import evaluator_seconds

        todo = {run.id for run in plan.todo}
        runs = [{"id": run.id, "name": run.name, "to_do": run.id in todo, "spec": run.to_json()} for run in plan.runs]
        seconds, on, notes = estimate(plan, store, request, workers)
        evaluation = evaluator_seconds(plan.todo, plan.evals, store, request.threads, request.beside())
        told = {"seconds": seconds, "workers": on, "notes": notes, "evaluation_seconds": evaluation}
        say_json({"results": request.results, "evals": plan.evals, "runs": runs, **told})
        return
    say(plan, store, request, workers)


def say(plan, store, request, workers) -> float:
    """The plan line by line; returns how many seconds its training will take here."""
    todo = {run.id for run in plan.todo}
    click.echo(f"plan   {describe(plan, request)}")
    for run in plan.runs:
        state = "to do   " if run.id in todo else "in store"
        settings = " ".join(f"{key}={value}" for key, value in run.hyper_parameters.items())
        split = f"{run.pretrain_split}, " if run.pretrain_split != "train" else ""
        click.echo(f"  {state}  {run.id}  {run.name:<24} {split}{trained_by(run)}{settings}".rstrip())
    say_of_data(plan, request)
    return say_estimate(plan, store, request, workers)


def trained_by(run) -> str:
    """'batch 256, lr 0.5, ': the learning rate after warm-up, as it is for this batch; nothing for what is not trained."""
    if run.recipe is None:
        return ""
    recipe = run.recipe
    peak = recipe.lr * recipe.batch_size / recipe.lr_per_batch if recipe.lr_per_batch else recipe.lr
    return f"{recipe.optimizer}, batch {recipe.batch_size}, lr {peak:.3g}, "
