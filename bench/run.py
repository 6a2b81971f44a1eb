"""One run from spec to record: data, method, training from the checkpoint if there is one, evaluation, publication.

`execute` is what every launcher calls. It may be killed at any moment and called again: training goes on from the last
checkpoint, a finished training is not repeated, and the record appears whole or not at all.
"""

import contextlib
import hashlib
import json
import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock
import safetensors.torch
import torch

import methods
from bench import datasets, encoders, evals, hardware
from bench.checkpoint import Checkpoints
from bench.errors import UserError
from bench.method import Method, build
from bench.randomness import generator, seeded
from bench.scratch import scratch_root
from bench.spec import PROTOCOL, RunSpec
from bench.store import Cost, Result, ResultStore, RunRecord
from bench.subject import Subject
from bench.trainer import Controls, Diverged, Interrupted, Source, Trainer

ALTERNATE_EVAL = "knn"
"""What other weights of a run (a student beside its teacher) are measured with."""


STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Signals that ask a run to write its checkpoint and stop."""


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes; none of it is part of its id."""

    results: Path
    scratch: Path = field(default_factory=scratch_root)
    data_root: Path | None = None
    suite: str = "adhoc"
    threads: int = 1
    """CPU threads. 1 and 2 round differently, so a run resumes with its own, and in a budget of seconds they are in its id."""
    checkpoint_every: float = 60.0
    """Seconds."""


class StopSignals:
    """While active, SIGINT, SIGTERM and SIGUSR2 set `received` and nothing else: the loop writes a checkpoint and stops."""

    def __init__(self):
        self.received: int | None = None
        self.former: dict[int, object] = {}

    def __enter__(self):
        # Only the main thread may set handlers; elsewhere (a debugger, a notebook's worker) signals stay as they are.
        if threading.current_thread() is threading.main_thread():
            for number in STOPS:
                # Whoever started the process with a signal ignored (nohup, a shell's background job) wants it ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self.former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_):
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame) -> None:
        self.received = number


class Heartbeat:
    """A small file that says how a run is getting on, rewritten at most twice a second."""

    def __init__(self, path: Path, spec: RunSpec):
        self.path, self.spec, self.last = path, spec, 0.0

    def write(self, state: str, trainer: Trainer | None = None, force: bool = False) -> None:
        if not force and time.monotonic() - self.last < 0.5:
            return
        self.last = time.monotonic()
        beat = {"id": self.spec.id, "name": self.spec.name, "state": state, "pid": os.getpid(), "time": time.time()}
        if trainer:
            meter, unit = trainer.meter, self.spec.budget.unit
            rate = meter.images / meter.seconds if meter.seconds else 0.0
            left = meter.seconds / trainer.progress * (1 - trainer.progress) if trainer.progress else None
            beat |= {"progress": trainer.progress, "spent": getattr(meter, unit), "images_per_second": rate, "loss": trainer.loss}
            beat |= {"seconds_left": left}
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(beat))
        os.replace(beside, self.path)


def execute(spec: RunSpec, requests: tuple[str, ...], place: Place) -> Path | None:
    """Make the record of `spec` with the evaluators asked for, if the store lacks any. Returns the record's path, or None
    where nothing was missing or another process is at it. Raises Interrupted after a checkpoint, UserError, OSError."""
    store = ResultStore(place.results)
    folder = place.scratch / spec.id
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / "lock", timeout=0)
    try:
        # The kernel drops this lock with the process, however it dies.
        with lock:
            missing = store.missing(spec, requests)
            if not missing:
                return None
            with StopSignals() as signals:
                try:
                    return make_record(spec, missing, store, place, signals)
                except Interrupted as interrupted:
                    interrupted.signal = signals.received
                    raise
    except filelock.Timeout:
        return None


