"""Files that are whole or not there: `put` gives a finished one a name that nobody has, `write` and `replace` take the place of what has
it; and what makes a name survive a power failure.
"""

import errno
import os
import uuid
from pathlib import Path

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""How a file system says that it has no hard links (exFAT, some network mounts)."""


def put(temporary: Path, path: Path) -> None:
    """Give a finished file its final name; FileExistsError if that is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A network file system asks again where an answer was lost, and the second time the name is there: the file's own second name.
        if os.stat(temporary).st_nlink < 2:
            raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # Without hard links the name is claimed by exclusive creation and the finished file renamed onto the claim. Whoever
        # looks in between sees an empty file, which reads as broken: at worst the same run gets a second part, of which
        # the store's frame() counts one.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(temporary, path)
        except OSError:
            path.unlink()
            raise


def write(path: Path, content: str | bytes | memoryview) -> None:
    """The file with this content, in place of an earlier one; its folder must exist."""
    beside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def replace(path: Path, content: bytes) -> Path:
    """As `write`, its folders made where they are missing; returns the path. Raises OSError, and then leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, content)
    return path


def sync_folder(folder: Path) -> None:
    """Make a new name in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
