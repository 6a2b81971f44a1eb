"""SimCLR (Chen et al. 2020, arXiv:2002.05709): two views of an image attract, every other image of the batch repels.

Differs from the paper: crops of at least 20 % of the image (the paper: 8 %), since a small image in 8 % of its area is a
few pixels; SGD instead of LARS at this batch size, as the paper's section B.9 finds LARS of use for large batches.
No blur on small images, as in B.9.
B images in the global batch, D features, P projection.
"""

import torch

from bench.method import Method
from bench.parts import gather, mlp, nt_xent
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, Grayscale, ResizedCrop, View


class SimCLR(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5, projection=128, head_layers=2, crop_min=0.2):
        """temperature: 0.5 on CIFAR-10 (B.9), 0.1 on ImageNet. projection: P, 128. head_layers: 2, SimCLR v2 has 3.
        crop_min: smallest area of a crop, 0.08."""
        super().__init__()
        # Colour distortion of strength 0.5, as on CIFAR-10 (B.9): 0.8 s, 0.8 s, 0.8 s, 0.2 s.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2))
        self.views = (View(ops, count=2),)
        self.recipe = Recipe("sgd", lr=0.3, batch_size=256, weight_decay=1e-4, warmup=0.1)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, layers=head_layers, last_norm=True)
        self.temperature = temperature

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One encoder call for both views, so BatchNorm sees 2B images, as in the authors' tf2/model.py.
        first, second = self.project(torch.cat(batch.views)).chunk(2)
        return nt_xent(gather(first), gather(second), self.temperature)
