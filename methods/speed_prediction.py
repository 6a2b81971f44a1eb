"""Speed prediction (Wang et al. 2020, arXiv:2008.05861; Benaim et al. 2020, arXiv:2004.06130): say how fast a clip is played.

Frames are taken with a stride that is drawn of each clip anew, and the stride is the class: 1 to 4 in the first paper, without its
contrastive loss (its table 2); the second tells the normal speed from twice that.
Differs from the papers:
- Three frames, of 8: the first paper has 16 to 64, and begins again where a video ends (loop_load_rgb in datasets/ucf101.py).
- Frames are encoded one by one, or in segments, and joined in their order before the classifier, so that an encoder of frames can
  tell; theirs is 3-D, as segments=1 is for.
- Colours change alike on all frames; the first paper's code draws them anew for each, so that they give nothing away.
- SGD at 0.01 and momentum as train.py, whose weight decay of 0.005 is a tenth of that here, with a cosine.
B clips in the global batch, T frames of a clip, t that are taken, S segments, D features.
"""

import math

import torch
from torch import nn

from bench.domains import Count, CountOrZero, NonNegative
from bench.method import Method
from bench.parts import classify, encode_segments, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View, color_distortion, take_frames


class SpeedPrediction(Method):
    paper = "arXiv:2008.05861"
    source = "laura-wang/video-pace@60138ca"
    family = "pretext"
    takes = ("clips",)
    search = {"padding": ("linear", 0, 8)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        speeds: Count = 3,
        frames: Count = 3,
        segments: Count = 3,
        hidden: Count = 64,
        padding: CountOrZero = 4,
        color_strength: NonNegative = 0.0,
    ):
        """speeds: strides 1 to so many, 4 (max_sr). frames: t. segments: S, a divisor of t. hidden: width of the classifier. padding:
        pixels of black border that a crop of all frames moves over. color_strength: of SimCLR's colour distortion; 1 in train.py."""
        super().__init__()
        span = (frames - 1) * speeds + 1
        if speeds < 2 or frames < 2 or span > data.frames:
            what = f"{frames} frames with a stride of {speeds} span {span} of a clip's {data.frames}"
            raise ValueError(f"{what}; expected 2 or more frames and speeds that fit into it")
        colours = (color_distortion(color_strength),) if color_strength else ()
        self.views = (View((PaddedCrop(padding), Flip(), *colours)),)
        self.recipe = Recipe(
            "sgd",
            lr=0.01,  # train.py, of a batch of 32, as momentum
            lr_per_batch=None,
            batch_size=64,
            momentum=0.9,
            weight_decay=5e-4,  # see the top
            exclude=(),
            warmup=0.05,
        )
        self.encoder, self.speeds, self.frames, self.segments = make_encoder(), speeds, frames, segments
        self.classifier = nn.Sequential(nn.Linear(segments * self.encoder.dim, hidden), nn.ReLU(), nn.Linear(hidden, speeds))

    def chance_loss(self, batch_size):
        return math.log(self.speeds)

    def sped_up(self, clips, batch):
        """Frames of clips [B, T, ...] at a speed that is drawn, and its class: [B, t, ...], int64 [B]."""
        speed = batch.randint(self.speeds)
        stride = speed + 1
        start = (batch.rand() * (clips.shape[1] - (self.frames - 1) * stride)).floor().long()
        return take_frames(clips, start[:, None] + stride[:, None] * torch.arange(self.frames, device=clips.device)), speed

    def loss(self, batch, progress):
        clips, speed = self.sped_up(batch.views[0], batch)
        scores = self.classifier(encode_segments(self.encoder, clips, self.segments))
        return mean_of_batch(classify(scores, speed), len(clips))
