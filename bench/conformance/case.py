"""What the checks of bench/conformance/check.py run a method on: 40 small photographs, or items of what else it takes, a narrow encoder,
five steps; of a method whose smallest batch is more than 16 items, more of them in larger batches.

Everything is deterministic: the items are their modality's examples (bench/data/modality.py), and the global random
generators are in the same state at the start of every run. Five steps of 16 items pass two epoch edges.

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
from bench.conformance.examples import modality_of
from bench.conformance.state import copied, plain_fingerprints
from bench.data.source import Source
from bench.encoders import factory, table
from bench.errors import UserError
from bench.method import Method, build
from bench.spec import Budget, RunSpec
from bench.training.controls import Controls
from bench.training.hook import fit
from bench.training.meter import Meter
from bench.training.step import phase_of
from bench.training.trainer import Trainer

BATCH_SIZE = 16
"""Splits into MoCo's 8 BatchNorm groups. A method that declares a larger smallest batch gets that."""

NUM_CLASSES = 2
"""Of the items."""

TRAINING_IMAGES = 40
"""Two batches and a rest of 8; as many times more as the batch is larger."""

STEPS = 5
NARROW = 0.25
"""Part of an encoder's width; the checks look at behaviour, not at accuracy. What is none of ours has one width."""


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
        """encoder: a UserError where it has not what the method needs. None: a narrow ResNet-8, or where that has it not a small ViT; of
        what are not images that of a data set, or another one of ours."""
        if not inspect.isclass(method):
            import methods

            method = methods.load(str(method))
        self.cls = method
        self.modality, first = modality_of(method, encoder)
        ours = (table.require(name) for name in table.names())
        able = [entry.name for entry in ours if method.needs in entry.offers and entry.takes == self.modality.name]
        if not encoder:
            encoder = next((name for name in (*first, *able) if method.needs in table.require(name).offers), first[0])
        if able and method.needs not in table.require(encoder).offers:
            raise UserError(f"{method.__name__} needs {method.needs}, which {encoder} does not offer; expected one of {', '.join(able)}")
        smallest = method.smallest_batch
        self.batch_size = max(BATCH_SIZE, smallest if isinstance(smallest, int) else 1)  # what it is else a check says
        self.training_images = TRAINING_IMAGES * self.batch_size // BATCH_SIZE
        examples = self.modality.examples(max(64, self.training_images))
        assert examples, "there was one before"
        self.encoder, (self.images, self.labels, info) = encoder, examples
        self.narrow = NARROW if table.require(encoder).facts else 1.0
        self.mean, self.std = self.modality.statistics(self.images[: self.training_images])
        self.info_of_plan = dataclasses.replace(info, num_images=self.training_images)
        self.info = dataclasses.replace(self.info_of_plan, mean=tuple(self.mean.tolist()), std=tuple(self.std.tolist()))

    @property
    def file(self) -> Path | None:
        """The class's file; None where it has none, as in a notebook or at a prompt."""
        try:
            file = Path(inspect.getsourcefile(self.cls) or "")
        except TypeError:
            return None
        return file if file.is_file() else None

    def make_encoder(self, in_channels: int = 3, width: float = 1.0, bn_groups: int = 1, **own) -> nn.Module:
        make = factory.factory(self.encoder, self.info.image_size, kinds=self.info.kinds)
        return make(in_channels, width * self.narrow, bn_groups, **own)

    def build(self, seed: int = 0, *, planned: bool = False) -> Method:
        """The method as constructed, its weights drawn from the seed. planned: as a plan does, which decodes no image: without
        the colours' mean and deviation."""
        with steady_globals(), seeded(seed, "initialise"):
            return build(self.cls, self.make_encoder, self.info_of_plan if planned else self.info, NUM_CLASSES, {})

    def source(self, labels: Tensor | None = None) -> Source:
        """The training images."""
        return Source(self.images[: self.training_images], labels, self.info, self.mean, self.std, self.modality)

    def fitted(self, seed: int = 0) -> Method:
        """A method that is not trained, once it has looked at the training images."""
        method, spec = (
            self.build(seed),
            RunSpec(method=self.cls.__name__, dataset="examples", budget=Budget("steps", 1), precision="float32"),
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
        spec = RunSpec(method=self.cls.__name__, dataset="examples", budget=budget, seed=seed, precision="float32", recipe=recipe)
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
        """All items as `encode` gets them: images float32 [64, 3, 32, 32], or as many as there are."""
        return self.modality.prepare(self.images, self.mean, self.std)
