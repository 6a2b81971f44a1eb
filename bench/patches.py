"""A door: methods, a user's own among them, import bench.patches; it lives in bench/parts/patches.py."""

from bench.parts.patches import SMALLEST, cut, drop_colours, grid, jittered_grid, patch_side, standardised

__all__ = ["SMALLEST", "cut", "drop_colours", "grid", "jittered_grid", "patch_side", "standardised"]
