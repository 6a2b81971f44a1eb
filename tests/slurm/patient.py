"""A method for the tests on a cluster: it takes its time, as $PATIENT_PAUSE says, and dies once where $PATIENT_DEATH says.

What it learns depends on neither: an undisturbed run and a tormented one must have the same weights.
"""

import os
import signal
import time
from pathlib import Path

import torch

from bench.method import Method
from bench.parts import gather, mlp, nt_xent
from bench.spec import Recipe
from bench.views import PaddedCrop, View


def die_once(where: str) -> None:
    """SIGKILL, the first time that it is asked here: $PATIENT_DEATH is PLACE:FILE, and the file says that it has happened."""
    place, _, marker = os.environ.get("PATIENT_DEATH", "").partition(":")
    if place == where and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def dying_save(state, file, save=torch.save):
    """torch.save that can die half-way through a checkpoint."""
    if isinstance(state, dict) and state.get("step", 0) >= 10:
        place = os.environ.get("PATIENT_DEATH", "").partition(":")[0]
        if place == "checkpoint":
            file.write(b"PK half a checkpoint")
            file.flush()
        die_once("checkpoint")
    return save(state, file)


torch.save = dying_save


class Patient(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, diverge_at=1.0, memory_gib=0.0):
        """diverge_at: the progress from which the loss is not a number. memory_gib: what a step takes and gives back."""
        super().__init__()
        self.views = (View((PaddedCrop(2),), count=2),)
        self.recipe = Recipe("sgd", lr=0.05, batch_size=64)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, 32, 16)
        self.diverge_at, self.memory_gib = diverge_at, memory_gib

    def loss(self, batch, progress):
        time.sleep(float(os.environ.get("PATIENT_PAUSE", 0)))
        if self.memory_gib:
            torch.ones(int(self.memory_gib * 2**28))
        first, second = self.projector(self.encoder(torch.cat(batch.views))).chunk(2)
        loss = nt_xent(gather(first), gather(second), 0.5)
        return loss * float("nan") if progress >= self.diverge_at else loss

    def encode(self, images):
        if not (self.training or images.is_meta):  # not while a plan tries it on paper, in the process that submits
            die_once("evaluation")
        return self.encoder(images)
