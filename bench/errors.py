"""What a person who typed something wrong gets to read: one sentence, with the nearest valid name.

The command line prints a `UserError` without a traceback and exits with code 2; nothing has been written by then.
"""

import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in what the user asked for; the message names the value and says what was expected."""


def did_you_mean(name: str, valid: Iterable[str], before: str = " ") -> str:
    """The question after a sentence, "Did you mean 'simclr'?", where a name is like one of `valid`, else ''. before: what parts it from
    the sentence."""
    near = get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    return f"{before}Did you mean '{near[0]}'?" if near else ""


def unknown(kind: str, name: str, valid: Iterable[str], hint: str = "") -> UserError:
    """The error for a name that is not one of `valid`: "unknown method 'simclrr'. Did you mean 'simclr'?"."""
    valid = sorted(valid)
    expected = hint or f"Known: {', '.join(valid) or 'none'}"
    return UserError(f"unknown {kind} '{name}'.{did_you_mean(name, valid)}  {expected}")


def where(error: BaseException) -> str:
    """'mine.py:12': the line of somebody's own code that an error comes from, or that a syntax error is in; '' where it comes from none.

    It is the last one of the traceback that is neither of a library nor of the harness (bench/, reports/)."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_file_name(error.filename)}:{error.lineno}"
    own = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        library = code.startswith(("<", *_LIBRARIES)) or "site-packages" in code
        if not library and module.split(".")[0] not in ("bench", "reports", "__main__"):
            own = f"{_file_name(code)}:{line}"
    return own


def said(error: BaseException) -> str:
    """An error of somebody's own code in one line: "ValueError: images are too small (mine.py:12)"."""
    place, text = where(error), " ".join((error.msg if isinstance(error, SyntaxError) else _first_of(error) or str(error)).split())
    return f"{type(error).__name__}{': ' * bool(text)}{text}" + f" ({place})" * bool(place)


def _first_of(error: BaseException) -> str:
    """The first entry of pydantic's report, which has several lines: "Recipe: lr = 'high': Input should be a valid number"; else ''."""
    errors, title = getattr(error, "errors", None), getattr(error, "title", None)
    if not callable(errors) or title is None:
        return ""
    first: dict = next(iter(errors()))  # pyright: ignore[reportCallIssue, reportArgumentType]
    return f"{title}: {'.'.join(map(str, first['loc']))} = {first.get('input')!r}: {first['msg']}"


_LIBRARIES = tuple({path for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))})
"""Where Python's own modules lie."""


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
