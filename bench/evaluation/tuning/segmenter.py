"""A class for every pixel: a head on the last feature map of an encoder, trained, and judged by the mean intersection over union.

B images, K classes, H height, W width.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.segmentation.fcn import FCNHead

from bench.compute.randomness import Draws, seeded
from bench.data.annotations import IGNORED
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.descent import batches, descend
from bench.spec import PROTOCOL, Recipe

IMAGES_AT_ONCE = 16
"""Images of a forward pass where nothing is trained."""
RAREST = 1e-4
"""Share of the pixels: rarer classes count no more in the loss than one that has so many."""


class Segmenter(nn.Module):
    """[B, 3, H, W], normalised -> scores float32 [B, K, H, W]: those of the last stage's map, enlarged bilinearly."""

    def __init__(self, backbone: Backbone, width: int, classes: int):
        """On a frozen backbone a linear layer (a 1x1 convolution) on standardised channels, as DINOv2's (facebookresearch/dinov2@7c503b3):
        a learning rate means the same at any scale of them. Else torchvision's FCN head without dropout. width: C."""
        super().__init__()
        self.backbone = backbone
        with seeded("segmenter", PROTOCOL):
            linear = nn.Sequential(nn.BatchNorm2d(width, affine=False), nn.Conv2d(width, classes, 1))
            self.head = linear if backbone.frozen else FCNHead(width, classes)
        for name, module in list(self.head.named_children()):
            if isinstance(module, nn.Dropout):
                self.head.add_module(name, nn.Identity())  # its draws would be the device's
        self.head.to(backbone.encoder.device)

    def forward(self, images: Tensor) -> Tensor:
        scores = self.head(self.backbone(images)[-1])
        return F.interpolate(scores, images.shape[2:], mode="bilinear", align_corners=False)


def stacked(items: Sequence, rows: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Some of a split, all of one size: uint8 [B, 3, H, W] and masks int64 [B, H, W]."""
    images, masks = zip(*(items[row] for row in rows), strict=True)
    return torch.stack([torch.as_tensor(image) for image in images]), torch.stack([torch.as_tensor(mask) for mask in masks]).long().to(
        device
    )


def class_weights(items: Sequence, classes: int) -> Tensor:
    """What a pixel of each class counts in the loss, float32 [K]: one over the square root of the class's share of a split's pixels, so
    scaled that they count 1 on average."""
    counts = torch.zeros(classes, dtype=torch.int64)
    for _, mask in items:
        pixels = torch.as_tensor(mask)
        counts += torch.bincount(pixels[pixels != IGNORED].long(), minlength=classes)
    share = (counts / counts.sum()).clamp(min=RAREST)
    return share.rsqrt() / share.sqrt().sum()


def train(
    network: Segmenter,
    items: Sequence,
    mirror: bool,
    recipe: Recipe,
    steps: int,
    weights: Tensor,
    check: Callable[[float], None],
) -> float | None:
    """Train the head, and the encoder where it is not frozen, on a split; half of the images mirrored where that shows the same. weights:
    of the classes in the loss, float32 [K]. FLOPs, or None where a loss was not finite."""
    encoder, order = network.backbone.encoder, batches(len(items), recipe.batch_size, "segmentation")
    weights = weights.to(encoder.device)

    def loss(step: int) -> Tensor:
        rows = next(order).tolist()
        images, masks = stacked(items, rows, encoder.device)
        flips = (Draws("segmentation", PROTOCOL, step, total=len(rows)).rand() < 0.5) & mirror
        images[flips], masks[flips.to(masks.device)] = images[flips].flip(-1), masks[flips.to(masks.device)].flip(-1)
        # Not the mean that torch takes, which is 0 / 0 for a batch without a pixel that counts.
        total = F.cross_entropy(network(encoder.prepare(images)), masks, weights, ignore_index=IGNORED, reduction="sum")
        return total / (masks != IGNORED).sum().clamp(min=1)

    return descend(network, recipe, steps, loss, check)


@torch.no_grad()
def confusion(network: Segmenter, items: Sequence, classes: int) -> Tensor:
    """How many pixels of class k were called l: int64 [K, K], over a split, ignored pixels left out."""
    encoder, counts = network.eval().backbone.encoder, torch.zeros(classes, classes, dtype=torch.int64)
    for start in range(0, len(items), IMAGES_AT_ONCE):
        images, masks = stacked(items, range(start, min(start + IMAGES_AT_ONCE, len(items))), encoder.device)
        counts += confused(network(encoder.prepare(images)).argmax(1), masks, classes).cpu()
    return counts


def confused(predicted: Tensor, masks: Tensor, classes: int) -> Tensor:
    """The same of predicted classes and masks, int64 [B, H, W] each."""
    counted = masks != IGNORED
    return torch.bincount(masks[counted] * classes + predicted[counted], minlength=classes**2).view(classes, classes)


def mean_iou(counts: Tensor, there: bool = False) -> float:
    """Percent: over classes that are there or were said to be, pixels of both over those of either, from int64 [K, K]. there: over classes
    that are there alone."""
    both, either = counts.diagonal().double(), (counts.sum(0) + counts.sum(1) - counts.diagonal()).double()
    counted = counts.sum(1) > 0 if there else either > 0
    return 100 * float((both[counted] / either[counted]).mean())


def of_background(counts: Tensor) -> Tensor:
    """What `confusion` would be if every pixel were called class 0, from int64 [K, K]."""
    return F.pad(counts.sum(1, keepdim=True), (0, len(counts) - 1))
