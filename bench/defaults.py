"""What is meant where nothing is said: the choices of a command's options, where data sets and scratch files lie, where this code lies.

Known before anything heavy is imported.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds bench/, methods/ and reports/: the checkout, a snapshot of it, or where they are installed."""

COMMAND_VARIABLE = "SSLBENCH_COMMAND"
"""Names the command to the processes that it starts; not for users."""

COMMAND = "sslbench" if Path(*sys.argv[:1]).stem == "sslbench" else os.environ.get(COMMAND_VARIABLE, "run_bench.py")
"""What was typed to start the program, for messages that say what to type next: run_bench.py, or sslbench where it is installed."""

PRECISIONS = ("bf16", "float32")
"""bf16: autocast to bfloat16 in training, weights and optimizer in float32. float32: no autocast."""

PRETRAIN_SPLITS = ("train", "train/N", "train+val", "unlabelled")
"""train/N: N images of every class of train."""

RECIPES = ("small", "imagenet")
"""small: a method's own numbers, for small images. imagenet: those of its paper there (methods/imagenet.toml)."""

LAUNCHERS = ("debug", "local", "slurm")
"""debug: in this process, one run after the other. local: a process per GPU, or per so many CPU cores. slurm: a job per run."""

DEFAULT_DATASET, DEFAULT_SEEDS, DEFAULT_EVALS = "mnist5k", "0,1,2", "knn,linear,label_free"


def data_root(option: str | os.PathLike | None = None) -> Path:
    """Where data sets lie: the option, else $SSLBENCH_DATA, else ./data."""
    return Path(option or os.environ.get("SSLBENCH_DATA") or "data").expanduser()


def scratch_root(option: str | os.PathLike | None = None) -> Path:
    """Where checkpoints, heartbeats and logs go, never under results: the option, else $SSLBENCH_SCRATCH, else .scratch in the working
    directory."""
    return Path(option or os.environ.get("SSLBENCH_SCRATCH") or ".scratch")


def away_from_checkout() -> bool:
    """Whether the installed command was started in a folder that is not the checkout, where no results lie but one's own."""
    return COMMAND == "sslbench" and Path.cwd() != ROOT
