"""The harness itself: commands, the store, checkpoints and memory, each beside its goal. The command `report` has reports.py.

python -m benchmarks.harness
"""

import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.defaults import DEFAULT_EVALS
from bench.records.index import NAME
from bench.records.record import Cost, Result, RunRecord, pack, to_text
from bench.records.store import ResultStore
from bench.spec import Budget, Recipe, RunSpec
from benchmarks.measure import alternate, now, spread, table

ROOT = Path(__file__).parent.parent
EVALS = tuple(DEFAULT_EVALS.split(","))
CURVE = tuple((i / 100, 5.0 - i / 50) for i in range(100))


def made_up(count: int, methods: int = 40, rates: int = 1) -> list[RunSpec]:
    """Seeds of `methods` methods that do not exist, at so many learning rates each."""
    facts = {"encoder": "resnet8", "image_size": 32, "precision": "float32", "method_version": "1", "data_revision": "made up"}
    facts |= {"dataset": "made_up", "budget": Budget("images", 20_000)}
    settings = [
        {"method": f"method{method}", "recipe": Recipe("sgd", lr=round(0.1 * (rate + 1), 6), batch_size=256)}
        for rate in range(rates)
        for method in range(methods)
    ]
    return [RunSpec(seed=number // len(settings), **settings[number % len(settings)], **facts) for number in range(count)]


def make_records(folder: Path, specs: list[RunSpec], images: int = 768) -> None:
    """A record of three numbers for each, of so many test images, as the program writes them."""
    store, cost = ResultStore(folder), Cost(steps=78, images=19_968, flops=2.4e12, seconds=15.0)
    generator = np.random.default_rng(0)
    for number, spec in enumerate(specs):
        value = 50 + (number * 7 % 100) / 10
        right = pack(generator.random(images) < value / 100)
        facts = {
            "dataset": spec.dataset,
            "split": "test",
            "metric": "top1",
            "value": value,
            "n": images,
            "correct": right,
        }
        results = tuple(Result(evaluator=name, **facts) for name in ("knn", "linear", "transfer"))
        record = RunRecord(
            id=spec.id, spec=spec.to_json(), suite="made_up", status="done", evals=EVALS, cost=cost, results=results,
            loss_curve=CURVE, weights_sha256="0" * 64, hardware={"model": "none"}, environment={"threads": 1},
        )  # fmt: skip
        path = store.path(spec)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_text(record))


def run(*arguments) -> None:
    """A command as a user gives it."""
    subprocess.run([sys.executable, ROOT / "run_bench.py", *arguments], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def commands(quick: bool) -> list[dict]:
    """Seconds of commands that only look."""

    seconds = alternate({"--help": lambda: run("--help"), "list": lambda: run("list")}, 2 if quick else 7)
    return [row(f"run_bench.py {name}", seconds[name], {"--help": 0.3, "list": 0.5}[name]) for name in seconds]


def store(quick: bool) -> list[dict]:
    """The frame of many records, cold and from its index; a leaderboard of a quarter as many."""
    from reports.pages import leaderboard
    from reports.tables.build import build

    many, some = (300, 100) if quick else (20_000, 5_000)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        make_records(Path(folder) / "some", made_up(some, methods=10))
        make_records(Path(folder) / "many", made_up(many))
        cold, warm = [], []
        for _ in range(1 if quick else 3):
            (Path(folder) / "many" / NAME).unlink(missing_ok=True)
            for seconds in (cold, warm):
                start = now()
                frame = ResultStore(Path(folder) / "many").frame()
                seconds.append(now() - start)
                assert len(frame) == 3 * many
        # The goals are for 100,000 records and 10,000 runs, of which a share is measured.
        found.append(row(f"frame of {many:,} records, every file read and checked", cold, 3.0 * many / 100_000))
        found.append(row("the same from the index, every file looked at", warm, 0.5 * many / 100_000))
        frame, seconds = ResultStore(Path(folder) / "some").frame(), []
        for _ in range(1 if quick else 3):
            start = now()
            leaderboard.write(build(frame), Path(folder) / "report")
            seconds.append(now() - start)
        found.append(row(f"leaderboard of {some:,} runs, from the frame", seconds, 5.0 * some / 10_000))
    return found


def sweep(quick: bool) -> list[dict]:
    """Seconds of planning so many runs, and of the whole command that says how they are getting on, each of them recorded."""
    from bench.commands.request import Request

    seeds, methods = range(10 if quick else 1000), "simclr,byol,moco,dino,swav,npid,pcl,rotation,deepcluster,supervised"
    described = {"method": methods, "dataset": "mnist5k", "budget": "20000items", "seeds": ",".join(map(str, seeds))}
    with tempfile.TemporaryDirectory() as folder:
        places = {"results": f"{folder}/results", "scratch": f"{folder}/scratch"}
        rest = dict.fromkeys(("encoder", "image_size", "batch_size", "precision", "pretrain_split", "recipe"))

        def plan():
            return Request(**described, **rest, settings=(), **places).plan()[0].runs

        # Planned with nothing recorded, as before a sweep; the first status reads every record and leaves its index.
        seconds, runs = alternate({"plan": plan}, 1 if quick else 5), list(plan())
        make_records(Path(places["results"]), runs)
        options = [text for name, value in (described | places).items() for text in (f"--{name}", value)]
        seconds |= alternate({"status": lambda: run("status", *options)}, 1 if quick else 5)
    count = f"{len(runs):,} runs"
    return [
        row(f"planning {count}, once torch is imported", seconds["plan"], 2.0),
        row(f"run_bench.py status of {count}, all recorded, not for the first time", seconds["status"], 2.0),
    ]


def checkpoints(quick: bool) -> list[dict]:
    """What one checkpoint of SimCLR costs, of 60 s of training, in percent: to the training, which goes on while it is written; and all."""
    from bench.training.checkpoint import Checkpoints
    from benchmarks.training import Bound

    found = []
    for encoder in ("resnet8",) if quick else ("resnet8", "resnet18"):
        trainer = Bound("simclr", encoder, "float32", 16, images=64).trainer
        trainer.step(trainer.method, trainer.optimizer, trainer.batch(), 0.0)
        with tempfile.TemporaryDirectory() as folder:
            checkpoints, waits, wholes = Checkpoints(Path(folder), "0" * 16), [], []
            for step in range(2 if quick else 7):
                start = now()
                checkpoints.begin(step, trainer.state_dict())
                waits.append((now() - start) / 0.6)
                checkpoints.settle()
                wholes.append((now() - start) / 0.6)
        found.append(row(f"training held up by a checkpoint of SimCLR with {encoder}, of the 60 s between two", waits, 1.0, "%"))
        found.append(row(f"the same checkpoint until it is on disk, of SimCLR with {encoder}", wholes, None, "%"))
    return found


def _peak(connection, method: str, encoder: str, what: str, batch: int) -> None:
    import torch

    from bench.machine import hardware
    from benchmarks.training import Bound

    torch.set_num_threads(1)
    bound = Bound(method, encoder, "float32", batch)
    getattr(bound, what)(2)
    # Not getrusage's, which a new process takes over from the one that started it.
    connection.send(hardware.peak_memory_bytes() / 2**20)


def memory(quick: bool) -> list[dict]:
    """Peak memory of a process that makes two steps of the harness, beside one that makes two of the bound, MiB."""
    import methods
    from benchmarks.training import METHODS, NEEDS_TOKENS

    context, found = get_context("spawn"), []
    for method in METHODS[:1] if quick else METHODS:
        encoder = "resnet8" if methods.can_use(method, "resnet8") else NEEDS_TOKENS
        peak = {}
        for what in ("bound", "harness"):
            here, there = context.Pipe()
            process = context.Process(target=_peak, args=(there, method, encoder, what, 32 if quick else 256))
            process.start()
            peak[what] = here.recv()
            process.join()
        name = f"memory of {method}'s steps: harness, beside the bound's {peak['bound']:,.0f} MiB"
        found.append(row(name, [peak["harness"]], None, "MiB"))
    return found


def row(what: str, values: list[float], goal: float | None, unit: str = "s") -> dict:
    """One measured thing, lower being better."""
    import statistics

    shown = (statistics.median(values), min(values), max(values))
    print(f"harness   {what}: {spread(shown)} {unit}", flush=True)
    return {"measure": "harness", "what": what, "unit": unit, "value": shown, "goal": goal}


def rows(quick: bool = False) -> list[dict]:
    """Everything above."""
    return [*commands(quick), *sweep(quick), *store(quick), *checkpoints(quick), *memory(quick)]


def markdown(found: list[dict]) -> str:
    """The rows as a table."""
    shown = [[row["what"], row["unit"], spread(row["value"]), "–" if row["goal"] is None else f"{row['goal']:g}"] for row in found]
    return table(("what", "unit", "measured", "goal"), shown)


if __name__ == "__main__":
    print(markdown(rows()))
