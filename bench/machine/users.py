"""Who people are, as the system names them, and what they share: two who work in one folder are two users of one group."""

import os
import pwd
import stat
from pathlib import Path


def name_of(uid: int) -> str:
    """The user's name, or the number where it has none, as in many containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def me() -> str:
    """Who this process belongs to."""
    return name_of(os.geteuid())


def owner_of(path: Path) -> str:
    """Whose file or folder it is."""
    return name_of(path.stat().st_uid)


def nearest(folder: Path) -> Path:
    """The folder, or the closest above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def share_with_group(*folders: Path) -> None:
    """Where one of the folders is its group's to write in (chmod g+ws), what this process makes from now on is the group's too, whatever
    the umask: else the first who works there shuts the others out of every folder that a run makes."""
    modes = [nearest(folder).stat().st_mode for folder in folders]
    if any(mode & stat.S_ISGID and mode & stat.S_IWGRP for mode in modes):
        former = os.umask(0o077)
        os.umask(former & ~0o070)
