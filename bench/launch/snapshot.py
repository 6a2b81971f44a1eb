"""A copy of the source, so that a job runs the code that it was submitted with, whatever happens to the checkout meanwhile.

<scratch>/code/<digest>/ holds the packages of this project, and COMMIT.json: the commit and whether there were uncommitted changes.
"""

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

from bench.defaults import ROOT

PACKAGES = ("bench", "methods", "reports")


def source_files(root: Path) -> list[Path]:
    """Every file of the packages that is not made by Python itself, sorted; relative to the root."""
    found = [path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path.relative_to(root) for path in found)


def take(scratch: Path) -> Path:
    """The folder that holds this process's source; copied where no earlier snapshot has the same content."""
    from bench.machine.hardware import COMMIT_FILE, commit_of_code

    digest, files = hashlib.sha256(), source_files(ROOT)
    commit, dirty = commit_of_code()
    digest.update(json.dumps([commit, dirty]).encode())
    for path in files:
        digest.update(str(path).encode() + b"\0" + (ROOT / path).read_bytes() + b"\0")
    snapshot = (scratch / "code" / digest.hexdigest()[:16]).absolute()
    if snapshot.is_dir():
        return snapshot
    beside = snapshot.with_name(f".{uuid.uuid4().hex}")
    for path in files:
        (beside / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, beside / path)
    (beside / COMMIT_FILE).write_text(json.dumps({"commit": commit, "dirty": dirty}))
    try:
        os.rename(beside, snapshot)
    except OSError:
        shutil.rmtree(beside)
        if not snapshot.is_dir():
            raise
    return snapshot
