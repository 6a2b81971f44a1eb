"""A paper's figure as frozen data: the claim, what is trained for it at each scale, the rules that judge it, and who must have learned.

    FIGURE = Figure(paper="arXiv:2002.05709", place="Table 5", claim=..., arms={"0.1": Arm("simclr", x=0.1, hyper_parameters={...})}, ...)

Nothing here trains or reads a record: `runs` says which runs a scale asks for, and reports/claims/judge.py what they say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.spec import Budget, RunSpec
from reports.claims.rules import Rule

EVALS = ("knn", "linear", "label_free")
"""What every figure's runs are measured with, so that two figures share them."""

FLOORS = ("random", "random_rescaled")
"""Encoders that nothing was trained of; the better one is what an arm that has learned must be above."""

FLOOR_BUDGET = "1epochs"
"""Of floors, which have no length: they look at the training images at most once. The same for all, so that figures of any length share
their runs; an arm that says its own keeps it."""


@dataclass(frozen=True)
class Arm:
    """One point: what is trained. What it says wins over what its scale says."""

    method: str
    x: float | str
    """Where it stands on the axis: a number, or a name."""
    series: str = ""
    """Which line it belongs to, as figures.csv calls it."""
    hyper_parameters: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    encoder: str | None = None
    budget: str | None = None
    measure: str | None = None
    """What it is judged by, where not the figure's measure: two points of one line may be the same runs."""
    pretrain_split: str = "train"


@dataclass(frozen=True)
class Scale:
    """Where a figure is judged: data, encoder, length, seeds."""

    dataset: str
    budget: str
    cost: str
    """What all its runs took or will take, as '9 core-minutes, measured'."""
    differs: str
    """What is not as in the paper here: data, encoder, length, recipe."""
    encoder: str | None = None
    image_size: int | None = None
    precision: str = "float32"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the recipe of every arm."""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of one method's arms: learning rates that a search on val found. They win over `recipe`."""
    hyper_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Hyper-parameters of one method's arms, where not its defaults."""
    recipe_name: str | None = None
    """Whose numbers every arm begins with, as `--recipe` has it: `imagenet` is the paper's own. All that is said besides wins over it."""
    evals: tuple[str, ...] = EVALS
    arms: tuple[str, ...] | None = None
    """Those that are run here; None: all."""

    def spec(self, arm: Arm, seed: int) -> RunSpec:
        """An arm's run, to be completed."""
        budget = FLOOR_BUDGET if arm.method in FLOORS else self.budget
        return RunSpec(
            method=arm.method,
            dataset=self.dataset,
            budget=Budget.parse(arm.budget or budget),
            seed=seed,
            encoder=arm.encoder or self.encoder,
            image_size=self.image_size,
            precision=self.precision,
            pretrain_split=arm.pretrain_split,
            hyper_parameters={**self.hyper_parameters.get(arm.method, {}), **arm.hyper_parameters},
            recipe_changes={**self.recipe, **self.recipes.get(arm.method, {}), **arm.recipe} if arm.method not in FLOORS else {},
        )


@dataclass(frozen=True)
class Records:
    """A scale whose runs a committed suite has made: an arm is what that suite has of its method, encoder and hyper-parameters."""

    suite: str
    differs: str
    encoder: str | None = None
    """Of arms that name none."""
    cost: str = "nothing: the records are there"
    arms: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Figure:
    """All of it. One file of reports/papers/ holds one, as FIGURE."""

    paper: str
    """arXiv:ID or doi:ID"""
    place: str
    """'Table 5', 'Figure 3, left'"""
    claim: str
    """One sentence that can turn out false."""
    axis: str
    """What x is."""
    measure: str
    """The measure that rules judge where neither they nor the arm name one: see reports/claims/measures.py."""
    arms: Mapping[str, Arm]
    rules: tuple[Rule, ...]
    """All must hold."""
    scales: Mapping[str, Scale | Records]
    """By name: cpu, gpu, paper, records (records_vit: those of another encoder)."""
    learned: tuple[str, ...] = ()
    """The gate: arms that must lie above the better floor, by `gate_measure`. Otherwise nothing is judged."""
    gate_measure: str | None = None
    """None: `measure`."""
    logarithmic: bool = False
    """Whether the axis of x is."""
    unit: str = ""
    """Of the published points: 'top-1 on ImageNet, linear probe, %'."""

    def arms_at(self, scale: str) -> dict[str, Arm]:
        """Name -> arm, of those that the scale runs."""
        chosen = self.scales[scale].arms
        return {name: arm for name, arm in self.arms.items() if chosen is None or name in chosen}

    @property
    def own(self) -> dict[str, str]:
        """Arm -> measure, of those that are judged by one of their own."""
        return {name: arm.measure for name, arm in self.arms.items() if arm.measure}

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The measures of its arms, each once."""
        return tuple(dict.fromkeys(self.own.get(name, self.measure) for name in self.arms))

    @property
    def gated_by(self) -> tuple[str, ...]:
        """The measures that the gate looks at, each once."""
        return tuple(dict.fromkeys(self.gate_measure or self.own.get(name, self.measure) for name in self.learned))


def floors_of(arm: Arm) -> tuple[Arm, ...]:
    """The untrained encoders that an arm must be above: of its own encoder."""
    return tuple(Arm(name, x=name, encoder=arm.encoder) for name in FLOORS)
