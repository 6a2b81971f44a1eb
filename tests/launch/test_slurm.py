"""Launching on SLURM as far as it goes without a cluster: what SLURM says is read from scripts in its place. With one: tests/slurm."""

import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from submitit.core.utils import DelayedSubmission

from bench.errors import UserError
from bench.launch import slurm, snapshot, status, submissions, worker
from bench.launch.cluster import Cluster, check, load
from bench.launch.shared_folders import mount_of, require_logs, require_shared, require_writable
from bench.launch.submit import FOR_EVER, grouped, script, submit
from bench.launch.worker import FRUITLESS, Work, fruitless
from bench.machine import checkout
from bench.machine.lease import claim, describe
from bench.machine.signals import Interrupted
from bench.machine.users import me, share_with_group
from bench.plan.complete import complete
from bench.records.store import ResultStore
from bench.run.aim import aim
from bench.run.execute import execute
from bench.run.heartbeat import Heartbeat
from bench.run.place import Place
from bench.spec import Budget, RunSpec
from places import ROOT

SINFO = """gpu*|1-00:00:00|gpu:a100:8(S:0-1)|64|512000+|4|far1
gpu*|1-00:00:00|gpu:h100:4|96|1024000|2|far2
long|infinite|(null)|32|256000|10|far3"""


