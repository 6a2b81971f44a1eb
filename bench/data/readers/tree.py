"""The files of a folder of images: which are its images, by split and class, and what is passed over.

    walk(Path("birds"))    a `Tree`; no file is opened

A name is bytes to the system, and need not be UTF-8: it is kept as Python has it, and shown by `printable`.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from bench.errors import UserError

SPLITS = ("train", "val", "test")
IMAGE_ENDINGS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes for an image, and two more endings of JPEG."""

Classes = dict[str, list[str]]
"""Class -> paths of its images, both in the order of torchvision's ImageFolder."""


@dataclass(frozen=True)
class Tree:
    """What a walk over PATH/SPLIT/CLASS/IMAGE found."""

    splits: dict[str, Classes]
    passed_over: Counter = field(default_factory=Counter)
    """How many files were not taken, by their endings ('.gif'), or by what else is the reason."""
    strange_folders: tuple[str, ...] = ()
    """Folders beside train, val and test."""

    def notes(self) -> Iterator[str]:
        """What is passed over, in words."""
        if self.passed_over:
            counts = ", ".join(f"{count:,} {printable(what)}" for what, count in self.passed_over.most_common())
            yield f"passed over: {counts} (images end in {', '.join(IMAGE_ENDINGS)})"
        for name in self.strange_folders:
            near = get_close_matches(name.lower(), SPLITS, n=1, cutoff=0.4)
            yield f"the folder '{printable(name)}' is passed over" + (f": did you mean '{near[0]}'?" if near else f": expected {SPLITS}")


def printable(text: str) -> str:
    """A file's name as text that any terminal and any file takes: what is not UTF-8, or no character to be seen, is escaped."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shown)


def is_image(file: str) -> bool:
    """Whether a file's name is one of an image."""
    return file.lower().endswith(IMAGE_ENDINGS)


def walk(path: Path) -> Tree:
    """The images under PATH/train, val and test. A UserError for a class without images, or that one split alone has."""
    passed_over = Counter()
    splits = {split: _classes(path / split, passed_over) for split in SPLITS if (path / split).is_dir()}
    for split, classes in splits.items():
        for label in sorted(classes.keys() ^ splits["train"].keys())[:1]:
            where = f"'{path / 'train'}' and '{path / split}'"
            raise UserError(printable(f"class '{label}' is in only one of {where}; both need the same classes"))
    strange = [entry.name for entry in os.scandir(path) if entry.is_dir() and entry.name not in SPLITS and entry.name[0] != "."]
    return Tree(splits, passed_over, tuple(sorted(strange)))


def _classes(directory: Path, passed_over: Counter) -> Classes:
    """The images of one split; hidden folders are no classes."""
    classes = {}
    entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    passed_over["in no class"] += sum(is_image(entry.name) and not entry.is_dir() for entry in entries)
    for label in (entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."):
        if _holds(directory / label, directory):
            raise UserError(printable(f"'{directory / label}' links to a folder that holds it: no class has all the others' images"))
        classes[label] = list(_images(directory / label, passed_over))
        if not classes[label]:
            raise UserError(printable(f"'{directory / label}' holds no image ({', '.join(IMAGE_ENDINGS)})"))
    if not classes:
        raise UserError(printable(f"'{directory}' holds no class folders; expected {directory}/CLASS/IMAGE"))
    for reason in [reason for reason, count in passed_over.items() if not count]:
        del passed_over[reason]
    return classes


def _images(directory: Path, passed_over: Counter) -> Iterator[str]:
    """The images of one class: links are followed, into every folder once."""
    seen, found = {os.path.realpath(directory)}, []
    for parent, folders, files in os.walk(directory, followlinks=True):
        # Folders before links to them, so that an image has the shorter of its paths.
        below = sorted(folders, key=lambda name: (os.path.islink(os.path.join(parent, name)), name))
        folders.clear()
        for name in below:
            real = os.path.realpath(os.path.join(parent, name))
            if name[0] == ".":
                continue
            if real in seen or _holds(Path(real), directory):
                passed_over["links to a folder that is read already"] += 1
                continue
            seen.add(real)
            folders.append(name)
        found.append((parent, files))
    for parent, files in sorted(found):
        for file in sorted(files):
            if is_image(file) and file[0] != ".":
                yield os.path.join(parent, file)
            elif file[0] != ".":
                passed_over[os.path.splitext(file)[1].lower() or "without an ending"] += 1
            elif is_image(file):
                passed_over["hidden images"] += 1


def _holds(one: Path, other: Path) -> bool:
    """Whether a folder is another one or lies above it, where both really are."""
    return Path(os.path.realpath(other)).is_relative_to(os.path.realpath(one))
