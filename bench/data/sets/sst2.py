"""Sentences of film reviews, for or against, of SST-2, text."""

from pathlib import Path

from bench.data.readers.texts import KnownTexts, Read, as_read, lines

CONTENT = {
    "sst2_train.tsv": "ec192f833a64da08",
    "sst2_dev.tsv": "eddea6b39e601dd4",
    "sst2_test.tsv": "831169c7e2e429d6",
    "vocabulary": "15eea1a14ede4f32",
}
FILES = {"train": "sst2_train.tsv", "val": "sst2_dev.tsv", "test": "sst2_test.tsv"}
"""The official split of sentences; dev is val."""


def read(root: Path, part: str) -> Read:
    """`Entry.read`"""
    file = FILES[part]
    rows = [line.split("\t") for line in lines(root / "text" / file, expected=CONTENT[file], name="sst2")]
    return as_read([sentence for sentence, _ in rows], [int(label) for _, label in rows], ("negative", "positive"))


SET = KnownTexts(
    window=64,
    words=7_201,
    counts=(6_920, 872, 1_821),
    content=CONTENT,
    read=read,
    source="https://nlp.stanford.edu/sentiment/, sentences as github.com/clairett/pytorch-sentiment-classification has them",
    papers=("https://aclanthology.org/D13-1170",),
    classes=2,
    files=tuple(f"text/{file}" for file in FILES.values()),
    own_val=True,
)
