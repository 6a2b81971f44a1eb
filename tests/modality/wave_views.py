"""A view of waves: begun anywhere, in more noise."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Shifted:
    """`count` independent draws of a wave that is turned round by a part of its length, with noise of this deviation added."""

    count: int = 2
    noise: float = 0.2

    def shape(self, data):
        return data.shape

    def ready(self, items, draws, data, mean, std):
        return tuple((self.shifted(items, own) - mean).div(std)[:, None] for own in draws)

    def shifted(self, items, draws):
        """float32 [B, L], one draw."""
        length = items.shape[1]
        places = (torch.arange(length, device=items.device) + draws.randint(length)[:, None]) % length
        return items.gather(1, places) + self.noise * draws.randn(length)
