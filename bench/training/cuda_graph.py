"""On a GPU: the views, the loss and the gradients of a step, captured once as a CUDA graph and played for the steps that follow.

The step of a small network is a thousand kernels, and the host takes longer to ask for them than the GPU to run them. A graph asks once.
What a step is a function of lies in tensors that are filled before it is played: which images, and the seeds of its draws. All else is as
it was when it was captured: `progress` too, so a captured step is of one phase, and is compared with a step at the phase's end first.
B images.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from bench.compute.randomness import hashed

WARM_UP = 3
"""Steps before the capture, so that libraries have chosen their algorithms; torch's documentation of CUDA graphs has as many."""

SAME_LOSS, SAME_GRADIENTS = 1e-3, 2e-2
"""How far a captured step may be from the step itself, relative. On a GPU sums in another order differ, in bfloat16 by up to the second."""


class NotCapturable(Exception):
    """The steps must be made one by one; says why."""


class StepGenerators:
    """The generators that a step draws from, which are kept: seeded for any step, they give what that step would draw."""

    def __init__(self):
        self.kept: dict[tuple, torch.Generator] = {}

    def take(self, seed: int, purpose: str, step: int, *rest: int, device: torch.device) -> torch.Generator:
        """In place of bench.compute.randomness.generator, which gives a new one."""
        key = seed, purpose, rest
        if key not in self.kept:
            self.kept[key] = torch.Generator(device).manual_seed(hashed(seed, purpose, step, *rest))
        return self.kept[key]

    def seed(self, step: int) -> None:
        """From here on they give the draws of this step."""
        for (seed, purpose, rest), generator in self.kept.items():
            generator.manual_seed(hashed(seed, purpose, step, *rest))


def cuda_graph(function: Callable[[], Tensor], generators: StepGenerators) -> tuple[Callable[[], None], Tensor]:
    """-> what plays `function` again, and its result, which every playing fills anew."""
    current = torch.cuda.current_stream()
    try:
        side = torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                function()
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        for generator in generators.kept.values():
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            result = function()
    finally:
        torch.cuda.set_stream(current)  # a capture that fails does not come back from its own
    return graph.replay, result


class CapturedStep:
    """`play(step, shown)` does to the method what `run` of that step would: gradients, and what a loss leaves for `after_step`."""

    def __init__(self, method: nn.Module, run: Callable, step: int, shown: tuple[Tensor, Tensor], capture=cuda_graph):
        """run(step, index, images, take) -> loss []: makes the batch of these images, with generators from `take`, and runs backward. It
        is run several times, and leaves no trace. shown: index int64 [B] and images uint8 [B, C, H, W]. Raises NotCapturable."""
        self.method, self.shown, self.generators = method, [tensor.clone() for tensor in shown], StepGenerators()
        with undone(method) as before:
            try:
                self.replay, self.loss = capture(lambda: run(step, *self.shown, self.generators.take), self.generators)
            except RuntimeError as error:
                # The error that ended the capture, not the one that says that it has ended.
                reason = error
                while reason.__context__:
                    reason = reason.__context__
                raise NotCapturable(str(reason).split("\n")[0]) from error
            # What the loss puts on a module for after_step to find (and to remove) is put there again whenever it is played.
            self.left = [
                (module, name, value)
                for module, names in before.items()
                for name, value in vars(module).items()
                if name not in names or names[name] is not value
            ]
        self.gradients = [(parameter, parameter.grad) for parameter in method.parameters()]
        self.places = self.addresses()

    def addresses(self) -> list[int]:
        """Where the method's state lies, which the graph has by heart."""
        return [tensor.data_ptr() for tensors in (self.method.parameters(), self.method.buffers()) for tensor in tensors]

    def holds(self) -> bool:
        """Whether the method's state lies where it lay."""
        return self.addresses() == self.places

    def play(self, step: int, shown: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of this step, and its gradients where an optimizer looks for them."""
        for own, new in zip(self.shown, shown, strict=True):
            own.copy_(new)
        self.generators.seed(step)
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        self.replay()
        for module, name, value in self.left:
            setattr(module, name, value)
        return self.loss.clone()

    def require_same(self, run: Callable, step: int, shown: tuple[Tensor, Tensor]) -> None:
        """Raises NotCapturable where playing a step is not what `run` does: a schedule within the phase, something read on the host."""
        found = []
        for way in (lambda: self.play(step, shown), lambda: run(step, *shown, self.generators.take)):
            with undone(self.method):
                self.generators.seed(step)
                loss = way()
                gradients = [p.grad.detach().float().clone().flatten() for p in self.method.parameters() if p.grad is not None]
            found.append((loss, torch.cat(gradients)))
        (played, its_gradient), (loss, gradient) = found
        if its_gradient.shape != gradient.shape or not (its_gradient - gradient).norm() <= SAME_GRADIENTS * gradient.norm():
            raise NotCapturable("its gradients change within a phase as a recording's do not")
        if not (played - loss).abs() <= SAME_LOSS * loss.abs():
            raise NotCapturable("its loss changes within a phase as a recording's does not")


@contextlib.contextmanager
def undone(method: nn.Module) -> Iterator[dict[nn.Module, dict]]:
    """After the block the method's buffers and the attributes of its modules are as before; those attributes, for the block."""
    buffers = [(buffer, buffer.clone()) for buffer in method.buffers()]
    attributes = {module: dict(vars(module)) for module in method.modules()}
    try:
        yield attributes
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for module, names in attributes.items():
            vars(module).clear()
            vars(module).update(names)
