"""What the checks of bench/conformance/check.py run a method on: 40 small photographs, a narrow encoder, five steps; of a method whose
smallest batch is more than 16 images, more photographs in larger batches.

Everything is deterministic: the images are cut from the two photographs that scikit-learn ships, and the global random
generators are in the same state at the start of every run. Five steps of 16 images pass two epoch edges.

N images, B images of a batch.
"""

import contextlib
import dataclasses
import functools
import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
from torch import Tensor, nn

from bench.compute.randomness import seeded
from bench.conformance.photographs import NUM_CLASSES, photographs
from bench.conformance.state import copied, plain_fingerprints
from bench.data.levels import prepare, unit_range
from bench.data.source import Source
from bench.encoders import factory, table
from bench.errors import UserError
from bench.method import Method, build
from bench.spec import Budget, DatasetInfo, RunSpec
from bench.training.controls import Controls
from bench.training.hook import fit
from bench.training.meter import Meter
from bench.training.step import phase_of
from bench.training.trainer import Trainer

IMAGE_SIZE = 32
"""Pixels; a multiple of 8, so that half-sized views of a ViT are whole patches."""

BATCH_SIZE = 16
"""Splits into MoCo's 8 BatchNorm groups. A method that declares a larger smallest batch gets that."""

TRAINING_IMAGES = 40
"""Two batches and a rest of 8; as many times more as the batch is larger."""

STEPS = 5
DEFAULT_ENCODERS = "resnet8", "vit_micro"
NARROW = 0.25
"""Part of an encoder's width; the checks look at behaviour, not at accuracy."""


class Broken(Exception):
    """The method breaks a rule; the message says what to change."""


def require(condition: object, reason: str) -> None:
    if not condition:
        raise Broken(reason)


@contextlib.contextmanager
def steady_globals() -> Iterator[None]:
    """Within the block the global generators of torch, NumPy and Python start from a fixed state; afterwards they are as before."""
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    try:
        with seeded("conformance"):
            random.seed(0)
            numpy.random.seed(0)
            yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended."""

    method: Method
    meter: Meter
    state: dict[str, Tensor]
    """A copy of the method's state at the end."""
    losses: tuple[tuple[float, float], ...]
    """(share of the budget that was spent, loss) of every step."""
    plain_before: dict[str, object]
    plain_after: dict[str, object]
    """Fingerprints of what is outside the state_dict, after construction and at the end."""
    keys_before: tuple[str, ...]
    """Names in the state_dict after construction."""


