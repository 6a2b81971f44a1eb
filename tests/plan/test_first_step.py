"""What fails in the first step of a run, or cannot fit this machine, is refused by its plan, in one line."""

import dataclasses
import textwrap

import pytest

import methods
from bench.encoders import factory
from bench.errors import UserError
from bench.machine import memory as machine_memory
from bench.method import build, on_paper
from bench.plan import memory
from bench.plan.complete import complete
from bench.plan.plan import make_plan
from bench.plan.step import activations, step_on_paper
from bench.records.store import ResultStore
from bench.spec import Budget, DatasetInfo, RunSpec

DATA = DatasetInfo(500, 32)
TRAINED = [name for name in methods.takers("images") if methods.load(name).trained]


def spec_of(method, batch_size=None, dataset="digits", **fields) -> RunSpec:
    changes = {"batch_size": batch_size} if batch_size else {}
    return RunSpec(method=str(method), dataset=dataset, budget=Budget("steps", 2), precision="float32", recipe_changes=changes, **fields)


def refused(*args, here=False, **fields) -> str:
    with pytest.raises(UserError) as error:
        complete(spec_of(*args, **fields), here=here)
    assert "\n" not in str(error.value)
    return str(error.value)


def made(name: str, encoder: str, on_meta: bool = True):
    if not on_meta:
        return build(methods.load(name), factory.factory(encoder, DATA.image_size), DATA, 10, {})
    with on_paper():
        return made(name, encoder, on_meta=False)


@pytest.mark.parametrize(
    ("method", "batch_size", "settings", "told"),
    [
        ("moco", 100, {}, "a batch of 100 cannot be split into 8 BatchNorm groups; expected 96 or 104 images"),
        ("moco_v1", 100, {}, "expected 96 or 104 images"),
        ("pcl", 500, {}, "expected 496 or 504 images"),
        ("moco", 96, {"bn_groups": 7}, "expected 91 or 98 images"),
        ("moco", 128, {"queue": 64}, "a queue of 64 rows cannot take 128 at once"),
        ("moco_v1", 128, {"queue": 127}, "a queue of 127 rows"),
        ("pcl", 128, {"negatives": 64}, "a queue of 64 rows"),
        ("nnclr", 128, {"queue": 64}, "a queue of 64 rows"),
        ("swav", 128, {"queue": 64}, "a queue of 64 rows"),
        ("simsiam", 1, {}, "simsiam needs a batch of 2 images or more, not 1"),
        ("simclr", 1, {}, "simclr needs a batch of 2 images or more, not 1"),
    ],
)
def test_what_fails_in_step_1_is_refused(method, batch_size, settings, told):
    assert told in refused(method, batch_size, encoder="resnet8", image_size=32, hyper_parameters=settings)


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_of_ours_makes_its_step_without_numbers_with_its_smallest_batch(name):
    encoder = "resnet8" if methods.can_use(name, "resnet8") else "vit_nano"
    method = made(name, encoder)
    groups = max([1, *(getattr(module, "groups", 1) for module in method.modules() if "BatchNorm" in type(module).__name__)])
    recipe = dataclasses.replace(method.recipe, batch_size=max(method.smallest_batch, groups))
    step = step_on_paper(method, recipe, DATA, 10, lambda: pytest.fail("it failed without numbers"))
    assert step is not None and step.activations > 0 and step.state > 0


@pytest.mark.parametrize("name", TRAINED)
def test_smallest_batches_are_declared_where_a_step_fails_below(name):
    """With one image and without BatchNorm groups a step of the others can be made."""
    encoder = "vit_nano"
    method = made(name, encoder)
    recipe = dataclasses.replace(method.recipe, batch_size=1)
    try:
        assert step_on_paper(method, recipe, DATA, 10, lambda: made(name, encoder, on_meta=False)) is not None
    except ValueError:
        assert method.smallest_batch > 1


@pytest.mark.parametrize(("name", "encoder"), [("simclr", "resnet8"), ("moco", "resnet8"), ("dino", "vit_nano"), ("jigsaw", "resnet8")])
def test_what_a_step_keeps_is_what_it_keeps_with_numbers(name, encoder):
    sizes = [
        activations(made(name, encoder, on_meta).train(), 0.5, 16, DATA, 10, device) for on_meta, device in ((True, "meta"), (False, "cpu"))
    ]
    # Attention keeps its weights there, and a fused one does not.
    assert sizes[1] <= sizes[0] <= sizes[1] * (1.15 if encoder == "vit_nano" else 1)


MINE = """
    '''Mine: an encoder and a line.'''
    import torch
    from torch import nn
    from bench.method import Method
    from bench.parts import gather
    from bench.spec import Recipe
    from bench.views import View

    class Mine(Method):
        paper = "arXiv:0000.00000"
        def __init__(self, make_encoder, data, *, width=8):
            super().__init__()
            self.views = (View(()),)
            self.recipe = Recipe("sgd", lr=0.1, batch_size=16)
            self.encoder = make_encoder()
            self.line = nn.Linear(self.encoder.dim, width)
        def loss(self, batch, progress):
            rows = self.line(self.encoder(batch.views[0]))
            {body}
            return rows.square().mean()
        def before_epoch(self, extract, generator):
            {hook}
            return ()
"""


