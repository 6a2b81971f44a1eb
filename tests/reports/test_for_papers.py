"""What goes into papers: LaTeX of a table, with every number that the page has, the best and the ties marked; columns and order chosen."""

import re

import pytest
from test_reports import frame_of, run

from bench.errors import UserError
from places import ROOT
from reports.pages import latex
from reports.tables import columns as kinds
from reports.tables.build import build
from reports.tables.chosen import chosen


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    records = [
        *(run("simclr", 80 + seed, seed, flops=3e12) for seed in range(3)),
        *(run("byol", 80.5 + seed, seed, flops=1e12) for seed in range(3)),
        *(run("moco", 50 + seed, seed, flops=2e12, collapsed=1.0) for seed in range(3)),
    ]
    return build(frame_of(tmp_path_factory.mktemp("results"), records))


def rows_of(text):
    """Cells of every line of the table's body and head."""
    return [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if line.endswith(r"\\")]


def test_latex_has_every_number_of_the_page(tables):
    (table,) = tables
    head, *body = rows_of(latex.text(tables))
    shown = [column for column in table.columns if column.shown]
    assert head[1:] == [latex.escape(column.header) for column in shown] and len(body) == len(table.rows)
    for row, (label, *cells) in zip(table.rows, body, strict=True):
        assert label.startswith(latex.escape(row.label)) and len(cells) == len(shown)
        for column, cell in zip(shown, cells, strict=True):
            plain = re.sub(r"\\textbf\{(.*?)\}", r"\1", cell).replace(r"$\pm$", "±").replace("$^{=}$", " =").replace("--", "–")
            assert plain == kinds.text(column, row.cells.get(column.key))


def test_latex_marks_the_best_and_what_cannot_be_told_from_it(tables):
    (table,) = tables
    place = [column.header for column in table.columns if column.shown].index("linear") + 1
    cells = {row[0].split("$")[0]: row[place] for row in rows_of(latex.text(tables))[1:]}
    assert cells["byol"].startswith(r"\textbf{") and cells["simclr"].endswith("$^{=}$")
    assert not re.search(r"textbf|=", cells["moco"])
    text = latex.text(tables)
    assert "moco$^{1}$" in text and "$^{1}$ collapsed." in text and text.count(r"\midrule") == 1


def test_latex_shows_text_as_it_is():
    assert latex.escape("a_b & 5 % of {x}\n^2 \\ → ±") == r"a\_b \& 5 \% of \{x\} \textasciicircum{}2 \textbackslash{} $\to$ $\pm$"


def test_columns_and_order_are_those_asked_for(tables):
    (table,) = chosen(tables, ("TFLOP", "linear"), "TFLOP")
    assert [column.header for column in table.columns] == ["TFLOP", "linear"]
    assert [row.label for row in table.rows] == ["byol", "moco", "simclr"], "the cheaper first"
    (table,) = chosen(tables, (), "linear")
    assert [row.label for row in table.rows][-1] == "moco" and table.columns == tables[0].columns
    with pytest.raises(UserError, match=r"unknown column 'lineaar'. Did you mean 'linear'"):
        chosen(tables, ("lineaar",))


def test_the_command_prints_and_writes_nothing(bench, here):
    frame_of(here / "results", [run("simclr", 80, 0), run("byol", 70, 0)])
    code, out, err = bench("report", "--format", "latex", "--columns", "linear")
    assert code == 0 and out.startswith("% \\usepackage{booktabs}\n") and [len(row) for row in rows_of(out)] == [2, 2, 2], err
    code, out, _ = bench("report", "--format", "csv", "--columns", "linear", "--sort", "linear")
    assert code == 0 and len(out.splitlines()) == 3 and not (here / "reports").exists()
    code, _, err = bench("report", "--format", "csv", "--output", "there")
    assert code == 2 and "--format csv prints tables alone; leave out --output" in err
    assert bench("report", "--sort", "nothing")[0] == 2


def test_a_folder_of_pages_is_compared_and_not_written(bench, here):
    frame_of(here / "results", [run("simclr", 80, 0), run("byol", 70, 0)])
    assert bench("report", "--output", "there")[0] == 0
    code, out, err = bench("report", "--output", "there", "--check")
    assert code == 0 and out.startswith("as written: ") and out.endswith(" files in there\n"), err
    page = here / "there/leaderboard.md"
    page.write_text(page.read_text().replace("80", "90"))
    (here / "there/old.svg").touch()
    changed = page.read_text()
    code, _, err = bench("report", "--output", "there", "--check")
    assert code == 1 and err.splitlines() == [
        f"error: there/{name} is not as it would be written" for name in ("leaderboard.md", "old.svg")
    ]
    assert page.read_text() == changed
    assert "there is nothing to compare in 'nowhere'" in bench("report", "--output", "nowhere", "--check")[2]


def test_every_folder_of_pages_is_compared_in_ci():
    """Each folder of docs/ with a leaderboard is in the Makefile's list, and CI makes that target."""
    (listed,) = re.findall(r"^REPORTS := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert {path.parent.name for path in ROOT.glob("docs/*/leaderboard.md")} == set(listed.split())
    assert "\nmake drift\n" in (ROOT / ".ci/run").read_text()
