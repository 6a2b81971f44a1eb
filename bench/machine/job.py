"""Which job of a cluster this process is part of."""

import os


def job_here() -> tuple[str | None, int]:
    """The SLURM job that this process is part of, as '12_3' or '12', and how often it was requeued."""
    job, task = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID")), os.environ.get("SLURM_ARRAY_TASK_ID")
    return (f"{job}_{task}" if job and task else job), int(os.environ.get("SLURM_RESTART_COUNT", 0))