def make_record(spec: RunSpec, missing: tuple[str, ...], store: ResultStore, place: Place, signals: StopSignals) -> Path:
    """Train, evaluate, publish. A run that diverged or crashed is a record too, with its reason."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    heartbeat = Heartbeat(place.scratch / spec.id / "heartbeat.json", spec)
    heartbeat.write("starting", force=True)
    hardware.reset_peak_memory()
    checkpoints = Checkpoints(place.scratch, spec.id)
    trainer, method, error, status, results, evaluation_seconds = None, None, None, "done", [], 0.0
    try:
        state = checkpoints.load()
        torch.set_num_threads(state["threads"] if state else place.threads)
        source, num_classes = load_source(spec, place.data_root)
        method = build_method(spec, source, num_classes)
        trainer = make_trainer(method, source, spec, checkpoints, state, heartbeat, place, signals) if method.trained else None
        if trainer:
            trainer.run()
        heartbeat.write("evaluating", trainer, force=True)
        require_same_weights(method, store, spec)
        export_weights(method, spec, place.scratch / spec.id / "weights.safetensors")
        clock = time.perf_counter()
        results = evaluate(method, spec, source, missing, place.data_root)
        evaluation_seconds = time.perf_counter() - clock
    except Diverged as reason:
        status, error = "diverged", str(reason)
    except (Interrupted, UserError, KeyboardInterrupt):
        heartbeat.write("interrupted", trainer, force=True)
        raise
    except Exception as reason:
        status, error = "failed", f"{type(reason).__name__}: {reason}"
        if isinstance(reason, OSError):
            # A full or read-only disk: the record would go the same way, and whoever started the run must hear of it.
            raise
    record = RunRecord(
        id=spec.id,
        spec=spec.to_json(),
        suite=place.suite,
        status=status,
        evals=missing if status == "done" else (),
        cost=cost_of(trainer, evaluation_seconds),
        results=tuple(results),
        loss_curve=tuple(trainer.curve.points) if trainer else (),
        weights=method.weights if method is not None else "none",
        weights_sha256=weights_sha256(method) if method is not None else None,
        uses_labels=bool(method is not None and method.uses_labels),
        trained=bool(method is None or method.trained),
        error=error,
        hardware=hardware.hardware(),
        environment=hardware.environment(),
        started=started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    path = store.publish(record)
    heartbeat.write(status, trainer, force=True)
    return path


def load_source(spec: RunSpec, root: Path | None) -> tuple[Source, int]:
    """The pretraining split on the device, its statistics and what a method may know of it; and the number of classes."""
    split = datasets.load(spec.dataset, spec.pretrain_split, spec.image_size, root)
    info = datasets.info(spec.dataset, spec.pretrain_split, spec.image_size, root)
    mean, std = datasets.channel_stats(split.images)
    # Many sets lie in order of class, where an image's position gives its label away; a method is told positions.
    order = torch.randperm(len(split.images), generator=generator("index", PROTOCOL))
    split = replace(split, images=split.images[order], labels=split.labels[order])
    device = hardware.device()
    source = Source(split.images.to(device), split.labels.to(device), info, mean.float().to(device), std.float().to(device))
    return source, len(split.classes)


def build_method(spec: RunSpec, source: Source, num_classes: int) -> Method:
    """The method with the weights that its seed gives it, on the device."""
    cls = methods.load(spec.method)
    make_encoder = encoders.factory(spec.encoder, spec.image_size)
    with seeded(spec.seed, "init"):
        method = build(cls, make_encoder, source.info, num_classes, spec.hyper_parameters)
    return method.to(source.device, memory_format=torch.channels_last)


def make_trainer(method, source, spec, checkpoints, state, heartbeat, place, signals) -> Trainer:
    """A trainer, moved on to its checkpoint if there is one. Only a Reference's trainer is handed the labels."""
    if not method.uses_labels:
        source = Source(source.images, None, source.info, source.mean, source.std)
    controls = Controls(
        checkpoints=checkpoints,
        every=place.checkpoint_every,
        report=lambda trainer: heartbeat.write("training", trainer),
        stop=lambda: signals.received is not None,
    )
    trainer = Trainer(method, source, spec, controls)
    if state:
        trainer.load_state_dict(state)
    return trainer


def evaluate(method: Method, spec: RunSpec, source: Source, requests: tuple[str, ...], root: Path | None) -> list[Result]:
    """Every evaluator asked for, on the weights that the paper evaluates; the other weights by kNN."""
    subject = Subject(method, method.encode, spec, source, root)
    results = []
    for request in requests:
        name, argument = evals.parse(request)
        results += evals.load(name).evaluate(subject, argument)
    if ALTERNATE_EVAL in requests:
        for weights, function in method.encode_also().items():
            other = Subject(method, function, spec, source, root)
            for result in evals.load(ALTERNATE_EVAL).evaluate(other, None):
                results.append(Result(**{**vars(result), "weights": weights}))
    return results


def cost_of(trainer: Trainer | None, evaluation_seconds: float) -> Cost:
    """What was spent; a run that is not trained spends nothing on training."""
    meters = ("steps", "images", "flops", "seconds", "setup_seconds")
    spent = {name: getattr(trainer.meter, name) if trainer else 0 for name in meters}
    return Cost(**spent, evaluation_seconds=evaluation_seconds, peak_memory_bytes=hardware.peak_memory_bytes())


def weights_sha256(method: Method) -> str:
    """Hash of every parameter and buffer, by name: two runs with the same one have the same weights, bit for bit."""
    digest = hashlib.sha256()
    for name, value in sorted(method.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def require_same_weights(method: Method, store: ResultStore, spec: RunSpec) -> None:
    """A later evaluation must be of the weights that the run's record is about; a UserError where training gave others."""
    recorded = {record.weights_sha256 for record in store.find(spec.id) if record.status == "done"}
    if recorded and weights_sha256(method) not in recorded:
        raise UserError(
            f"the weights that {spec.name} ({spec.id}) was evaluated with are gone, and training it again gave others "
            "(another machine or version?): give the new evaluation a --results folder of its own"
        )


def export_weights(method: Method, spec: RunSpec, path: Path) -> None:
    """All weights as safetensors beside the checkpoints, with the spec in the metadata; written beside and renamed."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in method.state_dict().items()}
    beside = path.with_suffix(".tmp")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    safetensors.torch.save_file(tensors, beside, metadata={"spec": spec.canonical()})
    os.replace(beside, path)
