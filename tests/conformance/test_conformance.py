"""Every method of this project keeps the contract, and for each way of breaking it there is a check that says so.

One test per method and check, so `pytest -k "resume and moco"` runs one of them; a method's undisturbed run is shared.
"""

import functools
from collections import deque
from pathlib import Path

import numpy
import pytest
import torch
from torch import nn

import methods
from bench.conformance.calls import biases_before_norm
from bench.conformance.case import Case
from bench.conformance.check import check_method, checks, name_of, run_check
from bench.conformance.state import fingerprint
from places import WRONG_METHODS

LONGEST = 160
"""Lines of one of our own methods."""

SEVERAL_RUNS = {"phases", "same_seed_same_run", "only_batch_randomness", "resume", "budget", "labels", "processes"}
"""Checks that train a method more than once; the others are the quick core."""

IN_TWO = "processes"
"""The check that starts a process of its own."""

QUICK_METHOD = "simclr"
"""On this one all checks are in the quick core, but that in two processes."""

OF_EACH_KIND = {
    *("simclr", "moco", "rotation", "jigsaw", "deepcluster", "swav", "mae", "dino", "multi_task", "denoising_ae"),
    *("supervised", "pca", "random", "bert"),
}
"""A method of every kind: the others' checks are no quick tests. `run_bench.py check` has them all for the one that is worked on."""

AFTER_A_RUN = {
    *("declarations", "encode", "encode_leaves_no_trace", "gradients", "phases", "deepcopy"),
    *("state_is_complete", "same_seed_same_run", "only_batch_randomness", "resume", "budget", "labels"),
}
"""Checks that cannot pass where a method cannot be trained at all."""

CAUGHT_BY = {
    "batch_statistics": {"encode"},
    "bound_to_itself": {"deepcopy"},
    "detached_encoder": {"gradients"},
    "encode_counts": {"encode_leaves_no_trace"},
    "enqueue_in_loss": {"loss_changes_no_state"},
    "global_randomness": {"only_batch_randomness", "resume"},
    "hidden_teacher": {"state_is_complete", "resume"},
    "hook_of_own_rows": {"processes"},
    "imports_datasets": {"imports"},
    "late_buffer": {"state_is_complete", "resume"},
    "loss_per_image": {"loss", *AFTER_A_RUN},
    "low_precision_loss": {"loss"},
    "mutable_views": {"declarations"},
    "loss_of_own_rows": {"processes"},
    "no_counted_work": {"budget"},
    "non_persistent_queue": {"state_is_complete", "resume"},
    "peeks_at_frames": {"imports", "labels"},
    "plain_list_queue": {"state_is_complete", "resume"},
    "plain_tensor_queue": {"state_is_complete", "resume"},
    "positional_hyper_parameters": {"hyper_parameters"},
    "shares_weigh_the_same": {"processes"},
    "state_outside": {"deepcopy", "same_seed_same_run", "only_batch_randomness", "resume", "labels"},
    "thaws_the_frozen": {"gradients"},
    "undeclared_phase": {"phases"},
    "zero_gradient": {"gradients"},
}

IN_WORDS = {
    "batch_statistics": ("encode", "depends on the rest of the batch"),
    "bound_to_itself": ("deepcopy", "hold no function that has self inside"),
    "detached_encoder": ("gradients", "encoder.stem.0.weight is trainable and never gets a gradient"),
    "encode_counts": ("encode_leaves_no_trace", "encode changes calls"),
    "enqueue_in_loss": ("loss_changes_no_state", "move that to after_step"),
    "global_randomness": ("only_batch_randomness", "draw with batch.rand"),
    "hidden_teacher": ("state_is_complete", "self.teacher decides later steps"),
    "hook_of_own_rows": ("processes", "the loss of step 3 is"),
    "imports_datasets": ("imports", "do not use bench.data"),
    "late_buffer": ("state_is_complete", "centre: in state_dict() only before or after training"),
    "loss_per_image": ("loss", "loss must return one number"),
    "low_precision_loss": ("loss", "torch.bfloat16 at progress 0 under bfloat16 autocast"),
    "mutable_views": ("declarations", "self.views must be a tuple of View"),
    "loss_of_own_rows": ("processes", "the loss of step 1 is"),
    "no_counted_work": ("budget", "a budget in FLOPs would never end"),
    "non_persistent_queue": ("state_is_complete", "self.queue decides later steps"),
    "peeks_at_frames": ("labels", "true labels differs from the run without"),
    "plain_list_queue": ("state_is_complete", "register_buffer('queue', ...)"),
    "plain_tensor_queue": ("state_is_complete", "register_buffer('queue', ...)"),
    "positional_hyper_parameters": ("hyper_parameters", "put `*` before temperature"),
    "shares_weigh_the_same": ("processes", "with SGD and a batch of 15"),
    "state_outside": ("same_seed_same_run", "look for state outside the method"),
    "thaws_the_frozen": ("gradients", "extra.weight is frozen at construction"),
    "undeclared_phase": ("phases", "FLOPs at progress 0 and"),
    "zero_gradient": ("gradients", "the gradient of scale is zero in every phase"),
}
"""What a user reads: the check that names the cause, and a part of its sentence."""


