"""How many FLOPs a function costs, counted by torch as it runs, and what its counter cannot see.

Products of matrices and vectors, convolutions, attention and eigenvectors count, 2 for a multiply-add, forward and backward. A part that
has a product made by another library says so with `add_flops`. What does not count is in docs/protocol.md, with how much it comes to.
B images, C channels.
"""

from collections.abc import Callable
from math import prod

import torch
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


FORMULAS = {
    aten.convolution_backward: convolution_backward,
    **dict.fromkeys((aten.mv, aten.dot, aten.vdot), matrix_by_vector),
    aten.addmv: added_matrix_by_vector,
    aten._linalg_eigh: eigenvectors,
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


def add_flops(flops: float) -> None:
    """Said by who makes a product that torch does not see (FAISS's): it counts wherever FLOPs are being counted, and else nowhere."""
    for number in range(len(_told)):
        _told[number] += flops
