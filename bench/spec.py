"""What a run is, as frozen data: budget, recipe, data set facts, and the spec whose hash is the run's id.

All is checked when it is built, compares and hashes; no torch is imported: a plan is made or refused in a fraction of a second."""

import dataclasses
import functools
import hashlib
import json
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bench.budget import STRICT, Budget
from bench.errors import UserError
from bench.folder_name import identity

PROTOCOL = 1
"""Version of the evaluation protocol (splits, evaluators, how hyper-parameters are chosen). A table never mixes two."""


@dataclass(frozen=True, config=STRICT)
class Group:
    """Parameters whose name starts with `prefix`, where they differ from the rest of the recipe."""

    prefix: str
    lr_scale: float = 1.0
    weight_decay: float | None = None
    schedule: Literal["cosine", "constant", "linear"] | None = None


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """How the weights are updated. The learning rate of the first step after warm-up is
    `lr * batch_size / lr_per_batch`, or `lr` where lr_per_batch is None; warm-up is a fraction of progress (bench/training/clock.py)."""

    optimizer: Literal["sgd", "lars", "adam", "adamw"]
    lr: float
    batch_size: int = 256
    """Images in the GLOBAL batch, whatever the number of devices."""
    lr_per_batch: int | None = 256
    momentum: float = 0.9
    """SGD and LARS."""
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam and AdamW."""
    weight_decay: float = 0.0
    weight_decay_end: float | None = None
    """Where set, weight decay goes from weight_decay to this along a cosine (DINO)."""
    warmup: float = 0.0
    schedule: Literal["cosine", "constant", "linear"] = "cosine"
    clip_grad: float | None = None
    """Largest L2 norm of the gradient, over all parameters together."""
    exclude: tuple[Literal["bias", "norm"], ...] = ("bias", "norm")
    """What skips weight decay and LARS adaptation: norm, the parameters of normalisation layers; bias, every other parameter with at most
    one dimension: biases, the scales of a residual branch. Tokens and positions have more (here [1, n, D]), and do not skip."""
    eta: float = 0.001
    """LARS trust coefficient."""
    clip_trust: Annotated[bool, Field(exclude_if=lambda clip: not clip)] = False
    """LARS: no step is larger than plain SGD's, as LARC has it; False is not written, as in the records of before there was one."""
    groups: tuple[Group, ...] = ()

    def __post_init__(self):
        if self.lr <= 0 or self.batch_size < 1:
            raise UserError(f"a recipe needs lr > 0 and batch_size >= 1, not lr={self.lr:g}, batch_size={self.batch_size}")
        bounds = {
            "warmup": (0 <= self.warmup < 1, "a fraction of the budget in [0, 1)"),
            "lr_per_batch": (self.lr_per_batch is None or self.lr_per_batch >= 1, "a number of images from 1 up, or none"),
            "momentum": (0 <= self.momentum < 1, "in [0, 1)"),
            "betas": (all(0 <= beta < 1 for beta in self.betas), "two numbers in [0, 1)"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "weight_decay_end": (self.weight_decay_end is None or self.weight_decay_end >= 0, "0 or more, or none"),
            "clip_grad": (self.clip_grad is None or self.clip_grad > 0, "more than 0, or none"),
            "eta": (self.eta > 0, "more than 0"),
            "nesterov": (not self.nesterov or self.momentum > 0, "false without momentum"),
        }
        for name, (holds, expected) in bounds.items():
            if not holds:
                raise UserError(f"a recipe's {name} = {getattr(self, name)}: expected {expected}")


@dataclass(frozen=True, config=STRICT)
class DatasetInfo:
    """What a method may know of the images it is trained on. There is no class count here, on purpose."""

    num_images: int
    """Images in the pretraining split."""
    image_size: int
    """Height and width in pixels."""
    channels: Literal[1, 3] = 3
    """1: grey images, repeated to 3 channels before a method sees them."""
    mirror_safe: bool = True
    """Whether a mirror image still shows the same thing; digits do not."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Of each channel of the pretraining images, in 0..1: views arrive as (image - mean) / std. A plan, which decodes no image,
    leaves it and `std` at values that change nothing; no view, recipe or phase may depend on them."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    kinds: int = 0
    """0: an item is of real numbers, float32. Else how many whole numbers it may be of, int64 from 0 up, as of words in a vocabulary."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image as a network sees it where no view changes it. What are not images have a class of their own, and say theirs."""
        return 3, self.image_size, self.image_size


Value = bool | int | float | str | None
Change = Value | tuple[Value, ...] | tuple[Group, ...]
"""Of a field of a recipe; betas, exclude and groups are several values."""


@dataclass(kw_only=True, frozen=True, config=STRICT)
class RunSpec:
    """One run. Fields left at None are completed from method and data set (bench/plan/plan.py); only a complete spec has an id."""

    method: str
    """A name in methods/, or a path to a file that holds one Method."""
    dataset: str
    """A name, or a folder as bench/folder_name.py has it; its path is not in the id."""
    budget: Budget
    seed: int = 0
    encoder: str | None = None
    image_size: int | None = None
    precision: Literal["bf16", "float32"] | None = None
    """None: bf16 where the device computes in it, else float32 (a processor without it emulates it, many times slower)."""
    pretrain_split: Annotated[str, StringConstraints(pattern=r"^(train|train/[1-9][0-9]*|train\+val|unlabelled)$")] = "train"
    """train/20: of every class the 20 images that the seed's draw has first (bench/data/splits.py)."""
    hyper_parameters: dict[str, Value] = dataclasses.field(default_factory=dict)
    """The method's keyword-only arguments; complete once every argument is listed."""
    recipe: Recipe | None = None
    recipe_changes: dict[str, Change] = dataclasses.field(default_factory=dict)
    """Fields of the method's own recipe to replace (lr, batch_size, ...); empty in a complete spec."""
    encoder_version: int = 1
    """The encoder's `version`; 1 is not written, as in the records of before there was one."""
    method_version: str | None = None
    """The class's `version`; for a user's own file also a hash of its text."""
    data_revision: str | None = None
    """Hash of the data set's content, so that a changed folder is another run."""
    protocol: int = PROTOCOL
    device: str | None = None
    """Budgets in seconds only: device model, count and CPU threads, since they decide what a second buys."""

    def __post_init__(self):
        if not 0 <= self.seed < 2**63:
            raise UserError(f"a seed is a whole number from 0 up and below 2**63, not {self.seed}")

    @property
    def complete(self) -> bool:
        """Whether every field that decides the outcome is filled in; a method that is not trained has no recipe."""
        return None not in (self.encoder, self.image_size, self.precision, self.method_version, self.data_revision)

    @functools.cached_property
    def id(self) -> str:
        """16 hexadecimal digits: the hash of everything that decides the run's outcome."""
        assert self.complete and not self.recipe_changes and self.budget.unit != "epochs", "complete the spec first"
        return spec_hash(self.to_json())

    @property
    def batch_size(self) -> int | None:
        """Of the global batch; None for what is not trained."""
        return self.recipe and self.recipe.batch_size

    @property
    def name(self) -> str:
        """What a person calls the run: 'simclr seed 0'."""
        return f"{method_name(self.method)} seed {self.seed}"

    def canonical(self) -> str:
        """One JSON text per spec: sorted keys, no spaces, floats in their shortest exact form."""
        return canonical(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; `from_json` is its inverse."""
        unsaid = {"recipe_changes": {}, "encoder_version": 1}
        return {key: value for key, value in RUN_SPEC.dump_python(self, mode="json").items() if key not in unsaid or value != unsaid[key]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RunSpec":
        return RUN_SPEC.validate_python(data)

    def replace(self, **changes) -> "RunSpec":
        """A copy with these fields changed, validated again."""
        return dataclasses.replace(self, **changes)


RUN_SPEC = TypeAdapter(RunSpec)
Filled = TypeVar("Filled")


def settled(field: Filled | None) -> Filled:
    """A field of a complete spec, which is not None, so that a type checker knows it too."""
    assert field is not None, "complete the spec first"
    return field


def canonical(spec: dict[str, Any]) -> str:
    """One JSON text per spec: sorted keys, no spaces, floats in their shortest exact form."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def spec_hash(spec: dict[str, Any]) -> str:
    """A run's id, from what RunSpec.to_json() wrote. Of a folder its content counts, `data_revision`, and not where it lies."""
    return hashlib.sha256(canonical({**spec, "dataset": identity(spec["dataset"])}).encode()).hexdigest()[:16]


def ids_of(spec: dict[str, Any]) -> tuple[str, str]:
    """A run's id, and the one that it had when a folder's path was a part of it: older records keep that."""
    return spec_hash(spec), hashlib.sha256(canonical(spec).encode()).hexdigest()[:16]


def method_name(method: str) -> str:
    """'simclr' for 'simclr'; the file's stem for a path to a user's own file."""
    return re.sub(r"[^\w.-]", "_", method.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".py"))


def one_line(error: ValidationError, what: str) -> UserError:
    """pydantic's report as one sentence that names the field, the value and what was expected."""
    first = error.errors()[0]
    return UserError(f"{what}: {'.'.join(map(str, first['loc']))} = {first.get('input')!r}: {first['msg']}")
