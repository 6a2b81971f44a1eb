"""Does a method keep the contract of bench/method.py? Small named checks, for the methods of this project and for yours.

    for outcome in check_method("path/to/mine.py"):
        print(outcome.name, outcome.passed, outcome.reason)

A check is a function check_<what>(case); docs/add_a_method.md says what each means. Which ones apply depends on what the
class declares (`trained`), never on its name. The setting is in bench/conformance/case.py, the checks in
bench/conformance/contract.py (what is declared), bench/conformance/calls.py (single calls), bench/conformance/runs.py (whole runs) and
bench/conformance/processes.py.
"""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.conformance import calls, contract, processes, runs
from bench.conformance.case import Broken, Case
from bench.method import Method

Check = Callable[[Case], None]


@dataclass(frozen=True)
class Outcome:
    """What one check found."""

    name: str
    passed: bool
    reason: str = ""
    """Empty where it passed; else what to change."""


def checks(trained: bool = True) -> Iterator[Check]:
    """Every check that applies to a method that is trained, or to a floor that is not."""
    yield contract.check_documented
    yield contract.check_imports
    yield contract.check_hyper_parameters
    yield contract.check_declarations
    yield contract.check_meta_device
    yield contract.check_same_seed_same_start
    yield calls.check_encode
    yield calls.check_encode_leaves_no_trace
    if trained:
        yield calls.check_loss
        yield calls.check_loss_changes_no_state
        yield calls.check_gradients
        yield calls.check_phases
        yield calls.check_deepcopy
        yield runs.check_state_is_complete
        yield runs.check_same_seed_same_run
        yield runs.check_only_batch_randomness
        yield runs.check_resume
        yield runs.check_budget
        yield runs.check_labels
        yield processes.check_processes
    else:
        yield runs.check_fit


def name_of(check: Check) -> str:
    """'encode' for check_encode."""
    return check.__name__.removeprefix("check_")


def run_check(check: Check, case: Case) -> Outcome:
    """One check; whatever the method raises is a failure with its type, message and line."""
    try:
        check(case)
    except Broken as broken:
        return Outcome(name_of(check), False, str(broken))
    except Exception as error:  # the method is someone's own code: it may raise anything
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == case.file]
        where = f" ({case.file.name}, line {lines[-1]})" if lines else ""
        return Outcome(name_of(check), False, f"{type(error).__name__}: {' '.join(str(error).split())}{where}")
    return Outcome(name_of(check), True)


def check_method(method: str | Path | type[Method], encoder: str = "resnet8") -> list[Outcome]:
    """The outcome of every check that applies. `method`: a class, a name in methods/, or a path to a file; where the method
    needs more than `encoder` offers, a small ViT is taken."""
    case = Case(method, encoder)
    return [run_check(check, case) for check in checks(case.cls.trained)]
