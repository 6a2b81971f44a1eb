"""A copy of the source, so that a job runs the code that it was submitted with, whatever happens to the checkout meanwhile.

<scratch>/code/<digest>/ holds the packages of this project, and COMMIT.json: the commit, and what was not as committed.
"""

import hashlib
import json
import os
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

from bench.defaults import ROOT
from bench.machine.checkout import COMMIT_FILE, FOLDERS, state_of_code


def source_files(root: Path) -> list[Path]:
    """Every file of the packages that is not made by Python itself, sorted; relative to the root."""
    found = [path for package in FOLDERS for path in (root / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path.relative_to(root) for path in found)


def take(scratch: Path) -> Path:
    """The folder that holds this process's source; copied where no earlier snapshot has the same content."""
    digest, files = hashlib.sha256(), source_files(ROOT)
    noted = json.dumps(asdict(state_of_code()))
    digest.update(noted.encode())
    for path in files:
        digest.update(str(path).encode() + b"\0" + (ROOT / path).read_bytes() + b"\0")
    snapshot = (scratch / "code" / digest.hexdigest()[:16]).absolute()
    if snapshot.is_dir():
        return snapshot
    beside = snapshot.with_name(f".{uuid.uuid4().hex}")
    for path in files:
        (beside / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, beside / path)
    (beside / COMMIT_FILE).write_text(noted)
    try:
        os.rename(beside, snapshot)
    except OSError:
        shutil.rmtree(beside)
        if not snapshot.is_dir():
            raise
    return snapshot
