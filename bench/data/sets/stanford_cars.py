"""Cars, 196 models, colour."""

from bench.data.readers.torchvision import BY_SPLIT, TorchvisionSet

SET = TorchvisionSet(
    "StanfordCars",
    BY_SPLIT,
    {"train": 8_144, "test": 8_041},
    classes=196,
    files=("stanford_cars/devkit/cars_meta.mat", "stanford_cars/cars_train", "stanford_cars/cars_test"),
    image_size=96,
    source="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (gone)",
    papers=("doi:10.1109/ICCVW.2013.77",),
    licence="not known: the page is gone",
    by_hand="its host is gone; put devkit/, cars_train/, cars_test/ and cars_test_annos_withlabels.mat into 'stanford_cars'",
)
