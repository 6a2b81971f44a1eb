"""What a person sees while runs are under way: a bar per running run, drawn from the heartbeat files, whoever runs them."""

import math
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bench.commands.streams import printable
from bench.launch.status import clock, stage
from bench.records.store import ResultStore
from bench.run.heartbeat import read_heartbeat
from bench.spec import RunSpec


class Watch:
    """Call it often: it redraws the bars of what is running and says a line for each run that ended."""

    def __init__(self, specs: tuple[RunSpec, ...], scratch: Path, store: ResultStore, console: Console):
        self.scratch, self.store, self.console = scratch, store, console
        self.specs = {spec.id: spec for spec in specs}
        names = [spec.name for spec in specs]
        # Where settings of one method run side by side, the name alone would not tell which is which.
        self.names = {spec.id: spec.name + (f" {spec.id[:6]}" if names.count(spec.name) > 1 else "") for spec in specs}
        self.started, self.ended, self.tasks = time.time(), set(), {}
        columns = (TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("spent", "rate", "loss", "left"))
        self.progress = Progress(
            TextColumn("{task.description}", justify="left", markup=False),
            BarColumn(20),
            *columns,
            console=console,
        )

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *_):
        self()
        self.progress.stop()

    def __call__(self) -> None:
        for run_id, spec in self.specs.items():
            if run_id in self.ended:
                continue
            beat = read_heartbeat(self.scratch, run_id)
            if beat is None or beat["time"] < self.started:
                continue
            if beat["state"] in ("done", "failed", "diverged", "interrupted"):
                self.end(spec, beat)
            else:
                self.draw(spec, beat)

    def draw(self, spec: RunSpec, beat: dict) -> None:
        """One bar: budget spent, images a second, loss, time left."""
        if spec.id not in self.tasks:
            blank = {"spent": "", "rate": "", "loss": "", "left": ""}
            self.tasks[spec.id] = self.progress.add_task(self.names[spec.id], total=1.0, **blank)
        fields = {"left": printable(stage(beat))}
        if "progress" in beat:
            amount, unit = spec.budget.amount, spec.budget.shown_unit
            spent = f"{beat['spent']:.2e}/{amount:.2e}" if unit == "flops" else f"{beat['spent']:,.0f}/{amount:,.0f}"
            fields |= {"completed": beat["progress"], "spent": f"{spent} {unit}", "loss": f"loss {beat['loss']:.3f}"}
            fields |= {"rate": f"{beat['images_per_second']:,.0f} items/s"}
            if beat["state"] == "training":
                fields["left"] = clock(beat["seconds_left"])
        self.progress.update(self.tasks[spec.id], **fields)

    def end(self, spec: RunSpec, beat: dict) -> None:
        """Take the bar away and say how the run ended."""
        self.ended.add(spec.id)
        if spec.id in self.tasks:
            self.progress.remove_task(self.tasks.pop(spec.id))
        # A run that was only evaluated, from its last checkpoint, has made no loss here.
        loss = f"  loss {beat['loss']:.3f}" if math.isfinite(beat.get("loss", math.nan)) else ""
        detail = f"{loss}  {beat['images_per_second']:,.0f} items/s" if "progress" in beat else ""
        records = self.store.parts(spec)
        if beat["state"] in ("failed", "diverged") and records:
            detail = f"  {records[-1].reason}"
        left = len(self.specs) - len(self.ended)
        self.progress.console.print(
            f"{self.names[spec.id]:<24} {beat['state']}{detail}  ({left} to go)", highlight=False, markup=False, soft_wrap=True
        )
