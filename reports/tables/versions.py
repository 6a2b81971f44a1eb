"""Which records are of the newest code: an older version's are kept in the store, and stand in no table.

    newest(frame, methods={"simclr": 2}, encoders={"resnet8": 1})

A method's version is '2', '1+npid1+rotation1' for one that is made of others, and ends in the hash of its text where git does not know it.
"""

import re
from collections.abc import Mapping

import pandas

HASH = re.compile(r"\+[0-9a-f]{8}$")
"""Of a file's text, at the end of a version. Hashes have no order: among them the newest is the one whose records finished last."""


def newest(frame: pandas.DataFrame, methods: Mapping[str, int], encoders: Mapping[str, int]) -> pandas.DataFrame:
    """The rows of `frame`, runs of one table whatever their encoder's version, that are of the newest versions: of the encoder, of each
    method and of the methods that it is made of. methods, encoders: the versions that the code has now, by name; of others, and where a
    record is newer than the code, the records decide."""
    encoder = max([int(frame.encoder_version.max()), *(encoders.get(name, 1) for name in frame.encoder.unique())])
    frame = frame[frame.encoder_version == encoder]
    found = frame.groupby(["method_source", "method_version"], sort=True).finished.max()
    known: dict[tuple[str, str], int] = {}
    for source, version in found.index:
        for name, number in numbers(source, version).items():
            known[source, name] = max(number, known.get((source, name), 0), methods.get(name, 0))
    current: dict[tuple[str, str], tuple[str, str]] = {}
    for (source, version), finished in found.items():
        if all(number == known[source, name] for name, number in numbers(source, version).items()):
            same = source, HASH.sub("", version)
            current[same] = max((finished or "", version), current.get(same, ("", "")))
    shown = {(source, version) for (source, _), (_, version) in current.items()}
    pairs = zip(frame.method_source, frame.method_version, strict=True)
    return frame[pandas.Series([pair in shown for pair in pairs], index=frame.index, dtype=bool)]


def numbers(source: str, version: str) -> dict[str, int]:
    """The versions in a method's, by the name of what has them: {'multi_task': 1, 'npid': 1, 'rotation': 1}."""
    own, *others = HASH.sub("", version).split("+")
    parts = [re.fullmatch(r"(.*?)(\d+)", part) for part in (source + own, *others)] if own.isdigit() else []
    found = {part[1]: int(part[2]) for part in parts[1:] if part}
    return {source: int(own), **found} if own.isdigit() else {}


def left_out(every: pandas.DataFrame, shown: pandas.DataFrame) -> str:
    """The line that counts the records of other versions, '' where there is none."""
    hidden = every[~every.id.isin(shown.id)].drop_duplicates("id")
    if hidden.empty:
        return ""
    names = ", ".join(sorted(hidden.method.unique()))
    return f"Kept and not shown: {len(hidden)} run{'s' * (len(hidden) != 1)} of other versions ({names})."
