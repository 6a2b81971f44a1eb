"""Leases: one holder among many who try, a dead one's lease taken over, a lost one noticed."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.machine import lease
from bench.machine import process as processes_here

CLAIM = """
import sys, time
from pathlib import Path
from bench.machine.lease import claim
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
mine = claim(Path(sys.argv[1]))
print("mine" if mine else "not mine", flush=True)
sys.stdin.read()
"""


def claimers(folder, count):
    """Processes that all claim at the same moment, and hold what they got until they are killed."""
    go = folder / "go"
    command = [sys.executable, "-c", CLAIM, str(folder), str(go)]
    found = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for process in found:
        assert process.stdout.readline() == "ready\n"
    go.touch()
    return found


def kill(processes):
    for process in processes:
        process.kill()
        process.communicate()


def age(folder, seconds):
    """As if the lease had last been touched so long ago."""
    path = lease.path_of(folder, lease.numbers(folder)[-1])
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def elsewhere(monkeypatch):
    """From now on this process is on another machine than before."""

    def move():
        monkeypatch.setattr(lease, "machine", lambda: "another machine")

    return move


def test_of_many_claimers_one_gets_it_and_a_dead_ones_lease_is_free_at_once(tmp_path):
    processes = claimers(tmp_path, 6)
    answers = [process.stdout.readline().strip() for process in processes]
    assert sorted(answers) == ["mine"] + ["not mine"] * 5
    assert lease.claim(tmp_path) is None and lease.holder(tmp_path)["pid"] == processes[answers.index("mine")].pid
    kill(processes)
    assert lease.holder(tmp_path) is None
    with lease.claim(tmp_path):
        assert lease.holder(tmp_path)["pid"] == os.getpid() and lease.numbers(tmp_path) == [2]
    assert lease.holder(tmp_path) is None


def test_threads_race_for_a_stale_lease_and_one_gets_it(tmp_path, elsewhere):
    lease.claim(tmp_path).release()
    for _ in range(20):
        gate, got = threading.Barrier(8), []

        def attempt(gate=gate, got=got):
            gate.wait()
            got.append(lease.claim(tmp_path))

        threads = [threading.Thread(target=attempt) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [mine for mine in got if mine]
        assert len(winners) == 1 and len(lease.numbers(tmp_path)) == 1
        winners[0].release()


def test_on_another_machine_a_lease_counts_for_a_minute(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.05)
    monkeypatch.setattr(lease.Lease, "_renew_once", lambda self: None)  # it stands still
    with lease.claim(tmp_path):
        elsewhere()
        assert lease.claim(tmp_path) is None
        age(tmp_path, lease.STALE - 20)
        assert lease.holder(tmp_path) and lease.claim(tmp_path) is None
        age(tmp_path, lease.STALE + 1)
        assert lease.holder(tmp_path) is None
        with lease.claim(tmp_path) as second:
            assert second and lease.numbers(tmp_path) == [2]


def test_a_holder_touches_its_lease_and_notices_that_it_was_taken_over(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.02)
    with lease.claim(tmp_path) as first:
        age(tmp_path, 1000)
        time.sleep(0.3)
        elsewhere()
        assert lease.holder(tmp_path) and not first.lost.is_set()
        first.over.set()  # it stands still, as a suspended process does
        first.renewer.join()
        age(tmp_path, 1000)
        second = lease.claim(tmp_path)
        first.over.clear()
        first._renew_once()
        assert first.lost.is_set() and not second.lost.is_set()
        first.release()
        assert lease.holder(tmp_path), "what was lost must not be released for the one who has it"
        second.release()


def test_a_requeued_job_takes_over_from_its_former_self(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with lease.claim(tmp_path) as first:
        assert json.loads(first.path.read_text())["job"] == "12_3"
        elsewhere()
        assert lease.claim(tmp_path) is None
        monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
        lease.wait_for_a_sign(tmp_path)
        with lease.claim(tmp_path) as second:
            assert second
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")


def test_waiting_ends_with_a_touch_or_with_the_minute(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.05)
    monkeypatch.setattr(lease, "STALE", 0.5)
    lease.wait_for_a_sign(tmp_path)  # nobody has it
    with lease.claim(tmp_path) as first:
        elsewhere()
        lease.wait_for_a_sign(tmp_path)
        assert lease.holder(tmp_path)
        first.over.set()
        first.renewer.join()
        started = time.monotonic()
        lease.wait_for_a_sign(tmp_path)
        assert lease.holder(tmp_path) is None and 0.2 < time.monotonic() - started < 5


def test_without_hard_links_a_lease_is_exclusive_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    with lease.claim(tmp_path) as mine:
        assert mine and lease.claim(tmp_path) is None
    assert not list(Path(tmp_path).glob(".*"))


def test_whoever_touches_a_lease_has_it_whatever_the_clocks_say(tmp_path, elsewhere, monkeypatch):
    """Minutes between two machines' clocks, where a file is dated by the one that touches it: only watching tells."""
    monkeypatch.setattr(lease, "RENEW", 0.05)
    ahead = [600.0]

    def touch(self):
        ahead[0] += 1
        os.utime(self.path, (time.time() - ahead[0],) * 2)

    monkeypatch.setattr(lease.Lease, "_renew_once", touch)
    with lease.claim(tmp_path) as mine:
        age(tmp_path, 600)
        elsewhere()
        assert lease.holder(tmp_path) is None and lease.claim(tmp_path) is None
        mine.over.set()
        mine.renewer.join()
        with lease.claim(tmp_path) as second:
            assert second, "it stood still while one watched"


def test_a_folder_of_another_user_tells_who_has_it_and_for_how_long(tmp_path, elsewhere, monkeypatch):
    """Nothing may be written there: the folder above tells the time, or else this machine's clock, with minutes to spare."""
    folder = tmp_path / "run"
    folder.mkdir()
    closed, touch = [folder], Path.touch

    def refusing(path, *_, **__):
        if path.parent in closed:
            raise PermissionError(13, "Permission denied", str(path))
        touch(path)

    monkeypatch.setattr(lease.Lease, "_renew_once", lambda self: None)
    with lease.claim(folder):
        elsewhere()
        monkeypatch.setattr(Path, "touch", refusing)
        assert lease.holder(folder)["user"]
        age(folder, lease.STALE + 1)
        assert lease.holder(folder) is None
        closed.append(tmp_path)
        assert lease.holder(folder)
        age(folder, lease.STALE + lease.SKEW + 1)
        assert lease.holder(folder) is None


def test_a_process_that_the_kernel_hides_is_not_gone(tmp_path, monkeypatch):
    """/proc with hidepid shows nobody another user's processes; to send one a signal is refused, and so it is there."""
    with lease.claim(tmp_path):
        monkeypatch.setattr(processes_here, "Path", lambda text: Path("/nowhere" if str(text).startswith("/proc") else text))

        def refused(pid, number):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "kill", refused)
        assert lease.holder(tmp_path)
        age(tmp_path, lease.STALE + 1)
        assert lease.holder(tmp_path) is None, "a number may come again: it counts for as long as on another machine"


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user takes root")
def test_a_lease_that_may_not_be_read_is_held(tmp_path):
    tmp_path.chmod(0o755)
    with lease.claim(tmp_path) as mine:
        mine.path.chmod(0o600)
        pid = os.fork()
        if not pid:
            try:
                os.chdir(tmp_path)
                os.setuid(54321)
                os._exit(0 if lease.holder(Path(".")) == {"user": "root"} else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
