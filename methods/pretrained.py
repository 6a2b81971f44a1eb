"""Weights that others trained: the encoder as a file of theirs has it, not trained here and not under the budget of its table.

`run_bench.py evaluate WEIGHTS` makes such a run (docs/pretrained.md). Images are normalised as the weights were trained with, and not by
the data set's statistics. Without weights it is the encoder as initialised, seen through the same normalisation.
B images, D features.
"""

from typing import Annotated

import torch
from annotated_types import doc

from bench.domains import Numbers
from bench.method import Floor

Digest = Annotated[str, doc("the SHA-256 of a file that `evaluate` was given, or nothing")]


class Pretrained(Floor):
    takes_weights = True

    def __init__(
        self,
        make_encoder,
        data,
        *,
        weights: Digest = "",
        format: Annotated[str, doc("a format of weights")] = "ours",
        mean: Numbers = "",
        std: Numbers = "",
    ):
        """weights: their file, by its content. format: how they are written in it (bench/encoders/formats.py). mean, std: of the channels
        in 0..1, as in training; nothing: the data set's own."""
        super().__init__()
        self.encoder = make_encoder(weights=weights, format=format) if weights else make_encoder()
        self.weights, self.deterministic = ("elsewhere", True) if weights else ("encoder", False)
        their_mean, their_std = numbers("mean", mean, data.mean), numbers("std", std, data.std)
        if not all(0 <= number <= 1 for number in their_mean):
            raise ValueError(f"mean = {mean}: expected 0 to 1, where 1 is white; of 0 to 255 divide by 255")
        if not all(0 < number <= 1 for number in their_std):
            raise ValueError(f"std = {std}: a standard deviation is more than 0; expected at most 1, of channels in 0 to 1")
        # Views come as (image - data.mean) / data.std.
        scale = [here / there for here, there in zip(data.std, their_std, strict=True)]
        shift = [(here - there) / by for here, there, by in zip(data.mean, their_mean, their_std, strict=True)]
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).view(3, 1, 1))

    def encode(self, images):
        """[B, 3, H, W] -> [B, D]"""
        return self.encoder(images * self.scale + self.shift)


def numbers(name, text, own):
    """'0.5,0.5,0.5' -> three numbers; the data set's where nothing is said."""
    try:
        found = tuple(float(part) for part in text.split(",")) if text else tuple(own)
    except ValueError:
        found = ()
    if len(found) != 3:
        raise ValueError(f"{name} = {text}: expected three numbers, one for each channel, as 0.5,0.5,0.5")
    return found
