"""What the options of a command describe: runs, evaluators and places, every name checked before anything heavy is imported."""

import os
from pathlib import Path

from bench import suites
from bench.commands import figure_together, grid
from bench.data import splits
from bench.data.catalogue import DataSets
from bench.defaults import COMMAND, DEFAULT_DATASET, DEFAULT_EVALS, DEFAULT_SEEDS, LAUNCHERS, PRECISIONS, scratch_root
from bench.encoders import foreign, table
from bench.errors import UserError, unknown
from bench.evaluation import registry
from bench.machine.users import share_with_group
from bench.plan import completed, recipes
from bench.plan.names import check_all
from bench.plan.plan import Plan, make_plan
from bench.records.paths import stores
from bench.records.store import ResultStore
from bench.settings import read
from bench.spec import Budget, RunSpec


def data_folder(data_root: str | None) -> Path | None:
    """The folder given as --data-root, which must be there; None where none is given."""
    if data_root is not None and not Path(data_root).is_dir():
        raise UserError(f"the data folder '{data_root}' (--data-root) is not there")
    return None if data_root is None else Path(data_root)


def check_places(results: Path, scratch: Path) -> None:
    """A UserError where these cannot be the folders of records and of checkpoints. Whoever only looks need not be able to write to them."""
    for what, folder in places(results, scratch):
        if os.path.lexists(folder) and not folder.is_dir():
            raise UserError(f"'{folder}' ({what}) cannot be used: it is not a folder")
    if scratch.resolve().is_relative_to(results.resolve()):
        raise UserError(f"the scratch folder '{scratch}' lies in the results folder '{results}'; records and checkpoints must be apart")


def places(results: Path, scratch: Path) -> tuple[tuple[str, Path], ...]:
    """Both with the options that name them."""
    return ("--results", results), ("--scratch, or $SSLBENCH_SCRATCH", scratch)


