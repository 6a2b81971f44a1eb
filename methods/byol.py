"""BYOL (Grill et al. 2020, arXiv:2006.07733): predict what a slowly moving copy of the network makes of the other view; nothing repels.

Differs from the paper:
- Learning rate, decay, momentum and warm-up of the authors' preset for 100 epochs (byol/configs/byol.py), for budgets shorter than the
  paper's 1000 epochs (0.2, 1.5e-6, 0.996, 10 epochs); that for 40 has a momentum of 0.97. Below some hundred steps a target of 0.99 stays
  near its start. Batches of 256 instead of 4096. There is no code by the authors for small images.
- No blur, as SimCLR on CIFAR-10 (arXiv:2002.05709, B.9); solarization of the second view stays.
- Target and online network start equal; byol_experiment.py draws them apart and says that it made no difference.
- Colour jitter as torchvision's: brightness is a factor (the authors: an offset), contrast is around the mean lightness (each
  channel's), saturation blends with grey (HSV's S). Crops are resized linearly (bicubic). Where a side of a crop is longer than the image
  the authors' code (byol/utils/dataset.py) shortens that side; here another crop is drawn, as by torchvision.
- The last BatchNorm of a residual block starts at 1, as in the paper; the code has 0, and no difference for a ResNet-50 (byol/README.md).
B images in the global batch, D features, P projection.
"""

from torch.nn import functional as F

from bench.domains import Count, Fraction, Share
from bench.method import Method
from bench.parts import StudentAndTeacher, full_precision, mean_of_batch, mlp
from bench.spec import Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def regression(predictions, targets):
    """Mean squared distance of the normalised rows of two [B, P], which is 2 - 2 cos (eq. 2)."""
    return 2 - 2 * F.cosine_similarity(predictions, targets, dim=1).mean()


class BYOL(StudentAndTeacher, Method):
    paper = "arXiv:2006.07733"
    source = "google-deepmind/deepmind-research@f5de0ed"
    family = "joint embedding"
    smallest_batch = 2
    added = {"momentum_end": 1.0, "half_life": 0.0}
    search = {"half_life": ("choice", 0.0, 0.01, 0.2, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        momentum: Share = 0.99,
        hidden: Count = 4096,
        projection: Count = 256,
        crop_min: Fraction = 0.08,
        blur: bool = False,
        momentum_end: Share = 1.0,
        half_life: Share = 0.0,
    ):
        """momentum: of the target network at the start; 0.996 over 1000 epochs, 0.99 over 100 to 300, 0.97 over 40.
        momentum_end: to which it goes along half a cosine, 1; in table 5a it stays as it is (0: the online network, 1: a random one).
        hidden: width of the two heads, 4096. projection: P, 256. crop_min: smallest area of a crop, 0.08.
        blur: whether the first view is always and the second sometimes blurred, as on ImageNet.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        # byol/utils/augmentations.py, augment_config; the crop is in byol/utils/dataset.py.
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2))
        first, second = ((Blur(1.0),), (Blur(0.1),)) if blur else ((), ())
        self.views = (View((*ops, *first)), View((*ops, *second, Solarize(0.2))))
        self.recipe = Recipe(
            "lars",  # paper and byol/utils/optimizers.py
            lr=0.45,  # for each 256 images: configs/byol.py, 100 epochs
            batch_size=256,  # figure 3: hardly worse than 4096
            momentum=0.9,  # configs/byol.py
            weight_decay=1e-6,  # configs/byol.py, 100 epochs
            warmup=0.1,  # configs/byol.py: 10 epochs, here of 100
            exclude=("bias", "norm"),  # byol/utils/optimizers.py, from decay and from adaptation
            eta=0.001,  # configs/byol.py
        )
        self.encoder = make_encoder()
        # byol/utils/networks.py, MLP: no bias after the last layer, and no BatchNorm, unlike SimCLR's.
        self.projector = mlp(self.encoder.dim, hidden, projection, bias=False)
        self.predictor = mlp(projection, hidden, projection, bias=False)
        self.build_teacher(momentum, momentum_end, half_life)  # as byol/utils/schedules.py, target_ema

    def loss(self, batch, progress):
        # One call for each view, so BatchNorm sees B images: byol_experiment.py, apply_once_fn.
        first, second = (self.predictor(self.project(images)) for images in batch.views)
        first_target, second_target = (self.teacher(images) for images in batch.views)
        return mean_of_batch(regression(first, second_target) + regression(second, first_target), len(batch.index))
