"""The command line as a person meets it: what works, and what a mistake is answered with."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from places import ROOT, WRONG_METHODS

SMALL = ["--dataset", "digits", "--image-size", "16", "--batch-size", "64", "--budget", "5steps"]
ONE = ["run", "--method", "simclr", *SMALL]


WRONG = [
    (["rum"], "unknown command 'rum'. Did you mean 'run'?"),
    (["list", "method"], "unknown list 'method'. Did you mean 'methods'?"),
    (["run", "demo1"], "unknown suite 'demo1'. Did you mean 'demo'?"),
    (["run"], "nothing to do: name a suite"),
    (["run", "demo", "--encoder", "resnet8"], "leave out --encoder"),
    (["run", "demo", "--method", "simclrr"], "unknown method of the suite demo 'simclrr'. Did you mean 'simclr'?"),
    ([*ONE, "--metod", "x"], "No such option '--metod'"),
    (["run", "--method", "simclrr", *SMALL], "unknown method 'simclrr'. Did you mean 'simclr'?"),
    (["run", "--method", "simclr,,byol", *SMALL], "has an empty entry"),
    (["run", "--method", "mine.py", *SMALL], "there is no file 'mine.py'"),
    ([*ONE, "--dataset", "digit"], "unknown data set 'digit'. Did you mean 'digits'?"),
    ([*ONE, "--dataset", "cifar10"], "run_bench.py data get cifar10"),
    ([*ONE, "--dataset", "folder:nowhere"], "there is no folder 'nowhere'"),
    ([*ONE, "--data-root", "nowhere"], "the data folder 'nowhere' (--data-root) is not there"),
    ([*ONE, "--encoder", "resnet9"], "unknown encoder 'resnet9'. Did you mean 'resnet8'?"),
    ([*ONE, "--evals", "knn,linaer"], "unknown evaluator 'linaer'. Did you mean 'linear'?"),
    ([*ONE, "--evals", "transfer"], "the evaluator 'transfer' needs a data set"),
    ([*ONE, "--evals", "transfer:digts"], "unknown data set 'digts'. Did you mean 'digits'?"),
    ([*ONE, "--evals", "knn:digits"], "takes no argument"),
    (
        ["run", "--method", "rotation", *SMALL, "--evals", "projection"],
        "rotation has no projector, which the evaluator 'projection' measures",
    ),
    ([*ONE, "--evals", "few_labels:1"], "'few_labels:1': expected a number of labels a class, 2 or more, as in 'few_labels:20'"),
    ([*ONE, "--evals", "few_labels:5000"], "the evaluator 'few_labels:5000' takes 5000 of each class; expected 125 or fewer"),
    ([*ONE, "--evals", "ood:digits"], "'ood:digits': digits is what was trained on; expected another data set"),
    ([*ONE, "--launcher", "lokal"], "unknown launcher 'lokal'. Did you mean 'local'?"),
    ([*ONE, "--partition", "gpu"], "--partition is for --launcher slurm"),
    ([*ONE, "--dry-run"], "--dry-run is for --launcher slurm"),
    ([*ONE, "--launcher", "slurm", "--workers", "2"], "--workers is for --launcher local; expected --parallel"),
    ([*ONE, "--launcher", "slurm", "--cluster", "nowhere.toml"], "the cluster profile 'nowhere.toml' (--cluster) cannot be read"),
    ([*ONE, "--launcher", "slurm", "--time", "soon"], "time = 'soon': expected a time as SLURM writes it"),
    ([*ONE, "--precision", "bf15"], "unknown precision 'bf15'. Did you mean 'bf16'?"),
    ([*ONE, "--pretrain-split", "trian"], "unknown pretraining split 'trian'. Did you mean 'train'?"),
    ([*ONE, "--pretrain-split", "train/0"], "the pretraining split 'train/0': expected train/N for N images of every class, 1 or more"),
    ([*ONE, "--pretrain-split", "train/020"], "the pretraining split 'train/020': expected train/N"),
    ([*ONE, "--pretrain-split", "val/20"], "unknown pretraining split 'val/20'"),
    ([*ONE, "--pretrain-split", "train/200"], "the pretraining split 'train/200' takes 200 of each class; expected 125 or fewer"),
    ([*ONE, "--seeds", "0,one"], "a seed is a whole number from 0 up, not 'one'"),
    ([*ONE, "--seeds", "-1"], "a seed is a whole number from 0 up, not '-1'"),
    ([*ONE, "--set", "temperatur=0.1"], "unknown hyper-parameter of simclr 'temperatur'. Did you mean 'temperature'?"),
    ([*ONE, "--set", "temperature=warm"], "simclr's temperature = 'warm': expected float"),
    ([*ONE, "--set", "head_layers=2.5"], "simclr's head_layers = 2.5: expected int"),
    ([*ONE, "--set", "temperature"], "cannot read --set 'temperature'; expected KEY=VALUE"),
    ([*ONE, "--set", "recipe.lrr=1"], "unknown recipe field 'lrr'. Did you mean 'lr'?"),
    ([*ONE, "--recipe", "imagnet"], "unknown recipe 'imagnet'. Did you mean 'imagenet'?"),
    (["run", "demo", "--recipe", "imagenet"], "leave out --recipe"),
    (["views", "simclr", "--recipe", "big"], "unknown recipe 'big'."),
    ([*ONE, "--set", "recipe.lr=-1"], "a recipe needs lr > 0"),
    ([*ONE, "--set", "recipe.optimizer=lion"], "recipe: optimizer = 'lion'"),
    ([*ONE, "--budget", "0images"], "a budget must be a positive, finite amount, not 0 items"),
    ([*ONE, "--budget", "-5steps"], "a budget must be a positive, finite amount, not -5 steps"),
    ([*ONE, "--budget", "nansteps"], "a budget must be a positive, finite amount"),
    ([*ONE, "--budget", "20000"], "the budget '20000' has no unit"),
    ([*ONE, "--budget", "5imagse"], "unknown budget unit 'imagse'. Did you mean 'images'?"),
    ([*ONE, "--batch-size", "5000"], "a batch of 5000 is larger than the data"),
    ([*ONE, "--batch-size", "0"], "--batch-size must be a whole number from 1 up, not 0"),
    ([*ONE, "--image-size", "4"], "an image size of 4 pixels is too small"),
    ([*ONE, "--encoder", "vit_micro", "--image-size", "17"], "vit_micro at 17 pixels: no patch of 16, 14, 8, 7, 4 or 2 pixels"),
    ([*ONE, "--encoder", "convnext_tiny", "--image-size", "12"], "convnext_tiny at 12 pixels: its last map would be a single position"),
    ([*ONE, "--image-size", "1000000000"], "an image size of 1000000000 pixels is too large"),
    ([*ONE, "--set", "temperature=1e999"], "--set temperature takes a finite number"),
    ([*ONE, "--set", "projection=0"], "simclr's projection = 0: expected a whole number, 1 or more"),
    ([*ONE, "--set", "temperature=0"], "simclr's temperature = 0.0: expected more than 0"),
    ([*ONE, "--set", "temperature=0.1", "--set", "temperature=0.2"], "--set temperature is given twice; expected one value"),
    ([*ONE, "--set", "recipe.lr=0.1", "--set", "recipe.lr=0.1"], "--set recipe.lr is given twice; expected one value"),
    ([*ONE, "--batch-size", "64", "--set", "recipe.batch_size=32"], "are one setting; expected one of them"),
    ([*ONE, "--method", "random", "--set", "recipe.lr=1"], "recipe.lr changes nothing: random is not trained"),
    ([*ONE, "--batch-size", "1"], "simclr needs a batch of 2 images or more, not 1"),
    ([*ONE, "--method", "moco", "--batch-size", "100"], "expected 96 or 104 images"),
    ([*ONE, "--image-size", "4096"], "GiB of memory at least (images of 4096 pixels"),
    ([*ONE, "--set", "recipe.momentum=-3"], "a recipe's momentum = -3.0: expected in [0, 1)"),
    ([*ONE, "--set", "recipe.lr_per_batch=-256"], "a recipe's lr_per_batch = -256: expected"),
    ([*ONE, "--seeds", "9" * 5000], "a seed is a whole number from 0 up"),
    ([*ONE, "--seeds", ""], "has an empty entry"),
    ([*ONE, "--evals", ""], "has an empty entry"),
    ([*ONE, "--scratch", "results"], "lies in the results folder"),
    ([*ONE, "--scratch", "of %t"], "'of %t' (--scratch, or $SSLBENCH_SCRATCH) has '%t' in its path, where no log can be kept"),
    ([*ONE, "--scratch", "%j", "--launcher", "debug"], "has '%j' in its path"),
    ([*ONE, "--results", sys.executable], "it is not a folder"),
    (["views", "simclr", "--data-root", "nowhere"], "the data folder 'nowhere' (--data-root) is not there"),
    (["doctor", "--data-root", "nowhere"], "the data folder 'nowhere' (--data-root) is not there"),
    (["report", "--results", "nowhere"], "the results folder 'nowhere' (--results) is not there"),
    (["check", "simclrr"], "unknown method 'simclrr'"),
    (["cite", "--method", "simclrr"], "unknown method 'simclrr'. Did you mean 'simclr'?"),
    (["cite", "--method", "family:contrastve"], "unknown family 'contrastve'"),
    (["cite", "--dataset", "digits,cifar19"], "unknown data set 'cifar19'. Did you mean 'cifar10'?"),
    (["cite", "--evals", "knnn"], "unknown evaluator 'knnn'. Did you mean 'knn'?"),
    (["cite", "demo1"], "unknown suite 'demo1'. Did you mean 'demo'?"),
    (["cite", "abc0"], "results has no runs whose id begins with 'abc0' (none)"),
    (["cite", "abc0", "--results", "nowhere"], "the results folder 'nowhere' (--results) is not there"),
    (["views", "simclr", "--dataset", "digts"], "unknown data set 'digts'"),
    (["data", "get", "cifar19"], "unknown data set 'cifar19'. Did you mean 'cifar10'?"),
]


@pytest.mark.parametrize(("arguments", "expected"), WRONG, ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "")
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_written(arguments, expected, bench, here):
    code, out, err = bench(*arguments)
    assert code == 2 and expected in err
    line = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(line) == 1 and "Traceback" not in err + out
    assert not list(here.iterdir())


def test_an_encoder_without_what_the_method_needs(bench, here):
    Path("masked.py").write_text(
        '"""A method that needs tokens."""\nfrom bench.method import Method\n\n\nclass Masked(Method):\n    needs = "tokens"\n'
    )
    code, _, err = bench("run", "--method", "masked.py", *SMALL)
    assert code == 2 and "masked.py needs tokens of its encoder, which resnet8 does not offer; expected one of vit_base, vit_micro" in err


def test_a_users_file_that_is_wrong_is_a_mistake_and_no_traceback(bench, here):
    Path("notes.txt").write_text("hello")
    code, _, err = bench("run", "--method", "./notes.txt", *SMALL)
    assert code == 2 and "there is no file './notes.txt'; expected a Python file" in err
    start = '"""Mine."""\nfrom bench.method import Method\n\n\nclass Mine(Method):\n    def __init__(self, make_encoder, data):\n'
    for body, expected in (("        supper().__init__()\n", "NameError"), ("        super().__init__()\n", "it has no recipe")):
        Path("mine.py").write_text(start + body)
        code, _, err = bench("run", "--method", "mine.py", *SMALL)
        assert code == 2 and expected in err and "Traceback" not in err


def imported(arguments, *modules):
    """Which of these a command has imported when it ends, in a process of its own."""
    script = "import sys, run_bench\nsys.argv = ['run_bench.py', *sys.argv[1:]]\ntry:\n    run_bench.main()\nexcept SystemExit: pass\n"
    script += f"print([name for name in {modules} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout, ended.stderr
    return ended.stdout.splitlines()[-1]


@pytest.mark.slow
def test_names_are_checked_without_torch():
    for arguments in (["--help"], ["list"], ["run", "--method", "simclrr", "--budget", "5steps"], [*ONE, "--evals", "knnn"]):
        assert imported(arguments, "torch", "pandas", "sklearn") == "[]", arguments


def test_a_help_page_imports_nothing_but_click():
    for arguments in (["--help"], ["run", "--help"], ["data", "--help"]):
        assert imported(arguments, "numpy", "pydantic", "submitit", "rich", "torch") == "[]", arguments


def test_list_names_everything(bench):
    _, out, _ = bench("list")
    for name in ("simclr", "mnist5k", "resnet8", "label_free", "demo"):
        assert re.search(rf"^  {name}\b", out, re.M)
    assert re.search(
        r"^  resnet18 +ResNet-18: .*\n +11.2M parameters, 1.11 GFLOP an item of size 32, 512 features, of images: all methods", out, re.M
    )
    assert re.search(r"^  simsiam +ResNet-50, 224 px, 100 epochs, batch 512, sgd, lr 0.05 for each 256, weight decay 0.0001\n", out, re.M)


def test_a_plan_starts_from_the_recipe_that_is_named(bench, here):
    code, out, _ = bench("plan", "--method", "simclr", *SMALL, "--seeds", "0", "--recipe", "imagenet", "--set", "blur=0.25")
    assert code == 0 and "temperature=0.1" in out and "color_strength=1.0" in out and "blur=0.25" in out
    assert bench("views", "simclr", "--dataset", "digits", "--recipe", "imagenet", "--output", "sheet.png")[0] == 0


@pytest.fixture
def one_run(bench, here):
    code, out, err = bench("run", "--method", "rotation,random", *SMALL, "--seeds", "0", "--evals", "knn", "--launcher", "debug")
    assert code == 0, err
    return out


def test_a_run_is_recorded_reported_and_not_repeated(one_run, bench, here):
    assert "2 runs (2 methods x 1 seed) on digits, resnet8" in one_run and "2 to do" in one_run and "2 done" in one_run
    records = sorted(path.name for path in (here / "results/digits").iterdir())
    assert len(records) == 2 and records[0].startswith("random-0-") and records[1].startswith("rotation-0-")
    code, out, _ = bench("run", "--method", "rotation,random", *SMALL, "--seeds", "0", "--evals", "knn", "--launcher", "debug")
    assert code == 0 and "2 in the store" in out and "2 runs are in the store and are not repeated" in out
    code, out, _ = bench("status", "--method", "rotation,random", *SMALL, "--seeds", "0,1", "--evals", "knn")
    assert out.count(" done ") == 2 and out.count(" to do ") == 2
    code, out, err = bench("report")
    assert code == 0 and "rotation" in out and "random" in out, err
    written = sorted(path.name for path in (here / "reports/adhoc").iterdir())
    assert "leaderboard.md" in written and "leaderboard.csv" in written and any(name.endswith(".svg") for name in written)
    before = {path: path.read_bytes() for path in (here / "reports").rglob("*") if path.is_file()}
    bench("report")
    assert before == {path: path.read_bytes() for path in (here / "reports").rglob("*") if path.is_file()}
    assert json.loads(next((here / "results/digits").glob("rotation*")).read_text())["suite"] == "adhoc"


def test_a_truncated_record_is_said_skipped_and_kept(one_run, bench, here):
    victim = next((here / "results/digits").glob("rotation*"))
    victim.write_text(victim.read_text()[:500])
    code, out, err = bench("report")
    assert code == 0 and victim.name in err and "skipped" in err and "random" in out
    assert len(victim.read_text()) == 500


def test_what_a_newer_program_recorded_is_not_trained_again(one_run, bench, here):
    victim = next((here / "results/digits").glob("rotation*"))
    text = victim.read_text().replace('"schema_version": ', '"schema_version": 9')
    victim.write_text(text)
    described = ["--method", "rotation,random", *SMALL, "--seeds", "0", "--evals", "knn"]
    for command in (["run", *described, "--launcher", "debug"], ["retry", *described], ["plan", *described]):
        code, _, err = bench(*command)
        assert code == 2 and re.search(r"error: the record of rotation seed 0, .* was made by a newer program; update this one", err)
    for command in (["report"], ["status", *described]):  # who looks sees the others
        code, out, err = bench(*command)
        assert code == 0 and "random" in out and "made by a newer program" in err
    assert victim.read_text() == text and len(list(victim.parent.iterdir())) == 2


def test_the_plan_says_what_and_how_long(bench, here):
    code, out, _ = bench("plan", "--method", "simclr", *SMALL, "--seeds", "0,1")
    assert code == 0 and "2 to do" in out and re.search(r"time   about \d+ s", out) and not (here / "results").exists()


def test_epochs_are_images(bench, here):
    _, out, _ = bench("plan", "--method", "simclr", *SMALL, "--budget", "2epochs", "--seeds", "0")
    assert "2,590 items" in out


@pytest.mark.slow
def test_a_budget_in_seconds_is_one_on_so_many_threads(bench, here):
    command = ["run", "--method", "rotation", *SMALL, "--budget", "0.5s", "--seeds", "0", "--evals", "knn", "--launcher", "debug"]
    assert bench(*command)[0] == 0
    record = json.loads(next((here / "results/digits").iterdir()).read_text())
    assert record["spec"]["device"].startswith("1 thread of ") and record["environment"]["threads"] == 1
    assert "1 in the store" in bench(*command)[1]
    try:
        assert "0 in the store" in bench("plan", *command[1:-2], "--threads", "2")[1]
    finally:
        torch.set_num_threads(1)


def test_a_foreign_checkpoint_is_a_mistake_of_the_users(bench, here):
    command = ["run", "--method", "rotation", *SMALL, "--seeds", "0", "--evals", "knn", "--launcher", "debug"]
    run_id = re.search(r"to do +(\w{16})", bench("plan", *command[1:-2])[1]).group(1)
    (here / ".scratch" / run_id).mkdir(parents=True)
    torch.save({"run_id": "another"}, here / ".scratch" / run_id / "step-000000003.pt")
    code, _, err = bench(*command)
    assert code == 2 and "belongs to run another" in err and "Traceback" not in err
    assert not (here / "results").exists()


@pytest.mark.slow
def test_views_writes_a_contact_sheet(bench, here):
    code, out, _ = bench("views", "dino", "--dataset", "mnist5k", "--output", "sheet.png")
    image = Image.open("sheet.png")
    assert code == 0 and "view 1 (28 px)" in out and "(14 px)" in out
    assert image.width > image.height / 2 and len(set(image.convert("L").get_flattened_data())) > 50


@pytest.mark.slow
def test_check_passes_a_sound_method_and_names_what_is_wrong(bench, here):
    code, out, _ = bench("check", "random")
    assert code == 0 and "random: keeps the contract" in out
    shutil.copy(WRONG_METHODS / "loss_per_image.py", here)
    code, out, _ = bench("check", "loss_per_image.py")
    assert code == 1 and "FAIL  loss\n" in out


def test_doctor_says_what_is_here(bench, here):
    code, out, _ = bench("doctor")
    assert code == 0 and "faiss search" in out and "mnist5k" in out and "torch" in out


def test_a_users_own_file_runs(bench, here):
    text = (ROOT / "methods/rotation.py").read_text()
    Path("mine.py").write_text(text)
    code, out, err = bench("run", "--method", "mine.py", *SMALL, "--seeds", "0", "--evals", "knn", "--launcher", "debug")
    assert code == 0 and next((here / "results/digits").iterdir()).name.startswith("mine-0-"), err
    Path("mine.py").write_text(text + "\n")
    _, out, _ = bench("plan", "--method", "mine.py", *SMALL, "--seeds", "0", "--evals", "knn")
    assert "0 in the store" in out  # its text is part of its version


@pytest.mark.slow
def test_the_local_launcher_is_interrupted_and_goes_on(here):
    """Two worker processes, Ctrl-C in mid-training, the same command again: one record a run."""
    # The time that Ctrl-C needs to come in mid-training is slept, and not computed; nobody waits for it the second time.
    patient = [str(ROOT / "tests/slurm/patient.py"), *SMALL, "--encoder", "resnet8", "--budget", "60steps", "--seeds", "0,1"]
    command = [sys.executable, str(ROOT / "run_bench.py"), "run", "--method", *patient]
    command += ["--evals", "knn", "--launcher", "local", "--workers", "2"]
    started = subprocess.Popen(
        command,
        env={**os.environ, "PATIENT_PAUSE": "0.5"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test runner in the background may have Ctrl-C ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    beats = []
    while len(beats) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
        paths = list(here.glob(".scratch/*/heartbeat.json"))
        beats = [beat for beat in (json.loads(path.read_text()) for path in paths) if beat["state"] == "training"]
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=120)
    assert started.returncode == 130 and "goes on from there" in err and "Traceback" not in err
    assert len(list(here.glob(".scratch/*/step-*.pt"))) >= 2 and not (here / "results").exists()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0 and "2 done" in ended.stdout, ended.stderr
    assert len(list((here / "results/digits").iterdir())) == 2
