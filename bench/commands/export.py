"""The command `export`: a run's encoder for other programs, with a page that says what it is."""

from pathlib import Path

import click

from bench.commands.console import say_problems
from bench.commands.options import DATA_ROOT
from bench.defaults import COMMAND, scratch_root
from bench.errors import UserError, unknown


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--format", "written", default="safetensors", metavar="safetensors|timm|torchvision", show_default=True)
@click.option("--output", metavar="DIR", help="Folder of the files.  [default: exports/METHOD-SEED-RUN]")
@click.option("--results", metavar="DIR", help="Folder of records.  [default: results, and the folders of records in it]")
@click.option("--scratch", metavar="DIR", help="Folder of checkpoints and logs.  [default: $SSLBENCH_SCRATCH, or .scratch]")
@DATA_ROOT
def export(run_id, written, output, results, scratch, data_root):
    """Write a run's encoder as timm or torchvision loads it, with a model card. RUN: its id, or the beginning of it."""
    from bench.launch.logs import the_run
    from bench.records.paths import runs_in, stores
    from bench.records.store import ResultStore
    from bench.run.export import FORMATS

    if written not in FORMATS:
        raise unknown("format of an export", written, FORMATS)
    if results is not None and not Path(results).is_dir():
        raise UserError(f"the results folder '{results}' (--results) is not there")
    scratch, records = scratch_root(scratch), {}
    folders = [Path(results)] if results else stores(Path("results"))
    ids = runs_in(folders)
    run_id = the_run(run_id, set(ids), str(results or "results"))
    store = ResultStore(ids[run_id][-1])
    records = store.files_of([run_id])
    say_problems(store)
    first = next(iter(records.values()), None)
    if first is None or first.status != "done":
        raise UserError(f"the run {run_id} is not done ({first and first.reason}): there is no encoder to export")
    folder = Path(output or Path("exports") / f"{Path(first.spec['method']).stem}-{first.spec['seed']}-{run_id}")
    weights = weights_of(first, Path(next(iter(records))), scratch)
    for path in written_to(folder, first, list(records.values()), written, weights, scratch, data_root):
        click.echo(f"wrote  {path}")


def weights_of(record, path: Path, scratch: Path) -> Path | None:
    """The file of a run's weights: in scratch, or kept beside its record; a UserError that says how to make it where there is none."""
    from bench.run.export import kept_beside
    from bench.run.folder import run_folder

    found = next((file for file in (run_folder(scratch, record.id).weights, kept_beside(path)) if file.is_file()), None)
    if found is None and record.weights != "elsewhere":
        again = f"`{COMMAND} run ... --keep-weights encoder` with another --results trains it again and keeps them"
        raise UserError(f"the weights of {record.id} are neither in {scratch} nor beside its record: {again}")
    return found


def written_to(folder: Path, record, records: list, written: str, weights: Path | None, scratch: Path, data_root) -> list[Path]:
    """The encoder's file and the card; their paths."""
    from bench.commands.card import Exported, card
    from bench.encoders import table
    from bench.machine import files
    from bench.run import export as parts

    entry, size = table.require(record.spec["encoder"]), record.spec["image_size"]
    _, source, encoder, alone = trained_method(record, weights, scratch, data_root)
    model, options, state = "", {}, {name: value.detach().contiguous() for name, value in encoder.state_dict().items()}
    if written != "safetensors":
        model, options = parts.counterpart(entry, encoder, size, written)
        state = parts.by_their_names(encoder, written, model, options)
    path = folder / ("encoder.pth" if written == "torchvision" else "encoder.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    parts.save(state, path, {"run": record.id, "encoder": entry.name, "image_size": str(size)})
    exported = Exported(written, path.name, model, options, *trained_with(record, source.info), alone)
    page = card(records, exported)
    return [path, files.replace(folder / "README.md", page.encode())]


def trained_method(record, weights: Path | None, scratch: Path, data_root) -> tuple:
    """The run's method with the weights that it ended with, on the processor; its source; the encoder that is evaluated, and whether its
    features are the method's as they are."""
    import torch

    from bench.data.catalogue import DataSets
    from bench.data.source import load_source
    from bench.plan.fits import require_exported
    from bench.run import export as parts
    from bench.run.build import build_method
    from bench.spec import RunSpec

    spec = RunSpec.from_json(record.spec)
    data = DataSets(data_root).require(spec.dataset)
    require_exported(data)
    source, num_classes = load_source(spec, data, 1)
    method = build_method(spec, source, num_classes, scratch).to("cpu")
    encoder, alone = parts.evaluated(method, spec, torch.device("cpu"))
    if weights is not None:
        parts.load(method, encoder, weights, record)
    return method, source, encoder, alone


def trained_with(record, info) -> list:
    """Mean and standard deviation of the channels that the encoder's images had: the data set's, or what weights from elsewhere had."""
    chosen = record.spec["hyper_parameters"] if record.weights == "elsewhere" else {}
    own = {"mean": info.mean, "std": info.std}
    given = {name: tuple(float(part) for part in chosen[name].split(",")) for name in own if chosen.get(name)}
    return [tuple(round(value, 6) for value in (own | given)[name]) for name in own]
