"""What a sweep asks of a SLURM cluster: a profile from a TOML file, options that win over it, and checks against the cluster itself.

partition = "gpu"
time = "4:00:00"
gpus_per_run = 1
"""

import dataclasses
import os
import tomllib
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bench.errors import UserError, unknown
from bench.launch import slurm
from bench.spec import RunSpec, one_line

WARNING = 90
"""Seconds before the end of its time that a job is told of it, to write its checkpoint; a third of the time where that is less."""


@dataclass(kw_only=True, frozen=True, config=ConfigDict(extra="forbid"))
class Cluster:
    """What each run's job gets. None: the cluster's own default."""

    partition: str | None = None
    """Or several with commas between them, as SLURM takes them."""
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    """Features that a node must have, as SLURM writes them."""
    time: str = "4:00:00"
    """Of a job, as SLURM writes it: minutes, H:M:S or D-H:M:S. A run that needs longer is requeued and goes on."""
    memory: str | None = None
    """Of a node, as '32G'."""
    cpus: int = 4
    """Of each process."""
    gpus_per_run: int = 1
    """0: runs on CPUs, with --processes of them each."""
    nodes_per_run: int = 1
    parallel: int = 100
    """Jobs at a time, at most."""
    pack: int = 1
    """Runs that share a job and its GPU."""
    setup: tuple[str, ...] = ()
    """Lines of shell before each job, as 'module load cuda'."""

    def __post_init__(self):
        for name, least in (("cpus", 1), ("gpus_per_run", 0), ("nodes_per_run", 1), ("parallel", 1), ("pack", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} = {getattr(self, name)}: expected a whole number from {least} up")
        try:
            endless = slurm.minutes(self.time) is None
        except ValueError:
            endless = True
        if endless or self.minutes < 1:
            raise UserError(f"time = '{self.time}': expected a time as SLURM writes it: 90 (minutes), 1:30:00 or 2-00:00:00")

    @property
    def minutes(self) -> int:
        found = slurm.minutes(self.time)
        assert found is not None, "an endless time is refused"
        return found

    @property
    def warning(self) -> int:
        """Seconds from the signal to the end."""
        return min(WARNING, self.minutes * 60 // 3)

    def processes(self, on_cpus: int) -> int:
        """That share a run: one on each of its GPUs, else as many as --processes says."""
        return self.gpus_per_run or on_cpus

    def parameters(self, name: str, processes: int, setup: list[str]) -> dict:
        """Submitit's parameters for an array of this name."""
        flags = {"job_name": name, "time": self.minutes, "nodes": self.nodes_per_run, "signal_delay_s": self.warning}
        flags |= {"cpus_per_task": self.cpus, "ntasks_per_node": max(self.pack, processes // self.nodes_per_run)}
        flags |= {"setup": [*self.setup, *setup], "array_parallelism": self.parallel}
        for key in ("partition", "account", "qos", "constraint"):
            flags |= {key: getattr(self, key)} if getattr(self, key) else {}
        flags |= {"mem": self.memory} if self.memory else {}
        flags |= {"gpus_per_node": self.gpus_per_run // self.nodes_per_run} if self.gpus_per_run else {}
        # A task has what the script exports where the site exports nothing (--export=NONE), and all of its cores: since SLURM 22.05 srun
        # takes them from its own line alone.
        flags |= {"srun_args": ["--export=ALL", f"--cpus-per-task={self.cpus}"]}
        # Whatever the cluster's default, a job that lost its node comes back; whatever $SUBMITIT_PREEMPT_SIGNAL, workers wait for this one.
        return {**flags, "additional_parameters": {"requeue": True, "signal": f"USR2@{self.warning}"}}


PROFILE = TypeAdapter(Cluster)


def load(file: str | None, options: dict) -> Cluster:
    """The profile in this file, with the options that were given in its place."""
    known = {field.name for field in dataclasses.fields(Cluster)}
    entries = {}
    if file is not None:
        try:
            entries = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"the cluster profile '{file}' (--cluster) cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"the cluster profile '{file}' (--cluster) is no TOML: {error}") from error
        for name in entries:
            if name not in known:
                raise unknown(f"entry of the cluster profile {file}:", name, known)
    try:
        return PROFILE.validate_python(entries | {name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise one_line(error, f"cluster profile {file}" if file else "cluster") from error


def check(cluster: Cluster, processes: int, specs: tuple[RunSpec, ...]) -> slurm.Partition:
    """A UserError for the first thing that this cluster, or fairness, does not allow; else the partition that jobs will go to: of several
    ('a,b', of which SLURM takes the first that is free) one that allows it, with the nodes of all."""
    found = slurm.partitions()
    # As sbatch: what was asked for, else the variable, else the cluster's default.
    asked = cluster.partition or os.environ.get("SBATCH_PARTITION")
    names = asked.split(",") if asked else [partition.name for partition in found.values() if partition.default]
    for name in names:
        if name not in found:
            raise unknown("partition", name, found)
    if not names:
        raise UserError(f"the cluster has no default partition; expected --partition, one of {', '.join(found)}")
    chosen = [found[name] for name in names]
    reasons = [too_much(cluster, processes, partition) for partition in chosen]
    if all(reasons):
        raise UserError("; ".join(reason for reason in reasons if reason))
    nodes = cluster.nodes_per_run
    if cluster.pack > 1 and (processes > 1 or nodes > 1):
        raise UserError(f"--pack {cluster.pack} is for runs of one process on one GPU, not of {processes} on {nodes} nodes")
    if processes % nodes:
        raise UserError(f"{processes} processes of a run cannot be spread evenly over {nodes} nodes (--nodes-per-run)")
    if cluster.pack > 1 and any(spec.budget.unit == "seconds" for spec in specs):
        raise UserError(f"--pack {cluster.pack}: runs that share a GPU slow each other down, so a budget in seconds would not be fair")
    addresses = tuple(dict.fromkeys(address for partition in chosen for address in partition.addresses))
    return dataclasses.replace(chosen[reasons.index(None)], addresses=addresses)


def too_much(cluster: Cluster, processes: int, partition: slurm.Partition) -> str | None:
    """What of a run's job is more than the partition has; None where it has all."""
    where, nodes = f"partition {partition.name}", cluster.nodes_per_run
    if partition.minutes is not None and cluster.minutes > partition.minutes:
        return f"--time {cluster.time} is {cluster.minutes} minutes; {where} allows at most {partition.minutes}"
    if nodes > partition.nodes:
        return f"--nodes-per-run {nodes}: {where} has {partition.nodes}"
    if cluster.gpus_per_run // nodes > partition.gpus:
        return f"--gpus-per-run {cluster.gpus_per_run} on {nodes} node(s): a node of {where} has {partition.gpus} GPUs"
    asked = max(cluster.pack, processes // nodes)
    if asked * cluster.cpus > partition.cpus:
        return f"--cpus {cluster.cpus} for each of {asked} processes on a node: a node of {where} has {partition.cpus} cores"
    return None
