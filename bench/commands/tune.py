"""The command `tune`: settings of methods searched at equal effort on val alone, what was chosen, and what that cost.

run_bench.py tune cifar10_budgets --workers 2
run_bench.py tune simclr,byol --dataset mnist5k --budget 20000items
"""

from pathlib import Path

import click

from bench.commands.beside import KEEP
from bench.commands.completion import names_from, of_methods
from bench.commands.console import describe, note, plan_of, request_of, say_estimate
from bench.commands.options import DESCRIBED, PLACES, SLURM, WORKERS
from bench.commands.run import cluster_options, start
from bench.defaults import COMMAND
from bench.errors import UserError, unknown


def of_both() -> list[str]:
    """What can be tuned: suites and methods."""
    from bench import suites

    return [*suites.names(), *of_methods()]


@click.command()
@click.argument("name", metavar="SUITE|METHOD,...", shell_complete=names_from(of_both, several=True))
@click.option("--studies", type=click.IntRange(1), default=2, show_default=True, help="Searches of the same ranges, at other points.")
@click.option("--trials", type=int, default=8, show_default=True, help="Of each study; a second round has half as many.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be tried and what that costs; run nothing.")
@click.option("--output", metavar="DIR", help="Folder of the page and the figure.  [default: reports/SUITE@tune, or reports/tune]")
@DESCRIBED
@PLACES
@WORKERS
@SLURM
@KEEP
def tune(name, studies, trials, only_plan, output, launcher, workers, checkpoint_every, compiled, keep_weights, dry_run, **described):
    """Search settings of a suite's methods, or of methods, on val; write the choice and its report."""
    from bench.commands.tuning import Tuning
    from bench.search.trials import EVALUATION, Effort

    effort = Effort(studies, trials)
    options = cluster_options(described)
    suite = suite_meant(name, described)
    if suite:
        request, tuning = of_suite(suite, effort, launcher, described)
    else:
        request = of_methods_named(name, launcher, described)
        tuning = Tuning(request.specs, effort, request.results, request.data)
    reported = request.specs
    request.specs, request.requests = tuple(tuning.specs), (EVALUATION,)
    for search in tuning.searches:
        click.echo(f"search {search.run.method}: {search.space.words()}")
    if only_plan:
        say_plan(tuning, request, workers)
        return
    request.require_places()
    how = {"checkpoint_every": checkpoint_every, "compile": compiled, "keep_weights": keep_weights}
    while True:
        start(request, workers, how, dry_run, dict(options), alike=tuning.alike)
        if dry_run:
            return
        before = len(request.specs)
        tuning.look()
        request.specs = tuple(tuning.specs)
        if len(request.specs) == before:
            break
        click.echo(f"round  2: the best of a range was at its edge; {len(request.specs) - before} runs more, as many for every method")
    trials = sum(len(outcome.trials) for outcome in tuning.outcomes)
    if lacking := trials - sum(len(outcome.scored) for outcome in tuning.outcomes):
        click.echo(f"then   the same command again: {lacking} of {trials} trials have no score yet")
        return
    from bench.commands.tuning_pages import finish

    finish(tuning, reported, request, suite, Path(output or Path("reports") / (request.name if suite else "tune")))


def suite_meant(name: str, described: dict) -> str | None:
    """The suite's name or file; None where methods are meant. A UserError with the nearest name where it is neither."""
    import methods
    from bench import suites

    given = [key for key, value in described.items() if value not in (None, ()) and key not in WHERE]
    if name in suites.names() or (suites.is_path(name) and "," not in name and not given):
        if given:
            raise UserError(f"the suite '{name}' describes its runs itself; leave out --{given[0].replace('_', '-')}")
        return name
    words = [word for word in name.split(",") if not methods.is_path(word)]
    known = [*suites.names(), *of_methods()]
    for word in words:
        if word.strip() not in known and not word.strip().startswith("family:"):
            raise unknown("suite or method", word.strip(), known, f"All suites: {COMMAND} list suites; all methods: {COMMAND} list methods")
    return None


WHERE = ("threads", "results", "processes", "data_root", "scratch")
"""Options that say nothing of what runs are: a suite takes them too."""


def of_suite(name: str, effort, launcher, described: dict):
    """(request, its Tuning); the request has the suite's own runs so far."""
    from bench import suites
    from bench.commands import tuning as searches

    own = suites.load(name)
    searches.require_apart(name, own)
    request = request_of(launcher=launcher, suite=name, **{key: described[key] for key in WHERE})
    tuning, folder = searches.of_suite(f"{name}{searches.SEPARATOR}{effort}", request.data, described["results"])
    request.results = Path(described["results"] or folder)
    request.name = f"{suites.label(name)}{searches.SEPARATOR}{'' if effort.usual else effort}"
    return request, tuning


def of_methods_named(name: str, launcher, described: dict):
    """The request of these methods as they are. A UserError where a seed to be reported is one of trials."""
    from bench.search.seeds import TRIAL_SEEDS, require_unsearched

    request = request_of(launcher=launcher, method=name, requests="validation", **described)
    require_unsearched("--seeds", {spec.seed for spec in request.specs}, dict.fromkeys(TRIAL_SEEDS, "tune"))
    return request


def say_plan(tuning, request, workers) -> None:
    """What would be tried, and what that costs."""
    from bench.search.seeds import TRIAL_SEEDS

    plan, store = plan_of(request)
    click.echo(f"plan   {describe(plan, request)}")
    effort = tuning.effort
    more = f"where an edge wins, {effort.studies * effort.extra} trials more for every method"
    each = f"{effort.studies} studies of {effort.trials} and the method as it is, each at {len(TRIAL_SEEDS)} seeds"
    click.echo(f"trials {each}; {more}")
    if plan.todo and all(run.budget.unit == "flops" for run in plan.todo):
        click.echo(f"cost   {sum(run.budget.amount for run in plan.todo) / 1e12:.4g} TFLOP to do")
    say_estimate(tuning.alike(plan), store, request, workers)
    note("nothing was run")