class Case:
    """One method in the small setting. Runs start from `build`, so no check depends on what another did."""

    def __init__(self, method: str | Path | type[Method], encoder: str | None = None):
        """encoder: a UserError where it has not what the method needs. None: a narrow ResNet-8, or where that has it not a small ViT."""
        if not inspect.isclass(method):
            import methods

            method = methods.load(str(method))
        self.cls = method
        if method.takes and "images" not in method.takes:
            raise UserError(f"check has photographs, and {method.__name__} takes {' or '.join(method.takes)}; expected a method of images")
        able = [name for name in table.names() if method.needs in table.require(name).offers]
        encoder = encoder or next((name for name in DEFAULT_ENCODERS if name in able), DEFAULT_ENCODERS[0])
        if able and method.needs not in table.require(encoder).offers:
            raise UserError(f"{method.__name__} needs {method.needs}, which {encoder} does not offer; expected one of {', '.join(able)}")
        smallest = method.smallest_batch
        self.batch_size = max(BATCH_SIZE, smallest if isinstance(smallest, int) else 1)  # what it is else a check says
        self.training_images = TRAINING_IMAGES * self.batch_size // BATCH_SIZE
        self.encoder, self.images, self.labels = encoder, *photographs(max(64, self.training_images))
        colours = unit_range(self.images[: self.training_images])
        self.mean, self.std = colours.mean((0, 2, 3)), colours.std((0, 2, 3))
        self.info_of_plan = DatasetInfo(self.training_images, IMAGE_SIZE)
        self.info = dataclasses.replace(self.info_of_plan, mean=tuple(self.mean.tolist()), std=tuple(self.std.tolist()))

    @property
    def file(self) -> Path | None:
        """The class's file; None where it has none, as in a notebook or at a prompt."""
        try:
            file = Path(inspect.getsourcefile(self.cls) or "")
        except TypeError:
            return None
        return file if file.is_file() else None

    def make_encoder(self, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1) -> nn.Module:
        return factory.factory(self.encoder, IMAGE_SIZE)(in_channels, width * NARROW, bn_groups)

    def build(self, seed: int = 0, *, planned: bool = False) -> Method:
        """The method as constructed, its weights drawn from the seed. planned: as a plan does, which decodes no image: without
        the colours' mean and deviation."""
        with steady_globals(), seeded(seed, "initialise"):
            return build(self.cls, self.make_encoder, self.info_of_plan if planned else self.info, NUM_CLASSES, {})

    def source(self, labels: Tensor | None = None) -> Source:
        """The training images."""
        return Source(self.images[: self.training_images], labels, self.info, self.mean, self.std)

    def fitted(self, seed: int = 0) -> Method:
        """A method that is not trained, once it has looked at the training images."""
        method, spec = (
            self.build(seed),
            RunSpec(method=self.cls.__name__, dataset="photographs", budget=Budget("steps", 1), precision="float32"),
        )
        fit(method, self.source(), spec)
        return method

    def trainer(
        self,
        method: Method | None = None,
        *,
        seed: int = 0,
        labels: Tensor | None = None,
        budget: Budget | None = None,
        controls: Controls | None = None,
        **recipe_changes,
    ) -> Trainer:
        """A run that has not begun. A Reference gets the true labels where none are given; nothing else does."""
        method = method or self.build(seed)
        labels = self.labels[: self.training_images] if labels is None and self.cls.uses_labels else labels
        source = self.source(labels)
        recipe = dataclasses.replace(method.recipe, **({"batch_size": self.batch_size} | recipe_changes))
        budget = budget or Budget("steps", STEPS)
        spec = RunSpec(method=self.cls.__name__, dataset="photographs", budget=budget, seed=seed, precision="float32", recipe=recipe)
        return Trainer(method.train(), source, spec, controls)

    @functools.cached_property
    def step_flops(self) -> dict[str, float]:
        """FLOPs of a step in each phase: measured once for all runs, which would each get the same."""
        trainer = self.begun()
        with steady_globals():
            return {phase_of(trainer.method, progress): trainer.measure_step(progress) for progress in (0.0, *trainer.method.phases)}

    def begun(self) -> Trainer:
        """A run whose first epoch hook is done and whose first step is not."""
        trainer = self.trainer()
        with steady_globals():
            trainer.before_epoch()
        return trainer

    def run(
        self,
        between: Callable[[Trainer], None] = lambda trainer: None,
        *,
        method: Method | None = None,
        controls: Controls | None = None,
        **options,
    ) -> EndedRun:
        """A whole run; `between` is called before the first step and after every step. Options as for `trainer`."""
        controls = dataclasses.replace(controls or Controls(), report=between)
        trainer = self.trainer(method, controls=controls, **options)
        method = trainer.method
        trainer.meter.step_flops = dict(self.step_flops)
        keys, plain = tuple(method.state_dict()), plain_fingerprints(method)
        with steady_globals():
            between(trainer)
            trainer.run()
        state, losses = copied(method.state_dict()), tuple(trainer.curve.points)
        return EndedRun(method, trainer.meter, state, losses, plain, plain_fingerprints(method), keys)

    @functools.cached_property
    def undisturbed(self) -> EndedRun:
        """The run that others are compared with: seed 0, five steps."""
        return self.run()

    @property
    def encoding(self) -> Method:
        """The method whose `encode` is checked: trained, or fitted where it is not trained at all."""
        return self.undisturbed.method if self.cls.trained else self.fitted()

    def normalised(self) -> Tensor:
        """All images as `encode` gets them: float32 [64, 3, 32, 32], or as many as there are."""
        return prepare(self.images, self.mean, self.std)
