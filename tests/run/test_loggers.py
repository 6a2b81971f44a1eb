"""What a run tells beside its record: the record's own numbers, each step once however often the run was stopped, and nothing of the
run moves for it."""

import warnings

import pandas
import pytest

from bench.errors import UserError
from bench.machine.signals import Interrupted
from bench.plan.complete import complete
from bench.records.paths import stem
from bench.records.store import ResultStore
from bench.run import logger
from bench.run.execute import execute
from bench.run.logger import LOGGERS, in_names, require_ready
from bench.run.place import Place
from bench.spec import Budget, RunSpec
from bench.training.trainer import Trainer

EVALS = ("label_free",)

GROUP = "learning_rate/predictor"
"""Of SimSiam's predictor, which has a learning rate of its own."""


@pytest.fixture(scope="module")
def spec():
    facts = {"method": "simsiam", "dataset": "digits", "budget": Budget("steps", 6), "image_size": 16, "precision": "float32"}
    return complete(RunSpec(**facts, recipe_changes={"batch_size": 32}))


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(logger, "INTERVAL", 0.0)


def made(spec, folder, *loggers, **changes):
    place = Place(folder / "results", folder / "scratch", snapshot_evals=EVALS, loggers=loggers, **changes)
    execute(spec, EVALS, place)
    (record,) = ResultStore(place.results).records()
    return record


def rows(folder, spec):
    return pandas.read_csv(folder / "scratch" / "loggers" / "csv" / f"{stem(spec)}.csv")


def of_tensorboard(folder, spec):
    """Name -> (step, value) of each number, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "scratch" / "loggers" / "tensorboard" / stem(spec)))
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_loggers_are_told_what_the_record_says_and_move_nothing(spec, tmp_path):
    plain = made(spec, tmp_path / "plain")
    record = made(spec, tmp_path / "told", "csv", "tensorboard", snapshots=(0.5,))
    assert (record.id, record.weights_sha256, record.loss_curve) == (plain.id, plain.weights_sha256, plain.loss_curve)
    told = rows(tmp_path / "told", spec).pivot(index="step", columns="name", values="value")
    assert told["loss"].dropna().tolist() == [loss for _, loss in record.loss_curve] and list(told.index) == [1, 2, 3, 4, 5, 6]
    assert told["images"].tolist() == [32.0 * step for step in range(1, 7)] and told["flops"].iloc[-1] == record.cost.flops
    assert told["budget_share"].iloc[-1] == 1 and told[GROUP].nunique() == 1 and told["learning_rate"].nunique() > 3
    for found, step in ((record.results, 6), (record.snapshots[0].results, 3)):
        assert found and told.loc[step, list(in_names(found))].to_dict() == in_names(found)
    shown = of_tensorboard(tmp_path / "told", spec)
    assert [step for step, _ in shown["loss"]] == [1, 2, 3, 4, 5, 6]
    assert [loss for _, loss in shown["loss"]] == pytest.approx([loss for _, loss in record.loss_curve], rel=1e-6)
    assert set(shown) == set(told.columns)


def test_a_run_that_was_stopped_has_told_each_step_once(spec, tmp_path, monkeypatch):
    """Killed after its fourth step, with a checkpoint of its third: the fourth is made, and told, again."""
    step, steps = Trainer.save_if_due, []

    def killed(trainer, stop, due):
        steps.append(trainer.meter.steps)
        if steps == [1, 2, 3]:
            trainer.save()
        if steps == [1, 2, 3, 4]:
            raise Interrupted("killed")
        step(trainer, False, False)

    monkeypatch.setattr(Trainer, "save_if_due", killed)
    with pytest.raises(Interrupted):
        made(spec, tmp_path, "csv", "tensorboard", checkpoint_every=1000.0)
    assert steps == [1, 2, 3, 4] and rows(tmp_path, spec)["step"].max() == 4
    made(spec, tmp_path, "csv", "tensorboard", checkpoint_every=1000.0)
    assert steps == [1, 2, 3, 4, 4, 5, 6]
    losses = rows(tmp_path, spec).query("name == 'loss'")
    assert losses["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in of_tensorboard(tmp_path, spec)["loss"]] == [1, 2, 3, 4, 5, 6]


def test_a_logger_that_fails_is_left_and_the_run_is_done(spec, tmp_path, monkeypatch):
    told = []

    class Full(logger.Logger):
        def __init__(self, folder, spec, first):
            pass

        def write(self, step, values):
            told.append(step)
            raise OSError("no space left")

        def close(self):
            told.append("closed")

    module = LOGGERS.load("tensorboard")
    monkeypatch.setattr(module, "Log", Full)
    with pytest.warns(UserWarning, match="--log tensorboard has failed and is left; the run goes on: OSError: no space left"):
        record = made(spec, tmp_path, "tensorboard", "csv")
    assert record.status == "done" and told == [1] and rows(tmp_path, spec)["step"].max() == 6


def test_what_was_not_trained_tells_its_results(spec, tmp_path):
    floor = complete(RunSpec(method="random", dataset="digits", budget=spec.budget, image_size=16, precision="float32"))
    record = made(floor, tmp_path, "csv")
    told = rows(tmp_path, floor)
    assert dict(zip(told["name"], told["value"], strict=True)) == in_names(record.results) and set(told["step"]) == {0}


def test_a_logger_is_asked_for_by_a_name_that_is_there_with_its_library(monkeypatch):
    with pytest.raises(UserError, match=r"unknown logger 'tensorbord'. Did you mean 'tensorboard'"):
        require_ready(["tensorbord"])
    monkeypatch.setattr(logger, "find_spec", lambda name: None)
    require_ready(["csv"])
    with pytest.raises(UserError, match="--log mlflow needs a library that is not installed: pip install mlflow"):
        require_ready(["mlflow"])


def test_mlflow_has_the_run_once_with_its_numbers(spec, tmp_path, monkeypatch):
    """Where MLflow is installed."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracked.db'}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        record = made(spec, tmp_path, "mlflow")
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'tracked.db'}")
        (run,) = client.search_runs([client.get_experiment_by_name("sslbench").experiment_id])
        losses = client.get_metric_history(run.info.run_id, "loss")
    assert run.data.tags["sslbench.id"] == record.id and run.info.status == "FINISHED" and run.data.params["method"] == "simsiam"
    assert [(one.step, one.value) for one in losses] == [(step, loss) for step, (_, loss) in enumerate(record.loss_curve, 1)]


def test_wandb_is_refused_where_nobody_is_logged_in_and_written_offline(spec, tmp_path, monkeypatch):
    """Where Weights & Biases is installed."""
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(wandb, "login", lambda prompt: False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(UserError, match="nobody is logged in; expected `wandb login`, or WANDB_MODE=offline"):
        require_ready(["wandb"])
    monkeypatch.setenv("WANDB_MODE", "offline")
    require_ready(["wandb"])
    record = made(spec, tmp_path, "wandb")
    assert list((tmp_path / "scratch" / "loggers" / "wandb").glob(f"wandb/offline-run-*-{record.id}/run-{record.id}.wandb"))
