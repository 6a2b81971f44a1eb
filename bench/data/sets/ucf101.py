"""Videos of 101 kinds of actions (UCF101), the first official split, 8 frames out of the middle of each, colour."""

from bench.data.clips import Clips
from bench.data.readers.video_lists import VideoSet, ucf101_group, ucf101_list

SET = VideoSet(
    ucf101_list,
    ucf101_group,
    {"train": 9_537, "test": 3_783},
    classes=101,
    videos="UCF-101",
    lists="ucfTrainTestlist",
    source="https://www.crcv.ucf.edu/data/UCF101.php",
    papers=("arXiv:1212.0402",),
    clips=Clips(8, stride=2),
)
