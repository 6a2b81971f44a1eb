"""Objects in boxes: torchvision's Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) on the stages of an encoder.

B images, M boxes of an image, K classes.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, TwoMLPHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from bench.compute.randomness import Draws, seeded
from bench.data.levels import unit_range
from bench.evaluation.tuning.backbone import Backbone
from bench.evaluation.tuning.descent import batches, descend
from bench.spec import PROTOCOL, Recipe

FINEST = 4
"""Pixels between the positions of the finest map that is used: a finer one has more anchors than it is worth (FPN's finest, too)."""
WIDTH, HIDDEN = 64, 256
"""Channels of the pyramid, and of the head on a region: a quarter of torchvision's 256 and 1,024, for two cores."""
ANCHORS, RATIOS = (16, 32, 64, 128), (0.5, 1.0, 2.0)
"""Sides of anchors in pixels, shared out among the maps, and their ratios of height to width."""
IMAGES_AT_ONCE = 8
"""Images of a forward pass where nothing is trained."""


class Pyramid(nn.Module):
    """What FasterRCNN takes as a backbone: a feature pyramid (Lin et al. 2017, arXiv:1612.03144) of those stages whose positions lie 4
    pixels apart or more, of several with equally many positions the last (as of a ViT, whose stages all are so: one map, as C4's)."""

    def __init__(self, backbone: Backbone, side: int):
        """side: height and width in pixels of an image that tells which stages these are."""
        super().__init__()
        self.backbone, self.out_channels = backbone, WIDTH
        shapes = backbone.shapes(side, side)
        last = {height: number for number, (_, height, _) in enumerate(shapes)}
        coarse = [number for height, number in last.items() if side / height >= FINEST] or [len(shapes) - 1]
        self.numbers = sorted(coarse)[-len(ANCHORS) :]
        self.strides = [round(side / shapes[number][1]) for number in self.numbers]
        self.pyramid = FeaturePyramidNetwork([shapes[number][0] for number in self.numbers], WIDTH)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """[B, 3, H, W], normalised -> each level's [B, WIDTH, h, w]."""
        maps = self.backbone(images)
        return self.pyramid(OrderedDict((str(level), maps[number]) for level, number in enumerate(self.numbers)))


def make(backbone: Backbone, classes: int, short_side: int) -> FasterRCNN:
    """A detector of that many classes (0, ..., K - 1; torchvision's 0 is none of them) in images of this short side."""
    patch = backbone.encoder.patch_size
    with seeded("detector", PROTOCOL):
        pyramid = Pyramid(backbone, math.lcm(32, patch) * -(-short_side // math.lcm(32, patch)))
        levels = len(pyramid.numbers)
        sizes = tuple(tuple(int(size) for size in part) for part in np.array_split(ANCHORS, levels))
        return FasterRCNN(
            pyramid,
            num_classes=None,
            # Images come at their size; this leaves them so.
            min_size=short_side,
            max_size=100 * short_side,
            image_mean=backbone.encoder.mean.tolist(),
            image_std=backbone.encoder.std.tolist(),
            size_divisible=math.lcm(pyramid.strides[-1], patch),
            rpn_anchor_generator=AnchorGenerator(sizes, (RATIOS,) * levels),
            rpn_pre_nms_top_n_train=500,
            rpn_post_nms_top_n_train=250,
            rpn_pre_nms_top_n_test=500,
            rpn_post_nms_top_n_test=250,
            box_roi_pool=regions_of(pyramid.strides),
            box_head=TwoMLPHead(WIDTH * 7 * 7, HIDDEN),
            box_predictor=Predictor(classes + 1),
            box_batch_size_per_image=128,
        ).to(backbone.encoder.device)


def regions_of(strides: list[int]) -> MultiScaleRoIAlign:
    """What looks regions up, 7 x 7 of each, in maps whose positions lie so many pixels apart, the finest first."""
    pool = MultiScaleRoIAlign([str(level) for level in range(len(strides))], output_size=7, sampling_ratio=2)
    # Left alone it takes these for the nearest powers of 2 and finds them from one batch's images; of a patch of 14 pixels that is wrong.
    pool.scales = [1 / stride for stride in strides]
    pool.map_levels = LevelMapper(int(math.log2(strides[0])), int(math.log2(strides[-1])))
    return pool


class Predictor(nn.Module):
    """A score and a box for every class, as torchvision's FastRCNNPredictor of HIDDEN inputs."""

    def __init__(self, classes: int):
        super().__init__()
        self.score, self.box = nn.Linear(HIDDEN, classes), nn.Linear(HIDDEN, 4 * classes)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """[M, HIDDEN] -> [M, 1 + K] and [M, 4 * (1 + K)]"""
        return self.score(regions), self.box(regions)


def ready(image: Tensor, device: torch.device) -> Tensor:
    """uint8 [3, H, W] -> float32 in [0, 1], on the device; the detector normalises it."""
    return unit_range(torch.as_tensor(image)).to(device)


def counted(target: dict, width: int, mirrored: bool, device: torch.device) -> dict[str, Tensor]:
    """What is trained on of a target of bench.data.annotated: boxes float32 [M, 4] that are not difficult, of a mirrored image mirrored,
    and labels int64 [M] from 1."""
    kept = ~target["difficult"]
    boxes = torch.as_tensor(target["boxes"])[kept].clone()
    if mirrored:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return {"boxes": boxes.to(device), "labels": (target["labels"][kept] + 1).to(device)}


def train(network: FasterRCNN, items: Sequence, mirror: bool, recipe: Recipe, steps: int, check: Callable[[float], None]) -> float | None:
    """Train the detector, and its encoder where that is not frozen, on a split; half of the images mirrored where that shows the same.
    FLOPs, or None where a loss was not finite."""
    device, order = next(network.parameters()).device, batches(len(items), recipe.batch_size, "detection")

    def loss(step: int) -> Tensor:
        rows = next(order).tolist()
        flips = ((Draws("detection", PROTOCOL, step, total=len(rows)).rand() < 0.5) & mirror).tolist()
        images, targets = [], []
        for row, mirrored in zip(rows, flips, strict=True):
            image, target = items[row]
            image = ready(image, device)
            images.append(image.flip(-1) if mirrored else image)
            targets.append(counted(target, image.shape[-1], mirrored, device))
        # Which anchors and regions are sampled torch's own generator decides.
        with seeded("detection", PROTOCOL, step):
            return sum(network(images, targets).values(), torch.zeros((), device=device))

    return descend(network, recipe, steps, loss, check)


@torch.no_grad()
def detected(network: FasterRCNN, items: Sequence) -> Iterator[tuple[dict, dict]]:
    """Of every image of a split: its target, and what was found: boxes float32 [M, 4], labels int64 [M] from 0, scores float32 [M]."""
    network.eval()
    device = next(network.parameters()).device
    for start in range(0, len(items), IMAGES_AT_ONCE):
        some = [items[number] for number in range(start, min(start + IMAGES_AT_ONCE, len(items)))]
        for (_, target), found in zip(some, network([ready(image, device) for image, _ in some]), strict=True):
            yield target, {"boxes": found["boxes"].cpu(), "labels": found["labels"].cpu() - 1, "scores": found["scores"].cpu()}
