"""Raw pixels: the normalised image as a vector, what a representation should be more useful than.

No encoder, so its features depend on nothing but the image. Above 64 pixels the image is first averaged down to 32 x 32: a
probe on 224 x 224 x 3 = 150,528 features would measure the probe.
B images, H and W their height and width, D = 3 H W features; of a grey image all three channels are the same.
"""

from bench.domains import Count
from bench.method import Floor
from bench.parts.pixels import as_vectors


class Pixels(Floor):
    deterministic = True

    def __init__(self, make_encoder, data, *, reduced: Count = 32):
        """reduced: height and width to which larger images are averaged, the size of CIFAR's."""
        super().__init__()
        self.reduced = reduced

    def encode(self, images):
        """[B, 3, H, W] -> [B, D]"""
        return as_vectors(images, self.reduced)
