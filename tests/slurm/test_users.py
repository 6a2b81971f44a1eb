"""Two people at one sweep, as two Unix users of one group: what docs/slurm.md promises of shared folders, on the real cluster."""

import contextlib
import grp
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import pytest

from bench.launch import slurm, snapshot
from bench.records.store import ResultStore
from conftest import HERE, STEPS, wait_until
from places import ROOT

GROUP = "sslbench"
"""Made for these tests, with its users; who made it takes it away."""


def python_for_others() -> str | None:
    """A Python of this version that every user may start: this one, or the system's."""
    names = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    # env: setpriv itself starts one program more with root's rights.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env"]
    code = "import sys; print(sys.version_info[:2])"
    for name in names:
        done = subprocess.run([*nobody, name, "-c", code], capture_output=True, text=True)
        if done.stdout.strip() == str(sys.version_info[:2]):
            return name
    return None


class Person:
    """Somebody with a login: commands as theirs."""

    def __init__(self, name: str, umask: int, python: str, place: Path):
        self.name, self.umask, self.python, self.place = name, umask, python, place

    def __call__(self, *words: str, pause: float = 0.0) -> tuple[int, str]:
        """(exit code, what it printed) of run_bench.py with these words."""
        environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/nonexistent",
            "SLURM_CONF": os.environ["SLURM_CONF"],
            "SSLBENCH_SCRATCH": str(self.place / "scratch"),
            "PYTHONPATH": str(self.place / "source"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATIENT_PAUSE": str(pause),
            "OMP_NUM_THREADS": "1",
        }
        as_them = ["setpriv", f"--reuid={self.name}", f"--regid={GROUP}", "--clear-groups"]
        as_them += ["sh", "-c", f'umask {self.umask:03o}; exec "$@"', "sh"]
        line = [*as_them, self.python, "-c", "import run_bench; run_bench.main()", *words]
        done = subprocess.run(
            line, cwd=self.place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180
        )
        return done.returncode, done.stdout


@pytest.fixture
def people(cluster):
    """(Ann, Bob, the folder that they share): two users of one group, and code that both can read."""
    if os.geteuid() != 0 or shutil.which("useradd") is None or shutil.which("setpriv") is None:
        pytest.skip("two Unix users take root, useradd and setpriv")
    python = python_for_others()
    if python is None:
        pytest.skip(f"{sys.executable} may be started by this user alone, and the system has no Python of its version")
    place = Path(tempfile.mkdtemp(prefix="people-"))
    # A cluster for each test process, and so people for each.
    names = [f"{GROUP}{os.getpid()}{letter}" for letter in "ab"]
    made: list[str] = []
    try:
        with contextlib.suppress(KeyError):
            grp.getgrnam(GROUP)
            made.append("")
        if not made:
            subprocess.run(["groupadd", "--system", "--force", GROUP], check=True, capture_output=True)
        for name in names:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", "--no-user-group", "--gid", GROUP, name], check=True, capture_output=True
            )
            made.append(name)
        place.chmod(0o755)
        shutil.move(snapshot.take(place / "made"), place / "source")
        shutil.copy(ROOT / "run_bench.py", place / "source")
        shutil.copy(HERE / "patient.py", place)
        for folder in (place / "results", place / "scratch"):
            folder.mkdir()
            os.chown(folder, -1, grp.getgrnam(GROUP).gr_gid)
            folder.chmod(0o2775)
        subprocess.run([python, "-m", "venv", "--without-pip", str(place / "venv")], check=True, capture_output=True)
        (packages,) = place.glob("venv/lib/*/site-packages")
        (packages / "this.pth").write_text(sysconfig.get_path("purelib"))
        python = str(place / "venv/bin/python")
        yield Person(names[0], 0o022, python, place), Person(names[1], 0o077, python, place), place
    finally:
        slurm.cancel([job.job for job in slurm.queue()])
        wait_until(lambda: not slurm.queue(), 60)
        for name in names:
            with contextlib.suppress(KeyError):
                pwd.getpwnam(name)
                subprocess.run(["userdel", name], capture_output=True)
        if "" not in made:
            subprocess.run(["groupdel", GROUP], capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


def test_two_users_share_a_sweep(people, figure):
    ann, bob, place = people
    what = ["--method", str(place / "patient.py"), "--dataset", "digits", "--image-size", "8", "--precision", "float32", "--seeds", "0,1,2"]
    what += ["--budget", f"{STEPS}steps", "--evals", "knn", "--results", str(place / "results"), "--threads", "1"]
    how = ["--launcher", "slurm", "--gpus-per-run", "0", "--cpus", "1"]
    code, said = ann("run", *what, *how, "--parallel", "1", "--checkpoint-every", "0.5", pause=1.0)
    assert code == 0 and "sent   job" in said, said
    try:
        wait_until(lambda: any('"training"' in path.read_text() for path in place.glob("scratch/*/heartbeat.json")))
    except BaseException:
        print(*(path.read_text()[-1500:] for path in place.glob("scratch/submissions/*/*_log.*")))
        raise
    code, said = bob("status", *what)
    assert code == 0 and f"({ann.name}'s)" in said and "1 running, 2 pending" in said, said
    code, said = bob("run", *what, *how)
    assert code == 0 and f"skip   3 runs are running or queued already, {ann.name}'s" in said and "sent" not in said, said
    code, said = bob("cancel", *what)
    assert code == 0 and "cancelled 0 jobs" in said and f"is {ann.name}'s, who alone can end it" in said, said
    assert len(slurm.queue()) == 3
    time.sleep(2)  # a checkpoint
    code, said = ann("cancel", *what)
    assert code == 0 and "cancelled 3 jobs" in said, said
    wait_until(lambda: not slurm.queue())
    code, said = bob("status", *what)
    assert "3 cancelled" in said, said
    # Bob goes on from Ann's checkpoint, in folders that she has made, though her umask keeps others out and his keeps all.
    code, said = bob("retry", *what, *how)
    assert code == 0 and "sent   job" in said, said
    wait_until(lambda: not slurm.queue(), 120)
    code, said = ann("status", *what)
    assert "3 runs: 3 done" in said, said
    store = ResultStore(place / "results")
    assert len(store.records()) == 3 and not store.problems
    owners = {path.owner() for path in place.glob("results/*/*.json")}
    assert owners == {bob.name}
    figure("the second goes on from the first's checkpoints, 0 runs twice")
