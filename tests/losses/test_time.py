"""Methods that learn from the order of time: each loss against a slow formula from its paper, and the draws that pose its question."""

import itertools
import math
import re

import pytest
import torch
from torch.nn import functional as F

import methods
from bench.compute.randomness import Draws
from bench.data.clips import ClipInfo
from bench.encoders.factory import factory
from bench.method import Batch, build
from methods.odd_one_out import sum_of_differences
from methods.shuffle_and_learn import TUPLES, motion, windows
from methods.time_contrastive import semi_hard_triplets
from methods.time_cpc import find_frames

pytestmark = pytest.mark.usefixtures("fixed_weights")

FRAMES, SIZE = 8, 16
INFO = ClipInfo(32, SIZE, frames=FRAMES)


def make(name, encoder="frames_resnet8", **hyper_parameters):
    def make_encoder(**options):
        return factory(encoder, SIZE)(width=0.25, **options)

    return build(methods.load(name), make_encoder, INFO, 0, hyper_parameters)


def numbered(count=6):
    """Clips whose frames say which they are: every number of frame t of clip n is n + t / 100."""
    value = torch.arange(count)[:, None] + torch.arange(FRAMES) / 100
    return value[..., None, None, None].expand(-1, -1, 3, SIZE, SIZE).contiguous()


def batch_of(*views, key="test"):
    count = len(views[0])
    return Batch(views, torch.arange(count), Draws(key, total=count))


def times(clips):
    """Which frames there are: int64 [B, t]"""
    return (100 * (clips[:, :, 0, 0, 0] % 1)).round().long()


def test_video_simclr_is_nt_xent_of_two_stretches():
    method, views = make("video_simclr", temperature=0.2), [torch.randn(5, 4, 3, SIZE, SIZE) for _ in range(2)]
    with torch.no_grad():
        found = method.loss(batch_of(*views), 0.0)
        rows = F.normalize(method.projector(method.encoder(torch.cat(views))), dim=1)
    total = 0.0
    for own in range(10):
        similar = [math.exp(float(rows[own] @ rows[other]) / 0.2) for other in range(10)]
        total -= math.log(similar[(own + 5) % 10] / (sum(similar) - similar[own]))
    assert found.item() == pytest.approx(total / 10, rel=1e-5)


def test_stretches_lie_as_far_apart_as_cvrls():
    """Of n places to begin, 2 (n - k) of n^2 pairs are k apart: falling linearly, as section 3.2 has it."""
    view = make("video_simclr").views[0]
    items = torch.arange(FRAMES, dtype=torch.uint8)[None, :, None, None, None].expand(20_000, -1, 1, 1, 1)
    first, second = (view.taken(items, Draws("apart", number, total=20_000))[:, 0].flatten().int() for number in (0, 1))
    places = FRAMES - view.frames + 1
    shares = torch.bincount((first - second).abs(), minlength=places) / 20_000
    expected = torch.tensor([(1 if k == 0 else 2) * (places - k) / places**2 for k in range(places)])
    assert (shares - expected).abs().max() < 0.02


def test_arrow_of_time_turns_half_of_the_clips_round():
    method, seen = make("arrow_of_time"), []
    original = method.encoder.forward
    method.encoder.forward = lambda clips: (seen.append(clips), original(clips))[1]
    batch = batch_of(numbered(64))
    with torch.no_grad():
        found = method.loss(batch, 0.0)
        features = original(seen[0])
    played = times(seen[0].unflatten(0, (-1, 2)).flatten(1, 2))
    backwards = Draws("test", total=64).randint(2)
    for row, turned in zip(played.tolist(), backwards.tolist(), strict=True):
        assert row == (list(range(FRAMES))[::-1] if turned else list(range(FRAMES)))
    assert 16 < backwards.sum() < 48
    scores = method.classifier(features.unflatten(0, (64, 2)).flatten(1)).detach()
    slow = sum(-math.log(math.exp(s[y]) / (math.exp(s[0]) + math.exp(s[1]))) for s, y in zip(scores.tolist(), backwards, strict=True)) / 64
    assert found.item() == pytest.approx(slow, rel=1e-5)


