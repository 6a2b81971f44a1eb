"""What a table says in words: its title, the notes of a row, and the lines below it."""

import json
import math
from collections import Counter
from collections.abc import Sequence

import pandas

from bench.folder_name import shown
from bench.records.record import COLLAPSE
from bench.spec import Budget
from reports.tables import columns as kinds
from reports.tables.columns import Column
from reports.tables.drawable import MOST_NAMES, undrawn
from reports.tables.settings import ELSEWHERE, Setting
from reports.tables.statistics import FEWEST_SEEDS
from reports.tables.table import PIXELS, SETTING, Cell, Row


def notes(setting: Setting) -> tuple[str, ...]:
    """What a reader must know of this row beside its numbers."""
    runs, total, notes = setting.runs, len(setting.runs), []
    flags = (result for result in setting.results if (result.evaluator, result.metric) == COLLAPSE)
    flagged = (result for result in flags if result.value > 0 and result.weights is None)
    collapsed = len({result.id for result in flagged})
    if collapsed:
        notes.append("collapsed" if collapsed == total else f"{collapsed} of {total} collapsed")
    guessing = sum(run.at_chance for run in runs)
    if guessing:
        notes.append("loss at chance" if guessing == total else f"{guessing} of {total} loss at chance")
    notes += sorted({run.short_of for run in runs if run.short_of})
    counts = Counter(run.status for run in runs)
    notes += [f"{counts[status]} of {total} {status}" for status in ("diverged", "failed") if counts[status]]
    return tuple(notes)


def unfinished(frame: pandas.DataFrame, names: dict[tuple, str]) -> str:
    """The line that names every run that diverged or failed."""
    runs = frame.drop_duplicates("id")
    bad = runs[runs.status != "done"]
    if bad.empty:
        return ""
    listed = []
    for run in bad.itertuples():
        label = names[tuple(getattr(run, name) for name in SETTING)]
        reason = " ".join((run.error or "no reason given").split())
        listed.append(f"{label} seed {run.seed} {run.status} ({reason if len(reason) <= 100 else reason[:99] + '…'})")
    return f"Not done, {len(bad)} of {len(runs)} runs: {'; '.join(listed)}."


def trained_elsewhere(frame: pandas.DataFrame) -> str:
    """The line that says where weights are from that no budget of ours was spent on: the file's name, its hash and its format."""
    runs = frame[frame.main_weights == ELSEWHERE].drop_duplicates("id")
    said = []
    for run in runs.itertuples():
        chosen = json.loads(run.hyper_parameters or "{}")
        said.append(f"{run.suite} (format {chosen.get('format')}, SHA-256 {chosen.get('weights')})")
    return f"Trained elsewhere, not under this budget: {'; '.join(said)}." if said else ""


def listed(cells: dict[str, Cell], columns: tuple[Column, ...]) -> str:
    """Cells in one line, for weights that are not the ones that count."""
    return ", ".join(
        f"{column.header} {kinds.text(column, cells[column.key])}" for column in columns if column.key in cells and column.shown
    )


def not_drawn(rows: Sequence[Row], ranked_by: str | None) -> str:
    """The line that says why a table of accuracies has no figure, or none but those in which more rows can be told apart."""
    reason = ranked_by and undrawn(rows, ranked_by)
    if not reason:
        return ""
    which = "No figure" if undrawn(rows, ranked_by or "", MOST_NAMES) else "No figure but families, years and profiles"
    return f"{which}: {reason}; leaderboard.csv has every number."


def total(frame: pandas.DataFrame) -> str:
    """What all runs of the table cost together, those that are not done included."""
    runs = frame.drop_duplicates("id")
    places = sorted({f"{run.hardware or 'unnamed hardware'}" for run in runs.itertuples()})
    beside = math.fsum(runs.setup_seconds) + math.fsum(runs.evaluation_seconds)
    return (
        f"Total: {len(runs)} run{'s' * (len(runs) != 1)}, {kinds.rounded(math.fsum(runs.flops) / 1e12)} TFLOP, "
        f"{math.fsum(runs.seconds):,.0f} s of training, {beside:,.0f} s of set-up and evaluation, on {', '.join(places)}."
    )


def title(key: dict[str, object], rows: Sequence[Row], budget: str = "", unit: str = PIXELS) -> str:
    """'mnist5k · resnet8 · 28 px · budget 20,000 images · bf16 · protocol 1 · 3 seeds, mean with 95 % interval'. budget: what stands in its
    place, of rows of several. unit: what the size is a number of."""
    counts = [row.seeds for row in rows if row.seeds and not row.constant]
    low, high = min(counts, default=0), max(counts, default=0)
    seeds = f"{low} seed{'s' * (low != 1)}" if low == high else f"{low} to {high} seeds"
    how = "mean with 95 % interval" if high >= FEWEST_SEEDS else f"mean (an interval needs {FEWEST_SEEDS})"
    encoder = f"{key['encoder']} (version {key['encoder_version']})" if key["encoder_version"] > 1 else key["encoder"]
    budget = budget or f"budget {Budget(key['budget_unit'], key['budget_amount'])}"
    if rows and all(row.kind == ELSEWHERE for row in rows):
        budget = "trained elsewhere"
    parts = [shown(key["dataset"]), encoder, f"{key['image_size']} {unit}", budget]
    parts += [key["device"]] if key["device"] else []
    parts += [f"pretrained on {key['pretrain_split']}"] if key["pretrain_split"] != "train" else []
    return " · ".join(str(part) for part in (*parts, key["precision"], f"protocol {key['protocol']}", f"{seeds}, {how}"))
