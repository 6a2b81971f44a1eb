"""Weights that others trained: each format's own layout gives the features of the network that wrote it; what does not fit is refused."""

import argparse
import os

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from lightly.models.modules import MaskedVisionTransformerTIMM
from torch import nn

from bench.encoders import factory, formats, weights
from bench.encoders.networks.resnet_cifar import ResNetCIFAR
from bench.errors import UserError

pytestmark = pytest.mark.usefixtures("fixed_weights")

SIZE = 96
"""Pixels a side, of the large stem that published ResNets have."""


def lively(network):
    """Every number away from what a network begins with, statistics too."""
    for value in network.state_dict().values():
        if value.is_floating_point():
            nn.init.uniform_(value, 0.02, 0.06) if value.ndim > 1 else nn.init.uniform_(value, 0.5, 1.5)
    return network.eval()


def under(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def resnet_layouts(state):
    """Format -> what its authors' code saves of a ResNet with torchvision's names, whose classifier is `fc`."""
    body, fc = {k: v for k, v in state.items() if not k.startswith("fc.")}, {"fc.0.weight": torch.ones(3, 3)}
    numbers = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    sequential = {f"{numbers[key.split('.')[0]]}.{key.split('.', 1)[1]}": value for key, value in body.items()}
    head = {"projection_head.layers.0.weight": torch.ones(2)}
    return {
        "moco": {
            "epoch": 200,
            "state_dict": under("module.encoder_q.", body | fc) | under("module.encoder_k.", body) | {"module.queue": torch.ones(2, 2)},
            "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.03}]},
        },
        "moco-v3": {
            "state_dict": under("module.base_encoder.", body | fc)
            | under("module.momentum_encoder.", body)
            | {"module.predictor.0.weight": torch.ones(2)}
        },
        "vissl": {
            "phase_idx": 99,
            "classy_state_dict": {
                "base_model": {"model": {"trunk": under("_feature_blocks.", body), "heads": {"0.clf.0.weight": torch.ones(3)}}}
            },
        },
        "solo": {
            "state_dict": under("backbone.", body)
            | under("momentum_backbone.", body)
            | {"classifier.weight": torch.ones(3), "projector.0.weight": torch.ones(2)},
        },
        "lightly": {"state_dict": under("backbone.", body) | head | {"online_classifier.linear.weight": torch.ones(2)}},
        "lightly, examples": {"state_dict": under("backbone.", sequential) | head | under("backbone_momentum.", sequential)},
        "lightly, backbone": sequential,
        "dino": {
            "student": under("module.backbone.", {k: v + 1 for k, v in body.items()}),
            "teacher": under("backbone.", body) | {"head.mlp.0.weight": torch.ones(2)},
            "dino_loss": {"center": torch.ones(1, 2)},
            "args": argparse.Namespace(arch="resnet18"),
        },
        "timm": {"state_dict": state},
        "torchvision": state,
    }


def saved(content, folder):
    """The file's SHA-256, laid where runs look for it, and what `auto` takes it for."""
    path = folder / "weights.pth"
    torch.save(content, path)
    weights.keep(path, folder)
    return weights.sha256(path), formats.found("auto", weights.tensors_in(path))


RESNET_LAYOUTS = tuple(resnet_layouts({}))


@pytest.mark.parametrize("layout", RESNET_LAYOUTS)
@pytest.mark.parametrize("encoder", ["resnet18", "torchvision:resnet18"])
def test_a_resnet_of_every_format_has_its_own_features(tmp_path, layout, encoder):
    theirs = lively(torchvision.models.resnet18())
    digest, found = saved(resnet_layouts(theirs.state_dict())[layout], tmp_path)
    written = layout.split(",")[0].replace("moco-v3", "moco")
    assert found == written or layout == "timm", "names alone do not tell a ResNet of timm from torchvision's"
    filled = factory.factory(encoder, SIZE, tmp_path)(weights=digest, format=written).eval()
    theirs.fc, images = nn.Identity(), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(filled(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["mae", "dino", "lightly", "timm"])
def test_a_vit_of_every_format_has_its_own_features(tmp_path, layout):
    theirs = lively(timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=112, depth=2))
    state, mask = theirs.state_dict(), {"mask_token": torch.ones(1, 1, 4)}
    decoder = {"decoder_embed.weight": torch.ones(2, 2), "decoder_blocks.0.norm1.weight": torch.ones(2)}
    content = {
        "mae": lambda: {"model": state | mask | decoder, "args": argparse.Namespace(lr=1)},
        "dino": lambda: {"teacher": under("backbone.", state) | {"head.last_layer.weight_v": torch.ones(2)}, "student": {}},
        "lightly": lambda: {
            "state_dict": under("backbone.", MaskedVisionTransformerTIMM(vit=theirs).state_dict())
            | {"prediction_head.weight": torch.ones(2)}
        },
        "timm": lambda: state | {"head.weight": torch.ones(10, 192)},
    }[layout]()
    digest, found = saved(content, tmp_path)
    assert found == layout
    encoder = factory.factory("vit_tiny", 112)()
    encoder.vit.blocks = encoder.vit.blocks[:2]
    weights.fill(encoder.eval(), digest, layout, tmp_path, "vit_tiny", lambda name, size: factory.factory(name, size)())
    images = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("chunk", ["", "1."])
def test_dinov2_with_and_without_chunks(tmp_path, chunk):
    theirs = lively(timm.create_model("test_vit", num_classes=0, init_values=1e-5, img_size=64))
    state = {key.replace("blocks.", f"blocks.{chunk}", 1): value for key, value in theirs.state_dict().items()}
    digest, found = saved(
        {"teacher": under("backbone.", state | {"mask_token": torch.ones(1, 4)}) | {"dino_head.last.weight": torch.ones(2)}}, tmp_path
    )
    assert found == "dinov2"
    inside = formats.inner(formats.require(found), weights.tensors_in(weights.kept(digest, tmp_path)))
    assert set(inside) == set(theirs.state_dict()) and all(torch.equal(inside[key], value) for key, value in theirs.state_dict().items())


def test_solos_small_stem_pads_by_two(tmp_path):
    """No shape tells it (solo/methods/base.py)."""
    theirs = lively(torchvision.models.resnet18())
    theirs.conv1, theirs.maxpool, theirs.fc = nn.Conv2d(3, 64, 3, 1, 2, bias=False), nn.Identity(), nn.Identity()
    digest, found = saved({"state_dict": under("backbone.", theirs.state_dict()) | {"classifier.weight": torch.ones(2)}}, tmp_path)
    images = torch.rand(2, 3, 32, 32)
    filled = factory.factory("resnet18", 32, tmp_path)(weights=digest, format=found).eval()
    with torch.no_grad():
        torch.testing.assert_close(filled(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)


def test_our_own_files_are_read(tmp_path):
    ours = lively(factory.factory("resnet8", 32)())
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(under("encoder.", ours.state_dict()) | {"projector.0.weight": torch.ones(2)}, path)
    assert formats.found("auto", weights.tensors_in(path)) == "ours" and weights.keep(path, tmp_path) and not weights.keep(path, tmp_path)
    filled = factory.factory("resnet8", 32, tmp_path)(weights=weights.sha256(path), format="ours")
    assert all(torch.equal(value, ours.state_dict()[key]) for key, value in filled.state_dict().items())


def akamaster(network: ResNetCIFAR):
    """As the published files are: of before BatchNorm counted its batches."""
    names = {"stem.0.": "conv1.", "stem.1.": "bn1.", "layers.0.": "layer1.", "layers.1.": "layer2.", "layers.2.": "layer3."}
    state = {}
    for key, value in network.state_dict().items():
        for ours, theirs in names.items():
            key = theirs + key.removeprefix(ours) if key.startswith(ours) else key
        if not key.endswith("num_batches_tracked"):
            state[f"module.{key}"] = value
    return {"state_dict": state | {"module.linear.weight": torch.ones(10, 64)}, "best_prec1": 91.78}


def test_akamasters_files_are_read(tmp_path):
    theirs = lively(factory.factory("resnet20a", 32)())
    digest, found = saved(akamaster(theirs), tmp_path)
    filled, images = factory.factory("resnet20a", 32, tmp_path)(weights=digest, format=found).eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert found == "akamaster" and torch.equal(filled(images), theirs(images))


def refusal(content, tmp_path, encoder="resnet20a", size=32):
    """What a plan says, which builds on the meta device."""
    digest, found = saved(content, tmp_path)
    with torch.device("meta"), pytest.raises(UserError) as error:
        factory.factory(encoder, size, tmp_path)(weights=digest, format=found)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_architecture_is_refused_with_the_one_that_fits(tmp_path):
    content = akamaster(factory.factory("resnet20a", 32)())
    said = refusal(content, tmp_path, "resnet56a")
    assert "do not fit resnet56a at 32 pixels" in said and "missing: layers.0.3.conv1.weight" in said and "It fits resnet20a" in said
    content["state_dict"]["module.extra.weight"] = torch.ones(2)
    assert "1 left over: extra.weight. Nearest is resnet20a" in refusal(content, tmp_path)


def test_another_size_of_stem_is_refused(tmp_path):
    said = refusal(torchvision.models.resnet18().state_dict(), tmp_path, "resnet18")
    assert "1 of another shape: stem.0.weight [64, 3, 7, 7] for [64, 3, 3, 3]" in said and "It fits resnet18 at 224 pixels" in said


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    content = akamaster(factory.factory("resnet20a", 32)())
    content["state_dict"]["module.bn1.weight"] = torch.full((16,), torch.nan)
    assert "a number that is not finite, in stem.1.weight" in refusal(content, tmp_path)


class Runs:
    """A pickle that makes a folder when it is read by a reader that runs what it holds."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_wants_to_run_code_is_not_read(tmp_path):
    torch.save({"state_dict": {"module.conv1.weight": torch.ones(2)}, "more": Runs(tmp_path / "made")}, tmp_path / "wrong.pth")
    with pytest.raises(UserError, match=r"is not read: it asks for \w+.mkdir, and a pickle can run any code"):
        weights.tensors_in(tmp_path / "wrong.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut off"])
def test_what_holds_no_weights_is_refused(tmp_path, content):
    (tmp_path / "wrong.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"wrong.pth' (is not read|cannot be read)"):
        weights.tensors_in(tmp_path / "wrong.pth")


def test_unknown_formats_are_named():
    with pytest.raises(UserError, match=r"unknown format of weights 'mocoo'\. Did you mean 'moco'"):
        formats.found("mocoo", [])
    with pytest.raises(UserError, match="in no known format; their keys begin with a/b; expected --format ours, vissl"):
        formats.found("auto", ["a/b"])
