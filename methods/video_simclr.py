"""SimCLR with time (CVRL, Qian et al. 2020, arXiv:2008.03800): two parts of a clip attract, every other clip of the batch repels.

As methods/simclr.py, whose recipe and head it has, so that the two differ by what are positives. Of a clip two stretches of frames are
drawn, each begun anywhere: their distance in time then is distributed as CVRL's, falling linearly (section 3.2; power=1.0 of
sample_ssl_sequence in official/projects/video_ssl/ops/video_ssl_preprocess_ops.py). A crop, a flip and colours are drawn once for all
frames of a stretch (section 3.3, temporally consistent).
Differs from the paper:
- Stretches of 4 of a clip's 8 frames, next to each other; the paper's have 16 of about 250, every second one.
- Batches of 64 and LARS as SimCLR's; the paper has 1,024 and SGD. Half its colour distortion, and no blur, as for CIFAR-10.
- A head of two layers; theirs has three hidden ones of 2,048 (configs/video_ssl.py), with SimCLR's temperature on ImageNet, 0.1.
- The mean over the 2B rows; losses/losses.py adds the two stretches' means.
B clips in the global batch, D features, P projection.
"""

import math

import torch

from bench.domains import Count, Fraction, NonNegative, Positive, Probability
from bench.method import Method
from bench.parts import gather, mlp, nt_xent, scale_norm
from bench.spec import Recipe
from bench.views import Flip, Frames, Grayscale, ResizedCrop, color_distortion


class VideoSimCLR(Method):
    paper = "arXiv:2008.03800"
    source = "tensorflow/models@0225b135"
    family = "contrastive"
    takes = ("clips",)
    smallest_batch = 2
    search = {"temperature": ("log", 0.05, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        projection: Count = 128,
        frames: Count = 4,
        stride: Count = 1,
        color_strength: NonNegative = 0.5,
        grey: Probability = 0.2,
        crop_min: Fraction = 0.3,
    ):
        """temperature: of the softmax, 0.1. projection: P, 128. frames, stride: of a stretch, 16 and 2 in the paper. color_strength: of the
        colour distortion, 1 in the paper. grey: probability of grey frames, 0.2. crop_min: smallest area of a crop, 0.3 (section 4.1)."""
        super().__init__()
        # random_color_jitter_3d: colours with probability 0.8, then grey with 0.2.
        ops = (ResizedCrop((crop_min, 1.0), ratio=(0.5, 2.0)), Flip(), color_distortion(color_strength), Grayscale(grey))
        self.views = (Frames(ops, count=2, frames=frames, strides=(stride,)),)
        self.recipe = Recipe(
            "lars",  # all as in methods/simclr.py but for the batch
            lr=1.0,
            batch_size=64,
            momentum=0.9,
            weight_decay=1e-4,
            warmup=0.1,
            exclude=("bias", "norm"),
            eta=0.001,
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, last_norm=True)
        self.projector[-1] = scale_norm(projection)
        self.temperature = temperature

    def project(self, clips):
        """[B, T, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(clips))

    def chance_loss(self, batch_size):
        return math.log(2 * batch_size - 1) if batch_size > 1 else None

    def loss(self, batch, progress):
        first, second = self.project(torch.cat(batch.views)).chunk(2)
        return nt_xent(gather(first), gather(second), self.temperature)
