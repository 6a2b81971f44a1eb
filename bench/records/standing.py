"""Of several records of one run, which ones count."""

from typing import Any

from bench.folder_name import identity_of_request
from bench.records.index import Part
from bench.records.record import RunRecord

STANDING = {"failed": 0, "diverged": 1, "done": 2}
"""Of two records of one run the higher one stands: a crash may be retried, a divergence is deterministic, done is done."""


def same_weights(parts: list[Any]) -> list[Any]:
    """The done parts that measured the weights that the first one measured."""
    done = [record for record in parts if record.status == "done"]
    return [record for record in done if record.weights_sha256 == done[0].weights_sha256]


def covers(parts: list[Part], record: RunRecord) -> bool:
    """Whether these parts already say all that this record says."""
    trusted = [record.weights_sha256, *(part.weights_sha256 for part in same_weights(parts))]
    equal = [part for part in parts if STANDING[part.status] >= STANDING[record.status] and part.weights_sha256 in trusted]
    return bool(equal) and {*map(identity_of_request, record.evals)} <= {identity_of_request(name) for part in equal for name in part.evals}
