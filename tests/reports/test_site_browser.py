"""The site as a reader has it: Chromium opens a page of each kind from file://, and it works, offline, on a phone and for a screen reader.

It takes Debian's packages chromium and chromium-driver, and axe-core as axe-playwright-python ships it; where one is not there the tests
say so and are skipped.
"""

import dataclasses
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_site import IMAGE, records, stored, verified

from bench.commands.site_source import collected
from places import ROOT
from reports.site import folder
from reports.site.build import pages
from reports.site.runs import number, training_of
from reports.site.sprites import COLUMNS
from reports.tables import columns as kinds

pytestmark = pytest.mark.slow

DOCS = ("docs/protocol.md", "docs/statistics.md", "docs/figures.md", "docs/recipes.md", "docs/budgets.md", "CHANGELOG.md")
VIEWS = ("docs/views/simclr.png", "docs/views/images-mnist5k.png")
PICTURES = "docs/figures/simclr_temperature"
WIDTHS = (360, 1440)
PAIR = "#first=simclr&second=rotation"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A handful of records, of which somebody has made one again, with a few pages of docs and methods' views."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "docs" / "figures").mkdir(parents=True)
    (root / "docs" / "views").mkdir()
    for name in (*DOCS, *VIEWS, *(f"{PICTURES}.{kind}" for kind in ("md", "svg", "csv"))):
        shutil.copy(ROOT / name, root / name)
    results = stored(tmp_path_factory.mktemp("results"), records())
    verified(results, next(one for one in records() if one.spec["method"] == "byol"), "bit-equal")
    found = collected([str(results)])
    return dataclasses.replace(found, root=root)


@pytest.fixture(scope="module")
def site(source, tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    folder.write(pages(source), place)
    return place


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("no chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    # As root, and in containers with little shared memory; nothing of the net, which the pages are not to need.
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    # On a machine that is busy with other things a page takes its time.
    driver.set_page_load_timeout(300)
    driver.set_script_timeout(300)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, site):
    """opened("index.html", 360, "#sort=…") -> the browser at that page, which is that wide."""

    def go(page, width=WIDTHS[1], fragment=""):
        emulated = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == WIDTHS[0]}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", emulated)
        browser.get("about:blank")
        browser.get(f"{(site / page).as_uri()}{fragment}")
        return browser

    return go


def of_each_kind(source) -> list[str]:
    """A page of each kind; the leaderboard and the run whose names are markup too."""
    board, other = source.boards[-1].page, source.boards[0].page
    diverged = next(run for run, parts in source.runs.items() if parts[0].record.status == "diverged")
    run = f"runs/{source.boards[-1].table.rows[0].runs[0][1]}.html"
    lists = [f"{name}/index.html" for name in ("leaderboards", "method", "data", "figures")]
    single = ["method/simclr.html", "data/mnist5k.html", "figures/simclr_temperature.html", "text/protocol.html"]
    return ["index.html", "compare.html", "changes.html", board, other, run, f"runs/{diverged}.html", *lists, *single]


WIDER = """document.querySelectorAll("details").forEach((one) => { one.open = true; });
return [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll, pre") &&
  one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 200))"""


def test_every_kind_of_page_opens_without_an_error_and_fits_a_phone_and_a_screen(opened, source):
    for page in of_each_kind(source):
        for width in WIDTHS:
            here = opened(page, width)
            assert here.get_log("browser") == [], page
            assert here.execute_script(WIDER) == [], f"{page} at {width}"
            assert here.execute_script("return document.documentElement.scrollWidth") <= width, f"{page} at {width}"
            assert here.execute_script("return document.querySelectorAll('img[onerror], main script:not([type])').length") == 0, page
    assert IMAGE in opened(source.boards[0].page).find_element("css selector", "h1").text


