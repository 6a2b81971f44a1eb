"""The middle frame's pixels: what there is to know of a clip without its time, which features of clips should be more useful than.

No encoder, so its features depend on nothing but that frame. Above 64 pixels it is first averaged down to 32 x 32, as methods/pixels.py
does with images.
B clips, T frames, H and W their height and width, D = 3 H W features.
"""

from bench.domains import Count
from bench.method import Floor
from bench.parts.pixels import as_vectors


class OneFrame(Floor):
    deterministic = True
    takes = ("clips",)

    def __init__(self, make_encoder, data, *, reduced: Count = 32):
        """reduced: height and width to which larger frames are averaged."""
        super().__init__()
        self.reduced = reduced

    def encode(self, clips):
        """[B, T, 3, H, W] -> [B, D]"""
        return as_vectors(clips[:, clips.shape[1] // 2], self.reduced)