@pytest.fixture
def says(tmp_path, monkeypatch):
    """says(command=text): from now on SLURM's command prints this text."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(code=0, **texts):
        slurm.partitions.cache_clear()
        for command, text in texts.items():
            path = folder / command
            path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    yield put
    slurm.partitions.cache_clear()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("90:00", 90),
        ("90:01", 91),
        ("1:30:00", 90),
        ("2-12", 3600),
        ("2-12:30", 3630),
        ("1-00:00:30", 1441),
        ("infinite", None),
    ],
)
def test_times_as_slurm_writes_them(text, minutes):
    assert slurm.minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "4h", "-5", "1-", "1.5"])
def test_other_times_are_refused(text):
    with pytest.raises(UserError, match="as SLURM writes it"):
        Cluster(time=text)


def test_partitions_have_the_limits_of_their_largest_node(says):
    says(sinfo=SINFO)
    gpu, long = slurm.partitions().values()
    assert (gpu.name, gpu.default, gpu.minutes, gpu.gpus, gpu.cpus, gpu.memory_mb, gpu.nodes) == ("gpu", True, 1440, 8, 96, 1024000, 6)
    assert (long.default, long.minutes, long.gpus) == (False, None, 0) and gpu.addresses == ("far1", "far2")


@pytest.mark.parametrize(("text", "count"), [("gpu:8", 8), ("gpu:a100:4(S:0),nvme:1", 4), ("gpu:a:2,gpu:b:2", 4), ("(null)", 0)])
def test_gpus_of_a_node(text, count):
    assert slurm.gpus_in(text) == count


SECONDS = RunSpec(method="simclr", dataset="digits", budget=Budget("seconds", 60))


@pytest.mark.parametrize(
    ("asked", "processes", "specs", "message"),
    [
        ({"partition": "gpuu"}, 1, (), "unknown partition 'gpuu'. Did you mean 'gpu'?"),
        ({"time": "2-00:00:00"}, 1, (), "--time 2-00:00:00 is 2880 minutes; partition gpu allows at most 1440"),
        ({"gpus_per_run": 9}, 9, (), "--gpus-per-run 9 on 1 node(s): a node of partition gpu has 8 GPUs"),
        ({"partition": "long"}, 1, (), "a node of partition long has 0 GPUs"),
        ({"gpus_per_run": 8, "nodes_per_run": 7}, 8, (), "--nodes-per-run 7: partition gpu has 6"),
        ({"gpus_per_run": 8, "nodes_per_run": 3}, 8, (), "8 processes of a run cannot be spread evenly over 3 nodes"),
        ({"cpus": 50, "gpus_per_run": 2}, 2, (), "--cpus 50 for each of 2 processes on a node: a node of partition gpu has 96 cores"),
        ({"pack": 2, "gpus_per_run": 2}, 2, (), "--pack 2 is for runs of one process on one GPU, not of 2 on 1 nodes"),
        ({"partition": "gpu,lonng"}, 1, (), "unknown partition 'lonng'. Did you mean 'long'?"),
        (
            {"partition": "gpu,long", "gpus_per_run": 9},
            9,
            (),
            "a node of partition gpu has 8 GPUs; --gpus-per-run 9 on 1 node(s): a node of",
        ),
        ({"pack": 4}, 1, (SECONDS,), "--pack 4: runs that share a GPU slow each other down, so a budget in seconds would not be fair"),
    ],
)
def test_what_the_cluster_does_not_allow_is_refused(says, asked, processes, specs, message):
    says(sinfo=SINFO)
    with pytest.raises(UserError) as refusal:
        check(Cluster(**asked), processes, specs)
    assert message in str(refusal.value)


def test_partitions_are_taken_as_sbatch_takes_them(says, tmp_path, monkeypatch):
    """A list, of which one is enough; the variable where no option is given; the default last."""
    says(sinfo=SINFO)
    both = check(Cluster(partition="long,gpu", time="2-00:00:00", gpus_per_run=0), 1, ())
    assert (both.name, both.addresses) == ("long", ("far3", "far1", "far2"))
    assert check(Cluster(partition="long,gpu", gpus_per_run=8), 8, ()).name == "gpu"
    monkeypatch.setenv("SBATCH_PARTITION", "long")
    assert check(Cluster(gpus_per_run=0), 1, ()).name == "long"
    assert check(Cluster(partition="gpu"), 1, ()).name == "gpu", "an option wins over the variable"
    says(sinfo=SINFO.replace("*", ""))
    assert check(Cluster(gpus_per_run=0), 1, ()).name == "long", "a cluster without a default partition"
    monkeypatch.delenv("SBATCH_PARTITION")
    with pytest.raises(UserError, match="no default partition; expected --partition, one of gpu, long"):
        check(Cluster(), 1, ())


def test_hidden_partitions_are_asked_for(says, tmp_path):
    says(sinfo=SINFO, squeue="")
    (tmp_path / "bin/sinfo").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    (tmp_path / "bin/squeue").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    assert not slurm.partitions() and not slurm.queue(["mine"])
    assert [" --all " in line for line in (tmp_path / "asked").read_text().splitlines()] == [True, True]


def test_without_slurm_it_says_so(monkeypatch):
    slurm.partitions.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="there is no SLURM on this machine: no 'sinfo'"):
        slurm.partitions()


def test_a_silent_or_failing_slurm_is_one_sentence(says, monkeypatch):
    says(code=1, sinfo="slurm_load_partitions: Unable to contact slurm controller")
    with pytest.raises(UserError, match="sinfo failed: slurm_load_partitions"):
        slurm.partitions()
    monkeypatch.setattr(slurm, "PATIENCE", 0.2)
    (Path(os.environ["PATH"].split(os.pathsep)[0]) / "sinfo").write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(UserError, match="does not answer"):
        slurm.partitions()


def test_options_win_over_the_profile(tmp_path):
    profile = tmp_path / "our.toml"
    profile.write_text('partition = "gpu"\ntime = "1:00:00"\nsetup = ["module load cuda"]\n')
    cluster = load(str(profile), {"time": "30", "memory": None})
    assert (cluster.partition, cluster.minutes, cluster.setup) == ("gpu", 30, ("module load cuda",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('partitoin = "gpu"', "unknown entry of the cluster profile {file}: 'partitoin'. Did you mean 'partition'?"),
        ("cpus = 'four'", "cpus"),
        ("cpus = 0", "cpus = 0: expected a whole number from 1 up"),
        ("cpus = ", "is no TOML"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path, text, message):
    profile = tmp_path / "our.toml"
    if text:
        profile.write_text(text)
    with pytest.raises(UserError) as refusal:
        load(str(profile), {})
    assert message.format(file=profile) in str(refusal.value)


def test_a_folder_that_the_nodes_cannot_see_is_refused():
    require_shared("--results", Path("/dev/shm/results"), ("localhost", "127.0.0.1"))  # nodes on this machine see all of it
    with pytest.raises(UserError, match="cannot be seen by the cluster's nodes"):
        require_shared("--results", Path("/dev/shm/results"), ("node.invalid",))
    with pytest.raises(UserError, match="/tmp is every machine's own"):
        require_shared("--results", Path("/tmp/results"), ("node.invalid",))
    table = "ext4disk / ext4 rw 0 0\nserver:/home /home nfs rw 0 0\nserver:/tmp/shared /tmp/shared nfs rw 0 0"
    assert mount_of(Path("/home/me/results"), table) == ("/home", "nfs") and mount_of(Path("/opt"), table) == ("/", "ext4")


def spec_of(seed=0):
    facts = {"encoder": "resnet8", "image_size": 8, "precision": "float32", "method_version": "1", "data_revision": "r"}
    return RunSpec(method="random", dataset="digits", budget=Budget("steps", 1), seed=seed, **facts)


def test_runs_are_packed_and_arrays_split():
    specs = tuple(spec_of(seed) for seed in range(11))
    arrays = grouped(specs, pack=2, largest=4)
    assert [[len(task) for task in array] for array in arrays] == [[2, 2, 2, 2], [2, 1]]
    assert [spec for array in arrays for task in array for spec in task] == list(specs)


def test_the_script_says_what_was_asked_for(says, tmp_path):
    says(sinfo=SINFO, scontrol="MaxArraySize            = 1001", srun="")
    cluster = Cluster(partition="gpu", account="vision", qos="low", constraint="a100", time="2:00:00", memory="32G", parallel=5, cpus=8)
    text = script(tuple(spec_of(seed) for seed in range(7)), Place(tmp_path / "results", tmp_path / "scratch", suite="mine"), cluster)
    for line in ("partition=gpu", "account=vision", "qos=low", "constraint=a100", "time=120", "mem=32G", "array=0-6%5", "cpus-per-task=8"):
        assert f"#SBATCH --{line}\n" in text
    assert "#SBATCH --requeue\n" in text and "#SBATCH --signal=USR2@90\n" in text and "job-name=sslbench-mine-" in text
    assert "PYTHONSAFEPATH=1" in text and not (tmp_path / "scratch").exists()


@pytest.fixture
def sbatch(says, tmp_path, monkeypatch):
    """submitted(cluster, runs=1): the environment that sbatch was called in, and the script that it was given."""
    says(scontrol="MaxArraySize            = 1001", srun="", squeue="")
    says(sbatch="")
    lines = ("#!/bin/sh", f"env > {tmp_path}/environment", f'cp "$1" {tmp_path}/script', "echo Submitted batch job 7", "")
    (tmp_path / "bin/sbatch").write_text("\n".join(lines))
    monkeypatch.setattr(snapshot, "take", lambda scratch: "/nowhere")

    def submitted(cluster, runs=1):
        submit(tuple(spec_of(seed) for seed in range(runs)), ("knn",), Place(tmp_path / "results", tmp_path / "scratch"), cluster)
        found = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines() if "=" in line)
        return found, (tmp_path / "script").read_text()

    return submitted


def test_a_job_may_run_out_of_time_as_often_as_it_takes(sbatch, tmp_path):
    """Of one or of several runs; Submitit's own limit is three times. One that did so twice goes on in tests/slurm/test_faults.py."""
    for runs in (1, 2):
        sbatch(Cluster(time="1"), runs)
    pickles = list((tmp_path / "scratch").rglob("*.pkl"))
    assert len(pickles) == 3
    assert {DelayedSubmission.load(path)._timeout_countdown for path in pickles} == {FOR_EVER}


