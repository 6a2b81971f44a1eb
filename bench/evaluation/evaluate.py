"""Every evaluator that was asked for, on one trained method."""

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
    method: Method, spec: RunSpec, source: Source, requests: tuple[str, ...], data: DataSets, threads: int, signals: StopSignals
) -> list[Result]:
    """Every evaluator asked for, on the weights that the paper evaluates; the other weights by kNN. data: where its targets are found."""
    features, results = FrozenEncoder(method, method.encode, spec, source, data, threads), []
    parsed = [(registry.load(name), argument) for name, argument in map(registry.parse, requests)]
    # NumPy's and FAISS's threads, which are torch's no more: two runs side by side would wait for each other's.
    with threadpoolctl.threadpool_limits(threads):
        for evaluator, argument in parsed:
            signals.check()
            results += evaluator.evaluate(features, argument)
        if ALTERNATE_EVAL in requests:
            for kind, function in method.encode_also().items():
                signals.check()
                other = FrozenEncoder(method, function, spec, source, data, threads)
                for result in registry.load(ALTERNATE_EVAL).evaluate(other, None):
                    results.append(Result(**{**vars(result), "weights": kind}))
    return results
