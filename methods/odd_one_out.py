"""Odd one out (Fernando et al. 2017, arXiv:1611.06646): of several parts of a clip, find the one whose frames are not in order.

Each part is a stretch of frames, begun anywhere; the odd one's are permuted, by any order but their own. Of a part's frames the sum of
differences of earlier and later ones is taken (section 4, sum of differences), here of their features, and those of all parts are joined
in the order they are asked about, so that a classifier names the odd one.
Differs from the paper:
- Differences are of features and not of pixels: what is evaluated is then an encoder of frames, as everywhere here, and each frame of a
  clip is encoded once for all parts.
- Parts have 4 of 8 frames; theirs 6 of a video. A small hidden layer in place of AlexNet's two of 4,096.
- SGD at 0.01 of a batch of 64, momentum 0.9 and a cosine: a choice of ours for networks with BatchNorm.
B clips in the global batch, T frames of a clip, t of a part, E parts, D features.
"""

import itertools
import math

import torch
from torch import Tensor, nn

from bench.domains import Count, CountOrZero
from bench.method import Method
from bench.parts import classify, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View, take_frames


def sum_of_differences(frames: Tensor) -> Tensor:
    """Of frames [..., t, D] the sum over all pairs of the earlier minus the later one: [..., D]. Frame i is the earlier of t - 1 - i pairs
    and the later of i."""
    count = frames.shape[-2]
    weights = torch.arange(count - 1, -count, -2, device=frames.device, dtype=frames.dtype)
    return (weights[:, None] * frames).sum(-2)


class OddOneOut(Method):
    paper = "arXiv:1611.06646"
    source = "paper alone"
    family = "pretext"
    takes = ("clips",)
    needs = "frames"
    search = {"padding": ("linear", 0, 8)}

    def __init__(self, make_encoder, data, *, parts: Count = 6, frames: Count = 4, hidden: Count = 128, padding: CountOrZero = 4):
        """parts: E, 6 (its N + 1). frames: t. hidden: width of the classifier. padding: pixels of black border that a crop of all
        frames moves over."""
        super().__init__()
        if not 2 <= frames <= min(6, data.frames) or parts < 2:
            expected = f"2 parts or more, of 2 to {min(6, data.frames)} of a clip's {data.frames} frames"
            raise ValueError(f"parts={parts} and frames={frames}: expected {expected}")
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe("sgd", lr=0.01, lr_per_batch=None, batch_size=64, momentum=0.9, weight_decay=5e-4, exclude=(), warmup=0.05)
        self.encoder, self.parts, self.frames = make_encoder(), parts, frames
        self.register_buffer("orders", torch.tensor(list(itertools.permutations(range(frames)))))  # the first is their own
        self.classifier = nn.Sequential(nn.Linear(parts * self.encoder.dim, hidden), nn.ReLU(), nn.Linear(hidden, parts))

    def chance_loss(self, batch_size):
        return math.log(self.parts)

    def questions(self, batch):
        """Which frames each part has, int64 [B, E, t], and which part is the odd one, int64 [B]."""
        (clips,), odd = batch.views, batch.randint(self.parts)
        start = batch.randint(clips.shape[1] - self.frames + 1, self.parts)
        order = 1 + batch.randint(len(self.orders) - 1)
        is_odd = torch.arange(self.parts, device=odd.device) == odd[:, None]
        return start[..., None] + self.orders[torch.where(is_odd, order[:, None], 0)], odd

    def loss(self, batch, progress):
        which, odd = self.questions(batch)
        features = take_frames(self.encoder.frames(batch.views[0]), which.flatten(1)).unflatten(1, which.shape[1:])
        return mean_of_batch(classify(self.classifier(sum_of_differences(features).flatten(1)), odd), len(odd))
