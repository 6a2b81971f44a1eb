"""NPID (Wu et al. 2018, arXiv:1805.01978): every image is its own class, and the classifier's weights are a memory of embeddings.

Differs from the paper:
- The softmax over all N images, eq. 2, as the authors run on CIFAR-10 (README: `cifar.py --nce-k 0`); NCE, the paper's on ImageNet, is
  `negatives=4096`. Its Z is that of the first batch and stays (lib/NCEAverage.py). NCECriterion.py's 1e-7 in each denominator is left out.
- No proximal regularisation (section 3.3): the authors' code has none.
- Temperature 0.1, the authors' on CIFAR-10 (README and cifar.py); the paper: 0.07.
- A cosine instead of steps (cifar.py: a tenth at 60 % and again at 80 % of the epochs), and batches of 256 instead of 128.
- As the paper's, the memory begins as noise, so in the first epoch an image is drawn to a random point: a run needs some epochs.
- What is evaluated are the features; the paper's nearest neighbours are those of the projection (`project`).
No mirror images: cifar.py has that line commented out (main.py, for ImageNet, has it).
B images in the global batch, D features, P projection, N images of the pretraining split, K negatives.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Fraction, Positive, Probability, Share
from bench.method import Method
from bench.parts import Memory, classify, full_precision, gather, mean_of_batch, upcast
from bench.spec import Recipe
from bench.views import ColorJitter, Flip, Grayscale, ResizedCrop, View


@full_precision
def instance_softmax(embeddings, memory, index, temperature):
    """The non-parametric softmax (eq. 2): an embedding [B, P] must find its own row, at `index` [B], among all of memory [N, P]."""
    return classify(embeddings @ memory.T / temperature, index)


@full_precision
def similarities(embeddings, memory, index, temperature):
    """Of each embedding [B, P] to its own rows of memory [N, P], which are at `index` [B, K + 1]: [B, K + 1], over the temperature."""
    return (memory[index] @ embeddings[:, :, None])[:, :, 0] / temperature


@full_precision
def noise_contrast(scores, normaliser, num_images):
    """NCE as in the authors' NCECriterion.py, a mean over images. scores: [B, K + 1], the similarity to the own row first, then to those
    of the noise, which is uniform over the N images; normaliser: Z, such that exp(score) / Z is a row's probability.

    With P = exp(s) / Z, the probability that a row is no noise, P / (P + K / N), is the sigmoid of s - log(K Z / N)."""
    odds = scores - (normaliser * (scores.shape[1] - 1) / num_images).log()
    return (F.softplus(-odds[:, 0]) + F.softplus(odds[:, 1:]).sum(1)).mean()


class NPID(Method):
    paper = "arXiv:1805.01978"
    source = "zhirongw/lemniscate.pytorch@f7cfe29"
    family = "contrastive"
    added = {"negatives": 0}
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        momentum: Share = 0.5,
        projection: Count = 128,
        crop_min: Fraction = 0.2,
        flip: Probability = 0.0,
        negatives: CountOrZero = 0,
    ):
        """temperature: of the softmax; 0.1 on CIFAR-10, 0.07 in the paper. momentum: of the memory's rows, 0.5.
        projection: P, 128. crop_min: smallest area of a crop, 0.2. flip: probability of a mirror image; 0 on CIFAR-10, 0.5 on ImageNet.
        negatives: K, rows of noise that an image is told from by NCE; 4096 on ImageNet, 0 on CIFAR-10: the softmax over all rows."""
        super().__init__()
        # transform_train of the authors' cifar.py.
        ops = (ResizedCrop((crop_min, 1.0)), ColorJitter(0.4, 0.4, 0.4, 0.4, p=1.0), Grayscale(0.2))
        self.views = (View((*ops, Flip(flip)) if flip else ops),)
        self.recipe = Recipe(
            "sgd",
            lr=0.03,  # cifar.py, README and paper
            lr_per_batch=128,  # cifar.py's batch
            batch_size=256,  # the paper's and main.py's
            momentum=0.9,  # cifar.py and paper
            weight_decay=5e-4,  # cifar.py
            warmup=0.0,  # cifar.py
            exclude=(),  # cifar.py decays every parameter
        )
        self.encoder = make_encoder()
        # models/resnet_cifar.py: one linear layer, then the L2 norm.
        self.projector = nn.Linear(self.encoder.dim, projection)
        self.memory = Memory(data.num_images, projection)
        if negatives:
            self.register_buffer("normaliser", torch.zeros(()))  # Z; 0 until the first batch has told it
        self.temperature, self.momentum, self.negatives = temperature, momentum, negatives
        # Index, embeddings and Z of a step on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_rows = self.new_normaliser = None

    def project(self, images):
        """[B, 3, H, W] -> unit vectors [B, P], float32"""
        return F.normalize(upcast(self.projector(self.encoder(images))), dim=1)

    def chance_loss(self, batch_size):
        if not self.negatives:
            return math.log(len(self.memory.rows))
        return math.log1p(self.negatives) + self.negatives * math.log1p(1 / self.negatives)  # every row with probability 1 / N

    def needed(self, batch_size):
        return (self.memory.filled(batch_size),)

    def loss(self, batch, progress):
        own = self.project(batch.views[0])
        embeddings, index = gather(own), gather(batch.index)
        self.new_rows = index, embeddings.detach()
        if not self.negatives:
            return instance_softmax(embeddings, self.memory.rows, index, self.temperature)
        noise = batch.randint(len(self.memory.rows), self.negatives)
        scores = similarities(own, self.memory.rows, torch.cat([batch.index[:, None], noise], dim=1), self.temperature)
        estimate = mean_of_batch(scores.detach().exp().mean(), len(own)) * len(self.memory.rows)
        self.new_normaliser = torch.where(self.normaliser > 0, self.normaliser, estimate)
        return mean_of_batch(noise_contrast(scores, self.new_normaliser, len(self.memory.rows)), len(own))

    def after_step(self, progress):
        # The embeddings that the loss saw, made before the weights moved, as in lib/LinearAverage.py.
        if self.new_rows is not None:
            self.memory.move(*self.new_rows, self.momentum)
            if self.negatives:
                self.normaliser.copy_(self.new_normaliser)
        self.new_rows = self.new_normaliser = None
