"""Whether a data set here is the original: `check("dtd", root)` reads everything; yields lines, and ends in a UserError where something
is wrong.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.data import catalogue
from bench.data.annotations import KINDS
from bench.data.decoding import REMARKS
from bench.data.readers.tree import printable
from bench.errors import UserError
from bench.machine.cores import cores

NO_LABELS = {True: "no labels", False: "not one class each"}


def check(name: str, root: Path | None = None) -> Iterator[str]:
    """Lines that say what is there: images, classes and a digest of every split, and the revision.

    The digest is of arrays' pixels and labels, or of the files' bytes and labels: it does not depend on a JPEG decoder. Every
    file is decoded. Those that cannot be are named, counted, and end the check; so do damaged shards of a pack.
    """
    from bench.data import packed  # imports torch, which the table does without
    from bench.data.annotated import load_annotated, load_class_sets, require_whole

    data = catalogue.require(name, root)
    entry = data.entry
    total, unreadable, remarks, called = 0, [], Counter(), entry.modality.name
    for split in (split for split in entry.sizes if split != "train+val"):
        items, labels, classes = data.items(split)
        expected = entry.sizes[split]
        if expected is not None and len(labels) != expected:
            raise UserError(f"{name} has {len(labels):,} {called} in {split}, expected {expected:,}")
        digest = hashlib.sha256(labels.astype("<i8").tobytes())
        for content, problem, said in entry.modality.examined(items, entry):
            digest.update(content)
            remarks.update(said)
            if problem:
                unreadable.append(problem)
                yield f"BAD   {printable(problem)}"
        total += len(labels)
        labelled = f"{len(np.unique(labels))} of {len(classes)} classes" if labels.min(initial=0) >= 0 else NO_LABELS[entry.one_class]
        yield f"ok    {split:<10} {len(labels):>9,} {called}, {labelled:<20} {digest.hexdigest()[:16]}"
    for kind, split in [(kind, split) for kind, annotation in entry.annotations.items() for split in annotation.sizes]:
        require_whole(data, kind, split, cores())
        count = len(load_class_sets(data, split)[0] if kind == "classes" else load_annotated(data, kind, split))
        yield f"ok    {split:<10} {count:>9,} images with {KINDS[kind]}"
    if unreadable:
        raise UserError(f"{len(unreadable):,} of {total:,} {called} of {name} cannot be read")
    for remark in (remark for remark in REMARKS if remarks[remark]):
        yield f"note  {remarks[remark]:,} of {total:,} images {REMARKS[remark]}"
    for note in (*entry.notes(), *data.modality.notes()):
        yield f"note  {note}"
    damaged = 0
    for well, line in packed.check(data):
        damaged += not well
        yield f"{'ok   ' if well else 'BAD  '} {line}"
    if damaged:
        raise UserError(f"{damaged:,} shard{'s' * (damaged > 1)} of {name} damaged")
    yield f"ok    revision {data.revision}; compared with the original: {entry.compared}"
    yield f"ok    licence: {entry.licence}; from: {entry.source}"
