"""What SLURM is asked: partitions, limits, the queue. Each question is one command, answered within seconds or refused in a sentence.

Nothing here needs accounting (sacct): states come from squeue, which every cluster answers.
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import UserError

PATIENCE = 20.0
"""Seconds that a command is given; a controller that is being restarted needs some."""

FILTERS = ("SQUEUE_", "SINFO_", "SCANCEL_")
"""How variables begin by which a user changes what these commands print or end: no answer may depend on them."""


def ask(*command: str) -> str:
    """What the command prints; a UserError where it is not there, fails or does not answer."""
    if shutil.which(command[0]) is None:
        raise UserError(f"there is no SLURM on this machine: no '{command[0]}' on the path; expected --launcher local or debug")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FILTERS)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)
    except subprocess.TimeoutExpired:
        raise UserError(f"SLURM does not answer: '{command[0]}' took more than {PATIENCE:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UserError(f"{command[0]} failed: {said[-1]}")
    return done.stdout


def minutes(text: str) -> int | None:
    """SLURM's times in minutes, rounded up: '90', '90:00', '1:30:00', '2-12', '2-12:30:00'; None for infinite. ValueError for others."""
    if text.lower() in ("infinite", "unlimited", "n/a"):
        return None
    match = re.fullmatch(r"(?:(\d+)-(\d+)(?::(\d+))?(?::(\d+))?|(\d+)(?::(\d+))?(?::(\d+))?)", text)
    if not match:
        raise ValueError(text)
    if match[1]:
        days, hours, mins, seconds = (int(match[number] or 0) for number in (1, 2, 3, 4))
    else:
        parts = [int(part) for part in match.group(5, 6, 7) if part]
        days = 0
        hours, mins, seconds = {1: [0, *parts, 0], 2: [0, *parts], 3: parts}[len(parts)]
    return days * 1440 + hours * 60 + mins + -(-seconds // 60)


@dataclass(frozen=True)
class Partition:
    """A partition's limits; where its nodes differ, those of the largest."""

    name: str
    default: bool
    minutes: int | None
    """Longest time of a job; None: no limit."""
    gpus: int
    """Of a node."""
    cpus: int
    memory_mb: int
    nodes: int
    addresses: tuple[str, ...] = ()
    """Where the nodes are, as names or numbers."""


def gpus_in(text: str) -> int:
    """'gpu:a100:8(S:0-1),nvme:1' -> 8"""
    return sum(int(count) for count in re.findall(r"(?:^|,)gpu:(?:[^,:(]+:)?(\d+)", text))


@functools.lru_cache(maxsize=1)
def partitions() -> dict[str, Partition]:
    """Every partition, hidden ones too, by name."""
    found: dict[str, Partition] = {}
    for line in ask("sinfo", "--noheader", "--all", "--format=%P|%l|%G|%c|%m|%D|%o").splitlines():
        if "|" not in line:
            continue  # the name of the cluster, where $SLURM_CLUSTERS is set
        name, limit, gres, cpus, memory, nodes, addresses = line.strip().split("|")
        default, name = name.endswith("*"), name.rstrip("*")
        known = found.get(name)
        numbers = [gpus_in(gres), int(cpus.rstrip("+")), int(memory.rstrip("+")), int(nodes)]
        if known:
            largest = [max(pair) for pair in zip((known.gpus, known.cpus, known.memory_mb), numbers, strict=False)]
            numbers, addresses = [*largest, known.nodes + numbers[3]], ",".join([*known.addresses, addresses])
        found[name] = Partition(name, default, minutes(limit), *numbers, addresses=tuple(addresses.split(",")))
    return found


def largest_array() -> int:
    """Tasks that one array may have."""
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"))
    return int(match[1]) if match else 1001


@dataclass(frozen=True)
class Queued:
    """A job, or a task of an array, that SLURM still knows to be pending or running."""

    job: str
    """'12' or '12_3': what scancel takes."""
    name: str
    task: int
    """Its number in the array; 0 where it is none."""
    state: str
    """PENDING, RUNNING, COMPLETING, ..."""
    uid: int
    """Of the user whose job it is."""
    reason: str


NAMES_AT_ONCE = 500
"""Names in one question."""


def queue(names: Iterable[str] = ()) -> list[Queued]:
    """Everybody's jobs with these names, or all jobs; those in hidden partitions too."""
    names, found = list(names), []
    for start in range(0, max(1, len(names)), NAMES_AT_ONCE):
        chosen = [f"--name={','.join(names[start : start + NAMES_AT_ONCE])}"] if names else []
        lines = ask("squeue", "--noheader", "--all", "--array", *chosen, "--format=%F|%K|%T|%j|%U|%r").splitlines()
        # Where $SLURM_CLUSTERS is set a line names the cluster.
        for base, task, state, name, uid, reason in (line.strip().split("|", 5) for line in lines if "|" in line):
            array = task.isdigit()
            found.append(Queued(f"{base}_{task}" if array else base, name, int(task) if array else 0, state, int(uid), reason))
    return found


@functools.lru_cache(maxsize=1)
def hides_jobs_of_others() -> bool:
    """Whether this user is shown no jobs but its own (PrivateData=jobs); True where SLURM does not say."""
    if os.geteuid() == 0:
        return False
    try:
        match = re.search(r"PrivateData\s*=\s*(\S+)", ask("scontrol", "show", "config"))
    except UserError:
        return True
    return match is not None and "jobs" in match[1].split(",")


def cancel(jobs: Iterable[str]) -> None:
    """End these jobs, in a handful of commands."""
    jobs = list(jobs)
    for start in range(0, len(jobs), 500):
        ask("scancel", *jobs[start : start + 500])


def requeue(job: str) -> None:
    """Give the job back to the queue; ends the caller, if that is part of it."""
    ask("scontrol", "requeue", job)
