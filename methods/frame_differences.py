"""Differences of neighbouring frames, their mean over the clip: where something moves, without anything learned.

No encoder. Each difference is absolute, so that what moves there and back does not cancel; the direction is lost by that. Above 64
pixels it is averaged down to 32 x 32. Of a clip of one frame all are 0.
B clips, T frames, H and W their height and width, D = 3 H W features.
"""

from bench.domains import Count
from bench.method import Floor
from bench.parts.pixels import as_vectors


class FrameDifferences(Floor):
    deterministic = True
    takes = ("clips",)

    def __init__(self, make_encoder, data, *, reduced: Count = 32):
        """reduced: height and width to which larger frames are averaged."""
        super().__init__()
        self.reduced = reduced

    def encode(self, clips):
        """[B, T, 3, H, W] -> [B, D]"""
        moved = (clips[:, 1:] - clips[:, :-1]).abs().sum(1) / max(1, clips.shape[1] - 1)
        return as_vectors(moved, self.reduced)
