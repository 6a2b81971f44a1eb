"""Questions by the kind of their answer, 6 kinds, of TREC, text."""

from pathlib import Path

from bench.data.readers.texts import KnownTexts, Read, as_read, lines

CONTENT = {"TREC.train": "9e4c8bdcaffb96ed", "TREC.test": "033f22c028c2bbba", "vocabulary": "cea05eed707ceec8"}
KINDS = {"ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "HUM": "human", "LOC": "location", "NUM": "number"}
FOLDER = "text/senteval_raw/data/raw"


def read(root: Path, part: str) -> Read:
    """`Entry.read`. A line is KIND:FINER_KIND, a space, and a question."""
    file = f"TREC.{part}"
    rows = [line.split(" ", 1) for line in lines(root / FOLDER / file, "latin-1", CONTENT[file], "trec")]
    return as_read([question for _, question in rows], [list(KINDS).index(kind.split(":")[0]) for kind, _ in rows], tuple(KINDS.values()))


SET = KnownTexts(
    window=48,
    words=3_250,
    counts=(4_906, 546, 500),
    content=CONTENT,
    read=read,
    source="https://cogcomp.seas.upenn.edu/Data/QA/QC/, as github.com/harvardnlp/sent-conv-torch has it",
    papers=("https://aclanthology.org/C02-1150",),
    classes=6,
    files=tuple(f"{FOLDER}/{file}" for file in CONTENT if file != "vocabulary"),
)
