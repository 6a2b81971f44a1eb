"""PASCAL VOC 2012, photographs with 20 kinds of things and animals, boxes and masks, colour."""

from bench.data.readers.voc import VocSet

SET = VocSet(
    {"train": (5_717, 1_464), "val": (5_823, 1_449)},
    image_size=96,
    source="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
    papers=("http://www.pascal-network.org/challenges/VOC/voc2012/workshop/index.html",),
    licence="none stated; images from flickr, for research",
)
