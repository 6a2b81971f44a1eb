"""`export`: other programs load a run's encoder to the same features; its card says what it is."""

import re

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn

from bench.commands.card import Exported, card
from bench.encoders import factory, table
from bench.errors import UserError
from bench.records.store import ResultStore
from bench.run import export
from bench.run.weights import sha256
from bench.spec import RunSpec

pytestmark = pytest.mark.usefixtures("fixed_weights")


@pytest.fixture
def trained(here, bench):
    """A run of two steps with a ViT, kept: (its record, the bench)."""
    code, _, err = bench(
        *("run", "--method", "rotation", "--encoder", "vit_nano", "--dataset", "digits", "--budget", "64images", "--seeds", "0"),
        *("--image-size", "28", "--set", "batch_size=32", "--evals", "knn", "--keep-weights", "encoder", "--launcher", "debug"),
    )
    assert code == 0, err
    (record,) = ResultStore(here / "results").records()
    return record


def test_timm_loads_it_to_the_same_features(here, bench, trained):
    code, out, err = bench("export", trained.id[:6], "--format", "timm", "--output", "out")
    assert code == 0 and "wrote  out/encoder.safetensors" in out, err
    page = (here / "out/README.md").read_text()
    for text in (trained.id, "rotation seed 0, vit_nano, on digits", "| knn ", "| hyper-parameter ", "| recipe lr ", "64"):
        assert text in page
    code = re.search(r"```python\n(.*?)\n```", page, re.S)[1].replace("encoder.safetensors", "out/encoder.safetensors")
    names: dict = {}
    exec(code, names)
    (kept,) = (here / "results/digits").glob("*.safetensors")
    ours, size = factory.factory("vit_nano", trained.spec["image_size"])(), trained.spec["image_size"]
    ours.load_state_dict(safetensors.torch.load_file(kept))
    images = torch.rand(3, 3, size, size)
    with torch.no_grad():
        assert torch.equal(names["encoder"](images), ours.eval()(images))


def test_where_weights_are_gone_it_says_how_to_make_them(here, bench, trained):
    (kept,) = (here / "results/digits").glob("*.safetensors")
    (scratch,) = (here / ".scratch").glob("*/weights.safetensors")
    assert bench("export", trained.id, "--output", "out")[0] == 0
    own = safetensors.torch.load_file(here / "out/encoder.safetensors")
    scratch.unlink()
    assert bench("export", trained.id, "--output", "again")[0] == 0, "they are beside the record"
    again = safetensors.torch.load_file(here / "again/encoder.safetensors")
    assert set(own) == set(again) and all(torch.equal(own[key], again[key]) for key in own)
    kept.unlink()
    code, _, err = bench("export", trained.id)
    assert code == 2 and "--keep-weights encoder" in err and not (here / "exports").exists()
    assert bench("export", trained.id, "--format", "tim")[2].strip().endswith("Did you mean 'timm'?  Known: safetensors, timm, torchvision")


@pytest.mark.parametrize(
    ("name", "size", "library"),
    [
        ("resnet18", 96, "torchvision"),
        ("resnet18", 96, "timm"),
        ("convnext_tiny", 96, "timm"),
        ("timm:test_resnet", 64, "timm"),
        ("timm:test_vit", 64, "timm"),
        ("torchvision:resnet18", 64, "torchvision"),
    ],
)
def test_every_counterpart_has_the_same_features(name, size, library, tmp_path):
    entry, ours = table.require(name), factory.factory(name, size)().eval()
    for value in ours.state_dict().values():
        if value.is_floating_point() and value.ndim == 1:
            nn.init.uniform_(value, 0.5, 1.5)
    model, options = export.counterpart(entry, ours, size, library)
    path = tmp_path / ("encoder.pth" if library == "torchvision" else "encoder.safetensors")
    export.save(export.by_their_names(ours, library, model, options), path, {})
    if library == "timm":
        theirs = timm.create_model(model, num_classes=0, **options, checkpoint_path=str(path)).eval()
    else:
        theirs = torchvision.models.get_model(model, **options)
        theirs.fc = nn.Identity()
        theirs.load_state_dict(torch.load(path, weights_only=True))
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        expected, features = theirs.eval()(images), ours(images)
    if entry.family == "resnet":
        # Our projections pick every second pixel before they multiply, theirs while they do: sums in another order.
        torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(features, expected)


@pytest.mark.parametrize(
    ("name", "size", "library"),
    [("resnet8", 32, "timm"), ("resnet18", 32, "torchvision"), ("vit_nano", 32, "torchvision"), ("convnext_tiny", 32, "timm")],
)
def test_what_has_no_counterpart_is_named(name, size, library):
    with torch.device("meta"):
        encoder = factory.factory(name, size)()
    with pytest.raises(UserError, match=f"{name} at {size} pixels has no counterpart in {library}; expected --format safetensors"):
        export.counterpart(table.require(name), encoder, size, library)


def test_a_card_shows_text_as_it_is(trained):
    wrong = RunSpec.from_json(trained.spec).replace(dataset="a|b<script>").to_json()
    exported = Exported("safetensors", "encoder.safetensors", "", {}, (0.5,) * 3, (0.5,) * 3, False)
    page = card([type(trained)(**{**vars(trained), "spec": wrong})], exported)
    assert r"a\|b\<script\>" in page and "a|b<script>" not in page and "not the encoder's alone" in page


def test_hashes_tell_another_training(here, trained):
    """Of weights that are all of the method's, and not those that were measured."""
    from bench.data.catalogue import DataSets
    from bench.data.source import load_source
    from bench.run.build import build_method

    spec = RunSpec.from_json(trained.spec)
    source, classes = load_source(spec, DataSets(None).require("digits"))
    method = build_method(spec, source, classes)
    assert sha256(method) != trained.weights_sha256
    safetensors.torch.save_file({key: value.contiguous() for key, value in method.state_dict().items()}, here / "other.safetensors")
    encoder, _ = export.evaluated(method, spec, torch.device("cpu"))
    with pytest.raises(UserError, match="are not those that"):
        export.load(method, encoder, here / "other.safetensors", trained)


def test_an_encoder_of_ones_own_needs_no_convolution(here, bench):
    (here / "mean.py").write_text(
        '"""The mean of each channel."""\n'
        "from torch import nn\n"
        "from bench.encoders.encoder import Encoder\n"
        "class Mean(Encoder):\n"
        "    offers = ('features',)\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.dim, self.layer = 5, nn.Linear(3, 5)\n"
        "    def forward(self, images):\n"
        "        return self.layer(images.mean((2, 3)))\n"
    )
    given = ("--method", "random", "--encoder", "mean.py", "--dataset", "digits", "--budget", "1images", "--seeds", "0", "--evals", "nesum")
    code, _, err = bench("run", *given, "--keep-weights", "encoder", "--launcher", "debug")
    assert code == 0, err
    (record,) = ResultStore(here / "results").records()
    code, _, err = bench("export", record.id, "--output", "out")
    (kept,) = (here / "results/digits").glob("*.safetensors")
    assert code == 0 and set(safetensors.torch.load_file(here / "out/encoder.safetensors")) == set(safetensors.torch.load_file(kept)), err
    code, _, err = bench("export", record.id, "--format", "timm")
    assert code == 2 and "has no counterpart in timm" in err.splitlines()[-1]
