"""Frames out of video files, by PyAV, which is FFmpeg's libraries: torchvision decodes none since 0.29.

N videos, T frames, H height, W width.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.data.decoding import readable
from bench.data.images import resize
from bench.errors import UserError, said

if TYPE_CHECKING:
    from torch import Tensor


def pictures(file: str) -> Iterator[np.ndarray]:
    """Every frame of the first video stream, in the order in which they are shown: uint8 [H, W, 3]. A UserError where the file is none."""
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise UserError("videos are decoded by PyAV, which is not installed; expected `pip install av`") from error
    try:
        with av.open(file) as container:
            if not container.streams.video:
                raise UserError(f"'{file}' cannot be decoded: it has no video stream")
            # One thread a file: the files are shared among threads, and their order of frames is then the decoder's own.
            container.streams.video[0].thread_type = "NONE"
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(f"'{file}' cannot be decoded ({said(error)})") from error


def middle(file: str, frames: int, stride: int) -> np.ndarray:
    """`frames` frames of a video with `stride` frames from one to the next, from its middle: uint8 [T, H, W, 3]. A UserError where it is
    shorter, or where its frames have not one size."""
    found = list(pictures(file))
    span = (frames - 1) * stride + 1
    if len(found) < span:
        raise UserError(f"'{file}' has {len(found)} frames, and {frames} with a stride of {stride} span {span}; expected a longer video")
    for number, picture in enumerate(found):
        if picture.shape != found[0].shape:
            sizes = " and then ".join(f"{shape[1]} x {shape[0]}" for shape in (found[0].shape, picture.shape))
            raise UserError(f"'{file}' has frames of different sizes, {sizes} pixels from frame {number} on; expected one size")
    first = (len(found) - span) // 2
    return np.stack(found[first : first + span : stride])


def looked_at(file: str, frames: int, stride: int) -> tuple[bytes, str, tuple[str, ...]]:
    """A digest of a file's bytes; what is wrong with it as a video of so many frames; and nothing to be said of it."""
    try:
        content = hashlib.sha256(readable(lambda file: Path(file).read_bytes(), file)).digest()
        middle(file, frames, stride)
    except UserError as error:
        return b"", str(error), ()
    return content, "", ()


def decode_videos(files: np.ndarray, size: int, frames: int, stride: int, threads: int) -> "Tensor":
    """Video files [N] -> uint8 [N, T, 3, size, size], in their order, by so many threads: of each the `middle`, resized as images are.

    A UserError names the first that cannot be had, with what is wrong with it, and how many more there are."""
    import torch

    def clip(file: str) -> "Tensor | UserError":
        try:
            return resize(torch.from_numpy(middle(file, frames, stride)).permute(0, 3, 1, 2), size)
        except UserError as error:
            return error

    clips, wrong = torch.empty(len(files), frames, 3, size, size, dtype=torch.uint8), []
    with ThreadPoolExecutor(threads) as pool:
        for index, found in enumerate(pool.map(clip, files)):
            if isinstance(found, UserError):
                wrong.append(found)
            else:
                clips[index] = found
    if wrong:
        raise UserError(f"{wrong[0]} ({len(wrong):,} of {len(files):,} videos cannot be used)")
    return clips
