"""What numbers were made of: the runs, the commits of the code that made them, and the version of the protocol; a function of the records.

    of(frame).text()     '90 runs, SHA-256 of their ids 5d41…; commits 7c2b…, 9a01…; protocol 1'

It stands in the metadata of every picture and in every JSON, so that either can be held against the records long after it left its folder.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import pandas

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Provenance:
    """Of a table, a picture, or several tables."""

    runs: tuple[str, ...]
    """Ids, sorted, each once."""
    commits: tuple[str, ...]
    """Of the checkouts that trained them, sorted; a record that does not say its own is `unknown`."""
    protocols: tuple[int, ...]
    """Versions of the evaluation protocol, sorted."""

    @property
    def digest(self) -> str:
        """SHA-256 of the ids, each with a line feed behind it: `printf '%s\\n' ID ... | sort | sha256sum` makes it again."""
        return hashlib.sha256("".join(f"{run}\n" for run in self.runs).encode()).hexdigest()

    def text(self) -> str:
        """In one line."""
        one = f"{len(self.runs)} run{'s' * (len(self.runs) != 1)}, SHA-256 of their ids {self.digest}"
        return f"{one}; commits {', '.join(self.commits) or 'none'}; protocol {', '.join(map(str, self.protocols)) or 'none'}"

    def facts(self) -> dict[str, object]:
        """As JSON has it."""
        return {"runs": list(self.runs), "sha256_of_runs": self.digest, "commits": list(self.commits), "protocols": list(self.protocols)}


def of(frame: pandas.DataFrame) -> Provenance:
    """Of all runs of a frame."""
    commits = {commit if isinstance(commit, str) and commit else UNKNOWN for commit in frame["commit"]}
    return Provenance(tuple(sorted(set(frame["id"]))), tuple(sorted(commits)), tuple(sorted({int(one) for one in frame["protocol"]})))


def together(several: Iterable[Provenance]) -> Provenance:
    """Of all of them."""
    found = list(several)
    runs, commits = ({one for each in found for one in part(each)} for part in (lambda each: each.runs, lambda each: each.commits))
    return Provenance(tuple(sorted(runs)), tuple(sorted(commits)), tuple(sorted({one for each in found for one in each.protocols})))