LAST_LINE = "        self.temperature, self.normalise = temperature, normalise\n"
"""Of SimCLR's constructor: where variants go on."""


@functools.lru_cache(maxsize=2)
def case_of(method: str) -> Case:
    """Tests come method by method, so that two cases at a time are enough."""
    return Case(method)


def every_method_and_check():
    for method in methods.names():
        for check in checks(methods.load(method).trained):
            often = name_of(check) in SEVERAL_RUNS and method != QUICK_METHOD
            slow = name_of(check) == IN_TWO or often or method not in OF_EACH_KIND
            yield pytest.param(method, check, id=f"{method}-{name_of(check)}", marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("method", "check"), list(every_method_and_check()))
def test_method(method, check):
    outcome = run_check(check, case_of(method))
    assert outcome.passed, outcome.reason


@pytest.mark.parametrize("method", methods.names())
def test_one_file_holds_a_method(method):
    assert len(methods.require(method).read_text().splitlines()) <= LONGEST


def outcomes_of(name: str, caught: bool) -> dict[str, str]:
    """Reasons by check of a wrong method ("" where it passed): of the checks that are to catch it, or of all others."""
    case = Case(WRONG_METHODS / f"{name}.py")
    # The others break their one rule in one process; whether two would agree costs a second process to find out.
    looked_at = [check for check in checks() if name_of(check) != "processes" or caught]
    return {name_of(check): run_check(check, case).reason for check in looked_at if (name_of(check) in CAUGHT_BY[name]) == caught}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (IN_TWO in CAUGHT_BY[name])) for name in sorted(CAUGHT_BY)])
def test_wrong_method_is_caught(name):
    outcomes = outcomes_of(name, caught=True)
    assert [check for check, reason in outcomes.items() if not reason] == []
    check, words = IN_WORDS[name]
    assert words in outcomes[check]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CAUGHT_BY))
def test_wrong_method_keeps_every_other_rule(name):
    assert {check: reason for check, reason in outcomes_of(name, caught=False).items() if reason} == {}


def test_every_wrong_method_is_expected_to_be_caught():
    assert {path.stem for path in WRONG_METHODS.glob("*.py")} == set(CAUGHT_BY) == set(IN_WORDS)


def test_check_method_tells_each_outcome():
    outcomes = check_method("random")
    assert [outcome.name for outcome in outcomes] == [name_of(check) for check in checks(trained=False)]
    assert all(outcome.passed and not outcome.reason for outcome in outcomes)


def test_every_check_can_fail():
    """Each check is what catches some wrong method or, listed here, a variant below."""
    by_variant = {"documented", "meta_device", "same_seed_same_start"}
    by_wrong_method = set().union(*(caught for name, caught in CAUGHT_BY.items() if name != "loss_per_image"))
    assert {name_of(check) for check in checks()} == by_wrong_method | by_variant


def variant(folder: Path, old: str, new: str) -> dict[str, str]:
    """Reasons by failed check, of SimCLR with one place in its text changed. Only checks that need one run or none."""
    text = methods.require("simclr").read_text()
    assert text.count(old) == 1
    path = folder / "variant.py"
    path.write_text(text.replace(old, new))
    case = Case(path)
    outcomes = [run_check(check, case) for check in checks() if name_of(check) not in SEVERAL_RUNS]
    return {outcome.name: outcome.reason for outcome in outcomes if not outcome.passed}


