"""The parts of the report: escaping, numbers in tables, text alternatives, words."""

import dataclasses
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pages import Page

import figures
from paper_repro.report.alternatives import alternative
from paper_repro.report.markup import Markup, element, join, prose
from paper_repro.report.sections import untitled
from paper_repro.report.tables import leading_number, settings, table
from paper_repro.report.words import anchor, badge, command, count, duration, label, span_of_dates


def test_all_text_is_escaped_unless_it_is_markup_already():
    nasty = "<b>\"&'"
    made = element("p", nasty, element("em", nasty), None, title=nasty, hidden=True, id=None, open=False)
    assert made == (
        '<p title="&lt;b&gt;&quot;&amp;&#x27;" hidden>&lt;b&gt;&quot;&amp;&#x27;<em>&lt;b&gt;&quot;&amp;&#x27;</em></p>'
    )
    assert join(["<", Markup("<br>"), 3], "&") == "&lt;&amp;<br>&amp;3"
    assert element("img", alt="", class_="a") == '<img alt="" class="a">'


def test_notes_keep_code_and_line_breaks():
    assert prose("a `b <c>` d\ne") == "a <code>b &lt;c&gt;</code> d<br>e"
    assert prose("one ` alone") == "one ` alone"
    assert prose("`run --x`") == '<code>run <span class="option">--x</span></code>'


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0),
        (float("inf"), float("inf")),
        ("0.95 [0.91, 0.98]", 0.95),
        ("-3.2 ± 0.1", -3.2),
        ("−3", -3.0),
        ("1,234", 1234.0),
        ("1.5e-3", 0.0015),
        ("12 %", 12.0),
        (".5", 0.5),
        ("+2 dB", 2.0),
        ("3/4", None),
        ("1-hidden", None),
        ("> 3", None),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_the_number_that_a_cell_begins_with(value, number):
    assert leading_number(value) == number


def test_a_column_is_numeric_when_all_that_is_there_is_a_number():
    rows = [[1, "a", "10 of 12", 0.123456789], [None, "2", "9 of 12", float("nan")], [float("-inf"), None, "-", 1e-9]]
    page = Page(table(["n", "text", "share", "x"], rows, "some <numbers>"))
    body = page.all("td")
    assert [has.get("data-value") for has, _ in body[::4]] == ["1.0", None, "-Infinity"]
    assert [has.get("data-value") for has, _ in body[1::4]] == [None, None, None]
    assert [has.get("data-value") for has, _ in body[2::4]] == ["10.0", "9.0", None]
    assert [has.get("data-value") for has, _ in body[3::4]] == ["0.123456789", None, "1e-09"]
    assert ["data-missing" in has for has, _ in body] == [False] * 4 + [True, False, False, True] + [
        False,
        True,
        True,
        False,
    ]
    assert [text for _, text in body[3::4]] == ["0.1235", "nan", "1.00e-09"]
    assert [has.get("class") for has, _ in page.all("th")] == ["number", None, "number", "number"]
    assert [has["aria-label"] for has, _ in (*page.all("div"), *page.all("table"))] == ["some <numbers>"] * 2


def test_settings_are_told_without_the_names_of_classes():
    @dataclasses.dataclass
    class Grid:
        depth: int
        m: tuple

    page = Page(settings({"n": 50_000, "seeds": (0, 1), "grids": (Grid(1, (2, 5)), Grid(2, (10,))), "none": ()}))
    assert [text for _, text in page.all("dd")] == ["50,000", "0, 1", "(depth: 1; m: 2, 5), (depth: 2; m: 10)", "none"]


def test_a_table_without_rows_is_one():
    page = Page(table(["a", "b"], [], "nothing"))
    assert [text for _, text in page.all("th")] == ["a", "b"]


def test_panels_are_told_with_their_ranges():
    panels = [
        {"title": "IHT", "m": [1, 5], "s": [2, 20], "values": [[1.0, 2.0], [None, 3.5]]},
        {"title": "IMP", "m": [1, 5], "s": [2, 20], "values": [[None, None], [None, None]]},
    ]
    summary = {"subtitle": "n = 5,\nseed 0", "rows": [{"name": "one layer", "unit": "PSNR (dB)", "panels": panels}]}
    assert alternative("A title", summary) == (
        "A title. n = 5, seed 0. one layer, PSNR (dB), width m from 1 to 5, sparsity s from 2 to 20: "
        "IHT from 1 to 3.50; IMP not computed. The numbers are in the table below."
    )


def test_other_figures_are_told_by_their_methods_and_tables():
    grid = {"columns": ["method", "m \\ s", "1", "2"], "rows": [["a", 1, 0.5, None], ["b", 2, float("nan"), 0.75]]}
    summary = {"methods": ["a", "b"], "labels": {"a": "First"}, "m": [1, 2], "table": grid, "rows": ["drawn", "rows"]}
    said = alternative("T", summary)
    assert "Shown: First; b. width m from 1 to 2. Values from 0.5 to 0.75." in said
    plain = {"columns": ["name", "n", "p"], "rows": [["x", 1, "0.5 [0, 1]"], ["y", 3, None]]}
    assert "Table: n from 1 to 3; p 0.5." in alternative("T", {"table": plain})


def test_words():
    assert [label(name) for name in ("fig1", "fig3-binary", "table2", "imp-phase", "figure")] == [
        "Figure 1",
        "Figure 3, binary",
        "Table 2",
        "imp-phase",
        "figure",
    ]
    assert anchor("Fig 1\"'") == "figure-fig-1--"
    assert [duration(seconds) for seconds in (0.44, 59.9, 60, 200, 3599.6, 18_120)] == [
        "0.4 s",
        "59.9 s",
        "1 min 00 s",
        "3 min 20 s",
        "1 h 00 min",
        "5 h 02 min",
    ]
    assert (count(1, "cell"), count(2000, "cell")) == ("1 cell", "2,000 cells")
    assert command("fig2", "quick", Path("results"), 0) == "paper-repro run fig2"
    assert command("", "paper", Path("a"), 4) == "paper-repro run --preset paper --results a --seed 4"
    assert span_of_dates(["2026-01-02T00:00:00Z", "", "2026-01-01T10:00:00Z"]) == "2026-01-01 to 2026-01-02"
    assert span_of_dates([]) == ""
    assert 'class="verdict not-measured"' in badge("something else")


def test_a_drawing_loses_its_title_and_the_room_it_took():
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    figure.subplots()
    figure.suptitle("Figure 1\nof two lines", gid="title")
    drawing = figures.render(figure)["svg"]
    cropped, (width, height) = untitled(drawing)
    assert (width, height) == (576, round((4.0 * 72 - 2 * 9 * 1.2) * 4 / 3))
    assert b'<g id="title" display="none">' in cropped  # its glyphs stay, as other texts use them
    assert cropped.count(b"<path") == drawing.count(b"<path")
    assert untitled(b"<svg/>") == (b"<svg/>", (0, 0))
