"""The command `views`: a contact sheet of what a method sees."""

from pathlib import Path

import click

from bench.commands.completion import names_from, of_methods
from bench.commands.options import DATA_ROOT, RECIPE, SETTINGS
from bench.defaults import COMMAND, DEFAULT_DATASET
from bench.errors import UserError

ALL = "all"
PICTURES = Path("docs") / "views"


@click.command()
@click.argument("method", shell_complete=names_from(of_methods))
@click.option("--dataset", default=DEFAULT_DATASET, show_default=True, metavar="NAME")
@click.option("--image-size", type=click.IntRange(8), metavar="PX")
@click.option("--encoder", metavar="NAME")
@RECIPE
@SETTINGS
@DATA_ROOT
@click.option("--output", metavar="FILE.png", help="[default: reports/views/METHOD-DATASET.png; of all methods the folder docs/views]")
@click.option("--check", is_flag=True, help="Of all: write nothing; exit code 1 where a picture is not as it would be drawn.")
def views(method, dataset, image_size, encoder, recipe, settings, data_root, output, check):
    """Write a contact sheet of what a method really sees; of `all` small ones of every method, for the site."""
    if method == ALL:
        given = {"image-size": image_size, "encoder": encoder, "recipe": recipe, "set": settings}
        if others := [name for name, value in given.items() if value]:
            raise UserError(f"views all draws every method as it is; leave out --{others[0]}")
        pictures_of_all(dataset, data_root, Path(output or PICTURES), check)
        return
    if check:
        raise UserError(f"--check is for `{COMMAND} views all`")
    from bench.commands import grid
    from bench.commands.request import data_folder, require_writable
    from bench.data.catalogue import DataSets
    from bench.folder_name import shown
    from bench.plan import recipes
    from bench.plan.complete import complete
    from bench.plan.names import check_names
    from bench.settings import read
    from bench.spec import Budget, RunSpec, method_name

    label = f"{method_name(method)}-{method_name(shown(dataset))}"
    path = Path(output or f"reports/views/{label}.png")
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UserError(f"'{path}' (--output) is no name of an image; expected one that ends in .png, .jpg or .webp")
    require_writable("--output", path.parent)
    data = DataSets(data_folder(data_root))
    spec = RunSpec(method=method, dataset=dataset, budget=Budget("steps", 1), image_size=image_size, encoder=encoder)
    check_names(spec, (), data)
    if not (modality := data.require(dataset).entry.modality).drawn:
        raise UserError(f"views draws no {modality.name}, which {shown(dataset)} has; expected a data set of images")
    hyper_parameters, recipe_changes = read(grid.in_full(settings, [method]))
    own, _ = recipes.changes(method, recipe)  # its batches, which may be larger than the data set, are not seen
    spec = spec.replace(hyper_parameters=own | hyper_parameters, recipe_changes=recipe_changes)
    spec = complete(spec, data=data.require(dataset))
    from bench.commands.contact_sheet import write_contact_sheet

    columns = write_contact_sheet(spec, path, data.require(dataset))
    click.echo(f"{path}: {' | '.join(columns)}")


def pictures_of_all(dataset: str, data_root: str | None, folder: Path, check: bool) -> None:
    """Write them, or say which are not as they would be drawn: then exit code 1."""
    from bench.commands import view_pictures
    from bench.commands.console import note
    from bench.commands.request import data_folder, require_writable
    from bench.data.catalogue import DataSets
    from bench.machine import files

    if not check:
        require_writable("--output", folder)
    made = view_pictures.every(DataSets(data_folder(data_root)), dataset, note)
    stale = view_pictures.differing(made, folder)
    # What is of no method here is not ours to remove, wherever --output leads.
    others = sorted(path for path in folder.glob("*.png") if path.name not in made)
    if not check:
        for name in stale:
            files.replace(folder / name, made[name])
        for path in others:
            note(f"{path} is of no method here, and stays")
        click.echo(f"written: {len(stale)} of {len(made)} pictures in {folder} changed")
        return
    for name in stale:
        click.echo(f"error: {folder / name} is not as it would be drawn; `{COMMAND} views all` draws it again", err=True)
    for path in others:
        click.echo(f"error: {path} is of no method here", err=True)
    if stale or others:
        raise SystemExit(1)
    click.echo(f"as drawn: {len(made)} pictures in {folder}")
