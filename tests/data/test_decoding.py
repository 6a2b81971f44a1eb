"""Every kind of image file becomes the picture that it shows, or is refused by its name; held against Pillow's own conversions."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.data import decoding
from bench.data.check import check
from bench.data.decoding import NARROW, SEVERAL, SIXTEEN, TRANSPARENT, TURNED, decode
from bench.data.load import load_split
from bench.data.packing import pack
from bench.errors import UserError

RAMP = np.linspace(0, 1, 256)[None].repeat(8, 0)
GREY = (RAMP * 255).round().astype(np.uint8)
SIXTEEN_BITS = (RAMP * 65535).round().astype(np.uint16)
COLOURS = np.stack([GREY, GREY[:, ::-1], np.full_like(GREY, 90)], -1)


def read(path, as_shown=True) -> np.ndarray:
    picture = decode(str(path), as_shown).image
    assert picture.mode == "RGB"
    return np.asarray(picture)


def remarks(path) -> tuple[str, ...]:
    return decode(str(path), as_shown=True).remarks


def saved(path, image: Image.Image, **how):
    image.save(path, **how)
    return path


def png(path, bits: int, colour_type: int, values: np.ndarray, *chunks: tuple[bytes, bytes]):
    """A PNG of one row, of which Pillow writes no such kind."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    width = len(values) // {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    header = struct.pack(">IIBBBBB", width, 1, bits, colour_type, 0, 0, 0)
    row = b"\0" + values.astype(">u2" if bits == 16 else "u1").tobytes()
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


@pytest.mark.parametrize(("name", "how"), [("a.png", {}), ("a.tif", {}), ("a.tif", {"compression": "tiff_lzw"})])
def test_sixteen_bits_keep_their_upper_eight(tmp_path, name, how):
    path = saved(tmp_path / name, Image.fromarray(SIXTEEN_BITS), **how)
    assert (read(path) == (SIXTEEN_BITS >> 8)[..., None]).all() and len(np.unique(read(path))) == 256
    assert remarks(path) == (SIXTEEN,)
    assert (read(path, as_shown=False) == read(path)).all()


def test_sixteen_bits_in_other_containers(tmp_path):
    values = np.array([0, 255, 256, 32768, 65280, 65535], np.uint16)
    upper = [0, 0, 1, 128, 255, 255]
    colour, grey = png(tmp_path / "rgb.png", 16, 2, values), png(tmp_path / "grey.png", 16, 0, values)
    # Pillow itself keeps the upper eight bits of colours: grey is read as they are.
    assert read(colour).ravel().tolist() == upper and remarks(colour) == (SIXTEEN,)
    assert read(grey)[0, :, 0].tolist() == upper
    (tmp_path / "full.pgm").write_bytes(b"P5 6 1 65535\n" + values.astype(">u2").tobytes())
    assert read(tmp_path / "full.pgm")[0, :, 0].tolist() == upper
    # A PGM says what is white.
    (tmp_path / "twelve.pgm").write_bytes(b"P5 3 1 4095\n" + np.array([0, 2048, 4095], ">u2").tobytes())
    assert read(tmp_path / "twelve.pgm")[0, :, 0].tolist() == [0, 128, 255]
    for order, name in (("<", "little.tif"), (">", "big.tif")):
        tiff(tmp_path / name, order, 16, 1, values.astype(f"{order}u2").tobytes(), 6)
        assert read(tmp_path / name)[0, :, 0].tolist() == upper, name
    tiff(tmp_path / "white_is_zero.tif", "<", 16, 0, values.astype("<u2").tobytes(), 6)
    assert read(tmp_path / "white_is_zero.tif")[0, :, 0].tolist() == [255, 255, 254, 127, 0, 0]
    tiff(tmp_path / "twelve.tif", "<", 12, 1, bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00]), 4)  # 0, 2048, 4095, 0
    assert read(tmp_path / "twelve.tif")[0, :, 0].tolist() == [0, 128, 255, 0]
    dark = saved(tmp_path / "dark.png", Image.fromarray((RAMP * 4095).round().astype(np.uint16)))
    assert remarks(dark) == (SIXTEEN, NARROW) and read(dark).max() == 15


