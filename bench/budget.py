"""How much a run may spend: an amount of one of the four meters, or of epochs, and how a person writes it.

Users import it from bench.spec.
"""

import math
import re
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from bench.errors import UserError, unknown

UNITS = ("steps", "images", "flops", "seconds")
"""The four meters; each can be the unit of a budget. A person reads and may write items for images, which texts and clips are not."""

Unit = Literal["steps", "images", "flops", "seconds", "epochs"]

WRITTEN: dict[str, Unit] = {
    **{"steps": "steps", "items": "images", "images": "images", "flops": "flops", "seconds": "seconds", "epochs": "epochs"},
    **{"step": "steps", "item": "images", "image": "images", "flop": "flops", "s": "seconds", "epoch": "epochs"},
}
"""How a person may write a unit -> its name in records."""

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Of every part of a spec: a field that is unknown is refused, and so is a number that JSON cannot hold."""


@dataclass(frozen=True, config=STRICT)
class Budget:
    """How much a method may spend on pretraining: `amount` of `unit`, counted by the meter (bench/training/meter.py)."""

    unit: Unit
    amount: float

    def __post_init__(self):
        if self.amount <= 0:
            raise UserError(f"a budget must be a positive, finite amount, not {self.amount:g} {self.shown_unit}")
        if self.unit in ("steps", "images") and self.amount != int(self.amount):
            raise UserError(f"a budget in {self.shown_unit} must be a whole number, not {self.amount:g}")

    @property
    def shown_unit(self) -> str:
        return "items" if self.unit == "images" else self.unit

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read '20000items' or '20000images', '2e15flops', '600s', '500steps' or '10epochs'."""
        example = "expected a number and a unit: 20000items, 500steps, 2e15flops, 600s or 10epochs"
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
        if unit not in WRITTEN:
            raise unknown("budget unit", unit, [known for known in WRITTEN if known.endswith("s") and known != "s"])
        if not math.isfinite(amount):
            raise UserError(f"a budget must be a positive, finite amount, not '{text}'")
        return cls(WRITTEN[unit], amount)

    def in_images(self, num_images: int) -> "Budget":
        """An epoch is as many images as the pretraining split holds, for every batch size; other units stay."""
        return Budget("images", round(self.amount * num_images)) if self.unit == "epochs" else self

    @property
    def written(self) -> str:
        """As `parse` reads it back, to the last digit: '20000items', '3e+12flops'."""
        short = f"{self.amount:g}"
        return f"{short if float(short) == self.amount else repr(self.amount)}{self.shown_unit}"

    def __str__(self):
        if self.unit == "flops":
            return f"{self.amount:.3g}".replace("e+", "e") + " flops"
        amount = f"{self.amount:,.0f}" if self.amount == int(self.amount) else f"{self.amount:g}"
        return f"{amount} {self.shown_unit}"