def require_writable(what: str, folder: Path) -> None:
    """A UserError where nothing can be written to the folder, which need not be there yet; before anything is done for it."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "it is not a folder" if not there.is_dir() else "it cannot be written to"
        raise UserError(f"'{folder}' ({what}) cannot be used: of '{there}', {reason}")


class Request:
    """A suite, or the grid that options describe; and where its records, checkpoints and data lie."""

    def __init__(
        self,
        suite=None,
        results=None,
        data_root=None,
        scratch=None,
        requests=None,
        threads=None,
        launcher=None,
        processes=1,
        **described,
    ):
        self.root, self.scratch = data_folder(data_root), scratch_root(scratch)
        self.data = DataSets(self.root)
        self.notes: list[str] = []
        """What a person should know of what was made of the options."""
        self.threads, self.processes = threads, processes
        self.launcher = launcher or "local"
        if self.launcher not in LAUNCHERS:
            raise unknown("launcher", self.launcher, LAUNCHERS)
        given = [name for name, value in described.items() if value is not None and value != ()]
        self.name, self.specs = suites.label(suite) if suite else "adhoc", ()
        if suite is not None:
            chosen = figure_together.load(suite, self.data, results)
            if others := [name for name in given if name not in ("method", "seeds")]:
                raise UserError(f"the suite '{suite}' describes its runs itself; leave out --{others[0].replace('_', '-')}")
            self.specs = grid.of_suite(suite, chosen.runs, described.get("method"), described.get("seeds"))
        if results == "":
            raise UserError("--results is empty; expected a folder")
        self.results = Path(results or (chosen.results if suite else "results"))
        self.elsewhere, self.in_own_folder = results is not None, suite is not None and results is None
        self.requests = (
            tuple(grid.comma_list(requests, "--evals"))
            if requests is not None
            else (chosen.evals if suite else tuple(DEFAULT_EVALS.split(",")))
        )
        if given and suite is None:
            self.specs = self.described(**described)
        check_places(self.results, self.scratch)
        share_with_group(self.results, self.scratch)
        check_all(self.specs, self.requests, self.data)

    def beside(self) -> list[ResultStore]:
        """The stores of other suites, where runs go to the folder that they all lie in, or, of a suite, beside them: what something takes
        may be known there."""
        where = self.results.parent if self.in_own_folder else self.results
        others = [folder for folder in stores(where) if folder != self.results] if not self.elsewhere else []
        return [ResultStore(folder) for folder in others]

    def described(self, method, dataset, encoder, image_size, batch_size, precision, pretrain_split, budget, seeds, recipe, settings):
        """The grid of runs that the options describe: seeds x methods x settings."""
        if not method:
            raise UserError(f"no --method; expected one or several names. All methods: {COMMAND} list methods")
        dataset = dataset or DEFAULT_DATASET
        if encoder:
            encoder = foreign.normal(encoder)
            table.require(encoder)
        # A name that is wrong is told before a data set that is not here.
        names = grid.names(method, encoder or "") if not grid.is_open(method) else []
        entry = self.data.require(dataset).entry
        names = names or grid.names(method, encoder or entry.encoder, self.notes.append)
        for request in self.requests:
            registry.parse(request)
        if precision and precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        splits.require(pretrain_split or "train")
        for name, value in (("--batch-size", batch_size), ("--image-size", image_size)):
            if value is not None and value < 1:
                raise UserError(f"{name} must be a whole number from 1 up, not {value}")
        cells = [self.cell(combination, batch_size) for combination in grid.combinations(grid.in_full(settings, names), names)]
        if not budget:
            raise UserError("no --budget; expected a number and a unit: 20000items, 500steps, 2e15flops, 600s or 10epochs")
        common = {
            "dataset": dataset,
            "budget": Budget.parse(budget),
            "encoder": encoder,
            "image_size": image_size,
            "precision": precision,
            "pretrain_split": pretrain_split or "train",
        }
        settings_of = {}
        for name in names:  # what was set by name wins over a recipe's numbers
            own, own_changes = recipes.changes(name, recipe)
            settings_of[name] = [
                {"hyper_parameters": own | set_here, "recipe_changes": own_changes | changes} for set_here, changes in cells
            ]
        seeds = grid.seeds(DEFAULT_SEEDS if seeds is None else seeds)
        return tuple(RunSpec(method=name, seed=seed, **common, **cell) for seed in seeds for name in names for cell in settings_of[name])

    def cell(self, settings: tuple[str, ...], batch_size: int | None) -> tuple[dict, dict]:
        """Hyper-parameters and recipe changes of one cell of the grid."""
        hyper_parameters, recipe_changes = read(settings)
        if batch_size and recipe_changes.get("batch_size", batch_size) != batch_size:
            other = recipe_changes["batch_size"]
            raise UserError(f"--batch-size {batch_size} and --set recipe.batch_size={other} are one setting; expected one of them")
        if batch_size:
            recipe_changes["batch_size"] = batch_size
        return hyper_parameters, recipe_changes

    def require_runs(self) -> "Request":
        """Itself; a UserError where it describes no run."""
        if not self.specs:
            raise UserError(f"nothing to do: name a suite ({COMMAND} list suites), or describe runs with --method and --budget")
        return self

    def require_places(self) -> "Request":
        """Itself; a UserError where records or checkpoints could not be written, before anything is trained for them."""
        for what, folder in places(self.results, self.scratch):
            require_writable(what, folder)
        return self

    def plan(self, look: bool = False) -> tuple[Plan, ResultStore]:
        """Its plan against the store in its results folder. From here on torch has the threads that a run will have: a budget
        in seconds is one on so many threads, and a timed step is timed with them.

        look: nothing will be trained by this plan, so what was completed before is believed, and torch may never be imported.
        """
        if not look or any(spec.budget.unit == "seconds" for spec in self.specs):
            self.set_threads()
        store, kept = ResultStore(self.results), completed.read(self.scratch)
        known = dict(kept) if look else {}
        plan = make_plan(
            *(self.specs, self.requests, store, self.root, self.processes, known, self.threads or 1, self.data, self.launcher != "slurm"),
            self.scratch,
        )
        completed.keep(self.scratch, kept, known)
        return plan, store

    def set_threads(self) -> None:
        """Give torch the threads of a run; a UserError where several processes are to share one on GPUs of this machine."""
        import torch

        from bench.machine.hardware import default_threads

        self.threads = self.threads or default_threads()
        torch.set_num_threads(self.threads)
        if self.processes > 1 and torch.cuda.is_available() and self.launcher != "slurm":
            raise UserError(f"--processes {self.processes}: several processes for one run are there on CPUs alone so far")
