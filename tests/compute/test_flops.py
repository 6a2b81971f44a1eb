"""FLOPs: of known layers to the last one, of every encoder against a count by hand, and of what is said beside torch's counter."""

import copy

import pytest
import timm.layers
import torch
from torch import nn
from torch.nn import functional as F

from bench.compute.flops import add_flops, count_flops, count_flops_by_shapes
from bench.encoders import factory, table
from bench.pages import methods as methods_page

B, FIRST, SECOND, THIRD = 8, 5, 7, 3


def test_flops_of_a_linear_layer():
    layer, rows = nn.Linear(FIRST, SECOND), torch.randn(B, FIRST)
    once = 2 * B * FIRST * SECOND
    assert count_flops(lambda: layer(rows)) == once
    # Backward costs one product for the weights; the input asks for no gradient.
    assert count_flops(lambda: layer(rows).sum().backward()) == 2 * once
    assert count_flops(lambda: layer(rows.clone().requires_grad_()).sum().backward()) == 3 * once


def test_flops_of_two_layers_are_three_times_forward_less_the_first_inputs_gradient():
    first, second, rows = nn.Linear(FIRST, SECOND), nn.Linear(SECOND, THIRD), torch.randn(B, FIRST)
    flops = [2 * B * FIRST * SECOND, 2 * B * SECOND * THIRD]
    assert count_flops(lambda: second(first(rows).relu()).sum().backward()) == 3 * sum(flops) - flops[0]


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d])
@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 1, 1), (2, 1, 1), (1, 0, 1), (1, 1, 2), (2, 1, 4), (2, 0, 4)])
def test_flops_of_a_convolution(kind, stride, padding, groups):
    """Forward, the gradient of the weights, and that of the input, each by itself: as many. torch's formula is wrong of the second."""
    dims = int(kind.__name__[-2])
    layer = kind(4, 8, 3, stride, padding, groups=groups, bias=False)
    images = torch.randn(2, 4, *[7] * dims)
    side = 7 if "Transpose" in kind.__name__ else (7 + 2 * padding - 3) // stride + 1
    once = 2 * 2 * 8 * side**dims * (4 // groups) * 3**dims
    assert count_flops(lambda: layer(images)) == once
    assert count_flops(lambda: layer(images).sum().backward()) == 2 * once
    assert count_flops(lambda: layer(images.clone().requires_grad_()).sum().backward()) == 3 * once
    layer.requires_grad_(False)
    assert count_flops(lambda: layer(images.clone().requires_grad_()).sum().backward()) == 2 * once


def test_flops_of_attention():
    query = torch.randn(2, 3, 5, 4)
    assert count_flops(lambda: F.scaled_dot_product_attention(query, query, query)) == 2 * (2 * 2 * 3 * 5 * 5 * 4)


def test_flops_without_gradient_are_forward_alone_and_elementwise_work_is_free():
    layer, rows = nn.Linear(FIRST, SECOND), torch.randn(B, FIRST)
    with torch.no_grad():
        assert count_flops(lambda: layer(rows)) == 2 * B * FIRST * SECOND
    assert count_flops(lambda: rows.relu() * 2 + rows.exp()) == 0


def by_hand(network: nn.Module, images: torch.Tensor) -> tuple[float, float]:
    """FLOPs forward of the layers with weights, and of attention, from the sizes of what goes through them."""
    layers, attention = [], []

    def count(module, inputs, output):
        size = inputs[0].shape
        if isinstance(module, nn.Conv2d):
            channels, (height, width) = module.in_channels // module.groups, module.kernel_size
            layers.append(2 * output.numel() * channels * height * width)
        elif isinstance(module, nn.Linear):
            layers.append(2 * output.numel() * module.in_features)
        else:  # every token's scores with all tokens of the image, and as many products for their mean
            attention.append(2 * 2 * size[0] * size[1] ** 2 * size[2])

    kinds = (nn.Conv2d, nn.Linear, timm.layers.Attention)
    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, kinds)]
    network(images)
    for hook in hooks:
        hook.remove()
    return float(sum(layers)), float(sum(attention))


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, 32) for name, entry in table.entries().items() if entry.takes == "images"), ("resnet18", 96), ("convnext_tiny", 96)],
)
def test_flops_of_every_encoder_are_those_of_a_count_by_hand(name, size):
    """Forward, and both gradients: of the weights, and of what goes into each layer; each is as many products as the forward pass."""
    with torch.device("meta"):
        encoder, images = factory.factory(name, size)(), torch.empty(2, 3, size, size)
        layers, attention = by_hand(encoder, images)
        assert count_flops(lambda: encoder(images)) == layers + attention > 0
        assert count_flops(lambda: encoder(images.requires_grad_()).sum().backward()) == 3 * (layers + attention)


def test_attention_that_keeps_no_scores_makes_them_anew_for_its_gradients():
    """As torch's kernels do on a CPU and on a GPU: five products backward for two forward."""
    encoder, images = factory.factory("vit_nano", 32)(), torch.rand(1, 3, 32, 32)
    layers, attention = by_hand(encoder, images)
    assert count_flops(lambda: encoder(images.requires_grad_()).sum().backward()) == 3 * layers + 3.5 * attention


