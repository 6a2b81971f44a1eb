"""Exemplar-CNN (Dosovitskiy et al. 2014, arXiv:1406.6909): every image is its own class, and a classifier must know it in any disguise.

Differs from the paper:
- Whole images are the exemplars, where the paper cuts patches of 32 x 32 where there is much gradient; every image of the pretraining
  split, where the paper takes 50 to 32,000 and finds that too many make it worse, since some look alike.
- Disguises are new in each batch, not a set of samples made once. They are crops (the paper: moves by 0.2 of the patch, scales from
  0.7 to 1.4, turns of up to 20 degrees) and colour: factors in place of the paper's powers and principal components; its hue.
- The classifier is a linear layer on the harness's encoder, without a hidden layer of 512.
- SGD as Kolesnikov et al. 2019 (google/revisiting-self-supervised) trained exemplars in residual networks, with a cosine; their loss is
  not this softmax but one of triplets.
- In its first epoch an image meets its class's weights before they have learned anything of it: a run needs some epochs, where the paper
  has a set of fewer images.
Cost: N classes take 2 D N multiplications and additions an image, three times that with the backward pass. For N = 45,000 this is a quarter
of resnet8's own cost (D = 64), and 4 % of resnet18's (D = 512) with 23 million weights; so all classes are compared. For millions of
images `candidates` bounds the cost of a step, though not the memory: the classifier keeps N rows.
B images in the global batch, D features, N images of the pretraining split, K classes that are compared.
"""

import math

import torch
from torch import Tensor, nn

from bench.domains import Count, CountOrZero, Fraction, NonNegative
from bench.method import Method
from bench.parts import classify, gather, images_seen, mean_of_batch, shard
from bench.spec import Recipe
from bench.views import ColorJitter, ResizedCrop, View


class Exemplar(Method):
    paper = "arXiv:1406.6909"
    source = "google/revisiting-self-supervised@b530e3b"
    family = "pretext"
    search = {"color_strength": ("linear", 0.1, 1.0)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        candidates: CountOrZero = 0,
        samples: Count = 1,
        crop_min: Fraction = 0.5,
        color_strength: NonNegative = 0.5,
    ):
        """candidates: how many classes, drawn anew in each step, stand against those of the batch's images; 0: all others, as the paper.
        samples: disguises of an image in a batch, 1; the paper makes them once, and finds that up to about 100 of each help.
        crop_min: smallest area of a crop, from the paper's largest scale, 1 / 1.4 ** 2. color_strength: brightness, contrast and
        saturation take factors of 1 +- this; the paper's lie between 0.5 and 2."""
        super().__init__()
        # Hue by up to 0.1 of the circle either way: the paper's.
        jitter = ColorJitter(color_strength, color_strength, color_strength, 0.1, p=1.0)
        self.views = (View((ResizedCrop((crop_min, 1.0), ratio=(1.0, 1.0)), jitter), count=samples),)
        self.recipe = Recipe(
            "sgd",
            lr=0.1,  # for each 256 images: config/exemplar/imagenet.sh of revisiting-self-supervised
            batch_size=256,  # the benchmark's default; imagenet.sh: 64
            momentum=0.9,  # trainer.py there
            weight_decay=1e-4,  # self_supervision/exemplar.py there
            warmup=0.14,  # 5 of 35 epochs: imagenet.sh
        )
        self.encoder = make_encoder()
        self.classifier = nn.Linear(self.encoder.dim, data.num_images)
        self.candidates, self.num_images = min(candidates, data.num_images), data.num_images

    def compared(self, batch) -> tuple[Tensor, Tensor]:
        """Which classes are compared, those of the global batch first, and whether each is there for the first time: int64, bool [K]."""
        own = gather(batch.index)
        others = batch.permutation(self.num_images)[: self.candidates]
        return torch.cat([own, others]), torch.cat([torch.ones_like(own, dtype=torch.bool), ~torch.isin(others, own)])

    def chance_loss(self, batch_size):
        drawn = self.candidates * (1 - batch_size / self.num_images)  # of these those that are not in the batch, on average
        return math.log(batch_size + drawn if self.candidates else self.num_images)

    def needed(self, batch_size):
        return (images_seen(self.num_images, batch_size, "every image has met its class"),)

    def loss(self, batch, progress):
        # One encoder call for all disguises: images of one class in one batch.
        features = self.encoder(torch.cat(batch.views))
        if not self.candidates:
            logits, target = self.classifier(features), batch.index
        else:
            classes, first = self.compared(batch)
            logits = nn.functional.linear(features, self.classifier.weight[classes], self.classifier.bias[classes])
            logits = logits.masked_fill(~first, float("-inf"))
            target = shard(torch.arange(len(classes) - self.candidates, device=classes.device))
        return mean_of_batch(classify(logits, target.repeat(len(batch.views))), len(batch.index))
