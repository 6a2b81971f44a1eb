"""Videos of 51 kinds of movements of people (HMDB51), the first official split, 8 frames out of the middle of each, colour."""

from bench.data.clips import Clips
from bench.data.readers.video_lists import VideoSet, hmdb51_group, hmdb51_list

SET = VideoSet(
    hmdb51_list,
    hmdb51_group,
    {"train": 3_570, "test": 1_530},
    classes=51,
    videos="hmdb51",
    lists="testTrainMulti_7030_splits",
    source="https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
    papers=("doi:10.1109/ICCV.2011.6126543",),
    clips=Clips(8, stride=2),
)
