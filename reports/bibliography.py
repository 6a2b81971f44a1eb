"""Papers as BibTeX: what a method, a data set or an evaluator names as its paper, with title, authors, year and venue where they are known.

    paper("arXiv:2002.05709")            the Paper of that reference, chen2020simple; of one that is not known, its number and address alone
    bibtex(paper("arXiv:2002.05709"))    '@misc{chen2020simple,...'
    address_of("arXiv:2002.05709")       'https://arxiv.org/abs/2002.05709'

The known ones lie in reports/reference/papers.toml. A reference is 'arXiv:…', 'doi:…' or an address.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.defaults import ROOT

KNOWN: Path = ROOT / "reports/reference/papers.toml"
"""The papers whose title and authors were read somewhere, by the keys of their entries."""

REFERENCE = re.compile(r"(?:(arXiv|doi):|https?://)([^\s{}\\]+)")
"""A preprint, a DOI or an address, none with what ends a field of BibTeX."""

ADDRESSES = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
"""Kind of a reference -> what stands before its number in an address."""

ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328", "`'^~=u.\"rHvck", strict=True))
"""Unicode's combining mark -> LaTeX's command of it."""

LETTERS = {
    # A brace behind a backslash still counts for BibTeX, which looks for the one that closes.
    **{"{": r"\textbraceleft{}", "}": r"\textbraceright{}", "\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}", "–": "--"},
    **{"ß": r"{\ss}", "ø": r"{\o}", "Ø": r"{\O}", "ł": r"{\l}", "Ł": r"{\L}", "æ": r"{\ae}"},
}
"""What no accent makes, as LaTeX has it."""


@dataclass(frozen=True)
class Paper:
    """One entry. What is empty is not known."""

    key: str
    """Of its BibTeX entry. It does not change."""
    paper: str
    """The reference."""
    title: str = ""
    authors: tuple[str, ...] = ()
    """All of them, 'Family, Given'."""
    year: int | None = None
    """The venue's; of a paper without one, the preprint's."""
    journal: str = ""
    booktitle: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    checked: str = ""
    """Where title, authors and venue were read."""


def paper(reference: str) -> Paper:
    """What is known of a paper; of one that is not known, a key that follows from the reference."""
    return known().get(reference) or Paper(re.sub(r"[^A-Za-z0-9.]+", "-", reference).strip("-"), reference)


@cache
def known() -> Mapping[str, Paper]:
    """Reference -> its paper."""
    tables = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    papers = [Paper(key, **{**table, "authors": tuple(table.get("authors", ()))}) for key, table in tables.items()]
    return {one.paper: one for one in papers}


def address_of(reference: str) -> str:
    """Where a paper is; '' where the reference is none."""
    found = REFERENCE.fullmatch(reference)
    return f"{ADDRESSES[found[1]]}{found[2]}" if found and found[1] else reference if found else ""


def fields_of(one: Paper) -> dict[str, str]:
    """Its BibTeX fields in their order, values as a file has them between braces."""
    found = REFERENCE.fullmatch(one.paper)
    kind, number = found.groups() if found else ("", "")
    words = {
        # A second pair of braces keeps capitals, which most styles would make small.
        "title": f"{{{latex(one.title)}}}" if one.title else "",
        "author": " and ".join(map(latex, one.authors)),
        "year": str(one.year or ""),
        "journal": latex(one.journal),
        "booktitle": latex(one.booktitle),
        "volume": one.volume,
        "number": one.number,
        "pages": one.pages,
        "eprint": number if kind == "arXiv" else "",
        "archiveprefix": "arXiv" if kind == "arXiv" else "",
        "doi": number if kind == "doi" else "",
        "url": address_of(one.paper),
        "note": "" if found else latex(one.paper),
    }
    return {name: value for name, value in words.items() if value}


def bibtex(one: Paper) -> str:
    """The entry, in ASCII letters, without a line's end behind it."""
    return entry("article" if one.journal else "inproceedings" if one.booktitle else "misc", one.key, fields_of(one))


def entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    """'@misc{key,' and a line for each field."""
    width = max(map(len, fields), default=0)
    return "\n".join([f"@{kind}{{{key},", *(f"  {name:<{width}} = {{{value}}}," for name, value in fields.items()), "}"])


def latex(text: str) -> str:
    r"""'Krähenbühl' -> 'Kr{\"a}henb{\"u}hl', 'R & D' -> r'R \& D': what LaTeX sets as this text."""
    made = ""
    for letter in unicodedata.normalize("NFC", text):
        base, *marks = unicodedata.normalize("NFD", letter)
        if len(marks) == 1 and marks[0] in ACCENTS:
            command = ACCENTS[marks[0]]
            made += rf"{{\{command}{{{base}}}}}" if command.isalpha() else rf"{{\{command}{base}}}"
        else:
            made += LETTERS.get(letter) or (f"\\{letter}" if letter in "&%$#_" else letter)
    return made
