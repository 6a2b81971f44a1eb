"""When a run is looked at on its way: at which steps, once, and as if nobody had looked."""

import contextlib

import pytest
from test_trainer import make, same, source, weights  # noqa: F401  # a fixture

from bench.machine.signals import Interrupted
from bench.training.checkpoint import Checkpoints
from bench.training.controls import Controls
from bench.training.snapshots import Snapshots
from bench.training.trainer import Trainer


def looking(seen, **controls):
    """Controls that note what was asked for, and at which step."""

    def look(trainer, asked):
        seen.append((asked, trainer.meter.steps))
        return {"asked": asked, "steps": trainer.meter.steps}

    return Controls(snapshot=look, **controls)


def test_of_several_shares_that_one_step_passed_the_last_is_due():
    snapshots = Snapshots((0.1, 0.2, 0.5))
    assert [snapshots.due(share) for share in (0.05, 0.1, 0.3, 1)] == [None, 0.1, 0.2, 0.5]
    snapshots.passed = 0.2
    assert snapshots.due(0.3) is None and snapshots.due(0.5) == 0.5


@pytest.mark.parametrize("at_once", [1, 5])
def test_looks_are_at_the_first_step_that_reaches_their_share(source, at_once):  # noqa: F811
    """However many losses are read at a time, as on a GPU."""
    plain, seen = make(source), []
    plain.run()
    trainer = make(source, controls=looking(seen, snapshots=(0.05, 0.08, 0.3, 1.0)))
    trainer.at_once = at_once
    trainer.run()
    assert seen == [(0.08, 1), (0.3, 4), (1.0, 12)] and [one["steps"] for one in trainer.snapshots.taken] == [1, 4, 12]
    assert same(weights(plain), weights(trainer)) and plain.curve.points == trainer.curve.points
    assert plain.meter.flops == trainer.meter.flops


@pytest.mark.parametrize("cut", [3, 4, 5])
def test_what_was_taken_is_not_taken_twice(source, tmp_path, cut):  # noqa: F811
    seen, shares = [], (0.3, 0.6)
    part = make(source, controls=looking(seen, snapshots=shares, checkpoints=Checkpoints(tmp_path, "run")))
    part.controls.stop = lambda: part.meter.steps == cut
    with pytest.raises(Interrupted):
        part.run()
    again = Trainer(make(source, seed=1).method, source, part.spec, looking(seen, snapshots=shares))
    again.load_state_dict(Checkpoints(tmp_path, "run").load())
    again.run()
    assert seen == [(0.3, 4), (0.6, 8)] and [one["asked"] for one in again.snapshots.taken] == [0.3, 0.6]


@pytest.mark.parametrize(("share", "step"), [(0.3, 4), (1.0, 12)])
def test_a_look_that_was_cut_short_is_taken_before_the_next_step(source, tmp_path, share, step):  # noqa: F811
    seen, kept = [], Checkpoints(tmp_path, "run")
    part = make(source, controls=Controls(kept, snapshots=(share,), snapshot=lambda *_: None))
    part.controls.stop = lambda: part.meter.steps == step
    with contextlib.suppress(Interrupted):  # after the last step there is nothing left to interrupt
        part.run()
    again = Trainer(make(source, seed=1).method, source, part.spec, looking(seen, snapshots=(share,), checkpoints=kept))
    again.load_state_dict(kept.load())
    again.run()
    assert seen == [(share, step)] and len(kept.load()["snapshots"]["taken"]) == 1


def test_a_look_is_in_a_checkpoint_at_once(source, tmp_path):  # noqa: F811
    """A kill after it costs nothing of it, also where the step before had one."""
    kept = []

    class Watched(Checkpoints):
        def write(self, step, state):
            kept.append((step, len(state["snapshots"]["taken"])))
            return super().write(step, state)

    make(source, controls=looking([], snapshots=(0.3,), checkpoints=Watched(tmp_path, "run"))).run()
    assert kept == [(4, 1), (12, 1)]


def test_shares_that_a_run_had_passed_without_being_asked_are_not_taken_late(source, tmp_path):  # noqa: F811
    part = make(source, controls=Controls(Checkpoints(tmp_path, "run")))
    part.controls.stop = lambda: part.meter.steps == 6
    with pytest.raises(Interrupted):
        part.run()
    state, seen = Checkpoints(tmp_path, "run").load(), []
    for known in (state, {name: value for name, value in state.items() if name != "snapshots"}):
        again = Trainer(make(source).method, source, part.spec, looking(seen, snapshots=(0.3, 0.75)))
        again.load_state_dict(known)
        again.run()
        assert seen == [(0.75, 9)]
        seen.clear()
