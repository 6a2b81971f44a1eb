"""CPC (van den Oord et al. 2018, arXiv:1807.03748): from the patches above, a patch further down must be told from all other patches.

v2 is Henaff et al. 2019, arXiv:1905.09272. Differs from the papers:
- The harness's encoder, a ResNet's with BatchNorm over all patches of the batch; v1 has none, and v2 found it to give answers away and
  has LayerNorm, as ViTs have. Crops have 73 % of the area or more, and are resized; v1 cuts 256 of 300 pixels.
- The context network and the form of the score are v2's (its appendix A.2): masked convolutions with residuals, and a prediction and
  a target of 64 features each; v1's W multiplies both whole.
- The mean over what is predicted, where A.2 adds the distances up. Rows that overlap with the context's are not predicted, as in
  v1's figure 4; its "up to five rows" are those from the next but one on, as in loeweX/Greedy_InfoMax.
- Batches of 64, since every patch of the global batch is compared with every other: v1 has 16 images on each of 32 GPUs. A cosine.
- What a random part of a patch leaves is black, in its place. At 32 pixels it is a border of 1 of 8 pixels.
- Of v2, dropped channels are noise, as those of arXiv:1505.05192; it also mirrors patches, and its encoder is wider.
A patch is a quarter of the image wide and they overlap by a half: 7 x 7 at 32 pixels, as v1's at 256. Features are the mean over an
image's patches, as in v1; of the whole image at once they are recorded beside it.
B images in the global batch, D features, n rows and columns of patches, s pixels a side of a patch, P target.
"""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn

from bench.domains import Count, CountOrZero, Fraction, Share
from bench.method import Method
from bench.parts import classify, full_precision, gather, mean_of_batch, shard, upcast
from bench.patches import cut, drop_colours, grid, patch_side
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View, lightness

LAYERS, SCALE = 5, 0.1
"""Of the context network, and what a prediction is multiplied with (A.2)."""


@full_precision
def find_patches(predictions: Tensor, targets: Tensor, which: Tensor) -> Tensor:
    """InfoNCE (v1's eq. 4): the mean over predictions [R, P], each of which must find its own of all targets [Q, P]. which: int64 [R]."""
    return classify(predictions @ targets.T, which)


