"""A part of voc2012, short side 128, 2,000 photographs of mostly animals with boxes and masks, colour."""

from bench.data.readers.known import PART_BY_HAND
from bench.data.readers.voc import VocSet

SET = VocSet(
    {"train": (901, 437), "val": (917, 445)},
    image_size=96,
    source="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/, a part",
    papers=("http://www.pascal-network.org/challenges/VOC/voc2012/workshop/index.html",),
    licence="none stated; images from flickr, for research",
    content={"train": "97ec04e16284f004", "val": "3da8f333a35b73e6"},
    counts=(803, 98, 917),
    masks=(395, 42, 445),
    by_hand=PART_BY_HAND,
)
