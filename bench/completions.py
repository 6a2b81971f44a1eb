"""What settings were completed to before, kept beside the checkpoints: `status` need not import torch to learn it again.

    known = read(scratch)              {setting_of(spec): what bench.plan.complete made of it}
    keep(scratch, known)

They hold for one state of the code on one machine; a budget in seconds, which is one on a device, is never kept. Only what looks
reads them; what trains or submits completes everything anew, and leaves it here.
"""

import contextlib
import hashlib
import json
import os
import socket
from pathlib import Path

from pydantic import ValidationError

from bench import datasets
from bench.exclusive import write
from bench.lease import machine
from bench.spec import RunSpec

CODE = Path(__file__).parent.parent
"""Where bench/ and methods/ lie."""


def setting_of(spec: RunSpec, root=None, processes: int = 1) -> str:
    """All that a spec asks for but its seed, of the data under this root, on so many processes. A user's own method counts by its text."""
    asked = [str(value) for name, value in vars(spec).items() if name not in ("seed", "id")]
    own = hashlib.sha256(Path(spec.method).read_bytes()).hexdigest() if spec.method.endswith(".py") else ""
    return json.dumps([*asked, own, str(datasets.data_root(root).absolute()), processes])


def read(scratch: Path) -> dict[str, RunSpec]:
    """What was kept here of this state of the code and of the data; nothing where that changed or cannot be read."""
    try:
        kept = json.loads(_path(scratch).read_text())
        if kept["state"] != _state():
            return {}
        known = {setting: RunSpec.from_json(spec) for setting, spec in kept["settings"].items()}
    except (OSError, ValueError, LookupError, TypeError, ValidationError):
        return {}
    return known


def keep(scratch: Path, known: dict[str, RunSpec]) -> None:
    """Add these to what is kept. A scratch folder that cannot be written to costs the next status its seconds, and nothing else."""
    lasting = {setting: spec.to_json() for setting, spec in known.items() if spec.budget.unit != "seconds"}
    before = {setting: spec.to_json() for setting, spec in read(scratch).items()}
    if lasting.keys() - before.keys():
        with contextlib.suppress(OSError):
            scratch.mkdir(parents=True, exist_ok=True)
            write(_path(scratch), json.dumps({"state": _state(), "settings": before | lasting}))


def _path(scratch: Path) -> Path:
    return scratch / f"completions-{socket.gethostname()}.json"


def _state() -> str:
    """Changes with the machine, its GPUs and any file of the harness or of a method."""
    files = sorted(path for folder in ("bench", "methods") for path in (CODE / folder).rglob("*.py"))
    facts = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    gpus = [os.environ.get("CUDA_VISIBLE_DEVICES"), sorted(str(path) for path in Path("/dev").glob("nvidia*"))]
    return hashlib.sha256(json.dumps([machine(), gpus, facts]).encode()).hexdigest()
