"""The command `clean`: what lies in scratch that no run needs any more, and how much room it takes."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import click

from bench.commands.console import note, say_problems
from bench.defaults import scratch_root
from bench.errors import UserError

KEPT_DAYS = 1.0
"""Logs and snapshots of the code that are younger are left: a job may be about to start from them."""


@click.command()
@click.option("--results", metavar="DIR", help="Folder of records.  [default: results, and the folders of records in it]")
@click.option("--scratch", metavar="DIR", help="Folder of checkpoints and logs.  [default: $SSLBENCH_SCRATCH, or .scratch]")
@click.option("--unfinished", is_flag=True, help="Also checkpoints of runs that have no record: their training would begin anew.")
@click.option("--yes", is_flag=True, help="Do it; else it is only said.")
def clean(results, scratch, unfinished, yes):
    """Say what in scratch no run needs any more, and free it with --yes. Records are never touched."""
    from bench.commands.request import require_writable
    from bench.records.paths import stores
    from bench.records.store import ResultStore

    scratch = scratch_root(scratch)
    if not scratch.is_dir():
        raise UserError(f"the scratch folder '{scratch}' (--scratch) is not there")
    if results is not None and not Path(results).is_dir():
        raise UserError(f"the results folder '{results}' (--results) is not there")
    if yes:
        require_writable("--scratch", scratch)
    ended = set()
    for folder in [Path(results)] if results else stores(Path("results")):
        store = ResultStore(folder)
        ended |= {record.id for record in store.records() if record.status in ("done", "diverged")}
        say_problems(store)
    found = [*of_runs(scratch, ended, unfinished), *of_launches(scratch)]
    total = 0
    for what in dict.fromkeys(each.what for each in found):
        here = [each for each in found if each.what == what]
        size = sum(each.size for each in here)
        total += size
        click.echo(f"{in_bytes(size):>10}  {len(here):,} {what}")
    click.echo(f"{in_bytes(total):>10}  in all, of {scratch}{'' if yes or not found else '; --yes frees it'}")
    for each in found if yes else ():
        try:
            shutil.rmtree(each.path) if each.path.is_dir() and not each.path.is_symlink() else each.path.unlink(missing_ok=True)
        except OSError as error:
            note(f"{each.path} stays: {error.strerror}")


@dataclass(frozen=True)
class Leftover:
    """Something that can go."""

    what: str
    path: Path
    size: int
    """Bytes."""


def of_runs(scratch: Path, ended: set[str], unfinished: bool) -> list[Leftover]:
    """Folders of runs that nobody is at: of those that have ended, and of the others where that is asked for. ended: ids."""
    from bench.launch.submissions import read_all, tasks_of
    from bench.machine.lease import holder
    from bench.run.folder import begun

    ids = begun(scratch)
    queued = {run for run, task in tasks_of(ids, scratch, note).items() if task.state} if read_all(scratch) else set()
    found = []
    for run_id in sorted(ids - queued):
        folder = scratch / run_id
        if (run_id in ended or unfinished) and not holder(folder):
            what = "folders of runs that are recorded" if run_id in ended else "folders of runs that have no record that ended"
            found.append(Leftover(what, folder, size_of(folder)))
    return found


def of_launches(scratch: Path) -> list[Leftover]:
    """Logs and pickles of launches on this machine, and copies of the code, that nothing has touched for a day."""
    old = time.time() - KEPT_DAYS * 24 * 3600
    found = []
    for what, folder in (("files of local launches", "submitit"), ("copies of the code", "code")):
        for path in sorted((scratch / folder).glob("*")):
            if newest(path) < old and not (folder == "code" and in_use(scratch)):
                found.append(Leftover(what, path, size_of(path)))
    return found


def in_use(scratch: Path) -> bool:
    """Whether a job of SLURM may still start from a copy of the code."""
    from bench.launch.submissions import read_all, tasks_of

    runs = {run for submission in read_all(scratch) for array in submission.arrays for run in array.runs}
    return any(task.state for task in tasks_of(runs, scratch, note).values())


def files_in(path: Path) -> list[Path]:
    """Itself, or all that is in it; links are not followed."""
    return [path] if path.is_symlink() or not path.is_dir() else [path, *path.rglob("*")]


def newest(path: Path) -> float:
    """When something in it was last written."""
    return max((each.lstat().st_mtime for each in files_in(path) if each.is_symlink() or each.exists()), default=0.0)


def size_of(path: Path) -> int:
    """Bytes of all files in it."""
    return sum(each.lstat().st_size for each in files_in(path) if each.is_symlink() or each.is_file())


def in_bytes(size: float) -> str:
    """1536 -> '1.5 KiB'"""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
