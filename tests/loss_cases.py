"""What the tests of losses share: tiny encoders, batches of random views and pictures, the pieces of formulas as loops over Python's
floats, how near a loss must come to them, and mistakes written into a copy of a method's source."""

import importlib
import inspect
import math
import types
import warnings

import torch

import bench.parts
import methods
from bench.compute.randomness import Draws
from bench.data.text import CLS, PAD, SEP, SPECIAL
from bench.encoders.factory import factory
from bench.encoders.networks.resnet import ResNet
from bench.method import Batch
from bench.spec import DatasetInfo

TOLERANCE = 1e-5
"""How far a loss may be from its formula, as a share of it, or absolute where it is below 1."""
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
"""By which `normalised` goes."""


def from_lightly(module, name):
    """What lightly has of this name in this module of its own. It imports parts of torch and torchvision that warn of their age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(f"lightly.{module}"), name)


def make_encoder(in_channels=3, width=1.0, bn_groups=1):
    """A network of one block and 6 channels for images of 8 pixels."""
    return ResNet((1,), (6,), 8, in_channels, width, bn_groups)


def narrow(encoder, size):
    """What makes an encoder of a name, at a quarter of its width unless the method wants another."""
    make = factory(encoder, size)
    return lambda **options: make(**{"width": 0.25, **options})


def random_batch(method, count, size, key=0):
    """Random numbers in the shapes of the method's views."""
    data = DatasetInfo(num_images=64, image_size=size)
    sizes = [view.pixels(data) for view in method.views for _ in range(view.count)]
    source = Draws("crops", key, total=count)
    return Batch(tuple(source.randn(3, pixels, pixels) for pixels in sizes), torch.arange(count), Draws("test", key, total=count))


def texts(count, length, kinds, key=0, shortest=1):
    """Windows int64 [B, L]: [CLS], `shortest` words or more, drawn, [SEP], and padding."""
    source, found = Draws("texts", key, total=count), torch.full((count, length), PAD)
    words = len(SPECIAL) + source.randint(kinds - len(SPECIAL), length)
    for row, drawn, end in zip(found, words, shortest + source.rand() * max(0, length - 1 - shortest), strict=True):
        many = min(int(end), length - 2)
        row[0], row[1 : 1 + many], row[1 + many] = CLS, drawn[:many], SEP
    return found


def text_batch(count, length, kinds, key=0, **options):
    """A batch of `texts`, and draws."""
    return Batch((texts(count, length, kinds, key, **options),), torch.arange(count), Draws("test", key, total=count))


def pictures(count, key=0, size=16):
    """Random colours in 0..1, [B, 3, S, S]."""
    return Draws("pictures", key, total=count).rand(3, size, size)


def normalised(images):
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def copy_of(module, change=lambda source: source):
    """The module, made from its source again, which is changed before."""
    made = types.ModuleType(module.__name__)
    exec(compile(change(inspect.getsource(module)), f"mutated {module.__name__}", "exec"), vars(made))
    return made


def mutate(monkeypatch, module, right, wrong, part=None):
    """Put the mistake `wrong` in the place of `right`: the module's class becomes that of a changed copy of its source. part: a module of
    bench.parts that the mistake is put in, where it is not in the method's own file; the class is then made of the copy's parts."""
    place = part or module

    def mistaken(source):
        assert source.count(right) == 1, f"'{right}' must be in {place.__name__} once, for this mutation to mean what it says"
        return source.replace(right, wrong)

    changed = copy_of(place, mistaken)
    if part:
        for name in bench.parts.__all__:
            if getattr(bench.parts, name).__module__ == part.__name__:
                monkeypatch.setattr(bench.parts, name, vars(changed)[name])
        changed = copy_of(module)
    name = methods.load(module.__name__.split(".")[-1]).__name__
    monkeypatch.setattr(module, name, vars(changed)[name])


def unit(row):
    """A list of numbers, divided by its length."""
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]


def rows_of(tensor):
    """[B, P] -> a list of lists of Python floats, which are float64."""
    return tensor.detach().double().tolist()


def dot(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True))


def cross_entropy_of_one(logits, label):
    """-log(exp(logit of the label) / sum of exp(logits)) of a list of numbers."""
    highest = max(logits)
    return highest + math.log(sum(math.exp(value - highest) for value in logits)) - logits[label]


def cross_entropy(logits, labels):
    """The same as a mean over rows: logits [B, K], B labels."""
    return sum(cross_entropy_of_one(row, label) for row, label in zip(rows_of(logits), labels, strict=True)) / len(labels)


def lab_of_one(red, green, blue):
    """One colour in 0..1, from the definitions of sRGB (IEC 61966-2-1) and CIE 1976 Lab, in plain Python."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (red, green, blue)]
    rows = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
    xyz = [dot(row, linear) for row in rows]
    ratios = [value / white for value, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)]
    x, y, z = [ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios]
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def agree(case, tolerance=TOLERANCE):
    """Whether the two numbers of a case, the method's loss and the reference's, are that near; both must be finite."""
    loss, reference = case
    assert math.isfinite(loss) and math.isfinite(reference)
    return abs(loss - reference) <= tolerance * max(1.0, abs(reference))


def close(value, expected, dtype=None):
    """assert that a scalar tensor, of this dtype where one is given, and a number agree within TOLERANCE; nan agrees with nothing."""
    assert dtype in (None, value.dtype), f"a loss in {value.dtype}"
    value = value.item()
    assert abs(value - expected) <= TOLERANCE * max(1.0, abs(expected)), f"{value} is not {expected}"


def check_follows(method, student, progress, momentum):
    """After a step at this progress each parameter of the teacher is so much of what it was, and the rest of the student's."""
    pairs = list(zip(method.teacher.network.parameters(), student.parameters(), strict=True))
    before = [(own.clone(), followed.clone()) for own, followed in pairs]
    method.after_step(progress)
    for (own, _), (old, followed) in zip(pairs, before, strict=True):
        torch.testing.assert_close(own, momentum * old + (1 - momentum) * followed)
