"""What a file of one table is called: a figure, a page."""

import re

from bench.folder_name import shown
from reports.tables.table import Table


def slugs(tables: list[Table]) -> list[str]:
    """A file name for each table, no two alike."""
    return numbered([slug(table.key, f"{table.key['budget_amount']:g}{table.key['budget_unit']}") for table in tables])


def numbered(names: list[str]) -> list[str]:
    """Those that are alike with a number: two revisions of one data set can have tables alike in all else."""
    return [name if names.count(name) == 1 else f"{name}-{names[:position].count(name) + 1}" for position, name in enumerate(names)]


def slug(key: dict, budget: str) -> str:
    """A file name that depends on nothing but a table's key."""
    encoder = f"{key['encoder']}-v{key['encoder_version']}" if key["encoder_version"] > 1 else key["encoder"]
    parts = [shown(key["dataset"]), encoder, f"{key['image_size']}px", budget, key["pretrain_split"], key["precision"]]
    return re.sub(r"[^\w.-]+", "_", "-".join([*parts, f"protocol{key['protocol']}", key["device"]]).rstrip("-"))
