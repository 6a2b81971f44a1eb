"""What to say of a run that crashed: where in the method's file, and the traceback in the run's folder; of one without memory: what to
lower, and to what, found by trying; of one whose features are no numbers: that it diverged."""

import contextlib
import re
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from bench.errors import where
from bench.evaluation.arrays import NotFinite
from bench.method import Method
from bench.run.folder import RunFolder
from bench.run.processes import FollowerDied
from bench.training.divergence import Diverged
from bench.training.trainer import Trainer

SIGNS = ("DefaultCPUAllocator", "out of memory")
"""How torch's own RuntimeErrors say it."""


FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in ')
"""How Python writes a frame of a traceback."""


@contextlib.contextmanager
def features_told(method: Method) -> Iterator[None]:
    """An evaluation in which features that are not finite are a training's that has diverged: weights that are numbers may be too large for
    features to be, and the same training would end with them again."""
    try:
        yield
    except NotFinite as reason:
        if method.trained:
            raise Diverged(str(reason)) from reason
        raise


def keep_traceback(error: BaseException, folder: RunFolder) -> None:
    """All of it into the run's folder, for `logs` and `show`, whoever launched the run. A disk that is full is no second fault."""
    with contextlib.suppress(OSError):
        folder.traceback.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")


def place_of(error: BaseException, method: Path, folder: RunFolder) -> str | None:
    """'mine.py:12': the line of the method's file, or of somebody's own code, that the error came from; None where it came from none.

    Where another process of the run died, its log tells. method: the file."""
    if place := where(error):
        return place
    frames = [frame for log in folder.logs() for frame in FRAME.finditer(log.read_text(errors="replace"))]
    own = [frame for frame in frames if Path(frame["file"]).resolve() == method.resolve()]
    return f"{method.name}:{own[-1]['line']}" if own and isinstance(error, FollowerDied) else None


def explain(error: BaseException, trainer: Trainer | None) -> str:
    """The error as a record keeps it. Out of memory in training: with the largest half, quarter, ... of the batch that fits here."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not is_out_of_memory(error):
        return said
    if trainer is None or trainer.share >= 1:
        return f"out of memory outside training ({said})"
    spec, batch = trainer.spec, trainer.recipe.batch_size
    # The frames of the step that failed hold all that it had made.
    traceback.clear_frames(error.__traceback__)
    fits = largest_batch(trainer) if trainer.origin["hardware"]["processes"] == 1 else None
    advice = f"a batch of {fits} fits here, by a step that was tried: --batch-size {fits}" if fits else "no smaller batch was found to fit"
    lower = "--image-size, or a smaller --encoder" + ("" if spec.precision == "bf16" else ", or --precision bf16")
    items = f"{trainer.source.modality.name} of {spec.image_size} {trainer.source.modality.unit}"
    return f"out of memory with {batch} {items}; {advice}, lower {lower}; each is another run ({said})"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the machine, had no more memory to give."""
    kinds = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return kinds or (isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS))


def largest_batch(trainer: Trainer) -> int | None:
    """The largest of half, a quarter, ... of the batch whose step this device has memory for; None where none is."""
    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.captured_steps.forget()  # a captured one keeps the memory of a whole step
    size = trainer.recipe.batch_size // 2
    while size:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        smaller = trainer.spec.replace(recipe=replace(trainer.recipe, batch_size=size))
        try:
            # On a copy beside the run's own weights: a little more memory than in training, so on the safe side.
            Trainer(trainer.method, trainer.source, smaller).measure_step(trainer.progress)
            return size
        except Exception as error:
            if not is_out_of_memory(error):
                return None  # the method itself cannot be trained with so few
            traceback.clear_frames(error.__traceback__)
        size //= 2
    return None
