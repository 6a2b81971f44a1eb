"""The command `evaluate`: an encoder that somebody else trained, measured as ours are."""

from difflib import get_close_matches
from pathlib import Path

import click

from bench.commands.completion import names_from, of_datasets, of_encoders, of_evaluators
from bench.commands.options import PLACES
from bench.defaults import DEFAULT_DATASET, DEFAULT_EVALS, PRECISIONS, scratch_root
from bench.errors import UserError

BUDGET = "1images"
"""Of the table that the row stands in, where none is named: nothing of ours is spent on it."""


@click.command()
@click.argument("weights", required=False)
@click.option(
    "--encoder", required=True, metavar="NAME", shell_complete=names_from(of_encoders), help="Ours, timm:NAME, torchvision:NAME or FILE.py."
)
@click.option("--pretrained", is_flag=True, help="In place of WEIGHTS: those that the library has for timm:NAME or torchvision:NAME.")
@click.option("--format", "written", default="auto", metavar="NAME", help="Who wrote the file.  [default: auto, by its keys]")
@click.option("--mean", metavar="R,G,B", help="Of the channels in 0..1, in their training.  [default: the format's]")
@click.option("--std", metavar="R,G,B", help="[default: the format's]")
@click.option("--input-size", type=click.IntRange(1), metavar="PX", help="Pixels a side.  [default: the format's]")
@click.option("--dataset", metavar="NAME", shell_complete=names_from(of_datasets), help=f"[default: {DEFAULT_DATASET}]")
@click.option(
    "--evals", "requests", metavar="A,B", shell_complete=names_from(of_evaluators, several=True), help=f"[default: {DEFAULT_EVALS}]"
)
@click.option("--budget", metavar="AMOUNT+UNIT", default=BUDGET, help="Of the table that it is to stand in, beside methods of this budget.")
@click.option("--precision", metavar="|".join(PRECISIONS), help="[default: bf16 where the device has it]")
@PLACES
def evaluate(weights, encoder, pretrained, written, mean, std, input_size, **described):
    """Measure the encoder in a file of weights that somebody else trained. WEIGHTS: safetensors, or what torch.save wrote."""
    import methods
    from bench.commands.console import note, request_of
    from bench.commands.run import start
    from bench.encoders import foreign, formats, table

    if bool(weights) == pretrained:
        raise UserError("expected a file of weights, or --pretrained with timm:NAME or torchvision:NAME, and not both")
    if written != formats.AUTO:
        formats.require(written)
    if weights and not Path(weights).is_file():
        raise no_file(Path(weights))
    scratch, entry = scratch_root(described["scratch"]), table.require(foreign.normal(encoder))
    if pretrained and entry.family not in foreign.LIBRARIES.names():
        raise UserError(f"--pretrained is for timm:NAME or torchvision:NAME, not {encoder}; expected a file of weights")
    from bench.encoders import weights as files

    file = Path(weights) if weights else files.downloaded(entry, scratch)
    written = entry.family if pretrained else formats.found(written, files.tensors_in(file))
    statistics, size = trained_with(entry, written)
    size = size if input_size is None else input_size
    chosen = {
        "weights": files.sha256(file),
        "format": written,
        "mean": mean or comma_separated(statistics and statistics[0]),
        "std": std or comma_separated(statistics and statistics[1]),
    }
    method = next(name for name in methods.names() if methods.takes_weights(name))
    settings = tuple(f"{name}={value!r}" for name, value in chosen.items())
    unsaid = dict.fromkeys(("batch_size", "pretrain_split", "recipe"))
    described |= {"method": method, "encoder": encoder, "image_size": size, "settings": settings, "seeds": "0"}
    # One run that trains nothing: in this process.
    request = request_of(**described, **unsaid, launcher="debug")
    # The suite of a record says where it comes from, and is no part of its id.
    request.name = file.name if weights else f"pretrained {encoder}"
    request.require_runs().require_places()
    note(f"{file.name}: format {written}, mean {chosen['mean'] or 'of the data set'}, std {chosen['std'] or 'of the data set'}")
    new = files.keep(file, scratch)
    try:
        start(request, None, {"checkpoint_every": 60.0, "compile": False}, False, {})
    except UserError:
        if new:
            files.kept(chosen["weights"], scratch).unlink(missing_ok=True)
        raise


def no_file(weights: Path) -> UserError:
    """What is wrong with a path of weights that is no file, with the nearest name beside it."""
    if weights.is_dir():
        return UserError(f"'{weights}' is a folder; expected a file of weights")
    beside = [path.name for path in weights.parent.iterdir() if path.is_file()] if weights.parent.is_dir() else []
    near = get_close_matches(weights.name, beside, n=1)
    meant = f" Did you mean '{weights.parent / near[0]}'?" if near else ""
    return UserError(f"there is no file of weights '{weights}'.{meant}  Expected safetensors, or what torch.save wrote")


def trained_with(entry, written: str):
    """Mean and standard deviation, and pixels a side, that weights in this format were trained with; None where they are the data set's.
    What a library says of its own model counts before what is usual."""
    from bench.encoders import foreign, formats

    rule = formats.require(written)
    if entry.family == written:
        mean, std, size = foreign.LIBRARIES.load(entry.family).settings(entry.shape["model"])
        return (mean, std), size
    return rule.statistics, rule.image_size


def comma_separated(values) -> str:
    """(0.485, 0.456, 0.406) -> '0.485,0.456,0.406'; nothing -> ''"""
    return ",".join(f"{value:g}" for value in values or ())