def test_shuffle_and_learn_asks_about_the_papers_tuples():
    method = make("shuffle_and_learn")
    frames, wrong = method.tuples(numbered(4_000), batch_of(numbered(4_000)))
    for row, out_of_order in zip(times(frames).tolist(), wrong.tolist(), strict=True):
        first, middle, last = row if row[0] < row[2] else row[::-1]
        assert last - first == 2, "b and d, with c between them"
        assert (first < middle < last) != bool(out_of_order)
        assert middle - first in ((-1, 3) if out_of_order else (1,)), "a, e or c"
    assert wrong.float().mean() == pytest.approx(0.75, abs=0.02)
    turned = torch.tensor([row[0] > row[2] for row in times(frames).tolist()]).float().mean()
    assert turned == pytest.approx(0.5, abs=0.03) and TUPLES[0] == (1, 2, 3)
    assert method.chance_loss(64) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))


def test_windows_are_drawn_in_proportion_to_motion():
    clips = torch.zeros(1, FRAMES, 1, 2, 2)
    clips[0, 6:] = 1  # one move, from frame 5 to 6
    moves = motion(clips)
    assert moves.tolist() == [[0, 0, 0, 0, 0, 1, 0]]
    starts = windows(moves.expand(1000, -1), 4, torch.rand(1000, generator=torch.Generator().manual_seed(0)))
    assert set(starts.tolist()) == {2, 3}, "windows of five frames that hold the move"
    still = windows(torch.zeros(1000, 7), 4, torch.rand(1000, generator=torch.Generator().manual_seed(0)))
    assert set(still.tolist()) == {0, 1, 2, 3}
    assert windows(torch.ones(1, 7), 4, torch.tensor([0.999999])).item() == 3


def test_shuffle_and_learns_loss_is_the_cross_entropy_of_its_tuples():
    method, batch = make("shuffle_and_learn"), batch_of(torch.randn(6, FRAMES, 3, SIZE, SIZE))
    with torch.no_grad():
        found = method.loss(batch, 0.0)
        frames, wrong = method.tuples(batch.views[0], batch_of(batch.views[0]))
        three = method.encoder.network(frames.flatten(0, 1)).view(6, -1)
        logs = method.classifier(three).log_softmax(1)
    assert found.item() == pytest.approx(-sum(float(logs[row, wrong[row]]) for row in range(6)) / 6, rel=1e-5)


def test_the_sum_of_differences_is_over_all_pairs():
    frames = torch.randn(3, 5, 4, dtype=torch.float64)
    slow = sum(frames[:, i] - frames[:, j] for i, j in itertools.combinations(range(5), 2))
    assert torch.allclose(sum_of_differences(frames), slow)


def test_one_part_of_odd_one_out_is_not_in_order():
    method = make("odd_one_out")
    which, odd = method.questions(batch_of(numbered(500)))
    steps = which.diff(dim=2)
    in_order = (steps == 1).all(2)
    assert torch.equal((~in_order).sum(1), torch.ones(500, dtype=torch.long)) and torch.equal((~in_order).int().argmax(1), odd)
    assert (which.sort(2).values.diff(dim=2) == 1).all() and which.min() == 0 and which.max() == FRAMES - 1
    assert torch.bincount(odd, minlength=6).min() > 50
    batch = batch_of(torch.randn(4, FRAMES, 3, SIZE, SIZE))
    with torch.no_grad():
        found = method.loss(batch, 0.0)
        which, odd = method.questions(batch_of(batch.views[0]))
        features = method.encoder.frames(batch.views[0])
        rows = torch.stack([torch.cat([sum_of_differences(features[n, part]) for part in which[n]]) for n in range(4)])
        logs = method.classifier(rows).log_softmax(1)
    assert found.item() == pytest.approx(-sum(float(logs[row, odd[row]]) for row in range(4)) / 4, rel=1e-5)


