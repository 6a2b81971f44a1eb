"""The command `doctor`: versions, GPU, FAISS, SLURM, data sets, scratch: one line each, with what to do where it is not well."""

import os
import shutil
import tempfile
from pathlib import Path

import click

from bench.commands.options import DATA_ROOT
from bench.defaults import COMMAND, away_from_checkout, scratch_root
from bench.defaults import data_root as root_of_data
from bench.errors import UserError


@click.command()
@DATA_ROOT
def doctor(data_root):
    """Say what this machine offers: versions, GPU, FAISS, SLURM, data sets."""
    from bench.commands.request import data_folder

    rows = examine(data_folder(data_root))
    for what, well, detail in rows:
        click.echo(f"{'ok  ' if well else 'BAD '} {what:<14} {detail}")
    if not all(well for _, well, _ in rows):
        raise SystemExit(1)


def examine(root: Path | None = None) -> list[tuple[str, bool, str]]:
    """(what, whether it is well, detail) of everything that a run depends on."""
    import numpy as np
    import torch

    from bench.data import catalogue
    from bench.machine import hardware
    from bench.machine.checkout import state_of_code

    env, hard = hardware.environment(torch.get_num_threads()), hardware.hardware()
    rows = [("python", True, env["python"])]
    rows += [(name, True, version) for name, version in env["versions"].items()]
    both = {"faiss-cpu", "faiss-gpu"} <= set(env["versions"])
    try:
        import faiss

        index = faiss.IndexFlatIP(4)
        index.add(np.eye(4, dtype=np.float32))
        exact = bool((index.search(np.eye(4, dtype=np.float32), 1)[1][:, 0] == np.arange(4)).all())
        rows.append(("faiss search", exact and not both, "faiss-cpu and faiss-gpu are both installed: remove one" if both else "exact"))
    except ImportError as error:
        rows.append(("faiss search", False, f"{error}: install faiss-gpu (Linux on x86-64) or faiss-cpu (elsewhere)"))
    rows.append(("gpu", True, hard["gpu"] or "none: runs use the CPU"))
    rows.append(("cpu", True, f"{hard['cpu']}, {hard['cores']} cores, {env['threads']} threads"))
    slurm = shutil.which("sbatch")
    rows.append(("slurm", True, f"sbatch at {slurm}" if slurm else "none: launch with --launcher local or debug"))
    scratch = scratch_root()
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=scratch):
            pass
        free = shutil.disk_usage(scratch).free / 1e9
        rows.append(("scratch", free > 1, f"{scratch.resolve()}, {free:.0f} GB free ($SSLBENCH_SCRATCH)"))
    except OSError as error:
        rows.append(("scratch", False, f"{scratch}: {error}; set $SSLBENCH_SCRATCH"))
    if away_from_checkout():
        results = Path("results").absolute()
        rows.append(("results", True, f"{results}{'' if results.is_dir() else ', not there yet'} (--results)"))
    found, missing = [], []
    for name in catalogue.names():
        try:
            catalogue.require(name, root)
            found.append(name)
        except UserError:
            missing.append(name)
    at = f"under {root_of_data(root)}" + ("" if os.environ.get("SSLBENCH_DATA") or root else " ($SSLBENCH_DATA is not set)")
    rows.append(
        (
            "data sets",
            True,
            f"there are files of {', '.join(found)}, not compared: `{COMMAND} data check NAME`"
            + (f"; not {at}: {', '.join(missing)}" if missing else ""),
        )
    )
    code = state_of_code()
    known = f"{code.commit or 'not a git checkout'}{' with uncommitted changes' if code.dirty else ''}"
    rows.append(("commit", not code.refused, f"not known, and records will not say it: {code.refused}" if code.refused else known))
    return rows