def test_what_torch_does_not_see_is_said_and_counts_in_every_count_that_is_going_on():
    add_flops(7.0)  # no count: nobody hears it
    inner = []

    def work():
        add_flops(1.0)
        inner.append(count_flops(lambda: add_flops(10.0)))

    assert (count_flops(work), inner) == (11.0, [10.0])
    with pytest.raises(ZeroDivisionError):
        count_flops(lambda: 1 / 0)
    assert count_flops(lambda: add_flops(3.0)) == 3.0


def test_products_with_a_vector_and_eigenvectors_count():
    matrix, vector = torch.randn(5, 7), torch.randn(7)
    assert count_flops(lambda: matrix @ vector) == count_flops(lambda: vector @ matrix.T) == 2 * 5 * 7
    assert count_flops(lambda: torch.addmv(vector[:5], matrix, vector)) == 2 * 5 * 7
    assert count_flops(lambda: vector @ vector) == 2 * 7
    symmetric = matrix.T @ matrix
    assert count_flops(lambda: torch.linalg.eigh(symmetric)) == 9 * 7**3
    assert count_flops(lambda: torch.linalg.eigh(symmetric.expand(3, 7, 7))) == 3 * 9 * 7**3


def test_distances_count_as_the_products_that_they_are_made_of():
    """A search by torch.cdist is no cheaper than one by inner products, whatever kernel torch takes."""
    rows, others = torch.randn(40, 6), torch.randn(50, 6)
    for more in ({}, {"p": 1.0}, {"compute_mode": "donot_use_mm_for_euclid_dist"}):
        assert count_flops(lambda more=more: torch.cdist(rows, others, **more)) == count_flops(lambda: rows @ others.T) == 2 * 40 * 50 * 6
        learned = rows.clone().requires_grad_()
        assert count_flops(lambda more=more, learned=learned: torch.cdist(learned, others, **more).sum().backward()) >= 2 * 2 * 40 * 50 * 6
    assert count_flops(lambda: torch.cdist(rows.expand(3, 40, 6), others.expand(3, 50, 6))) == 3 * 2 * 40 * 50 * 6
    assert count_flops(lambda: torch.addbmm(torch.zeros(40, 50), rows.expand(3, 40, 6), others.T.expand(3, 6, 50))) == 3 * 2 * 40 * 50 * 6


def test_factors_of_matrices_count():
    tall = torch.randn(9, 4)
    for matrix in (tall, tall.T):
        assert count_flops(lambda matrix=matrix: torch.linalg.svd(matrix)) == 6 * 9 * 4**2 + 20 * 4**3
        assert count_flops(lambda matrix=matrix: torch.linalg.qr(matrix)) == (12 * 9 - 4 * 4) * 4**2 // 3
    assert count_flops(lambda: torch.linalg.svd(tall.expand(5, 9, 4))) == 5 * count_flops(lambda: torch.linalg.svd(tall))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("norm_first", [False, True])
def test_a_layer_that_torch_makes_in_one_call_counts_as_its_parts(norm_first):
    """nn.TransformerEncoderLayer and nn.MultiheadAttention in eval mode without gradient, as where features are extracted."""
    images = torch.randn(2, 5, 32)
    layer = nn.TransformerEncoderLayer(32, 4, 48, dropout=0, batch_first=True, norm_first=norm_first)
    parts = count_flops(lambda: layer(images))
    assert parts == 2 * 10 * (4 * 32 * 32 + 2 * 32 * 48) + 4 * 2 * 5**2 * 32
    with torch.no_grad():
        assert count_flops(lambda: layer.eval()(images)) == parts
        hidden = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])  # two images, of which the second has three tokens
        tokens, pairs = {True: (10, 50), False: (8, 25 + 9)}[norm_first]
        stack = nn.TransformerEncoder(layer, 1, enable_nested_tensor=not norm_first)
        assert count_flops(lambda: stack.eval()(images, src_key_padding_mask=hidden)) == (
            2 * tokens * (4 * 32 * 32 + 2 * 32 * 48) + 4 * pairs * 32
        )
        alone = nn.MultiheadAttention(32, 4, batch_first=True).eval()
        assert count_flops(lambda: alone(images, images, images)) == 2 * 10 * 4 * 32 * 32 + 4 * 2 * 5**2 * 32


def test_a_recurrent_layer_counts():
    layer, rows = nn.LSTM(6, 8), torch.randn(7, 3, 6)
    once = 2 * 7 * 3 * 4 * 8 * (6 + 8)
    with torch.no_grad():
        assert count_flops(lambda: layer(rows)) == once
    assert count_flops(lambda: layer(rows)[0].sum().backward()) == 3 * once


@pytest.mark.parametrize("name", ["simclr", "dino", "mae", "cpc", "bert"])
def test_shapes_alone_give_the_flops_of_a_real_call(name):
    method, data = methods_page.made(name, methods_page.encoder_for(name)), methods_page.data_for(name)
    followed = methods_page.counted_by(count_flops_by_shapes, copy.deepcopy(method), data)
    assert followed == methods_page.counted_by(count_flops, method, data) > 0


def test_a_shape_that_depends_on_numbers_is_not_followed():
    with pytest.raises(RuntimeError, match="nonzero"):
        count_flops_by_shapes(lambda: torch.eye(2) @ torch.rand(2, 2)[torch.rand(2) > 0.5].T)
