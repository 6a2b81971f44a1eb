"""What a method does between steps (bench/method.py): its `before_epoch`, what that is handed and costs, its one call where a method is not
trained; and BatchNorm's statistics taken anew where it has not seen whole images."""

from collections.abc import Callable, Iterable

from torch import Tensor

from bench.compute import collectives
from bench.compute.flops import count_flops
from bench.compute.randomness import generator
from bench.data.source import Source
from bench.encoders.features import IMAGES_AT_ONCE, extract
from bench.method import Method
from bench.parts.statistics import batch_norms, taking_statistics
from bench.spec import RunSpec, settled
from bench.training.meter import Meter

STATISTICS_IMAGES = 500
"""Training images that BatchNorm's statistics are taken anew on, in one forward pass, as many as features are extracted of at a time. Four
times as many change 0.2 points at most on val (methods/jigsaw.py)."""


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
            how = {"shared": True, "images_at_once": images_at_once, "prepare": source.modality.prepare}
            rows.append(extract(method, function, source.images[:count], *setting, **how))

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


def retake_statistics(method: Method, source: Source, spec: RunSpec) -> float:
    """Take the running statistics of every BatchNorm that `encode` (or else `encode_also`) uses on the first whole training images,
    without labels or augmentation, in eval mode. -> FLOPs: none where the method sees whole images, or has no BatchNorm."""
    if method.sees_whole_images or not batch_norms(method):
        return 0.0

    def take() -> None:
        taken = []
        for function in (method.encode, *method.encode_also().values()):
            with taking_statistics(method, but=tuple(taken)) as now:
                setting = source.images[:STATISTICS_IMAGES], source.mean, source.std, settled(spec.precision)
                extract(method, function, *setting, images_at_once=STATISTICS_IMAGES, prepare=source.modality.prepare)
            taken += now

    return count_flops(take)


def fit(method: Method, source: Source, spec: RunSpec) -> Meter:
    """What is not trained looks at the training images by its `before_epoch`, once, where it has one. -> what that cost."""
    meter = Meter(source.device)
    if has_hook(method):
        method.eval()
        with meter.charging():
            meter.flops += run_hook(method, source, spec, 0)[0]
    return meter
