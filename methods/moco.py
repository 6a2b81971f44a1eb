"""MoCo v2 (Chen et al. 2020, arXiv:2003.04297; v1: He et al. 2019, arXiv:1911.05722): an image must be told from a queue of
past keys, which a slowly moving copy of the encoder made.

Differs from the paper:
- Numbers of the authors' CIFAR-10 demo (branch colab-notebook, colab/moco_cifar10_demo.ipynb) where it has them: temperature,
  momentum, queue, weight decay, crops of 8 % and more (v2 on ImageNet: 20 %), no blur. The demo's head is linear; here it is v2's.
- The key encoder moves at the end of a step, in the authors' code at the start of the next: the same keys, since before the first
  step both encoders are equal.
- Any batch up to the queue's length: the queue wraps around inside a batch, where the authors demand that the batch divides it.
- The queue begins empty, and what is empty is no negative; the authors' begins with random vectors.
- BatchNorm groups are runs of consecutive images, in the demo every eighth image; queries come in random order, keys are permuted.
B images in the global batch, D features, P projection, Q queue length.
"""

from bench.domains import Count, Fraction, Positive, Probability, Share
from bench.method import Method
from bench.parts import MomentumContrast, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


class MoCo(MomentumContrast, Method):
    paper = "arXiv:2003.04297"
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
        crop_min: Fraction = 0.08,
        blur: Probability = 0.0,
        shuffle: bool = True,
        half_life: Share = 0.0,
    ):
        """temperature: of the softmax; 0.1 on CIFAR-10, 0.2 on ImageNet. momentum: of the key encoder; 0.99 on CIFAR-10,
        0.999 on ImageNet. queue: Q; 4096 on CIFAR-10, 65536 on ImageNet. projection: P, 128. bn_groups: groups of the batch
        over which BatchNorm's statistics are taken, 8. crop_min: smallest area of a crop; 0.08 on CIFAR-10, 0.2 on ImageNet.
        blur: its probability; 0 on CIFAR-10, 0.5 on ImageNet. shuffle: whether keys are encoded in another order than queries; without it
        BatchNorm's groups tell them apart (arXiv:1911.05722, section 3.3).
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # The demo's train_transform; main_moco.py's --aug-plus has the same strengths.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), Grayscale(0.2))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=2),)
        self.recipe = Recipe(
            "sgd",
            lr=0.03,  # for each 256 images: the demo ("0.06 for batch 512 (or 0.03 for batch 256)") and main_moco.py
            batch_size=256,  # main_moco.py; the demo: 512
            momentum=0.9,  # both
            weight_decay=5e-4,  # the demo; main_moco.py: 1e-4
            warmup=0.0,  # both
            schedule="cosine",  # v2, and the demo
            exclude=(),  # both decay every parameter
        )
        encoder = make_encoder(bn_groups=bn_groups)
        # As moco/builder.py with mlp=True: one hidden layer as wide as the features, no BatchNorm.
        projector = mlp(encoder.dim, encoder.dim, projection, norm=False)
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
