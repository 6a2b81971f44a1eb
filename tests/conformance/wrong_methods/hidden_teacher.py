"""Wrong: the teacher hides from the state_dict in a plain list."""

import copy

import torch

from bench.method import Method
from bench.parts import mlp, nt_xent
from bench.spec import Recipe
from bench.views import Flip, ResizedCrop, View


class HiddenTeacher(Method):
    paper = "arXiv:2002.05709"

    def __init__(self, make_encoder, data, *, temperature=0.5):
        super().__init__()
        self.views = (View((ResizedCrop((0.2, 1.0)), Flip()), count=2),)
        self.recipe = Recipe("sgd", lr=0.1, weight_decay=1e-4)
        self.encoder = make_encoder()
        self.projector = mlp(self.encoder.dim, self.encoder.dim, 16)
        self.temperature = temperature
        self.teacher = [copy.deepcopy(module).requires_grad_(False) for module in (self.encoder, self.projector)]

    def loss(self, batch, progress):
        first = self.projector(self.encoder(batch.views[0]))
        with torch.no_grad():
            second = self.teacher[1](self.teacher[0](batch.views[1]))
        return nt_xent(first, second, self.temperature)

    @torch.no_grad()
    def after_step(self, progress):
        for teacher, student in zip(self.teacher, (self.encoder, self.projector), strict=True):
            torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 0.1)
