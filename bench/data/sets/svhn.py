"""House numbers, 10 digits, colour."""

from bench.data.readers.torchvision import BY_SPLIT, TorchvisionSet

SET = TorchvisionSet(
    "SVHN",
    BY_SPLIT,
    {"train": 73_257, "test": 26_032},
    classes=10,
    image_size=32,
    source="http://ufldl.stanford.edu/housenumbers/",
    papers=("http://ufldl.stanford.edu/housenumbers/nips2011_housenumbers.pdf",),
    licence="non-commercial use",
    mirror_safe=False,
    md5={"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373", "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"},
)
