"""Does a method keep the contract of bench/method.py? Small named checks, for the methods of this project and for yours.

    for outcome in check_method("path/to/mine.py"):
        print(outcome.name, outcome.passed, outcome.reason)

A check is a function check_<what>(case); docs/add_a_method.md says what each means. Which ones apply depends on what the
class declares (`trained`), never on its name. The setting is in bench/conformance/case.py, the checks in contract.py (what is
declared), imports.py, calls.py (single calls), runs.py (whole runs) and processes.py beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.conformance import calls, contract, imports, processes, runs
from bench.conformance.case import Broken, Case
from bench.errors import said
from bench.method import Method

Check = Callable[[Case], None]


@dataclass(frozen=True)
class Outcome:
    """What one check found."""

    name: str
    passed: bool
    reason: str = ""
    """Empty where it passed; else what to change."""
    looked_at: bool = True
    """False: it was not looked at, for `reason`. It passed where that is no fault of the method, as of a class without a file."""


def checks(trained: bool = True) -> Iterator[Check]:
    """Every check that applies to a method that is trained, or to a floor that is not; what later ones need first."""
    yield contract.check_documented
    yield imports.check_imports
    yield contract.check_hyper_parameters
    yield contract.check_meta_device
    yield contract.check_same_seed_same_start
    if trained:
        yield calls.check_loss
        yield calls.check_loss_changes_no_state
        yield calls.check_gradients
        yield calls.check_phases
        yield calls.check_deepcopy
    yield contract.check_declarations
    yield calls.check_encode
    yield calls.check_encode_leaves_no_trace
    if trained:
        yield runs.check_state_is_complete
        yield runs.check_same_seed_same_run
        yield runs.check_only_batch_randomness
        yield runs.check_resume
        yield runs.check_budget
        yield runs.check_labels
        yield processes.check_processes
    else:
        yield runs.check_fit


OF_A_FILE = {imports.check_imports, processes.check_processes}
"""Checks that read the method's file, or import it in another process."""


def name_of(check: Check) -> str:
    """'encode' for check_encode."""
    return check.__name__.removeprefix("check_")


def run_check(check: Check, case: Case) -> Outcome:
    """One check; whatever the method raises is a failure with its type, message and line."""
    try:
        check(case)
    except Broken as broken:
        return Outcome(name_of(check), False, str(broken))
    except (Exception, SystemExit) as error:  # the method is someone's own code: it may raise anything
        return Outcome(name_of(check), False, said(error))
    return Outcome(name_of(check), True)


def outcomes(case: Case) -> Iterator[Outcome]:
    """The outcome of every check that applies, each as soon as it is known. One mistake is told once: where no method can be built, or no
    run be made, the first check to find that says why, and those that need one are not looked at."""
    cause = ""
    for check in checks(case.cls.trained):
        if check in OF_A_FILE and not importable(case):
            yield Outcome(name_of(check), True, "not looked at: the class has no file of its own", looked_at=False)
        elif cause:
            yield Outcome(name_of(check), False, f"not looked at: it needs what `{cause}` found broken", looked_at=False)
        else:
            outcome = run_check(check, case)
            yield outcome
            if not outcome.passed and check not in (contract.check_documented, imports.check_imports, contract.check_hyper_parameters):
                cause = "" if can_run(case) else outcome.name


def can_run(case: Case) -> bool:
    """Whether the method can be built and, where it is trained, makes a whole run."""
    try:
        case.build()
        return not case.cls.trained or bool(case.undisturbed)
    except (Exception, SystemExit):  # what it raises was told by the check that failed
        return False


def importable(case: Case) -> bool:
    """Whether another process finds the class by its name in a file."""
    return case.file is not None and "<locals>" not in case.cls.__qualname__


def check_method(method: str | Path | type[Method], encoder: str | None = None) -> list[Outcome]:
    """The outcome of every check that applies. `method`: a class, a name in methods/, or a path to a file. encoder: a UserError where it
    has not what the method needs; by default a narrow ResNet-8, or a small ViT where the method needs tokens, or one for other items. A
    class without a file, at a prompt or in a notebook, is not held to `imports` and `processes`."""
    return list(outcomes(Case(method, encoder)))
