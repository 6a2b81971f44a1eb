"""Colours of a batch of images: lightness, brightness, contrast, saturation and hue, each image by its own factor, as torchvision's.

Images are float32 [B, C, H, W] in [0, 1]; C is 1 on grey data, which has no saturation and no hue. At fixed factors each function is
held against torchvision (tests/test_views.py).
"""

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in lightness, as torchvision's rgb_to_grayscale."""

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
"""Columns of ColorJitter's factors, and what its order is made of."""

TINY = 1e-30
"""Below any difference of two pixels; 0 divided by it is 0."""


def lightness(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 1, H, W]; grey images stay. Not a matrix product: the bits of its rows may depend on how many there are, and
    an image must be the same on any number of devices."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def per_image(value: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1]"""
    return value[:, None, None, None]


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]"""
    return (images * per_image(factor)).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]"""
    mean = lightness(images).mean((1, 2, 3), keepdim=True)
    return (images - mean).mul_(per_image(factor)).add_(mean).clamp_(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]"""
    grey = lightness(images)
    return (images - grey).mul_(per_image(factor)).add_(grey).clamp_(0, 1)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """shift: [B] in [-0.5, 0.5], of a full turn of the HSV hue circle."""
    value, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - low
    red, green, blue = images.split(1, dim=1)
    # Which channel is the largest, the first of equals, as 0 or 1: on a CPU torch.where takes several times as long as arithmetic.
    at_red = (red - value).sign_().add_(1)
    at_green = (green - value).sign_().add_(1).mul_(1 - at_red)
    at_blue = (1 - at_red).sub_(at_green)
    ahead = (green - blue).mul_(at_red).addcmul_(blue - red, at_green).addcmul_(red - green, at_blue)
    hue = ahead.div_(chroma.clamp(min=TINY)).add_(at_green, alpha=2).add_(at_blue, alpha=4)
    # The closed form of HSV -> RGB: channel n in (5, 3, 1) is value - chroma * clamp(min(k, 4 - k), 0, 1), k = (n + hue) mod 6.
    start = torch.arange(5.0, 0.0, -2.0, device=images.device)[None, :, None, None]
    k = (start + hue).add_(6 * per_image(shift))
    k.sub_((k / 6).floor_().mul_(6))
    return torch.minimum(k, 4 - k).clamp_(0, 1).mul_(chroma).neg_().add_(value)


def jitter_chosen(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """factors [B, 4] and order [B, 4] of ColorJitter: each adjustment of those images alone whose turn it is."""
    steps = (adjust_brightness, adjust_contrast, *((adjust_saturation, adjust_hue) if images.shape[1] == 3 else ()))
    images = images.clone()
    for position in range(4):
        for number, adjust in enumerate(steps):
            which = ((order[:, position] == number) & (factors[:, number] != (number != HUE))).nonzero()[:, 0]
            if len(which):
                images[which] = adjust(images[which], factors[which, number])
    return images


def jitter_all(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """The same in passes over all images, without a look at the parameters: what comes before an image's hue, hue, what comes after."""
    place = torch.arange(HUE, device=order.device)
    place_of_hue = (order == HUE).int().argmax(1, keepdim=True)
    others = order.gather(1, place + (place >= place_of_hue))
    if images.shape[1] == 1:
        return blend_in_turn(images, factors, others, others != SATURATION)
    images = blend_in_turn(images, factors, others, place < place_of_hue)
    hue = factors[:, HUE]
    images = torch.where(per_image(hue != 0), adjust_hue(images, hue), images)
    return blend_in_turn(images, factors, others, place >= place_of_hue)


def blend_in_turn(images: Tensor, factors: Tensor, others: Tensor, turns: Tensor) -> Tensor:
    """Brightness, contrast and saturation in the order `others` int64 [B, 3], each where it is its turn, bool [B, 3]. All three move a
    pixel away from something: from black, from the mean lightness, from its own lightness."""
    for which, turn in zip(others.unbind(1), turns.unbind(1), strict=True):
        factor = factors.gather(1, which[:, None])[:, 0]
        grey = lightness(images)
        mean = grey.mean((1, 2, 3), keepdim=True) * per_image(which == CONTRAST)
        origin = torch.where(per_image(which == SATURATION), grey, mean)
        changed = (images - origin).mul_(per_image(factor)).add_(origin).clamp_(0, 1)
        images = torch.where(per_image(turn & (factor != 1)), changed, images)
    return images
