"""Pages and pictures of papers' figures: every point where its number is, every number on the page, the counts of the index."""

import csv
import io
from dataclasses import replace

import pytest
from matplotlib.colors import to_rgb
from test_reports import frame_of, run

from reports.claims import reference
from reports.claims.at_scale import AtScale
from reports.claims.figure import Arm, Figure, Records, Scale
from reports.claims.judge import Gate, Verdict
from reports.claims.points import Points
from reports.claims.reference import Published
from reports.claims.rules import Above, Agrees, Peak
from reports.pages import figure_index, figures
from reports.plots.figures import axis_of, draw
from reports.tables.statistics import interval

SEEDS = (0, 1, 2)
LEVELS = {"0.1": 60.0, "0.5": 80.0, "1": 70.0}
RULES = (Peak(("0.1", "1"), ("0.5",)), Above("0.5", "0.1", measure="knn"))
FIGURE = Figure(
    paper="arXiv:2002.05709",
    place="Table 5",
    claim="Accuracy rises with the temperature, and falls again",
    axis="temperature",
    measure="linear",
    arms={name: Arm("simclr", x=float(name), hyper_parameters={"temperature": float(name)}) for name in LEVELS},
    rules=RULES,
    scales={
        "cpu": Scale("mnist5k", "20000images", "9 core-minutes, measured", "digits", "resnet8", seeds=SEEDS),
        "records": Records("cifar10", "Shorter.", encoder="resnet8"),
    },
    learned=("0.5",),
    logarithmic=True,
    unit="top-1, %",
)
GATE = Gate("0.5", "floor random", 20.0, (15.0, 25.0), True, "0.5 beside floor random +20.0 ± 5.0")


def point(x, y, series="", unit="top-1, %", confidence="paper"):
    return Published(series, x, y, unit, "github:a/b@c:d", confidence)


THEIRS = (point(0.1, 64.4), point(0.5, 60.7), point(10.0, 57.2, confidence="by eye"), point(0.1, 87.8, unit="loss"))


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    changes = {name: {"hyper_parameters": {"temperature": float(name)}} for name in LEVELS}
    return frame_of(tmp_path_factory.mktemp("results"), [run("simclr", y, s, changes=changes[n]) for n, y in LEVELS.items() for s in SEEDS])


def at(frame, figure=FIGURE, scale="cpu", word="reproduced", levels=LEVELS, missing=0, **measured):
    """A figure at a scale whose seeds lie 1 apart around these levels."""
    runs = frame.drop_duplicates("id").sort_values(["hyper_parameters", "seed"])
    ids = iter(runs.id)
    found = {name: {seed: next(ids, f"{name} {seed}") for seed in SEEDS} for name in levels}
    values = {name: {seed: level + seed - 1 for seed in SEEDS} for name, level in levels.items()}
    values |= {("floor random", "linear"): dict.fromkeys(SEEDS, 40.0)}
    values |= {(name, measure): {seed: y + seed - 1 for seed in SEEDS} for measure, ys in measured.items() for name, y in ys.items()}
    for seed in range(missing):
        found["0.1"].pop(seed)
    wanted = dict.fromkeys(levels, SEEDS)
    verdict = Verdict(word, "inside over 0.1 +20.0 ± 2.5", (GATE,), (), figure.rules)
    return AtScale("t", figure, scale, found, wanted, frame, Points.given("linear", values), verdict)


def points(axes):
    """Series by series the (x, y, half width or None) of each point that has an interval or a line."""
    found = []
    for container in axes.containers:
        line, _, bars = container.lines
        ends = [tuple(segment[:, 1]) for segment in bars[0].get_segments()]
        found += [
            (float(x), float(y), float(high - low) / 2)
            for (x, y), (low, high) in zip(zip(*line.get_data(), strict=True), ends, strict=True)
        ]
    return found


