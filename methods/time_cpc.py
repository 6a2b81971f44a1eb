"""CPC over time (van den Oord et al. 2018, arXiv:1807.03748): from a clip's past, a later frame must be told from all others.

As the paper has it for sound (section 3.1): an encoder gives a vector of every frame, a GRU what is known up to it, and for every distance
a linear layer of its own predicts the vector that comes so much later; InfoNCE (eq. 4) finds it among all frames of all clips in the
batch. On patches of images it is methods/cpc.py.
Differs from the paper:
- Frames of a clip, up to 3 later, where it has 12 steps of 10 ms; the harness's encoder, with BatchNorm over all frames of the batch.
- A target is a linear layer's 64 numbers, as in methods/cpc.py: the paper's product with the encoder's whole vector, in two factors.
- What is evaluated is the mean of the frames' vectors; for sound the paper evaluates the GRU's.
- Adam at 2e-4 as there, with a cosine; batches of 64 clips, where it has 8 of each of 8 GPUs.
B clips in the global batch, T frames, D features, C context, P target.
"""

import math

import torch
from torch import Tensor, nn

from bench.domains import Count, CountOrZero
from bench.method import Method
from bench.parts import classify, full_precision, gather, mean_of_batch, shard
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View


@full_precision
def find_frames(predictions: Tensor, targets: Tensor, which: Tensor) -> Tensor:
    """InfoNCE (eq. 4): the mean over predictions [R, P], each of which must find its own of all targets [Q, P]. which: int64 [R]."""
    return classify(predictions @ targets.T, which)


class TimeCPC(Method):
    paper = "arXiv:1807.03748"
    source = "paper alone"
    family = "contrastive"
    takes = ("clips",)
    needs = "frames"
    search = {"padding": ("linear", 0, 8)}

    def __init__(self, make_encoder, data, *, ahead: Count = 3, context: Count = 64, target: Count = 64, padding: CountOrZero = 4):
        """ahead: the largest distance that is predicted, 12 in the paper. context: C, 256 there. target: P. padding: pixels of black border
        that a crop of all frames moves over."""
        super().__init__()
        if ahead >= data.frames:
            raise ValueError(f"ahead={ahead}: a clip has {data.frames} frames; expected {data.frames - 1} at most")
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe("adam", lr=2e-4, lr_per_batch=None, batch_size=64)
        self.encoder, self.ahead, self.frames = make_encoder(), ahead, data.frames
        # A cell and not nn.GRU: on a GPU that is one call of a library, whose FLOPs nobody counts.
        self.cell = nn.GRUCell(self.encoder.dim, context)
        self.predictors = nn.ModuleList(nn.Linear(context, target) for _ in range(ahead))
        self.target = nn.Linear(self.encoder.dim, target)

    def chance_loss(self, batch_size):
        return math.log(batch_size * self.frames)

    def contexts(self, frames):
        """[B, T, D] -> what is known at every frame, [B, T, C]"""
        known, state = [], None
        for frame in frames.unbind(1):
            state = self.cell(frame, state)
            known.append(state)
        return torch.stack(known, 1)

    def loss(self, batch, progress):
        frames = self.encoder.frames(batch.views[0])
        known, targets = self.contexts(frames), gather(self.target(frames))
        places = shard(torch.arange(targets[..., 0].numel(), device=targets.device).view(targets.shape[:2]))
        parts = []
        for distance, predictor in enumerate(self.predictors, 1):
            predictions, which = predictor(known[:, :-distance]), places[:, distance:]
            parts.append(find_frames(predictions.flatten(0, 1), targets.flatten(0, 1), which.flatten()))
        return mean_of_batch(torch.stack(parts).mean(), len(frames))
