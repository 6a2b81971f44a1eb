"""A run made again from its record, in a folder of its own: whether that can be done here and now, and doing it.

why = refused(record, evals, data)     None, or why it cannot be: another version of the method, data that are not here, ...
made = make(record, evals, folder, data.root)
"""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import methods
from bench.data.catalogue import DataSets
from bench.defaults import DEFAULT_EVALS, data_root
from bench.encoders import table
from bench.errors import UserError
from bench.evaluation import registry
from bench.machine.checkout import knows, state_of_code
from bench.machine.hardware import describe_device
from bench.records.record import RunRecord
from bench.records.store import ResultStore
from bench.run.place import Place
from bench.spec import PROTOCOL, RunSpec, settled

METHODS = "methods"
"""Folder of a submission's method files, beside its records."""


def code_of(record: RunRecord) -> str:
    """Whether the record's code can still be looked at, in words."""
    commit, here = record.environment.get("commit"), state_of_code()
    if not commit:
        return "the record does not say its commit"
    short = commit[:12]
    if record.environment.get("dirty"):
        return f"it was made with code that was not that of its commit {short}: nobody can look at it"
    if commit == here.commit:
        return f"commit {short}, the one that is checked out{', with changes' if here.dirty else ''}"
    known = knows(commit)
    if known is None:
        return f"commit {short}; there is no git here to look for it in"
    return f"commit {short}, which git has, and not the one that is checked out" if known else f"commit {short} is gone from git here"


def refused(record: RunRecord, evals: Sequence[str], data: DataSets, own_code: bool = False, folder: Path | None = None) -> str | None:
    """Why the run cannot be made again by this code on this machine; None where it can. own_code: whether a method's file that is no part
    of this checkout may be run. folder: that of the records, where such a file may lie."""
    spec = RunSpec.from_json(record.spec)
    try:
        if spec.protocol != PROTOCOL:
            return f"it is of protocol {spec.protocol}, and the code has {PROTOCOL}"
        with in_folder_of(spec, folder):
            file = methods.require(spec.method)
            if methods.is_path(spec.method):
                if refusal := not_the_file(spec, file.read_bytes()):
                    return refusal
                if not own_code:
                    return f"its method is a file of somebody's own, {spec.method}, which is run with --run-code alone"
            now = methods.version(spec.method, methods.load(spec.method), spec.hyper_parameters)
        if now != spec.method_version:
            return f"it was made with version {spec.method_version} of {spec.method}, and the code has {now}"
        encoder = table.require(settled(spec.encoder)).version
        if encoder != spec.encoder_version:
            return f"it was made with version {spec.encoder_version} of {spec.encoder}, and the code has {encoder}"
        revision = data.require(spec.dataset).revision
        if revision != spec.data_revision:
            return f"{spec.dataset} was {spec.data_revision}, and is {revision} here"
        for target in {name for request in evals if (name := registry.target(request))}:
            data.require(target)
        here = describe_device(1, threads_of(record)) if spec.device else None
        if here != spec.device:
            return f"its budget is seconds on {spec.device}, and this is {here}"
    except UserError as error:
        return str(error)
    return None


def not_the_file(spec: RunSpec, content: bytes) -> str | None:
    """Why this cannot be the text of the run's method, whose version ends in the text's hash; None where it is. Runs nothing."""
    own, version = hashlib.sha256(content).hexdigest()[:8], settled(spec.method_version)
    return (
        None if version.endswith(f"+{own}") else f"{spec.method} is not the file that made it: its version is {version}, and its hash {own}"
    )


def threads_of(record: RunRecord) -> int:
    """That the run computed with; one and two round differently."""
    return record.environment.get("threads") or 1


@contextlib.contextmanager
def in_folder_of(spec: RunSpec, folder: Path | None):
    """Within the block the working directory is where the path of a submission's method file leads to that file."""
    own = folder / METHODS if folder and methods.is_path(spec.method) and (folder / METHODS / spec.method).is_file() else None
    with contextlib.chdir(own) if own else contextlib.nullcontext():
        yield


def make(record: RunRecord, evals: Sequence[str], made: Path, data: DataSets, folder: Path | None = None) -> RunRecord:
    """Train and evaluate the record's spec from its beginning, as `run --launcher debug` does; the new record may say that it failed.

    made: a new folder, for its records and checkpoints. folder: as in `refused`. UserError where it left no record."""
    from bench.launch.local import launch

    made = made.absolute()
    spec, root = RunSpec.from_json(record.spec), data_root(data.root).absolute()
    compiled = bool(record.environment.get("compiled"))
    place = Place(made / "results", made / "scratch", root, "verify", threads_of(record), compile=compiled)
    # A run that diverged was never measured, and one of which nothing is asked is not trained.
    asked = tuple(evals) or tuple(DEFAULT_EVALS.split(","))
    with in_folder_of(spec, folder):
        problems = launch((spec,), asked, place, "debug", 1, None)
    found = ResultStore(place.results).find(spec.id)
    if not found:
        raise UserError("; ".join(said for _, said in problems) or f"{spec.name} left no record in {place.results}")
    return found[0]
