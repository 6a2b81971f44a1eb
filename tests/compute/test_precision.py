"""In how many bits networks compute: autocast, and attention on a CPU."""

import pytest
import torch
from torch.nn import functional as F

from bench.compute.flops import count_flops
from bench.compute.precision import computing_in, upcast


def attended(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, value=v, attn_mask=mask, scale=0.3)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_bf16_on_a_cpu_is_computed_in_float32(masked):
    draws = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 3, 5, 8, generator=draws).bfloat16().requires_grad_() for _ in range(3)]
    mask = torch.randn(5, 5, generator=draws).bfloat16() if masked else None
    with computing_in("bf16", "cpu"):
        output = attended(*inputs, mask)
    exact = [value.detach().float().requires_grad_() for value in inputs]
    expected = attended(*exact, mask.float() if masked else None)
    assert output.dtype == torch.bfloat16 and torch.equal(output, expected.bfloat16())
    output.float().square().sum().backward()
    expected.bfloat16().float().square().sum().backward()
    for own, other in zip(inputs, exact, strict=True):
        assert own.grad.dtype == torch.bfloat16 and torch.equal(own.grad, other.grad.bfloat16())


def test_everything_else_is_as_under_autocast():
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    with computing_in("bf16", "cpu"):
        assert (a @ b).dtype == torch.bfloat16 and (a + b).dtype == torch.float32
        with computing_in("float32", "cpu"):
            assert torch.equal(a @ b, a.mm(b)) and (a @ b).dtype == torch.float32
            assert attended(*(torch.randn(1, 1, 2, 4) for _ in range(3))).dtype == torch.float32
    assert attended(*(torch.randn(1, 1, 2, 4).bfloat16() for _ in range(3))).dtype == torch.bfloat16
    assert (a @ b).dtype == torch.float32


def test_attention_costs_as_many_flops_in_either_precision():
    def step():
        q, k, v = (torch.randn(2, 3, 5, 8, requires_grad=True) for _ in range(3))
        attended(q, k, v).float().sum().backward()

    counts = []
    for precision in ("bf16", "float32"):
        with computing_in(precision, "cpu"):
            counts.append(count_flops(step))
    assert counts[0] == counts[1] > 0


def test_whole_numbers_and_float64_stay():
    assert (
        upcast(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
        and upcast(torch.zeros(1, dtype=torch.int64)).dtype == torch.int64
    )
