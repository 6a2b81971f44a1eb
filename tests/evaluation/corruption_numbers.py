"""What code of others makes of one picture, for test_corruptions.py: how corruption_numbers.npz was made, and how to make it anew.

    python tests/evaluation/corruption_numbers.py make_cifar_c.py

in an environment of its own with numpy 1.26.4, scipy 1.11.4, scikit-image 0.20.0, opencv-python-headless 4.8.1.78, Pillow 10.4.0,
setuptools 65.5.0 and imagecorruptions 1.1.2; make_cifar_c.py is that of hendrycks/robustness at 8190fe3, ImageNet-C/create_c, of which the
functions are run up to the line that reads CIFAR-10. ImageMagick is not called: motion_blur, and snow, are then the package's alone.
"""

import sys
import types
from pathlib import Path

import numpy as np
from numpy.random import RandomState

NUMBERS = Path(__file__).with_suffix(".npz")

SEED = 7
"""Of NumPy's global state before every call."""

LARGE, SMALL = 180, 32
"""Heights and widths: at the first every enlargement of the package's snow ends with whole pixels."""

EVERY = {LARGE: 401, SMALL: 13}
"""Of the values [H, W, C] of an image every so-manyth is kept."""


def picture(side: int) -> np.ndarray:
    """Slopes, edges and some noise in whole numbers, the same everywhere: uint8 [side, side, 3]."""
    y, x, channel = np.mgrid[:side, :side, :3] * np.array([224 // side, 224 // side, 1]).reshape(3, 1, 1, 1)
    slopes = np.abs((3 * x + 2 * y + 90 * channel) % 400 - 200)
    edges = 55 * ((x // 50 + y // 70) % 2)
    return np.clip(slopes + edges + RandomState(0).randint(-8, 9, size=slopes.shape), 0, 255).astype(np.uint8)


def kept(image: np.ndarray) -> np.ndarray:
    """The values of an image [H, W, C] that are compared."""
    return image.ravel()[:: EVERY[image.shape[0]]]


def seeded_noise(made):
    """scikit-image draws its salt and pepper from a generator of its own since 0.20: here from NumPy's global state, as it used to."""
    state = np.random.mtrand._rand
    return lambda image, **options: made(image, seed=np.random.Generator(state._bit_generator), **options)


def of_channels(gaussian):
    """The option that scikit-image had before 0.20 for images of several channels."""
    return lambda image, *args, multichannel=False, **options: gaussian(image, *args, channel_axis=-1 if multichannel else None, **options)


def main(script: str) -> None:
    import skimage.filters
    import skimage.util
    from PIL import Image

    skimage.util.random_noise = seeded_noise(skimage.util.random_noise)
    skimage.filters.gaussian = of_channels(skimage.filters.gaussian)
    import imagecorruptions

    found = {}
    for name in imagecorruptions.get_corruption_names():
        for severity in range(1, 6):
            np.random.seed(SEED)
            found[f"package {name} {severity}"] = kept(imagecorruptions.corrupt(picture(LARGE), severity, name))
            if name == "frost":
                np.random.seed(SEED)
                found[f"frost on black {severity}"] = kept(imagecorruptions.corrupt(np.zeros_like(picture(LARGE)), severity, name))

    for absent in ("torch", "torch.utils", "torch.utils.data", "torchvision", "torchvision.datasets", "torchvision.transforms"):
        sys.modules[absent] = types.ModuleType(absent)
    for absent in ("wand", "wand.image", "wand.api", "wand.color"):
        sys.modules[absent] = types.ModuleType(absent)
    sys.modules["wand.image"].Image = object
    sys.modules["wand.api"].library = types.SimpleNamespace(MagickMotionBlurImage=types.SimpleNamespace())
    text = Path(script).read_text().split("test_data = ")[0]
    authors = {}
    exec(compile(text, script, "exec"), authors)
    for name in imagecorruptions.get_corruption_names():
        for severity in range(1, 6) if name not in ("motion_blur", "snow", "frost") else ():
            np.random.seed(SEED)
            corrupted = np.uint8(authors[name](Image.fromarray(picture(SMALL)), severity))
            found[f"authors {name} {severity}"] = kept(corrupted)
    np.savez_compressed(NUMBERS, **found)


if __name__ == "__main__":
    main(sys.argv[1])
