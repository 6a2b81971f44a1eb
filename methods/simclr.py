"""SimCLR (Chen et al. 2020, arXiv:2002.05709): two views of an image attract, every other image of the batch repels.

Differs from the paper:
- Batches of 256 (the authors' command for CIFAR-10: 512; the paper's best there, section B.9: 1024).
- A crop's area is uniform, and the logarithm of its aspect ratio, as torchvision's. TensorFlow's draws the aspect ratio and then the height
  uniformly, and draws again what covers less than 10 % of the image (min_object_covered in tf2/data_util.py), so that 8 % never comes.
  Resizing is linear, theirs bicubic.
- The last BatchNorm of a residual block starts as the harness's encoder has it, at 1; theirs at 0 (init_zero in tf2/resnet.py).
- Contrast is around the mean lightness and saturation blends with grey, as torchvision's (each channel's mean; HSV's S).
Differs from the authors' code, not from the paper:
- The mean over the 2B rows, as eq. 1; tf2/objective.py adds the two views' means, which is twice as much.
- A head of two layers, as section 4.2; tf2/run.py defaults to SimCLR v2's three, in its CIFAR-10 command too.
B images in the global batch, D features, P projection.
"""

import math

import torch

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Probability
from bench.method import Method
from bench.parts import gather, mlp, nt_xent, scale_norm, upcast
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


class SimCLR(Method):
    paper = "arXiv:2002.05709"
    source = "google-research/simclr@383d414"
    family = "contrastive"
    smallest_batch = 2
    added = {"grey": 0.2, "normalise": True, "encode_layers": 0}
    search = {"temperature": ("log", 0.05, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.5,
        projection: Count = 128,
        head_layers: CountOrZero = 2,
        color_strength: NonNegative = 0.5,
        crop_min: Fraction = 0.08,
        blur: Probability = 0.0,
        grey: Probability = 0.2,
        normalise: bool = True,
        encode_layers: CountOrZero = 0,
    ):
        """temperature: of the softmax; 0.5 on CIFAR-10 (B.9), 0.1 on ImageNet. projection: P, 128. head_layers: 2; 1 is
        linear, and with 0 there is no head: the loss is on the encoder's output (section 4.2, figure 8).
        color_strength: of the colour distortion; 0.5 on CIFAR-10 (B.9), 1 on ImageNet.
        crop_min: smallest area of a crop, 0.08 on both. blur: its probability; 0 on CIFAR-10 (B.9), 0.5 on ImageNet.
        grey: probability of a grey image, 0.2. normalise: whether rows are compared by their cosine, not their dot product (table 5).
        encode_layers: hidden layers of the head that what is evaluated goes through, 0; SimCLR v2 (arXiv:2006.10029, section 2) has 1 of a
        head of 3 (tf2/model.py, ft_proj_selector)."""
        super().__init__()
        if encode_layers > max(0, head_layers - 1):
            raise ValueError(f"encode_layers={encode_layers}: a head of {head_layers} layers has {max(0, head_layers - 1)} hidden ones")
        # tf2/data_util.py: 0.8 s, 0.8 s, 0.8 s, 0.2 s with probability 0.8; crop, flip, colour, grey, blur in this order.
        jitter = color_distortion(color_strength)
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), jitter, *((Grayscale(grey),) if grey else ()))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=2),)
        self.recipe = Recipe(
            "lars",  # section 2.2: LARS at every batch size; tf2/run.py's default. The other defaults of the paper: section 2.3
            lr=1.0,  # for each 256 images: README's CIFAR-10 command, and in B.9's grid (0.5, 1, 1.5)
            batch_size=256,  # the smallest of B.9's grid; README: 512
            momentum=0.9,  # tf2/run.py
            weight_decay=1e-4,  # README's CIFAR-10 command
            warmup=0.1,  # 10 epochs (tf2/run.py) of 100, the schedule of most of the paper's experiments
            exclude=("bias", "norm"),  # tf2/model.py, from decay and from adaptation
            eta=0.001,  # tf2/lars_optimizer.py
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, layers=head_layers, last_norm=True)
        if head_layers:
            self.projector[-1] = scale_norm(projection)
        self.temperature, self.normalise = temperature, normalise
        self.encode_modules = 3 * encode_layers  # linear, BatchNorm, ReLU

    def project(self, images):
        """[B, 3, H, W] -> [B, P]; [B, D] without a head"""
        return self.projector(self.encoder(images))

    def encode(self, images):
        return upcast(self.projector[: self.encode_modules](self.encoder(images)))

    def chance_loss(self, batch_size):
        return math.log(2 * batch_size - 1) if batch_size > 1 else None

    def loss(self, batch, progress):
        # One encoder call for both views, so BatchNorm sees 2B images: tf2/model.py, Model.__call__.
        first, second = self.project(torch.cat(batch.views)).chunk(2)
        return nt_xent(gather(first), gather(second), self.temperature, self.normalise)
