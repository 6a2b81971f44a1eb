"""A real SLURM cluster of two nodes on this machine for the tests of this folder, and what they do to it.

`make slurm-test` installs SLURM and runs them; `make test` leaves this folder alone. Everything lives in a temporary folder and is
taken down by process number, whatever fails.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from bench.launch import slurm
from bench.launch.cluster import Cluster
from bench.launch.status import AT_WORK, run_states
from bench.launch.submit import submit
from bench.machine import lease
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.execute import execute
from bench.run.heartbeat import read_heartbeat
from bench.run.place import Place
from bench.spec import Budget, RunSpec
from places import ROOT

HERE = Path(__file__).parent
SCRIPT = HERE / "local-slurm"
EVALS = ("knn",)
STEPS = 120
PAUSE = 0.05
"""Seconds that a step of an undisturbed job takes at least: time to do something to it."""


def control(*words: str) -> str:
    """A command of SLURM's, which must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_until(what, seconds: float = 90.0, every: float = 0.1):
    """The first true answer of `what()`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(every)
    pytest.fail(f"waited {seconds:.0f} s for {getattr(what, '__name__', what)}\n{control('squeue')}")


def hurry(stop: threading.Event) -> None:
    """A requeued job waits two minutes before it may start again, by SLURM's rule: let it start after three seconds. Not sooner: a start
    within the second of the requeue is refused by its node ("Job credential revoked"), and the job is gone."""
    since: dict[str, float] = {}
    while not stop.wait(0.5):
        with contextlib.suppress(Exception):
            lines = [line.split("|") for line in control("squeue", "--noheader", "--array", "--format=%i|%r").splitlines()]
            waiting = {job for job, reason in lines if reason == "BeginTime"}
            since = {job: since.get(job, time.monotonic()) for job in waiting}
            for job, start in since.items():
                if time.monotonic() - start > 3:
                    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True, timeout=20)


def free_ports(number: int) -> int:
    """The base port of a test process's cluster: its own, and not one of a cluster whose test process was killed."""
    for base in range(16800 + 400 * number, 16800 + 400 * (number + 1), 40):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", base + 17))  # the controller's
            return base
    raise AssertionError(f"no free ports for the cluster of test process {number}")


@pytest.fixture(scope="session", autouse=True)
def cluster():
    """The cluster, up for the session."""
    folder = tempfile.mkdtemp(prefix="slurm-")
    # A cluster for each test process (pytest -n), on ports of its own.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    environment = {**os.environ, "SLURMCI_DIR": folder, "SLURMCI_PORT": str(free_ports(number))}
    os.environ["SLURM_CONF"] = f"{folder}/etc/slurm.conf"
    stop, hurrier = threading.Event(), None
    try:
        up = subprocess.run([SCRIPT, "up"], env=environment, capture_output=True, text=True, timeout=120)
        assert up.returncode == 0, f"the cluster did not come up: {up.stdout}{up.stderr}"
        hurrier = threading.Thread(target=hurry, args=(stop,), daemon=True)
        hurrier.start()
        yield Path(folder)
    finally:
        stop.set()
        if hurrier:
            hurrier.join(30)
        subprocess.run([SCRIPT, "reset"], env=environment, capture_output=True, timeout=180)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def quiet_cluster(cluster):
    """Every test begins and ends without jobs, and with both nodes up."""
    yield
    subprocess.run(["scancel", "--user", "root" if os.getuid() == 0 else str(os.getuid())], capture_output=True, timeout=30)
    wait_until(lambda: not slurm.queue(), 60)
    for node in ("n1", "n2"):
        if any(word in control("sinfo", "-h", "-N", "-n", node, "-o", "%T") for word in ("down", "drain", "fail")):
            subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True, timeout=30)


def planned(seed: int = 0, **changes) -> RunSpec:
    """A complete run of the patient method; tens of steps on tiny digits."""
    facts = {"dataset": "digits", "budget": Budget("steps", STEPS), "precision": "float32", "image_size": 8}
    return complete(RunSpec(method=str(HERE / "patient.py"), seed=seed, **facts, **changes))


