"""One run from spec to record: data, method, training from the checkpoint if there is one, evaluation, publication.

`execute`, which every launcher calls, may be killed and called again: training goes on where it was, and the record appears whole or not.
"""

import contextlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

import methods
from bench.data.catalogue import DataSets
from bench.data.source import load_source
from bench.encoders import table
from bench.encoders.batch_norm import require_shares
from bench.encoders.compiled import compiled
from bench.errors import UserError
from bench.evaluation.evaluate import evaluate
from bench.evaluation.read_ahead import read_images
from bench.machine import hardware
from bench.machine.files import write
from bench.machine.lease import Lease, claim
from bench.machine.memory import keep_freed_memory
from bench.machine.signals import Interrupted, StopSignals
from bench.method import Floor
from bench.records.record import Cost, RunRecord
from bench.records.store import ResultStore
from bench.run import snapshots, weights
from bench.run.aim import aim
from bench.run.build import as_seen_by, build_method, make_trainer, of_its_task
from bench.run.crash import explain, features_told, keep_traceback, place_of
from bench.run.export import keep_beside
from bench.run.folder import run_folder
from bench.run.follower import job_of
from bench.run.heartbeat import Heartbeat
from bench.run.logger import Loggers
from bench.run.place import Place
from bench.run.processes import shared_by_processes
from bench.run.surroundings import provenance, surroundings
from bench.run.tasks import shared_by_tasks
from bench.spec import RunSpec, settled
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.divergence import Diverged
from bench.training.hook import fit
from bench.training.meter import Meter
from bench.training.trainer import Trainer


class RunFailed(Exception):
    """The run crashed; where there was something to record, its record says so too."""


def execute(spec: RunSpec, requests: tuple[str, ...], place: Place, signals: StopSignals | None = None) -> Path | None:
    """Make the record of `spec` with the evaluators asked for, if the store lacks any. Returns the record's path, or None
    where nothing was missing or another process is at it. Raises Interrupted after a checkpoint, RunFailed, UserError, OSError."""
    keep_freed_memory()
    store = ResultStore(place.results)
    folder = run_folder(place.scratch, spec.id).path
    folder.mkdir(parents=True, exist_ok=True)
    lease = claim(folder, aim(place.results, requests))
    if lease is None:
        return None
    with lease:
        missing = store.missing(spec, requests)
        if not missing:
            return None
        store.require_known([spec])
        with contextlib.nullcontext(signals) if signals else StopSignals() as active:
            try:
                return make_record(spec, missing, store, place, active, lease)
            except Interrupted:
                if lease.lost.is_set() and active.received is None:
                    return None  # this process stood still for so long that another one has taken the run over
                raise