OUTER = {
    "SLURM_JOB_ID": "3",
    "SLURM_MEM_PER_CPU": "200",
    "SLURM_ARRAY_JOB_ID": "3",
    "SLURM_ARRAY_TASK_ID": "1",
    "SLURM_CPU_BIND": "quiet,mask_cpu:0x1",
    "SRUN_DEBUG": "3",
    "SUBMITIT_EXECUTOR": "slurm",
    "CUDA_VISIBLE_DEVICES": "3",
    "RANK": "1",
}
"""What an allocation, a task of an array and a worker have in their environment."""


def test_a_job_inherits_nothing_of_the_allocation_that_it_was_submitted_from(sbatch, monkeypatch):
    for name, value in {**OUTER, "SLURM_CONF": "/etc/ours.conf", "SLURM_CLUSTERS": "ours", "MY_OWN": "1"}.items():
        monkeypatch.setenv(name, value)
    inherited, _ = sbatch(Cluster(memory="500M"))
    assert not set(OUTER) & set(inherited)
    assert (inherited["SLURM_CONF"], inherited["SLURM_CLUSTERS"], inherited["MY_OWN"]) == ("/etc/ours.conf", "ours", "1")
    assert all(os.environ[name] == value for name, value in OUTER.items()), "the environment of the submitter is as it was"


