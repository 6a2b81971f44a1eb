"""What came of making a run again: a small file beside its record, which is never edited for it.

    results/<dataset>/<method>-<seed>-<id>.verified-1.jsonl      the first verification of that run, one line of JSON; -2 the second

Its name ends in .jsonl, so no reader of records takes it for one. It names the record's files by their hashes and counts as long as they
have these bytes. Layout: the class below, and results/README.md.
"""

import dataclasses
import hashlib
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bench.machine.files import put
from bench.records.paths import FILE_NAME
from bench.records.record import STRICT

LAYOUT = 1
"""Version of the layout that is written and read."""

NAME = re.compile(r"(?P<stem>.+-\d+-[0-9a-f]{16})\.verified-(?P<number>[1-9]\d*)\.jsonl")

Outcome = Literal["bit-equal", "within", "off", "undecided", "not made again"]
"""within: every number that differs is inside its interval (docs/statistics.md). undecided: one differs, and no interval is known.
not made again: this machine, or this state of the code, cannot; the record was looked at alone."""

Machine = Literal["another", "of the same kind", "unknown"]


@dataclass(kw_only=True, frozen=True, config=STRICT)
class Compared:
    """A number of the record that came out differently."""

    evaluator: str
    dataset: str
    split: str
    metric: str
    weights: str | None
    value: float | None
    again: float | None
    half_width: float | None
    """Of the interval of their difference; None where none is known."""
    outcome: Literal["within", "off", "undecided"]


@dataclass(kw_only=True, frozen=True, config=STRICT)
class Verification:
    """What one machine has found of one run."""

    id: str
    """The run's."""
    records: dict[str, str]
    """Names of the record's files, the run's parts, and the SHA-256 of each."""
    outcome: Outcome
    findings: tuple[str, ...] = ()
    """What does not agree within the record itself, or is not as it was in the run that was made again; a sentence each."""
    compared: tuple[Compared, ...] = ()
    """Numbers that came out differently."""
    why: str | None = None
    """Why the run was not made again."""
    code: str = ""
    """What is known of the record's code beside the code that made it again."""
    machine: Machine = "unknown"
    """Whether processor or GPU, and the versions of libraries, are the record's."""
    hardware: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    """As in a record, of what made it again."""
    finished: str = ""
    """ISO 8601, UTC."""
    layout: int = LAYOUT

    @property
    def holds(self) -> bool:
        """Whether it speaks for the record."""
        return self.outcome in ("bit-equal", "within")

    @property
    def by(self) -> str:
        """Who found it, in words."""
        return {"another": "another machine", "of the same kind": "a machine of the same kind", "unknown": "a machine"}[self.machine]


VERIFICATION = TypeAdapter(Verification)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(record: Path, verification: Verification) -> Path:
    """Put it beside the record, under the first number that is free; returns where. Nothing is overwritten."""
    match = FILE_NAME.fullmatch(record.name)
    assert match, "a record's path"
    temporary = record.with_name(f".{uuid.uuid4().hex}.tmp")
    temporary.write_bytes(VERIFICATION.dump_json(verification) + b"\n")
    number = 1
    try:
        while True:
            path = record.with_name(f"{match['stem']}.verified-{number}.jsonl")
            try:
                put(temporary, path)
                return path
            except FileExistsError:
                number += 1
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> Verification | None:
    """The file's; None where it is of another layout, broken, or of a record whose files have other bytes now."""
    try:
        found = VERIFICATION.validate_json(path.read_bytes())
        same = all(digest(path.with_name(Path(name).name)) == known for name, known in found.records.items())
    except (OSError, ValidationError):
        return None
    return found if found.layout == LAYOUT and found.records and same else None


def standing(folder: Path) -> dict[str, list[Verification]]:
    """Run id -> the verifications that count, oldest first, in a folder of records. A run that is not named is unverified."""
    return _of(folder.glob("*/*.jsonl"))


def beside(record: Path) -> list[Verification]:
    """Of one run, whose record is at this path."""
    match = FILE_NAME.fullmatch(record.name)
    assert match, "a record's path"
    return next(iter(_of(record.parent.glob("*.jsonl"), only=match["stem"]).values()), [])


def _of(paths: Iterable[Path], only: str | None = None) -> dict[str, list[Verification]]:
    """Of these files; only: of the run whose records' names begin so."""
    matches = [(path, match) for path in paths if (match := NAME.fullmatch(path.name)) and only in (None, match["stem"])]
    found: dict[str, list[Verification]] = {}
    for path, match in sorted(matches, key=lambda each: (each[0].parent, each[1]["stem"], int(each[1]["number"]))):
        if (verification := read(path)) and verification.id == match["stem"][-16:]:
            found.setdefault(verification.id, []).append(verification)
    return found
