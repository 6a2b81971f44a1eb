"""The meter: FLOPs of known layers to the last one, whose time is charged, and progress in every unit."""

import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.spec import Budget
from bench.training.meter import COUNTERS, Meter, count_flops

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


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 1, 1), (2, 1, 1), (1, 0, 1)])
def test_flops_of_a_convolution(stride, padding, groups):
    layer = nn.Conv2d(4, 6, 3, stride, padding, groups=groups, bias=False)
    images = torch.randn(2, 4, 9, 9)
    side = (9 + 2 * padding - 3) // stride + 1
    once = 2 * 2 * 6 * side**2 * (4 // groups) * 9
    assert count_flops(lambda: layer(images)) == once
    assert count_flops(lambda: layer(images).sum().backward()) == 2 * once
    assert count_flops(lambda: layer(images.clone().requires_grad_()).sum().backward()) == 3 * once


def test_flops_of_attention():
    query = torch.randn(2, 3, 5, 4)
    assert count_flops(lambda: F.scaled_dot_product_attention(query, query, query)) == 2 * (2 * 2 * 3 * 5 * 5 * 4)


def test_flops_without_gradient_are_forward_alone_and_elementwise_work_is_free():
    layer, rows = nn.Linear(FIRST, SECOND), torch.randn(B, FIRST)
    with torch.no_grad():
        assert count_flops(lambda: layer(rows)) == 2 * B * FIRST * SECOND
    assert count_flops(lambda: rows.relu() * 2 + rows.exp()) == 0


def test_charged_time_and_setup_time_are_apart():
    meter = Meter()
    with meter.charging():
        time.sleep(0.05)
    assert 0.05 <= meter.seconds < 0.5 and meter.setup_seconds == 0
    charged = meter.seconds
    with meter.setting_up():
        time.sleep(0.05)
    assert meter.seconds == charged and 0.05 <= meter.setup_seconds < 0.5
    time.sleep(0.05)
    assert meter.seconds == charged
    with meter.charging():
        time.sleep(0.05)
    assert charged + 0.05 <= meter.seconds < charged + 0.5


def test_time_is_charged_when_the_work_fails():
    meter = Meter()
    with pytest.raises(RuntimeError, match="on purpose"), meter.charging():
        time.sleep(0.02)
        raise RuntimeError("on purpose")
    assert meter.seconds >= 0.02


def test_a_step_of_each_kind_is_measured_once_and_off_the_clock():
    meter, calls = Meter(), []

    def measure(value):
        calls.append(value)
        time.sleep(0.02)
        return value

    assert [meter.flops_of_step("phase 0", lambda: measure(7.0)) for _ in range(3)] == [7.0] * 3
    assert meter.flops_of_step("phase 1", lambda: measure(9.0)) == 9.0
    assert calls == [7.0, 9.0] and meter.seconds == 0 and meter.setup_seconds >= 0.04


@pytest.mark.parametrize(("unit", "counter"), [("steps", "steps"), ("images", "images"), ("flops", "flops"), ("seconds", "seconds")])
def test_progress(unit, counter):
    meter, budget = Meter(), Budget(unit, 30)
    seen = []
    for spent in (0, 10, 15, 29, 30, 31):
        setattr(meter, counter, spent)
        seen.append(meter.progress(budget))
    assert seen == [0, 10 / 30, 0.5, 29 / 30, 1, 1]
    assert all(Meter().progress(Budget(other, 1)) == 0 for other in ("steps", "images", "flops", "seconds"))


def test_progress_is_one_only_when_all_is_spent():
    meter = Meter()
    for amount in (3, 7, 1e5, 123456789, 2e15):
        budget = Budget("flops", amount)
        meter.flops = float(torch.nextafter(torch.tensor(amount, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)))
        assert meter.progress(budget) < 1
        meter.flops = amount
        assert meter.progress(budget) == 1


def test_state_round_trip_adds_up_across_restarts():
    meter = Meter()
    meter.steps, meter.images, meter.flops = 3, 96, 1.25e9
    meter.flops_of_step("phase 0", lambda: 5.0)
    with meter.charging():
        time.sleep(0.01)
    again = Meter()
    again.load_state_dict(meter.state_dict())
    assert all(getattr(again, name) == getattr(meter, name) for name in COUNTERS)
    assert again.flops_of_step("phase 0", lambda: pytest.fail("measured twice")) == 5.0
    with again.charging():
        time.sleep(0.01)
    assert again.seconds >= meter.seconds + 0.01


def test_state_holds_every_counter_and_all_are_needed():
    state = Meter().state_dict()
    assert set(state) == {name for name in vars(Meter()) if name not in ("device", "running_since")}
    for name in state:
        with pytest.raises(KeyError):
            Meter().load_state_dict({key: value for key, value in state.items() if key != name})


def test_a_charge_that_does_not_wait_runs_on(monkeypatch):
    """Until one that waits, `settle` or what is not charged; what lies between is paid, and nothing twice."""
    clock = iter(range(100))
    monkeypatch.setattr(Meter, "now", lambda self: next(clock))
    meter = Meter()
    with meter.charging(wait=False):
        pass
    assert meter.seconds == 0
    with meter.charging():
        pass
    assert meter.seconds == 1, "from the start of the first charge to the end of the second: two looks at the clock"
    with meter.charging(wait=False):
        pass
    with meter.setting_up():
        pass
    assert (meter.seconds, meter.setup_seconds) == (2, 1)
    with meter.charging(wait=False):
        pass
    meter.settle()
    meter.settle()
    assert meter.seconds == 3
