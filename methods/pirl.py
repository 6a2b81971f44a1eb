"""PIRL (Misra & van der Maaten 2019, arXiv:1912.01991): nine shuffled patches of an image must be told, by the image's row in a memory,
from the rows of other images, and so must the image itself.

Differs from the paper:
- The images of a batch share their negatives, from which each leaves itself out; the paper draws some for every image.
- 4096 negatives instead of 32,000 (or all images, where there are fewer), and batches of 256 instead of 1024.
- Colours and mirror images are drawn once for all patches of an image and not for each, and there are none of the photometric operations
  of ImgPilRandomPhotometric in the authors' vissl.
- As the authors', the memory begins as noise, so in the first epoch an image is drawn to a random point: a run needs some epochs.
- A patch is a quarter of the crop wide, as 64 of the authors' 255 pixels. At 32 pixels that is 8 in a cell of 10: jitter of 2 pixels
  and gaps of 2 on average, where the authors have 21 and 21.
- BatchNorm's statistics are of whole crops and patches in turn, as the encoder sees both; of whole images alone they are no better (36.4 on
  val of CIFAR-10 by a linear probe instead of 37.3; resnet8, 3 TFLOP, one seed).
- The cosine ends at 0, theirs at a thousandth.
Differs from the authors' code (vissl, losses/nce_loss.py), not from the paper:
- The sum over the negatives is each embedding's own, and has a gradient, as eq. 3 has it; theirs is measured on the first batch and kept.
- An image is never its own negative.
B images in the global batch, D features, P projection, N images of the pretraining split, K negatives.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, Fraction, Positive, Several, Share
from bench.method import Method
from bench.parts import Memory, full_precision, gather, mean_of_batch, upcast
from bench.patches import cut, jittered_grid, patch_side
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, Grayscale, ResizedCrop, View

SIDE = 3
PATCHES = SIDE**2


@full_precision
def nce(embeddings: Tensor, own: Tensor, others: Tensor, excluded: Tensor, temperature: float) -> Tensor:
    """Eq. 3 and 4: an embedding [B, P] and the image's own row [B, P] are taken for a pair, it and each of the others [K, P] are not.
    All unit vectors. excluded: bool [B, K], which of the others are no others; of each image one must stay."""
    positive = (embeddings * own).sum(1, keepdim=True) / temperature
    negative = (embeddings @ others.T / temperature).masked_fill(excluded, float("-inf"))
    # h = exp(score) / (exp(score) + sum over negatives of exp), a logistic function of the score minus the sum's logarithm.
    noise = negative.logsumexp(1, keepdim=True)
    return -(F.logsigmoid(positive - noise).sum(1) + F.logsigmoid(noise - negative).sum(1)).mean()


class PIRL(Method):
    paper = "arXiv:1912.01991"
    source = "facebookresearch/vissl@09270ed"
    family = "contrastive"
    search = {"temperature": ("log", 0.03, 0.3)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.07,
        weight: Share = 0.5,
        momentum: Share = 0.5,
        negatives: Several = 4096,
        projection: Count = 128,
        patch: Fraction = 0.25,
        crop_min: Fraction = 0.08,
        patches_crop_min: Fraction = 0.6,
    ):
        """temperature: of the scores, 0.07. weight: lambda, of the patches' part of the loss, 0.5; at 0 this is NPID by NCE.
        momentum: of the memory's rows, 0.5. negatives: K, 32,000. projection: P, 128. patch: its side as a fraction of the crop's,
        64 / 255. crop_min, patches_crop_min: smallest area of the image's crop and of that which patches are cut from, 0.08 and 0.6."""
        super().__init__()
        if data.num_images < 2:
            raise ValueError("one image has no negatives, since an image is not its own; take more images")
        self.encoder = make_encoder()
        self.side = patch_side(self.encoder, data.image_size, patch, data.image_size // SIDE - 1)
        # vissl's pirl_jigsaw_4node_resnet50.yaml, in its order.
        ops = (ColorJitter(0.4, 0.4, 0.4, 0.2, p=1.0), Grayscale(0.2), Flip())
        self.views = (View((ResizedCrop((crop_min, 1.0)), *ops)), View((ResizedCrop((patches_crop_min, 1.0)), *ops)))
        self.recipe = Recipe(
            "sgd",
            lr=0.03,  # for each 256 images: the same file, and the paper's 0.12 at 1024
            batch_size=256,  # the benchmark's default; the paper: 1024
            momentum=0.9,  # the same file, as the weight decay
            weight_decay=1e-4,
            warmup=0.0,  # none there
            exclude=("bias", "norm"),  # regularize_bias and regularize_bn are false
        )
        # Linear, as section 2.3: f of the image; of each patch, and then of all patches, g.
        self.projector = nn.Linear(self.encoder.dim, projection)
        self.patch_projector = nn.Linear(self.encoder.dim, projection)
        self.puzzle_projector = nn.Linear(PATCHES * projection, projection)
        self.memory = Memory(data.num_images, projection)
        self.temperature, self.weight, self.momentum, self.negatives = temperature, weight, momentum, negatives
        # Index and embeddings of a step on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_rows = None

    def project(self, images):
        """[B, 3, H, W] -> unit vectors [B, P], float32"""
        return F.normalize(upcast(self.projector(self.encoder(images))), dim=1)

    def project_patches(self, images, batch):
        """The same of an image's nine patches in random order."""
        corners = jittered_grid(batch, images, SIDE, self.side)
        order = batch.rand(PATCHES).argsort(1)
        patches = cut(images, corners.gather(1, order[..., None].expand(-1, -1, 2)), self.side)
        batch.show("nine patches of view 2 in a shuffled order", lambda: patches)
        rows = self.patch_projector(self.encoder(patches.flatten(0, 1))).unflatten(0, (-1, PATCHES)).flatten(1)
        return F.normalize(upcast(self.puzzle_projector(rows)), dim=1)

    def chance_loss(self, batch_size):
        count = min(self.negatives, len(self.memory.rows) - 1)
        return math.log1p(count) + count * math.log1p(1 / count)

    def needed(self, batch_size):
        return (self.memory.filled(batch_size),)

    def loss(self, batch, progress):
        whole, transformed = self.project(batch.views[0]), self.project_patches(batch.views[1], batch)
        self.new_rows = gather(batch.index), gather(whole).detach()
        chosen = batch.permutation(len(self.memory.rows))[: self.negatives]
        own, others = (F.normalize(self.memory.rows[which], dim=1) for which in (batch.index, chosen))
        excluded = chosen == batch.index[:, None]
        parts = [nce(embeddings, own, others, excluded, self.temperature) for embeddings in (transformed, whole)]
        return mean_of_batch(torch.lerp(parts[1], parts[0], self.weight), len(whole))

    def after_step(self, progress):
        # The image's embedding, never the patches': section 2.2.
        if self.new_rows is not None:
            self.memory.move(*self.new_rows, self.momentum)
        self.new_rows = None
