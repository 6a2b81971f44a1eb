"""What methods share that sketch a distribution on random directions: crops of two sizes that agree with the mean of the large ones.

B images of the global batch (b of this device), V crops of an image, G of them large, D features, P projection, M directions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.collectives import gather
from bench.parts.heads import encode_crops, mlp, whole_patches
from bench.parts.losses import full_precision
from bench.spec import DatasetInfo
from bench.views import Blur, ColorJitter, Flip, Grayscale, ResizedCrop, Solarize, View


@full_precision
def distance_to_centre(rows: Tensor, large: int) -> Tensor:
    """Mean squared distance of every crop's row from the mean of the large crops' of its image; rows [V, B, P], the large ones first
    (arXiv:2511.08544, algorithm 2). Nothing is taken as a constant."""
    return (rows - rows[:large].mean(0)).square().mean()


class SketchedCrops(nn.Module):
    """A base beside Method, named before it: encoder and projector of LeJEPA (arXiv:2511.08544) and of those that build on it. A method
    calls `build_crops` once and `sketch` in its loss."""

    def build_crops(
        self,
        make_encoder,
        data: DatasetInfo,
        *,
        global_crops: int,
        local_crops: int,
        local_size: float,
        crop_min: float,
        local_max: float,
        local_min: float,
        hidden: int,
        projection: int,
        slices: int,
    ) -> None:
        """Makes views, encoder and projector. crop_min: smallest area of a large crop; local_min to local_max: of a small one, whose width
        is local_size of the image's. slices: M."""
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, hidden, projection, layers=3)
        self.global_crops, self.directions_shape = global_crops, (projection, slices)

        def crop(low, high, **view):
            colours = ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), Grayscale(0.2)
            blurred = (Blur(0.5),) if data.image_size > 64 else ()
            return View((ResizedCrop((low, high)), Flip(), *colours, *blurred, Solarize(0.2)), **view)

        size = whole_patches(self.encoder, data.image_size, local_size)
        local = (crop(local_min, local_max, count=local_crops, size=size),) if local_crops else ()
        self.views = (crop(crop_min, 1.0, count=global_crops), *local)

    def project(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, P]"""
        return self.projector(self.encoder(images))

    def sketch(self, batch) -> tuple[Tensor, Tensor]:
        """Rows [V, B, P] of the global batch, and unit directions [P, M] of this step, the same on every device. Crops of one size share
        an encoder call and all crops the projector's."""
        rows = self.projector(encode_crops(self.encoder, batch.views)).unflatten(0, (len(batch.views), -1))
        directions = F.normalize(batch.shared_randn(*self.directions_shape), dim=0)
        return gather(rows.transpose(0, 1)).transpose(0, 1), directions.to(torch.promote_types(rows.dtype, torch.float32))
