"""Rows of panels: what stands in the cells, one font size a row, sizes that grow with the grid."""

import math
import re

import pytest
from matplotlib.figure import Figure

from figures import panels
from paper_repro.experiments.grids import METHODS, Grid, deviations_of, medians_of, panel_row


def row(values, *, m=(1, 10), s=(2, 20), limits=(0.0, 50.0), digits=0, name="one hidden layer"):
    points = {method: {(a, b): value for a in m for b in s} for method, value in zip(METHODS, values, strict=True)}
    return panel_row(name, "mean PSNR (dB)", limits, Grid(1, m, s), points, lambda m, s: (m, s) != (1, 20),
                     digits=digits)  # fmt: skip


def drawn(summary, size=None):
    figure = Figure(figsize=size or panels.size(summary), layout="constrained")
    axes = panels.arrange(figure, summary)
    panels.draw(axes, summary, True)
    figure.draw_without_rendering()
    return figure, axes


def test_four_methods_stand_side_by_side_with_titles_once():
    summary = {"rows": [row([1, 2, 3, 4]), row([5, 6, 7, 8], name="two hidden layers")]}
    assert panels.panels(summary) == 8
    figure, axes = drawn(summary)
    assert [one.get_title() for one in axes] == [panel["title"] for panel in summary["rows"][0]["panels"]] + [""] * 4
    assert [one.get_ylabel() for one in axes[::4]] == [
        "one hidden layer\nhidden width m",
        "two hidden layers\nhidden width m",
    ]
    assert [bool(one.get_xlabel()) for one in axes] == [False] * 4 + [True] * 4
    bars = [one for one in figure.axes if one not in axes]
    assert [bar.get_ylabel() for bar in bars] == ["mean PSNR (dB)"] * 2
    assert {text.get_text() for text in axes[5].texts} == {"6"}
    assert len(axes[5].texts) == 3  # one of the four cells cannot exist


def test_a_cell_in_which_not_all_seeds_count_says_so_below_its_number():
    summary = {"rows": [row([100.0, 0.0, 3.0, 4.0], limits=(0.0, 100.0))]}
    summary["rows"][0]["panels"][0]["few"] = [["1 of 3", None], [None, None]]
    figure, axes = drawn(summary)
    told = [text for text in axes[0].texts if text.get_text() == "1 of 3"]
    assert [round(text.get_position()[0]) for text in told] == [0]
    assert {text.get_text() for text in axes[1].texts} == {"0"}
    (number,) = [text for text in axes[0].texts if text.get_text() == "100" and text.get_position()[0] == 0
                 and text.get_position()[1] < 0.5]  # fmt: skip
    assert told[0].get_window_extent().y1 <= number.get_window_extent().y1
    assert "1 of 3: seeds that count" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_shorter_row_ends_earlier_and_colour_bars_stand_below_each_other():
    short = row([5, 6, 7, 8], name="two hidden layers")
    short["panels"] = short["panels"][:3]
    figure, axes = drawn({"rows": [row([1, 2, 3, 4]), short]})
    assert len(axes) == 7
    assert [one.get_position().x0 for one in axes[:3]] == pytest.approx([one.get_position().x0 for one in axes[4:]])
    bars = [one for one in figure.axes if one.get_ylabel() == "mean PSNR (dB)"]
    assert len(bars) == 2
    assert bars[0].get_position().x0 == pytest.approx(bars[1].get_position().x0)


def test_the_longest_text_of_a_row_sets_its_font_size():
    summary = {"rows": [row([350.0, -12.0, 1.0, 2.0], s=tuple(range(2, 12))), row([1, 2, 3, 4])]}
    _, axes = drawn(summary, size=(6.9, 4.0))
    sizes = [{text.get_fontsize() for text in one.texts} for one in axes]
    assert sizes[0] == sizes[1] == sizes[2] == sizes[3]
    assert max(sizes[0]) < max(sizes[4])


@pytest.mark.parametrize(
    ("value", "digits", "expected"), [(0.98, 2, ".98"), (1.0, 2, "1.00"), (-3.6, 0, "-4"), (0.4, 0, "0")]
)
def test_texts_of_values(value, digits, expected):
    _, axes = drawn({"rows": [row([value] * 4, digits=digits)]})
    assert {text.get_text() for text in axes[0].texts} == {expected}


def test_larger_grids_make_larger_figures_whose_texts_stay_in_their_cells():
    small, large = {"rows": [row([123.0] * 4)]}, {"rows": [row([123.0] * 4, m=range(1, 12), s=range(2, 22))]}
    assert panels.size(large)[0] > panels.size(small)[0]
    assert panels.size(large)[1] > panels.size(small)[1]
    _, axes = drawn(large)
    panel = axes[0].get_window_extent().width / 20
    widths = [text.get_window_extent().width for text in axes[0].texts]
    assert max(widths) < panel
    assert all(re.fullmatch("123", text.get_text()) for text in axes[0].texts)


def test_grey_crossed_and_hatched_cells_are_in_the_legend_and_a_diverged_fit_has_no_number():
    summary = {"rows": [row([-math.inf, None, 3.0, math.inf])], "grey": "labels all 0", "diverged": "lost"}
    figure, axes = drawn(summary)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["labels all 0", "not computed, or not defined", "lost"]
    assert [len(one.texts) for one in axes] == [0, 3, 3, 0]
    assert [len(one.patches) for one in axes] == [3, 0, 0, 3]
    figure, _ = drawn({"rows": [row([1, 2, 3, 4], m=(2, 10), s=(2, 5))]})
    assert not figure.legends


def test_a_median_over_diverged_fits_is_no_number():
    assert medians_of({(1, 2): [-350.0, 40.0]}) == {(1, 2): -math.inf}
    assert medians_of({(1, 2): [-350.0, 40.0, 60.0]}) == {(1, 2): 40.0}
    assert deviations_of({(1, 2): [-350.0, 40.0], (1, 5): [20.0, 40.0]}) == {(1, 2): math.inf, (1, 5): 10.0}
