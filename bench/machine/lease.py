"""Who is at a run: a lease, so that one process does it however many try, on however many machines.

    lease = claim(folder)      None where somebody else has it
    holder(folder)             who has it now: {"host": ..., "pid": ..., "job": ...}, or None

A lease is a file that is created exclusively, lease-0000001.json; to take over one whose holder is gone is to create the next number,
which only one process can. Its holder touches it every few seconds. On the holder's own machine a lease ends with its process, on
others once it has not been touched for a minute, by the file system's clock. None of it needs locks, which network file systems lack.
"""

import contextlib
import json
import os
import re
import socket
import threading
import time
import uuid
from functools import cache
from pathlib import Path

from bench.machine.files import put, write
from bench.machine.job import job_here

RENEW = 5.0
"""Seconds between two touches."""

STALE = 60.0
"""Seconds without a touch after which a holder on another machine counts as gone."""

NAME = re.compile(r"lease-(\d{7})\.json")


@cache
def machine() -> str:
    """What tells whether a process number means the same here: host, boot, and the container's own numbering."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.stat('/proc/self/ns/pid').st_ino}"
    return socket.gethostname()


def began(pid: int) -> str | None:
    """When this process began, in the kernel's ticks: a number that comes again is another process. None: there is none."""
    try:
        # After the name, which stands in brackets and may hold anything: state is the 3rd field, the start the 22nd.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)  # no /proc, as on macOS
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"


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
        probe.unlink(missing_ok=True)


def holder(folder: Path) -> dict | None:
    """Who does this run now; None where nobody does."""
    found = numbers(folder)
    if not found:
        return None
    path = path_of(folder, found[-1])
    try:
        touched, text = path.stat().st_mtime, path.read_text()
    except FileNotFoundError:
        return None
    try:
        facts = json.loads(text)
    except json.JSONDecodeError:
        facts = {}  # where there are no hard links, a lease is empty for a moment
    if facts.get("released"):
        return None
    if facts.get("machine") == machine():
        return facts if began(facts["pid"]) == facts["began"] else None
    try:
        return facts if file_system_time(folder) - touched < STALE else None
    except OSError:
        return facts  # a folder that cannot be written to: nobody could take the run over either


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


def claim(folder: Path) -> Lease | None:
    """The lease of the run whose folder this is; None where another process has it. The folder must exist."""
    found, now = numbers(folder), holder(folder)
    if now and not is_former_self(now):
        return None
    job, restarts = job_here()
    facts = {
        "host": os.environ.get("SLURMD_NODENAME", socket.gethostname()),
        "pid": os.getpid(),
        "machine": machine(),
        "began": began(os.getpid()),
        "job": job,
        "restarts": restarts,
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
