"""The operations of a view: data that is drawn from once PER IMAGE and applied to a whole batch on the training device.

Each op has `draw` (parameters, [B, ...]) and `apply` (images, parameters), so that at fixed parameters it can be held
against torchvision; `apply` may write into the images that it is given. Ops work on float32 [B, C, H, W] in [0, 1]; C is 1 on grey
data, where hue, saturation and greying change nothing and are skipped; `render` repeats grey to 3 channels and normalises at the end.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.compute.randomness import Draws
from bench.spec import DatasetInfo
from bench.views.bounds import require, require_probability
from bench.views.colours import HUE, change_some, jitter_all, jitter_chosen, lightness


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Any axis-aligned linear map of an image as two small matrices: rows [B, h, H], columns [B, w, W] -> [B, C, h, w]."""
    count, channels, height, width = images.shape
    mixed = torch.bmm(rows, images.transpose(1, 2).reshape(count, height, channels * width))
    mixed = torch.bmm(mixed.view(count, -1, width), columns.transpose(1, 2))
    return mixed.view(count, rows.shape[1], channels, columns.shape[1]).transpose(1, 2).contiguous()


def resize_matrix(start: Tensor, length: Tensor, inside: int, outside: int) -> Tensor:
    """Weights [B, outside, inside] that cut [start, start + length) out of `inside` pixels and resize it to `outside` of them:
    the antialiased triangle filter of Pillow and torchvision. start, length: [B], in pixels."""
    scale = (length / outside)[:, None, None]
    centre = start[:, None, None] + scale * (torch.arange(outside, device=start.device)[:, None] + 0.5)
    pixel = torch.arange(inside, device=start.device) + 0.5
    weight = (pixel - centre).abs_().div_(scale.clamp(min=1)).neg_().add_(1).clamp_(min=0)
    weight.mul_((pixel > start[:, None, None]) & (pixel < (start + length)[:, None, None]))
    return weight.div_(weight.sum(-1, keepdim=True))


@dataclass(frozen=True)
class ResizedCrop:
    """A random part of the image, resized to the view's size: area and log aspect ratio uniform, as torchvision's
    RandomResizedCrop (ten tries, then the central crop)."""

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self):
        require(self, "scale", 0 < self.scale[0] <= self.scale[1], "two parts of the area above 0, the smaller one first")
        require(self, "ratio", 0 < self.ratio[0] <= self.ratio[1], "two numbers above 0, the smaller one first")

    def draw(self, draws: Draws, data: DatasetInfo) -> tuple[Tensor, ...]:
        """-> top, left, height, width: float32 [B] holding whole pixels."""
        size = data.image_size
        area = draws.uniform(*self.scale, 10) * size * size
        ratio = draws.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), 10).exp()
        width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (width > 0) & (width <= size) & (height > 0) & (height <= size)
        first = fits.int().argmax(1, keepdim=True)
        # Where no try fits, the whole image: on square images the central crop of any aspect ratio range around 1.
        width = torch.where(fits.any(1), width.gather(1, first)[:, 0], float(size))
        height = torch.where(fits.any(1), height.gather(1, first)[:, 0], float(size))
        top, left = (draws.rand() * (size - height + 1)).floor(), (draws.rand() * (size - width + 1)).floor()
        return top, left, height, width

    def apply(self, images: Tensor, parameters: tuple[Tensor, ...], size: int) -> Tensor:
        top, left, height, width = parameters
        return separable(images, resize_matrix(top, height, images.shape[2], size), resize_matrix(left, width, images.shape[3], size))


@dataclass(frozen=True)
class PaddedCrop:
    """The image shifted by up to `padding` pixels each way, zeros (black) moving in: torchvision's RandomCrop with padding."""

    padding: int = 4

    def __post_init__(self):
        require(self, "padding", self.padding >= 0, "0 pixels or more")

    def draw(self, draws: Draws, data: DatasetInfo) -> tuple[Tensor, Tensor]:
        """-> shift down and right of the window: int64 [B] each, in [-padding, padding]."""
        down, right = (draws.randint(2 * self.padding + 1) - self.padding for _ in range(2))
        return down, right

    def apply(self, images: Tensor, parameters: tuple[Tensor, Tensor], size: int) -> Tensor:
        pixel = torch.arange(images.shape[-1], device=images.device)
        shifted = [((pixel[:, None] + by[:, None, None]) == pixel).to(images.dtype) for by in parameters]
        return separable(images, *shifted)


@dataclass(frozen=True)
class Flip:
    """The mirror image with probability p; never where a mirror image is another thing (digits)."""

    p: float = 0.5

    def __post_init__(self):
        require_probability(self)

    def draw(self, draws: Draws, data: DatasetInfo) -> Tensor:
        """-> whether to flip: bool [B]."""
        return (draws.rand() < self.p) & data.mirror_safe

    def apply(self, images: Tensor, parameters: Tensor, size: int) -> Tensor:
        return change_some(images, parameters, lambda chosen: chosen.flip(-1))


