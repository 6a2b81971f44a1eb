"""Land use from a satellite, 10 kinds, colour."""

from bench.data.readers.torchvision import ONE_PIECE, TorchvisionSet

SET = TorchvisionSet(
    "EuroSAT",
    ONE_PIECE,
    {"all": 27_000},
    classes=10,
    files=("eurosat/2750",),
    image_size=64,
    source="https://github.com/phelber/eurosat",
    papers=("arXiv:1709.00029",),
    licence="MIT",
    whole_shares=True,
)
