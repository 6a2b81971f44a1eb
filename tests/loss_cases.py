"""What the tests of losses share: batches of random views, and mistakes written into a copy of a method's source."""

import inspect
import math
import types

import torch

import methods
from bench.method import Batch
from bench.randomness import Draws
from bench.spec import DatasetInfo


def random_batch(method, count, size, key=0):
    """Random numbers in the shapes of the method's views."""
    data = DatasetInfo(num_images=64, image_size=size)
    sizes = [view.pixels(data) for view in method.views for _ in range(view.count)]
    source = Draws("crops", key, total=count)
    return Batch(tuple(source.randn(3, pixels, pixels) for pixels in sizes), torch.arange(count), Draws("test", key, total=count))


def mutate(monkeypatch, module, right, wrong):
    """Put the mistake `wrong` in the place of `right`: the module's class becomes that of a changed copy of its source."""
    source = inspect.getsource(module)
    assert source.count(right) == 1, f"'{right}' must be in {module.__name__} once, for this mutation to mean what it says"
    changed = types.ModuleType(module.__name__)
    exec(compile(source.replace(right, wrong), f"mutated {module.__name__}", "exec"), vars(changed))
    name = methods.load(module.__name__.split(".")[-1]).__name__
    monkeypatch.setattr(module, name, vars(changed)[name])


def unit(row):
    """A list of numbers, divided by its length."""
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]
