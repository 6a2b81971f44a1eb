"""One image file as the RGB picture that it shows: the one decoder, of folders, sets and packs alike.

    decode("photo.jpg")                   as torchvision's loaders of published sets read it, which is what others measure on
    decode("photo.jpg", as_shown=True)    as a viewer shows it, for folders: upright, what is transparent on white

What is decided for each kind of file, and why, is in docs/data.md. Nothing heavy is imported before a file is read.
"""

import contextlib
import os
import stat
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

SIXTEEN, NARROW, SEVERAL = "16 bits", "narrow", "several"
TRANSPARENT, TURNED = "transparent", "turned"
REMARKS = {
    SIXTEEN: "have 16 bits a channel, of which the upper 8 are read: 0..65535 becomes 0..255",
    NARROW: "have 16 bits and no value above 4095, and so at most 16 grey levels, nearly black: scale them to 0..65535",
    TRANSPARENT: "are transparent in places, which are white here",
    TURNED: "are turned upright, as their EXIF orientation says",
    SEVERAL: "have several pages or frames, of which the first is read",
}
"""What is done to an image that its file does not show in plain sight; "12 of 300 images" stands before it."""

RULES = 2
"""Version of what `decode` makes of a folder's files; a part of every folder's revision. Published sets are read as ever."""

NARROW_BELOW = 4096
"""Of 16 bits: a camera's 12 bits, stored as they are."""

TIFF_BITS, TIFF_PHOTOMETRIC, EXIF_ORIENTATION = 258, 262, 274
"""Tags: bits of a sample; whether 0 is white (0) or black (1); how to turn an image, 1 to 8, of which 1 is not at all."""


class Picture(NamedTuple):
    """A decoded file."""

    image: "Image.Image"
    """Mode RGB, 8 bits a channel."""
    remarks: tuple[str, ...]
    """Keys of `REMARKS`."""


def decode(file: str, as_shown: bool = False) -> Picture:
    """The image, decoded to its last row. as_shown: heed transparency and the EXIF orientation, which published sets are read without.
    Raises UserError for pixels of which no rule tells black and white (32-bit integers, floating point), whatever Pillow raises else."""
    from PIL import Image, ImageOps

    size_of(file)
    with open(file, "rb") as content:
        image = Image.open(content)
        remarks = [SEVERAL] if image.format != "MPO" and getattr(image, "n_frames", 1) > 1 else []
        sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
        if image.mode in ("I", "F") and not sixteen:
            what = "32-bit integers" if image.mode == "I" else "floating-point numbers"
            raise UserError(f"its pixels are {what}, and no rule says which is black and which is white; expected 8 or 16 bits a channel")
        if sixteen or any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
            remarks.append(SIXTEEN)
        tags, orientation, clear = getattr(image, "tag_v2", {}), 1, image.info.get("transparency") if as_shown else None
        image.load()  # which turns a TIFF by itself
        with contextlib.suppress(Exception):  # of damaged EXIF, which says nothing of the pixels; those are loaded by now
            orientation = image.getexif().get(EXIF_ORIENTATION, 1) if as_shown else 1
        if orientation in range(2, 9):
            image = ImageOps.exif_transpose(image)
            remarks.append(TURNED)
        if sixteen:
            image, largest = _upper_bits(image, tags, clear)
            remarks += [NARROW] if largest < NARROW_BELOW else []
        if as_shown and image.has_transparency_data:
            image = image.convert("LA") if image.mode == "La" else image
            image = image.convert("RGBA")
            remarks += [TRANSPARENT] if np.asarray(image.getchannel("A")).min() < 255 else []
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return Picture(image.convert("RGB"), tuple(remarks))


def _upper_bits(image: Any, tags: Any, clear: int | None) -> "tuple[Image.Image, int]":
    """Of a grey image of 16 bits, or of 12 in a TIFF whose tags say so: the upper 8, mode L or LA, and its largest value of 16 bits.
    clear: the value that is transparent."""
    from PIL import Image

    values = np.asarray(image).astype(np.uint16)
    opaque = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)) if isinstance(clear, int) else None
    if tags.get(TIFF_BITS) in (12, (12,)):
        values <<= 4
    if tags.get(TIFF_PHOTOMETRIC) == 0:
        values = ~values
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    return Image.merge("LA", (grey, opaque)) if opaque else grey, int(values.max())


def size_of(file: str) -> int:
    """Bytes. Raises OSError for a pipe, a socket or a device of an image's name: whoever opens a pipe waits for its other end."""
    facts = os.stat(file)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError("it is no file of bytes, but a pipe, a socket or a device")
    return facts.st_size


def size_in_pixels(file: str) -> tuple[int, int]:
    """(height, width) of an image file, of which no pixel is decoded. Raises UserError."""
    from PIL import Image

    def look(file: str) -> tuple[int, int]:
        with Image.open(file) as image:
            return image.height, image.width

    return readable(look, file)


def readable(read: Callable, path: str):
    """read(path); whatever goes wrong there becomes a UserError that names the file."""
    try:
        return read(path)
    except Exception as error:  # Pillow raises a dozen kinds, by format and damage
        raise UserError(f"'{path}' cannot be read as an image: {error}") from error


@lru_cache(maxsize=256)
def say(name: str, remark: str) -> None:
    """Warn, once for each data set, that some of its images have this remark."""
    warnings.warn(f"images of {name} {REMARKS[remark]} (`data check` counts them)", stacklevel=2)
