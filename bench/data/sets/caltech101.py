"""Things and animals, 101 kinds, colour."""

from bench.data.readers.torchvision import ONE_PIECE, TorchvisionSet

SET = TorchvisionSet(
    "Caltech101",
    ONE_PIECE,
    {"all": 8_677},
    classes=101,
    files=("caltech101/101_ObjectCategories",),
    image_size=96,
    least_side=100,  # some 200 px in the original
    source="https://data.caltech.edu/records/mzrjq-6wc02",
    papers=("doi:10.1109/CVPR.2004.383",),
    licence="CC BY 4.0",
    metric="mean_per_class",
    of_each=30,  # what the field trains on
    whole_shares=True,
)
