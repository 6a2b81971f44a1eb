"""Principal components: the image's pixels projected on the directions in which the training images differ most.

No encoder and no label: a linear look at the data, fitted once. Images above 32 pixels are first averaged down to 32 x 32, since the fit
takes the square of the number of pixels. The components are not whitened: each keeps the variance that it has in the images.
B images, H and W their height and width, N images that are looked at, P pixels (of all channels), K components.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.domains import Count, Several
from bench.method import Floor
from bench.parts import full_precision


@full_precision
def principal_components(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean of rows [N, P], and their first `count` directions of largest variance, largest first: [P], [count, P]."""
    mean = rows.mean(0)
    centred = rows - mean
    if len(rows) > rows.shape[1]:
        directions = torch.linalg.eigh(centred.T @ centred).eigenvectors
    else:  # as many directions as rows, found among the rows' inner products: the smaller matrix
        directions = centred.T @ torch.linalg.eigh(centred @ centred.T).eigenvectors
    directions = F.normalize(directions.flip(1)[:, :count], dim=0).T
    # A direction and its opposite are one: the entry of largest size is taken to be positive.
    return mean, directions * directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign()


@full_precision
def projected(rows: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """[B, P], [P], [K, P] -> [B, K]"""
    return (rows - mean) @ directions.T


class PCA(Floor):
    version = 2
    deterministic = True

    def __init__(self, make_encoder, data, *, components: Count = 128, images: Several = 10_000, reduced: Count = 32):
        """components: K at most; there are no more than pixels, nor than images minus one. images: N at most; more of them cost memory
        and time, and turn the first components little. reduced: height and width to which larger images are averaged."""
        super().__init__()
        self.side, self.channels = min(reduced, data.image_size), data.channels
        self.images = min(images, data.num_images)
        pixels = data.channels * self.side**2
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("directions", torch.zeros(min(components, pixels, self.images - 1), pixels))

    def pixels(self, images):
        """[B, 3, H, W] -> [B, P]; of a grey image one channel, since all three are the same."""
        return F.adaptive_avg_pool2d(images[:, : self.channels], self.side).flatten(1)

    @torch.no_grad()
    def before_epoch(self, extract, generator):
        mean, directions = principal_components(extract(self.pixels, self.images), len(self.directions))
        self.mean.copy_(mean)
        self.directions.copy_(directions)
        return ()

    def encode(self, images):
        """[B, 3, H, W] -> [B, K]"""
        return projected(self.pixels(images), self.mean, self.directions)