@pytest.mark.parametrize(("near", "far"), [(1, 2), (2, 2), (1, 3)])
def test_semi_hard_triplets(near, far):
    rows = F.normalize(torch.randn(3, FRAMES, 4, generator=torch.Generator().manual_seed(near + far)), dim=-1)
    terms = []
    for clip in rows:
        distance = [[float((a - b).square().sum()) for b in clip] for a in clip]
        for anchor, positive in itertools.permutations(range(FRAMES), 2):
            if abs(anchor - positive) > near:
                continue
            there = [distance[anchor][other] for other in range(FRAMES) if abs(anchor - other) > far]
            further = [value for value in there if value > distance[anchor][positive]]
            negative = min(further) if further else max(there)
            terms.append(max(0.0, 0.2 + distance[anchor][positive] - negative))
    assert semi_hard_triplets(rows, near, far, 0.2).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_time_cpc_finds_later_frames_among_all():
    method, clips = make("time_cpc"), torch.randn(3, FRAMES, 3, SIZE, SIZE)
    with torch.no_grad():
        found = method.loss(batch_of(clips), 0.0)
        frames = method.encoder.frames(clips)
        targets = method.target(frames).flatten(0, 1)
        parts = []
        for distance in (1, 2, 3):
            terms = []
            for clip in range(3):
                state = torch.zeros(1, 64)
                for time in range(FRAMES - distance):
                    state = method.cell(frames[clip, time][None], state)
                    logits = (method.predictors[distance - 1](state) @ targets.T)[0]
                    terms.append(-float(logits.log_softmax(0)[clip * FRAMES + time + distance]))
            parts.append(sum(terms) / len(terms))
    assert found.item() == pytest.approx(sum(parts) / 3, rel=1e-4)
    assert find_frames(torch.zeros(2, 4), torch.zeros(5, 4), torch.tensor([0, 1])).item() == pytest.approx(math.log(5))


def test_speed_prediction_takes_frames_at_the_speed_it_asks_for():
    method = make("speed_prediction")
    clips, speed = method.sped_up(numbered(3_000), batch_of(numbered(3_000)))
    assert torch.equal(times(clips).diff(dim=1), (speed + 1)[:, None].expand(-1, 2))
    for stride in (1, 2, 3):
        starts = times(clips)[speed == stride - 1, 0]
        assert set(starts.tolist()) == set(range(FRAMES - 2 * stride)), "wherever they fit"
    batch = batch_of(torch.randn(4, FRAMES, 3, SIZE, SIZE))
    with torch.no_grad():
        found = method.loss(batch, 0.0)
        clips, speed = method.sped_up(batch.views[0], batch_of(batch.views[0]))
        logs = method.classifier(method.encoder.network(clips.flatten(0, 1)).view(4, -1)).log_softmax(1)
    assert found.item() == pytest.approx(-sum(float(logs[row, speed[row]]) for row in range(4)) / 4, rel=1e-5)


REFUSED = {
    "arrow_of_time": ({"segments": 3}, "segments=3: a clip has 8 frames; expected a divisor"),
    "shuffle_and_learn": ({"stride": 2}, "a clip of 8 frames is too short: 5 frames with a stride of 2 span 9"),
    "odd_one_out": ({"frames": 7}, "parts=6 and frames=7: expected 2 parts or more, of 2 to 6"),
    "time_contrastive": ({"far": 4}, "near=1 and far=4: the middle of 8 frames has no negative; expected near <= far <= 3"),
    "time_cpc": ({"ahead": 8}, "ahead=8: a clip has 8 frames; expected 7 at most"),
    "speed_prediction": ({"speeds": 4}, "3 frames with a stride of 4 span 9 of a clip's 8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_clip_too_short_is_refused(name):
    given, says = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(says)):
        make(name, **given)


def test_a_mean_over_frames_is_not_asked_for_the_order():
    method = make("arrow_of_time", segments=1)
    with pytest.raises(ValueError, match="expected as many or, as its features are a mean over frames, more than one"):
        method.loss(batch_of(numbered(4)), 0.0)
    with torch.no_grad():
        assert make("arrow_of_time", encoder="resnet3d_nano", segments=1).loss(batch_of(numbered(4)), 0.0).isfinite()


def test_floors_of_clips():
    clips = torch.rand(3, FRAMES, 3, SIZE, SIZE)
    assert torch.equal(make("one_frame").encode(clips), clips[:, 4].flatten(1))
    slow = sum((clips[:, t + 1] - clips[:, t]).abs() for t in range(7)) / 7
    assert torch.allclose(make("frame_differences").encode(clips), slow.flatten(1))
    assert not make("frame_differences").encode(clips[:, :1]).any()
