"""News by subject, the test of AG News alone with a split of ours, 4 kinds, text."""

import csv
import io
from pathlib import Path

from bench.data.readers.texts import KnownTexts, Read, as_read, decoded, test_taken_out

CONTENT = {"ag_news_test.csv": "521465c2428ed7f0", "vocabulary": "19b6de4f2dd617fa"}
CLASSES = ("World", "Sports", "Business", "Sci/Tech")


def read(root: Path, part: str) -> Read:
    """`Entry.read`. A row is the class from 1 up, a title and a description, one text here; a backslash stands where a line ended."""
    content = decoded(root / "text/ag_news_test.csv", expected=CONTENT["ag_news_test.csv"], name="ag_news_test")
    rows = list(csv.reader(io.StringIO(content)))
    texts = [f"{title} {description}".replace("\\", " ") for _, title, description in rows]
    return test_taken_out(as_read(texts, [int(label) - 1 for label, _, _ in rows], CLASSES), part)


SET = KnownTexts(
    window=96,
    words=11_116,
    counts=(5_472, 608, 1_520),
    content=CONTENT,
    read=read,
    source="http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html, test.csv of github.com/mhjabreel/CharCnn_Keras",
    papers=("arXiv:1509.01626",),
    classes=4,
    files=("text/ag_news_test.csv",),
    licence="non-commercial",
)