def tiff(path, order: str, bits: int, photometric: int, content: bytes, width: int):
    """A grey TIFF of one row and one strip."""
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 122), (277, 1), (278, 1), (279, len(content))]
    entries = b"".join(
        struct.pack(f"{order}HHIHxx" if order == "<" else f"{order}HHIHH", tag, 3, 1, value, *(() if order == "<" else (0,)))
        for tag, value in tags
    )
    directory = struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0)
    assert 8 + len(directory) == 122
    path.write_bytes((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + directory + content)


@pytest.mark.parametrize(
    ("name", "image", "says"),
    [
        ("integers.tif", Image.fromarray((RAMP * 65535).round().astype(np.int32)), "32-bit integers"),
        ("float.tif", Image.fromarray(RAMP.astype(np.float32)), "floating-point numbers"),
        ("levels.tif", Image.fromarray((RAMP * 255).astype(np.float32)), "floating-point numbers"),
    ],
)
def test_numbers_without_black_and_white_are_refused_by_name(tmp_path, name, image, says):
    path = saved(tmp_path / name, image)
    with pytest.raises(UserError, match=f"{says}, and no rule says which is black.*expected 8 or 16 bits"):
        decode(str(path))
    with pytest.raises(UserError, match=f"{name}' cannot be read as an image: its pixels are {says}"):
        decoding.readable(decode, str(path))


def test_what_needs_no_rule_is_read_as_pillow_converts_it(tmp_path):
    """8 bits, 1 bit, palettes, CMYK, CIELAB: the same bytes as before, for folders and sets."""
    kinds = {
        "grey.png": Image.fromarray(GREY),
        "colours.png": Image.fromarray(COLOURS),
        "colours.jpg": Image.fromarray(COLOURS),
        "colours.webp": Image.fromarray(COLOURS),
        "one_bit.png": Image.fromarray(RAMP > 0.5),
        "palette.png": Image.fromarray(COLOURS).quantize(64),
        "cmyk.jpg": Image.fromarray(COLOURS).convert("CMYK"),
        "cmyk.tif": Image.fromarray(COLOURS).convert("CMYK"),
        "lab.tif": Image.merge("LAB", [Image.fromarray(COLOURS[..., channel]) for channel in range(3)]),
    }
    for name, image in kinds.items():
        path = saved(tmp_path / name, image)
        expected = np.asarray(Image.open(path).convert("RGB"))
        assert (read(path) == expected).all() and (read(path, as_shown=False) == expected).all(), name
        assert remarks(path) == (), name
        assert len(np.unique(expected)) > 2 or name == "one_bit.png", "the case shows nothing"


def on_white(image: Image.Image) -> np.ndarray:
    """Pillow's own way of putting one image on another."""
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"))


def test_what_is_transparent_is_white(tmp_path):
    alpha = np.dstack([COLOURS, GREY])
    palette = Image.fromarray(COLOURS).quantize(64)
    kinds = {
        "rgba.png": saved(tmp_path / "rgba.png", Image.fromarray(alpha)),
        "rgba.webp": saved(tmp_path / "rgba.webp", Image.fromarray(alpha), lossless=True),
        "la.png": saved(tmp_path / "la.png", Image.fromarray(alpha[..., [0, 3]])),
        "palette.png": saved(tmp_path / "palette.png", palette, transparency=3),
        "key.png": png(tmp_path / "key.png", 8, 2, np.array([1, 2, 3, 4, 5, 6]), (b"tRNS", struct.pack(">HHH", 1, 2, 3))),
    }
    for name, path in kinds.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (read(path) == on_white(Image.open(path))).all(), name
            assert remarks(path) == (TRANSPARENT,), name
        assert (read(path) != read(path, as_shown=False)).any(), f"{name}: published sets are read without transparency"
    key = png(tmp_path / "key16.png", 16, 0, np.array([256, 512]), (b"tRNS", struct.pack(">H", 256)))
    assert read(key)[0, :, 0].tolist() == [255, 2]
    opaque = saved(tmp_path / "opaque.png", Image.fromarray(np.dstack([COLOURS, np.full_like(GREY, 255)])))
    assert (read(opaque) == COLOURS).all() and remarks(opaque) == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_an_image_is_turned_as_its_exif_says(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[decoding.EXIF_ORIENTATION] = orientation
    path = saved(tmp_path / name, Image.fromarray(COLOURS), exif=exif)
    stored = np.asarray(Image.open(path).convert("RGB"))
    assert (read(path) == np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))).all()
    assert remarks(path) == ((TURNED,) if orientation > 1 else ())
    assert (read(path, as_shown=False) == stored).all(), "the field reads published sets as they are stored"


