"""What a submission hands on of its own environment, and what not.

sbatch takes options from variables before it takes them from a script, and a job inherits what its submitter has: inside an allocation
that is the outer job's memory, array, tasks and GPUs, and a variable such as SBATCH_JOB_NAME would hide a job from its own status.
"""

import contextlib
import os
from collections.abc import Iterator

import submitit

KEPT = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_CLUSTERS", "SBATCH_EXPORT", "SBATCH_RESERVATION", "SBATCH_EXCLUSIVE")
"""Which cluster it is, and what is the site's or the user's to say, since no option here says it."""

UNLESS_SAID = {
    "partition": ("SBATCH_PARTITION",),
    "account": ("SBATCH_ACCOUNT",),
    "qos": ("SBATCH_QOS",),
    "constraint": ("SBATCH_CONSTRAINT",),
    "mem": ("SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU"),
}
"""Variables that stand where the profile and the options say nothing, by Submitit's name of the parameter."""

OF_AN_ALLOCATION = ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""The outer job's GPUs, which are not the new one's."""


@contextlib.contextmanager
def clean(parameters: dict) -> Iterator[None]:
    """Within the block this process's environment is that of a submission with these parameters of Submitit's."""
    kept = {*KEPT, *(name for parameter, names in UNLESS_SAID.items() if not parameters.get(parameter) for name in names)}
    again = {name: os.environ[name] for name in kept if name in os.environ}
    with submitit.helpers.clean_env(OF_AN_ALLOCATION if "SLURM_JOB_ID" in os.environ else ()):
        os.environ.update(again)
        yield
