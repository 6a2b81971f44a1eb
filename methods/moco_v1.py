"""MoCo v1 (He et al. 2019, arXiv:1911.05722): an image must be told from a queue of keys by a slowly moving encoder; a linear head.

Differs from the paper:
- Numbers of the authors' CIFAR-10 demo (branch colab-notebook, colab/moco_cifar10_demo.ipynb) where it has them: temperature, momentum,
  queue and weight decay, and its cosine instead of steps (a tenth at 120 and again at 160 of 200 epochs). The demo augments as v2
  without blur; here it is v1's way.
- What methods/moco.py lists of the key encoder, of batches, of the queue and of BatchNorm groups.
B images in the global batch, D features, P projection, Q queue length.
"""

from torch import nn

from bench.domains import Count, Fraction, Positive, Share
from bench.method import Method
from bench.parts import MomentumContrast
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, Grayscale, ResizedCrop, View


class MoCoV1(MomentumContrast, Method):
    paper = "arXiv:1911.05722"
    source = "facebookresearch/moco@f736491"  # branch colab-notebook: main has been emptied
    family = "contrastive"
    version = 2
    added = {"shuffle": True, "half_life": 0.0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        momentum: Share = 0.99,
        queue: Count = 4096,
        projection: Count = 128,
        bn_groups: Count = 8,
        crop_min: Fraction = 0.2,
        shuffle: bool = True,
        half_life: Share = 0.0,
    ):
        """temperature: of the softmax; 0.1 on CIFAR-10, 0.07 on ImageNet. momentum: of the key encoder; 0.99 on CIFAR-10, 0.999 on
        ImageNet. queue: Q; 4096 on CIFAR-10, 65536 on ImageNet. projection: P, 128. bn_groups: groups of the batch over which
        BatchNorm's statistics are taken, 8. crop_min: smallest area of a crop, 0.2. shuffle: whether keys are
        encoded in another order than queries; without it BatchNorm's groups tell them apart (section 3.3).
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # main_moco.py without --aug-plus.
        ops = (ResizedCrop((crop_min, 1.0)), Grayscale(0.2), ColorJitter(0.4, 0.4, 0.4, 0.4, p=1.0), Flip())
        self.views = (View(ops, count=2),)
        self.recipe = Recipe(
            "sgd",
            lr=0.03,  # for each 256 images: the demo, section 4 and main_moco.py
            batch_size=256,  # section 4 and main_moco.py; the demo: 512
            momentum=0.9,  # all three
            weight_decay=5e-4,  # the demo; section 4 and main_moco.py: 1e-4
            warmup=0.0,  # all three
            schedule="cosine",  # the demo
            exclude=(),  # the demo and main_moco.py decay every parameter
        )
        encoder = make_encoder(bn_groups=bn_groups)
        # moco/builder.py with mlp=False.
        projector = nn.Linear(encoder.dim, projection)
        self.build_contrast(
            encoder,
            projector,
            queue=queue,
            projection=projection,
            momentum=momentum,
            half_life=half_life,
            temperature=temperature,
            shuffle=shuffle,
        )

    def loss(self, batch, progress):
        # One view each for the two encoders, as in moco/builder.py.
        return self.contrast(*batch.views, batch.permutation)[1]