def mine(folder, body="pass", hook="pass"):
    file = folder / "mine.py"
    file.write_text(textwrap.dedent(MINE).strip().format(body=body, hook=hook))
    return file


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("rows = rows @ rows", "cannot be multiplied (16x8 and 16x8) (mine.py:19)"),
        ("rows = rows[:, 8:9] + missing", "NameError: name 'missing' is not defined (mine.py:19)"),
        ("rows = rows.view(3, -1)", "(mine.py:19)"),
        ("assert len(rows) % 3 == 0, 'thirds'", "AssertionError: thirds (mine.py:19)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (mine.py:19)"),
        ("raise SystemExit('enough')", "SystemExit: enough (mine.py:19)"),
        ("raise SystemExit", "SystemExit (mine.py:19)"),
        ("return None", "loss returned NoneType; expected a tensor of one number that gradients reach (mine.py:17)"),
        ("return 1.0", "loss returned float; expected"),
        ("return rows.mean(1)", "loss returned a tensor of shape (16,); expected"),
        ("return rows.detach().mean()", "loss returned a number that depends on no parameter; expected"),
    ],
)
def test_a_failing_step_of_ones_own_is_told_with_file_and_line(tmp_path, body, told):
    message = refused(mine(tmp_path, body))
    assert "fails in its first step" in message and told in message


@pytest.mark.parametrize(
    "body",
    [
        "rows = rows * (1 if rows.sum().item() > 0 else 2)",
        "rows = rows[rows.sum(1) > 0]",
        "import numpy; numpy.asarray(rows.detach().numpy())",
        "with torch.autocast(rows.device.type, enabled=False): rows = rows * 1",
        "assert rows.device.type != 'meta', 'no numbers'",
        "if rows.device.type != 'cpu': raise RuntimeError('not here')",
    ],
)
def test_what_cannot_be_told_without_numbers_is_not_refused(tmp_path, body):
    assert complete(spec_of(mine(tmp_path, body))).complete


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "return self.encoder(images)[0]",
            "TypeError: encode of 2 images returned a tensor of shape (64,); expected a tensor [2, D] (mine.py:24)",
        ),
        ("pass", "encode of 2 images returned NoneType"),
        ("return self.projector(images)", "object has no attribute 'projector' (mine.py:25)"),
        ("assert len(images) > 2, 'more'; return self.encoder(images)", "AssertionError: more (mine.py:25)"),
        ("raise SystemExit", "SystemExit (mine.py:25)"),
    ],
)
def test_what_would_fail_after_the_training_is_refused(tmp_path, body, told):
    """It would be found when all of the budget is spent, and a file that is mended is another run."""
    file = mine(tmp_path)
    file.write_text(f"{file.read_text()}\n    def encode(self, images):\n        {body}\n")
    message = refused(file)
    assert "fails where it is evaluated, with resnet8 and images of 8 pixels" in message and told in message


@pytest.mark.parametrize(
    "body", ["return images.flatten(1)[:, : 1 + int(images.mean())]", "return torch.from_numpy(images.mean((2, 3)).numpy())"]
)
def test_an_encoding_that_needs_numbers_is_tried_with_them(tmp_path, body):
    file = mine(tmp_path)
    file.write_text(f"{file.read_text()}\n    def encode(self, images):\n        {body}\n")
    assert complete(spec_of(file)).complete


def test_what_the_hook_refuses_is_refused(tmp_path):
    cluster = "from bench.parts import kmeans; kmeans(extract(self.encode, 10), 11, generator)"
    assert "10 rows cannot make 11 clusters" in refused(mine(tmp_path, hook=cluster))
    assert complete(spec_of(mine(tmp_path, hook=cluster.replace("11", "9")))).complete


def test_a_recipe_is_not_changed_where_nothing_is_trained():
    with pytest.raises(UserError, match=r"recipe\.lr changes nothing: random is not trained"):
        complete(spec_of("random").replace(recipe_changes={"lr": 0.1}))
    assert complete(spec_of("random", 64)).recipe is None, "a batch size is said of a grid"


@pytest.mark.parametrize(
    ("method", "fields", "told"),
    [
        ("simclr", {"image_size": 4096}, "images of 4096 pixels"),
        ("simclr", {"image_size": 512, "encoder": "resnet50"}, "a step of 256 of them"),
        ("mae", {"image_size": 512, "encoder": "vit_base"}, "a step of 256 of them"),
        ("pca", {"image_size": 512, "hyper_parameters": {"reduced": 512}}, "its look at them"),
    ],
)
def test_what_cannot_fit_this_machine_is_refused(monkeypatch, method, fields, told):
    monkeypatch.setattr(memory, "total_memory", lambda: 2**30)
    message = refused(method, here=True, **fields)
    assert told in message and "and this machine has 1 GiB; expected a smaller --image-size" in message


def test_a_run_elsewhere_is_not_held_to_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "total_memory", lambda: 2**20)
    specs = [spec_of("simclr", image_size=32)]
    assert make_plan(specs, ("knn",), ResultStore(tmp_path)).runs
    with pytest.raises(UserError, match="of memory at least"):
        make_plan(specs, ("knn",), ResultStore(tmp_path), here=True)


def test_the_memory_of_a_control_group_counts(tmp_path):
    groups = tmp_path / "cgroup"
    groups.write_text("4:memory:/job/step\n0::/slice/unit\n2:cpu:/elsewhere\n")
    found = [str(path.relative_to(tmp_path)) for path in machine_memory.limits(groups, tmp_path)]
    assert found == [
        *("memory/job/step/memory.limit_in_bytes", "memory/job/memory.limit_in_bytes", "memory/memory.limit_in_bytes"),
        *("slice/unit/memory.max", "slice/memory.max", "memory.max"),
    ]
    assert list(machine_memory.limits(tmp_path / "nowhere", tmp_path)) == []
    assert 2**28 < machine_memory.total_memory() < 2**50