@dataclass(frozen=True)
class ColorJitter:
    """With probability p: brightness, contrast, saturation and hue, in an order drawn for each image, as torchvision's."""

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8

    def __post_init__(self):
        for name in ("brightness", "contrast", "saturation", "hue"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require_probability(self)

    def draw(self, draws: Draws, data: DatasetInfo) -> tuple[Tensor, ...]:
        """-> factors float32 [B, 4] (brightness, contrast, saturation, hue shift) and their order int64 [B, 4]; an image
        that is left alone has the factors 1, 1, 1, 0."""
        strengths = (self.brightness, self.contrast, self.saturation)
        factors = [draws.uniform(max(0.0, 1 - strength), 1 + strength) for strength in strengths]
        factors = torch.stack([*factors, draws.uniform(-self.hue, self.hue)], dim=1)
        chosen = draws.rand() < self.p
        neutral = torch.zeros_like(factors)
        neutral[:, :HUE] = 1
        order = draws.rand(4).argsort(1)
        return torch.where(chosen[:, None], factors, neutral), order

    def apply(self, images: Tensor, parameters: tuple[Tensor, ...], size: int) -> Tensor:
        # Both give an image the same colours. To pick out images makes the host wait for a GPU, and work is dearer on a CPU.
        return (jitter_all if images.is_cuda else jitter_chosen)(images, *parameters)


def color_distortion(strength: float) -> ColorJitter:
    """The jitter that contrastive methods share (arXiv:2002.05709, appendix A); 1 on ImageNet."""
    return ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, p=0.8)


@dataclass(frozen=True)
class Grayscale:
    """Lightness only, with probability p."""

    p: float = 0.2

    def __post_init__(self):
        require_probability(self)

    def draw(self, draws: Draws, data: DatasetInfo) -> Tensor:
        """-> whether to grey: bool [B]."""
        return draws.rand() < self.p

    def apply(self, images: Tensor, parameters: Tensor, size: int) -> Tensor:
        return change_some(images, parameters, lightness)


@dataclass(frozen=True)
class Blur:
    """Gaussian blur with probability p; sigma in pixels of a 224-pixel view (the papers' unit), scaled with the view's size."""

    p: float = 0.5
    sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self):
        require(self, "sigma", 0 <= self.sigma[0] <= self.sigma[1], "two numbers from 0 up, the smaller one first")
        require_probability(self)

    def draw(self, draws: Draws, data: DatasetInfo) -> Tensor:
        """-> sigma in pixels of a 224-pixel view: float32 [B], 0 where the image stays sharp."""
        return draws.uniform(*self.sigma) * (draws.rand() < self.p)

    def apply(self, images: Tensor, parameters: Tensor, size: int) -> Tensor:
        size = images.shape[-1]  # a blur before the crop of a smaller view still sees the whole image
        sigma = (parameters * size / 224).clamp(min=1e-3)[:, None, None]
        reach = min(size - 1, max(1, math.ceil(3 * self.sigma[1] * size / 224)))
        offset = torch.arange(-reach, reach + 1, device=images.device)
        kernel = (-0.5 * (offset / sigma) ** 2).softmax(-1).expand(-1, size, -1)
        # Mirror at the border without repeating the edge pixel, as torchvision's gaussian_blur.
        source = (torch.arange(size, device=images.device)[:, None] + offset).abs()
        source = torch.where(source >= size, 2 * (size - 1) - source, source).expand(len(images), -1, -1)
        matrix = torch.zeros(len(images), size, size, device=images.device).scatter_add_(2, source, kernel)
        return separable(images, matrix, matrix)


@dataclass(frozen=True)
class Solarize:
    """Pixels of at least `threshold` are inverted, with probability p."""

    p: float = 0.2
    threshold: float = 0.5

    def __post_init__(self):
        require(self, "threshold", 0 <= self.threshold <= 1, "0 to 1")
        require_probability(self)

    def draw(self, draws: Draws, data: DatasetInfo) -> Tensor:
        """-> whether to solarize: bool [B]."""
        return draws.rand() < self.p

    def apply(self, images: Tensor, parameters: Tensor, size: int) -> Tensor:
        return change_some(images, parameters, lambda chosen: torch.where(chosen >= self.threshold, 1 - chosen, chosen))


class Op(Protocol):
    """What every operation is."""

    def draw(self, draws: Draws, data: DatasetInfo) -> Any:
        """-> parameters of each image: a tensor [B, ...], or a tuple of such."""
        ...

    def apply(self, images: Tensor, parameters: Any, size: int) -> Tensor:
        """float32 [B, C, H, W] in [0, 1], and what `draw` returned -> the same images after it; `size`: the view's height and width."""
        ...
