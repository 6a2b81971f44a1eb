"""A method's `before_epoch` (bench/method.py): what it is handed, what it costs, and its one call where a method is not trained."""

from collections.abc import Callable, Iterable

from torch import Tensor

from bench.compute import collectives
from bench.compute.flops import count_flops
from bench.compute.randomness import generator
from bench.data.source import Source
from bench.encoders.features import IMAGES_AT_ONCE, extract
from bench.method import Method
from bench.spec import RunSpec, settled
from bench.training.meter import Meter


def has_hook(method: Method) -> bool:
    """Whether it does anything before an epoch. Counting what that costs takes time, so a method without a hook is spared it."""
    return type(method).before_epoch is not Method.before_epoch


def run_hook(
    method: Method,
    source: Source,
    spec: RunSpec,
    epoch: int,
    look: Callable[[Tensor], None] = lambda features: None,
    images_at_once: int = IMAGES_AT_ONCE,
) -> tuple[float, Iterable[str]]:
    """-> (FLOPs, prefixes of the parameters that it names: their optimizer state is to be cleared). look: called with all features that the
    hook asks for, float32 [N, d], before it gets them. images_at_once: in a forward pass of theirs."""
    shared, named = [], []

    def features(function, count=None):
        def own_part():
            setting = source.mean, source.std, settled(spec.precision)
            rows.append(extract(method, function, source.images[:count], *setting, shared=True, images_at_once=images_at_once))

        rows = []
        shared.append(count_flops(own_part))
        look(rows[0])
        return rows[0]

    def hook():
        draws = generator(spec.seed, "before_epoch", epoch, device=source.device)
        named.extend(method.before_epoch(features, draws))

    everything = count_flops(hook)
    # What every device does for itself counts once, what they share counts as a whole: the same for any number of devices.
    return everything - sum(shared) + collectives.total(sum(shared)), named


def fit(method: Method, source: Source, spec: RunSpec) -> Meter:
    """What is not trained looks at the training images by its `before_epoch`, once, where it has one. -> what that cost."""
    meter = Meter(source.device)
    if has_hook(method):
        method.eval()
        with meter.charging():
            meter.flops += run_hook(method, source, spec, 0)[0]
    return meter
