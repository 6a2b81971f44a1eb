"""From what was asked for to what is to be done: specs completed, and set against the store."""

from dataclasses import dataclass
from pathlib import Path

import methods
from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.evaluation import registry
from bench.folder_name import canonical, is_folder
from bench.plan.complete import complete
from bench.plan.completed import asked_of, setting_of
from bench.records.store import ResultStore
from bench.spec import RunSpec


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    runs: tuple[RunSpec, ...]
    """Complete, without repetition, in the order asked for."""
    evals: tuple[str, ...]
    todo: tuple[RunSpec, ...]
    """The runs for which the store lacks an evaluator."""

    @property
    def stored(self) -> int:
        return len(self.runs) - len(self.todo)


def make_plan(
    specs: list[RunSpec],
    requests: tuple[str, ...],
    store: ResultStore,
    root=None,
    processes: int = 1,
    known: dict[str, RunSpec] | None = None,
    threads: int = 1,
    data: DataSets | None = None,
    here: bool = False,
    scratch: Path | None = None,
) -> Plan:
    """Complete everything, take away what the store already holds; a UserError where a run is listed twice. Names are `check_all`'s.

    known: settings that were completed already (bench/plan/completed.py), believed where the data are still the same; gets the others.
    data: the data sets under the root, where some were looked up before. here: the runs will be on this machine, whose memory must do.
    scratch: where files of weights lie that somebody else trained.
    """
    _require_projectors(specs, requests)
    _require_maps(specs, requests)
    known, completed, built, runs, data = {} if known is None else known, {}, {}, {}, data or DataSets(root)
    for spec in specs:
        spec = spec.replace(dataset=canonical(spec.dataset))
        # Seeds of one setting differ in nothing else: each setting is completed once.
        asked = asked_of(spec)
        if asked not in completed:
            setting = setting_of(spec, root, processes)
            if setting not in known or known[setting].data_revision != data.require(spec.dataset).revision:
                known[setting] = complete(spec, root, processes, threads, data.require(spec.dataset), built, here, scratch=scratch)
            completed[asked] = known[setting]
        run = completed[asked].replace(seed=spec.seed)
        if run.id in runs:
            raise UserError(f"{run.name} ({run.id}) is listed twice: a run is its content, and one of the two would be nothing new")
        runs[run.id] = run
    requests = tuple(dict.fromkeys(_with_content(request, data) for request in requests))
    todo = tuple(run for run in runs.values() if store.missing(run, requests))
    targets = {target for request in requests if (target := registry.target(request)) is not None}
    for target in targets if todo else ():
        _ = data.require(target).revision  # a part of a set, or another one, is refused now and not after training
    return Plan(tuple(runs.values()), requests, todo)


def _require_projectors(specs: list[RunSpec], requests: tuple[str, ...]) -> None:
    """A UserError for a method without a projector, where an evaluator measures that. A floor may stand in a grid: it has no results.
    Weights that others trained stand in none."""
    wanting = [request for request in requests if registry.needs_projector(registry.parse(request)[0])]
    if not wanting:
        return
    from bench.method import projection_of

    for name in dict.fromkeys(spec.method for spec in specs):
        cls = methods.load(name)
        if (cls.trained or methods.takes_weights(name)) and not projection_of(cls):
            able = ", ".join(other for other in methods.names() if projection_of(methods.load(other)))
            raise UserError(f"{name} has no projector, which the evaluator '{wanting[0]}' measures; expected one of {able}")


def _require_maps(specs: list[RunSpec], requests: tuple[str, ...]) -> None:
    """A UserError for a method that is evaluated on patches of an image, where an evaluator needs maps of the whole."""
    wanting = [request for request in requests if registry.needs_maps(registry.parse(request)[0])]
    for name in dict.fromkeys(spec.method for spec in specs) if wanting else ():
        if not methods.load(name).encodes_whole_images:
            what = f"{name} is evaluated on patches of an image, and the evaluator '{wanting[0]}' needs maps of the whole"
            raise UserError(f"{what}; expected a method that encodes whole images, or another evaluator")


def _with_content(request: str, data: DataSets) -> str:
    """An evaluator whose target is a folder is asked for on its content: the same by every spelling, another one once files change."""
    (name, _), target = registry.parse(request), registry.target(request)
    if target is None or not is_folder(target):
        return request
    found = data.require(target)
    return f"{name}:{canonical(found.name, found.revision)}"
