"""File names and links of pages: every name becomes one that is safe in a path and in an address, and no two become the same.

slug("simclr")    'simclr'
slug("my birds")  'my_birds-' and eight digits of the name's hash
"""

import functools
import hashlib
import posixpath
import re

PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
"""Names that stay as they are. Capitals do not: some file systems do not tell them apart."""


def slug(name: str) -> str:
    """A file's name without its ending."""
    if PLAIN.fullmatch(name):
        return name
    cleaned = re.sub(r"[^a-z0-9_.-]+", "_", name.lower()).lstrip(".")[:80]
    return f"{cleaned}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def relative(page: str, target: str) -> str:
    """The address of one file of the site as written in another; both below the site's folder."""
    return _from_folder(posixpath.dirname(page), target)


@functools.lru_cache(maxsize=2**16)
def _from_folder(folder: str, target: str) -> str:
    return posixpath.relpath(target, folder or ".")
