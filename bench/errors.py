"""What a person who typed something wrong gets to read: one sentence, with the nearest valid name.

The command line prints a `UserError` without a traceback and exits with code 2; nothing has been written by then.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in what the user asked for; the message names the value and says what was expected."""


def unknown(kind: str, name: str, valid: Iterable[str], hint: str = "") -> UserError:
    """The error for a name that is not one of `valid`: "unknown method 'simclrr'. Did you mean 'simclr'?"."""
    valid = sorted(valid)
    near = get_close_matches(str(name), valid, n=1, cutoff=0.5)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    expected = hint or f"Known: {', '.join(valid) or 'none'}"
    return UserError(f"unknown {kind} '{name}'.{meant}  {expected}")
