"""A data set of texts that we have looked at: read from its authors' files, and refused where they are not the original's.

    SET = KnownTexts(...)    in bench/data/sets/sst2.py, with the digests of its files and of its vocabulary

What cannot be text is said with its place: a byte that is not of the encoding, a file that is empty or has one line.
N texts.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.entry import Entry, split_sizes
from bench.data.readers.known import compare
from bench.data.splits import TEST_FRACTION, held_out
from bench.data.text import Text
from bench.errors import UserError

PACKED_BY_HAND = "it is packed for offline use; unpack it there (docs/data.md)"
EVERY_FILE = "every file's bytes, by a hash; the vocabulary, by another"

Read = tuple[np.ndarray, np.ndarray, tuple[str, ...]]
"""Texts, str as objects [N]; their labels int64 [N]; the classes' names."""


@dataclass(frozen=True)
class KnownTexts:
    """One data set."""

    window: int
    """Tokens of an item, [CLS] and [SEP] among them, where `--image-size` says nothing."""
    words: int
    """Of the vocabulary, special tokens included."""
    counts: tuple[int, int, int]
    """Texts of train, val and test."""
    content: dict[str, str]
    """File or part -> `digest` of it; "vocabulary" -> bench.data.text.digest_of its words. All of them make the revision."""
    read: Callable[[Path, str], Read]
    """`Entry.read`"""
    source: str
    classes: int
    files: tuple[str, ...]
    at_least: int = 2
    """Times that train must have a word to be kept in the vocabulary."""
    own_val: bool = False
    licence: str = "none stated"
    papers: tuple[str, ...] = ()

    def entry(self, name: str, summary: str) -> Entry:
        """What the rest of the harness sees of it."""
        return Entry(
            name,
            summary,
            1,
            self.window,
            False,
            split_sizes(*self.counts),
            hashlib.sha256("".join(self.content.values()).encode()).hexdigest()[:12],
            self.read,
            self.files,
            own_val=self.own_val,
            encoder="embedding_bag",
            classes=self.classes,
            licence=self.licence,
            source=self.source,
            papers=self.papers,
            compared=EVERY_FILE,
            by_hand=PACKED_BY_HAND,
            modality=Text(self.words, self.at_least, self.content["vocabulary"]),
        )


def digest(content: bytes) -> str:
    """16 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def decoded(path: Path, encoding: str = "utf-8", expected: str = "", name: str = "") -> str:
    """A file's text; a UserError that names the byte where it is not of this encoding, that says where it has not two lines, or that has
    the digest of set `name` where that is given and another one was expected."""
    content = path.read_bytes()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}': byte 0x{content[error.start]:02x} at offset {error.start:,} is not {encoding.upper()}") from error
    if len(found := split(text)) < 2:
        there = "one line" if found[0] else "empty"
        raise UserError(f"'{path}' is {there}; expected a text in each of two lines or more")
    if expected:
        compare(name, expected, f"'{path}' is", digest(content), "text")
    return text


def lines(path: Path, encoding: str = "utf-8", expected: str = "", name: str = "") -> list[str]:
    """The lines of a file, as `decoded`."""
    return split(decoded(path, encoding, expected, name))


def split(text: str) -> list[str]:
    """Its lines, ended by a line feed and by nothing else."""
    return text.removesuffix("\n").split("\n")


def as_read(texts: list[str], labels: list[int], classes: tuple[str, ...]) -> Read:
    """`Entry.read`'s arrays."""
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found, np.array(labels, dtype=np.int64), classes


def test_taken_out(everything: Read, part: str) -> Read:
    """Of texts that come without a test part the protocol's test, or all others."""
    texts, labels, classes = everything
    test = held_out(labels, TEST_FRACTION)
    rows = test if part == "test" else np.setdiff1d(np.arange(len(labels)), test)
    return texts[rows], labels[rows], classes


def in_one_piece(name: str, files: dict[Path, str], classes: tuple[str, ...], part: str, encoding: str) -> Read:
    """`test_taken_out` of a file of sentences, one a line, for each class. files: with their digests."""
    found = [lines(path, encoding, expected, name) for path, expected in files.items()]
    labels = [label for label, sentences in enumerate(found) for _ in sentences]
    return test_taken_out(as_read([sentence for sentences in found for sentence in sentences], labels, classes), part)
