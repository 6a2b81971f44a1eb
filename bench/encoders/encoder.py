"""What every encoder is: a network from images to features, and what else it can be asked for.

B images, C channels, H x W pixels, D features, [h, w] = size of a feature map.
"""

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """The base of the networks of networks/: a new one says its `dim` and defines `forward`, `stages` and `stage_modules`.

    Whoever needs more than every encoder has looks at `offers`, or says so in a method's `needs`, which is checked before a run begins."""

    offers: tuple[str, ...]
    """features: the call itself. feature_map: `feature_map`, `stages` and `stage_modules`. tokens: also
    `tokens(images, keep, replace, mask_token)`, which a transformer alone has (networks/vit.py), and where a method wants what each of its
    blocks makes `block_tokens(images)`; of text `tokens(words, drop)`, and the call itself with `drop` too (networks/text_transformer.py).
    words: `word_vectors()`. frames: `frames(clips)`, the features of every frame of a clip. Every class gives them as a literal, which is
    read in its text before torch is imported."""
    takes: str = "images"
    """The name of the modality that it is for (bench/data/modality.py); of another a literal too."""
    dim: int
    """D, with the width that it was made with."""
    published_keys: tuple[tuple[str, str], ...] = ()
    """What its parameters are called in the checkpoints that others publish, where those have other names: a regular expression of theirs
    and what it becomes here, one after the other (weights.py)."""
    patch_size: int = 1
    """Pixels a side of what a view must be a whole number of: a ViT's patches; 1 where a view may have any size."""

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D], float32 or wider, also under autocast."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def tried_with(self, image_size: int, in_channels: int) -> Tensor:
        """Two items such as it takes, on the device it is built on: what one of a user's own file is tried with, without numbers."""
        return torch.empty(2, in_channels, image_size, image_size)

    def word_vectors(self) -> Tensor:
        """A vector for each of the words that an item may be of, where it offers "words": [V, D], a parameter of it."""
        raise NotImplementedError(f"{type(self).__name__} does not define word_vectors")

    def patch_projection(self) -> nn.Module | None:
        """The linear layer that makes tokens of patches, where a ViT begins with one; None of any other network."""
        return None

    def stage_modules(self) -> list[nn.Module]:
        """Whose outputs are the stages' feature maps [B, channels, h, w], or all tokens [B, 1 + h * w, D], the first stage first."""
        raise NotImplementedError(f"{type(self).__name__} does not define stage_modules")

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the feature map of every stage, each [B, channels, h, w]."""
        raise NotImplementedError(f"{type(self).__name__} does not define stages")

    def feature_map(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w]: the last stage's."""
        return self.stages(images)[-1]
