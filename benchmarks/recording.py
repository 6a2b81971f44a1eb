"""Captured steps (bench/training/cuda_graph.py) beside the same steps made one by one: are they the same, and what do they take. For GPUs.

Every trained method makes some steps from one seed twice, in float32: losses and weights are compared. On a CPU nothing is captured, and
the two are equal.
"""

import warnings

import torch

import methods
from benchmarks.measure import alternate, ratio, spread, table
from benchmarks.training import NEEDS_TOKENS, Bound

STEPS, BATCH, IMAGES = 10, 64, 512


def bound(method: str, captured: bool) -> tuple[Bound, list[str]]:
    """The method with resnet8, or a ViT where it needs one, after its first steps; and what was said of the capture."""
    encoder = "resnet8" if methods.can_use(method, "resnet8") else NEEDS_TOKENS
    made = Bound(method, encoder, "float32", BATCH, images=IMAGES)
    if not captured:
        made.trainer.captured_steps.capture = None
    made.trainer.at_once = 1
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made.harness(STEPS)
    return made, [str(warning.message) for warning in said if "CUDA graph" in str(warning.message)]


def difference(one: Bound, other: Bound) -> float:
    """The largest difference of a tensor of weights or buffers, over that tensor's size."""
    states = [{name: value.double() for name, value in made.method.state_dict().items()} for made in (one, other)]
    return max(float((value - states[1][name]).norm() / value.norm().clamp(min=1e-12)) for name, value in states[0].items())


def rows(quick: bool = False) -> list[dict]:
    """One row per trained method: whether it was captured, the losses' and the weights' difference, seconds of ten further steps."""
    found = []
    for method in [name for name in methods.takers("images") if methods.load(name).trained][: 2 if quick else None]:
        (single, _), (captured, said) = bound(method, False), bound(method, True)
        losses = abs(single.trainer.loss - captured.trainer.loss) / abs(single.trainer.loss)
        row = {"measure": "recording", "method": method, "recorded": captured.trainer.captured_steps.captured is not None, "said": said}
        row |= {"steps": STEPS, "loss_apart": losses, "weights_apart": difference(single, captured)}
        timed = {"single": lambda made=single: made.harness(STEPS), "recorded": lambda made=captured: made.harness(STEPS)}
        seconds = alternate(timed, 1 if quick else 3)
        found.append(row | {"times_faster": ratio(seconds["recorded"], seconds["single"])})
        print(f"recording  {method:<16} loss {losses:.1e} apart, {spread(found[-1]['times_faster'])} times as fast", flush=True)
        torch.cuda.empty_cache()
    return found


def markdown(found: list[dict]) -> str:
    """The rows as a table."""
    header = ("method", "recorded", "loss apart", "weights apart", "times as fast", "what was said")
    cells = []
    for row in found:
        apart = [f"{row[what]:.1e}" for what in ("loss_apart", "weights_apart")]
        said = "; ".join(row["said"]) or "–"
        cells.append([row["method"], "yes" if row["recorded"] else "no", *apart, spread(row["times_faster"]), said])
    return table(header, cells)
