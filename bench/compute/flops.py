"""How many FLOPs a function costs, counted by torch as it runs, and what its counter cannot see.

Products of matrices and vectors, convolutions, attention, distances and factors of matrices count, 2 for a multiply-add, forward and
backward. A part that has a product made by another library says so with `add_flops`. What does not count is in docs/protocol.md, with how
much it comes to.
B images, C channels.
"""

from collections.abc import Callable
from math import prod

import torch
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten

_told: list[float] = []
"""What `add_flops` has said to each of the counts that are going on, the outermost first."""


def convolution(images, weight, output, transposed: bool) -> int:
    """FLOPs of a convolution, from shapes: images [B, C, ...], output [B, K, ...], weight [K, C / groups, ...], or of a transposed one
    [C, K / groups, ...]. Each weight is used once at every position of the output, of a transposed one at every position of the input."""
    positions = (images if transposed else output)[2:]
    return 2 * images[0] * prod(positions) * prod(weight)


def convolution_backward(
    gradient, images, weight, bias, stride, padding, dilation, transposed, output_padding, groups, wanted, *, out_shape=None
) -> int:
    """FLOPs of those gradients of a convolution that are wanted: of its input, of its weights. Each is as many products as the convolution.

    In place of torch's own formula, which for the weights takes every channel of the input with every one of the output, whatever the
    groups (torch 2.15: a depthwise convolution's count is too high by its number of channels)."""
    return (wanted[0] + wanted[1]) * convolution(images, weight, gradient, transposed)


def matrix_by_vector(matrix, vector, *rest, **options) -> int:
    """FLOPs of [m, n] by [n]; or of [n] by [n]."""
    return 2 * prod(matrix)


def added_matrix_by_vector(added, matrix, *rest, **options) -> int:
    """FLOPs of [m, n] by [n], added to [m]."""
    return 2 * prod(matrix)


def eigenvectors(matrices, *rest, **options) -> int:
    """FLOPs of the eigenvalues and eigenvectors of symmetric matrices [..., n, n]: 9 n^3 of one (Golub and Van Loan, Matrix Computations,
    section 8.3, the symmetric QR algorithm with its transformations accumulated)."""
    return 9 * prod(matrices) * matrices[-1]


def singular_vectors(matrices, *rest, **options) -> int:
    """FLOPs of the singular values and vectors of [..., m, n]: 6 m n^2 + 20 n^3 for m >= n (Golub and Van Loan, figure 8.6.1). While they
    are counted, torch finds vectors also where values alone are asked for."""
    n, m = sorted(matrices[-2:])
    return prod(matrices[:-2]) * (6 * m + 20 * n) * n**2


def orthogonal_factor(matrices, *rest, **options) -> int:
    """FLOPs of Q and R of [..., m, n] by Householder: 4 m n^2 - 4 n^3 / 3 for m >= n, and the same of what is wider."""
    n, m = sorted(matrices[-2:])
    return prod(matrices[:-2]) * (12 * m - 4 * n) * n**2 // 3


def distances(rows, others, *rest, **options) -> int:
    """FLOPs of the distances of [..., n, d] from [..., m, d] (torch.cdist): as of their inner products."""
    return 2 * prod(rows) * others[-2]


def added_products(added, matrices, others, *rest, **options) -> int:
    """FLOPs of [b, n, d] by [b, d, m], added to one [n, m]."""
    return 2 * prod(matrices) * others[-1]


def recurrent_layer(rows, first, second, *rest, **options) -> int:
    """FLOPs of a layer of an LSTM on a CPU: every row [T, B, d] by both of its matrices."""
    return 2 * rows[0] * rows[1] * (prod(first) + prod(second))


def attention(tokens, key, value, width, heads, in_weight, in_bias, out_weight, *rest, **options) -> int:
    """FLOPs of nn.MultiheadAttention where torch makes all of it in one call, as in eval mode without gradient: tokens [B, T, d], or lists
    of tokens, by both matrices, and each of an image's with all others of it, twice."""
    lengths = [len(image) for image in tokens.unbind()]
    return 2 * sum(lengths) * (in_weight.numel() + out_weight.numel()) + 4 * width * sum(length**2 for length in lengths)


def transformer_block(tokens, width, heads, in_weight, in_bias, out_weight, out_bias, *rest, **options) -> int:
    """The same of nn.TransformerEncoderLayer, which has two matrices more."""
    hidden = sum(value.numel() for value in (rest[7], rest[9]))
    every = sum(len(image) for image in tokens.unbind())
    return attention(tokens, tokens, tokens, width, heads, in_weight, in_bias, out_weight) + 2 * every * hidden


for _formula in (attention, transformer_block):
    _formula._get_raw = True  # torch's counter then hands them tensors and not shapes, which lists of tokens do not have

FORMULAS = {
    aten.convolution_backward: convolution_backward,
    **dict.fromkeys((aten.mv, aten.dot, aten.vdot), matrix_by_vector),
    aten.addmv: added_matrix_by_vector,
    aten.addbmm: added_products,
    aten._linalg_eigh: eigenvectors,
    aten._linalg_svd: singular_vectors,
    aten.linalg_qr: orthogonal_factor,
    **dict.fromkeys((aten._euclidean_dist, aten._cdist_forward), distances),
    aten._cdist_backward: lambda gradient, *shapes, **options: distances(*shapes),
    aten.mkldnn_rnn_layer: recurrent_layer,
    aten.mkldnn_rnn_layer_backward: lambda *shapes, **options: 2 * recurrent_layer(*shapes),
    aten._native_multi_head_attention: attention,
    aten._transformer_encoder_layer_fwd: transformer_block,
}
"""Which of torch's formulas are replaced, and what it has none for."""


def count_flops(function: Callable[[], object]) -> float:
    """FLOPs of one call. Counts may be nested: the outer one has what the inner one has."""
    _told.append(0.0)
    try:
        with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter:
            function()
        return float(counter.get_total_flops()) + _told[-1]
    finally:
        _told.pop()


def count_flops_by_shapes(function: Callable[[], object]) -> float:
    """FLOPs of one call of which no number is computed: shapes alone are followed, which takes a tenth of the time. Unlike on torch's
    meta device, attention is the call that the real device makes of it. What is kept has no numbers: hand it a copy. RuntimeError where
    a shape depends on numbers (nonzero, item)."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        return count_flops(function)


def add_flops(flops: float) -> None:
    """Said by who makes a product that torch does not see (FAISS's): it counts wherever FLOPs are being counted, and else nowhere."""
    for number in range(len(_told)):
        _told[number] += flops
