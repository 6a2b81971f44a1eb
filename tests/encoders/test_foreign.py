"""Encoders by other names: models of timm and torchvision, and a file of a user's own, for training and in a plan."""

import re

import pytest
import timm
import torch
import torchvision

from bench.encoders import factory, foreign, table
from bench.encoders.batch_norm import GroupedBatchNorm
from bench.encoders.encoder import Encoder
from bench.errors import UserError
from bench.plan.complete import complete
from bench.spec import Budget, RunSpec

SPEC = RunSpec(method="simclr", dataset="digits", budget=Budget("images", 512), image_size=32)

OWN = '''"""One convolution."""
from torch import nn
from bench.encoders.encoder import Encoder


class Mine(Encoder):
    offers = ("features", "feature_map")

    def __init__(self, in_channels=3):
        super().__init__()
        self.dim = 8
        self.conv = nn.Conv2d(in_channels, 8, 3, 2, 1)

    def stage_modules(self):
        return [self.conv]

    def stages(self, images):
        return [self.conv(images)]

    def forward(self, images):
        return self.conv(images).mean((2, 3))
'''


@pytest.fixture
def mine(here):
    (here / "mine.py").write_text(OWN)
    return here / "mine.py"


@pytest.mark.parametrize(
    ("name", "offers"),
    [
        ("timm:test_resnet", ("features", "feature_map")),
        ("timm:test_vit", ("features", "feature_map", "tokens")),
        ("torchvision:resnet18", ("features", "feature_map")),
        ("torchvision:vgg11", ("features",)),
        ("torchvision:vit_b_16", ("features",)),
    ],
)
def test_what_a_library_offers_is_kept(name, offers):
    entry = table.require(name)
    assert entry.offers == offers and re.fullmatch(re.escape(name) + "@[0-9a-f]{8}", entry.name) and entry.version == 1
    with torch.device("meta"):
        encoder, images = factory.factory(entry.name, 64)().eval(), torch.empty(2, 3, 64, 64)
        features = encoder(images)
        assert isinstance(encoder, Encoder) and features.shape == (2, encoder.dim) and features.dtype == torch.float32
        if "feature_map" in offers:
            stages = encoder.stages(images)
            assert encoder.feature_map(images).shape == stages[-1].shape and stages[-1].shape[:2] == (2, encoder.dim)
            assert len(encoder.stage_modules()) == len(stages)
        if "tokens" in offers:
            assert encoder.tokens(images).shape == (2, 1 + (64 // encoder.patch_size) ** 2, encoder.dim)


def test_features_are_the_librarys_own(fixed_weights):
    images = torch.rand(2, 3, 64, 64)
    for name, theirs in (
        ("timm:test_resnet", timm.create_model("test_resnet", num_classes=0)),
        ("timm:test_vit", timm.create_model("test_vit", num_classes=0, img_size=64)),
        ("torchvision:resnet18", torchvision.models.resnet18()),
    ):
        if name.startswith("torchvision"):
            theirs.fc = torch.nn.Identity()
        encoder = factory.factory(name, 64)()
        inside = encoder.vit if hasattr(encoder, "vit") else encoder.network
        inside.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(encoder.eval()(images), theirs.eval()(images), rtol=1e-5, atol=1e-5)


def test_a_plan_pins_the_structure_and_refuses_another():
    run = complete(SPEC.replace(encoder="timm:test_resnet"))
    assert run.encoder == table.require("timm:test_resnet").name and run.encoder_version == 1
    assert complete(run.replace(encoder=run.encoder)).id == run.id
    other = "timm:test_resnet@00000000"
    with pytest.raises(UserError, match=rf"planned with the encoder {other}, and it is {run.encoder} now"):
        table.require(other)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm:test_resnett", "unknown model of timm 'test_resnett'. Did you mean 'test_resnet"),
        ("timm:test_vit.nope", "Invalid pretrained tag"),
        ("torchvision:resnt18", "Did you mean 'resnet18'"),
        ("torchvision:squeezenet1_0", "no linear layer of classes"),
        ("tim:resnet18", "unknown library of encoders 'tim'. Did you mean 'timm'"),
        ("nowhere.py", "there is no file 'nowhere.py'"),
        ("nothing.py", "'nothing.py' does not say what it offers; expected an Encoder"),
    ],
)
def test_a_wrong_name_is_one_line(here, name, said):
    (here / "nothing.py").write_text("size = 1\n")
    with pytest.raises(UserError) as error:
        table.require(name)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_what_a_librarys_network_is_not_made_for_is_refused():
    build = factory.factory("torchvision:resnet18", 32)
    with torch.device("meta"), pytest.raises(UserError, match="has one width"):
        build(width=0.5)
    with torch.device("meta"), pytest.raises(UserError, match="3 channels, and the method asks for 1"):
        build(in_channels=1)
    with pytest.raises(UserError, match="patches are of 16 pixels; expected a multiple of 16"):
        factory.factory("timm:test_vit", 40)()
    with torch.device("meta"):
        norms = [module for module in build(bn_groups=4).modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
        assert norms and all(isinstance(module, GroupedBatchNorm) and module.groups == 4 for module in norms)
        with pytest.raises(UserError, match="cannot take its statistics over 4 groups"):
            factory.factory("timm:test_efficientnet", 32)(bn_groups=4)


def test_a_file_of_ones_own_is_an_encoder_by_its_text(mine):
    run = complete(SPEC.replace(encoder="mine.py"))
    assert run.encoder == f"mine.py@{foreign.digest('mine.py')}"
    mine.write_text(OWN + "\n# changed\n")
    assert complete(SPEC.replace(encoder="mine.py")).id != run.id
    with pytest.raises(UserError, match="planned with the encoder"):
        table.require(run.encoder)
    assert foreign.normal("./mine.py") == "mine.py"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("self.dim = 8", "self.dim = 9", r"forward\(\) gives \[2, 8\]; expected \[2, 9\]"),
        ("return [self.conv]", "return []", r"1 stages\(\) and 0 stage_modules\(\)"),
        ("return [self.conv(images)]", "return [self.conv(images).flatten(1)]", r"stage 0 of stages\(\) gives"),
        ("class Mine(Encoder)", "class Mine(nn.Module)", "exactly one Encoder"),
        ("from torch import nn", "from torch import nnn", "cannot be imported"),
    ],
)
def test_a_file_that_does_not_keep_its_word_is_refused_by_the_plan(mine, old, new, said):
    mine.write_text(OWN.replace(old, new))
    with pytest.raises(UserError, match=said):
        complete(SPEC.replace(encoder="mine.py"))


def test_what_a_file_does_not_take_is_said(mine):
    with pytest.raises(UserError, match=r"takes no width, and the method asks for 0\.5"):
        factory.factory("mine.py", 32)(width=0.5)
    with pytest.raises(UserError, match="takes no bn_groups, and the method asks for 8"):
        factory.factory("mine.py", 32)(bn_groups=8)
