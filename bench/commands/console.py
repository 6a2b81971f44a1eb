"""What commands print of a plan, and where."""

import sys

import click

from bench.commands.streams import note, printable
from bench.defaults import away_from_checkout
from bench.folder_name import shown


def console(stderr: bool = False):
    """Standard output, or error, with rich; 110 columns where it is not a terminal.
    What it prints is printable (streams.py), bars are its own."""
    from rich.console import Console, RenderHook
    from rich.segment import Segment

    class Printable:
        def __init__(self, inner):
            self.inner = inner

        def __rich_console__(self, console, options):
            for segment in console.render(self.inner, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    class Clean(RenderHook):
        def process_renderables(self, renderables):
            return [Printable(renderable) for renderable in renderables]

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 110
    made = Console(file=getattr(stream, "under", None), stderr=stderr, soft_wrap=False, width=width, highlight=False, markup=False)
    made.push_render_hook(Clean())
    return made


def literal(text: str):
    """The text for rich as it is: of a name that has brackets it would make colours, or an error."""
    from rich.text import Text

    return Text(text)


def request_of(**described):
    """The runs and places that the options of a command describe, every name checked (bench.commands.request.Request)."""
    # All that the names are checked against takes longer to import than a help page may take.
    from bench.commands.request import Request

    request = Request(**described)
    for text in request.notes:
        note(text)
    return request


def say_problems(store) -> None:
    """What was found wrong when the store was last read: named, skipped, left where it is."""
    for path, reason in store.problems:
        click.echo(f"warning: {path}: {reason}; skipped, and left as it is", err=True)


def plan_of(request, look: bool = False):
    """The request's plan and store; records that cannot be read are said. look: nothing will be trained by it; else a run whose record is a
    newer program's is refused."""
    if away_from_checkout() and not request.results.exists():
        note(f"there are no results yet: they would go to {request.results.absolute()} (--results)")
    plan, store = request.plan(look)
    store.check()
    say_problems(store)
    if not look:
        store.require_known(plan.runs)
    return plan, store


def describe(plan, request) -> str:
    """'27 runs (9 methods x 3 seeds) on mnist5k, resnet8, 20,000 images: 0 in the store, 27 to do'."""
    from bench.encoders.table import versioned
    from bench.spec import settled

    first = plan.runs[0]
    counts = [len({getattr(run, name) for run in plan.runs}) for name in ("method", "seed")]
    where = ", ".join(
        sorted({f"{shown(run.dataset)}, {versioned(settled(run.encoder), run.encoder_version)}, {run.budget}" for run in plan.runs})
    )
    shape = f"{counts[0]} method{'s' * (counts[0] > 1)} x {counts[1]} seed{'s' * (counts[1] > 1)}"
    settings = len(plan.runs) / (counts[0] * counts[1])
    shape += f" x {settings:g} settings" if settings > 1 and settings == int(settings) else ""
    evaluators = ", ".join(f"{name}{colon}{shown(target)}" for name, colon, target in (text.partition(":") for text in plan.evals))
    return (
        f"{len(plan.runs)} runs ({shape}) on {where}, protocol {first.protocol}, evaluated by {evaluators}: "
        f"{plan.stored} in the store ({request.results}), {len(plan.todo)} to do"
    )


def say_of_data(plan, request) -> None:
    """What the owner of the folders that a plan reads should know of them."""
    from bench.evaluation.registry import target

    targets = {target(text) for text in plan.evals if plan.todo}
    for name in sorted({run.dataset for run in plan.todo} | {name for name in targets if name}):
        for text in request.data.require(name).entry.notes():
            note(f"{shown(name)}: {text}")


def require_images(plan, request) -> None:
    """A UserError where a file that the plan's runs will read cannot be decoded; what was found well before is not looked at again."""
    from bench.data.unread import require_all_readable
    from bench.evaluation.registry import target

    targets = {name for text in plan.evals if (name := target(text))}
    with console().status("") as status:
        called = lambda name: request.data.require(name).entry.modality.name  # noqa: E731
        say = lambda name, count: status.update(literal(f"decoding {count:,} {called(name)} of {shown(name)}, once"))  # noqa: E731
        require_all_readable(plan.todo, targets, request.data, request.scratch, say)


def say_estimate(plan, store, request, wanted) -> float:
    """How long it will take here; returns the seconds."""
    from bench.plan.estimate import in_words

    seconds, workers, notes = estimate(plan, store, request, wanted)
    if plan.todo:
        click.echo(f"time   about {in_words(seconds)} of training here, on {workers} worker{'s' * (workers > 1)}; evaluation on top")
        click.echo(f"eval   {evaluation_in_words(plan, store, request)}")
    for text in notes:
        note(text)
    return seconds


def evaluation_in_words(plan, store, request) -> str:
    """'features 40 s, knn 4 s; by other processors linear 9 s; of ood no record says what it takes': all runs, one after another."""
    from bench.plan.evaluation_cost import evaluator_seconds

    facts = (plan.todo, plan.evals, store, request.threads, request.beside())
    here = evaluator_seconds(*facts)
    unknown = {name for name, seconds in here.items() if seconds is None}
    elsewhere = evaluator_seconds(*facts, anywhere=True) if unknown else {}
    known, others = timed(here), timed({name: elsewhere[name] for name in here if name in unknown})
    nowhere = ", ".join(name for name in here if name in unknown and elsewhere[name] is None)
    parts = (known, others and f"by other processors {others}", nowhere and f"of {nowhere} no record says what it takes")
    return "; ".join(filter(None, parts))


def timed(costs: dict[str, float | None]) -> str:
    """'features 40 s, knn 4 s', of those that are known."""
    from bench.plan.estimate import in_words

    return ", ".join(f"{name} {in_words(seconds)}" for name, seconds in costs.items() if seconds is not None)


def estimate(plan, store, request, wanted) -> tuple[float, int, list[str]]:
    """(seconds, workers, what should be known) of what is to do; steps that were never timed here are timed."""
    if not plan.todo:
        return 0.0, 0, []
    from bench.launch.local import workers_here
    from bench.plan.estimate import estimate_seconds, too_short

    wanted = wanted or workers_here(len(plan.todo), request.threads * request.processes)
    workers = 1 if request.launcher == "debug" else min(wanted, len(plan.todo))
    with console(stderr=True).status("estimating the time") as status:
        say = lambda text: status.update(literal(f"estimating the time: {text}"))  # noqa: E731
        rates: dict = {}
        seconds = estimate_seconds(plan.todo, store, request.data, request.threads, workers, say, rates)
    return seconds, workers, too_short(plan.todo, request.data, rates)


class Stopped(Exception):
    """Runs were interrupted; the message says what is kept of them."""
