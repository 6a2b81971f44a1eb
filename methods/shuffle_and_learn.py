"""Shuffle and learn (Misra et al. 2016, arXiv:1603.08561): say whether three frames of a clip are in the order of time.

Of five frames a < b < c < d < e the tuple (b, c, d) is in order, and (b, a, d) and (b, e, d) are not: first and last are the same, and
the middle decides (section 3.1). A tuple is turned round half of the time, which is as much in order as before. Windows of five frames
are drawn in proportion to how much moves in them, by the mean absolute difference of neighbouring frames, in place of the paper's optical
flow; three of four tuples are out of order, its best share (section 4).
Differs from the paper:
- Five frames that lie `stride` apart; the paper draws distances of 15 to 60 frames.
- A hidden layer on the three frames' features. The paper's one linear layer there adds up what three frames say by themselves, and cannot
  say that one lies between two others; its AlexNet has two layers of 4,096 before it, which features here have not. head_layers=1 is that.
- Rates as networks/tuple_solver.prototxt, but ten times as high, with a cosine, for networks with BatchNorm and short budgets.
B clips in the global batch, T frames, D features.
"""

import math

import torch
from torch import Tensor

from bench.domains import Count, CountOrZero, Probability
from bench.method import Method
from bench.parts import classify, mean_of_batch, mlp
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View, take_frames

TUPLES = ((1, 2, 3), (1, 0, 3), (1, 4, 3))
"""Of the five frames: in order, and two that are not."""
LAST = 4
"""Number of the last of the five."""


def motion(clips: Tensor) -> Tensor:
    """How much changes from each frame to the next, of clips [B, T, ...]: [B, T - 1]"""
    return (clips[:, 1:] - clips[:, :-1]).abs().flatten(2).mean(2)


def windows(moves: Tensor, span: int, uniform: Tensor) -> Tensor:
    """Where a window begins that takes `span` moves of [B, T - 1], in proportion to their sum; uniform where nothing moves. uniform: [B]
    in [0, 1), what is drawn. int64 [B]"""
    weights = moves.unfold(1, span, 1).sum(2) + 1e-12
    shares = weights.cumsum(1) / weights.sum(1, keepdim=True)
    return (shares < uniform[:, None]).sum(1).clamp(max=weights.shape[1] - 1)


class ShuffleAndLearn(Method):
    paper = "arXiv:1603.08561"
    source = "imisra/shuffle-tuple@7c7bbb2"
    family = "pretext"
    takes = ("clips",)
    needs = "frames"
    search = {"shuffled": ("linear", 0.25, 0.75)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        shuffled: Probability = 0.75,
        stride: Count = 1,
        head_layers: Count = 2,
        hidden: Count = 64,
        padding: CountOrZero = 4,
    ):
        """shuffled: share of tuples that are out of order, 0.75. stride: frames from one of the five to the next. head_layers: 1 is the
        paper's. hidden: width of the classifier. padding: pixels of black border that a crop of all frames moves over."""
        super().__init__()
        if LAST * stride >= data.frames:
            span = f"5 frames with a stride of {stride} span {LAST * stride + 1}"
            raise ValueError(f"a clip of {data.frames} frames is too short: {span}; expected a smaller stride")
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe(
            "sgd",
            lr=0.01,  # 0.001 in tuple_solver.prototxt; see the top
            lr_per_batch=None,
            batch_size=128,  # there, as momentum and weight decay
            momentum=0.9,
            weight_decay=5e-4,
            exclude=(),
            warmup=0.05,
        )
        self.encoder, self.shuffled, self.stride = make_encoder(), shuffled, stride
        self.classifier = mlp(3 * self.encoder.dim, hidden, 2, layers=head_layers, norm=False)

    def chance_loss(self, batch_size):
        # The answer that is the same for all says how often tuples are out of order.
        shares = (self.shuffled, 1 - self.shuffled)
        return -sum(share * math.log(share) for share in shares if share)

    def tuples(self, clips, batch):
        """Three frames of each clip [B, T, ...], and which are out of order: [B, 3, ...], int64 [B]."""
        start = windows(motion(clips), LAST * self.stride, batch.rand())
        wrong = batch.rand() < self.shuffled
        kind = torch.where(wrong, 1 + batch.randint(2), 0)
        frames = torch.tensor(TUPLES, device=clips.device)[kind]
        frames = torch.where(batch.randint(2).bool()[:, None], frames.flip(1), frames)
        return take_frames(clips, start[:, None] + self.stride * frames), wrong.long()

    def loss(self, batch, progress):
        frames, wrong = self.tuples(batch.views[0], batch)
        scores = self.classifier(self.encoder.frames(frames).flatten(1))
        return mean_of_batch(classify(scores, wrong), len(frames))
