"""MAE (He et al. 2022, arXiv:2111.06377): an encoder sees a quarter of an image's patches, and a light decoder
fills in the pixels of the rest.

Differs from the paper:
- A decoder 64 wide and 2 deep instead of 512 and 8, light beside a small encoder too, and batches of 256 instead of 4096.
- The encoder is every method's ViT, with its initialisation (timm's); its positions are learned, not fixed sines and cosines, which the
  decoder's are.
- The learning rate falls from its peak at the end of warm-up to 0 as in util/lr_sched.py; warm-up starts at a hundredth of it, theirs at 0.
- Crops are resized by an antialiased triangle filter, not bicubic.
- What the decoder makes of visible patches is not turned into pixels, since the loss does not look at it.
The evaluated features are the class token's, as in the paper's linear probe (FINETUNE.md: --cls_token). The mean of the patch tokens, which
the authors fine-tune (--global_pool), is recorded beside it; theirs is taken before the last norm.
B images in the global batch, L patches of S x S pixels (K visible, H hidden), D features, d features of the decoder.
"""

from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge, Interval, MultipleOf
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from bench.domains import Count
from bench.method import Method
from bench.parts import among, choose, full_precision, grid_positions, mean_of_batch, patch_mean, patchify, show_patches
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View

HEAD = 32
"""Features of each head of the decoder: 512 / 16 (models_mae.py)."""


@full_precision
def reconstruction_error(predicted: Tensor, patches: Tensor, norm_pix: bool) -> Tensor:
    """Mean squared error over images, hidden patches and pixels; both [B, H, S * S * 3]. norm_pix: the target is a patch's pixels minus
    their mean, over their standard deviation."""
    if norm_pix:
        variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
        patches = (patches - mean) / (variance + 1e-6).sqrt()  # models_mae.py
    return (predicted - patches).square().mean()


class Decoder(nn.Module):
    """From the visible patches to the pixels of the hidden ones."""

    def __init__(self, inputs: int, dim: int, depth: int, side: int, outputs: int):
        super().__init__()
        self.enter = nn.Linear(inputs, dim)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))  # decays, as models_mae.py's: see Recipe.exclude
        self.register_buffer("positions", grid_positions(side, dim))
        self.blocks = nn.Sequential(
            *[Block(dim, dim // HEAD, qkv_bias=True, norm_layer=partial(nn.LayerNorm, eps=1e-6)) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.leave = nn.Linear(dim, outputs)
        for layer in self.modules():  # as models_mae.py
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, order: Tensor) -> Tensor:
        """-> [B, H, S * S * 3]. tokens: [B, 1 + K, D], the class token first. order: int64 [B, L], the visible patches, then the hidden."""
        visible = self.enter(tokens)
        hidden = order.shape[1] + 1 - visible.shape[1]
        rows = torch.cat([visible, self.mask_token.to(visible.dtype).expand(len(visible), hidden, -1)], dim=1)
        # Blocks do not care in which order their rows come: nothing is put back into the order of the image.
        places = torch.cat([torch.zeros_like(order[:, :1]), order + 1], dim=1)
        return self.leave(self.norm(self.blocks(rows + self.positions[places]))[:, -hidden:])


class MAE(Method):
    paper = "arXiv:2111.06377"
    source = "facebookresearch/mae@efb2a80"
    family = "pretext"
    needs = "tokens"
    search = {"mask_ratio": ("linear", 0.4, 0.9)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        mask_ratio: Annotated[float, Interval(gt=0, lt=1)] = 0.75,
        decoder_dim: Annotated[int, Ge(1), MultipleOf(HEAD)] = 64,
        decoder_depth: Count = 2,
        norm_pix: bool = True,
    ):
        """mask_ratio: part of the patches that is hidden, 0.75. decoder_dim, decoder_depth: width and blocks of the decoder, 512 and 8;
        32 features to a head. norm_pix: whether the target is normalised within each patch, for better features (PRETRAIN.md)."""
        super().__init__()
        self.encoder = make_encoder()
        self.patches = self.encoder.side**2
        self.kept = int(self.patches * (1 - mask_ratio))
        if not 0 < self.kept < self.patches:
            raise ValueError(f"mask_ratio={mask_ratio:g} leaves {self.kept} of {self.patches} patches visible; some must be, and some not")
        self.decoder = Decoder(self.encoder.dim, decoder_dim, decoder_depth, self.encoder.side, 3 * self.encoder.patch_size**2)
        self.norm_pix = norm_pix
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip())),)  # main_pretrain.py
        self.recipe = Recipe(
            "adamw",  # main_pretrain.py
            lr=1.5e-4,  # for each 256 images: PRETRAIN.md
            batch_size=256,  # PRETRAIN.md: 4096
            betas=(0.9, 0.95),  # main_pretrain.py
            weight_decay=0.05,  # PRETRAIN.md
            warmup=0.05,  # 40 of 800 epochs: PRETRAIN.md
            exclude=("bias", "norm"),  # main_pretrain.py, from decay
        )

    def chance_loss(self, batch_size):
        pixels = 3 * self.encoder.patch_size**2
        return 1 - 1 / pixels if self.norm_pix else 1.0  # the mean colour for every pixel

    def visible(self, images, keep):
        """Images [B, 3, H, W] without their hidden patches, for people. keep: int64 [B, K]."""
        return show_patches(images, among(keep, self.patches), self.encoder.patch_size)

    def loss(self, batch, progress):
        (images,) = batch.views
        order = batch.rand(self.patches).argsort(dim=1)
        keep, hide = order[:, : self.kept], order[:, self.kept :]
        batch.show("visible patches", lambda: self.visible(images, keep))
        predicted = self.decoder(self.encoder.tokens(images, keep=keep), order)
        targets = choose(patchify(images, self.encoder.patch_size), hide)
        return mean_of_batch(reconstruction_error(predicted, targets, self.norm_pix), len(images))

    def encode_also(self):
        return {"patch_mean": partial(patch_mean, self.encoder)}
