"""Masked autoencoders (He et al. 2022, arXiv:2111.06377), Figure 5 and Table 1a: three quarters hidden, and a deep decoder, suit the probe.

The decoder of Figure 5 has 8 blocks, ours 4; its points are printed in it.
"""

from reports.claims.figure import Arm, Figure, Scale
from reports.claims.rules import Above, Peak
from reports.papers._rates import CIFAR10_VIT

FIGURE = Figure(
    paper="arXiv:2111.06377",
    place="Figure 5, Table 1a",
    claim="A masked autoencoder's linear probe is best with half to three quarters of the patches hidden, and better with a deep decoder.",
    axis="share of hidden patches",
    measure="linear",
    unit="top-1 on ImageNet, linear probe, %",
    arms={str(ratio): Arm("mae", ratio, "deep decoder", {"mask_ratio": ratio, "decoder_depth": 4}) for ratio in (0.2, 0.5, 0.75, 0.9)}
    | {"shallow": Arm("mae", 0.75, "decoder of 1 block", {"mask_ratio": 0.75, "decoder_depth": 1})},
    rules=(Peak(ends=("0.2", "0.9"), inside=("0.5", "0.75")), Above("0.75", "shallow")),
    learned=("0.75",),
    scales={
        "cpu": Scale(
            dataset="cifar10",
            encoder="vit_nano",
            budget="46080images",
            cost="about 45 core-minutes, estimated",
            seeds=(0, 1, 2),
            differs="CIFAR-10 and a ViT of 4 layers and 64 features in place of ImageNet and a ViT-L; one epoch in place of 800; decoders "
            "of 4 blocks and 1 in place of 8 and 1.",
            recipes=CIFAR10_VIT,
        ),
        "gpu": Scale(
            dataset="cifar10",
            encoder="vit_tiny",
            precision="bf16",
            budget="40epochs",
            seeds=(0, 1, 2),
            cost="about 20 H100-minutes, estimated",
            differs="CIFAR-10 and a ViT-Ti in place of ImageNet and a ViT-L; 40 epochs in place of 800; decoders of 4 blocks and 1 in "
            "place of 8 and 1.",
        ),
    },
)
