"""The registry: this folder. A file that defines one Method is a method; its name is the file's.

methods.names()          every name, references included, without importing any of them
methods.load("simclr")   the class; also takes a path to a user's own file
methods.summary("byol")  first sentence of the file's docstring
methods.needs("byol")    what it needs of an encoder, read in the file's text
"""

import hashlib
import re
from pathlib import Path

from bench import registry
from bench.defaults import COMMAND
from bench.encoders import table as encoders
from bench.errors import UserError
from bench.machine.checkout import is_as_committed

METHODS = registry.Registry("method", "methods", f"{COMMAND} list methods")

FOLDER = METHODS.folder
"""Where the methods lie, and the table of their ImageNet recipes."""


def names() -> list[str]:
    """Every method and reference in this folder, sorted."""
    return METHODS.names()


def is_path(method: str) -> bool:
    """Whether `method` names a user's own file and not an entry of this folder."""
    return method.endswith(".py") or "/" in method


def require(method: str) -> Path:
    """The file that holds `method`; a UserError with the nearest name where there is none. Imports nothing."""
    if is_path(method):
        path = Path(method)
        if not path.is_file() or path.suffix != ".py":
            raise UserError(f"there is no file '{method}'; expected a Python file that defines one Method")
        return path
    return METHODS.require(method)


def digest(method: str) -> str:
    """SHA-256 of the file's text. Imports nothing."""
    return hashlib.sha256(require(method).read_bytes()).hexdigest()


def summary(method: str) -> str:
    """The first sentence of the file's docstring, up to a full stop at the end of a line: paper and idea."""
    return registry.summary(require(method))


def year(method: str) -> int | None:
    """The paper's: the first year in the summary; None where there is none. Imports nothing."""
    found = re.search(r"\b(19|20)\d\d\b", summary(method))
    return int(found[0]) if found else None


def paper(method: str) -> str:
    """The class attribute `paper` as the file's text has it: 'arXiv:2002.05709'; '' where it has none. Imports nothing."""
    return str(registry.declared(require(method), "paper", "") or "")


def needs(method: str) -> str:
    """The class attribute `needs` (features | feature_map | tokens) as the file's text has it. Imports nothing."""
    return registry.declared(require(method), "needs", "features")


def all_needs() -> dict[str, str]:
    """`needs` of every name; one look at the folder for all of them."""
    return {name: registry.declared(FOLDER / f"{name}.py", "needs", "features") for name in names()}


def takes(method: str) -> tuple[str, ...]:
    """The class attribute `takes`, names of modalities, as the file's text has it. Imports nothing."""
    return registry.declared(require(method), "takes", ("images",))


def takers(modality: str) -> list[str]:
    """Which methods of ours learn from it; one look at the folder for all of them."""
    return [name for name in names() if modality in (takes(name) or (modality,))]


def can_use(method: str, encoder: str) -> bool:
    """Whether the encoder offers what one of our methods needs, and takes what it learns from; neither is imported to know."""
    entry = encoders.require(encoder)
    return needs(method) in entry.offers and entry.takes in (takes(method) or (entry.takes,))


def users(encoder: str) -> str:
    """Which methods of ours can use the encoder: "all methods" of what it takes, or "all methods but" those that cannot."""
    entry, needed = encoders.require(encoder), all_needs()
    others = [method for method in takers(entry.takes) if needed[method] not in entry.offers]
    return "all methods" + (f" but {', '.join(others)}" if others else "")


def takes_weights(method: str) -> bool:
    """Whether it is for weights of somebody else's training, as the file's text says. Imports nothing."""
    return registry.declared(require(method), "takes_weights", False)


def family(method: str) -> str:
    """The class attribute `family` as the file's text has it; '' where it has none, as yardsticks. Imports nothing."""
    return registry.declared(require(method), "family", "")


def declared_version(method: str) -> int:
    """The class attribute `version` as the file's text has it. Imports nothing."""
    return registry.declared(require(method), "version", 1)


def load(method: str):
    """The one Method class that the file defines. Raises UserError where it is missing, broken or not the only one."""
    require(method)
    module = registry.import_own(method) if is_path(method) else METHODS.load(method)
    from bench.method import Method

    return registry.only_class(module, Method, method, "Method")


def version(method: str, cls, hyper_parameters: dict) -> str:
    """What identifies the code behind a method: the class's `full_version`; where git does not tell the text, also the text's hash. That
    is a user's own file, and a file of this folder, or of one that the class is made from, that is not as committed."""
    bases = [base.__module__.removeprefix("methods.") for base in cls.__mro__[1:] if base.__module__.startswith("methods.")]
    texts = [digest(name) for name in (method, *bases) if is_path(name) or not is_as_committed(f"{FOLDER.name}/{name}.py")]
    own = texts[0] if len(texts) == 1 else hashlib.sha256("".join(texts).encode()).hexdigest()
    return f"{cls.full_version(hyper_parameters)}{f'+{own[:8]}' if texts else ''}"
