"""The command that makes a run again, from its record: every setting is said, so that no default that moved meanwhile changes it."""

import shlex
from collections.abc import Sequence

from bench.records.record import RunRecord
from bench.settings import RECIPE, written
from bench.spec import RunSpec


def arguments(record: RunRecord, evals: Sequence[str]) -> str:
    """What follows `run_bench.py run`, quoted for a shell. evals: all that the run was measured by. A folder of images is where it was
    then. A data set's revision and a method's version are the code's, and not to be asked for."""
    spec = RunSpec.from_json(record.spec)
    said = {
        "method": spec.method,
        "dataset": spec.dataset,
        "encoder": spec.encoder,
        "image-size": spec.image_size,
        "budget": f"{spec.budget.amount:.17g}{spec.budget.shown_unit}",
        "seeds": spec.seed,
        "precision": spec.precision,
        "pretrain-split": spec.pretrain_split,
        "evals": ",".join(evals),
        "threads": record.environment.get("threads"),
        "snapshots": ",".join(str(looked.asked) for looked in record.snapshots),
        "snapshot-evals": ",".join(dict.fromkeys(name for looked in record.snapshots for name in looked.evals)),
    }
    words = [word for option, value in said.items() if value not in (None, "") for word in (f"--{option}", str(value))]
    words += ["--compile"] if record.environment.get("compiled") else []
    settings = dict(record.spec.get("hyper_parameters") or {})
    settings |= {f"{RECIPE}{name}": value for name, value in (record.spec.get("recipe") or {}).items()}
    return shlex.join([*words, *(word for name, value in settings.items() for word in ("--set", written(name, value)))])
