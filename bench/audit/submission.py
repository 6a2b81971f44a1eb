"""A submission: somebody's records and method files in one folder that is a folder of records too, with a list of its files.

    pack(Path("results"), Path("results/mine"))     copies them and writes submission.json; a UserError where one would be refused

    results/mine/submission.json                    layout, who, with which program, and the SHA-256 of every other file
    results/mine/<dataset>/<method>-<seed>-<id>.json
    results/mine/methods/path/to/mine.py            where the records say that their method is

Records are copied byte by byte. Nothing here runs a method's file.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

import methods
from bench import __version__
from bench.audit.again import METHODS, not_the_file
from bench.audit.consistent import disagreements
from bench.errors import UserError
from bench.folder_name import is_folder
from bench.machine.checkout import state_of_code
from bench.machine.files import write
from bench.records.record import STRICT, RunRecord
from bench.records.store import ResultStore
from bench.records.verification import digest
from bench.spec import PROTOCOL, RunSpec, one_line

LIST = "submission.json"

LAYOUT = 1
"""Of that file."""


@dataclass(kw_only=True, frozen=True, config=STRICT)
class Submission:
    """What submission.json says."""

    files: dict[str, str]
    """Path below the folder -> SHA-256, of every file but this one."""
    by: str = ""
    """Who hands it in, as they say."""
    program: str = __version__
    commit: str | None = None
    """Of the code that packed it."""
    layout: int = LAYOUT


SUBMISSION = TypeAdapter(Submission)


def read(folder: Path) -> Submission:
    """The folder's list; a UserError where it is none of ours, or a newer program's."""
    if not (folder / LIST).is_file():
        raise UserError(f"'{folder}' is no submission: it has no {LIST}; `submit` packs one")
    try:
        found = SUBMISSION.validate_json((folder / LIST).read_bytes())
    except ValidationError as error:
        raise one_line(error, str(folder / LIST)) from None
    if found.layout != LAYOUT:
        raise UserError(f"{folder / LIST} has layout {found.layout}, and this version reads layout {LAYOUT}")
    return found


def pack(results: Path, folder: Path, by: str = "", runs: Sequence[str] = (), say: Callable[[str], None] = lambda text: None) -> list[Path]:
    """Copy the records of `results`, or of those runs alone, and the files of their methods, to a new folder; returns the records there.
    UserError, before anything is written, where a record is not sound, or nobody else could make it again."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' (--output) is not empty; expected a new folder")
    store = ResultStore(results)
    records = {path: record for path, record in store.files_of().items() if not runs or record.id in runs}
    if store.problems:
        path, reason = store.problems[0]
        raise UserError(f"{path}: {reason}; nothing is packed while a record is not sound")
    if not records:
        raise UserError(f"there is no record in {results}")
    wanted = {}
    for path, record in records.items():
        if said := [*disagreements(record, path.read_text()), *unshared(record)]:
            raise UserError(f"{path}: {said[0]}")
        wanted[f"{path.parent.name}/{path.name}"] = path
        if methods.is_path(record.spec["method"]):
            wanted[f"{METHODS}/{record.spec['method']}"] = own_file(RunSpec.from_json(record.spec))
    for name, source in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
        say(name)
    listed = Submission(files={name: digest(folder / name) for name in sorted(wanted)}, by=by, commit=state_of_code().commit)
    write(folder / LIST, SUBMISSION.dump_json(listed, indent=1) + b"\n")
    return [folder / name for name, source in wanted.items() if source in records]


def own_file(spec: RunSpec) -> Path:
    """The file of a run's own method, from the working directory; a UserError where it is not there or not that file any more."""
    path = Path(spec.method)
    if not path.is_file():
        raise UserError(f"there is no file '{spec.method}' here, the method of {spec.name}: start this where `run` was started")
    if refusal := not_the_file(spec, path.read_bytes()):
        raise UserError(refusal)
    return path


def unshared(record: RunRecord) -> list[str]:
    """What of a run nobody else has: sentences."""
    spec = RunSpec.from_json(record.spec)
    said = []
    if spec.protocol != PROTOCOL:
        said.append(f"it is of protocol {spec.protocol}, and tables are of {PROTOCOL}")
    names = [spec.dataset, *(name.partition(":")[2] for name in record.evals)]
    if any(is_folder(name) for name in names):
        said.append("its images are a folder of somebody's own, which nobody else has")
    if methods.is_path(spec.method) and not inside(spec.method):
        said.append(
            f"its method is at '{spec.method}', a path that nobody else has, and the path is in its id: run it again by a relative path "
            "without '..'"
        )
    return said


def inside(path: str) -> bool:
    """Whether a relative path stays below the folder that it starts from, and is written plainly."""
    parts = PurePosixPath(path).parts
    return not os.path.isabs(path) and "\\" not in path and ".." not in parts and str(PurePosixPath(path)) == path.removeprefix("./")