def test_axe_finds_nothing_serious_in_light_and_in_dark(opened, source):
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None:
        pytest.skip("axe-core is not here: axe-playwright-python of the extra dev")
    axe = (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
    # Sheets need not be loaded again for what is asked, and cannot from a file.
    audit = """const [asked, done] = arguments; axe.run({preload: false, resultTypes: ["violations"], ...asked}).then((found) => done(
      found.violations.map((one) => [one.impact, one.id, one.nodes[0].html.slice(0, 200)])))"""
    for page in of_each_kind(source):
        here = opened(page, fragment=PAIR if page == "compare.html" else "")
        if page == "compare.html":
            images_shown(here, "simclr", "rotation")
            here.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        here.execute_script(axe)
        for scheme, asked in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            here.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            found = here.execute_async_script(audit, asked)
            assert [one for one in found if one[0] in ("serious", "critical")] == [], f"{page}, {scheme}"
    here.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


CELLS = """return [...document.querySelector(arguments[0]).tBodies[0].rows].map((one) => [...one.cells].map((cell) => cell.innerText))"""


def column(here, key) -> list[str]:
    """The texts of a column that are shown, from the top."""
    place = "[...document.querySelectorAll('table.data thead th')].findIndex((one) => one.dataset.key === arguments[0])"
    rows = f"const at = {place}; return [...document.querySelectorAll('table.data tbody tr')].map((one) => one.cells[at]?.innerText)"
    return here.execute_script(rows, key)


SETTLED = "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => setTimeout(done, 50)))"


def press(here, selector, key=None):
    """Click, or press a key on what has the focus, and wait until the page has followed: tables sort in a later turn than the event's."""
    from selenium.webdriver.common.by import By

    one = here.find_element(By.CSS_SELECTOR, selector)
    one.send_keys(key) if key else one.click()
    here.execute_async_script(SETTLED)
    return one


def test_a_leaderboard_sorts_filters_and_keeps_the_choice_in_its_address(opened, source):
    from selenium.webdriver.common.keys import Keys

    board = source.boards[-1]
    rows = {row.label: row for row in board.table.rows}
    here = opened(board.page)
    assert column(here, "method") == list(rows)
    linear = next(one for one in board.table.columns if one.key == "linear")
    shown = dict(zip(column(here, "method"), column(here, "linear"), strict=True))
    assert shown == {label: kinds.text(linear, row.cells.get("linear")) for label, row in rows.items()}
    # The keyboard: Enter on the order of a header, twice.
    order = "th[data-key='knn'] .dt-column-order"
    press(here, order, Keys.ENTER)
    means = {label: row.cells["knn"].mean for label, row in rows.items() if "knn" in row.cells}
    down = sorted(means, key=means.get, reverse=True)
    assert column(here, "method")[: len(down)] == down and "sort=knn.desc" in here.current_url
    press(here, order, Keys.ENTER)
    assert column(here, "method")[-len(down) :] == down[::-1] and "sort=knn.asc" in here.current_url
    press(here, "select[name='family'] option[value='contrastive']")
    assert column(here, "method") == ["simclr"] and here.find_element("css selector", ".status").text == f"1 of {len(rows)} rows"
    press(here, "details summary")
    press(here, "input[value='knn']")
    press(here, "input[value='year']")
    kept = here.current_url.partition("#")[2]
    assert not here.execute_script("return !!document.querySelector('th[data-key=knn]')")
    again = opened(board.page, fragment=f"#{kept}")
    assert column(again, "method") == ["simclr"] and column(again, "year") == ["2020"]
    press(again, "button[type='reset']")
    assert column(again, "method") == list(rows) and "#" not in again.current_url
    press(again, "select[name='kind'] option[value='floor']")
    assert column(again, "method") == ["random"]
    press(again, "input[type='search']", "nothing like that")
    assert again.find_element("css selector", ".status").text == f"0 of {len(rows)} rows"


def test_a_mark_says_what_it_means_to_the_keyboard_and_keeps_the_choice(opened, source):
    from selenium.webdriver.common.keys import Keys

    here = opened(source.boards[-1].page, fragment="#sort=knn.asc")
    mark = here.find_element("css selector", "a.why[href='#tie']")
    here.execute_script("arguments[0].focus()", mark)
    tip = here.find_element("css selector", "[role='tooltip']")
    assert tip.is_displayed() and "cannot be told from the best of its column" in tip.text
    assert mark.get_attribute("aria-describedby") == tip.get_attribute("id")
    mark.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    mark.send_keys(Keys.ENTER)
    assert here.switch_to.active_element.get_attribute("id") == "tie" and here.current_url.endswith("#sort=knn.asc")


def test_the_numbers_of_a_run_are_its_records(opened, source):
    run = source.boards[-1].table.rows[0].runs[0][1]
    record = training_of(source.runs[run])
    here = opened(f"runs/{run}.html")
    rows = here.execute_script(
        "return [...document.querySelectorAll('tbody tr')].map((one) => [...one.cells].map((cell) => cell.innerText))"
    )
    assert [row[4] for row in rows] == [number(result.value) for result in record.results]
    assert here.find_element("css selector", "svg[role='img'] polyline").get_attribute("points").count(",") == len(record.loss_curve)
    assert f"{record.cost.steps:,}" in here.find_element("css selector", ".facts").text


def test_the_verified_rows_can_be_filtered_and_their_runs_say_when(opened, source):
    board = source.boards[-1]
    here = opened(board.page)
    press(here, "select[name='verified'] option[value='1 of 3']")
    assert column(here, "method") == ["byol"] and "verified=1+of+3" in here.current_url
    run = next(row for row in board.table.rows if row.label == "byol").runs[0][1]
    assert "Verified on 2026-11-28, by another machine: bit-equal." in opened(f"runs/{run}.html").find_element("tag name", "main").text
    assert "Unverified" in opened(f"runs/{board.table.rows[-1].runs[0][1]}.html").find_element("tag name", "main").text


def test_encoders_and_data_sets_of_leaderboards_can_be_filtered(opened, source):
    boards = [board for board in source.boards if board.table.key["dataset"] == "mnist5k"]
    here = opened("leaderboards/index.html", fragment="#encoder=resnet8&data=mnist5k")
    assert column(here, "table") == [board.table.title for board in boards] and len(boards) < len(source.boards)


def images_shown(here, *chosen) -> list:
    """The sections of images, once the scripts that they need are there."""
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(here, 60).until(lambda _: here.find_element("id", "images").get_attribute("data-of") == " ".join(chosen))
    return here.find_elements("css selector", "#images section")


def test_the_images_that_only_one_method_gets_right_are_those_of_the_records(opened, source):
    board = source.boards[-1]
    first, second = (next(row for row in board.table.rows if row.label == name).cells["linear"] for name in ("simclr", "rotation"))
    here = opened("compare.html", fragment=PAIR)
    (section,) = images_shown(here, "simclr", "rotation")
    pictures = iter(section.find_elements("tag name", "details"))
    for name, mine, theirs in (("simclr", first, second), ("rotation", second, first)):
        alone = mine.correct & ~theirs.correct
        mean = f"{alone.sum(axis=1).mean():,.1f}".removesuffix(".0")
        said = f"Only {name}: {mean} a seed on average, {alone.all(axis=0).sum():,} at each of the seeds 0, 1, 2."
        assert said in section.text
        if not alone.all(axis=0).any():
            continue
        details = next(pictures)
        details.find_element("tag name", "summary").click()
        always = np.flatnonzero(alone.all(axis=0)).tolist()
        assert details.find_element("class name", "indices").text == ", ".join(map(str, always))
        tiles = details.find_elements("class name", "tile")
        assert [tile.get_attribute("title") for tile in tiles] == [f"image {image}" for image in always]
        place = f"{-28 * (always[-1] % COLUMNS)}px {-28 * (always[-1] // COLUMNS)}px"
        assert tiles[-1].value_of_css_property("background-position").replace("-0px", "0px") == place.replace("-0px", "0px")
    assert place and not list(pictures), "where there is no such image nothing is opened"
    press(here, "select[name='second'] option[value='simclr']")
    assert images_shown(here, "simclr", "simclr") == []


def test_any_two_methods_are_compared_either_way(opened, source):
    found = source.boards[-1].table.compared["linear"]
    at = found.place["rotation"], found.place["simclr"]
    here = opened("compare.html", fragment="#first=rotation&second=simclr")
    line = next(line for line in here.execute_script(CELLS, "#differences") if line[2] == "linear")
    assert line[5:] == [f"{found.difference[at]:+.1f} ± {found.half_width[at]:.1f}", "below"]
    back = opened("compare.html", fragment="#first=simclr&second=rotation")
    line = next(line for line in back.execute_script(CELLS, "#differences") if line[2] == "linear")
    assert line[5:] == [f"{-found.difference[at]:+.1f} ± {found.half_width[at]:.1f}", "above"]
    press(back, "select[name='second'] option[value='byol']")
    assert back.current_url.endswith("#first=simclr&second=byol")
    line = next(line for line in back.execute_script(CELLS, "#differences") if line[2] == "linear")
    assert line[6] == "cannot be told apart"
