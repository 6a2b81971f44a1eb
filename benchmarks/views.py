"""Views: every op and the standard recipes in views a second, ours batched on one core, torchvision v2 image by image, kornia batched.

All three get the same uint8 images; torchvision's are tensors already, which spares it the decoding that a data set costs. kornia draws
parameters per image, as ours does. What one of them does not have is left out: kornia has no crop with a separate antialiased filter, so
its crop is the bilinear one that it has.
"""

import torch
from torchvision.transforms import v2

from bench.compute.randomness import Draws
from bench.machine.memory import keep_freed_memory
from bench.spec import DatasetInfo
from bench.views import ops
from bench.views.view import View
from benchmarks.measure import alternate, rate, ratio, spread, table

PIXELS, IMAGES = 32, 256


def recipes() -> dict[str, tuple[tuple, list, list]]:
    """name -> our ops, torchvision's, kornia's"""
    import kornia.augmentation as K

    crop, flip, grey = ops.ResizedCrop((0.08, 1.0)), ops.Flip(), ops.Grayscale(0.2)
    jitter = ops.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8)
    blur, solarize = ops.Blur(0.5), ops.Solarize(0.2)
    theirs = {
        "crop": (v2.RandomResizedCrop(PIXELS, (0.08, 1.0), antialias=True), K.RandomResizedCrop((PIXELS, PIXELS), scale=(0.08, 1.0))),
        "flip": (v2.RandomHorizontalFlip(), K.RandomHorizontalFlip()),
        "jitter": (
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        ),
        "grey": (v2.RandomGrayscale(0.2), K.RandomGrayscale(p=0.2)),
        "blur": (v2.RandomApply([v2.GaussianBlur(3, (0.1, 2.0))], 0.5), K.RandomGaussianBlur((3, 3), (0.1, 2.0), p=0.5)),
        "solarize": (v2.RandomSolarize(0.5, 0.2), K.RandomSolarize(0.0, 0.0, p=0.2)),
        "padded crop": (v2.RandomCrop(PIXELS, 4), K.RandomCrop((PIXELS, PIXELS), 4)),
    }
    own = {"crop": crop, "flip": flip, "jitter": jitter, "grey": grey, "blur": blur, "solarize": solarize, "padded crop": ops.PaddedCrop()}
    standard = {
        "supervised, rotation (padded crop, flip)": ("padded crop", "flip"),
        "SimCLR, MoCo on small images (crop, flip, jitter, grey)": ("crop", "flip", "jitter", "grey"),
        "BYOL's second view (the same, blur, solarize)": ("crop", "flip", "jitter", "grey", "blur", "solarize"),
    }
    named = {**{name: (name,) for name in own}, **standard}
    return {
        title: (tuple(own[name] for name in names), [theirs[name][0] for name in names], [theirs[name][1] for name in names])
        for title, names in named.items()
    }


def rows(quick: bool = False) -> list[dict]:
    """One row per op and recipe: views a second on one core, or on the GPU where there is one (torchvision stays on the CPU)."""
    import kornia.augmentation as K

    keep_freed_memory()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = torch.randint(256, (IMAGES, 3, PIXELS, PIXELS), dtype=torch.uint8, device=device)
    host, info = images.cpu(), DatasetInfo(IMAGES, PIXELS, 3, True)
    each = 4 if quick else 64
    found = []
    for title, (own, vision, kornia) in recipes().items():
        view, steps = View(own), iter(range(10**9))
        per_image = v2.Compose([*vision, v2.ToDtype(torch.float32, scale=True)])
        batched = K.AugmentationSequential(*kornia)

        def draw(view=view, steps=steps):
            view.render(images, Draws(0, "view", next(steps), 0, total=IMAGES, rows=slice(0, IMAGES), device=device), info)

        subjects = {
            "ours": draw,
            "torchvision": lambda per_image=per_image: [per_image(image) for image in host[:each]],
            "kornia": lambda batched=batched: batched(images.float() / 255),
        }
        seconds = alternate(subjects, 2 if quick else 7)
        seconds["torchvision"] = [taken * IMAGES / each for taken in seconds["torchvision"]]
        row = {"measure": "views", "what": title, "device": str(device), **{name: rate(taken, IMAGES) for name, taken in seconds.items()}}
        found.append(row | {f"over_{other}": ratio(seconds["ours"], seconds[other]) for other in ("torchvision", "kornia")})
        print(f"views     {title:<55} {spread(found[-1]['ours'])} views/s", flush=True)
    return found


def markdown(found: list[dict]) -> str:
    """The rows as a table."""
    names = ("ours", "torchvision", "kornia", "over_torchvision", "over_kornia")
    header = ("views a second", "here", "torchvision v2", "kornia", "over torchvision", "over kornia")
    return table(header, [[row["what"], *(spread(row[name]) for name in names)] for row in found])


if __name__ == "__main__":
    print(markdown(rows()))
