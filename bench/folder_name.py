"""How a folder of a user's own images is written, and what of that stands for its content: `birds=folder:~/pictures/birds`.

    parse("birds=folder:../b/?metric=mean_per_class")    its parts, or a UserError that says what to write
    canonical("folder:../b/")                            'folder:/data/b': one text for every spelling of the path
    shown(...)                                           'b', as tables, figures and file names have it
    identity(...)                                        what of it is in an id: neither path nor name, which say nothing of the images

Each takes the name of any data set, and gives back that of a known one as it is.
"""

import os
import re
from dataclasses import dataclass

from bench.errors import UserError, unknown

FOLDER = re.compile(r"(?:(?P<name>[^=:/]*)=)?folder:(?P<path>.*?)(?:\?(?P<options>\w+=[^?/]*))?", re.DOTALL)
METRICS = ("top1", "mean_per_class")
OPTIONS = ("metric", "revision", "skip")
REVISION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class FolderName:
    """The parts of a folder's name."""

    path: str
    """As it was written."""
    name: str = ""
    """What the user calls it; '' where the folder's own name is to do."""
    skip: bool = False
    """Whether files that cannot be decoded are left out."""
    metric: str = "top1"
    """What is reported, and picked by: top1 | mean_per_class."""
    revision: str = ""
    """The content that it has to have, of a transfer target whose plan was made; '' where any will do."""

    @property
    def text(self) -> str:
        """As a user would write it."""
        chosen = {"skip": "unreadable" * self.skip, "metric": self.metric * (self.metric != "top1"), "revision": self.revision}
        options = "&".join(f"{key}={value}" for key, value in chosen.items() if value)
        return f"{self.name}{'=' * bool(self.name)}folder:{self.path}{'?' * bool(options)}{options}"

    @property
    def label(self) -> str:
        """What it is called: the name that it was given, or else the last part of its path."""
        return self.name or re.split(r"[/\\]", self.path.rstrip("/\\"))[-1]


def is_folder(dataset: str) -> bool:
    """Whether this means a folder, and not a known data set."""
    return FOLDER.fullmatch(dataset) is not None


def parse(dataset: str) -> FolderName:
    """The parts of '[NAME=]folder:PATH[?option=value&...]'."""
    match = FOLDER.fullmatch(dataset)
    assert match, f"'{dataset}' is no folder"
    name, path = match["name"], match["path"]
    if not path:
        raise UserError("'folder:' needs a path: folder:PATH, with PATH/train/CLASS/IMAGE")
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(f"a folder's name is of letters, digits, '.', '_' and '-', not '{name}': write birds=folder:{path}")
    given: str = match["options"] or ""
    options = {option.partition("=")[0]: option.partition("=")[2] for option in given.split("&") if option}
    for option, value in options.items():
        if option not in OPTIONS:
            raise unknown("option of a folder", option, ("metric", "skip"), "Known: ?metric=mean_per_class, ?skip=unreadable")
        if option == "metric" and value not in METRICS:
            raise unknown("metric of a folder", value, METRICS)
        if (option == "skip" and value != "unreadable") or (option == "revision" and not REVISION.fullmatch(value)):
            expected = "skip=unreadable" if option == "skip" else "12 hexadecimal digits"
            raise UserError(f"a folder's {option}={value}: expected {expected}")
    return FolderName(path, name or "", "skip" in options, options.get("metric", "top1"), options.get("revision", ""))


def canonical(dataset: str, revision: str = "") -> str:
    """The one text for every spelling of a folder: its path absolute and without links, and the name that it was given, if it was.
    revision: its content, to be said too; one that is in `dataset` is left out."""
    if not is_folder(dataset):
        return dataset
    parts = parse(dataset)
    given = os.path.expanduser(parts.path)
    # Records are UTF-8, and a name of a file need not be: a link to such a folder will do.
    path = next((path for path in (os.path.realpath(given), os.path.abspath(given)) if _utf8(path)), None)
    if path is None:
        raise UserError(f"the path {parts.path!a} is not UTF-8, as records are: make a link to it (ln -s), and give that")
    name = parts.name if parts.name != os.path.basename(path) else ""
    return FolderName(path, name, parts.skip, parts.metric, revision).text


def shown(dataset: str) -> str:
    """What people read: 'birds' of birds=folder:/data/b; what `labelled` made, without its revision; a known set's name as it is."""
    if dataset.startswith(LABEL):
        return dataset.removeprefix(LABEL).rpartition("@")[0].rstrip("/")
    return parse(dataset).label if is_folder(dataset) else dataset


LABEL = "folder "
"""How a folder's label begins, as no data set's name does."""


def labelled(dataset: str, revision: str = "") -> str:
    """What stands for a folder in a table of records, whatever the path that it had: 'folder birds@1a2b3c4d5e6f?metric=mean_per_class',
    or 'folder birds/@...' where no name was given to it."""
    if not is_folder(dataset):
        return dataset
    parts = parse(dataset)
    return f"{LABEL}{parts.name or f'{parts.label}/'}@{parts.revision or revision}{_metric(parts)}"


def identity(dataset: str) -> str:
    """What of a data set's name decides an outcome: of a folder how it is measured. Its content is a spec's `data_revision`."""
    return f"folder:{_metric(parse(dataset))}" if is_folder(dataset) else dataset


def identity_of_request(request: str) -> str:
    """The same of an evaluator and its target: of 'transfer:birds=folder:/data/b?revision=1a2b3c4d5e6f' the revision is all."""
    name, colon, target = request.partition(":")
    content = parse(target).revision if is_folder(target) else ""
    return name + colon + identity(target) + content


def _metric(parts: FolderName) -> str:
    return f"?metric={parts.metric}" if parts.metric != "top1" else ""


def _utf8(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False
