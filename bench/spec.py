"""What a run is, as frozen data: budget, recipe, data set facts, and the spec whose hash is the run's id.

Everything here is checked when it is built, prints, compares and hashes; nothing here imports torch, so a plan
can be described and refused in a fraction of a second.
"""

import dataclasses
import functools
import hashlib
import json
import math
import re
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bench.errors import UserError, unknown

PROTOCOL = 1
"""Version of the evaluation protocol (splits, evaluators, how hyper-parameters are chosen). A table never mixes two."""

UNITS = ("steps", "images", "flops", "seconds")
"""The four meters; each can be the unit of a budget."""

FROZEN = {"frozen": True, "config": ConfigDict(extra="forbid", allow_inf_nan=False)}


@dataclass(**FROZEN)
class Budget:
    """How much a method may spend on pretraining: `amount` of `unit`, counted by the meter (bench/training/meter.py)."""

    unit: Literal["steps", "images", "flops", "seconds", "epochs"]
    amount: float

    def __post_init__(self):
        if self.amount <= 0:
            raise UserError(f"a budget must be a positive, finite amount, not {self.amount:g} {self.unit}")
        if self.unit in ("steps", "images") and self.amount != int(self.amount):
            raise UserError(f"a budget in {self.unit} must be a whole number, not {self.amount:g}")

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read '20000images', '2e15flops', '600s', '500steps' or '10epochs'."""
        example = "expected a number and a unit: 20000images, 500steps, 2e15flops, 600s or 10epochs"
        match = re.fullmatch(r"\s*([-+]?[\w.+-]*?[\d.]|[-+]?nan|[-+]?inf)\s*([a-zA-Z]*)\s*", text)
        if not match:
            raise UserError(f"cannot read the budget '{text}'; {example}")
        number, unit = match.groups()
        try:
            amount = float(number)
        except ValueError:
            raise UserError(f"cannot read the budget '{text}'; {example}") from None
        if not unit:
            raise UserError(f"the budget '{text}' has no unit; {example}")
        unit = {"s": "seconds", "step": "steps", "image": "images", "epoch": "epochs", "flop": "flops"}.get(unit, unit)
        if unit not in (*UNITS, "epochs"):
            raise unknown("budget unit", unit, (*UNITS, "epochs"))
        if not math.isfinite(amount):
            raise UserError(f"a budget must be a positive, finite amount, not '{text}'")
        return cls(unit, amount)

    def in_images(self, num_images: int) -> "Budget":
        """An epoch is as many images as the pretraining split holds, for every batch size; other units stay."""
        return Budget("images", round(self.amount * num_images)) if self.unit == "epochs" else self

    def __str__(self):
        if self.unit == "flops":
            return f"{self.amount:.3g}".replace("e+", "e") + " flops"
        amount = f"{self.amount:,.0f}" if self.amount == int(self.amount) else f"{self.amount:g}"
        return f"{amount} {self.unit}"


@dataclass(**FROZEN)
class Group:
    """Parameters whose name starts with `prefix`, where they differ from the rest of the recipe."""

    prefix: str
    lr_scale: float = 1.0
    weight_decay: float | None = None
    schedule: Literal["cosine", "constant", "linear"] | None = None


@dataclass(**FROZEN)
class Recipe:
    """How the weights are updated. The learning rate of the first step after warm-up is
    `lr * batch_size / lr_per_batch`, or `lr` where lr_per_batch is None; warm-up is a fraction of the budget."""

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
    """What skips weight decay and LARS adaptation."""
    eta: float = 0.001
    """LARS trust coefficient."""
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


@dataclass(**FROZEN)
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
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of each channel of the pretraining images, in 0..1: views arrive as (image - mean) / std. A plan, which decodes no image,
    leaves it and `std` at values that change nothing; no view, recipe or phase may depend on them."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


Value = bool | int | float | str | None

Change = Value | tuple[Value, ...]
"""Of a field of a recipe; betas and exclude are several values."""


@dataclass(kw_only=True, **FROZEN)
class RunSpec:
    """One run. Fields left at None are completed from the method and the data set (bench/plan/plan.py); only a complete
    spec has an id."""

    method: str
    """A name in methods/, or a path to a file that holds one Method."""
    dataset: str
    budget: Budget
    seed: int = 0
    encoder: str | None = None
    image_size: int | None = None
    precision: Literal["bf16", "float32"] | None = None
    """None: bf16 where the device computes in it, else float32 (a processor without it emulates it, many times slower)."""
    pretrain_split: Literal["train", "train+val", "unlabelled"] = "train"
    hyper_parameters: dict[str, Value] = dataclasses.field(default_factory=dict)
    """The method's keyword-only arguments; complete once every argument is listed."""
    recipe: Recipe | None = None
    recipe_changes: dict[str, Change] = dataclasses.field(default_factory=dict)
    """Fields of the method's own recipe to replace (lr, batch_size, ...); empty in a complete spec."""
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
        return {key: value for key, value in RUN_SPEC.dump_python(self, mode="json").items() if key != "recipe_changes" or value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RunSpec":
        return RUN_SPEC.validate_python(data)

    def replace(self, **changes) -> "RunSpec":
        """A copy with these fields changed, validated again."""
        return dataclasses.replace(self, **changes)


RUN_SPEC = TypeAdapter(RunSpec)


def canonical(spec: dict[str, Any]) -> str:
    """One JSON text per spec: sorted keys, no spaces, floats in their shortest exact form."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def spec_hash(spec: dict[str, Any]) -> str:
    """A run's id, from what RunSpec.to_json() wrote."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()[:16]


def method_name(method: str) -> str:
    """'simclr' for 'simclr'; the file's stem for a path to a user's own file."""
    return re.sub(r"[^\w.-]", "_", method.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".py"))


def one_line(error: ValidationError, what: str) -> UserError:
    """pydantic's report as one sentence that names the field, the value and what was expected."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return UserError(f"{what}: {where} = {first.get('input')!r}: {first['msg']}")
