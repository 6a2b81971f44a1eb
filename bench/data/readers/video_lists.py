"""Sets of videos with their official split lists, as UCF101 and HMDB51 come: torchvision's readers of them need what it no longer has.

    SET = VideoSet(ucf101_list, ...)    in bench/data/sets/ucf101.py

We could not look at these: a set is known by the number of videos and classes that its lists name, and by a listing of their files. A test
group of the official list is whole in test; val is a tenth of train's groups, since videos of one group are cut out of one recording.
N videos.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.data.clips import Clips
from bench.data.entry import Entry
from bench.data.splits import VAL_FRACTION, held_out_groups
from bench.errors import UserError

Listed = list[tuple[str, str]]
"""Of every video its path under the folder of videos, and its class."""


@dataclass(frozen=True)
class VideoSet:
    """One data set."""

    listed: Callable[[Path, str], Listed]
    """(root, "train" or "test") -> what the first official split has."""
    group: Callable[[str], str]
    """What a train video's file name says of the recording that it was cut out of."""
    official: dict[str, int]
    """Part -> videos of the original's first split."""
    classes: int
    videos: str
    """Folder of the videos, under the data root."""
    lists: str
    """Folder of the lists."""
    source: str
    clips: Clips
    image_size: int = 64
    papers: tuple[str, ...] = ()

    def entry(self, name: str, summary: str) -> Entry:
        """What the rest of the harness sees of it."""
        train, test = (self.official[part] for part in ("train", "test"))
        return Entry(
            name,
            summary,
            3,
            self.image_size,
            True,
            {"train": None, "val": None, "train+val": train, "test": test},
            "",
            partial(read, self, name),
            (self.videos, self.lists),
            own_val=True,
            encoder="frames_resnet8",
            classes=self.classes,
            source=self.source,
            papers=self.papers,
            compared="the number of videos and classes of its lists",
            by_hand=f"put its videos into {self.videos} and its lists of splits into {self.lists} by hand (docs/data.md)",
            modality=self.clips,
        )


def read(row: VideoSet, name: str, root: Path, part: str):
    """`Entry.read`: paths of videos [N], none of which is decoded. A UserError where lists name other than the original's, or no file."""
    piece = "test" if part == "test" else "train"
    found = row.listed(root / row.lists, piece)
    classes = tuple(sorted({label for _, label in found}))
    if (len(found), len(classes)) != (row.official[piece], row.classes):
        raise UserError(
            f"{name} under '{root}' is refused: its lists name {len(found):,} videos in {len(classes):,} classes for {piece}, expected "
            f"{row.official[piece]:,} in {row.classes:,}"
        )
    gone = [video for video, _ in found if not (root / row.videos / video).is_file()]
    if gone:
        raise UserError(
            f"{name} under '{root}' is not whole: there is no '{row.videos}/{gone[0]}' ({len(gone):,} of {len(found):,} videos)"
        )
    files = np.array([str(root / row.videos / video) for video, _ in found], dtype=object)
    labels = np.array([classes.index(label) for _, label in found], dtype=np.int64)
    if piece == "test":
        return files, labels, classes
    groups = np.array([f"{label}/{row.group(Path(video).name)}" for video, label in found])
    val = held_out_groups(labels, groups, VAL_FRACTION)
    picked = val if part == "val" else np.setdiff1d(np.arange(len(labels)), val)
    return files[picked], labels[picked], classes


def lines_of(file: Path) -> list[str]:
    """Those of a list that are not empty; a UserError where it cannot be read."""
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"'{file}' cannot be read as a list of videos ({type(error).__name__})") from error


def ucf101_list(lists: Path, piece: str) -> Listed:
    """trainlist01.txt has 'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1', testlist01.txt the same without the number."""
    videos = [line.split(" ")[0] for line in lines_of(lists / f"{piece}list01.txt")]
    return [(video, video.partition("/")[0]) for video in videos]


def ucf101_group(video: str) -> str:
    """'g08' of v_ApplyEyeMakeup_g08_c01.avi: one person in one place."""
    return re.sub(r".*_(g\d+)_c\d+\..*", r"\1", video)


HMDB51_MARK = {"train": "1", "test": "2"}
"""Behind a video's name; 0 is in neither."""


def hmdb51_list(lists: Path, piece: str) -> Listed:
    """brush_hair_test_split1.txt has 'April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1', a file for each class."""
    found = []
    for file in sorted(lists.glob("*_test_split1.txt")):
        label = file.name.removesuffix("_test_split1.txt")
        for line in lines_of(file):
            video, _, mark = line.rpartition(" ")
            if mark == HMDB51_MARK[piece]:
                found.append((f"{label}/{video}", label))
    return found


def hmdb51_group(video: str) -> str:
    """The recording, of which a clip's number is the last in its name: April_09_brush_hair_u_nm_np1_ba_goo."""
    return re.sub(r"_\d+\.\w+$", "", video)
