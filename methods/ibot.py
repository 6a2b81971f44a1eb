"""iBOT (Zhou et al. 2021, arXiv:2111.07832): DINO, whose student sees large crops with patches hidden, and says of these too what its own
moving average, which sees them whole, makes of them; one head serves class token and patches.

Differs from the paper:
- For small images: 4 local crops instead of 10, half as wide as the image instead of 96 of 224, and no blur up to 64 pixels.
- A head 256 wide, 128 before its last layer, with 1024 outputs instead of 2048, 256 and 8192: it sees every patch, and would outweigh a
  small encoder.
- A teacher's momentum of 0.99 at the start and not 0.996, which is too slow for a short run.
- Rectangles are drawn as BEiT's (bench/parts/tokens.py), 16 tries for each crop.
- The last layer is normalised, as theirs for a ViT-B; for a ViT-S it is not. No stochastic depth.
- Learning rate to 0, not 1e-6; the teacher's temperature rises with every step, not every epoch; gradients are clipped by their norm over
  all parameters, theirs each alone. Crops are resized by an antialiased triangle filter, not bicubic.
Their linear probe of a ViT-S joins four blocks; here it is the teacher's last class token.
B images in the global batch, V views, L patches, D features, P bottleneck, K outputs.
"""

import math

import torch

from bench.domains import Count, CountOrZero, Fraction, NonNegative, Positive, Probability, Several, Share
from bench.method import Method
from bench.parts import (
    HiddenPatches,
    MultiCrop,
    PrototypeHead,
    centred_targets,
    choose,
    cross_view_loss,
    hidden_patch_loss,
    large_and_small_crops,
    mean_of_batch,
    phases_from,
    warmed_up,
)
from bench.spec import Recipe


class IBOT(HiddenPatches, Method):
    paper = "arXiv:2111.07832"
    source = "bytedance/ibot@da316d8"
    family = "joint embedding"
    needs = "tokens"
    weights = "teacher"
    added = {"half_life": 0.0}
    search = {"half_life": ("choice", 0.0, 0.01, 0.2, 0.5)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        local_crops: CountOrZero = 4,
        local_size: Fraction = 0.5,
        area_split: Fraction = 0.25,
        area_min: Fraction = 0.05,
        mask_probability: Probability = 0.5,
        mask_min: Share = 0.1,
        mask_max: Fraction = 0.5,
        class_weight: NonNegative = 1.0,
        patch_weight: NonNegative = 1.0,
        outputs: Several = 1024,
        hidden: Count = 256,
        bottleneck: Count = 128,
        student_temperature: Positive = 0.1,
        teacher_temperature: Positive = 0.07,
        teacher_temperature_start: Positive = 0.04,
        teacher_temperature_warmup: Share = 0.1,
        momentum: Share = 0.99,
        momentum_end: Share = 1.0,
        centre_momentum: Share = 0.9,
        frozen: Share = 0.01,
        half_life: Share = 0.0,
    ):
        """local_crops: small crops of an image, 10. local_size: their width over the image's, 96 / 224, rounded to whole patches.
        area_split: large crops cover at least this part of the image and small ones at most, 0.25. area_min: of a small crop, 0.05.
        mask_probability: of a large crop having hidden patches, 0.5. mask_min, mask_max: part of its patches that is hidden, 0.1 to 0.5.
        class_weight, patch_weight: of the two losses, 1 and 1. outputs: K, 8192. hidden, bottleneck: of the head, 2048 and 256.
        student_temperature: 0.1. teacher_temperature: of both losses, 0.07, reached from teacher_temperature_start, 0.04, in the part
        teacher_temperature_warmup of progress, 30 of 800 epochs. momentum: of the teacher at the start, 0.996; to momentum_end, 1, along a
        cosine. centre_momentum: of both centres, 0.9. frozen: part of progress in which the last layer stays, 1 of 800 epochs.
        half_life: of the teacher, part of the run (bench/parts/teachers.py), 0."""
        super().__init__()
        encoder = make_encoder()
        self.build_networks(MultiCrop(encoder, PrototypeHead(encoder.dim, hidden, bottleneck, outputs)), momentum, momentum_end, half_life)
        self.build_masks(mask_probability, mask_min, mask_max, least=max(1, (encoder.side // 3) ** 2))  # loader.py
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("patch_centre", torch.zeros(outputs))
        self.batch_means = None  # of the teacher's outputs, on their way from loss to after_step; never part of the state
        self.class_weight, self.patch_weight, self.mask_probability = class_weight, patch_weight, mask_probability
        self.student_temperature, self.frozen, self.centre_momentum = student_temperature, frozen, centre_momentum
        self.temperatures = teacher_temperature_start, teacher_temperature, teacher_temperature_warmup
        # Where the last layer begins to move, and where the teacher's temperature stops.
        self.phases = phases_from(frozen, teacher_temperature_warmup)
        crops = {"count": local_crops, "size": local_size, "area_split": area_split, "area_min": area_min}
        self.views = large_and_small_crops(encoder, data, **crops)
        # Learning rate per 256 images, decays, 10 of 100 epochs of warm-up, clipping: defaults of main_ibot.py. Batch: the benchmark's.
        self.recipe = Recipe("adamw", lr=5e-4, batch_size=256, weight_decay=0.04, weight_decay_end=0.4, warmup=0.1, clip_grad=3.0)

    def chance_loss(self, batch_size):
        """A crop without hidden patches has no loss of them."""
        return (self.class_weight + self.patch_weight * self.mask_probability) * math.log(len(self.centre))

    def loss(self, batch, progress):
        frozen, temperature = progress < self.frozen, warmed_up(progress, *self.temperatures)
        whole, tokens, which, hidden = self.large_crops(batch)
        with torch.no_grad():
            said = self.teacher.network.head(whole)  # [2b, 1 + L, K]
            means = said[:, 0].mean(0), said[:, 1:].mean((0, 1))
            self.batch_means = [mean_of_batch(mean, len(batch.index)) for mean in means]
            targets = centred_targets(said[:, 0].unflatten(0, (2, -1)), self.centre, temperature)
            patch_targets = centred_targets(choose(said[:, 1:], which), self.patch_centre, temperature)
        classes = self.classes(batch, tokens, frozen=frozen)
        patches = self.student.head(choose(tokens[:, 1:], which), frozen=frozen)
        loss = self.class_weight * cross_view_loss(classes, targets, self.student_temperature)
        loss = loss + self.patch_weight * hidden_patch_loss(patches, patch_targets, hidden, self.student_temperature)
        return mean_of_batch(loss, len(batch.index))

    def after_step(self, progress):
        for centre, mean in zip((self.centre, self.patch_centre), self.batch_means, strict=True):
            centre.lerp_(mean, 1 - self.centre_momentum)
        self.batch_means = None
        super().after_step(progress)
