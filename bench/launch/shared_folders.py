"""Can the nodes of a cluster see this folder, and may this user write in it? Refused where it is certain that they cannot."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from bench.errors import UserError
from bench.machine.users import owner_of
from bench.records.paths import path_below
from bench.run.folder import run_folder
from bench.run.place import Place
from bench.spec import RunSpec

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "squashfs")
"""File systems that exist on one machine only."""

LOCAL = ("/tmp", "/var/tmp", "/dev/shm", "/run")
"""Folders that every machine has for itself."""


def mount_of(folder: Path, table: str) -> tuple[str, str]:
    """(mount point, file system) that holds the folder, from the text of /proc/mounts."""
    mounts = [line.split()[1:3] for line in table.splitlines()]
    holding = [(point, kind) for point, kind in mounts if folder.is_relative_to(point.replace("\\040", " "))]
    return max(holding, key=lambda mount: len(mount[0]), default=("/", "unknown"))


def is_here(address: str) -> bool:
    """Whether a node's address is this machine's."""
    try:
        found = socket.gethostbyname(address)
    except OSError:
        return False
    return found.startswith("127.") or found in socket.gethostbyname_ex(socket.gethostname())[2]


def require_shared(what: str, folder: Path, addresses: tuple[str, ...]) -> None:
    """A UserError where nodes at these addresses cannot see the folder. A disk of this machine may be exported to them, so that is
    left to the job, which says so in its log."""
    if all(is_here(address) for address in addresses):
        return
    folder = folder.resolve()
    point, kind = mount_of(folder, Path("/proc/mounts").read_text())
    # A mount of its own below /tmp may well be shared.
    local = next((root for root in LOCAL if folder.is_relative_to(root) and not Path(point).is_relative_to(root)), None)
    if kind in IN_MEMORY or local:
        reason = f"{point} is {kind}, in this machine's memory" if kind in IN_MEMORY else f"{local} is every machine's own"
        raise UserError(f"'{folder}' ({what}) cannot be seen by the cluster's nodes: {reason}; expected a folder on a shared file system")


def require_logs(scratch: Path, slurm: bool) -> None:
    """A UserError where SLURM or Submitit would write no log under this folder, or somewhere else: a backslash makes SLURM take the whole
    name of a log as it stands, and what Submitit puts in the place of the job's number it puts into the folder's name too."""
    for part in ("%j", "%t", *(("\\", "%A", "%a") if slurm else ())):
        if part in str(scratch.absolute()):
            raise UserError(
                f"'{scratch}' (--scratch, or $SSLBENCH_SCRATCH) has '{part}' in its path, where no log can be kept; expected another"
            )


def require_writable(place: Place, specs: Iterable[RunSpec]) -> None:
    """A UserError where one of the folders that these runs write to is there and may not be written in: another user has made it."""
    inside = {place.scratch / name for name in ("submissions", "submitit", "code")}
    inside |= {run_folder(place.scratch, spec.id).path for spec in specs}
    inside |= {(place.results / path_below(spec.dataset, spec.method, spec.seed, spec.id, 1)).parent for spec in specs}
    for folder in sorted(inside):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            root = place.results if folder.is_relative_to(place.results) else place.scratch
            raise UserError(
                f"'{folder}' is {owner_of(folder)}'s and cannot be written to; who shares '{root}' needs a group for it: "
                f"chgrp -R GROUP {root}; chmod -R g+rwX {root}; find {root} -type d -exec chmod g+s {{}} +"
            )
