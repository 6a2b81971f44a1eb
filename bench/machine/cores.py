"""How many cores this process may use: those that it may run on, or fewer where a control group allows less.

Affinity does not say the latter: in a container of 2 cores on a machine of 64 the kernel lets a process run on every core, and stops it for
the rest of each tenth of a second.
"""

import os
from pathlib import Path

ROOT = Path("/")


def cores() -> int:
    """Cores that this process may use at a time."""
    there, quota = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, cpu_quota()
    return there if quota is None else max(1, min(there, int(quota)))


def cpu_quota() -> float | None:
    """Cores that the tightest control group above this process allows (cgroup v2: cpu.max, v1: cpu.cfs_quota_us); None: no limit."""
    limits = [limit for folder in groups() if (limit := limit_of(folder)) is not None]
    return min(limits, default=None)


def groups() -> list[Path]:
    """Every folder that may say something of this process's control groups, of both versions."""
    try:
        own = [line.split(":", 2) for line in (ROOT / "proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (ROOT / "proc/self/mounts").read_text().splitlines()]
    except OSError:
        return []  # not Linux
    found = []
    for _, point, kind, options, *_ in mounts:
        for _, controllers, path in own:
            second = kind == "cgroup2" and not controllers
            if second or (kind == "cgroup" and "cpu" in controllers.split(",") and "cpu" in options.split(",")):
                # Inside a container the path may be the host's, and the mount the container's own: then its root says it.
                inside = Path(path.lstrip("/"))
                found += [ROOT / point.lstrip("/") / part for part in (inside, *inside.parents)]
    return found


def limit_of(folder: Path) -> float | None:
    """Cores that this group allows by itself."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
