"""Random features: the encoder as it was initialised, never trained, what any method must beat.

BatchNorm is evaluated with its initial statistics (mean 0, variance 1), so every image is encoded on its own. A trained encoder has those
of images: what a training begins with is nearer to methods/random_rescaled.py.
"""

from bench.method import Floor


class Random(Floor):
    takes = ()

    def __init__(self, make_encoder, data):
        super().__init__()
        self.encoder = make_encoder()
