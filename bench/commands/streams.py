"""Standard output and error as commands write to them: text that moves no cursor, and a reader that may leave.

What a record, a log or a file's name says is somebody else's text. Its control characters are shown as what they are, `\\x1b`, and never
reach a terminal: an escape sequence can hide lines, rename a window or type for the user.
"""

import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Callable, Iterator

import click

BOLD = re.compile(r"(\x1b\[[01]m)")
"""What click.style writes around a heading: bold, and its end. No other sequence passes."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All but tab and line end; the last are those that turn the direction of writing round."""


def printable(text: str) -> str:
    """The text with its control characters as `\\x1b`."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def note(text: str) -> None:
    """Something that does not stop the command."""
    click.echo(f"note: {text}", err=True)


class Plain(io.TextIOWrapper):
    """A standard stream whose text is printable; names that are no UTF-8 are shown with their bytes."""

    under: io.TextIOBase
    """The stream in whose place it stands, for rich, which draws bars with sequences of its own (console.py)."""

    def write(self, text: str) -> int:
        super().write("".join(part if number % 2 else printable(part) for number, part in enumerate(BOLD.split(text))))
        return len(text)


def over(stream):
    """The stream as Plain; itself where it has no bytes below, as a test's."""
    if not hasattr(stream, "buffer"):
        return stream
    stream.flush()
    encoding = stream.encoding if (stream.encoding or "ascii").lower() not in ("ascii", "us-ascii") else "utf-8"
    plain = Plain(stream.buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)
    plain.under = stream
    return plain


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Within the block standard output and error are Plain, and open: a number that is free would be given to the next file."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    former = sys.stdout, sys.stderr
    ours = sys.stdout, sys.stderr = [over(stream or open(number, "w", closefd=False)) for number, stream in enumerate(former, 1)]  # noqa: SIM115
    try:
        yield
    finally:
        # click ends a command whose reader has left, with exit code 1, and puts streams of its own in the place of these.
        for stream in ours:
            if isinstance(stream, Plain):
                try:
                    stream.flush()
                except BrokenPipeError:
                    hang_up(stream)
                stream.detach()
        sys.stdout, sys.stderr = former


def hang_up(*streams) -> None:
    """What is still written to those of the streams that nobody reads any more, as after `| head`, goes nowhere."""
    for stream in streams:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            poll = select.poll()
            poll.register(stream.fileno(), 0)
            if any(events & select.POLLERR for _, events in poll.poll(0)):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def unless_unheard(show: Callable[[], None]) -> Callable[[], None]:
    """`show`, which goes on writing to nowhere once nobody reads: runs are not stopped for that."""

    def shown() -> None:
        try:
            show()
        except BrokenPipeError:
            hang_up(sys.stdout, sys.stderr)

    return shown
