"""Which process a number means: on which machine, and since when."""

import contextlib
import os
import socket
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """What tells whether a process number means the same here: host, boot, and the container's own numbering."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.stat('/proc/self/ns/pid').st_ino}"
    return socket.gethostname()


HIDDEN = "unknown"
"""When a process began that is there and cannot be looked at: no /proc, or one that hides what is another user's (hidepid)."""


def began(pid: int) -> str | None:
    """When this process began, in the kernel's ticks: a number that comes again is another process. None: there is none."""
    try:
        # After the name, which stands in brackets and may hold anything: state is the 3rd field, the start the 22nd.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return HIDDEN
