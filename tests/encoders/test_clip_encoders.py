"""Encoders of clips: one for each frame is its image encoder; the 3-D one against torch's own layers, its FLOPs by hand."""

from math import prod

import pytest
import torch
from torch import nn

from bench.compute.flops import count_flops
from bench.data.clips import Clips
from bench.encoders import table
from bench.encoders.factory import factory
from bench.encoders.networks.resnet3d import over_frames

OF_CLIPS = [name for name, entry in table.entries().items() if entry.takes == "clips"]
OF_FRAMES = [name for name in OF_CLIPS if "frames" in table.require(name).offers]

pytestmark = pytest.mark.usefixtures("fixed_weights")


@pytest.mark.parametrize("name", OF_CLIPS)
def test_facts_are_of_a_clip_of_one_frame(name):
    entry = table.require(name)
    with torch.device("meta"):
        encoder, clip = factory(name, 32)().eval(), torch.empty(1, 1, 3, 32, 32)
        found = sum(value.numel() for value in encoder.parameters()), count_flops(lambda: encoder(clip)), encoder(clip).shape[1]
        assert found == (entry.facts.parameters, entry.facts.flops, entry.facts.dim) and found[2] == encoder.dim
        assert encoder(encoder.tried_with(32, 3)).shape == (2, encoder.dim)


@pytest.mark.parametrize("name", OF_FRAMES)
def test_an_encoder_of_frames_has_the_facts_of_its_network(name):
    entry = table.require(name)
    inner = table.require(entry.shape["network"])
    assert entry.facts == inner.facts and entry.version == inner.version and inner.takes == "images"


def test_a_clips_features_are_the_mean_of_its_frames():
    encoder, clips = factory("frames_resnet8", 16)(width=0.25).eval(), torch.rand(3, 5, 3, 16, 16)
    with torch.no_grad():
        slow = torch.stack([torch.stack([encoder.network(frame[None])[0] for frame in clip]) for clip in clips])
        assert torch.allclose(encoder.frames(clips), slow, rtol=1e-4, atol=1e-6)
        assert torch.allclose(encoder(clips), slow.mean(1), rtol=1e-4, atol=1e-6)
        assert torch.allclose(encoder(clips[:, :1]), encoder.network(clips[:, 0]), rtol=1e-4, atol=1e-6)


def test_batch_norm_over_frames_is_torchs_of_three_directions():
    ours, theirs, clips = nn.BatchNorm2d(4), nn.BatchNorm3d(4), torch.randn(2, 4, 3, 5, 6)
    torch.testing.assert_close(over_frames(ours, clips), theirs(clips))
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_a_3d_networks_flops_are_those_of_a_count_by_hand():
    encoder, clips, counted = factory("resnet3d_nano", 16)(), torch.rand(2, 8, 3, 16, 16), []
    for module in encoder.modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_hook(lambda layer, _, output: counted.append(2 * prod(output.shape[2:]) * layer.weight.numel() * 2))
    flops = count_flops(lambda: encoder(clips))
    assert flops == sum(counted) > 0
    counted.clear()
    # Of the first layer no gradient of its input is wanted.
    assert count_flops(lambda: encoder(clips).sum().backward()) == 3 * sum(counted) - counted[0]


def test_a_3d_network_knows_the_order_of_time():
    encoder, clips = factory("resnet3d_nano", 16)().eval(), torch.rand(2, 8, 3, 16, 16)
    with torch.no_grad():
        assert not torch.allclose(encoder(clips), encoder(clips.flip(1)))
        assert torch.equal(encoder(clips[:, :1]), encoder(clips[:, :1].flip(1)))


@pytest.mark.parametrize("name", ["frames_resnet8", "resnet3d_nano"])
def test_a_layout_in_memory_changes_no_weight(name):
    encoder = factory(name, 16)()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    after = Clips(8).laid_out(encoder).state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
