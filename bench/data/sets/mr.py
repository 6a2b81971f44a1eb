"""Sentences of film reviews, for or against, with a test of ours, text."""

from pathlib import Path

from bench.data.readers.texts import KnownTexts, Read, in_one_piece

CONTENT = {"rt-polarity.neg": "4ace77d558c37147", "rt-polarity.pos": "2da124ec187a9d5a", "vocabulary": "cccc2a0dcb97eab7"}
CLASSES = ("negative", "positive")
FOLDER = "text/senteval_raw/data/raw"


def read(root: Path, part: str) -> Read:
    """`Entry.read`. The field measures by cross-validation; here the protocol takes a test."""
    files = {root / FOLDER / file: digest for file, digest in CONTENT.items() if file != "vocabulary"}
    return in_one_piece("mr", files, CLASSES, part, "cp1252")


SET = KnownTexts(
    window=64,
    words=8_275,
    counts=(7_678, 852, 2_132),
    content=CONTENT,
    read=read,
    source="https://www.cs.cornell.edu/people/pabo/movie-review-data/, polarity 1.0, as github.com/harvardnlp/sent-conv-torch has it",
    papers=("doi:10.3115/1219840.1219855",),
    classes=2,
    files=tuple(f"{FOLDER}/{file}" for file in CONTENT if file != "vocabulary"),
)
