"""Every evaluator that was asked for, on one trained method."""

import time
from collections.abc import Callable
from pathlib import Path

import threadpoolctl

from bench.data.catalogue import DataSets
from bench.data.source import Source
from bench.evaluation import registry
from bench.evaluation.frozen_encoder import FrozenEncoder
from bench.machine.signals import StopSignals
from bench.method import Method
from bench.records.record import Result
from bench.spec import RunSpec

ALTERNATE_EVAL = "knn"
"""What other weights of a run (a student beside its teacher) are measured with."""


def evaluate(
    method: Method,
    spec: RunSpec,
    source: Source,
    requests: tuple[str, ...],
    data: DataSets,
    threads: int,
    signals: StopSignals,
    report: Callable[[str, float], None] = lambda request, done: None,
    scratch: Path | None = None,
) -> tuple[list[Result], dict[str, float]]:
    """Every evaluator asked for, on the weights that the paper evaluates; the other weights by kNN. Their results, and the seconds of
    each by its request, with those of extracting features under registry.EXTRACTION. data: where its targets are found. report: is told
    at which evaluator it is, and which share of that is done. scratch: where features lie that are too large for memory."""
    at, results, seconds = "", [], {}

    def check(done: float) -> None:
        signals.check()
        report(at, done)

    features = FrozenEncoder(method, method.encode, spec, source, data, threads, check=check, scratch=scratch)
    parsed = {request: registry.parse(request) for request in requests}
    modules = {name: registry.load(name) for name, _ in parsed.values()}

    def measured(request: str, of: FrozenEncoder) -> list[Result]:
        nonlocal at
        at = request
        check(0)
        (name, argument), clock, before = parsed[request], time.perf_counter(), of.extraction.seconds
        found = modules[name].evaluate(of, argument)
        extracted = of.extraction.seconds - before
        seconds[registry.EXTRACTION] = seconds.get(registry.EXTRACTION, 0.0) + extracted
        seconds[request] = seconds.get(request, 0.0) + time.perf_counter() - clock - extracted
        return found

    # NumPy's and FAISS's threads, which are torch's no more: two runs side by side would wait for each other's.
    with threadpoolctl.threadpool_limits(threads):
        for request in requests:
            results += measured(request, features)
        if ALTERNATE_EVAL in requests:
            for kind, function in method.encode_also().items():
                other = FrozenEncoder(method, function, spec, source, data, threads, scratch=scratch)
                results += [Result(**{**vars(result), "weights": kind}) for result in measured(ALTERNATE_EVAL, other)]
    return results, seconds
