"""Sentences of film reviews and of plots, subjective or objective, with a test of ours, text."""

from pathlib import Path

from bench.data.readers.texts import KnownTexts, Read, in_one_piece

CONTENT = {"subj.objective": "5ddc9b44dc60d64d", "subj.subjective": "73a2dcf8dc3cbcc7", "vocabulary": "8e93e5b7f6ecf257"}
CLASSES = ("objective", "subjective")
FOLDER = "text/senteval_raw/data/raw"


def read(root: Path, part: str) -> Read:
    """`Entry.read`. The field measures by cross-validation; here the protocol takes a test."""
    files = {root / FOLDER / file: digest for file, digest in CONTENT.items() if file != "vocabulary"}
    return in_one_piece("subj", files, CLASSES, part, "cp1252")


SET = KnownTexts(
    window=64,
    words=9_373,
    counts=(7_200, 800, 2_000),
    content=CONTENT,
    read=read,
    source="https://www.cs.cornell.edu/people/pabo/movie-review-data/, subjectivity 1.0, as github.com/harvardnlp/sent-conv-torch has it",
    papers=("doi:10.3115/1218955.1218990",),
    classes=2,
    files=tuple(f"{FOLDER}/{file}" for file in CONTENT if file != "vocabulary"),
)
