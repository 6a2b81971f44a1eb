"""Posts to 20 newsgroups, sorted by date, without headers, signatures and quotes, text."""

import hashlib
import re
from pathlib import Path

from bench.data.readers.known import compare
from bench.data.readers.texts import KnownTexts, Read, as_read

CONTENT = {"20news-bydate-train": "edb92a3181a9ed62", "20news-bydate-test": "e09ea16bfa8db929", "vocabulary": "aa97c68620bbb14b"}
LONGEST = 4_096
"""Characters of a post that are kept: what is behind is the files and lists of one in fifty posts, and no window reaches that far."""
QUOTES = re.compile(r"(writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>)")
"""A line that is quoted, or says who is."""


def without_header(post: str) -> str:
    """What is behind the first empty line."""
    return post.partition("\n\n")[2]


def without_signature(post: str) -> str:
    """What is before the last line that is empty or of hyphens alone, whatever is behind it; all of it where the first line is the one."""
    rows = post.strip().split("\n")
    last = next((number for number in reversed(range(len(rows))) if not rows[number].strip().strip("-")), 0)
    return "\n".join(rows[:last]) if last else post


def without_quotes(post: str) -> str:
    """What is left without the lines of QUOTES."""
    return "\n".join(row for row in post.split("\n") if not QUOTES.search(row))


def stripped(post: str) -> str:
    """As scikit-learn's fetch_20newsgroups(remove=("headers", "footers", "quotes")), in its order: a header names the group, or who writes
    there, and a classifier would learn that."""
    return without_quotes(without_signature(without_header(post)))


def read(root: Path, part: str) -> Read:
    """`Entry.read`. Posts are latin-1. In our copy of train a tab stands for the end of a line, and for a tab."""
    folder = root / "text" / f"20news-bydate-{part}"
    found, texts, labels = hashlib.sha256(), [], []
    classes = tuple(sorted(path.name for path in folder.iterdir()))
    for label, group in enumerate(classes):
        for path in sorted((folder / group).iterdir(), key=lambda path: int(path.name)):
            content = path.read_bytes()
            found.update(f"{group}/{path.name} {len(content)}\n".encode() + content)
            post = content.decode("latin-1")
            texts.append(stripped(post.replace("\t", "\n") if part == "train" else post)[:LONGEST])
            labels.append(label)
    compare("newsgroups20", CONTENT[folder.name], f"'{folder}' is", found.hexdigest()[:16], "posts")
    return as_read(texts, labels, classes)


SET = KnownTexts(
    window=128,
    words=16_243,
    at_least=5,
    counts=(10_184, 1_130, 7_532),
    content=CONTENT,
    read=read,
    source="http://qwone.com/~jason/20Newsgroups/, by date, as github.com/spoddutur/spark-ml-dashboard has it",
    papers=("doi:10.1016/B978-1-55860-377-6.50048-7",),
    classes=20,
    files=("text/20news-bydate-train", "text/20news-bydate-test"),
)
