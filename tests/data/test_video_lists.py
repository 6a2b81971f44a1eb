"""UCF101 and HMDB51: files of their format, videos and lists of splits, written here by PyAV and read as the originals would be."""

import dataclasses
from collections import Counter

import pytest

from bench.data import catalogue
from bench.data.dataset import DataSet
from bench.data.load import load
from bench.data.packing import pack
from bench.data.readers.video_lists import hmdb51_group, ucf101_group
from bench.data.sets import hmdb51, ucf101
from bench.data.unread import require_readable
from bench.errors import UserError
from tests.data.test_clips import video

SIZES = {"train": 12, "test": 4}


def ucf(root):
    """Two classes, each with three groups of two videos in train and one in test, of which one list is CRLF."""
    lists = {"train": [], "test": []}
    for label, kind in enumerate(("Archery", "Bowling"), 1):
        (root / "UCF-101" / kind).mkdir(parents=True)
        for group in range(1, 5):
            for clip in (1, 2):
                name = f"{kind}/v_{kind}_g{group:02d}_c{clip:02d}.avi"
                video(root / "UCF-101" / name, [(32, 24)] * 20)
                lists["test" if group == 1 else "train"].append(name if group == 1 else f"{name} {label}")
    (root / "ucfTrainTestlist").mkdir()
    for piece, lines in lists.items():
        (root / "ucfTrainTestlist" / f"{piece}list01.txt").write_bytes("\r\n".join([*lines, ""]).encode())


def hmdb(root):
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir()
    for kind in ("brush_hair", "wave"):
        (root / "hmdb51" / kind).mkdir(parents=True)
        lines = []
        for film in range(4):
            for clip in (0, 1):
                name = f"Film_{film}_{kind}_u_nm_np1_ba_goo_{clip}.avi"
                video(root / "hmdb51" / kind / name, [(32, 24)] * 20)
                lines.append(f"{name} {2 if film == 0 else 1} ")
        (lists / f"{kind}_test_split1.txt").write_text("\n".join([*lines, "Other_0.avi 0"]))


CASES = {"ucf101": (ucf101, ucf), "hmdb51": (hmdb51, hmdb)}


def small(name, root, **changes):
    """The data set as it would be with so few videos."""
    row = dataclasses.replace(CASES[name][0].SET, **{"official": SIZES, "classes": 2} | changes)
    return DataSet(row.entry(name, "few videos"), root)


@pytest.mark.parametrize("name", CASES)
def test_splits_are_the_lists_and_val_is_whole_groups(name, tmp_path):
    CASES[name][1](tmp_path)
    data, group = small(name, tmp_path), CASES[name][0].SET.group
    found = {split: load(data, split, 16) for split in ("train", "val", "test")}
    assert {split: tuple(its.images.shape) for split, its in found.items()} == {
        split: (count, 8, 3, 16, 16) for split, count in (("train", 8), ("val", 4), ("test", 4))
    }
    assert all(Counter(its.labels.tolist()) == dict.fromkeys((0, 1), len(its.labels) // 2) for its in found.values())
    groups = {split: {(file.split("/")[-2], group(file.split("/")[-1])) for file in data.items(split)[0]} for split in found}
    assert not groups["train"] & groups["val"] and not groups["train"] & groups["test"] and len(groups["val"]) == 2
    assert data.num_classes == 2 and len(data.revision) == 12 and data.info("train").shape == (8, 3, 64, 64)
    assert data.info("train").num_images == 8


def test_videos_are_decoded_before_a_run_and_what_cannot_be_is_named_and_counted(tmp_path):
    ucf(tmp_path)
    counts = []
    for _ in range(2):
        require_readable(small("ucf101", tmp_path), 16, tmp_path / "scratch", counts.append)
    assert counts == [16], "once, and they are videos and not images"
    bad = tmp_path / "UCF-101/Archery/v_Archery_g02_c01.avi"
    bad.write_bytes(b"this is no video")
    video(tmp_path / "UCF-101/Bowling/v_Bowling_g02_c01.avi", [(32, 24)] * 14)
    with pytest.raises(UserError, match=r"v_Archery_g02_c01.avi' cannot be decoded .* \(2 of 16 clips cannot; .* data check ucf101` names"):
        require_readable(small("ucf101", tmp_path), 16, tmp_path / "scratch")
    video(bad, [(32, 24)] * 20)
    with pytest.raises(UserError, match=r"has 14 frames, and 8 with a stride of 2 span 15; .* \(1 of 16 clips cannot"):
        require_readable(small("ucf101", tmp_path), 16, tmp_path / "scratch")


def test_files_of_what_are_not_images_are_not_packed(tmp_path, monkeypatch):
    ucf(tmp_path)
    monkeypatch.setattr(catalogue, "require", small)
    with pytest.raises(UserError, match="ucf101 has no image files to pack: its items are clips; expected a data set of images"):
        pack("ucf101", 16, tmp_path)
    assert not (tmp_path / "packed").exists()


def test_groups_are_the_recordings():
    assert ucf101_group("v_ApplyEyeMakeup_g08_c01.avi") == "g08"
    assert hmdb51_group("April_09_brush_hair_u_nm_np1_ba_goo_0.avi") == "April_09_brush_hair_u_nm_np1_ba_goo"


def test_what_is_not_the_original_is_refused(tmp_path):
    ucf(tmp_path)
    with pytest.raises(UserError, match=r"its lists name 12 videos in 2 classes for train, expected 9,537 in 101"):
        small("ucf101", tmp_path, official={"train": 9_537, "test": 3_783}, classes=101).items("train")
    (tmp_path / "UCF-101/Archery/v_Archery_g02_c01.avi").unlink()
    with pytest.raises(UserError, match=r"there is no 'UCF-101/Archery/v_Archery_g02_c01.avi' \(1 of 12 videos\)"):
        small("ucf101", tmp_path).items("train")
    (tmp_path / "ucfTrainTestlist/trainlist01.txt").unlink()
    with pytest.raises(UserError, match=r"trainlist01.txt' cannot be read as a list of videos"):
        small("ucf101", tmp_path).items("train")


def test_what_is_not_there_says_where_to_put_it(tmp_path):
    with pytest.raises(UserError, match=r"put its videos into UCF-101 and its lists of splits into ucfTrainTestlist by hand"):
        catalogue.require("ucf101", tmp_path)