def test_gpus_that_a_user_chose_outside_an_allocation_are_handed_on(sbatch, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert sbatch(Cluster())[0]["CUDA_VISIBLE_DEVICES"] == "3"


def test_variables_stand_where_no_option_does_and_nowhere_else(sbatch, monkeypatch):
    """sbatch lets a variable win over its script."""
    site = {"SBATCH_PARTITION": "gpu", "SBATCH_ACCOUNT": "vision", "SBATCH_MEM_PER_CPU": "2G", "SBATCH_EXPORT": "NONE"}
    ours = {"SBATCH_JOB_NAME": "x", "SBATCH_TIMELIMIT": "5", "SBATCH_OUTPUT": "x", "SBATCH_WAIT": "1", "SBATCH_SIGNAL": "KILL@9"}
    for name, value in {**site, **ours, "SBATCH_ARRAY_INX": "0-9"}.items():
        monkeypatch.setenv(name, value)
    inherited, text = sbatch(Cluster(), runs=2)
    assert {name: value for name, value in inherited.items() if name.startswith("SBATCH_")} == site
    assert "--export=ALL" in text and "--cpus-per-task=4" in text.split("srun")[1] and "#SBATCH --signal=USR2@90" in text
    inherited, _ = sbatch(Cluster(partition="long", memory="8G"))
    assert {name for name in inherited if name.startswith("SBATCH_")} == {"SBATCH_ACCOUNT", "SBATCH_EXPORT"}


@pytest.mark.parametrize("variable", ["SQUEUE_STATES", "SQUEUE_PARTITION", "SINFO_FORMAT", "SCANCEL_INTERACTIVE"])
def test_what_slurm_is_asked_is_not_filtered_by_variables(says, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "x")
    says(squeue="")
    (tmp_path / "bin/squeue").write_text("#!/bin/sh\nenv\n")
    said = slurm.ask("squeue")
    assert f"{variable}=x" not in said and "PATH=" in said


@pytest.mark.parametrize("part", ["a\\b", "%j", "x%Ax"])
def test_a_scratch_folder_where_no_log_could_be_kept_is_refused(part, tmp_path):
    require_logs(tmp_path / "100%u", slurm=True)
    with pytest.raises(UserError, match="in its path, where no log can be kept"):
        require_logs(tmp_path / part / "scratch", slurm=True)


def test_a_percent_sign_in_the_path_is_not_a_placeholder(says, tmp_path):
    says(sinfo=SINFO, scontrol="MaxArraySize            = 1001", srun="")
    place = Place(tmp_path / "results", tmp_path / "100%u")
    one, two = (script(tuple(spec_of(seed) for seed in range(count)), place, Cluster()) for count in (1, 2))
    folder = f"{tmp_path}/100%%u/submissions/TOKEN"
    assert f"--output={folder}/%j_0_log.out" in one and f"--error={folder}/%j_%t_log.err" in one.split("srun")[1]
    assert f"--output={folder}/%A_%a_0_log.out" in two and f"--error={folder}/%A_%a_%t_log.err" in two.split("srun")[1]


@pytest.mark.slow
def test_a_snapshot_is_the_source_and_knows_its_commit(tmp_path):
    place = snapshot.take(tmp_path)
    assert place == snapshot.take(tmp_path) and len(list((tmp_path / "code").iterdir())) == 1
    code = "import bench.machine.checkout as c, json; print(json.dumps([c.__file__, repr(c.state_of_code())]))"
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONSAFEPATH": "1"}
    file, state = json.loads(subprocess.check_output([sys.executable, "-c", code], env=environment, cwd=ROOT))
    assert file == str(place / "bench/machine/checkout.py") and state == repr(checkout.state_of_code())


@pytest.fixture
def submitted(tmp_path):
    """A submission of three runs, the last two in one task; nobody noted its number."""
    specs = [spec_of(seed) for seed in range(3)]
    made = submissions.Submission("abc", "mine", [submissions.Array("sslbench-mine-abc-0", [[specs[0].id], [specs[1].id, specs[2].id]])])
    made.write(tmp_path)
    return specs, made


def test_jobs_are_found_by_name_even_where_their_number_was_not_noted(tmp_path, submitted, says):
    specs, made = submitted
    says(squeue="CLUSTER: ours\n77|1|PENDING|sslbench-mine-abc-0|0|Priority\n80|N/A|RUNNING|another|0|None")
    tasks = submissions.tasks_of([spec.id for spec in specs], tmp_path)
    assert tasks[specs[0].id].job is None and tasks[specs[0].id].state is None
    assert tasks[specs[2].id].job == "77_1" and tasks[specs[2].id].reason == "Priority"
    assert tasks[specs[1].id].log == tmp_path / "submissions/abc/77_1_0_log.err"
    made.arrays[0].job = "77"
    made.write(tmp_path)
    says(code=1, squeue="Unable to contact slurm controller")
    notes = []
    tasks = submissions.tasks_of([spec.id for spec in specs], tmp_path, notes.append)
    assert tasks[specs[0].id].state == submissions.UNASKED and tasks[specs[0].id].job == "77_0" and "Unable to contact" in notes[0]


def submitted_by(tmp_path, user, **changes):
    """A run, and a submission of it by this user."""
    spec = spec_of()
    facts = {"results": str(tmp_path / "results"), "evals": ["knn"], "user": user} | changes
    submissions.Submission("abc", "mine", [submissions.Array("sslbench-mine-abc-0", [[spec.id]], "77")], **facts).write(tmp_path)
    return spec


def look(spec, tmp_path, requests=("knn",), results="results"):
    return status.run_states((spec,), requests, tmp_path, ResultStore(tmp_path / results))[0]


def test_the_jobs_of_another_user_are_known_and_said_to_be_theirs(tmp_path, says, monkeypatch):
    spec = submitted_by(tmp_path, "ann")
    says(squeue="77|N/A|PENDING|sslbench-mine-abc-0|54321|Priority")
    found = look(spec, tmp_path)
    assert (found.state, found.detail, found.whose) == ("pending", "Priority  (54321's)", "54321")
    says(scancel="")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = status.cancel([found], tmp_path)
    assert (done.jobs, done.left) == (0, ("random seed 0: job 77 is 54321's, who alone can end it",))
    assert not submissions.read_all(tmp_path)[0].cancelled


@pytest.mark.parametrize(("hidden", "state"), [("jobs,usage", "submitted"), ("none", "lost")])
def test_where_slurm_shows_nobody_the_jobs_of_others_they_are_not_lost(tmp_path, says, monkeypatch, hidden, state):
    spec = submitted_by(tmp_path, "ann")
    slurm.hides_jobs_of_others.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    says(squeue="", scontrol=f"PrivateData             = {hidden}")
    assert look(spec, tmp_path).state == state
    slurm.hides_jobs_of_others.cache_clear()


def test_the_queue_is_for_a_folder_of_results_and_for_evaluators(tmp_path, says):
    """A run's id says neither: who wants another folder's record, or one more evaluator's results, has nothing in the queue."""
    spec = submitted_by(tmp_path, "root")
    says(squeue="77|N/A|PENDING|sslbench-mine-abc-0|0|Priority")
    assert (look(spec, tmp_path).state, look(spec, tmp_path).serves) == ("pending", True)
    assert look(spec, tmp_path, results="others").state == "to do"
    assert not look(spec, tmp_path, ("knn", "linear")).serves


def test_a_run_that_is_made_for_another_folder_is_not_this_ones(tmp_path, says):
    spec = spec_of()
    (tmp_path / spec.id).mkdir()
    with claim(tmp_path / spec.id, aim(tmp_path / "results", ("knn",))):
        assert (look(spec, tmp_path).state, look(spec, tmp_path).serves) == ("running", True)
        assert (look(spec, tmp_path, ("linear",)).state, look(spec, tmp_path, ("linear",)).serves) == ("running", False)
        found = look(spec, tmp_path, results="others")
        assert (found.state, found.holder) == ("to do", None) and found.detail == f"at work for {tmp_path / 'results'}"
        assert status.cancel([found], tmp_path) == status.Cancelled(0, 0, (), ())


def test_what_slurm_refused_was_never_submitted(sbatch, says, tmp_path):
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\necho 'sbatch: error: Batch job submission failed: Invalid qos' >&2\nexit 1\n")
    with pytest.raises(UserError, match=r"SLURM refused the jobs: .*Invalid qos"):
        sbatch(Cluster())
    says(squeue="")
    place = Place(tmp_path / "results", tmp_path / "scratch")
    assert [run.state for run in status.run_states((spec_of(),), ("knn",), place.scratch, ResultStore(place.results))] == ["to do"]
    name = submissions.read_all(place.scratch)[0].arrays[0].name
    says(squeue=f"77|N/A|PENDING|{name}|0|Priority")
    (found,) = status.run_states((spec_of(),), ("knn",), place.scratch, ResultStore(place.results))
    assert found.state == "pending", "sbatch may have waited in vain for an answer of a controller that took it"


def test_cancelling_one_of_a_pack_says_what_else_ends(tmp_path, submitted, says):
    specs, _ = submitted
    says(squeue="77|1|RUNNING|sslbench-mine-abc-0|0|None", scancel="")
    found = status.run_states(tuple(specs[1:2]), ("knn",), tmp_path, ResultStore(tmp_path / "results"))
    done = status.cancel(found, tmp_path)
    assert (done.jobs, done.others) == (1, (specs[2].id,))
    assert submissions.read_all(tmp_path)[0].cancelled == sorted([specs[1].id, specs[2].id])


def test_cancel_reaches_a_worker_in_an_interactive_allocation(tmp_path, says, monkeypatch):
    """It has a job, which is the user's shell and not the run's."""
    says(squeue="")
    monkeypatch.setenv("SLURM_JOB_ID", "99")
    (tmp_path / spec_of().id).mkdir()
    stopped = []
    monkeypatch.setattr(status.os, "kill", lambda pid, number: stopped.append((pid, number)))
    with claim(tmp_path / spec_of().id, aim(tmp_path / "results", ("knn",))) as mine:
        found = look(spec_of(), tmp_path)
        assert mine.facts["job"] == "99" and status.cancel([found], tmp_path).processes == 1
        assert stopped == [(os.getpid(), signal.SIGTERM)]
        monkeypatch.setattr(status, "machine", lambda: "another machine")
        (left,) = status.cancel([found], tmp_path).left
        assert left == f"random seed 0 is done by {describe(mine.facts)}: end it there" and "in job 99" in left


def test_a_folder_that_another_user_keeps_to_themselves_is_refused_with_what_would_help(tmp_path, monkeypatch):
    place = Place(tmp_path / "results", tmp_path / "scratch")
    require_writable(place, [spec_of()])
    (place.scratch / "submissions").mkdir(parents=True)
    require_writable(place, [spec_of()])
    # Root may write anywhere; what another user may is what os.access would tell them.
    monkeypatch.setattr(os, "access", lambda path, how: Path(path).name != "submissions")
    with pytest.raises(UserError, match=rf"submissions' is {me()}'s and cannot be written to; .*chgrp -R GROUP .*chmod g\+s"):
        require_writable(place, [spec_of()])


def test_what_is_made_in_a_groups_folder_is_the_groups(tmp_path):
    before = os.umask(0o022)
    try:
        share_with_group(tmp_path / "results", tmp_path)
        assert os.umask(0o022) == 0o022, "a folder of one's own stays so"
        tmp_path.chmod(0o2775)
        share_with_group(tmp_path / "results/deeper")
        (tmp_path / "made").mkdir()
        assert (tmp_path / "made").stat().st_mode & 0o2070 == 0o2070
    finally:
        os.umask(before)


def task(state=None, cancelled=False):
    return submissions.Task("7_1", state, "Priority", cancelled, None)


def beat(state):
    return {"state": state, "progress": 0.4, "images_per_second": 100.0, "seconds_left": 60.0, "time": 1000.0}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((None, None, None), ("to do", "")),
        ((None, None, task("PENDING")), ("pending", "Priority")),
        ((beat("interrupted"), None, task("PENDING")), ("pending", "Priority; 40% of the budget, 100 items/s done")),
        ((None, None, task("CONFIGURING")), ("starting", "SLURM says CONFIGURING")),
        ((beat("training"), {"pid": 1}, task("RUNNING")), ("running", "40% of the budget, 100 items/s  1:00 left")),
        ((beat("training"), {"pid": 1}, task(submissions.UNASKED)), ("running", "40% of the budget, 100 items/s  1:00 left")),
        ((None, None, task(submissions.UNASKED)), ("submitted", "Priority")),
        ((beat("training"), None, task()), ("lost", "at 40% of the budget, 100 items/s, training; its last sign was 3 min ago")),
        ((beat("evaluating"), None, None), ("lost", "at 40% of the budget, 100 items/s, evaluating; its last sign was 3 min ago")),
        ((None, None, task()), ("lost", "its job ended before the run began")),
        ((beat("training"), None, task(cancelled=True)), ("cancelled", "at 40% of the budget, 100 items/s")),
        ((beat("interrupted"), None, None), ("stopped", "at 40% of the budget, 100 items/s; run it again to go on")),
    ],
)
def test_states(facts, expected, monkeypatch):
    monkeypatch.setattr(status.time, "time", lambda: 1200.0)
    assert status.state_of(*facts, record=None) == expected


