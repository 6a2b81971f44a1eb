"""What BibTeX reads in a text, strictly: entries, whose values stand between braces, and nothing else."""

import re

START = re.compile(r"\s*@(\w+)\{([A-Za-z0-9._-]+),\s*")
FIELD = re.compile(r"(\w+)\s*=\s*\{")


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Key -> its fields, and its kind as 'kind'; a ValueError where it is no BibTeX, and where a key or a field is there twice."""
    found: dict[str, dict[str, str]] = {}
    place = 0
    while text[place:].strip():
        begun = START.match(text, place)
        if not begun or begun[2] in found:
            raise ValueError(f"no entry, or one with a key that another has: {text[place : place + 60]!r}")
        fields, place = {"kind": begun[1]}, begun.end()
        while text[place] != "}":
            named = FIELD.match(text, place)
            if not named or named[1] in fields:
                raise ValueError(f"no field of {begun[2]}, or one that it has: {text[place : place + 60]!r}")
            place = named.end()
            fields[named[1]], place = between_braces(text, place)
            place = re.compile(r",?\s*").match(text, place).end()
        found[begun[2]], place = fields, place + 1
    return found


def between_braces(text: str, start: int) -> tuple[str, int]:
    """The text up to the brace that closes, and the place behind it. A brace counts behind a backslash too, as it does for BibTeX."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start:place], place + 1
    raise ValueError(f"not closed: {text[start : start + 60]!r}")
