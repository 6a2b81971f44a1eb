"""SimSiam (Chen & He 2021, arXiv:2011.10566): predict one view's projection from the other's, which is taken as a constant; nothing repels.

Differs from the paper:
- Numbers of its CIFAR-10 experiments (appendix D) where it has them: learning rate, decay, two layers in the projector, no blur.
- Hidden layers of the projector are as wide as the features, as in simsiam/builder.py; the paper: 2048, the same for its ResNet-50. Of an
  encoder with fewer than 512 features the predictor, 512 wide inside, is then no bottleneck.
- The predictor's learning rate does not decay: the authors' command (README) and the paper's best (table 1c); its baseline decays it.
- The last BatchNorm of each residual block starts as the harness's encoder has it, not at 0.
B images in the global batch, D features, P projection.
"""

from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, Probability
from bench.method import Method
from bench.parts import full_precision, mean_of_batch, mlp
from bench.spec import Group, Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def negative_cosine(predictions: Tensor, projections: Tensor) -> Tensor:
    """D of eq. 3, mean over images: -cosine of each prediction [B, P] with the other view's projection [B, P], a constant."""
    return -F.cosine_similarity(predictions, projections.detach(), dim=1).mean()


class SimSiam(Method):
    paper = "arXiv:2011.10566"
    source = "facebookresearch/simsiam@a7bc177"
    family = "joint embedding"
    smallest_batch = 2

    def __init__(
        self,
        make_encoder,
        data,
        *,
        projection: Count = 2048,
        hidden: Count = 512,
        head_layers: Count = 2,
        crop_min: Fraction = 0.2,
        blur: Probability = 0.0,
    ):
        """projection: P, 2048 on both. hidden: of the predictor, a quarter of P. head_layers: of the projector; 2 on CIFAR-10, 3 on
        ImageNet. crop_min: smallest area of a crop, 0.2. blur: its probability; 0 on CIFAR-10, 0.5 on ImageNet."""
        super().__init__()
        # main_simsiam.py and appendix A, MoCo v2's augmentation.
        ops = (
            ResizedCrop((crop_min, 1.0)),
            ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
            Grayscale(0.2),
            *((Blur(blur),) if blur else ()),
            Flip(),
        )
        self.views = (View(ops, count=2),)
        self.recipe = Recipe(
            "sgd",
            lr=0.03,  # for each 256 images: appendix D; on ImageNet 0.05
            batch_size=256,  # table 4; appendix D and main_simsiam.py: 512
            momentum=0.9,  # section 3 and appendix D
            weight_decay=5e-4,  # appendix D; on ImageNet 1e-4
            warmup=0.0,  # main_simsiam.py
            schedule="cosine",  # section 3
            exclude=(),  # appendix A: every parameter decays
            groups=(Group("predictor.", schedule="constant"),),  # README's --fix-pred-lr
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, layers=head_layers, last_norm=True)
        self.predictor = mlp(projection, hidden, projection)
        # Linear layers keep PyTorch's own start: with others it may not converge (appendix A).

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One call for each view, as in simsiam/builder.py: BatchNorm sees B images at a time.
        first, second = (self.project(images) for images in batch.views)
        loss = negative_cosine(self.predictor(first), second) / 2 + negative_cosine(self.predictor(second), first) / 2
        return mean_of_batch(loss, len(batch.index))
