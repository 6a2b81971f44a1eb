"""A method's `before_epoch` on paper: whether it fails, the memory that it takes, and what it costs of a budget.

It is tried without numbers first, as a step is. What it makes of features may need them, as clusterings do; then it is tried with features
made up: of noise, as many rows as there are images. Only what fails whichever way it is tried does fail, but for a ValueError.
N images of the pretraining split, d numbers of a feature.
"""

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.compute.flops import count_flops
from bench.compute.precision import upcast
from bench.compute.randomness import generator
from bench.compute.trial import trial
from bench.method import Method, on_paper
from bench.plan.paper import TRIED, Unknown, told
from bench.spec import DatasetInfo
from bench.training.hook import has_hook

IMAGES, PIXELS = 32, 2**17
"""Images of noise that features are really made of, at most, and their pixels together (all numbers of an item but its channels)."""

UNLIKE = 0.01
"""By how much of itself a made-up feature differs from that of the image that it is made of, where it differs: rows that are alike have no
inverse of their covariance, and rows that are not alike no longer have their exact length."""


@dataclass(frozen=True)
class Hook:
    """What is known of it."""

    bytes: int = 0
    """Of the features that it asks for, before the first epoch: all, or as far as it got."""
    flops: tuple[float, float] | None = (0.0, 0.0)
    """Of the first one of a run, and of each later one; None where that cannot be told without the images."""


class TooMany(Exception):
    """Features that would take more memory than a try may."""


class Try:
    """One try of the hook: `hook()` gives what it costs, or raises what the method does; `bytes` is what it has asked for till then."""

    def __init__(self, method: Method, data: DatasetInfo, device: str, unlike: float = 0.0):
        self.method, self.data, self.device, self.unlike = method.train(method.trained), data, device, unlike
        self.draws = generator("hook on paper")
        self.bytes, self.unseen = 0, 0.0
        """And the FLOPs of the images that features are not really made of."""

    def hook(self) -> Hook:
        """What it costs. Raises what it raises; Unknown, TooMany."""
        first = later = self.once()
        asked = self.bytes
        if self.method.trained:
            # A run of less than an epoch has no second hook, and what steps do before it has not been done here.
            with contextlib.suppress(Exception):
                later = self.once()
        return Hook(asked, (first, later))

    def once(self) -> float:
        """FLOPs of one call."""
        self.unseen = 0.0
        with trial(), contextlib.ExitStack() as modes:
            for mode in (on_paper(), told()) if self.device == "meta" else ():
                modes.enter_context(mode)
            made = count_flops(lambda: tuple(self.method.before_epoch(self.extract, self.draws)))
        return made + self.unseen

    def extract(self, function: Callable[[Tensor], Tensor], count: int | None = None) -> Tensor:
        """What `before_epoch` is handed: [N, d], made up from the features of a few images of noise."""
        rows, shape, kinds = min(count or self.data.num_images, self.data.num_images), self.data.shape, self.data.kinds
        seen, found = min(rows, 2 if self.device == "meta" else max(2, min(IMAGES, PIXELS // math.prod(shape[1:])))), []
        drawn = {"size": (seen, *shape), "generator": self.draws, "device": "cpu"}
        images = (torch.randint(kinds, **drawn) if kinds else torch.randn(**drawn)).to(self.device)
        self.method.eval()
        with torch.no_grad():
            cost = count_flops(lambda: found.append(upcast(function(images))))
        self.method.train(self.method.trained)
        (few,) = found
        if few.ndim != 2 or len(few) != seen:
            raise TypeError(f"extract's function returned a tensor of shape {tuple(few.shape)} for {seen} images; expected [{seen}, d]")
        self.unseen += cost * (rows / seen - 1)
        self.bytes += rows * few.shape[1] * few.element_size()
        if self.device == "meta":
            return few.new_empty(rows, few.shape[1])
        if self.bytes > TRIED:
            raise TooMany
        made = few[torch.arange(rows) % seen]
        return made * (1 + self.unlike * torch.randn(made.shape, generator=self.draws)) if self.unlike else made


def hook_on_paper(method: Method, data: DatasetInfo, with_numbers: Callable[[], Method]) -> Hook:
    """Of a method that was built `on_paper`, which is left as it was. with_numbers(): the same method on the CPU.

    Raises what the hook raises: without numbers a ValueError, as the contract says it; else what it raises each time. Where its features
    are too many to be made up, what could not be told without numbers is not held against it."""
    if not has_hook(method):
        return Hook()
    without = Try(copy.deepcopy(method).to("meta"), data, "meta")
    try:
        return without.hook()
    except ValueError:
        raise
    except Exception as error:  # whatever a method's own code can raise
        raised = error
    for unlike in (0.0, UNLIKE):
        tried = Try(with_numbers(), data, "cpu", unlike)
        try:
            return tried.hook()
        except TooMany:
            if isinstance(raised, Unknown):
                return Hook(max(without.bytes, tried.bytes), None)
            break
        except Exception as error:
            raised = error
    raise raised