def test_every_point_is_where_its_number_is(frame):
    theirs, ours = draw(FIGURE, THEIRS, [at(frame)]).axes
    (line,) = theirs.lines
    assert list(zip(*line.get_data(), strict=True)) == [(0.1, 64.4), (0.5, 60.7), (10.0, 57.2)], "those in another unit are not drawn"
    assert line.get_linestyle() == "-" and theirs.get_ylabel() == "top-1, %" and theirs.get_xscale() == ours.get_xscale() == "log"
    half = interval([59.0, 60.0, 61.0])
    assert points(ours) == [(float(x), y, pytest.approx(half)) for x, y in LEVELS.items()]
    seeds = sorted(float(y) for line in ours.lines for y in line.get_ydata() if line.get_alpha() == 0.45)
    assert seeds == [59, 60, 61, 69, 70, 71, 79, 80, 81]
    assert [line.get_ydata()[0] for line in ours.lines if line.get_linestyle() == "--"] == [40.0]
    assert ours.get_title() == "cpu: reproduced" and theirs.get_xlabel() == ours.get_xlabel() == "temperature"


def test_each_arm_is_drawn_by_its_own_measure_and_floors_from_place_to_place(frame):
    arms = {name: replace(arm, measure=f"few_labels:{name}0:own") for name, arm in FIGURE.arms.items()}
    figure = replace(FIGURE, arms=arms)
    measured = {arm.measure: {name: 50 + arm.x, "floor random": 30 + arm.x} for name, arm in arms.items()}
    (axes,) = draw(figure, (), [at(frame, figure, **measured)]).axes
    half = interval([49.0, 50.0, 51.0])
    assert points(axes) == [(x, 50 + x, pytest.approx(half)) for x in (0.1, 0.5, 1.0)]
    (dashed,) = (line for line in axes.lines if line.get_linestyle() == "--")
    assert list(zip(*dashed.get_data(), strict=True)) == [(x, pytest.approx(30 + x)) for x in (0.1, 0.5, 1.0)]
    assert "few_labels:0.10:own" in axes.get_ylabel() and "random" in [text.get_text() for text in axes.texts]


def test_all_panels_share_the_axis_of_names(frame):
    arms = {name: Arm("simclr", x=f"setting {name}", series=series) for name, series in zip(LEVELS, ("a", "b", "a"), strict=True)}
    figure = replace(FIGURE, arms=arms, scales={"cpu": FIGURE.scales["cpu"], "gpu": FIGURE.scales["cpu"]})
    panels = [at(frame, figure), at(frame, figure, "gpu", "undecided")]
    picture = draw(figure, [point("setting 1", 50.0, "a"), point("another", 40.0, "c")], panels)
    assert [axes.get_title() for axes in picture.axes] == ["published", "cpu: reproduced", "gpu: undecided"]
    names = ["setting 0.1", "setting 0.5", "setting 1", "another"]
    assert all([tick.get_text() for tick in axes.get_xticklabels()] == names for axes in picture.axes)
    # Nothing joins what has no order, and of two series neither hides the other.
    assert all(line.get_linestyle() in ("None", "--") for axes in picture.axes for line in axes.lines)
    assert [(round(x, 2), y) for x, y, _ in points(picture.axes[1])] == [(-0.07, 60.0), (1.93, 70.0), (1.07, 80.0)]
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    of_series = {text.get_text(): to_rgb(line.get_color()) for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)}
    assert to_rgb(picture.axes[0].lines[0].get_color()) == of_series["a"]


def test_what_no_panel_has_is_on_no_axis(frame):
    """Arms of a scale that nobody has run."""
    others = {"large": Arm("simclr", x="large", series="of a GPU")}
    small = {name: replace(arm, x=f"small {name}") for name, arm in FIGURE.arms.items()}
    cpu, gpu = (replace(FIGURE.scales["cpu"], arms=tuple(arms)) for arms in (small, others))
    figure = replace(FIGURE, arms={**small, **others}, scales={"cpu": cpu, "gpu": gpu})
    picture = draw(figure, (), [at(frame, figure), at(frame.iloc[:0], figure, "gpu", levels={})])
    assert [tick.get_text() for tick in picture.axes[0].get_xticklabels()] == ["small 0.1", "small 0.5", "small 1"]
    assert len(picture.axes) == 1 and not picture.legends


