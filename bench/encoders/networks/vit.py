"""Vision transformers on timm's blocks (Dosovitskiy et al. 2021, arXiv:2010.11929), with the token interface that masked
methods need: tokens dropped before the blocks, or replaced after the patch embedding.

B images, L = h * w patches, D features. Smaller views than image_size have their positions interpolated (multi-crop).
"""

import timm.models.vision_transformer
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.compute.precision import upcast
from bench.encoders.encoder import Encoder
from bench.encoders.table import EncoderEntry
from bench.errors import UserError

VARIANTS = {
    "vit_nano": {
        "summary": "ViT with 4 layers, 64 features and 2 heads, about as dear as resnet8; 8 patches or so a side",
        "facts": {"parameters": 207_424, "flops": 30_278_656, "dim": 64},
        "shape": {"depth": 4, "dim": 64, "heads": 2},
    },
    "vit_micro": {
        "summary": "ViT with 6 layers, 96 features and 3 heads, for CPUs; 8 patches or so a side",
        "facts": {"parameters": 682_272, "flops": 96_585_984, "dim": 96},
        "shape": {"depth": 6, "dim": 96, "heads": 3},
    },
    "vit_tiny": {
        "summary": "ViT-Tiny: 12 layers, 192 features, 3 heads (DeiT); patch by image size",
        "facts": {"parameters": 5_360_832, "flops": 730_211_328, "dim": 192},
        "shape": {"depth": 12, "dim": 192, "heads": 3},
    },
    "vit_small": {
        "summary": "ViT-Small: 12 layers, 384 features, 6 heads (DeiT); patch by image size",
        "facts": {"parameters": 21_338_496, "flops": 2_840_610_816, "dim": 384},
        "shape": {"depth": 12, "dim": 384, "heads": 6},
    },
    "vit_base": {
        "summary": "ViT-Base: 12 layers, 768 features, 12 heads (Dosovitskiy et al. 2021); patch by image size",
        "facts": {"parameters": 85_144_320, "flops": 11_201_974_272, "dim": 768},
        "shape": {"depth": 12, "dim": 768, "heads": 12},
    },
}
"""By name: a line about it; what it comes to (table.py, Facts); what the constructor takes."""

PATCHES, LEAST_PATCHES = (16, 14, 8, 7, 4, 2), 7
"""A ViT's patch sizes, and how many patches a side it must have."""


def fitting_patch(image_size: int) -> int | None:
    """The largest patch that tiles the image with enough patches a side."""
    return next((patch for patch in PATCHES if image_size % patch == 0 and image_size // patch >= LEAST_PATCHES), None)


def patch_size(image_size: int, name: str = "a ViT") -> int:
    """The largest of 16, 14, 8, 7, 4 and 2 pixels that leaves at least 7 patches a side: 4 at 28 and 32, 8 at 64 and 96, 16 at 224."""
    if patch := fitting_patch(image_size):
        return patch
    least = LEAST_PATCHES * PATCHES[-1]
    below = next((size for size in range(image_size, least - 1, -1) if fitting_patch(size)), None)
    above = next(size for size in range(max(image_size, least), 2 * max(image_size, least)) if fitting_patch(size))
    nearest = f"sizes are {below} and {above}" if below else f"size is {above}"
    raise UserError(
        f"{name} at {image_size} pixels: no patch of {', '.join(map(str, PATCHES[:-1]))} or {PATCHES[-1]} pixels divides them "
        f"with {LEAST_PATCHES} or more patches a side; the nearest {nearest}"
    )


class VisionTransformer(Encoder):
    """timm's ViT with a class token; features are the class token after the last norm, as in DINO (arXiv:2104.14294)."""

    offers = ("features", "feature_map", "tokens")
    published_keys = ((r"^", "vit."),)

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

    def patch_projection(self) -> nn.Module:
        return self.vit.patch_embed.proj

    def positions(self, height: int, width: int) -> Tensor:
        """Positions of the class token and of a height x width grid of patches: [1, 1 + height * width, D]."""
        own = self.vit.pos_embed
        assert own is not None, "it is built with positions"
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

    def block_tokens(self, images: Tensor) -> list[Tensor]:
        """[B, C, H, W] -> all tokens after each block, the class token first, before the last norm: each [B, 1 + L, D]."""
        tokens, outputs = self.embed(images), []
        for block in self.vit.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        return outputs

    def embed(self, images: Tensor, keep: Tensor | None = None, replace: Tensor | None = None, mask_token: Tensor | None = None) -> Tensor:
        """What enters the first block: arguments and shape as of `tokens`."""
        patches = self.vit.patch_embed(images)
        height, width = images.shape[2] // self.patch_size, images.shape[3] // self.patch_size
        # timm's dynamic_img_size keeps the patch grid: [B, h, w, D].
        patches = patches.flatten(1, 2)
        if replace is not None:
            assert mask_token is not None, "patches are replaced by a mask_token"
            patches = torch.where(replace[..., None], mask_token.to(patches.dtype), patches)
        positions = self.positions(height, width)
        patches = patches + positions[:, 1:]
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, self.dim))
        assert self.vit.cls_token is not None, "it is built with a class token"
        start = (self.vit.cls_token + positions[:, :1]).expand(len(images), -1, -1)
        return torch.cat([start.to(patches.dtype), patches], dim=1)

    def on_grid(self, tokens: Tensor, images: Tensor) -> Tensor:
        """[B, 1 + L, D] -> [B, D, h, w], without the class token."""
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (images.shape[2] // self.patch_size, images.shape[3] // self.patch_size))

    def ends_of_quarters(self) -> set[int]:
        """Numbers of the blocks after which a stage ends."""
        depth = len(self.vit.blocks)
        return {max(0, depth * quarter // 4 - 1) for quarter in (1, 2, 3, 4)}

    def stage_modules(self) -> list[nn.Module]:
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


def build(entry: EncoderEntry, image_size: int, *, in_channels: int, width: float, bn_groups: int) -> VisionTransformer:
    """One of VARIANTS, for images of this size; without BatchNorm, so bn_groups change nothing."""
    patch = patch_size(image_size, entry.name)
    return VisionTransformer(**entry.shape, image_size=image_size, patch_size=patch, in_channels=in_channels, width=width)
