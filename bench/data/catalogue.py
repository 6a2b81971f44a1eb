"""The data sets by name: what is known of each before an image is read, and whether its files are here.

Known sets are read by their libraries' own loaders and compared with the original as far as that is known, so two people who
name the same set have the same images. `folder:PATH` is a folder of the user's own. Nothing is downloaded unless `get` is called; nothing
heavy is imported to check a name.
"""

import os

from bench.data.dataset import DataSet
from bench.data.entry import Entry
from bench.data.readers.folder import folder_entry
from bench.data.reading import DAMAGE
from bench.defaults import COMMAND, data_root
from bench.errors import UserError
from bench.folder_name import canonical, is_folder, parse, shown
from bench.registry import Registry

Root = str | os.PathLike | None

SETS = Registry("data set", "bench.data.sets", f"{COMMAND} list datasets")
"""The known sets, whether their files are there or not: a file gives `SET`, whose `entry(name, summary)` is the `Entry`."""


def names() -> list[str]:
    """The known data sets; 'folder:PATH' is accepted wherever one of them is."""
    return SETS.names()


def summary(name: str) -> str:
    """The first sentence of a known set's file, as the words that stand behind its name: without a capital and a full stop."""
    text = SETS.summary(name).removesuffix(".")
    # A word that has its capital from the beginning of the sentence; ImageNet keeps its own.
    return text[:1].lower() + text[1:] if text.split(" ")[0].istitle() else text


def entry(name: str) -> Entry:
    """What is known of a known set, whose files need not be there; a UserError with the nearest name where there is none."""
    return SETS.load(name).SET.entry(name, summary(name))


def annotated(kind: str) -> list[str]:
    """The known sets whose images have this kind of targets (bench.data.annotations.KINDS)."""
    return [name for name in names() if kind in entry(name).annotations]


def require(name: str, root: Root = None, needs_test: bool = False) -> DataSet:
    """The data set of that name, whose files are there; else a UserError that says how to get them. Of a folder all files are looked at.

    needs_test: also refuse a folder without a test split, before anything is trained for it.
    """
    root = data_root(root)
    if is_folder(name):
        return with_test(DataSet(checked(folder_entry(name), parse(name).revision), root.resolve()), needs_test)
    if "=" in name:
        raise UserError(f"'{name}' names no folder: write {name.partition('=')[0]}=folder:PATH; known sets have their names")
    known = entry(name)
    for file in known.files:
        if not (root / file).exists():
            how = known.by_hand or f"run `{COMMAND} data get {name}` or put {os.path.dirname(file) or file} there"
            raise UserError(f"{name} is not under '{root}' (no {file}): {how} (--data-root, or $SSLBENCH_DATA)")
    return DataSet(known, root.resolve())


def with_test(data: DataSet, needs_test: bool) -> DataSet:
    """Itself; a UserError for a folder that lacks the test split it needs."""
    if needs_test and data.is_folder:
        data.check_split("test", data.entry.sizes)
    return data


def checked(entry: Entry, revision: str) -> Entry:
    """A folder's entry; a UserError where its name is a known set's, or where its content is no longer the one that its name says."""
    if parse(entry.name).name in names():
        raise UserError(f"'{parse(entry.name).name}' is the name of a known data set: give the folder another one")
    if revision and revision != entry.revision:
        raise UserError(
            f"the run was planned with {shown(entry.name)} of revision {revision}, and it is {entry.revision} now; plan it again"
        )
    return entry


class DataSets:
    """The data sets under one root, each looked up once: whoever is handed this sees the same files as everybody else."""

    def __init__(self, root: Root = None):
        self.root, self._found = root, {}

    def require(self, name: str, needs_test: bool = False) -> DataSet:
        """As `bench.data.catalogue.require`, of what was found when the name was first asked for."""
        if (key := canonical(name)) not in self._found:
            self._found[key] = require(name, self.root)
        if is_folder(name):
            checked(self._found[key].entry, parse(name).revision)
        return with_test(self._found[key], needs_test)


def get(name: str, root: Root = None) -> str:
    """Download a data set through torchvision unless it is there and whole; returns a sentence that says what is now so."""
    root = data_root(root)
    known = entry(name) if name in names() else require(name, root).entry
    if is_folder(name) or not known.files:
        return f"{name} needs no download"
    if known.by_hand:
        return f"{require(name, root).name} is under '{root}'"
    try:
        for part in ("train", "test"):
            known.read(root, part, download=True)
    except DAMAGE as error:
        raise UserError(f"{name} could not be downloaded to '{root}': {' '.join(str(error).split())}") from error
    return f"{name} is under '{root}'"
