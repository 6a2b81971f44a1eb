"""Learning rates of figures by method, for 256 images, and the words that many figures share; a file whose name begins with _ is no figure.

The rates are those that searches on val found, and a test holds them to bench/suites/demo.py and bench/suites/cifar10.py: MNIST5K with
resnet8 in 30 to 140 steps, CIFAR10 with resnet8 and CIFAR10_VIT with vit_nano in 80.
"""

from functools import partial

from reports.claims.figure import Scale

GpuScale = partial(Scale, dataset="cifar10", precision="bf16", budget="20epochs", seeds=(0, 1, 2))
"""What a quarter of an hour of a GPU is enough for, of most figures; what a figure says besides wins."""

PaperScale = partial(
    Scale, dataset="imagenet1k", encoder="resnet50", image_size=224, precision="bf16", seeds=(0, 1, 2), recipe_name="imagenet"
)
"""The paper's own data, encoder and length, with what its authors' code trains by. A cluster's work; three seeds, for a verdict."""

CIFAR10 = {
    "byol": {"lr": 4.5},
    "denoising_ae": {"lr": 0.003},
    "moco": {"lr": 0.09},
    "moco_v1": {"lr": 0.3},
    "npid": {"lr": 0.009},
    "pcl": {"lr": 0.09},
    "pirl": {"lr": 0.03},
    "rotation": {"lr": 0.1},
    "simclr": {"lr": 10.0},
    "simsiam": {"lr": 0.9},
    "supervised": {"lr": 0.1},
    "vicreg": {"lr": 5.0},
}

CIFAR10_VIT = {"dino": {"lr": 0.015}, "mae": {"lr": 0.00045}}

MNIST5K = {
    "byol": {"lr": 13.5},
    "denoising_ae": {"lr": 0.003},
    "moco": {"lr": 0.3},
    "npid": {"lr": 0.03},
    "simclr": {"lr": 3.0},
    "supervised": {"lr": 1.0},
    # Of these nothing was searched on digits.
    "simsiam": CIFAR10["simsiam"],
    "vicreg": CIFAR10["vicreg"],
}

MNIST5K_SETTINGS = {"npid": {"temperature": 0.5}, "simclr": {"crop_min": 0.2}}
"""Hyper-parameters that the search on digits found beside the rates, where they are not the method's own."""

RECORDED = {"multi_task": {"tasks": "rotation,npid"}}
"""Hyper-parameters of the suite cifar10's records, where a method's default has changed since."""

DigitsScale = partial(Scale, dataset="mnist5k", encoder="resnet8", recipes=MNIST5K, hyper_parameters=MNIST5K_SETTINGS)
CifarScale = partial(Scale, dataset="cifar10", encoder="resnet8", recipes=CIFAR10)
"""What figures have in common on one core; what one says besides wins."""

ON_DIGITS = "Handwritten digits of 28 pixels and a ResNet-8 in place of ImageNet and a ResNet-50"
ON_CIFAR = "CIFAR-10 at 32 pixels and a ResNet-8 in place of ImageNet and a ResNet-50"
ON_CIFAR_GPU = "CIFAR-10 at 32 pixels and a ResNet-18 in place of ImageNet and a ResNet-50, 20 epochs, the method's own recipe"
AS_IN_PAPER = (
    "ImageNet and a ResNet-50 as in the paper, trained by the recipe in methods/imagenet.toml; docs/recipes.md has what differs there"
)
"""Of PaperScale."""
SHORT = "; minutes of one core instead of days of many devices"
