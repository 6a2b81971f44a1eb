"""NNCLR (Dwibedi et al. 2021, arXiv:2104.14548): the nearest neighbour of a view, among past embeddings, must find the image's other view.

Differs from the paper:
- For small images: a head 512 wide instead of 2048 and a predictor 1024 wide instead of 4096, which would outweigh a small encoder; 4096
  past embeddings instead of 98,304, which is more than most small data sets have images; batches of 256.
- Optimizer and augmentation are SimCLR's on ImageNet (arXiv:2002.05709, sections 2.3 and A), with its half strength of colour and without
  its blur on CIFAR-10 (B.9). There is no code by the authors; the paper's own numbers for them were not at hand.
- Each neighbour must find the prediction, for each view, as in solo-learn's solo/losses/nnclr.py. The paper's implementation details add
  the transpose, in which each prediction must find its own neighbour among the batch's, to make the loss symmetric (its text was not at
  hand, but a summary with the formula: seunghan96.github.io, CL_paper11). keras-io's examples/vision/nnclr.py has both terms, and thanks
  the paper's first author for his review; lightly's NTXentLoss too, with rows of the same kind as further negatives.
- Past embeddings are those of views: a place that is still empty is nobody's neighbour, and in the first step a view is its own.
B images in the global batch, D features, P projection, Q past embeddings.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Fraction, NonNegative, Positive, Probability
from bench.method import Method
from bench.parts import Queue, classify, full_precision, gather, mlp, scale_norm, upcast
from bench.spec import Recipe
from bench.views import Blur, Flip, Grayscale, ResizedCrop, View, color_distortion


@torch.no_grad()
@full_precision
def nearest(rows: Tensor, support: Tensor, empty: Tensor) -> Tensor:
    """For each of the unit rows [B, P] the most similar of the unit rows of the support set [Q, P]: [B, P], without gradient. empty: bool
    [Q], its places without a row; where all are, a row is its own neighbour."""
    support = support.to(rows.dtype)
    found = support[(rows @ support.T).masked_fill(empty, float("-inf")).argmax(1)]
    return torch.where(empty.all(), rows, found)


@full_precision
def find_the_view(neighbours: Tensor, predictions: Tensor, temperature: float) -> Tensor:
    """Each neighbour [B, P] must find its own image's prediction [B, P] among those of the batch; unit rows."""
    target = torch.arange(len(predictions), device=predictions.device)
    return classify(neighbours @ predictions.T / temperature, target)


class NNCLR(Method):
    paper = "arXiv:2104.14548"
    source = "vturrisi/solo-learn@08e027a, keras-team/keras-io@02ad465, lightly-ai/lightly@00283d7"
    family = "contrastive"
    smallest_batch = 2
    version = 2
    search = {"temperature": ("log", 0.05, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        temperature: Positive = 0.1,
        queue: Count = 4096,
        projection: Count = 256,
        hidden: Count = 512,
        predictor_hidden: Count = 1024,
        crop_min: Fraction = 0.08,
        color_strength: NonNegative = 0.5,
        blur: Probability = 0.0,
    ):
        """temperature: of the softmax, 0.1. queue: Q, the size of the support set, 98,304. projection: P, 256. hidden: width of the
        projector, 2048. predictor_hidden: of the predictor, 4096. crop_min: smallest area of a crop, 0.08. color_strength: of the colour
        distortion, 1. blur: its probability, 0.5."""
        super().__init__()
        jitter = color_distortion(color_strength)
        ops = (ResizedCrop((crop_min, 1.0)), Flip(), jitter, Grayscale(0.2))
        self.views = (View((*ops, Blur(blur)) if blur else ops, count=2),)
        # SimCLR's: see the top.
        self.recipe = Recipe(
            "lars",
            lr=0.3,  # for each 256 images
            batch_size=256,  # the benchmark's default
            weight_decay=1e-6,
            warmup=0.1,  # 10 of 100 epochs
            exclude=("bias", "norm"),
        )
        self.encoder = make_encoder()
        # Three layers, each with a BatchNorm, the last too; the predictor ends without one. The last scales but does not shift: the
        # predictor's BatchNorm takes a shift out again, so it would have no gradient but rounding.
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=3, last_norm=True)
        self.projector[-1] = scale_norm(projection)
        self.predictor = mlp(projection, predictor_hidden, projection)
        self.queue = Queue(queue, projection)
        self.temperature = temperature
        # The first view's embeddings, on their way from `loss` to `after_step`. Between steps there are none, so they are no state.
        self.new_rows = None

    def project(self, images):
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def chance_loss(self, batch_size):
        return math.log(batch_size)

    def needed(self, batch_size):
        return (self.queue.full(batch_size),)

    def loss(self, batch, progress):
        projections = [self.project(images) for images in batch.views]
        first, second = (F.normalize(upcast(gather(self.predictor(rows))), dim=1) for rows in projections)
        first_rows, second_rows = (F.normalize(upcast(gather(rows.detach())), dim=1) for rows in projections)
        self.new_rows = first_rows
        first_neighbours, second_neighbours = (nearest(rows, self.queue.rows, self.queue.empty) for rows in (first_rows, second_rows))
        losses = find_the_view(first_neighbours, second, self.temperature), find_the_view(second_neighbours, first, self.temperature)
        return sum(losses) / 2

    def after_step(self, progress):
        if self.new_rows is not None:
            self.queue.enqueue(self.new_rows)
        self.new_rows = None
