"""The first ten epochs of MoCo's CIFAR-10 demo with a ResNet-18, at its settings: half a day of one core.

Theirs by kNN (k = 200, temperature 0.1) on test within a training of 200 epochs: 31.98 after 1 epoch, 48.03 after 10
(colab/moco_cifar10_demo.ipynb of facebookresearch/moco@f736491; reports/reference/curves.csv). Until then its cosine has lowered the
learning rate by 0.6 %, so here it is constant. `report` holds both points against ours in met.md:

    run_bench.py run moco_demo --snapshots 0.1,0.2,0.5,1 --snapshot-evals knn

What differs besides: the encoder's representation is measured, theirs is the 128 numbers of a linear head, and the head here is MoCo v2's
(methods/moco.py); bfloat16.

Hours of one core with bfloat16 in hardware, by SimCLR's 31 images/s there and FLOPs: an epoch 18 min, ten 3 h, a look by kNN 10 min; three
seeds 12 h.
"""

from typing import Any

from bench.spec import Budget, RunSpec
from bench.suites import SEEDS, Suite

NAME = "moco_demo"

EPOCHS = 10

DEMO = {"batch_size": 512, "schedule": "constant"}
"""0.06 for a batch of 512, which is the recipe's 0.03 for each 256; everything else is as the method and its recipe have it."""


def suite() -> Suite:
    """Untrained features, then seed by seed; on all 50,000 images, as theirs."""
    facts: dict[str, Any] = {"dataset": "cifar10", "encoder": "resnet18", "precision": "bf16", "pretrain_split": "train+val"}
    runs = [RunSpec(method="random", seed=seed, budget=Budget("epochs", EPOCHS), **facts) for seed in SEEDS]
    runs += [RunSpec(method="moco", seed=seed, budget=Budget("epochs", EPOCHS), recipe_changes=dict(DEMO), **facts) for seed in SEEDS]
    return Suite(tuple(runs), ("knn", "linear", "label_free"), f"results/{NAME}")
