"""The meter: whose time is charged, and the share of a budget that is spent, in every unit."""

import threading
import time

import pytest
import torch

from bench.spec import Budget
from bench.training.meter import COUNTERS, Meter


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
def test_share(unit, counter):
    meter, budget = Meter(), Budget(unit, 30)
    seen = []
    for spent in (0, 10, 15, 29, 30, 31):
        setattr(meter, counter, spent)
        seen.append(meter.share(budget))
    assert seen == [0, 10 / 30, 0.5, 29 / 30, 1, 1]
    assert all(Meter().share(Budget(other, 1)) == 0 for other in ("steps", "images", "flops", "seconds"))


def test_share_is_one_only_when_all_is_spent():
    meter = Meter()
    for amount in (3, 7, 1e5, 123456789, 2e15):
        budget = Budget("flops", amount)
        meter.flops = float(torch.nextafter(torch.tensor(amount, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)))
        assert meter.share(budget) < 1
        meter.flops = amount
        assert meter.share(budget) == 1


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
    passing = {"device", "running_since", "cpu_since", "own_cpu_seconds", "cpu_seconds_before"}
    assert set(state) == {*vars(Meter())} - passing | {"cpu_seconds"} == {*COUNTERS, "cpu_seconds"}
    for name in COUNTERS:
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


def test_cpu_time_is_that_of_what_is_charged_and_survives_a_restart(monkeypatch):
    """Not of what lies between, nor of waiting; of all threads."""
    clock = {"now": 100.0}
    monkeypatch.setattr(time, "process_time", lambda: clock["now"])

    def work(seconds):
        clock["now"] += seconds

    meter = Meter()
    with meter.charging():
        work(2)
        time.sleep(0.02)
    work(50)
    with meter.setting_up():
        work(50)
    with meter.charging(wait=False):
        work(1)
    work(1)
    meter.settle()
    assert meter.cpu_seconds == 4 and meter.seconds >= 0.02
    meter.add_up()
    again = Meter()
    again.load_state_dict(meter.state_dict())
    with again.charging():
        work(3)
    assert (meter.cpu_seconds, again.cpu_seconds) == (4, 7)


def test_cpu_time_of_all_processes_is_added_and_one_that_was_never_measured_stays_unknown(monkeypatch):
    meter = Meter()
    meter.own_cpu_seconds = 3.0
    monkeypatch.setattr("bench.compute.collectives.total", lambda value: 2 * value)
    meter.add_up()
    assert meter.cpu_seconds == 6
    meter.add_up()
    assert meter.cpu_seconds == 6, "nothing is added twice"
    old = {name: value for name, value in meter.state_dict().items() if name != "cpu_seconds"}
    meter.load_state_dict(old)
    with meter.charging():
        pass
    meter.add_up()
    assert meter.cpu_seconds is None and meter.state_dict()["cpu_seconds"] is None


def test_threads_cpu_time_is_in_it():
    meter = Meter()
    with meter.charging():
        thread = threading.Thread(target=lambda: sum(range(3_000_000)))
        thread.start()
        thread.join()
    assert meter.cpu_seconds > 0.01
