"""Which records are a figure's: of each arm and seed the run that its spec comes to, whether its data set is on this disk or not.

found = find(specs(figure, "cpu"), Known(store.frame()))
found.runs["0.1"][0]                      the id of a run that has a record

A known set's facts decide the id, not its files, so the same records make the same page on every machine. A record of an older version of
a method or an encoder, or of another protocol, is another run: it is left out, and said.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

from bench.data import catalogue, splits
from bench.data.dataset import DataSet
from bench.defaults import data_root, scratch_root
from bench.errors import UserError
from bench.folder_name import is_folder
from bench.plan import completed
from bench.plan.complete import complete
from bench.spec import RunSpec

if TYPE_CHECKING:
    import pandas

VERSIONS = {
    "method_version": "version",
    "encoder_version": "the encoder's version",
    "protocol": "protocol",
    "data_revision": "the data's revision",
    "device": "device",
}
"""What such a record differs in, and what it is called."""

UNSAID = re.compile(r"\+[0-9a-f]{8}(?=\+|$)")
"""Of a method's version the hashes of files with changes (methods.version)."""

SETTINGS = ("hyper_parameters", "recipe")
"""Of the frame as JSON."""

APART = {"method", "budget", "recipe_changes", *VERSIONS, *SETTINGS}
"""Fields of a spec that are no column of the frame by their name, or are compared apart."""

SAME = tuple(field.name for field in fields(RunSpec) if field.name not in APART)
"""What a record of another version has in common with the run that is asked for, beside method, budget and settings."""


@dataclass(frozen=True)
class Found:
    """What a results folder has of one scale of a figure."""

    runs: Mapping[str, Mapping[int, str]]
    """Arm -> seed -> id, of those that have a record."""
    wanted: Mapping[str, tuple[int, ...]]
    """Arm -> seeds that are asked for."""
    left_out: tuple[str, ...]
    """Records that are not of this code or protocol, a sentence for each kind; and why runs cannot be told."""


class Completions:
    """Runs completed, each setting once for all figures that ask for it, and for the next command too: what they came to lies in the
    scratch folder, as status keeps it, and holds while no file of the harness or a method changes. With it nothing is built and torch is
    not imported."""

    def __init__(self):
        self.scratch = scratch_root()
        self.kept = completed.read(self.scratch)
        self.known, self.built = dict(self.kept), {}

    def run(self, spec: RunSpec, data: DataSet) -> RunSpec:
        """The complete run, of seed 0. A UserError where it cannot be completed."""
        # Beside those of status, which are of the files under a root: here the revision alone says which data.
        setting = json.dumps([completed.setting_of(spec), "of revision", data.revision])
        if setting not in self.known:
            self.known[setting] = complete(spec, data=data, built=self.built, tried=False)
        return self.known[setting].replace(seed=0)

    def keep(self) -> None:
        """Leave them for the next command."""
        completed.keep(self.scratch, self.kept, self.known)


class Known:
    """A folder's runs as the figures look for theirs in them."""

    def __init__(self, frame: "pandas.DataFrame"):
        self.frame = frame
        """All of the folder's records."""
        self.runs = frame.drop_duplicates("id")
        self.ids = set(self.runs.id)
        self.begun = set(zip(self.runs.method_source, self.runs.dataset, strict=True))
        """(method, data set) of every run."""

    @cached_property
    def kin(self) -> dict[tuple, list]:
        """Records by all that decides a run but versions."""
        others: dict[tuple, list] = {}
        for run in self.runs.itertuples():
            budget = (run.method_source, run.budget_unit, run.budget_amount)
            others.setdefault((*budget, *(getattr(run, name) for name in (*SAME, *SETTINGS))), []).append(run)
        return others


def find(specs: Mapping[str, Mapping[int, RunSpec]], records: Known, completions: Completions | None = None) -> Found:
    """The records of these runs. specs: arm -> seed -> run, to be completed. A UserError where one of them cannot be. completions: where
    those of other figures are kept."""
    completions, known, left_out = completions or Completions(), {}, Counter()
    found: dict[str, dict[int, str]] = {arm: {} for arm in specs}
    for arm, by_seed in specs.items():
        for seed, spec in by_seed.items():
            # A scale that nobody has run costs nothing: none of its methods is built.
            if (spec.method, spec.dataset) not in records.begun:
                continue
            asked = spec.replace(seed=0).canonical()
            if asked not in known:
                known[asked] = tuple(candidates(spec, records.runs, completions))
            ids = [run.replace(seed=seed) for run in known[asked]]
            recorded = next((run.id for run in ids if run.id in records.ids), None)
            if recorded:
                found[arm][seed] = recorded
            else:
                left_out.update(differs(run, other) for run in ids[:1] for other in records.kin.get(likeness(run), ()))
    sentences = [f"{count} record{'s' * (count > 1)} of {text}" for text, count in sorted(left_out.items())]
    return Found(found, {arm: tuple(by_seed) for arm, by_seed in specs.items()}, tuple(sentences))


def candidates(spec: RunSpec, runs: "pandas.DataFrame", completions: Completions) -> Iterator[RunSpec]:
    """The runs that a spec may come to, the one that would be trained now first; none where nothing of its data is known here."""
    for data in data_of(spec, runs):
        run = completions.run(spec, data)
        yield run
        # A file with a change that no version says has a hash in its version; what was recorded before the change is of the version still.
        version = UNSAID.sub("", run.method_version or "")
        if version != run.method_version:
            yield run.replace(method_version=version)


def data_of(spec: RunSpec, runs: "pandas.DataFrame") -> Iterator[DataSet]:
    """The data set as it is known without its files; where that is not enough, as it is here."""
    entry = None if is_folder(spec.dataset) else catalogue.entry(spec.dataset)
    if entry and entry.classes and entry.sizes.get(splits.parse(spec.pretrain_split)[0]) is not None:
        revisions = [entry.revision] if entry.revision else sorted(set(runs[runs.dataset == spec.dataset].data_revision))
        yield from (DataSet(replace(entry, revision=revision), data_root()) for revision in revisions)
        return
    try:
        yield catalogue.require(spec.dataset)
    except UserError:
        return


def likeness(run: RunSpec) -> tuple:
    """What a run has in common with its kin."""
    budget, written = (run.method, run.budget.unit, run.budget.amount), run.to_json()
    same = (getattr(run, name) for name in SAME)
    return (*budget, *same, *(json.dumps(written[name], sort_keys=True) for name in SETTINGS))


def differs(run: RunSpec, other) -> str:
    """'jigsaw of version 1, where 2 is asked for'"""
    name, title = next((name, title) for name, title in VERSIONS.items() if getattr(other, name) != getattr(run, name))
    return f"{run.method} of {title} {getattr(other, name)}, where {getattr(run, name)} is asked for"
