"""Which state of the code this is: the commit that it is checked out at, and what differs from it.

Git is trusted only where the top level of its work tree holds this code: a wheel may lie inside somebody else's repository.
"""

import contextlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache

from bench.defaults import ROOT

COMMIT_FILE = "COMMIT.json"
"""What stands for git in a snapshot of the source (bench/launch/snapshot.py): what `state_of_code` said where it was taken."""

CODE_FILE = "bench/machine/checkout.py"
"""This file, which a checkout of this code tracks at this path."""

FOLDERS = ("bench", "methods", "reports")
"""Where code lies, beside the command line, which is tracked."""

CODE = (".py", ".toml")
"""How the names of files end that decide what a program does; a report's pages lie in reports/ too."""


NOT_CODE = ("docs", "results", "*.md")
"""What no run reads, and what the program writes itself: a figure's page, drawn after its runs, does not make the next ones dirty."""


@dataclass(frozen=True)
class State:
    """Of the code."""

    commit: str | None = None
    """None outside a checkout."""
    dirty: bool | None = None
    """Whether a tracked file was changed that may decide what a run does, or there is code that git does not track; None outside a
    checkout."""
    changed: tuple[str, ...] = ()
    """Code whose text is not the commit's, or that git does not know, as paths below ROOT, sorted."""
    refused: str | None = None
    """Why git did not answer, where there is a checkout."""


@cache
def state_of_code() -> State:
    """Asked once: a process runs what it has imported."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        noted = json.loads((ROOT / COMMIT_FILE).read_text())
        return State(**{**noted, "changed": tuple(noted.get("changed", ()))})
    try:
        if git("rev-parse", "--show-toplevel").strip() != str(ROOT) or not git("ls-files", CODE_FILE):
            return State()
        commit = git("rev-parse", "HEAD").strip()
        tracked = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":(exclude){path}" for path in NOT_CODE))
        lines = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored", "--", *FOLDERS)
    except OSError:  # there is no git here
        return State(refused="there is no git to ask for the commit") if (ROOT / ".git").exists() else State()
    except subprocess.CalledProcessError as error:
        # A checkout of another user's is one that git refuses to read (safe.directory); an empty repository has no commit.
        said = error.stderr.strip().splitlines() or [f"git ended with {error.returncode}"]
        return State(refused=said[0]) if (ROOT / ".git").exists() and error.cmd[-1] == "--show-toplevel" else State()
    # 'XY path': two letters that say how it differs, and where it is.
    changed = sorted(line[3:] for line in lines.split("\0") if line.endswith(CODE))
    return State(commit, bool(tracked.strip() or changed), tuple(changed))


def git(*words: str) -> str:
    """What git answers about the folder of this code. A hook of git's has variables set that name another repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # Its files are about to be run, so whose they are is no reason not to read which commit they are of.
    line = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *words]
    return subprocess.run(line, capture_output=True, text=True, errors="surrogateescape", check=True, env=environment).stdout


def knows(commit: str) -> bool | None:
    """Whether git has this commit; None where there is no checkout to ask. commit: as a record has it, which anybody may have written."""
    if state_of_code().commit is None or not (ROOT / ".git").exists():
        return None
    try:
        return bool(re.fullmatch("[0-9a-f]{7,64}", commit)) and git("cat-file", "-t", commit).strip() == "commit"
    except subprocess.CalledProcessError:
        return False


def is_as_committed(path: str) -> bool:
    """Whether code at this path below ROOT has the commit's text. True outside a checkout too, where nothing tells."""
    return path not in state_of_code().changed
