"""The site as files: what is shown is escaped and is the tables' own, links lead somewhere, the same records give the same bytes, and what
a person gives wrongly is refused before anything is written. In a browser: test_site_browser.py."""

import base64
import json
import posixpath
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from test_reports import run, spec

from bench.commands.request import Request
from bench.commands.run import run as command
from bench.commands.site_source import collected
from bench.data import catalogue
from bench.data.catalogue import DataSets
from bench.data.dataset import DataSet
from bench.plan.complete import complete
from bench.records import verification
from bench.records.paths import stores
from bench.records.record import SCHEMA, to_text
from bench.records.store import ResultStore
from bench.records.verification import Verification
from bench.spec import Budget, RunSpec
from places import ROOT
from reports.bibliography import bibtex, paper
from reports.pages import leaderboard
from reports.site import budget, comparisons, folder, outcomes
from reports.site.addresses import slug
from reports.site.build import pages
from reports.site.command import arguments
from reports.site.curve import HEIGHT, WIDTH, drawing
from reports.site.documents import first_table
from reports.site.source import Source
from reports.tables import columns as kinds

SCRIPT, IMAGE = "<script>alert(1)</script>", '"><img onerror>'
CURVE = tuple((step / 10, 4.0 - step / 5) for step in range(11))
FOLDER = {"dataset": f"folder:/data/{IMAGE}"}


DESCRIBED = (
    *("method", "dataset", "encoder", "image_size", "batch_size", "precision", "pretrain_split", "budget", "seeds", "recipe", "settings"),
    *("suite", "results", "scratch", "requests", "threads", "processes"),
)
"""Of what `run` takes all that decides which runs it is asked for."""


def records():
    """Six methods that can be told apart or not, floors, a run that diverged, and names that are markup."""
    made = []
    for seed in range(3):
        for name, accuracy in {"simclr": 93.1, "byol": 92.9, "rotation": 74.0}.items():
            made.append(run(name, accuracy, seed, loss_curve=CURVE, chance_loss=3.5, short_of=("the queue is short",)))
        made.append(run(f"mine/{SCRIPT}.py", 60.0, seed, loss_curve=CURVE, changes={"hyper_parameters": {"note": SCRIPT}}))
        made.append(run("random", 47.5, seed, flops=0.0, trained=False))
        made.append(run("simclr", 80.0, seed, changes=FOLDER))
    made.append(run("jigsaw", 0, 0, status="diverged", error=SCRIPT, loss_curve=CURVE[:1]))
    return made


def stored(path, some):
    store = ResultStore(path)
    for record in some:
        store.publish(record)
    return path


def verified(results, run_of, outcome, **facts):
    """Beside a run's record what came of making it again."""
    path = ResultStore(results).path(RunSpec.from_json(run_of.spec))
    facts = {"machine": "another", "finished": "2026-11-28T10:00:00+00:00"} | facts
    verification.write(path, Verification(id=run_of.id, records={path.name: verification.digest(path)}, outcome=outcome, **facts))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """With simclr's runs made again: one to the bit, one within; and one of rotation's, which is off."""
    place, made = stored(tmp_path_factory.mktemp("results"), records()), records()
    first, second = (one for one in made if one.spec["method"] == "simclr" and one.spec["dataset"] == "mnist5k" and one.spec["seed"] < 2)
    verified(place, first, "bit-equal")
    verified(place, second, "within", machine="of the same kind")
    verified(place, next(one for one in made if one.spec["method"] == "rotation"), "off", findings=(SCRIPT,))
    return place


@pytest.fixture(scope="module")
def source(results):
    return collected([str(results)])


@pytest.fixture(scope="module")
def made(source):
    """The whole site, with docs/ of this checkout."""
    return pages(source)


class Page(HTMLParser):
    """What a page has: every start tag with its attributes, and its text."""

    def __init__(self, content: bytes):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(content.decode())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def parsed(made):
    return {name: Page(content) for name, content in made.items() if name.endswith(".html")}


def test_names_that_are_markup_are_shown_as_text(parsed):
    for name, page in parsed.items():
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert all("src" in one or one.get("type") == "application/json" for one in scripts), name
        assert not [one for _, one in page.tags if any(key.startswith("on") for key in one)], name
        assert not [one for tag, one in page.tags if tag == "img" and not one.get("src", "").startswith("../pictures/")], name
    board = next(page for name, page in parsed.items() if "img_onerror" in name and name.startswith("leaderboards/"))
    assert IMAGE in board.text
    assert any(SCRIPT in page.text for name, page in parsed.items() if name.startswith("runs/")), "the error of the run that diverged"


