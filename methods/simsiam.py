"""SimSiam (Chen & He 2021, arXiv:2011.10566): predict one view's projection from the other's, which is taken as a constant; nothing repels.

Differs from the paper:
- Numbers of its CIFAR-10 experiments (appendix D) where it has them: learning rate, decay, two layers in the projector, no blur.
- Hidden layers of the projector are as wide as the features, as in simsiam/builder.py; the paper: 2048, the same for its ResNet-50. Of an
  encoder with fewer than 512 features the predictor, 512 wide inside, is then no bottleneck.
- The predictor's learning rate does not decay: the authors' command (README) and the paper's best (table 1c); its baseline decays it.
- The last BatchNorm of each residual block starts as the harness's encoder has it, not at 0.
B images in the global batch, D features, P projection.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction, Probability
from bench.method import Method
from bench.parts import full_precision, mean_of_batch, mlp
from bench.spec import Group, Recipe
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def negative_cosine(predictions: Tensor, projections: Tensor, stop_gradient: bool = True) -> Tensor:
    """D of eq. 3, mean over images: -cosine of each prediction [B, P] with the other view's projection [B, P], a constant unless
    its gradient is not stopped (eq. 1)."""
    targets = projections.detach() if stop_gradient else projections
    return -F.cosine_similarity(predictions, targets, dim=1).mean()


class SimSiam(Method):
    paper = "arXiv:2011.10566"
    source = "facebookresearch/simsiam@a7bc177"
    family = "joint embedding"
    smallest_batch = 2
    added = {"stop_gradient": True, "predictor": "mlp", "hidden_norm": True, "output_norm": True}
    search = {"crop_min": ("log", 0.05, 0.5)}

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
        stop_gradient: bool = True,
        predictor: Literal["mlp", "none", "fixed"] = "mlp",
        hidden_norm: bool = True,
        output_norm: bool = True,
    ):
        """projection: P, 2048 on both. hidden: of the predictor, a quarter of P. head_layers: of the projector; 2 on CIFAR-10, 3 on
        ImageNet. crop_min: smallest area of a crop, 0.2. blur: its probability; 0 on CIFAR-10, 0.5 on ImageNet.
        What the paper takes away: stop_gradient, of the target (figure 2). predictor: none is the identity, fixed is not trained (table 1).
        hidden_norm: BatchNorm in the hidden layers of both heads; output_norm: after the projector (table 3: none has neither, hidden-only
        the first)."""
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
            groups=(Group("predictor.", schedule="constant"),) if predictor == "mlp" else (),  # README's --fix-pred-lr
        )
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, projection, layers=head_layers, norm=hidden_norm, last_norm=output_norm)
        self.predictor = nn.Identity() if predictor == "none" else mlp(projection, hidden, projection, norm=hidden_norm)
        self.predictor.requires_grad_(predictor == "mlp")
        self.stop_gradient = stop_gradient
        # Linear layers keep PyTorch's own start: with others it may not converge (appendix A).

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def loss(self, batch, progress):
        # One call for each view, as in simsiam/builder.py: BatchNorm sees B images at a time.
        first, second = (self.project(images) for images in batch.views)
        stop = self.stop_gradient
        loss = negative_cosine(self.predictor(first), second, stop) / 2 + negative_cosine(self.predictor(second), first, stop) / 2
        return mean_of_batch(loss, len(batch.index))
