"""What settings were completed to before, kept beside the checkpoints: `status` need not import torch to learn it again.

    kept = read(scratch)              {setting_of(spec): what bench.plan.complete made of it}
    keep(scratch, kept, known)        these too

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

import methods
from bench import defaults
from bench.defaults import ROOT
from bench.encoders import foreign
from bench.machine.checkout import state_of_code
from bench.machine.files import write
from bench.machine.lease import machine
from bench.spec import RunSpec, canonical


def asked_of(spec: RunSpec) -> str:
    """All that a spec asks for but its seed, as canonical JSON: a budget's text for people has three digits."""
    return canonical({name: value for name, value in spec.to_json().items() if name != "seed"})


def setting_of(spec: RunSpec, root=None, processes: int = 1) -> str:
    """The same of the data under this root, on so many processes. A user's own method and encoder count by their texts."""
    own = methods.digest(spec.method) if methods.is_path(spec.method) else ""
    if spec.encoder and foreign.is_path(spec.encoder):
        own += foreign.digest(foreign.apart(spec.encoder)[0])
    return json.dumps([asked_of(spec), own, str(defaults.data_root(root).absolute()), processes])


def read(scratch: Path) -> dict[str, RunSpec]:
    """What was kept here of this state of the code; nothing where that changed or cannot be read."""
    try:
        kept = json.loads(_path(scratch).read_text())
        settings = kept["settings"] if kept["state"] == _state() else {}
        return {setting: RunSpec.from_json(spec) for setting, spec in settings.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ValidationError):
        return {}


def keep(scratch: Path, kept: dict[str, RunSpec], known: dict[str, RunSpec]) -> None:
    """Add what is known now to what was kept, as `read` gave it, or put it in its place. A scratch folder that cannot be written to
    costs the next status its seconds, and nothing else."""
    both = kept | {setting: spec for setting, spec in known.items() if spec.budget.unit != "seconds"}
    if both != kept:
        with contextlib.suppress(OSError):
            scratch.mkdir(parents=True, exist_ok=True)
            settings = {setting: spec.to_json() for setting, spec in both.items()}
            write(_path(scratch), json.dumps({"state": _state(), "settings": settings}))


def _path(scratch: Path) -> Path:
    return scratch / f"completions-{socket.gethostname()}.json"


def _state() -> str:
    """Changes with the machine, its GPUs and any file of the harness or of a method."""
    files = sorted(path for folder in ("bench", "methods") for path in (ROOT / folder).rglob("*.py"))
    facts = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    gpus = [os.environ.get("CUDA_VISIBLE_DEVICES"), sorted(str(path) for path in Path("/dev").glob("nvidia*"))]
    # A commit changes no file, and yet a method's version (methods.version).
    return hashlib.sha256(json.dumps([machine(), gpus, facts, state_of_code().changed]).encode()).hexdigest()
