"""An encoder of images in colour, for a method that has one channel to give it."""

from torch import Tensor, nn


class OneChannel(nn.Module):
    """A network of three channels as one of a single channel, which each of the three is: its weights stay its own.

    [B, 1, H, W] wherever the network takes [B, 3, H, W]; `dim`, and what it offers but for tokens, are the network's."""

    def __init__(self, network):
        super().__init__()
        self.network, self.dim = network, network.dim

    def forward(self, images: Tensor) -> Tensor:
        """[B, 1, H, W] -> [B, D]"""
        return self.network(images.expand(-1, 3, -1, -1))

    def feature_map(self, images: Tensor) -> Tensor:
        """[B, 1, H, W] -> [B, D, h, w]"""
        return self.network.feature_map(images.expand(-1, 3, -1, -1))
