"""The evaluators by name: the files of the folder evaluators/, each of which defines ARGUMENT, READS_TEST and `evaluate`.

    names()                  ['few_labels', 'knn', 'label_free', 'linear', ...], without importing any of them
    parse("transfer:digits") ('transfer', 'digits'), or a UserError that says what to write
    target("transfer:digits")    'digits'; None where a request names no data set
    load("knn")              the module; its `evaluate(subject, argument)` returns a list of bench.records.record.Result
    summary("knn")           first sentence of the file's docstring

Nothing here imports torch, FAISS or NumPy: the command line checks names in a fraction of a second.
"""

import re
from types import ModuleType

from bench.defaults import COMMAND
from bench.errors import UserError
from bench.registry import Registry

EVALUATORS = Registry("evaluator", "bench.evaluation.evaluators", f"{COMMAND} list evals")

EXTRACTION = "features"
"""What the seconds of extracting features are kept under among evaluators' own: it is done once for all of them."""


def names() -> list[str]:
    """Every evaluator in this folder, sorted."""
    return EVALUATORS.names()


def summary(name: str) -> str:
    """The first sentence of the file's docstring."""
    return EVALUATORS.summary(name)


def argument(name: str) -> str | None:
    """What the evaluator needs after its colon ('a data set'), or None where it takes nothing."""
    return EVALUATORS.declared(name, "ARGUMENT")


def may_be_left_out(name: str) -> bool:
    """Whether what follows the colon may be left out with it, and the pretraining data set is measured then."""
    return EVALUATORS.declared(name, "OPTIONAL", default=False)


def fewest_labels(name: str) -> int | None:
    """Where what follows the colon is a number of labels of every class, which train must then have: the smallest. Else None."""
    return EVALUATORS.declared(name, "FEWEST_LABELS", default=None)


def smallest(name: str) -> int | None:
    """Where what follows the colon is a number, of labels or of anything else: the smallest that it may be. Else None."""
    return EVALUATORS.declared(name, "SMALLEST", default=fewest_labels(name))


def reads_test(name: str) -> bool:
    """Whether the evaluator reads a test split."""
    return EVALUATORS.declared(name, "READS_TEST")


def fewest_in_test(name: str) -> tuple[int, int]:
    """How many classes test must have, and of each how many images, where the evaluator draws so many of them."""
    return EVALUATORS.declared(name, "FEWEST_CLASSES", default=0), EVALUATORS.declared(name, "FEWEST_TEST_IMAGES", default=0)


def splits(name: str) -> tuple[str, ...]:
    """What the evaluator is handed of the data set that it measures: train, val and, where it reads it, test; or what it says."""
    return EVALUATORS.declared(name, "SPLITS", default=("train", "val", "test") if reads_test(name) else ("train", "val"))


def splits_of_pretraining(name: str) -> tuple[str, ...]:
    """What the evaluator reads of the pretraining data set beside another one, which must then be another; empty where it reads none."""
    return EVALUATORS.declared(name, "SPLITS_OF_PRETRAINING", default=())


def same_classes(name: str) -> bool:
    """Whether the classes of the data set that is named must be, by their names, classes of the pretraining data set."""
    return EVALUATORS.declared(name, "SAME_CLASSES", default=False)


def needs_classes(name: str) -> bool:
    """Whether the evaluator measures how well classes are told apart, as all do that do not say otherwise."""
    return EVALUATORS.declared(name, "NEEDS_CLASSES", default=True)


def takes_sets(name: str) -> bool:
    """Whether an evaluator of images of one class each measures those that show a set of classes too."""
    return EVALUATORS.declared(name, "SETS_OF_CLASSES", default=False)


def takes(name: str) -> tuple[str, ...]:
    """The modalities whose items the evaluator looks at itself, changes or trains on; none where features alone are its matter."""
    return EVALUATORS.declared(name, "TAKES", default=("images",))


def papers(name: str) -> tuple[str, ...]:
    """What whoever reports the evaluator's numbers is to cite, as a method names its paper: 'arXiv:1805.01978'."""
    return EVALUATORS.declared(name, "PAPERS", default=())


def annotation(name: str) -> str | None:
    """What the evaluator measures beside or instead of one class of each image, 'classes' (sets of them), 'boxes' or 'masks'; else None."""
    return EVALUATORS.declared(name, "ANNOTATION", default=None)


def needs_of_encoder(name: str) -> str:
    """What the evaluator asks of an encoder, as a method's `needs` does (bench.encoders.encoder.Encoder.offers)."""
    return EVALUATORS.declared(name, "NEEDS", default="features")


def needs_maps(name: str) -> bool:
    """Whether the evaluator goes by where in an image something is, and so needs the encoder's maps of whole ones."""
    return EVALUATORS.declared(name, "NEEDS_MAPS", default=False)


def needs_projector(name: str) -> bool:
    """Whether the evaluator measures what a method's projector makes: see bench.method.projection_of."""
    return EVALUATORS.declared(name, "NEEDS_PROJECTOR", default=False)


def parse(request: str) -> tuple[str, str | None]:
    """'knn' -> ('knn', None); 'transfer:digits' -> ('transfer', 'digits'). UserError where the name is unknown, the
    argument is missing, or there is one too many. Whether the data set exists is for the caller to check."""
    name, colon, given = (part.strip() for part in request.partition(":"))
    needed = argument(name)
    if needed is None and colon:
        raise UserError(f"the evaluator '{name}' takes no argument: write '{name}', not '{request}'")
    least = smallest(name)
    if needed is not None and not given and (colon or not may_be_left_out(name)):
        known = "voc2012" if annotation(name) else "digits"
        example = f"write '{name}:NAME', as in '{name}:{known}'" if least is None else f"write '{name}:N', as in '{name}:20'"
        raise UserError(f"the evaluator '{name}' needs {needed}: {example}")
    # One text for one number: what was measured is looked up by it.
    share = fewest_labels(name) is not None and re.fullmatch("[1-9][0-9]?%", given)
    if least is not None and given and not share and not (re.fullmatch("0|[1-9][0-9]*", given) and int(given) >= least):
        or_share = f", or a whole percentage, as in '{name}:1%'" if fewest_labels(name) is not None else ""
        raise UserError(f"'{request}': expected {needed}, {least} or more, as in '{name}:20'{or_share}")
    return name, given or None


def target(request: str) -> str | None:
    """The data set that a request names, where that is what follows its colon; a UserError as of `parse`."""
    name, given = parse(request)
    return given if smallest(name) is None else None


def labels_a_class(request: str) -> int | None:
    """How many labels of every class a request asks for, where that is what follows its colon; a UserError as of `parse`."""
    name, given = parse(request)
    return None if given is None or fewest_labels(name) is None or given.endswith("%") else int(given)


def percent_of_labels(request: str) -> int | None:
    """How many percent of train's labels a request asks for, where that is what follows its colon; a UserError as of `parse`."""
    name, given = parse(request)
    return int(given[:-1]) if given is not None and fewest_labels(name) is not None and given.endswith("%") else None


def load(name: str) -> ModuleType:
    """The evaluator's module."""
    return EVALUATORS.load(name)
