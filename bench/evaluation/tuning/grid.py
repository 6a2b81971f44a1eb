"""The setting of a training, chosen on val: one training for each setting, and one more with the best on train and val."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Setting = TypeVar("Setting", bound=Any)
Part = TypeVar("Part")
Network = TypeVar("Network")


def choose(
    settings: Iterable[Setting],
    train: Part,
    both: Callable[[], Part],
    trained: Callable[[Part, Setting], Network | None],
    judged: Callable[[Network], float],
) -> tuple[Setting | None, dict[Setting, float], Network | None]:
    """-> the best setting, of equal ones the lowest, or None where no loss was finite; what `judged` says of the others on val; and the
    network that was trained anew with the best on `both`, or None. trained: None where the loss was not finite."""
    on_val = {}
    for setting in settings:
        network = trained(train, setting)
        if network is not None:
            on_val[setting] = judged(network)
    best = min(on_val, key=lambda setting: (-on_val[setting], setting), default=None)
    return best, on_val, None if best is None else trained(both(), best)