def make_record(spec: RunSpec, missing: tuple[str, ...], store: ResultStore, place: Place, signals: StopSignals, lease: Lease) -> Path:
    """Train, evaluate, publish. A run that diverged or crashed is a record too, with its reason."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    heartbeat = Heartbeat(place.scratch, spec, place.launch)
    heartbeat.write("starting")
    hardware.reset_peak_memory()
    checkpoints, folder = Checkpoints(place.scratch, spec.id), run_folder(place.scratch, spec.id)
    folder.traceback.unlink(missing_ok=True)
    write(folder.asked, json.dumps({"spec": spec.to_json(), **aim(place.results, missing)}))
    trainer, method, meter, error, error_at, status, results, evaluation = None, None, None, None, None, "done", [], {}
    threads, data = place.threads, DataSets(place.data_root)
    loggers = Loggers(place.loggers, place.scratch, spec)
    try:
        state = checkpoints.load()
        threads = state["threads"] if state else threads
        torch.set_num_threads(threads)
        require_as_planned(spec, data, place.processes, threads)
        read_images(spec, (*missing, *(place.snapshot_evals if place.snapshots else ())), data, threads)
        source, num_classes = load_source(spec, data.require(spec.dataset), threads)
        method = build_method(spec, source, num_classes, place.scratch)
        if method.trained:
            require_shares(method, settled(spec.batch_size), place.processes)
            look = snapshots.looks(spec, place.snapshot_evals, source, data, threads, signals, heartbeat)
            controls = replace(controls_of(checkpoints, heartbeat, place, signals, lease, threads, loggers), snapshot=look)
            trainer = make_trainer(method, source, spec, state, controls, surroundings(place, spec, threads))
            # A training that has ended needs no company.
            meter, shared = trainer.meter, shared_by_tasks if place.tasks else shared_by_processes
            job = job_of(spec, place, state, threads)
            company = shared(place.processes if trainer.share < 1 else 1, job, folder)
            with company, compiled(method, place.compile):
                trainer.run()
            trainer.retake_statistics()
        else:
            meter = fit(method, as_seen_by(method, source), spec)
        heartbeat.write("evaluating", trainer)
        weights.require_same(method, store, spec)
        weights.export(method, spec, folder.weights)
        clock = time.perf_counter()
        tell = heartbeat.of_evaluation(trainer)
        with features_told(method):
            results, seconds = evaluate(method, spec, source, missing, data, threads, signals, tell, folder.path)
        loggers.of_results(meter.steps, results)
        evaluation = {"evaluation_seconds": time.perf_counter() - clock, "evaluators": seconds}
    except Diverged as reason:
        status, error = "diverged", str(reason)
    except (Interrupted, UserError, KeyboardInterrupt, OSError):
        # OSError: a full or read-only disk. A record would go the same way, and whoever started the run must hear of it.
        with contextlib.suppress(OSError):
            heartbeat.write("interrupted", trainer)
        raise
    except (Exception, SystemExit) as reason:  # a method that calls exit() has failed like any other
        keep_traceback(reason, folder)
        error_at = place_of(reason, methods.require(spec.method), folder)
        status, error = "failed", explain(reason, trainer)
    finally:
        with contextlib.suppress(OSError):  # a full disk is heard of where it is the training's, or the record's, to say so
            checkpoints.settle()
        loggers.close()
    record = RunRecord(
        id=spec.id,
        spec=spec.to_json(),
        suite=place.suite,
        status=status,
        evals=missing if status == "done" else (),
        cost=cost_of(meter, evaluation),
        results=tuple(results),
        loss_curve=tuple(trainer.curve.points) if trainer else (),
        snapshots=snapshots.of_record(trainer),
        weights=method.weights if method is not None else "none",
        weights_sha256=weights.sha256(method) if method is not None else None,
        uses_labels=bool(method is not None and method.uses_labels),
        trained=bool(method is None or method.trained),
        deterministic=bool(isinstance(method, Floor) and method.deterministic),
        **(of_its_task(method, spec, trainer.meter) if method and trainer else {}),
        error=error,
        error_at=error_at,
        **provenance(trainer, surroundings(place, spec, threads)),
        started=started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        path = store.publish(record)
    except OSError:
        with contextlib.suppress(OSError):
            heartbeat.write("interrupted", trainer)
        raise
    if method is not None and status == "done" and place.keep_weights == "encoder":
        keep_beside(method, spec, hardware.device(), path)
    heartbeat.write(status, trainer)
    if status == "failed":
        raise RunFailed(f"{record.reason}; its traceback: {folder.traceback}")
    return path


def require_as_planned(spec: RunSpec, data: DataSets, processes: int, threads: int) -> None:
    """A UserError where file, data or device are no longer what the id was made from. data: looked up after the plan was made."""
    now = {
        "method_version": methods.version(spec.method, methods.load(spec.method), spec.hyper_parameters),
        "encoder_version": table.require(settled(spec.encoder)).version,
        "data_revision": data.require(spec.dataset).revision,
        "device": hardware.describe_device(processes, threads) if spec.budget.unit == "seconds" else None,
    }
    for what, value in now.items():
        if value != getattr(spec, what):
            raise UserError(f"the run was planned with {what} {getattr(spec, what)}, and it is {value} now; plan it again")


def controls_of(
    checkpoints: Checkpoints, heartbeat: Heartbeat, place: Place, signals: StopSignals, lease: Lease, threads: int, loggers: Loggers
) -> Controls:
    """How the run's first process watches, saves and stops it."""

    def report(trainer: Trainer) -> None:
        heartbeat.write("training", trainer)
        loggers.of_training(trainer)

    return Controls(
        checkpoints=checkpoints,
        every=place.checkpoint_every,
        threads=threads,
        snapshots=place.snapshots,
        report=report,
        stop=lambda: signals.received is not None or lease.lost.is_set(),
    )


def cost_of(meter: Meter | None, evaluation: dict) -> Cost:
    """What was spent; a run that came to nothing spent nothing. evaluation: Cost's fields of it, none where none was finished."""
    meters = ("steps", "images", "flops", "seconds", "cpu_seconds", "setup_seconds")
    spent = {name: getattr(meter, name) if meter else 0 for name in meters}
    return Cost(**spent, **evaluation, peak_memory_bytes=hardware.peak_memory_bytes())
