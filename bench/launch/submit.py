"""Submitting runs to SLURM: one Submitit array a submission, split where the cluster's arrays end; each task does one run, or a pack.

Before anything is submitted the cluster has been asked (cluster.py), the source is copied (snapshot.py) and what will be
submitted is written down (bench/launch/submissions.py).
"""

import contextlib
import io
import logging
import shlex
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from bench.defaults import data_root
from bench.errors import UserError
from bench.launch import environment, slurm, snapshot
from bench.launch.cluster import Cluster
from bench.launch.submissions import Array, Submission
from bench.launch.worker import Work
from bench.machine.users import me
from bench.run.place import Place
from bench.spec import RunSpec, method_name

FOR_EVER = 10**6
"""Times that Submitit lets a job be requeued for its time: a job of ten minutes or less is always 'timed out' to it. What ends a job
that gets nowhere is bench/launch/worker.py's FRUITLESS."""


def absolute(place: Place) -> Place:
    """The place with nothing left to the working directory of a job."""
    folders = {
        "results": place.results.absolute(),
        "scratch": place.scratch.absolute(),
        "data_root": Path(data_root(place.data_root)).absolute(),
    }
    return replace(place, **folders)


def executor(cluster: Cluster, name: str, processes: int, folder: Path, source: Path | str, tasks: int) -> submitit.SlurmExecutor:
    """Submitit's executor with the cluster's parameters, for an array of so many tasks; jobs import the source from this folder."""
    setup = [
        # Not the working directory's code, nor what is installed.
        f"export PYTHONSAFEPATH=1 PYTHONPATH={shlex.quote(str(source))}",
        "export PYTHONUNBUFFERED=1",
    ]
    with quiet():
        made = submitit.SlurmExecutor(folder, max_num_timeout=FOR_EVER)
        parameters = cluster.parameters(name, processes, setup)
        if "%" in str(folder):
            # SLURM would write the user's name for %u; Submitit leaves the sign as it is.
            pattern = str(folder).replace("%", "%%") + ("/%A_%a_{}_log.{}" if tasks > 1 else "/%j_{}_log.{}")
            parameters["additional_parameters"] |= {"output": pattern.format(0, "out"), "error": pattern.format(0, "err")}
            parameters["srun_args"] += [f"--output={pattern.format('%t', 'out')}", f"--error={pattern.format('%t', 'err')}"]
        made.update_parameters(**parameters)
    return made


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Submitit's remarks."""
    logger = logging.getLogger("submitit")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def grouped(specs: tuple[RunSpec, ...], pack: int, largest: int) -> list[list[list[RunSpec]]]:
    """Runs by task, tasks by array."""
    tasks = [list(specs[start : start + pack]) for start in range(0, len(specs), pack)]
    return [tasks[start : start + largest] for start in range(0, len(tasks), largest)]


def script(specs: tuple[RunSpec, ...], place: Place, cluster: Cluster) -> str:
    """The sbatch script of the first array, as it would be submitted; nothing is written or submitted."""
    arrays = grouped(specs, cluster.pack, slurm.largest_array())
    name, folder = array_name(place.suite, "TOKEN", 0), place.scratch.absolute() / "submissions" / "TOKEN"
    made = executor(cluster, name, place.processes, folder, place.scratch.absolute() / "code" / "DIGEST", len(arrays[0]))
    if len(arrays[0]) > 1:
        made.parameters["map_count"] = len(arrays[0])
    # Submitit's own: it shows no script that it does not submit.
    return made._make_submission_file_text(made._submitit_command_str, "TOKEN")


def array_name(suite: str, token: str, number: int) -> str:
    """What SLURM calls the array; it is found again by this name."""
    return f"sslbench-{method_name(suite)}-{token}-{number}"


def submit(specs: tuple[RunSpec, ...], requests: tuple[str, ...], place: Place, cluster: Cluster, note=lambda text: None) -> Submission:
    """Submit these runs; `note` hears of each array. Raises UserError where SLURM refuses one; those before it stay submitted."""
    token = uuid.uuid4().hex[:8]
    place = replace(absolute(place), launch=token)
    place.results.mkdir(parents=True, exist_ok=True)
    source = snapshot.take(place.scratch)
    aim = {"results": str(place.results.resolve()), "evals": list(requests), "user": me()}
    submission = Submission(token, place.suite, **aim)
    arrays = grouped(specs, cluster.pack, slurm.largest_array())
    # All arrays together keep to the limit of jobs at a time.
    cluster = replace(cluster, parallel=max(1, cluster.parallel // len(arrays)))
    submission.arrays = [
        Array(array_name(place.suite, submission.token, number), [[spec.id for spec in task] for task in array])
        for number, array in enumerate(arrays)
    ]
    submission.write(place.scratch)
    for array, tasks in zip(submission.arrays, arrays, strict=True):
        works = [Work([spec.to_json() for spec in task], requests, place) for task in tasks]
        made = executor(cluster, array.name, place.processes, submission.logs(place.scratch), source, len(tasks))
        try:
            # Submitit calls sbatch where the batch ends.
            with quiet(), environment.clean(made.parameters), made.batch():
                jobs = [made.submit(work) for work in works]
        except (FailedJobError, FailedSubmissionError) as error:
            said = [line for line in str(error).splitlines() if line.strip()]
            # Nothing of this array and of those after it is in the queue; where SLURM took it and could not say so, its name tells.
            for refused in submission.arrays[submission.arrays.index(array) :]:
                refused.refused = True
            submission.write(place.scratch)
            raise UserError(f"SLURM refused the jobs: {said[-1].strip()}") from error
        array.job = jobs[0].job_id.split("_")[0]
        submission.write(place.scratch)
        note(f"job {array.job}: {len(tasks)} task{'s' * (len(tasks) > 1)} of {len(tasks[0])} run{'s' * (len(tasks[0]) > 1)}")
    return submission
