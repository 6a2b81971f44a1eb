"""A trainable encoder's feature maps as what a dense head stands on, frozen or trained with the head.

B images, C channels of a stage, [h, w] = size of its map.
"""

import torch
from torch import Tensor, nn

from bench.evaluation.tuning.trainable import Trainable


class Backbone(nn.Module):
    """The stages' maps of an encoder. Frozen, the encoder stays in eval mode and has no gradient, whatever mode the head is in."""

    def __init__(self, encoder: Trainable, frozen: bool):
        super().__init__()
        self.encoder, self.frozen = encoder, frozen
        if frozen:
            encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> "Backbone":
        return super().train(mode and not self.frozen)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W], normalised -> each stage's [B, C, h, w], float32, the first stage first."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.encoder.maps(images)

    @torch.no_grad()
    def shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(C, h, w) of every stage for images of this size; empty where there are no stages."""
        mode = self.encoder.training
        maps = self.encoder.eval().maps(torch.zeros(1, 3, height, width, device=self.encoder.device))
        self.encoder.train(mode)
        return [(each.shape[1], each.shape[2], each.shape[3]) for each in maps]