def test_every_link_leads_to_a_file_of_the_site_and_to_a_place_in_it(made, parsed):
    ids = {name: {attributes["id"] for _, attributes in page.tags if "id" in attributes} for name, page in parsed.items()}
    seen = 0
    for name, page in parsed.items():
        for _, attributes in page.tags:
            address = attributes.get("href", attributes.get("src"))
            if address is None or urlsplit(address).scheme in ("http", "https", "data"):
                continue
            parts = urlsplit(address)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
            assert target in made, f"{name} links to {address}"
            assert not parts.fragment or parts.fragment in ids[target], f"{name} links to {address}"
            seen += 1
    assert seen > 1000


def test_every_table_and_figure_has_its_csv_and_json(source, made, parsed):
    for board in source.boards:
        stem = board.page.removesuffix(".html")
        assert made[f"{stem}.csv"].decode() == leaderboard.tidy_csv([board.table])
        (table,) = json.loads(made[f"{stem}.json"])
        assert {run["id"] for row in table["rows"] for run in row["runs"]} == {run for row in board.table.rows for _, run in row.runs}
        linked = {attributes.get("href") for _, attributes in parsed[board.page].tags}
        assert {posixpath.basename(f"{stem}.csv"), posixpath.basename(f"{stem}.json")} <= linked
    there = [page for page in parsed if page.startswith("figures/") and page != "figures/index.html"]
    assert there and all(made[page.replace(".html", ".csv")] for page in there)
    assert "simclr_temperature.csv" in {attributes.get("href") for _, attributes in parsed["figures/simclr_temperature.html"].tags}


def test_pages_of_every_kind_are_there_and_small(source, made):
    runs = {name for name in made if name.startswith("runs/")}
    assert runs == {f"runs/{one}.{kind}" for one in source.runs for kind in ("html", "json")}
    wanted = {"index", "compare", "changes", "text/protocol", "text/statistics", "figures/index", "figures/simclr_temperature"}
    wanted |= {"method/simclr", "method/script_", "data/mnist5k", f"data/{slug(IMAGE)}", "leaderboards/index"}
    assert {f"{name}.html" for name in wanted} <= made.keys()
    assert max(map(len, made.values())) < 2 * 2**20


def test_a_leaderboard_has_the_tables_rows_as_every_report_writes_them(source, made):
    board = source.boards[-1]
    text = made[board.page].decode()
    head, *body = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    shown = [column for column in board.table.columns if column.shown]
    assert [re.sub("<.*?>", "", cell) for cell in re.findall(r"<th.*?>.*?</th>", head)][7:-1] == [column.header for column in shown]
    for row, line in zip(board.table.rows, body, strict=True):
        cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", line)]
        assert cells[6:-1] == [kinds.text(column, row.cells.get(column.key)) for column in shown]
        assert [f"../runs/{one}.html" in line for _, one in row.runs] == [True] * len(row.runs) and row.runs
    tied = sum(cell.tied for row in board.table.rows for key, cell in row.cells.items() if key in {column.key for column in shown})
    assert text.count('href="#tie"') == tied > 0


def test_a_methods_page_has_what_to_cite(source, made, parsed):
    assert bibtex(paper("arXiv:2002.05709")) in parsed["method/simclr.html"].text
    (own,) = (page for name, page in source.method_pages.items() if name not in source.methods)
    assert b"To cite" not in made["method/random.html"] + made[own]


def test_a_run_says_whether_anybody_has_made_it_again(source, made, parsed):
    board = source.boards[-1]
    rows = {row.label: row for row in board.table.rows}
    line = dict(zip(rows, re.findall(r'href="#verified">(.*?)</a>', made[board.page].decode()), strict=True))
    assert line["simclr"] == "2 of 3" and line["rotation"] == "off" and line["byol"] == "unverified"

    def said(label, seed):
        return parsed[f"runs/{dict(rows[label].runs)[seed]}.html"].text

    assert "Verified on 2026-11-28, by another machine: bit-equal." in said("simclr", 0) and "Unverified" not in said("simclr", 0)
    assert "Verified on 2026-11-28, by a machine of the same kind: within." in said("simclr", 1)
    assert f"Made again on 2026-11-28, by another machine: off ({SCRIPT})." in said("rotation", 0)
    assert f"run_bench.py verify {dict(rows['byol'].runs)[0]}" in said("byol", 0)


