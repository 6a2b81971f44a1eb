"""A door: methods, a user's own among them, import bench.reconstruction; it lives in bench/parts/reconstruction.py."""

from bench.parts.reconstruction import (
    COLOUR_SCALE,
    GRID,
    LIGHTNESS_CENTRE,
    LIGHTNESS_SCALE,
    colours_in_gamut,
    decoder,
    half_squared_error,
    lab,
    lab_channels,
    map_side,
    squared_distances,
    squared_error,
)

__all__ = [
    "COLOUR_SCALE",
    "GRID",
    "LIGHTNESS_CENTRE",
    "LIGHTNESS_SCALE",
    "colours_in_gamut",
    "decoder",
    "half_squared_error",
    "lab",
    "lab_channels",
    "map_side",
    "squared_distances",
    "squared_error",
]
