"""Denoising autoencoder (Vincent et al. 2008, doi:10.1145/1390156.1390294; 2010): rebuild a clean image from a corrupted one.

Differs from the paper: a convolutional encoder, or a ViT, and a decoder trained end to end instead of dense layers with tied weights
stacked one by one; squared error on normalised pixels (2010, section 2.2: for real-valued inputs) where 2008 has cross-entropy on
pixels in [0, 1]; a hidden pixel takes the data's mean colour, not black, and hides all three channels, since one channel gives the
others away; each pixel is hidden with the given probability (2008: a fixed number of components); the loss is a mean over
pixels, not a sum, which Adam's steps do not see.
B images in the global batch, D features, S height and width of the view, h of the feature map, C channels of the data.
"""

from typing import Literal

from torch import Tensor

from bench.domains import Count, Positive
from bench.method import Method
from bench.parts import mean_of_batch, upcast
from bench.reconstruction import decoder, map_side, squared_error
from bench.spec import Recipe
from bench.views import View


class DenoisingAutoencoder(Method):
    paper = "doi:10.1145/1390156.1390294"
    source = "paper alone"
    family = "pretext"
    needs = "feature_map"
    search = {"level": ("linear", 0.1, 0.6)}

    def __init__(self, make_encoder, data, *, noise: Literal["masking", "gaussian"] = "masking", level: Positive = 0.25, width: Count = 64):
        """noise: masking (2008) or gaussian (2010). level: part of the pixels that is hidden, 0.1 to 0.4 in the paper, chosen for each
        data set; for gaussian noise its standard deviation in units of the data's own. width: channels of the decoder's first stage;
        the paper's decoder is the transposed encoder."""
        super().__init__()
        if noise == "masking" and level >= 1:
            raise ValueError(f"level={level:g} hides every pixel: masking takes more than 0 and below 1")
        self.views = (View(()),)
        # The paper's numbers belong to layer-wise SGD. Adam with its authors' own settings (arXiv:1412.6980); the batch is the benchmark's
        # default, and the warm-up is for ViTs.
        self.recipe = Recipe("adam", lr=1e-3, lr_per_batch=None, batch_size=256, warmup=0.05)
        self.encoder = make_encoder()
        self.decoder = decoder(self.encoder.dim, map_side(self.encoder, data.image_size), data.image_size, width)
        self.noise, self.level, self.channels = noise, level, data.channels

    def corrupt(self, batch) -> Tensor:
        """The view [B, 3, S, S] with noise on it."""
        clean = batch.views[0]
        if self.noise == "masking":
            return clean * (batch.rand(1, *clean.shape[2:]) >= self.level)
        # On grey data one draw for all three channels, which are equal: three would average out.
        return clean + self.level * batch.randn(self.channels, *clean.shape[2:])

    def chance_loss(self, batch_size):
        return 1.0  # the mean colour for every pixel

    def loss(self, batch, progress):
        clean, noisy = batch.views[0], self.corrupt(batch)
        batch.show("with noise", lambda: noisy)
        return mean_of_batch(squared_error(self.decoder(self.encoder.feature_map(noisy)), clean), len(clean))

    def encode(self, images):
        """The mean of the feature map, which is what the loss trains; in a ViT it leaves the class token's output untrained."""
        return upcast(self.encoder.feature_map(images)).mean((2, 3))