def test_undocumented(tmp_path):
    assert "set `paper`" in variant(tmp_path, '    paper = "arXiv:2002.05709"\n', "")["documented"]


def test_reads_numbers_at_construction(tmp_path):
    failed = variant(
        tmp_path,
        LAST_LINE,
        "        self.temperature, self.normalise = temperature + 0 * next(self.parameters()).sum().item(), normalise\n",
    )
    assert list(failed) == ["meta_device"]


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("chance_loss", "float('nan')", "chance_loss is nan: return a finite number"),
        ("chance_loss", "torch.tensor(1.0)", "chance_loss is tensor"),
        ("needed", "(400,)", "needed returns (400,): return a tuple of bench.parts.Needed"),
        ("needed", "None", "needed returns None"),
    ],
)
def test_what_a_task_says_of_itself(tmp_path, method, answer, says):
    path = tmp_path / "variant.py"
    own = f"\n    def {method}(self, batch_size):\n        return {answer}\n"
    text = methods.require("simclr").read_text().replace("def chance_loss(", "def another(")
    path.write_text(text + own)
    (loss,) = (check for check in checks() if name_of(check) == "loss")
    assert says in run_check(loss, Case(path)).reason


def test_own_random_start(tmp_path):
    failed = variant(
        tmp_path,
        LAST_LINE,
        f"{LAST_LINE}        torch.nn.init.normal_(self.projector[0].weight, "
        "generator=torch.Generator().manual_seed(torch.Generator().seed() % 2**32))\n",
    )
    assert list(failed) == ["same_seed_same_start"]


def test_an_exception_names_the_line(tmp_path):
    failed = variant(tmp_path, "        return nt_xent(", "        return unknown_name(")
    assert "NameError: name 'unknown_name' is not defined (variant.py:" in failed["loss"]


def test_views_and_recipe_must_not_depend_on_values(tmp_path):
    failed = variant(
        tmp_path,
        LAST_LINE,
        f"{LAST_LINE}        self.phases = () if self.projector[0].weight.is_meta else (0.5,)\n",
    )
    assert "differ on the meta device" in failed["meta_device"]


def test_views_and_recipe_must_not_depend_on_the_colours_mean(tmp_path):
    failed = variant(tmp_path, LAST_LINE, f"{LAST_LINE}        self.phases = (0.5,) if any(data.mean) else ()\n")
    assert "data.mean" in failed["meta_device"]


def test_a_plain_list_of_own_layers_is_no_hidden_state(tmp_path):
    assert variant(tmp_path, LAST_LINE, f"{LAST_LINE}        self.parts = [self.encoder, self.projector]\n") == {}


def test_biases_before_a_norm():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4))
    found = biases_before_norm(network)
    network.eval()(torch.ones(3, 4))
    assert found == set(), "in evaluation nothing is subtracted that depends on the bias"
    network.train()(torch.ones(3, 4))
    assert found == {"0.bias"}


class Holder:
    """An object of a user's own that holds a tensor."""

    def __init__(self):
        self.rows = torch.zeros(3)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (torch.zeros(3), lambda value: value.add_(1)),
        ([torch.zeros(3)], lambda value: value[0].add_(1)),
        ({"rows": (torch.zeros(3), 1)}, lambda value: value["rows"][0].add_(1)),
        (deque([1.0]), lambda value: value.append(2.0)),
        (numpy.zeros(3), lambda value: value.fill(1)),
        (Holder(), lambda value: value.rows.add_(1)),
        (torch.Generator(), lambda value: torch.rand(1, generator=value)),
        ([nn.Linear(2, 2)], lambda value: nn.init.ones_(value[0].weight)),
    ],
    ids=["tensor", "list", "dictionary", "deque", "array", "object", "generator", "layers"],
)
def test_a_fingerprint_sees_every_change(value, change):
    before = fingerprint(value, set())
    assert fingerprint(value, set()) == before
    change(value)
    assert fingerprint(value, set()) != before
