"""What methods share that rebuild an image, or some of its channels: colours in Lab, and decoders from features to pixels.

B images of the global batch, S height and width of an image, D features, h height and width of the feature map, Q colours.
"""

import copy
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.parts.losses import full_precision

GRID = 10
"""Distance between neighbouring colours in a and b (arXiv:1603.08511, section 2.1)."""

REACH = 12
"""Squares of the grid each way from grey; sRGB needs 11."""

LIGHTNESS_CENTRE, LIGHTNESS_SCALE, COLOUR_SCALE = 50, 100, 110
"""What colorization's authors take from L, and divide L and ab by, before a network sees them: richzhang/colorization@4bda68f,
colorizers/base_color.py."""

XYZ_OF_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
"""Rows X, Y and Z of linear sRGB (ITU-R BT.709 primaries, D65), to the six digits of scikit-image's rgb2lab."""

WHITE_D65 = (0.95047, 1.0, 1.08883)
"""X, Y and Z of the illuminant D65 for the 2 degree observer."""


_RATIOS: dict[tuple[torch.device, torch.dtype], Tensor] = {}


def ratio_of_rgb(device: torch.device, dtype: torch.dtype) -> Tensor:
    """[3, 3]: what gives X, Y and Z as parts of the white's. Kept on the device: a recorded step cannot copy anything there."""
    if (found := _RATIOS.get((device, dtype))) is None:
        found = torch.tensor(XYZ_OF_RGB, device=device, dtype=dtype) / torch.tensor(WHITE_D65, device=device, dtype=dtype)[:, None]
        if type(found) is Tensor:  # where shapes alone are followed it has no numbers (bench/compute/flops.py)
            _RATIOS[device, dtype] = found
    return found


@full_precision
def lab(images: Tensor) -> Tensor:
    """sRGB [B, 3, ...] in [0, 1] -> CIE Lab [B, 3, ...]: lightness L in [0, 100], and the colours a (green to red) and b (blue
    to yellow), which are 0 for grey. As scikit-image's rgb2lab."""
    linear = torch.where(images > 0.04045, ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, images / 12.92)
    ratio = torch.einsum("dc,bc...->bd...", ratio_of_rgb(images.device, images.dtype), linear)
    x, y, z = torch.where(ratio > 0.008856, ratio.clamp(min=0.008856) ** (1 / 3), 7.787 * ratio + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


@full_precision
def lab_channels(images: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised images [B, 3, S, S] -> their lightness [B, 1, S, S], and a and b [B, 2, S, S]. mean, std: [3, 1, 1]."""
    channels = lab((images * std + mean).clamp(0, 1))
    return channels[:, :1], channels[:, 1:]


def colours_in_gamut() -> Tensor:
    """float32 [Q, 2]: a and b of every corner of the grid's squares that hold a colour of sRGB, in rising order."""
    # Whatever lies inside the RGB cube has the a and b of some colour on its surface. Built on the CPU, on the meta device too.
    level = torch.arange(256, device="cpu", dtype=torch.float64) / 255
    first, second = torch.meshgrid(level, level, indexing="ij")
    faces = [torch.stack([first, second, torch.full_like(first, end)]).roll(turn, 0) for turn in range(3) for end in (0, 1)]
    row, column = (lab(torch.stack(faces))[:, 1:].movedim(1, 0) / GRID).floor().long().flatten(1) + REACH
    squares = torch.zeros(1, 2 * REACH, 2 * REACH, device="cpu")
    squares[0, row, column] = 1
    corners = F.max_pool2d(squares, 2, stride=1, padding=1)[0].nonzero()
    return GRID * (corners - REACH).float()


@full_precision
def squared_distances(ab: Tensor, colours: Tensor) -> Tensor:
    """From the colour of each place [B, 2, h, w] to each of the colours [Q, 2]: [B, Q, h, w]."""
    in_a, in_b = ((value - colour[:, None, None]).square() for value, colour in zip(ab.split(1, 1), colours.T, strict=True))
    return in_a + in_b


@full_precision
def half_squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Half the squared distance at each place, a mean over images and places (arXiv:1603.08511, eq. 1); both [B, C, h, w]."""
    return 0.5 * (predicted - target).square().sum(1).mean()


NARROWEST = 16
"""Channels that the decoder keeps at least."""


class WithMap(Protocol):
    """An encoder that has a feature map (bench/encoders/table.py says which do)."""

    def feature_map(self, images: Tensor) -> Tensor: ...

    def to(self, device: str) -> Self: ...

    def eval(self) -> Self: ...


def map_side(encoder: WithMap, size: int) -> int:
    """h: height and width of the feature map of an S x S image, read from shapes alone."""
    # A copy on the meta device: nothing is computed, and the encoder's BatchNorm statistics stay as they are.
    twin = copy.deepcopy(encoder).to("meta").eval()
    return twin.feature_map(torch.empty(1, 3, size, size, device="meta")).shape[-1]


def decoder(features: int, side: int, size: int, width: int) -> nn.Sequential:
    """[B, D, h, h] -> [B, 3, S, S]: as often as needed twice the size and half the channels, then a convolution to colours."""
    modules, inputs, doublings = [], features, (-(-size // side) - 1).bit_length()
    for left in reversed(range(doublings)):
        # Sizes are counted back from S, so that 4 -> 7 -> 14 -> 28 ends exactly where it should.
        modules += [
            nn.Upsample(size=-(-size // 2**left)),
            nn.Conv2d(inputs, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        inputs, width = width, max(NARROWEST, width // 2)
    return nn.Sequential(*modules, nn.Conv2d(inputs, 3, 3, padding=1))


@full_precision
def squared_error(rebuilt: Tensor, clean: Tensor) -> Tensor:
    """Mean over images, channels and pixels; both [B, 3, S, S]."""
    return F.mse_loss(rebuilt, clean)
