"""Things and animals, 200 classes of ImageNet at 64 px, colour."""

from bench.data.readers.torchvision import FOLDERS, IMAGENET_TERMS, TorchvisionSet

SET = TorchvisionSet(
    "TinyImageNet",
    FOLDERS,
    {"train": 100_000, "test": 10_000},
    classes=200,
    files=("tiny-imagenet-200/train", "tiny-imagenet-200/val/val_annotations.txt"),
    image_size=64,
    source="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    papers=("http://vision.stanford.edu/teaching/cs231n/reports/2015/pdfs/yle_project.pdf",),
    licence=IMAGENET_TERMS,
    whole_shares=True,
    by_hand="torchvision has no loader for it; unpack http://cs231n.stanford.edu/tiny-imagenet-200.zip there",
)
