"""Split-brain autoencoders (Zhang et al. 2017, arXiv:1611.09842), Table 2: to predict across channels is better than to rebuild the input.

The published numbers are those of the last layer, conv5, where predicting classes leads regression by too little to be judged: drawn alone.
"""

from reports.claims.figure import Arm, Figure, Records
from reports.claims.rules import Above
from reports.papers._rates import SHORT, GpuScale

DIFFERS = (
    "A small encoder without an AlexNet's five layers, CIFAR-10 in place of ImageNet; at equal FLOPs, so that split-brain, whose halves "
    "are narrow, sees 3.6 times as many images"
)

FIGURE = Figure(
    paper="arXiv:1611.09842",
    place="Table 2, Figure 4",
    claim="Predicting each half of the channels from the other gives better features than colourisation alone, and that better ones than "
    "an autoencoder.",
    axis="what is predicted",
    measure="linear",
    unit="top-1 on ImageNet, linear probe of conv5, %",
    arms={
        "autoencoder": Arm("autoencoder", "Lab→Lab"),
        "colourisation": Arm("colorization", "L→ab"),
        "split-brain": Arm("split_brain", "L→ab, ab→L"),
        "regression": Arm("split_brain", "L→ab, ab→L by regression", hyper_parameters={"kind": "regression"}),
    },
    rules=(
        Above("split-brain", "colourisation"),
        Above("colourisation", "autoencoder"),
    ),
    learned=("split-brain", "colourisation"),
    scales={
        "records": Records(
            "cifar10", encoder="resnet8", differs=f"{DIFFERS}{SHORT}.", arms=("autoencoder", "colourisation", "split-brain")
        ),
        "records_vit": Records(
            "cifar10", encoder="vit_nano", differs=f"{DIFFERS}{SHORT}.", arms=("autoencoder", "colourisation", "split-brain")
        ),
        "gpu": GpuScale(
            encoder="resnet18",
            cost="about 12 H100-minutes, estimated",
            differs="A ResNet-18 in place of an AlexNet, CIFAR-10 in place of ImageNet, 20 epochs, at equal images.",
        ),
    },
)
