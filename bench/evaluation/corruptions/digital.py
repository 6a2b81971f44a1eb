"""The four digital corruptions of ImageNet-C. Every function gives levels [B, C, H, W] in 0..255."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from bench.evaluation.corruptions.parts import Randoms, clipped, shares


def contrast(images: np.ndarray, _: Randoms, kept: float) -> np.ndarray:
    x = shares(images)
    mean = x.mean(axis=(2, 3), keepdims=True)
    return clipped((x - mean) * kept + mean)


def elastic_transform(images: np.ndarray, randoms: Randoms, amount: float, sigma: float, affine: float | None) -> np.ndarray:
    """Pixels are taken from places around them: noise smoothed by a Gaussian, after an affine map that moves three points. All three in
    shares of the side; affine: how far a point is moved at most along each axis, None for no such map, as in imagecorruptions.

    The authors warp by OpenCV, which rounds places to 1/32 pixel; here they are not rounded."""
    height, width = images.shape[2:]
    x = shares(images).astype(np.float32)
    y_here, x_here = np.mgrid[:height, :width].astype(np.float64)
    if affine is not None:
        places = np.stack(
            [
                _affine(random, height, width, affine * height) @ (x_here.ravel(), y_here.ravel(), np.ones(height * width))
                for random in randoms
            ]
        )
        x = bilinear(x, places[:, 1].reshape(-1, height, width), places[:, 0].reshape(-1, height, width), _mirrored).astype(np.float32)
    noise = np.stack([random.uniform(-1, 1, size=(2, height, width)) for random in randoms])
    smooth = ndimage.gaussian_filter(noise, (0, 0, sigma * height, sigma * width), mode="reflect", truncate=3)
    right, down = (amount * height * smooth).astype(np.float32).transpose(1, 0, 2, 3)
    return clipped(bilinear(x, y_here + down, x_here + right, _reflected))


def _affine(random: np.random.RandomState, height: int, width: int, most: float) -> np.ndarray:
    """Takes (column, row, 1) of a pixel to (column, row) of where it comes from: float64 [2, 3]."""
    middle, side = np.array([height // 2, width // 2]), min(height, width) // 3
    before = np.array([middle + side, [middle[0] + side, middle[1] - side], middle - side], dtype=np.float32)
    after = before + random.uniform(-most, most, size=before.shape).astype(np.float32)
    ones = np.ones((3, 1))
    return np.linalg.solve(np.hstack([after.astype(float), ones]), np.hstack([before.astype(float), ones])).T[:2]


def _mirrored(place: np.ndarray, side: int) -> np.ndarray:
    """Places beyond an edge -> those that are seen where the edge's pixel is a mirror: c b | a b c."""
    if side == 1:
        return np.zeros_like(place)
    place = np.mod(place, 2 * side - 2)
    return np.minimum(place, 2 * side - 2 - place)


def _reflected(place: np.ndarray, side: int) -> np.ndarray:
    """The same where the mirror is the edge itself: b a | a b c."""
    place = np.mod(place, 2 * side)
    return np.minimum(place, 2 * side - 1 - place)


def bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, beyond: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """Images [B, C, H, W] at places float [B, H, W], by linear interpolation; `beyond` an edge a pixel [int64] is another one's."""
    height, width = images.shape[2:]
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top)[:, None], (columns - left)[:, None]
    flat, total = images.reshape(*images.shape[:2], -1), 0.0
    for row, of_row in ((top, 1 - down), (top + 1, down)):
        for column, of_column in ((left, 1 - right), (left + 1, right)):
            pixel = (beyond(row, height) * width + beyond(column, width)).reshape(len(images), 1, -1)
            total = total + of_row * of_column * np.take_along_axis(flat, pixel, axis=2).reshape(images.shape)
    return np.asarray(total)


def pixelate(images: np.ndarray, _: Randoms, kept: float, back: int) -> np.ndarray:
    """Shrunk to a share of the side and enlarged again by Pillow's filter number `back`."""
    height, width = images.shape[2:]
    small = max(1, int(width * kept)), max(1, int(height * kept))
    return by_pillow(images, lambda image: image.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling(back)))


def jpeg_compression(images: np.ndarray, _: Randoms, quality: int) -> np.ndarray:
    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return by_pillow(images, compressed)


def by_pillow(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """`change` of every image as Pillow has it, grey or RGB."""
    last = images.transpose(0, 2, 3, 1)
    changed = [np.asarray(change(Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image))) for image in last]
    return np.stack(changed).reshape(last.shape).transpose(0, 3, 1, 2)