def test_a_run_that_ends_while_slurm_is_asked_is_done(tmp_path, monkeypatch):
    facts = {"encoder": "resnet8", "image_size": 8, "precision": "float32", "budget": Budget("steps", 1)}
    spec = complete(RunSpec(method="random", dataset="digits", **facts))
    place = Place(tmp_path / "results", tmp_path / "scratch", threads=1)

    def silent(ids, scratch, *_):
        execute(spec, ("knn",), place)
        return {spec.id: task(submissions.UNASKED)}

    monkeypatch.setattr(status, "tasks_of", silent)
    (found,) = status.run_states((spec,), ("knn",), place.scratch, ResultStore(place.results))
    assert (found.state, found.detail) == ("done", "knn")


def test_a_job_that_gets_nowhere_is_known(tmp_path):
    specs = [spec_of()]
    folder = tmp_path / specs[0].id
    folder.mkdir()
    assert [fruitless(tmp_path, specs) for _ in range(3)] == [1, 2, 3]
    (folder / "step-000000005.pt").touch()
    assert fruitless(tmp_path, specs) == 1
    assert [fruitless(tmp_path, specs) for _ in range(FRUITLESS)][-1] == FRUITLESS + 1


def test_the_other_packed_workers_begin_with_other_runs(tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(Work, "one", lambda self, spec, signals: taken.append(spec.seed) or [])
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_NTASKS", "3")
    monkeypatch.setenv("SLURM_PROCID", "1")
    Work([spec_of(seed).to_json() for seed in range(3)], (), Place(tmp_path, tmp_path))()
    assert taken == [1, 2, 0]


def test_elsewhere_too_a_preempted_worker_hands_over_to_submitit(tmp_path, monkeypatch):
    """Submitit's local executor warns of a time-out by the same signal; its handler is called once the checkpoint is written."""
    heard = []

    def stopped(self, spec, signals):
        os.kill(os.getpid(), signal.SIGUSR2)
        signals.check()

    monkeypatch.setattr(Work, "one", stopped)
    former = signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(Interrupted):
            Work([spec_of().to_json()], (), Place(tmp_path, tmp_path))()
    finally:
        signal.signal(signal.SIGUSR2, former)
    assert heard == [signal.SIGUSR2]


@pytest.fixture
def executed(monkeypatch):
    """Times that a worker of this test has executed a run; as if another process had it each time."""
    import bench.run.execute

    calls = []
    monkeypatch.setattr(bench.run.execute, "execute", lambda spec, *_: calls.append(spec.id))
    return calls


def test_what_failed_in_this_launch_is_left_to_the_next_one_whatever_the_clocks_say(tmp_path, executed):
    spec = spec_of()
    (tmp_path / spec.id).mkdir()
    place = Place(tmp_path / "results", tmp_path, launch="first")
    Heartbeat(tmp_path, spec, "first").write("failed")
    assert Work([spec.to_json()], ("knn",), place)() == [] and not executed
    Work([spec.to_json()], ("knn",), replace(place, launch="retry"))()
    assert executed == [spec.id]


def test_a_worker_waits_for_a_run_that_is_made_for_another_folder(tmp_path, executed, monkeypatch, capsys):
    monkeypatch.setattr(worker, "LOOK", 0.01)
    spec, place = spec_of(), Place(tmp_path / "results", tmp_path)
    (tmp_path / spec.id).mkdir()
    with claim(tmp_path / spec.id, aim(place.results, ("knn",))):
        Work([spec.to_json()], ("knn",), place)()
        assert len(executed) == 1, "somebody makes the same record: nothing is left for this one"
    for other in (aim(tmp_path / "others", ("knn",)), aim(place.results, ("linear",))):
        executed.clear()
        mine = claim(tmp_path / spec.id, other)
        monkeypatch.setattr(worker.time, "sleep", lambda seconds, mine=mine: mine.release())
        Work([spec.to_json()], ("knn",), place)()
        assert len(executed) == 2 and f"waiting for random seed 0 ({spec.id}): process {os.getpid()} of" in capsys.readouterr().err
