"""The page of a run: everything that its record says, its loss as a picture, and the command that makes it again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.folder_name import shown
from bench.records.record import Result, RunRecord
from bench.spec import method_name
from reports.site import command, trust
from reports.site.curve import drawing
from reports.site.source import Source, Stored

OWN_PAGE = ("method", "seed", "dataset", "hyper_parameters", "recipe")
"""Fields of a spec that stand elsewhere on the page."""


@dataclass(frozen=True)
class File:
    """A record's file, and where its copy is."""

    stored: Stored
    page: str


def training_of(stored: Sequence[Stored]) -> RunRecord:
    """The part whose training counts: the first that is done, else the last, as `show` has it."""
    return next((one.record for one in stored if one.record.status == "done"), stored[-1].record)


def files_of(stored: Sequence[Stored]) -> list[File]:
    """Each file once: runs/ID.json, runs/ID.2.json, … in the order of folders and parts."""
    different: dict[bytes, Stored] = {}
    for one in stored:
        different.setdefault(one.content, one)
    return [File(one, f"runs/{one.record.id}{f'.{number}' if number > 1 else ''}.json") for number, one in enumerate(different.values(), 1)]


def number(value: float | None) -> str:
    """Of a result: four significant digits, as `show` prints it."""
    return "none" if value is None else f"{value:.4g}"


def in_words(value: object) -> str:
    """A dictionary as 'k=20, T=0.07', a list with commas, anything else as it is."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={in_words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    return "none" if value is None else str(value)


def results_of(stored: Sequence[Stored]) -> list[Result]:
    """Of all parts, each number once: the first part wins, as in every table."""
    found: dict[tuple, Result] = {}
    for one in stored:
        for result in one.record.results:
            where = (result.evaluator, result.dataset, result.split, result.metric, result.weights)
            found.setdefault(where, result)
    return list(found.values())


def values(source: Source, run: str) -> dict[str, object]:
    """What templates/run.html shows of a run."""
    stored = source.runs[run]
    record = training_of(stored)
    evals = list(dict.fromkeys(name for one in stored for name in one.record.evals))
    cost, spec = record.cost, record.spec
    costs = {
        "steps": f"{cost.steps:,}",
        "items": f"{cost.images:,}",
        "FLOPs": f"{cost.flops:.4g}",
        "seconds of training": f"{cost.seconds:,.1f}",
        "CPU seconds of training": "not measured" if cost.cpu_seconds is None else f"{cost.cpu_seconds:,.1f}",
        "seconds of set-up": f"{cost.setup_seconds:,.1f}",
        "seconds of evaluation": f"{sum(each.cost.evaluation_seconds for each in different(stored)):,.1f}",
        "peak memory": f"{cost.peak_memory_bytes / 2**20:,.0f} MiB",
    }
    evaluators = {name: f"{taken:,.1f}" for each in different(stored) for name, taken in each.cost.evaluators.items()}
    environment = {name: in_words(value) for name, value in record.environment.items() if name not in ("versions", "commit", "dirty")}
    return {
        "record": record,
        "name": method_name(spec["method"]),
        "dataset": shown(spec["dataset"]),
        "verified": [trust.sentence(one) for one in source.verified.get(run, ())],
        "boards": source.boards_of_run.get(run, ()),
        "files": files_of(stored),
        "results": [(result, shown(result.dataset), number(result.value), in_words(result.chosen)) for result in results_of(stored)],
        "curve": drawing([record.loss_curve], record.chance_loss),
        "costs": costs,
        "evaluators": evaluators,
        "spec": {name: in_words(value) for name, value in spec.items() if name not in OWN_PAGE},
        "settings": {name: in_words(value) for name, value in (spec.get("hyper_parameters") or {}).items()},
        "recipe": {name: in_words(value) for name, value in (spec.get("recipe") or {}).items()},
        "hardware": {name: in_words(value) for name, value in record.hardware.items()},
        "environment": environment,
        "versions": {name: in_words(value) for name, value in (record.environment.get("versions") or {}).items()},
        "command": command.arguments(record, evals),
    }


def different(stored: Iterable[Stored]) -> list[RunRecord]:
    """The records of a run, one that lies in two folders once."""
    return list({one.content: one.record for one in stored}.values())
