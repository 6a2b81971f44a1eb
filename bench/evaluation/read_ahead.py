"""What evaluators will be handed, read before a run is trained."""

from bench.data.annotated import require_whole
from bench.data.catalogue import DataSets
from bench.data.load import load
from bench.evaluation import registry
from bench.spec import RunSpec


def read_images(spec: RunSpec, requests: tuple[str, ...], data: DataSets, threads: int) -> None:
    """Read every split that these evaluators will be handed, before the run is trained: a UserError names an image that cannot be decoded.
    They are kept for the evaluation (bench.data.load.read_split), so nothing is decoded twice."""
    for request in requests:
        name, _ = registry.parse(request)
        read = {registry.target(request) or spec.dataset: registry.splits(name)}
        for dataset, splits in ({spec.dataset: registry.splits_of_pretraining(name)} | read).items():
            found = data.require(dataset)
            kind = registry.annotation(name) or ("classes" if registry.takes_sets(name) and not found.entry.one_class else None)
            for split in splits:
                if kind:
                    require_whole(found, kind, split, threads)
                if kind in (None, "classes"):
                    load(found, split, spec.image_size, threads, data.require(spec.dataset).modality)
