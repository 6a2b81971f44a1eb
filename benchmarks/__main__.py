"""Run the benchmarks, and write docs/performance.json and the tables of docs/performance.md.

python -m benchmarks                 all of them
python -m benchmarks training views  these; the others' rows and tables stay
python -m benchmarks --quick         that they run at all, in a minute; writes nothing
"""

import argparse
import datetime
import importlib
import json
import re
from pathlib import Path

import torch

from bench.errors import UserError, unknown
from bench.machine import hardware
from bench.machine.files import write

WHAT = ("training", "views", "streaming", "evaluation", "harness", "reports", "scaling")
ON_A_GPU = ("recording",)
"""Measured where there is a GPU, or where it is named."""
DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"one or several of {', '.join(WHAT + ON_A_GPU)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: that everything runs; writes nothing")
    given = parser.parse_args()
    try:
        for name in given.what:
            if name not in WHAT + ON_A_GPU:
                raise unknown("benchmark", name, WHAT + ON_A_GPU)
    except UserError as error:
        parser.error(str(error))
    gpu = hardware.device().type == "cuda"
    for name in given.what or (WHAT + ON_A_GPU if gpu else WHAT):
        module = importlib.import_module(f"benchmarks.{name}")
        found = module.rows(given.quick)
        text = module.markdown(found)
        print(f"\n{text}\n", flush=True)
        if not given.quick and (gpu or name in WHAT):
            keep(name, found, text)


def keep(name: str, found: list[dict], text: str) -> None:
    """Put a benchmark's rows and its table in place of the earlier ones; those of a GPU stand beside those of a CPU."""
    environment, here = hardware.environment(torch.get_num_threads()), hardware.hardware()
    name += " on a GPU" if here["gpu"] else ""
    machine = {"machine": here["model"], "cores": here["cores"], "torch": environment["versions"]["torch"], "commit": environment["commit"]}
    machine |= {"dirty": environment["dirty"], "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    path = DOCS / "performance.json"
    kept = [row for row in json.loads(path.read_text()) if row["benchmark"] != name] if path.exists() else []
    rows = kept + [{"benchmark": name, **machine, **row} for row in found]
    write(path, "[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")
    page = DOCS / "performance.md"
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    where = f"*{machine['machine']}, {machine['cores']} cores, torch {machine['torch']}, {machine['date']}*"
    old = page.read_text()
    assert place.search(old), f"{page} has no place for {name}: <!-- {name} --> and <!-- /{name} -->"
    write(page, place.sub(lambda match: f"{match[1]}{where}\n\n{text}\n{match[2]}", old))


if __name__ == "__main__":
    main()
