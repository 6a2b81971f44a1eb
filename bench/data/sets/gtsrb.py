"""German traffic signs as torchvision has them, 43 kinds, colour."""

from pathlib import Path

from bench.data.readers.torchvision import BY_SPLIT, TorchvisionSet


def track(file: str) -> str:
    """Of Training/00003/00012_00005.ppm the class's track 12, one sign in one drive: 00003/00012."""
    return f"{Path(file).parent.name}/{Path(file).name.partition('_')[0]}"


SET = TorchvisionSet(
    "GTSRB",
    BY_SPLIT,
    # Of the 39,209 images of the final train part: torchvision's archive is that of the competition's first stage.
    {"train": 26_640, "test": 12_630},
    classes=43,
    files=("gtsrb/GTSRB/Training", "gtsrb/GTSRB/Final_Test/Images", "gtsrb/GT-final_test.csv"),
    image_size=48,
    source="https://benchmark.ini.rub.de/",
    papers=("doi:10.1016/j.neunet.2012.02.016",),
    licence="CC0",
    mirror_safe=False,  # a sign to the left is another one than a sign to the right
    group=track,
)
