"""Clips: sets made of known digits and of tracks, videos written here and read back, and what is refused."""

import numpy as np
import pytest
import torch

from bench.data import catalogue
from bench.data.clips import ClipInfo, Clips
from bench.data.images import IMAGES, channel_stats
from bench.data.levels import prepare
from bench.data.load import load_split
from bench.data.sets import moving_digits
from bench.data.videos import decode_videos
from bench.errors import UserError

av = pytest.importorskip("av")

SETS = ("moving_digits", "moving_digits_direction", "moving_digits_speed")


def video(path, sizes, codec="mpeg4", container=None):
    """A video whose frame t has a grey of 10 t, each of its own width and height; written by PyAV."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        for number, (width, height) in enumerate(sizes):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 10 * number, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return str(path)


def decoded(*files, frames=4, stride=2):
    return decode_videos(np.array(files, dtype=object), 16, frames, stride, 2)


def test_a_digit_moves_as_its_labels_say():
    clips, truth = moving_digits.made("test")
    assert clips.shape == (1000, 8, 1, 32, 32) and clips.dtype == np.uint8
    for row in range(0, 1000, 50):
        down, right = (step * moving_digits.SPEEDS[truth["speed"][row]] for step in moving_digits.STEPS[truth["direction"][row]])
        for time in range(7):
            assert np.array_equal(np.roll(clips[row, time, 0], (down, right), (0, 1)), clips[row, time + 1, 0])
    names = [moving_digits.DIRECTIONS[number] for number in (0, 2, 7)]
    assert names == ["right", "down", "up right"] and [moving_digits.STEPS[number] for number in (0, 2, 7)] == [(0, 1), (1, 0), (-1, 1)]


def test_no_digit_is_in_two_parts():
    """A clip's ink, wherever it is, is that of one digit of mnist5k."""
    ink = {
        part: {tuple(sorted(clip[0][clip[0] > 0].tolist())) for clip in moving_digits.made(part)[0]} for part in ("train", "val", "test")
    }
    assert [len(ink[part]) for part in ink] == [3600, 400, 1000]
    assert not ink["train"] & ink["test"] and not ink["val"] & ink["test"] and not ink["train"] & ink["val"]


def test_sets_of_moving_digits_are_the_same_clips():
    splits = [load_split(name, "test") for name in SETS]
    assert all(torch.equal(split.images, splits[0].images) for split in splits)
    assert [len(split.classes) for split in splits] == [10, 8, 3]
    assert len({catalogue.entry(name).revision for name in SETS}) == 3
    info = catalogue.require("moving_digits").info("train")
    assert isinstance(info, ClipInfo) and info.shape == (8, 3, 32, 32) and info.num_images == 3600 and not info.mirror_safe


@pytest.mark.data
def test_a_track_is_in_one_split_in_the_order_of_time(real_set):
    data, found = catalogue.require("gtsrb_tracks", real_set("gtsrb_tracks")), {}
    for split in ("train", "val", "test"):
        files, labels, _ = data.items(split)
        assert files.shape == (data.entry.sizes[split], 8) and len(labels) == len(files)
        for clip, label in zip(files, labels, strict=True):
            names = [file.split("/")[-2:] for file in clip]
            assert len({(folder, name[:5]) for folder, name in names}) == 1, "one track"
            assert [name for _, name in names] == sorted(name for _, name in names) and int(names[0][0]) == label
        found[split] = {clip[0] for clip in files}
    assert not found["train"] & found["test"] and not found["train"] & found["val"] and not found["val"] & found["test"]
    assert len(found["train"] | found["val"] | found["test"]) == 1306


def test_clips_are_normalised_by_what_their_frames_have_in_common():
    clips, modality = torch.randint(256, (5, 3, 1, 8, 8), dtype=torch.uint8), Clips(3)
    mean, std = modality.statistics(clips)
    for found, expected in zip((mean, std), channel_stats(clips.flatten(0, 1)), strict=True):
        assert torch.equal(found, expected)
    ready = modality.prepare(clips, mean, std)
    assert ready.shape == (5, 3, 3, 8, 8)
    assert all(torch.equal(ready[:, time], prepare(clips[:, time], mean, std)) for time in range(3))
    assert torch.equal(modality.prepare(clips[:, 0], mean, std), ready[:, :1]), "an image is a clip of one frame"


def test_a_modality_is_equal_where_its_clips_are():
    assert Clips(8) == Clips(8) != Clips(9) and hash(Clips(8)) == hash(Clips(8)) and Clips(8, 2) != Clips(8) and Clips(8) != IMAGES


def test_frames_are_taken_from_the_middle_of_a_video(tmp_path):
    file = video(tmp_path / "a.avi", [(32, 24)] * 11)
    clips = decoded(file)
    assert clips.shape == (1, 4, 3, 16, 16) and clips.dtype == torch.uint8
    # Frames 2, 4, 6 and 8 of 0 to 10: greys of 20, 40, 60 and 80, but for the codec.
    assert (clips.float().mean((0, 2, 3, 4)) - torch.tensor([20.0, 40, 60, 80])).abs().max() < 4


def test_what_cannot_be_decoded_is_named_and_counted(tmp_path):
    good = video(tmp_path / "good.avi", [(32, 24)] * 11)
    (tmp_path / "bad.avi").write_bytes(b"this is no video")
    (tmp_path / "worse.avi").write_bytes(b"")
    with pytest.raises(UserError, match=r"bad.avi' cannot be decoded \(.*\) \(2 of 3 videos cannot be used\)"):
        decoded(good, str(tmp_path / "bad.avi"), str(tmp_path / "worse.avi"))
    with pytest.raises(UserError, match=r"gone.avi' cannot be decoded \(.*1 of 1 videos"):
        decoded(str(tmp_path / "gone.avi"))


def test_a_video_that_is_shorter_than_its_stride_is_named(tmp_path):
    short = video(tmp_path / "short.avi", [(32, 24)] * 6)
    with pytest.raises(UserError, match=r"short.avi' has 6 frames, and 4 with a stride of 2 span 7; expected a longer video"):
        decoded(short)
    assert len(decoded(short, stride=1)) == 1


def test_frames_of_different_sizes_are_refused(tmp_path):
    """As where two recordings were joined."""
    for name, size in (("one", (32, 24)), ("two", (48, 32))):
        video(tmp_path / f"{name}.m1v", [size] * 5, "mpeg1video", "mpeg1video")
    (tmp_path / "both.m1v").write_bytes((tmp_path / "one.m1v").read_bytes() + (tmp_path / "two.m1v").read_bytes())
    with pytest.raises(UserError, match=r"both.m1v' has frames of different sizes, 32 x 24 and then 48 x 32 pixels from frame [45] on"):
        decoded(str(tmp_path / "both.m1v"))