def test_what_a_changed_record_was_made_again_as_no_longer_counts(results, tmp_path):
    shutil.copytree(results, tmp_path / "same")
    assert len(collected([str(tmp_path / "same")]).verified) == 3
    for path in (tmp_path / "same").rglob("simclr-0-*.json"):
        path.write_text(path.read_text().replace('"suite": "demo"', '"suite": "deno"'))
    assert len(collected([str(tmp_path / "same")]).verified) == 2


def outcomes_of(made, board):
    """Row -> seed -> bool [n], decoded from the script as the page does it, bit by bit."""
    (said,) = re.findall(r"push\((.*)\);", made[outcomes.path_of(board)].decode())
    rows = dict(zip((row.label for row in board.table.rows), json.loads(said)["rows"], strict=True))

    def bits(text):
        return [bool((byte >> place) & 1) for byte in base64.b64decode(text) for place in range(8)]

    return {label: {seed: bits(text) for seed, text in row.items()} for label, row in rows.items() if row}


def test_the_images_that_each_row_got_right_are_its_records(source, made):
    board = source.boards[-1]
    told = outcomes_of(made, board)
    assert set(told) == {row.label for row in board.table.rows if "linear" in row.cells} and len(told) == 5
    for row in board.table.rows:
        for seed, right in zip(row.cells["linear"].values, row.cells["linear"].correct, strict=True) if "linear" in row.cells else ():
            bits = told[row.label]["any" if row.constant else str(seed)]
            assert bits[: len(right)] == right.tolist() and not any(bits[len(right) :])
    (table,) = [one for one in comparisons.data(source.boards)["tables"] if one["title"] == board.name]
    assert table["outcomes"]["images"] == board.table.rows[0].cells["linear"].correct.shape[1] and table["outcomes"]["header"] == "linear"


def test_a_table_whose_rows_were_measured_on_other_images_says_nothing_of_them(source):
    board = source.boards[-1]
    first, *rest = board.table.rows
    cell = first.cells["linear"]
    shorter = replace(first, cells=first.cells | {"linear": replace(cell, correct=cell.correct[:, :-1])})
    other = replace(board, table=replace(board.table, rows=(shorter, *rest)))
    assert outcomes.facts(other, {}) is None and not list(outcomes.files([other]))


def test_only_a_known_sets_images_are_shown_and_not_those_of_a_folder_of_its_name(source):
    board, sprites = source.boards[-1], {"mnist5k": {"path": "pictures/images-mnist5k.png"}}
    assert outcomes.facts(board, sprites)["sprite"] == sprites["mnist5k"]
    mine = replace(board, table=replace(board.table, key=board.table.key | {"dataset": "mnist5k=folder:/data/mine"}))
    assert outcomes.facts(mine, sprites)["sprite"] is None


def test_the_home_page_counts_verdicts_and_says_that_there_is_one_budget(source, made, parsed):
    text = parsed["index.html"].text
    table = first_table((ROOT / "docs/figures.md").read_text(encoding="utf-8")).splitlines()
    for line in (table[0], *table[2:]):
        assert re.sub(r"\s+", " ", " ".join(line.strip("|").split("|"))).strip() in re.sub(r"\s+", " ", text)
    assert "reproduced" in table[0] and "No setting in these records was trained at two budgets" in re.sub(r"\s+", " ", text)


def test_the_home_page_draws_what_was_trained_at_two_budgets(tmp_path):
    budgets = {1e12: {"simclr": 60.0, "byol": 70.0}, 4e12: {"simclr": 80.0, "byol": 75.0}, 16e12: {"simclr": 90.0, "byol": 78.0}}
    some = [
        run(name, accuracy, seed, changes={"budget": Budget("flops", flops)})
        for flops, levels in budgets.items() for name, accuracy in levels.items() for seed in range(3)
    ]  # fmt: skip
    source = collected([str(stored(tmp_path, some))])
    drawn = budget.along(source)
    assert drawn.budgets == ("1", "4", "16") and [label for label, _, _ in drawn.leading] == ["simclr", "byol"]
    means = {row.label: row.cells["linear"].mean for row in source.boards[-1].table.rows}
    places = [tuple(map(float, point.split(","))) for point in drawn.leading[0][1].split()]
    assert [x for x, _ in places] == [0, WIDTH / 2, WIDTH] and places[0][1] == HEIGHT and places[-1][1] == 0
    assert drawn.high == f"{max(means.values()):.1f}" and drawn.leading[0][2][0].startswith(drawn.low)
    home = pages(Source(source.folders))["index.html"].decode()
    assert home.count("<polyline") == 2 and all(number in home for number in drawn.leading[0][2])


