"""Encoders that are not of networks/: a model of timm or of torchvision, or a class in a file of a user's own.

    timm:resnet26t      torchvision:resnet34      path/to/mine.py

A complete spec has such a name with eight digits behind it, `timm:resnet26t@1f0c3a52`: of a library's model the hash of its structure as it
is printed, with the names and shapes of its parameters, so that another version of the library is the same run where the network is the
same; of a file the hash of its text. A name whose digits are no longer true is refused. Which libraries there are: the files of libraries/.
"""

import hashlib
import os
import re
from pathlib import Path

from bench import registry
from bench.encoders.entry import EncoderEntry
from bench.errors import UserError, unknown

LIBRARIES = registry.Registry("library of encoders", "bench.encoders.libraries", "timm:NAME, torchvision:NAME")

PINNED = re.compile(r"(?P<name>.+)@(?P<digits>[0-9a-f]{8})")
"""A name as a complete spec has it."""


def is_foreign(name: str) -> bool:
    """Whether the name is a library's, or a file's."""
    return ":" in name or is_path(name)


def is_path(name: str) -> bool:
    """Whether it is a file of a user's own, with or without its digits."""
    return apart(name)[0].endswith(".py")


def apart(name: str) -> tuple[str, str]:
    """'mine.py@1f0c3a52' -> ('mine.py', '1f0c3a52'); ('mine.py', '') where it has no digits."""
    match = PINNED.fullmatch(name)
    return (match["name"], match["digits"]) if match else (name, "")


def normal(name: str) -> str:
    """./mine.py is mine.py: one file, one id."""
    return os.path.normpath(name) if is_path(name) else name


def digest(path: str) -> str:
    """Eight digits of the hash of a file's text. Imports nothing."""
    return hashlib.sha256(require_file(path).read_bytes()).hexdigest()[:8]


def require_file(path: str) -> Path:
    """The file that holds an encoder, or a UserError."""
    if not Path(path).is_file():
        raise UserError(f"there is no file '{path}'; expected a Python file that defines one Encoder")
    return Path(path)


def entry(name: str) -> EncoderEntry:
    """What a plan must know of it; a UserError with the nearest name where there is none. A library's is built without numbers, and so
    imports torch; of a file the text is read."""
    plain, digits = apart(name)
    found = own_entry(plain) if is_path(plain) else library_entry(plain)
    if digits and found.name != name:
        raise UserError(f"the run was planned with the encoder {name}, and it is {found.name} now; plan it again")
    return found


def own_entry(path: str) -> EncoderEntry:
    """Of a user's own file."""
    file = require_file(path)
    if not registry.declared(file, "offers", ()):
        raise UserError(f"'{path}' does not say what it offers; expected an Encoder with `offers`, as docs/add_an_encoder.md has it")
    offers, version = registry.declared(file, "offers"), registry.declared(file, "version", 1)
    facts = {"version": version, "takes": registry.declared(file, "takes", "images")}
    return EncoderEntry(f"{path}@{digest(path)}", "own", offers, registry.summary(file), None, {"file": path}, **facts)


def library_entry(name: str) -> EncoderEntry:
    """Of a model of a library."""
    library, _, model = name.partition(":")
    if library not in LIBRARIES.names():
        raise unknown("library of encoders", library, LIBRARIES.names(), "Expected timm:NAME, torchvision:NAME, or a file that ends in .py")
    facts = LIBRARIES.load(library).described(model)
    summary = f"{model} of {library}, without its head"
    return EncoderEntry(f"{name}@{facts.digits}", library, facts.offers, summary, None, {"model": model})