def test_orientation_of_sixteen_bits_and_damaged_exif(tmp_path):
    exif = Image.Exif()
    exif[decoding.EXIF_ORIENTATION] = 6
    path = saved(tmp_path / "deep.png", Image.fromarray(SIXTEEN_BITS), exif=exif)
    assert (read(path)[..., 0] == np.rot90(SIXTEEN_BITS >> 8, -1)).all() and set(remarks(path)) == {SIXTEEN, TURNED}
    broken = saved(tmp_path / "broken.jpg", Image.fromarray(COLOURS), exif=b"Exif\0\0not TIFF at all")
    assert (read(broken) == np.asarray(Image.open(broken).convert("RGB"))).all()


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_of_several_pages_or_frames_the_first_is_read(tmp_path, name):
    first, second = Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1, ::-1].copy())
    path = saved(tmp_path / name, first, save_all=True, append_images=[second], **({"lossless": True} if name == "a.webp" else {}))
    assert (read(path) == COLOURS).all() and remarks(path) == (SEVERAL,)


@pytest.mark.parametrize("as_shown", [True, False])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp"])
def test_damaged_pixels_are_an_error(tmp_path, name, as_shown):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    path = saved(tmp_path / name, Image.fromarray(noise), **({"compression": "tiff_lzw"} if name == "a.tif" else {}))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Exception, match=r"."):
        decode(str(path), as_shown)
    if name == "a.png":
        path.write_bytes(content[:60] + bytes(len(content) - 60))
        with pytest.raises(OSError, match="broken data stream"):
            decode(str(path), as_shown)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_tiff_is_turned_once(tmp_path, orientation):
    path = saved(tmp_path / "a.tif", Image.fromarray(COLOURS), tiffinfo={decoding.EXIF_ORIENTATION: orientation})
    assert (read(path) == (np.rot90(COLOURS, -1) if orientation == 6 else COLOURS)).all()


@pytest.fixture
def mixed(tmp_path):
    """A folder of two classes, three images each for train and two for test, of which the first of every class has 16 bits."""
    for part, count in (("train", 3), ("test", 2)):
        for label in "ab":
            (tmp_path / f"set/{part}/{label}").mkdir(parents=True)
            for number in range(count):
                pixels = np.random.default_rng(number).integers(0, 65536, (32, 32)).astype(np.uint16)
                image = Image.fromarray(pixels if number == 0 else (pixels >> 8).astype(np.uint8))
                image.save(tmp_path / f"set/{part}/{label}/{number}.png")
    return tmp_path / "set"


def test_folders_packs_and_check_have_one_decoder(mixed, tmp_path):
    decoding.say.cache_clear()
    with pytest.warns(UserWarning, match=f"images of folder:{mixed} have 16 bits a channel, of which the upper 8") as said:
        decoded = load_split(f"folder:{mixed}", "test", root=tmp_path).images
    assert len(said) == 1, "said once"
    assert len(decoded[0].unique()) > 200
    pack(f"folder:{mixed}", 32, tmp_path)
    assert (load_split(f"folder:{mixed}", "test", root=tmp_path).images[np.arange(4)] == decoded).all()
    assert any(line.startswith("note  4 of 10 images have 16 bits a channel") for line in check(f"folder:{mixed}", tmp_path))


def test_a_folder_with_a_refused_kind_names_the_file(mixed, tmp_path):
    Image.fromarray(RAMP.astype(np.float32)).save(mixed / "test/a/1.tif")
    with pytest.raises(
        UserError, match=r"test/a/1.tif' cannot be read as an image: its pixels are floating-point numbers.*\(1 of 5 images"
    ):
        load_split(f"folder:{mixed}", "test", root=tmp_path)
    with pytest.raises(UserError, match=r"1 of 11 images of .* cannot be read"):
        list(check(f"folder:{mixed}", tmp_path))
