"""Context encoder (Pathak et al. 2016, arXiv:1604.07379): fill in the hidden parts of an image from what is around them.

Differs from the paper:
- The harness's encoder, and a decoder that upsamples and convolves, with BatchNorm; it always makes the whole image. The convolution
  across channels that follows the channel-wise layer is the decoder's first.
- Random blocks, where the paper's features are those of random shapes from PASCAL's masks: "similarly general", says the paper.
- No border of a centre's square with ten times the weight. Images are not cropped: the authors take 128 of 350 pixels.
- Encoder and adversary move in the same step, each as eq. 2 says (minimax), by a reversed gradient; the authors alternate, and
  their generator raises log D instead (train.lua). The paper's features are learned without an adversary: that is the default.
As the paper, not the authors' train_random.lua: the squared error is that of hidden pixels only.
B images in the global batch, D features, S height and width of the view, h of the feature map, n places (h * h).
"""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count
from bench.method import Method
from bench.parts import full_precision, mean_of_batch, reverse_gradient, upcast
from bench.reconstruction import decoder, map_side
from bench.spec import Group, Recipe
from bench.views import Flip, View

LAST_SIDE, WIDEST = 4, 8
"""The adversary halves its map down to so many pixels, and has at most so many times its first channels (train.lua)."""


def squares(corners: Tensor, side: int, size: int) -> Tensor:
    """1 inside any of K squares of the given side, 0 outside: [B, K, 2], each one's top and left -> float32 [B, 1, S, S]."""
    pixel = torch.arange(size, device=corners.device)
    inside = (pixel >= corners[..., None]) & (pixel < corners[..., None] + side)  # [B, K, 2, S]
    rows, columns = inside.unbind(2)
    return (rows[..., :, None] & columns[..., None, :]).any(1, keepdim=True).float()


@full_precision
def hidden_error(rebuilt: Tensor, clean: Tensor, hidden: Tensor) -> Tensor:
    """Eq. 1, normalised: each image's mean squared error over channels and hidden pixels, and the mean of that over images.
    rebuilt, clean: [B, 3, S, S]; hidden: [B, 1, S, S]."""
    error = (rebuilt - clean).square().mean(1, keepdim=True) * hidden
    return (error.sum((1, 2, 3)) / hidden.sum((1, 2, 3))).mean()


@full_precision
def discrimination(real: Tensor, made: Tensor) -> Tensor:
    """The negative of eq. 2: -log D(real) - log(1 - D(made)), a mean over images; logits [B] each."""
    return (F.softplus(-real) + F.softplus(made)).mean()


class ChannelwiseLinear(nn.Module):
    """Every channel's n places fully connected with one another, and no channel with another (section 3.1)."""

    def __init__(self, channels: int, places: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, places, places))
        nn.init.uniform_(self.weight, -(places**-0.5), places**-0.5)  # nn.Linear's bound

    def forward(self, feature_map: Tensor) -> Tensor:
        """[B, D, h, h] -> the same"""
        return torch.einsum("bdi,dji->bdj", feature_map.flatten(2), self.weight).view(feature_map.shape)


def discriminator(size: int, width: int) -> nn.Sequential:
    """[B, 3, S, S] -> logits [B]: convolutions that halve the size and double the channels, as DCGAN's in train.lua."""
    modules, inputs, outputs = [], 3, width
    while size > LAST_SIDE or not modules:
        norm = [nn.BatchNorm2d(outputs)] if modules else []
        modules += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(0.2)]
        inputs, outputs, size = outputs, min(2 * outputs, WIDEST * width), size // 2
    return nn.Sequential(*modules, nn.Conv2d(inputs, 1, size, bias=False), nn.Flatten(0))


class ContextEncoder(Method):
    paper = "arXiv:1604.07379"
    source = "pathak22/context-encoder@68abd11"
    family = "pretext"
    needs = "feature_map"
    search = {"hidden": ("linear", 0.1, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        mask: Literal["blocks", "centre"] = "blocks",
        hidden: Annotated[float, Interval(gt=0, lt=1)] = 0.25,
        blocks: Count = 4,
        adversary: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
        width: Count = 64,
    ):
        """mask: blocks at random places, or the centre's square. hidden: part of the image that the square covers, or that blocks
        would if none lay over another, 0.25. blocks: how many, "a number of smaller" ones. adversary: weight of the adversarial
        loss, the rest being the squared error's; 0 for features, 0.001 for pictures (README). width: channels of the decoder's
        first stage and of the adversary's, 64 (train.lua: of its last and first)."""
        super().__init__()
        size = data.image_size
        self.count = blocks if mask == "blocks" else 1
        self.side = min(size - 1, max(1, round(size * (hidden / self.count) ** 0.5)))
        self.views = (View((Flip(),)),)  # data/donkey_folder.lua
        self.recipe = Recipe(
            "adam",  # train.lua
            lr=2e-3,  # what train.lua has beside an adversary (0 < wtl2 < 1), ten times its 0.0002 without one
            lr_per_batch=None,
            batch_size=256,  # the benchmark's default; train.lua: 64
            betas=(0.5, 0.999),  # train.lua; the second is its optimizer's own
            schedule="constant",  # train.lua
            warmup=0.05,  # not theirs: for ViTs at this learning rate
            groups=(Group("adversary.", lr_scale=0.1),) if adversary else (),  # train.lua
        )
        self.encoder = make_encoder()
        side = map_side(self.encoder, size)
        self.decoder = nn.Sequential(ChannelwiseLinear(self.encoder.dim, side**2), *decoder(self.encoder.dim, side, size, width))
        self.adversary = discriminator(self.side if mask == "centre" else size, width) if adversary else None
        self.weight, self.mask = adversary, mask

    def corners(self, batch) -> Tensor:
        """Top and left of every hidden square: int64 [B, K, 2]."""
        room = batch.views[0].shape[-1] - self.side
        if self.mask == "blocks":
            return batch.randint(room + 1, self.count, 2)
        return torch.full((len(batch.index), 1, 2), room // 2, device=batch.index.device)

    def judged(self, images) -> Tensor:
        """What the adversary sees of images [B, 3, S, S]: the whole, or the centre's square."""
        if self.mask == "blocks":
            return images
        first = (images.shape[-1] - self.side) // 2
        return images[:, :, first : first + self.side, first : first + self.side]

    def chance_loss(self, batch_size):
        return (1 - self.weight) + (2 * math.log(2) if self.weight else 0)  # the mean colour, and an adversary that says nothing

    def loss(self, batch, progress):
        (clean,) = batch.views
        hidden = squares(self.corners(batch), self.side, clean.shape[-1]).to(clean.dtype)
        # What is hidden takes the data's mean colour, which is 0 here (the paper: a constant mean value).
        seen = clean * (1 - hidden)
        batch.show("with hidden squares", lambda: seen)
        rebuilt = self.decoder(self.encoder.feature_map(seen))
        loss = hidden_error(rebuilt, clean, hidden)
        if self.adversary is not None:
            # One call for real images and one for made ones, as train.lua: BatchNorm sees them apart.
            real, made = self.adversary(self.judged(clean)), self.adversary(reverse_gradient(self.judged(rebuilt), self.weight))
            loss = (1 - self.weight) * loss + discrimination(real, made)
        return mean_of_batch(loss, len(clean))

    def encode(self, images):
        """The mean of the feature map, which is what the loss trains; in a ViT it leaves the class token's output untrained."""
        return upcast(self.encoder.feature_map(images)).mean((2, 3))