class Sweep:
    """Some runs, submitted to the cluster and looked after."""

    def __init__(self, folder: Path, specs: list[RunSpec], monkeypatch, pause: float = PAUSE, **changes):
        self.specs, self.monkeypatch = tuple(specs), monkeypatch
        facts = {"threads": 1, "checkpoint_every": 0.5} | changes
        self.place = Place(folder / "results", folder / "scratch", **facts)
        self.store = ResultStore(self.place.results)
        monkeypatch.setenv("PATIENT_PAUSE", str(pause))

    def submit(self, **cluster) -> str:
        """Submit what is missing; the job's number."""
        asked = Cluster(**{"cpus": 1, "gpus_per_run": 0, "time": "60", **cluster})
        todo = tuple(spec for spec in self.specs if self.store.missing(spec, EVALS))
        return submit(todo, EVALS, self.place, asked).arrays[0].job

    def states(self) -> list[str]:
        return [run.state for run in run_states(self.specs, EVALS, self.place.scratch, self.store)]

    def beat(self, number: int = 0) -> dict:
        return read_heartbeat(self.place.scratch, self.specs[number].id) or {}

    def in_training(self, after: float = 0.0, number: int = 0) -> dict:
        """Wait until the run is in training and past this progress; its heartbeat."""

        def training():
            beat, who = self.beat(number), self.holder(number)
            return who and beat.get("pid") == who["pid"] and beat["state"] == "training" and beat["progress"] > after and beat

        return wait_until(training)

    def holder(self, number: int = 0) -> dict | None:
        return lease.holder(self.place.scratch / self.specs[number].id)

    def steps_saved(self, number: int = 0) -> int:
        """Of the newest checkpoint."""
        folder = self.place.scratch / self.specs[number].id
        return max((int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.pt")), default=0)

    def steps_lost(self, number: int = 0) -> int:
        """Of a run that has just died, by its last heartbeat: those after its newest checkpoint, which the heartbeat may be older than."""
        behind = round(self.beat(number)["progress"] * STEPS) - self.steps_saved(number)
        assert abs(behind) <= self.place.checkpoint_every / PAUSE + 1, "at most one interval of checkpoints"
        return max(0, behind)

    def kill(self, number: int = 0) -> None:
        """Kill the process that has the run; it is gone on return, which a busy machine takes its time for."""
        who = self.holder(number)
        os.kill(who["pid"], signal.SIGKILL)
        wait_until(lambda: self.holder(number) != who)

    def over(self, seconds: float = 120.0) -> list[str]:
        """Wait until nobody is at any run any more, four looks in a row; their states."""
        before = []

        def settled():
            found = self.states()
            before.append(set(found) & set(AT_WORK))
            return before[-4:] == [set()] * 4 and found

        return wait_until(settled, seconds, 1.0)

    def logs(self) -> str:
        """All that the jobs wrote."""
        found = sorted(self.place.scratch.glob("submissions/*/*_log.*"))
        return "\n".join(path.read_text(errors="replace") for path in found)

    def require_whole(self, undisturbed: dict | None) -> None:
        """Every record once, none half-written; weights those of an undisturbed run, bit for bit."""
        records = self.store.records()
        assert not self.store.problems
        assert sorted(record.id for record in records) == sorted(spec.id for spec in self.specs), self.logs()[-3000:]
        for record in records:
            assert record.status == "done", (record.error, self.logs()[-3000:])
            if undisturbed:
                expected = undisturbed[record.id]
                assert record.weights_sha256 == expected.weights_sha256 and record.loss_curve == expected.loss_curve
                assert (record.cost.steps, record.cost.images) == (expected.cost.steps, expected.cost.images)
        left = [path for path in self.place.results.rglob("*") if path.name.startswith(".")]
        assert not left


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Records of the runs that nobody disturbed, by id: made here, in one process, without SLURM."""
    os.environ.pop("PATIENT_PAUSE", None)
    folder = tmp_path_factory.mktemp("undisturbed")
    place, specs = Place(folder / "results", folder / "scratch", threads=1), [planned(seed) for seed in range(4)]
    for spec in specs:
        execute(spec, EVALS, place)
    return {record.id: record for record in ResultStore(place.results).records()}


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """make(number of runs, ...) -> Sweep."""

    def make(count: int = 1, specs=None, **changes) -> Sweep:
        return Sweep(tmp_path, specs or [planned(seed) for seed in range(count)], monkeypatch, **changes)

    return make


@pytest.fixture
def figure(record_property):
    """figure(text): what a test measured; docs/reliability.md has these figures, and they are printed at the end."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties if report.when == "call" else ():
            if name == "figure":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {text}")


def command(*words: str, **environment) -> subprocess.Popen:
    """run_bench.py in a process of its own."""
    line = [sys.executable, str(ROOT / "run_bench.py"), *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})
