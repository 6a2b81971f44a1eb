"""MLflow, a run of experiment sslbench (MLFLOW_EXPERIMENT_NAME) tagged with our id, at MLFLOW_TRACKING_URI or in this folder."""

import os
import time
from pathlib import Path
from typing import Any

import mlflow as library  # pyright: ignore[reportMissingImports]

from bench.records.paths import stem
from bench.run.logger import Logger
from bench.spec import RunSpec

LIBRARY: str | None = "mlflow"

mlflow: Any = library

TAG = "sslbench.id"


class Log(Logger):
    def __init__(self, folder: Path, spec: RunSpec, first: int):
        self.client = mlflow.MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "sslbench")
        experiment = self.client.get_experiment_by_name(name)
        where = experiment.experiment_id if experiment else self.client.create_experiment(name)
        # A run that goes on is the same run; MLflow keeps a step's earlier value beside its later one.
        found = self.client.search_runs([where], f"tags.`{TAG}` = '{spec.id}'", max_results=1)
        self.id = (found[0] if found else self.client.create_run(where, run_name=stem(spec), tags={TAG: spec.id})).info.run_id
        if not found:
            params = [mlflow.entities.Param(key, str(value)) for key, value in spec.to_json().items()]
            self.client.log_batch(self.id, params=params, tags=[mlflow.entities.RunTag("method", spec.method)])

    def write(self, step: int, values: dict[str, float]) -> None:
        now = int(1000 * time.time())
        self.client.log_batch(self.id, metrics=[mlflow.entities.Metric(name, value, now, step) for name, value in values.items()])

    def close(self) -> None:
        self.client.set_terminated(self.id)
