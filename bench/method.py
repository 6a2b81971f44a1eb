"""The contract between a method and the harness, and nothing else.

A method owns its views, its loss, what happens after a step and before an epoch, its recipe, and which tensor is the
representation. The harness owns data, labels, the encoder's construction, optimizer, schedule, precision, devices,
budget, checkpoints and evaluation. A method sees time only as `progress` in [0, 1], over the part of the budget that is left for steps.

    class Mine(Method):
        paper = "arXiv:0000.00000"
        def __init__(self, make_encoder, data, *, temperature=0.2): ...
        def loss(self, batch, progress): ...

B images of the global batch, D features, N images of the pretraining split.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.compute.randomness import Draws
from bench.parts.budgets import Needed
from bench.spec import DatasetInfo, Recipe
from bench.views.view import AnyView


def seen_by_nobody(caption: str, make: Callable[[], Tensor]) -> None:
    """What `Batch.show` is in training: nothing is made."""


@dataclass(frozen=True)
class Batch:
    """What a loss gets: the views in their declared order, which images they show, and the only randomness there is."""

    views: tuple[Tensor, ...]
    """Each float32 [B, 3, h, w], normalised; of other items than images as their views say."""
    index: Tensor
    """int64 [B]: which image of the pretraining split each one is, in an order that says nothing of its class."""
    draws: Draws
    show: Callable[[str, Callable[[], Tensor]], None] = field(default=seen_by_nobody, kw_only=True)
    """`batch.show("hidden", lambda: images)` in a loss: what it makes of the views, for the sheet that `views` writes. Images [B, C, h, w],
    or several of each [B, K, C, h, w]: three channels normalised as the views are, or one in 0..1, drawn grey. In training nothing
    is made. No draw may be made for it."""

    def rand(self, *shape: int) -> Tensor:
        """Uniform in [0, 1): float32 [B, *shape]."""
        return self.draws.rand(*shape)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal: float32 [B, *shape]."""
        return self.draws.randn(*shape)

    def randint(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high): int64 [B, *shape]."""
        return self.draws.randint(high, *shape)

    def permutation(self, n: int) -> Tensor:
        """A permutation of range(n), the same on every device: int64 [n]."""
        return self.draws.permutation(n)

    def shared_randn(self, *shape: int) -> Tensor:
        """Standard normal, of no image: the same on every device and for a batch of any size, as directions that a whole batch is projected
        on. float32 [*shape]."""
        return self.draws.shared_randn(*shape)


@dataclass(frozen=True)
class LabelledBatch(Batch):
    """What a Reference gets: a batch with labels."""

    labels: Tensor
    """int64 [B]"""


FAMILIES = ("pretext", "contrastive", "joint embedding", "clustering", "other")


class Method(nn.Module):
    """A self-supervised method. Subclass it once, in one file; keyword-only arguments with defaults of `__init__` are
    the hyper-parameters. All state must be in `state_dict()` from construction. Where it has a projector it defines `project(images)` too
    (`projection_of`)."""

    paper: str = ""
    """arXiv id or DOI."""
    source: str = ""
    """The code that it was read in: 'owner/name@commit' of GitHub, several with commas; 'paper alone' where there is none. Files that the
    docstring and comments name are those of that commit."""
    family: str = "other"
    """pretext | contrastive | joint embedding (two views agree, nothing repels) | clustering | other: how tables and figures sort it."""
    version: int = 1
    """Raised when a change may move its numbers; part of a run's id."""
    needs: str = "features"
    """What it needs of an encoder: features | feature_map | tokens | words | frames."""
    takes: tuple[str, ...] = ("images",)
    """What it learns from, by the names of modalities (bench/data/modality.py); none where it takes whatever its encoder takes."""
    phases: tuple[float, ...] = ()
    """Values of progress at which its graph changes (a layer unfreezes, a queue switches on), or a schedule within `loss` ends."""
    uses_labels: bool = False
    trained: bool = True
    sees_whole_images: bool = True
    """Whether its encoder sees in training what is evaluated, whole images or crops of them enlarged to that size. Where not (it sees
    patches, tiles), the running statistics of its BatchNorms are taken anew on whole training images before it is evaluated."""
    encodes_whole_images: bool = True
    """Whether `encode` shows its encoder whole images, so that the encoder's maps are of them. Where not (it cuts them into patches), there
    is nothing to detect or to segment with."""
    weights: str = "encoder"
    """Which weights `encode` uses, as the paper evaluates: encoder, teacher."""
    added: dict = {}
    """Hyper-parameters that came later, each with the value at which all is as before, its default: with it they are left out of a
    run's spec, so that the runs made before keep their ids."""
    search: dict = {}
    """What `tune` searches beside learning rate and weight decay, one hyper-parameter of every method: {"temperature": ("log", 0.05, 0.5)};
    also ("linear", low, high) and ("choice", 0.9, 0.99), its default among them (bench/search/space.py)."""
    smallest_batch: int = 1
    """Images that a batch must have: 2 where images are told from each other, or statistics are taken over them; with default
    hyper-parameters, and where others ask for another number `__init__` sets it on the method itself. What else a batch must be is said by
    a ValueError where it is found, in `__init__`, `loss` or `after_step`: a plan makes one step without numbers."""
    views: tuple[AnyView, ...] = ()
    recipe: Recipe | None = None

    encoder: nn.Module
    """What `make_encoder` made; a method whose `encode` applies something else need not have it."""

    @classmethod
    def full_version(cls, hyper_parameters: dict) -> str:
        """The version of all the code that decides a run: that of the class, and of other methods that it is made of."""
        return str(cls.version)

    def loss(self, batch: Batch, progress: float) -> Tensor:
        """The scalar to minimise, float32, over the global batch. Must not change any state."""
        raise TypeError(f"{type(self).__name__} defines no loss")

    def chance_loss(self, batch_size: int) -> float | None:
        """The loss of an answer that is the same for every image, at a global batch of so many; None where that says nothing: two
        equal embeddings are all that a loss without negatives asks for. A run that ends there has learned nothing of its task."""
        return None

    def needed(self, batch_size: int) -> tuple[Needed, ...]:
        """What must have happened before the loss says what the paper means, at a global batch of so many: a plan warns of a budget that
        gives less, and a record says what it was short of."""
        return ()

    def after_step(self, progress: float) -> None:
        """Called after each optimizer step: move a teacher, fill a queue."""

    def before_epoch(self, extract: Callable, generator: torch.Generator) -> tuple[str, ...]:
        """Called before each pass over the training set. `extract(fn)` -> float32 [N, d]: fn of every image, in index
        order, in eval mode, without gradient or augmentation, charged to the budget; `extract(fn, count)` of the first `count`
        images alone, which are as good as any. Returns prefixes of parameters whose optimizer state is to be cleared."""
        return ()

    def encode(self, images: Tensor) -> Tensor:
        """float32 [B, 3, H, W] -> float32 [B, D]: the representation that is evaluated."""
        return self.encoder(images)

    def encode_also(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """Other weights worth recording, by name (where a teacher exists: the student); same shapes as `encode`."""
        return {}


class Reference(Method):
    """A yardstick that is given labels: `__init__(self, make_encoder, data, num_classes, *, ...)`, and its batches are
    LabelledBatch. Reports set it apart; nothing else ever receives a label."""

    uses_labels = True


class Floor(Method):
    """A yardstick that is not trained: it has no loss, no views and no recipe. Its `before_epoch` is called once, before it is
    evaluated, where it has to know the training images; what that costs is recorded."""

    trained = False
    takes_weights: bool = False
    """Whether it is for weights of somebody else's training, which it asks of `make_encoder(weights=, format=)`: no budget of ours was
    spent on them, so `all` methods leave it out, and tables set it apart."""
    deterministic: bool = False
    """Whether no seed decides anything of it, as where there is no encoder: its numbers are the same at every seed. Tables then compare it
    with every seed of the others, and give it an interval, from test images alone, at one seed."""


def projection_of(method: Method | type[Method]) -> Callable | None:
    """A method's `project(images)`, which it may define where it has a projector; None where it does not.

    [B, 3, H, W] -> [B, P]: an image's point in the space that the loss compares images in, after the projector and before what stands
    behind it (a predictor, prototypes, a temperature), by the weights that `encode` uses. Of unit length where the projector's last act
    is that, else as it comes. What is not an image's own, as a patch's projection or a class's score, is none. The base class has no
    such function, since a user's file may use the name for a module."""
    return getattr(method, "project", None) if hasattr(method if isinstance(method, type) else type(method), "project") else None


def build(cls: type[Method], make_encoder: Callable, data: DatasetInfo, num_classes: int, hyper_parameters: dict) -> Method:
    """One method from its class; only a Reference is told the number of classes."""
    if cls.uses_labels:
        return cls(make_encoder, data, num_classes, **hyper_parameters)
    return cls(make_encoder, data, **hyper_parameters)


FILLS = ("normal_", "uniform_", "trunc_normal_", "orthogonal_", "zero_", "fill_")
"""Operations that only give a tensor its values."""


class _Unfilled(TorchFunctionMode):
    """Tensors without storage are not given values: in torch's initialisers alone, that imports its compiler, which takes seconds."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        fills = getattr(function, "__module__", "") == "torch.nn.init" or getattr(function, "__name__", "") in FILLS
        if fills and (tensor := args[0] if args else kwargs["tensor"]).is_meta:
            return tensor
        return function(*args, **kwargs)


@contextlib.contextmanager
def on_paper() -> Iterator[None]:
    """In it a method is built on torch's meta device: shapes, recipe and views, for nothing."""
    with torch.device("meta"), _Unfilled():
        yield
