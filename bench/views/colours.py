"""Colours of a batch of images: lightness, brightness, contrast, saturation and hue, each image by its own factor, as torchvision's.

Images are float32 [B, C, H, W] in [0, 1]; C is 1 on grey data, which has no saturation and no hue. At fixed factors each function is
held against torchvision (tests/views/test_views.py).
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


def change_some(images: Tensor, which: Tensor, change) -> Tensor:
    """`change` [n, C, H, W] -> [n, C or 1, H, W] of the images of `which`, bool [B]. A GPU computes it of all and keeps the others as they
    were, since to pick out images makes the host wait for it; a CPU writes into the images that it is given."""
    if images.is_cuda:
        return torch.where(per_image(which), change(images), images)
    chosen = which.nonzero()[:, 0]
    return images.index_copy_(0, chosen, change(images.index_select(0, chosen)).expand(-1, images.shape[1], -1, -1))


def per_image(value: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1]"""
    return value[:, None, None, None]


def move_from_(images: Tensor, origin: Tensor, factor: Tensor) -> Tensor:
    """In place: pixels `factor` [B] times as far from `origin` (of any shape that goes with the images) as they are, within [0, 1]."""
    return images.sub_(origin).mul_(per_image(factor)).add_(origin).clamp_(0, 1)


def adjust_brightness_(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]. In place, as the other three."""
    return images.mul_(per_image(factor)).clamp_(0, 1)


def adjust_contrast_(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]"""
    return move_from_(images, lightness(images).mean((1, 2, 3), keepdim=True), factor)


def adjust_saturation_(images: Tensor, factor: Tensor) -> Tensor:
    """factor: [B]"""
    return move_from_(images, lightness(images), factor)


def adjust_hue_(images: Tensor, shift: Tensor) -> Tensor:
    """shift: [B] in [-0.5, 0.5], of a full turn of the HSV hue circle."""
    red, green, blue = images.split(1, dim=1)
    value = torch.maximum(red, green).maximum(blue)
    chroma = value - torch.minimum(red, green).minimum(blue)
    # Which channel is the largest, the first of equals, as 0 or 1: on a CPU torch.where takes several times as long as arithmetic.
    at_red = torch.eq(red, value, out=torch.empty_like(value))
    at_green = torch.eq(green, value, out=torch.empty_like(value)).gt_(at_red)
    at_blue = (1 - at_red).sub_(at_green)
    ahead = (green - blue).mul_(at_red).addcmul_(blue - red, at_green).addcmul_(red - green, at_blue)
    hue = ahead.div_(chroma.clamp(min=TINY)).add_(at_green, alpha=2).add_(at_blue, alpha=4)
    # The closed form of HSV -> RGB: channel n in (5, 3, 1) is value - chroma * clamp(min(k, 4 - k), 0, 1), k = (n + hue) mod 6.
    start = torch.arange(5.0, 0.0, -2.0, device=images.device)[None, :, None, None]
    k = torch.add(start, hue, out=images).add_(6 * per_image(shift))
    k.sub_((k / 6).floor_(), alpha=6)
    k = torch.minimum(k, 4 - k, out=k).clamp_(0, 1).mul_(chroma)
    return torch.sub(value, k, out=k)


def jitter_chosen(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """factors [B, 4] and order [B, 4] of ColorJitter: each adjustment of those images alone whose turn it is. Each time the images are
    moved so that those with the same adjustment lie side by side."""
    steps = (adjust_brightness_, adjust_contrast_, *((adjust_saturation_, adjust_hue_) if images.shape[1] == 3 else ()))
    neutral = torch.tensor([1.0, 1.0, 1.0, 0.0])
    nothing = len(neutral)
    turns = torch.where(factors != neutral, torch.arange(nothing), nothing).gather(1, order)
    place = torch.arange(len(images))
    for turn in turns.unbind(1):
        to = turn.argsort(stable=True)
        images, place = images.index_select(0, place[to]), to.argsort()
        counts = turn.bincount(minlength=nothing + 1).tolist()
        groups = zip(steps, images.split(counts), factors[to].split(counts), strict=False)
        for number, (adjust, group, own) in enumerate(groups):
            if len(group):
                adjust(group, own[:, number])
    return images.index_select(0, place)


def jitter_all(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """The same in passes over all images, without a look at the parameters: what comes before an image's hue, hue, what comes after."""
    place = torch.arange(HUE, device=order.device)
    place_of_hue = (order == HUE).int().argmax(1, keepdim=True)
    others = order.gather(1, place + (place >= place_of_hue))
    if images.shape[1] == 1:
        return blend_in_turn(images, factors, others, others != SATURATION)
    images = blend_in_turn(images, factors, others, place < place_of_hue)
    hue = factors[:, HUE]
    images = torch.where(per_image(hue != 0), adjust_hue_(images.clone(), hue), images)
    return blend_in_turn(images, factors, others, place >= place_of_hue)


def blend_in_turn(images: Tensor, factors: Tensor, others: Tensor, turns: Tensor) -> Tensor:
    """Brightness, contrast and saturation in the order `others` int64 [B, 3], each where it is its turn, bool [B, 3]. All three move a
    pixel away from something: from black, from the mean lightness, from its own lightness."""
    for which, turn in zip(others.unbind(1), turns.unbind(1), strict=True):
        factor = factors.gather(1, which[:, None])[:, 0]
        grey = lightness(images)
        mean = grey.mean((1, 2, 3), keepdim=True) * per_image(which == CONTRAST)
        origin = torch.where(per_image(which == SATURATION), grey, mean)
        images = torch.where(per_image(turn & (factor != 1)), move_from_(images.clone(), origin, factor), images)
    return images
