"""The commands `data list`, `data check`, `data get` and `data pack`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.commands.console import console
from bench.commands.options import DATA_ROOT, Commands
from bench.defaults import COMMAND
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.data.entry import Entry


@click.group(cls=Commands)
def data():
    """Data sets: list them, get one, check one, pack one."""


@data.command("list")
@DATA_ROOT
def list_data(data_root):
    """The known data sets: images, classes, pixels, licence, and whether there are files."""
    from bench.commands.request import data_folder

    for line in table(data_folder(data_root)):
        click.echo(line)
    click.echo(f"files are there, or not: whether they are the original's is for `{COMMAND} data check NAME` to say", err=True)


@data.command("check")
@click.argument("name")
@DATA_ROOT
def check_data(name, data_root):
    """Read all of a data set: counts, digests, files that cannot be decoded."""
    from bench.commands.request import data_folder
    from bench.data.check import check

    for line in check(name, data_folder(data_root)):
        click.echo(line)


@data.command("get")
@click.argument("name")
@DATA_ROOT
def get_data(name, data_root):
    """Download a data set. Nothing else ever downloads."""
    from bench.commands.request import data_folder
    from bench.data import catalogue

    click.echo(catalogue.get(name, data_folder(data_root)))


@data.command("pack")
@click.argument("name")
@click.option("--image-size", type=int, metavar="PX", help="Pixels a side.  [default: the data set's]")
@DATA_ROOT
@click.option("--rebuild", is_flag=True, help="Make what is damaged or was decoded otherwise anew.")
def pack_data(name, image_size, data_root, rebuild):
    """Decode a set's image files once, for runs to read from disk."""
    from rich.markup import escape
    from rich.progress import Progress

    from bench.commands.request import data_folder
    from bench.data.packing import pack

    with Progress(console=console()) as progress:
        bar = progress.add_task(escape(name), visible=False)
        show = lambda done, total: progress.update(bar, completed=done, total=total, visible=True)  # noqa: E731
        made = pack(name, image_size, data_folder(data_root), rebuild, show)
    count, shards = sum(made.facts["parts"].values()), len(made.digests)
    click.echo(f"{count:,} images at {made.facts['image_size']} pixels in {shards} shard{'s' * (shards > 1)}: {made.folder}")


HEADER = ("name", "train / val / test", "classes", "px", "licence", "files")


def table(root: Path | None = None) -> list[str]:
    """Lines: `HEADER`, and the facts of each known data set."""
    from bench.data import catalogue

    rows = [HEADER]
    for name in catalogue.names():
        entry = catalogue.entry(name)
        try:
            catalogue.require(name, root)
            # Whether they are the original's takes reading all of them: `data check`.
            here = "there" if entry.files else "in a package"
        except UserError:
            here = "by hand" if entry.by_hand else "no"
        rows.append((name, counts(entry), str(entry.classes), str(entry.image_size), entry.licence, here))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def counts(entry: "Entry") -> str:
    """'45,000 / 5,000 / 10,000', and what is unlabelled; without val where only the labels can say how many that is."""
    sizes = entry.sizes
    if "train" not in sizes:
        return f"a test of {sizes['test']:,}"
    if sizes["train"] is not None:
        shown = " / ".join(f"{sizes[split]:,}" for split in ("train", "val", "test") if split in sizes)
    else:
        shown = f"{sizes['train+val']:,} with val / {sizes['test']:,}"
    return shown + (f" + {sizes['unlabelled']:,} unlabelled" if "unlabelled" in sizes else "")
