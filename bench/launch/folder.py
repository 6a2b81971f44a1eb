"""All runs of a results folder, without anybody naming them: those that it has records of, and those that were begun for it."""

import contextlib
import json
from pathlib import Path

from bench.launch.status import RunState, run_states
from bench.records.store import ResultStore
from bench.run.folder import run_folder
from bench.spec import RunSpec

Asked = dict[str, tuple[RunSpec, tuple[str, ...]]]
"""Run id -> its spec, and the evaluators that were asked for."""


def runs_of(store: ResultStore, scratch: Path) -> Asked:
    """Recorded ones in the order of their paths, then those that have only begun. What cannot be read is in the store's problems."""
    found: Asked = {}
    for record in store.records():
        evals = dict.fromkeys((*(found[record.id][1] if record.id in found else ()), *record.evals))
        found[record.id] = (RunSpec.from_json(record.spec), tuple(evals))
    here = str(store.folder.resolve())
    for path in sorted(scratch.glob(f"*/{run_folder(scratch, '').asked.name}")):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            asked = json.loads(path.read_text())
            if asked["results"] == here:
                spec = RunSpec.from_json(asked["spec"])
                found[spec.id] = (spec, tuple(dict.fromkeys((*(found[spec.id][1] if spec.id in found else ()), *asked["evals"]))))
    return found


def states_of(store: ResultStore, scratch: Path, note=lambda text: None) -> list[RunState]:
    """How each of them is getting on. `note` hears why SLURM could not be asked."""
    runs = runs_of(store, scratch)
    by_evals: dict[tuple[str, ...], list[RunSpec]] = {}
    for spec, evals in runs.values():
        by_evals.setdefault(evals, []).append(spec)
    states = {run.spec.id: run for evals, specs in by_evals.items() for run in run_states(tuple(specs), evals, scratch, store, note)}
    return [states[run_id] for run_id in runs]
