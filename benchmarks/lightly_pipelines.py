"""lightly's own training pipelines, as its documentation writes them, on our encoder: what a user of lightly would run.

As documented: its transform on PIL images (32 pixels: SimCLR's `gaussian_blur=0.0`, as its CIFAR-10 benchmark), a DataLoader, float32. At
its best: bfloat16 where ours is, channels_last, and no blur anywhere. Its documentation has no rotation task.
"""

from collections.abc import Callable

import torch
from lightly import loss as losses
from lightly import transforms
from lightly.models import utils
from lightly.models.modules import heads
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from bench.encoders import factory
from bench.machine import hardware
from benchmarks.measure import now


class Images(Dataset):
    """50,000 random PIL images, as torchvision's CIFAR-10 gives them."""

    def __init__(self, transform, pixels: int):
        self.pixels = torch.randint(256, (50_000, pixels, pixels, 3), dtype=torch.uint8).numpy()
        self.transform = transform

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index]))


class Pipeline:
    """A loader and a step; `time` counts neither the start of the workers nor the batches that they had ready."""

    def __init__(self, transform, model: nn.Module, step: Callable, lr: float, batch: int, workers: int, best: bool, precision: str):
        self.device, self.best, self.precision = hardware.device(), best, precision
        self.loader = DataLoader(Images(transform, 32), batch, shuffle=True, drop_last=True, num_workers=workers)
        self.ahead = workers * 2
        self.model = model.to(self.device, memory_format=torch.channels_last if best else torch.contiguous_format)
        self.optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, momentum=0.9, weight_decay=5e-4)
        self.step_of = step

    def step(self, views: list[Tensor]) -> None:
        views = [view.to(self.device, non_blocking=True) for view in views]
        if self.best:
            views = [view.contiguous(memory_format=torch.channels_last) for view in views]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.best and self.precision == "bf16"):
            loss = self.step_of(views)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def time(self, steps: int) -> float:
        """Seconds of so many steps in the steady state."""
        batches = iter(self.loader)
        for _ in range(self.ahead):
            self.step(next(batches))
        start = now()
        for _ in range(steps):
            self.step(next(batches))
        taken = now() - start
        del batches  # ends the workers, which would work on while others are timed
        return taken


class Encoder(nn.Module):
    """Ours, as lightly's examples use a backbone: images -> features."""

    def __init__(self, name: str):
        super().__init__()
        self.network = factory.factory(name, 32)()
        self.dim = self.network.dim

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


def make(method: str, encoder: str, batch: int, workers: int, best: bool, precision: str) -> Pipeline | None:
    """lightly's pipeline for this method; None where it has none."""
    parts = {"simclr": simclr, "byol": byol, "moco": moco, "dino": dino, "mae": mae}.get(method)
    if parts is None:
        return None
    return Pipeline(*parts(encoder, best), batch, workers, best, precision)


def simclr(encoder: str, best: bool):
    backbone = Encoder(encoder)
    head = heads.SimCLRProjectionHead(backbone.dim, backbone.dim, 128)
    model, criterion = nn.Sequential(backbone, head), losses.NTXentLoss()
    return transforms.SimCLRTransform(input_size=32, gaussian_blur=0.0), model, lambda v: criterion(model(v[0]), model(v[1])), 0.06


class Momentum(nn.Module):
    """An online network and its moving average. Made twice, since a head with weight norm cannot be copied."""

    def __init__(self, make_network: Callable[[], nn.Module]):
        super().__init__()
        self.online, self.target = make_network(), make_network()
        self.target.load_state_dict(self.online.state_dict())
        utils.deactivate_requires_grad(self.target)

    def move(self, momentum: float):
        utils.update_momentum(self.online, self.target, m=momentum)


def byol(encoder: str, best: bool):
    dim = Encoder(encoder).dim
    both = Momentum(lambda: nn.Sequential(Encoder(encoder), heads.BYOLProjectionHead(dim, 4096, 256)))
    predictor, criterion = heads.BYOLPredictionHead(256, 4096, 256), losses.NegativeCosineSimilarity()
    blur = {"gaussian_blur": 0.0} if best else {}
    transform = transforms.BYOLTransform(
        view_1_transform=transforms.BYOLView1Transform(input_size=32, **blur),
        view_2_transform=transforms.BYOLView2Transform(input_size=32, **blur),
    )

    def step(views):
        both.move(0.99)
        first, second = (predictor(both.online(view)) for view in views)
        with torch.no_grad():
            targets = [both.target(view) for view in views]
        return 0.5 * (criterion(first, targets[1]) + criterion(second, targets[0]))

    return transform, nn.ModuleList([both, predictor]), step, 0.06


def moco(encoder: str, best: bool):
    dim = Encoder(encoder).dim
    both = Momentum(lambda: nn.Sequential(Encoder(encoder), heads.MoCoProjectionHead(dim, dim, 128)))
    criterion = losses.NTXentLoss(memory_bank_size=(4096, 128))

    def step(views):
        both.move(0.99)
        query = both.online(views[0])
        with torch.no_grad():
            key = both.target(views[1])
        return criterion(query, key)

    return transforms.MoCoV2Transform(input_size=32, gaussian_blur=0.0), both, step, 0.06


def dino(encoder: str, best: bool):
    dim = Encoder(encoder).dim
    both = Momentum(lambda: nn.Sequential(Encoder(encoder), heads.DINOProjectionHead(dim, 512, 256, 4096)))
    criterion = losses.DINOLoss(output_dim=4096)
    blur = {"gaussian_blur": (0.0, 0.0, 0.0)} if best else {}
    transform = transforms.DINOTransform(global_crop_size=32, local_crop_size=16, n_local_views=4, **blur)

    def step(views):
        both.move(0.99)
        with torch.no_grad():
            teacher = [both.target(view) for view in views[:2]]
        return criterion(teacher, [both.online(view) for view in views], epoch=0)

    return transform, nn.ModuleList([both, criterion]), step, 0.06


def mae(encoder: str, best: bool):
    from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM
    from timm.models.vision_transformer import VisionTransformer

    ours = factory.factory(encoder, 32)()
    patch, width, attention = ours.patch_size, ours.dim, ours.vit.blocks[0].attn.num_heads
    model = VisionTransformer(img_size=32, patch_size=patch, embed_dim=width, depth=len(ours.vit.blocks), num_heads=attention)
    backbone = MaskedVisionTransformerTIMM(vit=model)
    count = backbone.sequence_length
    decoder = MAEDecoderTIMM(
        num_patches=(32 // patch) ** 2, patch_size=patch, embed_dim=width, decoder_embed_dim=64, decoder_depth=2, decoder_num_heads=2
    )
    criterion = nn.MSELoss()

    def step(views):
        images = views[0]
        kept, masked = utils.random_token_mask(size=(len(images), count), mask_ratio=0.75, device=images.device)
        encoded = backbone.encode(images=images, idx_keep=kept)
        tokens = utils.repeat_token(decoder.mask_token, (len(images), count))
        tokens = utils.set_at_index(tokens, kept, decoder.embed(encoded).type_as(tokens))
        predicted = decoder.predict(utils.get_at_index(decoder.decode(tokens), masked))
        target = utils.get_at_index(utils.patchify(images, patch), masked - 1)
        return criterion(predicted, target)

    return transforms.MAETransform(input_size=32), nn.ModuleList([backbone, decoder]), step, 0.06