class Context(nn.Module):
    """What is known from a place's own row and the rows above, of a map [B, D, n, n] -> the same (v2, A.2)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.blocks = nn.ModuleList(self.block(dim, hidden) for _ in range(LAYERS))

    @staticmethod
    def block(dim: int, hidden: int) -> nn.Module:
        """Adds to each place what it sees of three columns, in its own row and that above."""
        row = nn.Conv2d(hidden, hidden, (1, 3), padding=(0, 1))
        above = nn.Sequential(nn.ZeroPad2d((0, 0, 1, 0)), nn.Conv2d(hidden, hidden, (2, 1)))
        return nn.Sequential(nn.Conv2d(dim, hidden, 1), nn.ReLU(), row, above, nn.ReLU(), nn.Conv2d(hidden, dim, 1))

    def forward(self, latents: Tensor) -> Tensor:
        for block in self.blocks:
            latents = latents + block(latents)
        return latents.relu()


class CPC(Method):
    paper = "arXiv:1807.03748"
    source = "loeweX/Greedy_InfoMax@22d17e4"
    family = "contrastive"
    encodes_whole_images = False
    search = {"crop_min": ("linear", 0.3, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        patch: Fraction = 0.25,
        overlap: Annotated[float, Interval(ge=0, lt=1)] = 0.5,
        directions: Literal[1, 4] = 1,
        ignore: CountOrZero = 1,
        predict: Count = 5,
        target: Count = 64,
        hidden: Count = 64,
        border: Share = 1 / 16,
        colour: Literal["grey", "drop", "keep"] = "grey",
        crop_min: Fraction = 0.73,
    ):
        """patch: its side as a fraction of the image's; 64 of 256 pixels. overlap: of two neighbouring patches, 0.5 in v1.
        directions: 1 predicts downwards, as v1; 4 upwards and to either side too, for v2. ignore, predict: rows after the context's that
        are not predicted, and how many are; 1 and 5 in v1, 2 and 1 in v2's A.2. target: P, 64 there. hidden: width of the context
        network; 256 there, for 4096 features. border: of a patch, a random part of which is made black; 4 of 64 pixels in v1. colour:
        grey in v1; drop two channels of every patch, as v2; or keep. crop_min: smallest area of a crop; v1 cuts 256 of 300 pixels."""
        super().__init__()
        self.encoder = make_encoder()
        self.side = patch_side(self.encoder, data.image_size, patch, data.image_size)
        self.stride = max(1, round((1 - overlap) * self.side))
        self.count = (data.image_size - self.side) // self.stride + 1
        self.distances = range(ignore + 1, min(ignore + predict, self.count - 1) + 1)
        if not self.distances:
            given = f"ignore={ignore} and predict={predict}"
            raise ValueError(f"of {self.count} rows of patches none is left to predict with {given}: take a smaller `patch`")
        self.views = (View((ResizedCrop((crop_min, 1.0), ratio=(1.0, 1.0)), Flip())),)
        self.recipe = Recipe(
            "adam",  # v1, section 3.2
            lr=2e-4,  # v1
            lr_per_batch=None,
            batch_size=64,  # see the top
        )
        self.contexts = nn.ModuleList(Context(self.encoder.dim, hidden) for _ in range(directions))
        self.predictors = nn.ModuleList(nn.Linear(self.encoder.dim, target * len(self.distances)) for _ in range(directions))
        self.target = nn.Linear(self.encoder.dim, target)
        self.register_buffer("mean", torch.tensor(data.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(data.std).view(3, 1, 1))
        self.border, self.colour = max(1, round(border * self.side)) if border else 0, "keep" if data.channels == 1 else colour

    def seen(self, images):
        """[B, 3, S, S] -> the same without colour, where that is asked for."""
        return (lightness(images * self.std + self.mean) - self.mean) / self.std if self.colour == "grey" else images

    def patches(self, images):
        """[B, 3, S, S] -> [B, n * n, 3, s, s], row by row."""
        left = images.shape[-1] - self.side - (self.count - 1) * self.stride
        corners = grid(self.count, self.stride, images.device) + left // 2
        return cut(self.seen(images), corners.expand(len(images), -1, -1), self.side)

    def blackened(self, patches, batch):
        """The border of patches [B, K, 3, s, s] around a random part black, which is `border` pixels less wide and high."""
        start = batch.randint(self.border + 1, patches.shape[1], 2)[..., None]
        pixel = torch.arange(self.side, device=patches.device)
        rows, columns = ((pixel >= start) & (pixel < start + self.side - self.border)).unbind(2)
        return torch.where((rows[..., None] & columns[..., None, :])[:, :, None], patches, -self.mean / self.std)

    def chance_loss(self, batch_size):
        return math.log(batch_size * self.count**2)

    def loss(self, batch, progress):
        patches = self.blackened(self.patches(batch.views[0]), batch)
        if self.colour == "drop":
            patches = drop_colours(batch, patches)
        batch.show("patches that overlap", lambda: patches)
        latents = self.encoder(patches.flatten(0, 1)).unflatten(0, (-1, self.count, self.count))
        parts = []
        for turn, (context, predictor) in enumerate(zip(self.contexts, self.predictors, strict=True)):
            turned = latents.rot90(turn, (1, 2))
            known = context(turned.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            targets = gather(self.target(turned))
            places = shard(torch.arange(targets[..., 0].numel(), device=targets.device).view(targets.shape[:3]))
            predictions = (SCALE * predictor(known)).chunk(len(self.distances), dim=-1)
            for distance, rows in zip(self.distances, predictions, strict=True):
                rows, which = rows[:, :-distance].flatten(0, 2), places[:, distance:].flatten()
                parts.append(find_patches(rows, targets.flatten(0, 2), which))
        return mean_of_batch(torch.stack(parts).mean(), len(latents))

    def encode(self, images):
        """The mean over the image's patches: [B, 3, S, S] -> [B, D]."""
        patches = self.patches(images)
        return upcast(self.encoder(patches.flatten(0, 1))).unflatten(0, patches.shape[:2]).mean(1)

    def encode_also(self):
        return {"whole_image": lambda images: self.encoder(self.seen(images))}
