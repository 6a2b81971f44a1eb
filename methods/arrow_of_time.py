"""Arrow of time (Wei et al. 2018, doi:10.1109/CVPR.2018.00840): say whether a clip is played forwards or backwards.

As the paper's T-CAM (section 3.2, its figure 3), a clip is cut into segments of equal length, each is encoded by itself, and what is found
of all of them, in their order, is classified. What plays backwards is drawn of each clip anew, half of them.
Differs from the paper:
- Colour frames, where the paper has optical flow. Cues of how films are made, black borders and movements of the camera, which it takes
  out (section 4), are left in.
- Features are averaged over positions before the classifier, a hidden layer; T-CAM has two 3x3 convolutions there and then the average
  (models/vggbn_tcam_pair2_cudnn.lua), with dropout.
- One clip a row: theirs takes 10 frames of flow for each of two segments.
- SGD at 0.01 of a batch of 64 with a cosine; opts.lua leaves rates to a schedule by number.
B clips in the global batch, T frames, S segments, D features.
"""

import math

import torch
from torch import nn

from bench.domains import Count, CountOrZero
from bench.method import Method
from bench.parts import classify, encode_segments, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View


class ArrowOfTime(Method):
    paper = "doi:10.1109/CVPR.2018.00840"
    source = "donglaiw/AoT_TCAM@0603eaf"
    family = "pretext"
    takes = ("clips",)
    search = {"padding": ("linear", 0, 8)}

    def __init__(self, make_encoder, data, *, segments: Count = 2, hidden: Count = 64, padding: CountOrZero = 4):
        """segments: S, a divisor of T; 2 in the authors' code, and 1 for an encoder that knows time. hidden: width of the classifier; 1,024
        there. padding: pixels of black border that a crop of all frames moves over."""
        super().__init__()
        if data.frames % segments:
            raise ValueError(f"segments={segments}: a clip has {data.frames} frames; expected a divisor of that")
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe(
            "sgd",
            lr=0.01,  # of VGG-16 with BatchNorm from nothing; see the top
            lr_per_batch=None,
            batch_size=64,  # 32 in README's command, three times for each step
            momentum=0.9,  # opts.lua, as weight decay
            weight_decay=5e-4,
            exclude=(),
            warmup=0.05,
        )
        self.encoder, self.segments = make_encoder(), segments
        self.classifier = nn.Sequential(nn.Linear(segments * self.encoder.dim, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def chance_loss(self, batch_size):
        return math.log(2)

    def loss(self, batch, progress):
        clips, backwards = batch.views[0], batch.randint(2)
        played = torch.where(backwards.bool()[:, None, None, None, None], clips.flip(1), clips)
        scores = self.classifier(encode_segments(self.encoder, played, self.segments))
        return mean_of_batch(classify(scores, backwards), len(clips))
