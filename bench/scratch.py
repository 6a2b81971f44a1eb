"""Where checkpoints, heartbeats and logs go: never under results."""

import os
from pathlib import Path


def scratch_root(option: str | os.PathLike | None = None) -> Path:
    """The option, else $SSLBENCH_SCRATCH, else .scratch in the working directory."""
    return Path(option or os.environ.get("SSLBENCH_SCRATCH") or ".scratch")
