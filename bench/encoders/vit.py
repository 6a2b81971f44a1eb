"""Vision transformers on timm's blocks (Dosovitskiy et al. 2021, arXiv:2010.11929), with the token interface that masked
methods need: tokens dropped before the blocks, or replaced after the patch embedding.

B images, L = h * w patches, D features. Smaller views than image_size have their positions interpolated (multi-crop).
"""

import timm.models.vision_transformer
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast


class VisionTransformer(nn.Module):
    """timm's ViT with a class token; features are the class token after the last norm, as in DINO (arXiv:2104.14294)."""

    def __init__(self, depth, dim, heads, image_size: int, patch_size: int, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        dim = heads * max(1, round(width * dim / heads))
        self.vit = timm.models.vision_transformer.VisionTransformer(
            img_size=image_size,
            patch_size=patch_size,
            in_chans=in_channels,
            num_classes=0,
            embed_dim=dim,
            depth=depth,
            num_heads=heads,
            dynamic_img_size=True,
        )
        self.dim, self.patch_size, self.side = dim, patch_size, image_size // patch_size

    def positions(self, height: int, width: int) -> Tensor:
        """Positions of the class token and of a height x width grid of patches: [1, 1 + height * width, D]."""
        own = self.vit.pos_embed
        if (height, width) == (self.side, self.side):
            return own
        grid = own[:, 1:].transpose(1, 2).unflatten(2, (self.side, self.side))
        # Bicubic, as DINO's own interpolate_pos_encoding.
        grid = F.interpolate(upcast(grid), size=(height, width), mode="bicubic", antialias=False)
        return torch.cat([own[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)

    def tokens(self, images: Tensor, keep: Tensor | None = None, replace: Tensor | None = None, mask_token: Tensor | None = None) -> Tensor:
        """[B, C, H, W] -> [B, 1 + L, D] after the last norm, the class token first.

        keep: int64 [B, K]: only these patches enter the blocks, in this order -> [B, 1 + K, D].
        replace: bool [B, L]: these patches become mask_token [D] after the patch embedding, before positions are added."""
        return self.vit.norm(self.vit.blocks(self.embed(images, keep, replace, mask_token)))

    def embed(self, images: Tensor, keep: Tensor | None = None, replace: Tensor | None = None, mask_token: Tensor | None = None) -> Tensor:
        """What enters the first block: arguments and shape as of `tokens`."""
        patches = self.vit.patch_embed(images)
        height, width = images.shape[2] // self.patch_size, images.shape[3] // self.patch_size
        # timm's dynamic_img_size keeps the patch grid: [B, h, w, D].
        patches = patches.flatten(1, 2)
        if replace is not None:
            patches = torch.where(replace[..., None], mask_token.to(patches.dtype), patches)
        positions = self.positions(height, width)
        patches = patches + positions[:, 1:]
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, self.dim))
        start = (self.vit.cls_token + positions[:, :1]).expand(len(images), -1, -1)
        return torch.cat([start.to(patches.dtype), patches], dim=1)

    def on_grid(self, tokens: Tensor, images: Tensor) -> Tensor:
        """[B, 1 + L, D] -> [B, D, h, w], without the class token."""
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (images.shape[2] // self.patch_size, images.shape[3] // self.patch_size))

    def ends_of_quarters(self) -> set[int]:
        """Numbers of the blocks after which a stage ends."""
        depth = len(self.vit.blocks)
        return {max(0, depth * quarter // 4 - 1) for quarter in (1, 2, 3, 4)}

    def stage_modules(self) -> list[torch.nn.Module]:
        """Whose outputs, all tokens [B, 1 + L, D], are the stages'."""
        return [self.vit.blocks[number] for number in sorted(self.ends_of_quarters())]

    def stages(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> the patch tokens after each quarter of the blocks and the last norm, each [B, D, h, w]."""
        after = self.ends_of_quarters()
        # Not timm's forward_intermediates: for a smaller view it interpolates positions otherwise than `positions` does.
        tokens, outputs = self.embed(images), []
        for number, block in enumerate(self.vit.blocks):
            tokens = block(tokens)
            if number in after:
                outputs.append(self.on_grid(self.vit.norm(tokens), images))
        return outputs

    def feature_map(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, h, w]: the patch tokens after the last norm, on their grid."""
        return self.on_grid(self.tokens(images), images)

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D]"""
        return self.tokens(images)[:, 0]