def test_of_nothing_there_is_no_logarithm(frame):
    figure = replace(FIGURE, arms={"0": Arm("moco", x=0), **FIGURE.arms})
    axis = axis_of(figure, figure.arms.values(), ())
    assert (axis.names, axis.logarithmic, axis.joined) == (("0", "0.1", "0.5", "1"), False, True)


def test_measures_that_are_to_agree_are_set_against_each_other(frame):
    levels = {f"{n}": 50.0 + n**2 for n in range(8)}
    figure = replace(FIGURE, arms={name: Arm("simclr", x=name) for name in levels})
    figure = replace(figure, rules=(Agrees(over=tuple(levels), first="linear", second="rankme"),))
    shown = at(frame, figure, levels=levels, rankme={name: 5.0 + int(name) for name in levels})
    theirs, ours = draw(figure, THEIRS, [shown]).axes
    assert [tuple(float(z) for (z,) in container.lines[0].get_data()) for container in ours.containers] == [
        (50 + n**2, 5 + n) for n in range(8)
    ]
    assert (ours.get_ylabel(), theirs.get_title()) == ("rankme", "published") and "linear" in ours.get_xlabel()


@pytest.mark.parametrize("published", [(), THEIRS], ids=["shape only", "published"])
def test_a_picture_without_records_is_drawn(published):
    picture = draw(FIGURE, published, [])
    assert len(picture.axes) == 1 and figures.render(picture, "svg") == figures.render(draw(FIGURE, published, []), "svg")


def test_nothing_leaves_the_picture(frame):
    arms = {f"method {n}": Arm("simclr", x=f"a method of a long name {n}", series=f"{n % 2}") for n in range(27)}
    figure = replace(FIGURE, arms=arms, claim="The order of the methods changes with the encoder more than from seed to seed, " * 2)
    picture = draw(figure, THEIRS, [at(frame, figure, levels={name: 50.0 + n for n, name in enumerate(arms)})])
    picture.draw_without_rendering()
    renderer = picture.canvas.get_renderer()
    _, _, width, height = picture.bbox.extents
    for text in picture.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible() and artist.get_text()):
        box = text.get_window_extent(renderer)
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert inside or text.get_position()[0] > 1e3 or not text.get_in_layout(), text.get_text()


def test_the_page_has_every_number(frame):
    text = figures.page("t", FIGURE, THEIRS, [at(frame, knn={"0.5": 3.25}), at(frame.iloc[:0], scale="records", levels={})])
    assert (
        "**Accuracy rises with the temperature, and falls again.** [arXiv:2002.05709](https://arxiv.org/abs/2002.05709), Table 5." in text
    )
    assert all(rule.words() in text for rule in RULES) and "- cpu: 0.5 beside floor random +20.0 ± 5.0\n" in text
    rows = {cells[0]: cells for line in text.splitlines() if (cells := [cell.strip() for cell in line.strip("|").split("|")])}
    assert rows["arm"] == ["arm", "linear", "knn", "published", "seeds", "items", "TFLOP", "s"]
    assert rows["0.5"] == ["0.5", "80.0 ± 2.5", "3.25 ± 2.48", "60.7", "3", "20,000", "2.4", "16"]
    assert rows["1"][3] == "–" and rows["floor random"][1] == "40.0 ± 0.0"
    assert rows["cpu"] == ["cpu", "reproduced", "inside over 0.1 +20.0 ± 2.5"] and rows["records"][1] == "not run"
    assert "What differs from the paper: digits.\n" in text and "on Xeon" in text and "read off the picture" in text
    assert "    run_bench.py figure run t --scale cpu\n" in text and "](../../results/figures)" in text
    assert "mnist5k, resnet8, 20,000 items, float32, 3 seeds." in text
    assert "## records: not run\n\nShorter. Cost: nothing: the records are there.\n" in text


