"""Who is at a run: a lease, so that one process does it however many try, on however many machines.

    lease = claim(folder)      None where somebody else has it
    holder(folder)             who has it now: {"host": ..., "pid": ..., "job": ...}, or None

A lease is a file that is created exclusively, lease-0000001.json; to take over one whose holder is gone is to create the next number,
which only one process can. Its holder touches it every few seconds. On the holder's own machine a lease ends with its process, on
others once it has not been touched for a minute, by the file system's clock, nor while one watches. None of it needs locks, which
network file systems lack.
"""

import contextlib
import json
import os
import re
import socket
import threading
import time
import uuid
from pathlib import Path

from bench.machine.files import put, write
from bench.machine.job import job_here
from bench.machine.process import HIDDEN, began, machine
from bench.machine.users import me, owner_of

RENEW = 5.0
"""Seconds between two touches."""

STALE = 60.0
"""Seconds without a touch after which a holder on another machine counts as gone."""

SKEW = 600.0
"""Seconds by which this machine's clock may differ from the file server's, which counts where nothing there may be written to."""

NAME = re.compile(r"lease-(\d{7})\.json")


class Lease:
    """The right to do a run, until `release` or the end of the process; use it as a context."""

    def __init__(self, path: Path, facts: dict):
        self.path, self.facts = path, facts
        self.lost = threading.Event()
        """Set once another process has taken over, as it may where this one stood still for a minute."""
        self.over = threading.Event()
        self.renewer = threading.Thread(target=self._renew, daemon=True)
        self.renewer.start()

    def _renew(self) -> None:
        while not self.over.wait(RENEW):
            self._renew_once()

    def _renew_once(self) -> None:
        with contextlib.suppress(OSError):  # a file server that is away for a moment
            if numbers(self.path.parent)[-1:] != [number_of(self.path)]:
                self.lost.set()
            else:
                os.utime(self.path)

    def release(self) -> None:
        """Let others have the run."""
        self.over.set()
        self.renewer.join()
        if not self.lost.is_set():
            # The file stays, so that numbers only grow.
            with contextlib.suppress(OSError):
                write(self.path, json.dumps({**self.facts, "released": True}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def number_of(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match, f"'{path}' is no lease"
    return int(match[1])


def numbers(folder: Path) -> list[int]:
    """Of the leases in the folder, rising; the last one counts."""
    try:
        return sorted(int(match[1]) for name in os.listdir(folder) if (match := NAME.fullmatch(name)))
    except FileNotFoundError:
        return []


def path_of(folder: Path, number: int) -> Path:
    return folder / f"lease-{number:07d}.json"


def file_system_time(folder: Path) -> float:
    """Now, by the clock that dates the folder's files: the clocks of two machines may differ."""
    probe = folder / f".{uuid.uuid4().hex}.now"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def age(folder: Path, touched: float) -> float:
    """Seconds since a file of the folder was touched. The folder may be another user's: then the one above it tells the time, and where
    that is not to be written to either this machine's own clock, which is believed to no more than some minutes."""
    for place in (folder, folder.parent):
        with contextlib.suppress(OSError):
            return file_system_time(place) - touched
    return time.time() - touched - SKEW


def last(folder: Path) -> tuple[Path, float, dict] | None:
    """(file, when it was touched, facts) of the lease that counts; None where there is none, or it was released."""
    found = numbers(folder)
    if not found:
        return None
    path = path_of(folder, found[-1])
    try:
        with path.open() as file:
            # Of the open file: a name's state may be a minute old in a network file system's cache.
            touched, text = os.fstat(file.fileno()).st_mtime, file.read()
        facts = json.loads(text)
    except FileNotFoundError:
        return None
    except (PermissionError, json.JSONDecodeError):
        # Another user's who shares nothing; or, where there are no hard links, empty for a moment.
        touched, facts = path.stat().st_mtime, {"user": owner_of(path)}
    return None if facts.get("released") else (path, touched, facts)


def holder(folder: Path) -> dict | None:
    """Who does this run now; None where nobody does."""
    found = last(folder)
    if not found:
        return None
    _, touched, facts = found
    if facts.get("machine") == machine():
        now = began(facts["pid"])
        if now != HIDDEN or facts["began"] == HIDDEN:
            return facts if now == facts["began"] else None
    return facts if age(folder, touched) < STALE else None


def describe(facts: dict) -> str:
    """'process 12 of ann on n1, in job 3'"""
    job = f", in job {facts['job']}" if facts.get("job") else ""
    return f"process {facts.get('pid', '?')} of {facts.get('user', '?')} on {facts.get('host', 'another machine')}{job}"


def is_touched(folder: Path) -> bool:
    """Whether somebody on another machine touches the lease, seen by watching it: two clocks may be minutes apart, on file systems too
    that date a file by the clock of whoever touches it."""
    before = last(folder)
    if not before or before[2].get("machine") == machine() or is_former_self(before[2]):
        return False
    deadline = time.monotonic() + 2 * RENEW
    while time.monotonic() < deadline:
        time.sleep(RENEW / 5)
        now = last(folder)
        if now and now[:2] != before[:2]:
            return True
    return False


def is_former_self(facts: dict) -> bool:
    """Whether the holder is an earlier start of this very job, which SLURM has requeued: it is gone, wherever it ran."""
    job, restarts = job_here()
    return job is not None and facts.get("job") == job and facts["restarts"] < restarts


def wait_for_a_sign(folder: Path) -> None:
    """Where another machine has the run: return once it has touched its lease, or is gone. A dead one takes a minute."""
    found = numbers(folder)
    if not found:
        return
    path = path_of(folder, found[-1])
    with contextlib.suppress(FileNotFoundError):
        touched = path.stat().st_mtime
        while (facts := holder(folder)) and not is_former_self(facts) and facts.get("machine") != machine():
            if path.stat().st_mtime != touched:
                return
            time.sleep(RENEW / 5)


def claim(folder: Path, aim: dict | None = None) -> Lease | None:
    """The lease of the run whose folder this is; None where another process has it. The folder must exist. aim: what the run is done for,
    for the others to read."""
    found, now = numbers(folder), holder(folder)
    if (now and not is_former_self(now)) or (not now and is_touched(folder)):
        return None
    job, restarts = job_here()
    facts = {
        "host": os.environ.get("SLURMD_NODENAME", socket.gethostname()),
        "user": me(),
        "pid": os.getpid(),
        "machine": machine(),
        "began": began(os.getpid()),
        "job": job,
        "restarts": restarts,
        **(aim or {}),
    }
    mine = path_of(folder, (found or [0])[-1] + 1)
    temporary = folder / f".{uuid.uuid4().hex}.lease"
    try:
        temporary.write_text(json.dumps(facts))
        put(temporary, mine)
    except FileExistsError:
        return None
    finally:
        temporary.unlink(missing_ok=True)
    # A folder that is listed while files come and go may show too few of them.
    if numbers(folder)[-1] != number_of(mine):
        mine.unlink(missing_ok=True)
        return None
    for number in found:
        path_of(folder, number).unlink(missing_ok=True)
    return Lease(mine, facts)