def test_a_method_shows_its_views_and_its_figures(made, parsed):
    page = parsed["method/simclr.html"]
    pictures = {attributes["src"]: attributes["alt"] for tag, attributes in page.tags if tag == "img"}
    assert "../pictures/views-simclr.png" in pictures and all(pictures.values())
    assert made["pictures/views-simclr.png"] == (ROOT / "docs/views/simclr.png").read_bytes()


def test_what_any_two_methods_have_between_them_is_the_tables(source):
    data = comparisons.data(source.boards)
    (table,) = [one for one in data["tables"] if one["title"] == source.boards[-1].name]
    found = source.boards[-1].table.compared["linear"]
    (column,) = [one for one in table["columns"] if one["header"] == "linear"]
    labels = [row.label for row in source.boards[-1].table.rows if "linear" in row.cells]
    assert table["labels"][: len(labels)] == labels and len(labels) == 5
    for later, label in enumerate(labels):
        for earlier, other in enumerate(labels[:later]):
            at = found.place[label], found.place[other]
            pair = column["pairs"][later * (later - 1) // 2 + earlier]
            assert f"{pair[0] / 10:.1f} {pair[1] / 10:.1f}" == f"{found.difference[at]:.1f} {found.half_width[at]:.1f}"
            assert pair[2] == found.beyond[at]


def test_a_table_of_too_many_rows_is_named_and_left_out(source, monkeypatch):
    monkeypatch.setattr(comparisons, "MOST", 3)
    data = comparisons.data(source.boards)
    assert data["left_out"] == [source.boards[-1].name] and source.boards[-1].name not in {one["title"] for one in data["tables"]}


def test_the_same_records_give_the_same_bytes(source, tmp_path):
    again = collected([str(stored(tmp_path / source.folders[0].name, records()[::-1]))])
    again = Source(tuple(replace(one, verified=before.verified) for one, before in zip(again.folders, source.folders, strict=True)),
                   again.methods, again.datasets)  # fmt: skip
    first, second = (pages(Source(one.folders, one.methods, one.datasets)) for one in (source, again))
    assert first == second
    # Without a checkout there is no page of docs, and none is linked.
    assert not [name for name in first if name.startswith(("text/", "figures/"))] and b"protocol.html" not in first["index.html"]


def test_a_losss_curve_fills_its_drawing_and_says_its_ends():
    made = drawing([CURVE], 3.5)
    assert made.lines[0].startswith("0.0,0.0 ") and made.lines[0].endswith(f"{WIDTH}.0,{HEIGHT}.0")
    assert made.chance == HEIGHT / 4 and "from 4 to 2" in made.words and "a guess has 3.5" in made.words
    assert drawing([CURVE], 50.0).chance is None, "a guess's loss that is far away would make a line of the curve"
    assert drawing([CURVE[:1]]) is None and drawing([]) is None


def test_the_command_on_a_runs_page_says_all_of_the_run():
    changes = {"hyper_parameters": {"note": "two words", "deep": None, "big": True}}
    said = arguments(replace(run("simclr", 90.0, changes=changes), environment={"compiled": True, "threads": 2}), ["knn"])
    assert "--set 'note=two words' --set deep=none --set big=true" in said and "--threads 2 --compile" in said
    assert "--budget 20000items" in said and "--set recipe.lr=0.1" in said and "--set recipe.betas=0.9,0.999" in said


def test_the_command_on_the_page_of_every_committed_record_plans_that_run(monkeypatch, tmp_path):
    """As the data and the versions of methods and encoders were: those are not the command's to ask for."""
    built, wrong, told, revision = {}, [], 0, ""
    monkeypatch.setattr(DataSets, "require", lambda data, name: DataSet(replace(catalogue.entry(name), revision=revision), tmp_path))
    monkeypatch.setattr(DataSet, "_rarest", lambda data, split: ("any", 5_000))  # enough labels: no set is read
    for place in stores(ROOT / "results"):
        for record in {one.id: one for one in ResultStore(place).files_of().values()}.values():
            revision, words = record.spec["data_revision"], shlex.split(arguments(record, record.evals))
            options = command.make_context("run", ["--results", str(tmp_path / "r"), "--scratch", str(tmp_path / "s"), *words]).params
            (asked,) = Request(**{name: options[name] for name in DESCRIBED}).specs
            planned = complete(asked, data=DataSets().require(asked.dataset), built=built, tried=False)
            then = {"method_version": record.spec["method_version"], "encoder_version": record.spec.get("encoder_version", 1)}
            told, wrong = told + 1, wrong + ([] if planned.replace(**then).id == record.id else [(record.id, words)])
    assert told > 900 and not wrong, wrong[:3]


@pytest.fixture
def without_docs(monkeypatch, tmp_path):
    """As where the program is installed: pages of docs/ take longer than all that these tests look at."""
    monkeypatch.setattr("bench.commands.site_source.ROOT", tmp_path)


def test_a_site_takes_a_folder_of_its_own_and_is_written_whole(bench, without_docs, tmp_path):
    results, site = stored(tmp_path / "few", records()[:3]), tmp_path / "site"
    assert bench("site", "--results", results, "--output", site, "--check")[0] == 1 and not site.exists()
    assert bench("site", "--results", results, "--output", site)[0] == 0
    assert bench("site", "--results", results, "--output", site, "--check")[0] == 0
    assert not list(site.rglob("*.tmp"))
    (site / "index.html").write_text("changed")
    (site / "CNAME").write_text("somebody's own")
    code, _, err = bench("site", "--results", results, "--output", site, "--check")
    assert code == 1 and str(site / "index.html") in err and "CNAME" not in err and (site / "index.html").read_text() == "changed"
    gone = sorted(results.rglob("*-1-*.json")) + sorted(results.rglob("*-0-*.json"))[:1]
    pages_of_gone = [site / f"runs/{path.stem[-16:]}.html" for path in gone]
    gone[0].unlink()
    assert pages_of_gone[0].is_file() and bench("site", "--results", results, "--output", site)[0] == 0
    assert not pages_of_gone[0].is_file(), "a run that has no record has no page"
    assert (site / "CNAME").read_text() == "somebody's own", "what no site has written stays"


def test_a_changed_marker_removes_nothing_elsewhere(tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("x")
    folder.mark(tmp_path / "site", ["../precious", str(outside), "old.html"])
    (tmp_path / "site/old.html").write_text("old")
    folder.write({"index.html": b"new"}, tmp_path / "site")
    assert outside.exists() and not (tmp_path / "site/old.html").exists()


def test_what_a_site_cannot_be_made_of_is_refused_before_anything_is_written(bench, without_docs, tmp_path):
    site, one = tmp_path / "site", run("simclr", 90.0)
    results = stored(tmp_path / "one", [one])

    def refused(*names, output=site):
        code, _, err = bench("site", *(word for name in names for word in ("--results", name)), "--output", output)
        assert code == 2 and len(err.strip().splitlines()) == 1, err
        assert not site.exists()
        return err

    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'} holds no record" in refused(tmp_path / "empty")
    assert "is not there" in refused(tmp_path / "nowhere")
    other = replace(one, results=(replace(one.results[0], value=12.5), *one.results[1:]))
    second = stored(tmp_path / "two", [other])
    below = ResultStore(results).path(spec()).relative_to(results)
    said = refused(results, second)
    assert f"one/{below}" in said and f"two/{below}" in said and "12.5" in said and one.id in said
    newer = stored(tmp_path / "newer", [one])
    (path,) = newer.rglob("*.json")
    path.write_text(to_text(one).replace(f'"schema_version": {SCHEMA}', '"schema_version": 99'))
    assert "made by a newer program" in refused(newer) and str(path) in refused(newer)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("x")
    assert "'thesis.tex'" in refused(results, output=theirs) and [path.name for path in theirs.iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("x")
    assert "it is not a folder" in refused(results, output=tmp_path / "file")


def test_two_folders_of_one_name_and_one_run_are_one_page(source, tmp_path):
    one = run("simclr", 90.0)
    again = collected([str(stored(tmp_path / place / "same", [one])) for place in ("a", "b")])
    assert [each.name for each in again.folders] == ["same", "same (2)"]
    made = pages(Source(again.folders))
    assert {name for name in made if name.startswith("runs/")} == {f"runs/{one.id}.html", f"runs/{one.id}.json"}
    assert len([name for name in made if name.startswith("leaderboards/") and name.endswith(".html")]) == 3
