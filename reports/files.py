"""Writing a report's file: whole or not at all, so that a reader never meets half a table."""

import os
import uuid
from pathlib import Path


def replace_file(path: Path, content: bytes) -> Path:
    """Write beside, then rename over `path`; returns it. Raises OSError, and then leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
