"""Views: what a method looks at, declared as data and computed in batches on the training device, with one draw PER IMAGE.

    View((ResizedCrop(scale=(0.2, 1)), Flip()), count=2)     two crops of every image
    View(())                                                 the image as it is
    View((ResizedCrop(scale=(0.05, 0.4)),), count=6, size=0.5)   six small crops, half as wide

A user's own method imports from here.
"""

from bench.data.levels import normalise, prepare
from bench.views.clips import Frames, take_frames
from bench.views.colours import lightness
from bench.views.ops import (
    Blur,
    ColorJitter,
    Flip,
    Grayscale,
    Op,
    PaddedCrop,
    ResizedCrop,
    Solarize,
    color_distortion,
    resize_matrix,
    separable,
)
from bench.views.view import View, joined, render_views

__all__ = [
    "Blur",
    "ColorJitter",
    "Flip",
    "Frames",
    "Grayscale",
    "Op",
    "PaddedCrop",
    "ResizedCrop",
    "Solarize",
    "View",
    "color_distortion",
    "joined",
    "lightness",
    "normalise",
    "prepare",
    "render_views",
    "resize_matrix",
    "separable",
    "take_frames",
]
