"""One recorded run verified: looked at alone, made again where that can be, and compared."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.audit.again import code_of, make, refused
from bench.audit.compare import compare, setting_of
from bench.audit.consistent import LOOKED_AT, disagreements
from bench.audit.runs import Recorded
from bench.data.catalogue import DataSets
from bench.errors import UserError
from bench.records.record import RunRecord
from bench.records.verification import Machine, Verification, digest


def could_be_made(run: Recorded, data: DataSets, own_code: bool) -> str | None:
    """Why the run cannot be made again here; None where it can."""
    return refused(run.parts[0], run.evals, data, own_code, run.store.folder)


def verified(run: Recorded, data: DataSets, made: Path, own_code: bool, say: Callable[[str], None]) -> Verification:
    """What came of it. made: the new folder for it. say: hears what was found, a line at a time."""
    first = run.parts[0]
    findings = [f"{path}: {said}" for path, record in run.records.items() for said in disagreements(record, path.read_text())]
    facts = {"id": run.id, "records": {path.name: digest(path) for path in run.records}, "code": code_of(first)}
    say(f"code   {facts['code']}")
    why, now = could_be_made(run, data, own_code), datetime.now(UTC)
    if why or findings:
        why = why or "its record does not agree with itself"
        outcome = "off" if findings else "not made again"
        say(f"alone  looked at: {LOOKED_AT}: {len(findings) or 'nothing'} wrong")
        for said in findings:
            say(f"wrong  {said}")
        return Verification(**facts, outcome=outcome, findings=tuple(findings), why=why, finished=now.isoformat(timespec="seconds"))
    try:
        again = make(first, run.evals, made, data, run.store.folder)
    except UserError as error:
        return Verification(**facts, outcome="not made again", why=str(error), finished=now.isoformat(timespec="seconds"))
    comparison = compare(run.parts, again, setting_of(run.store.frame(), run.id))
    for said in comparison.findings:
        say(f"apart  {said}")
    for each in comparison.compared:
        half = "no interval: fewer than three seeds" if each.half_width is None else f"within {each.half_width:.3g} is expected"
        named = f"{each.evaluator} {each.dataset} {each.split} {each.metric}"
        say(f"{each.outcome:<9}  {named}: {each.value}, again {each.again} ({half})")
    same = comparison.numbers - len(comparison.compared)
    say(f"again  {same} of {comparison.numbers} numbers to the last bit, with the images that were right")
    return Verification(
        **facts,
        outcome=comparison.outcome,
        findings=comparison.findings,
        compared=comparison.compared,
        machine=machine_of(first, again),
        hardware=again.hardware,
        environment=again.environment,
        finished=again.finished,
    )


def machine_of(first: RunRecord, again: RunRecord) -> Machine:
    """'another' where processor, GPU or a library's version is another; a record does not say which machine of its kind it was."""
    was, now = ((record.hardware.get("model"), record.environment.get("versions")) for record in (first, again))
    if None in was:
        return "unknown"
    return "of the same kind" if was == now else "another"
