"""How `check` speaks: one mistake once, each outcome as it is known, with the user's file and line; what a file may reach."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import methods
from bench.commands.check import check
from bench.conformance.case import Broken, Case
from bench.conformance.check import Outcome, check_method, outcomes
from bench.conformance.contract import check_hyper_parameters
from bench.conformance.imports import ALLOWED_LIBRARIES, ALLOWED_MODULES, REFUSED_NAMES, check_imports
from bench.conformance.processes import FEWEST, MOST, begin, check_processes
from bench.conformance.runs import check_budget
from bench.errors import UserError, said, where
from bench.spec import Recipe
from places import ROOT

SIMCLR = methods.require("simclr").read_text()
LOSS = "        return nt_xent("
NORMALISE = "        self.temperature, self.normalise = temperature, normalise\n"


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """SimCLR with places of its text changed."""
    text = SIMCLR
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "mine.py"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((LOSS, "        raise KeyError('nothing') or nt_xent("), "KeyError: 'nothing' (mine.py:"),
        ((LOSS, "        return torch.zeros(3) + nt_xent("), "loss must return one number, a tensor of shape ()"),
        (
            ("        self.encoder = make_encoder()\n", "        self.encoder = make_encoders()\n"),
            "NameError: name 'make_encoders' is not defined",
        ),
        (("lr=0.3,", "lr='high',"), "Recipe: lr = 'high': Input should be a valid number"),
    ],
)
def test_one_mistake_is_told_once(tmp_path, change, told):
    text = SIMCLR if change[0] in SIMCLR else None
    change = change if text else (re.search(r"\blr=[\d.]+,", SIMCLR)[0], change[1])
    found = list(outcomes(Case(changed(tmp_path, change))))
    failed = [outcome for outcome in found if not outcome.passed and outcome.looked_at]
    assert len(failed) == 1 and told in failed[0].reason and "\n" not in failed[0].reason
    later = found[found.index(failed[0]) + 1 :]
    assert later and all(not outcome.looked_at and f"`{failed[0].name}`" in outcome.reason for outcome in later)


def test_a_mistake_that_leaves_runs_whole_hides_no_other(tmp_path):
    file = changed(tmp_path, ('    paper = "arXiv:2002.05709"\n', ""), ('family = "contrastive"', 'family = "contrastiv"'))
    found = []
    for outcome in outcomes(Case(file)):
        found.append(outcome)
        if outcome.name == "declarations":
            break
    assert [outcome.name for outcome in found if not outcome.passed] == ["documented", "declarations"]
    assert "family = 'contrastiv'; it is pretext" in found[-1].reason and "Did you mean 'contrastive'?" in found[-1].reason


def test_a_search_that_no_hyper_parameter_has_is_told(tmp_path):
    file = changed(tmp_path, ('search = {"temperature"', 'search = {"temperatur"'))
    with pytest.raises(Broken, match=r"unknown hyper-parameter in the search of SimCLR 'temperatur'. Did you mean 'temperature'"):
        check_hyper_parameters(Case(file))


def test_each_outcome_is_told_as_it_is_known():
    coming = outcomes(Case("random"))
    assert next(coming) == Outcome("documented", True)


def test_the_command_says_the_encoder_and_what_it_left_out(tmp_path):
    run = CliRunner().invoke(check, [str(changed(tmp_path, (LOSS, "        return missing or nt_xent(")))])
    assert run.exit_code == 1 and "mine.py: checked with resnet8" in run.output
    assert "FAIL  loss\n      NameError: name 'missing' is not defined (mine.py:" in run.output
    assert "–     resume  not looked at: it needs what `loss` found broken" in run.output
    assert "1 check failed, 14 not looked at" in run.output


def test_an_encoder_that_cannot_be_used_is_refused_as_by_a_plan():
    with pytest.raises(UserError, match=r"MAE needs tokens, which resnet8 does not offer; expected one of .*vit_nano"):
        Case("mae", "resnet8")
    assert Case("mae").encoder == "vit_micro" and Case("simclr").encoder == "resnet8"


def class_without_file():
    """A class as a notebook or a prompt has it."""
    space = {"__name__": "nowhere"}
    exec(compile(SIMCLR, "<prompt>", "exec"), space)
    space["SimCLR"].__doc__ = "One that has no file."
    return space["SimCLR"]


def test_a_class_without_a_file_is_checked():
    cls = class_without_file()
    case = Case(cls)
    assert case.file is None
    found = {}
    for outcome in outcomes(case):
        found[outcome.name] = outcome
        if outcome.name == "loss_changes_no_state":
            break
    assert not [outcome for outcome in found.values() if not outcome.passed]
    assert not found["imports"].looked_at and "no file" in found["imports"].reason
    cls.__doc__ = None
    assert "begin the class with a docstring" in next(outcomes(case)).reason


@pytest.mark.slow
def test_a_class_is_checked_whole():
    assert all(outcome.passed for outcome in check_method(methods.load("exemplar")))
    assert all(outcome.passed for outcome in check_method(class_without_file()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def broken(:\n    pass\n", "cannot be imported: SyntaxError: invalid syntax (mine.py:1)"),
        ("import torch\nimport notthere\n", "ModuleNotFoundError: No module named 'notthere' (mine.py:2)"),
        ("print('mine')\nraise SystemExit(4)\n", "cannot be imported: SystemExit: 4 (mine.py:2)"),
        ("import argparse\n\nargparse.ArgumentParser().parse_args(['--x'])\n", "cannot be imported: SystemExit: 2 (mine.py:3)"),
        ("from bench.spec import Recipe\n\nRECIPE = Recipe('sgd', lr='high')\n", "Recipe: lr = 'high': Input should be a valid number, "),
    ],
)
def test_an_error_at_import_is_told_with_file_and_line(tmp_path, text, told):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError) as refused:
        methods.load(str(tmp_path / "mine.py"))
    assert told in str(refused.value) and "mine.py:" in str(refused.value) and "\n" not in str(refused.value)


def test_where_an_error_comes_from():
    try:
        Recipe("sgd", lr="high")
    except Exception as error:
        assert where(error).startswith("test_check.py:") and said(error).startswith("ValidationError: Recipe: lr = 'high'")


@pytest.mark.slow
def test_float_in_float64_is_told_with_what_to_use_instead(tmp_path):
    file = changed(tmp_path, (LOSS, "        first, second = first.float(), second.float()\n" + LOSS))
    with pytest.raises(Broken, match=r"in float64 the loss is torch.float32: .*upcast"):
        check_processes(Case(file))


@pytest.mark.parametrize(("phases", "steps"), [((), FEWEST), ((0.5,), FEWEST), ((0.9,), 10), ((0.01, 0.1), 11), ((0.001, 0.02), FEWEST)])
def test_processes_are_compared_in_as_many_phases_as_the_longest_run_has(tmp_path, phases, steps):
    file = changed(tmp_path, (NORMALISE, f"{NORMALISE}        self.phases = {phases}\n"))
    assert begin(Case(file), False).spec.budget.amount == steps <= MOST


def test_a_budget_of_seconds_does_not_depend_on_how_busy_the_machine_is(monkeypatch):
    """mae failed two times of seven, its steps having become fifty times as fast as those that the budget was made of."""
    case = Case("denoising_ae")
    _ = case.undisturbed
    case.undisturbed.meter.seconds *= 50
    check_budget(case)


REACHING = [
    *(
        "import torchvision.datasets",
        "from torchvision import datasets",
        "from torchvision.datasets import CIFAR10",
        "import torchvision.io",
    ),
    *("from torchvision.io import read_image", "import torchvision", "import os", "from pathlib import Path", "import bench.data.load"),
    *("from bench import data", "from torch import hub", "from torch.utils.data import Dataset", "from numpy import load", "import timm"),
    *("from torch import os", "import methods\nmethods.hashlib", "import torch\ntorch.load", "import torch as t\nt.hub.load", "open"),
    *("import numpy as np\nnp.fromfile", "import torch\ntorch.os.listdir", "import torchvision.ops\ntorchvision.datasets.CIFAR10"),
    *("from torch.serialization import load", "import torch\ntorch.serialization.load", "import torch\ntorch.UntypedStorage.from_file"),
    *("import numpy\nnumpy.core.numeric.fromfile", "from bench.method import torch as t\nt.load", "import torch\ngetattr(torch, 'load')"),
    *("from bench.method import torch as t\nt.utils.data", "import torch\ngetattr(torch, 'lo' + 'ad')", "import torch\nvars(torch)"),
    *("import torch\ntorch.__dict__", "import bench.parts as p\np.heads.torch.hub", "locals"),
    *("import torch\ntorch.nn.__loader__", "from torch.utils import data", "import sklearn.datasets", "__builtins__", "from . import data"),
]


@pytest.mark.parametrize("line", REACHING)
def test_what_reaches_data_is_refused(tmp_path, line):
    (tmp_path / "mine.py").write_text("'''One.'''\n" + line)
    case = Case("simclr")
    case.__class__ = type("Other", (Case,), {"file": tmp_path / "mine.py"})
    with pytest.raises(Broken, match=r"line [23]"):
        check_imports(case)


@pytest.mark.parametrize("name", methods.names())
def test_our_own_files_reach_nothing(name):
    check_imports(Case(name))


def test_the_page_says_what_may_be_imported():
    page = (ROOT / "docs/add_a_method.md").read_text()
    section = page[page.index("### What a file may import") : page.index("## Look at what it sees")]
    listed, refused = section.split("Of these nothing")
    assert set(re.findall(r"`([\w.]+)`", listed)) == {*ALLOWED_MODULES, *ALLOWED_LIBRARIES}
    named = {name for name in re.findall(r"`([\w.]+)`", refused) if "." in name and name != "torch.os"}
    assert named <= set(REFUSED_NAMES)