def test_a_page_with_runs_missing_says_how_many(frame):
    shown = at(frame, missing=2, word="no verdict")
    assert (shown.count, shown.total, shown.word) == (7, 9, "7 of 9 runs")
    text = figures.page("t", FIGURE, (), [shown])
    assert "7 of 9 runs are there: nothing is judged." in text and "shape only" in text and "Published points" not in text


def test_a_rule_of_some_scales_says_at_which(frame):
    gpu = at(frame, scale="records", levels={})
    gpu = replace(gpu, verdict=replace(gpu.verdict, rules=RULES[1:]))
    text = figures.page("t", FIGURE, (), [at(frame), gpu])
    assert f"- {RULES[0].words()} (cpu)\n" in text and f"- {RULES[1].words()}\n" in text


def test_the_table_of_numbers_has_every_seed(frame):
    rows = list(csv.DictReader(io.StringIO(figures.table(FIGURE, THEIRS, [at(frame)]))))
    assert [(row["x"], row["value"], row["unit"]) for row in rows[:3]] == [
        ("0.1", "64.4", "top-1, %"), ("0.5", "60.7", "top-1, %"), ("10", "57.2", "top-1, %"),
    ]  # fmt: skip
    ours = [row for row in rows if row["arm"] == "0.5"]
    assert [(row["where"], row["measure"], row["seed"], float(row["value"])) for row in ours] == [
        ("cpu", "linear", str(seed), 79.0 + seed) for seed in SEEDS
    ]
    assert all(len(row["run"]) == 16 for row in ours)


def test_the_index_counts_verdicts_and_what_chance_alone_would_give(frame):
    words = ("reproduced", "reproduced", "contradicted", "undecided", "out of reach")
    every = {f"f{n}": (FIGURE, [at(frame, word=word), at(frame, scale="records", levels={})]) for n, word in enumerate(words)}
    every["f9"] = (FIGURE, [at(frame, missing=1, word="no verdict"), at(frame, scale="records", levels={})])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in figure_index.page(every).splitlines() if line[:1] == "|"]
    assert rows[0][:6] == ["scale", "figures", "reproduced", "contradicted", "undecided", "out of reach"]
    # Four figures of two rules each were judged.
    assert rows[2] == ["cpu", "6", "2", "1", "1", "1", "1", "0.1 reproduced, 0.2 contradicted"]
    assert not any(row[0] == "records" for row in rows), "nobody has run it"
    row = next(row for row in rows if row[0].startswith("[f2]"))
    assert row[0] == "[f2](figures/f2.md)" and row[1].startswith("[arXiv:2002.05709](https") and row[3:5] == ["contradicted", "not run"]
    assert next(row for row in rows if row[0].startswith("[f9]"))[3] == "8 of 9 runs"


def test_published_points_are_read_as_they_are_written(tmp_path, monkeypatch):
    (tmp_path / "figures.csv").write_text(
        "figure,series,x,y,unit,source,confidence\nt,a,1,2.5,%,here,copy\nt,a,no predictor,0.1,%,here,copy\nu,a,1,2,%,x,paper\n"
    )
    monkeypatch.setattr(reference, "FILE", tmp_path / "figures.csv")
    assert [(p.x, p.y) for p in reference.published("t")] == [(1.0, 2.5), ("no predictor", 0.1)]
    assert reference.beside(Arm("simclr", x=1, series="a"), reference.published("t"), "%")[0].y == 2.5
    assert reference.beside(Arm("simclr", x=1, series="b"), reference.published("t"), "%") == ()
