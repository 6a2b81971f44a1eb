"""Where a run reads and writes, and with what: none of it is part of its id."""

from dataclasses import dataclass, field
from pathlib import Path

from bench.defaults import scratch_root


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes; none of it is part of its id."""

    results: Path
    scratch: Path = field(default_factory=scratch_root)
    data_root: Path | None = None
    suite: str = "adhoc"
    threads: int = 1
    """CPU threads. 1 and 2 round differently, so a run resumes with its own, and in a budget of seconds they are in its id."""
    checkpoint_every: float = 60.0
    """Seconds."""
    processes: int = 1
    """That share the run, each with `threads`; the answer is the same for any number, but for rounding."""
    compile: bool = False
    """Whether encoders are compiled for the training."""
    tasks: bool = False
    """Whether those processes are the tasks of one SLURM job, which are there already, and not started by the first."""
    keep_weights: str = "none"
    """What is kept beside a run's record: 'none', or the 'encoder' that it was evaluated with."""
    snapshots: tuple[float, ...] = ()
    """Shares of the budget, in (0, 1] and increasing, at which runs are evaluated on their way."""
    snapshot_evals: tuple[str, ...] = ("validation", "label_free")
    """By which evaluators."""
    loggers: tuple[str, ...] = ()
    """What runs tell their numbers to beside their records (bench/run/loggers)."""
    launch: str = ""
    """Names the launch: what failed in it is left alone by its other workers, and tried again by the next one."""
