"""What a reader needs to read a figure without its page: legible numbers, and a legend for every mark that is drawn."""

import fnmatch

import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
from figures.heatmap import beyond, heatmap
from figures.style import style


def contrast(one, other):
    """Return the contrast of two colours by WCAG 2."""
    found = []
    for colour in (one, other):
        parts = np.array(colour[:3])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        found.append(0.05 + linear @ [0.2126, 0.7152, 0.0722])
    return max(found) / min(found)


def test_numbers_in_cells_have_contrast_on_every_colour_of_the_scale():
    values = [list(np.linspace(0.0, 1.0, 25)), [-5.0, 0.45, 9.0, np.inf] + [0.5] * 21]
    with style():
        axes = Figure().subplots()
        image = heatmap(axes, values, np.ones((2, 25), bool), [1, 2], range(25), (0.0, 1.0), label="{:.2f}".format)
    texts = [text for text in axes.texts if text.get_text()]
    assert len(texts) == 50
    for text in texts:
        column, row = (round(place) for place in text.get_position())
        ground = image.cmap(image.norm(min(values[row][column], 1.0)))
        ink = {"black": (0, 0, 0), "white": (1, 1, 1)}[text.get_color()]
        assert contrast(ground, ink) >= 4.5


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.0, 50.0, None, -np.inf, np.nan], "neither"),
        ([-1.0, 3.0], "min"),
        ([3.0, np.inf], "max"),
        ([-1.0, 51.0], "both"),
        ([], "neither"),
    ],
)
def test_a_colour_bar_has_an_arrow_only_where_a_value_lies_beyond_it(values, ends):
    assert beyond(values, (0.0, 50.0)) == ends


def texts(figure):
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("exact-limits", {"no such network"}),
        ("imp-margin", {"band: 95 % interval of the rate"}),
        ("imp-decoy", {"irrepresentable value 1: threshold", "irrepresentable value, population"}),
        ("pr-auc", {"chance"}),
        ("pr-bingo", {"chance"}),
        ("pr-floor", {"small marker: one seed"}),
        ("table1", {"limit of * steps"}),
        ("table2", {"limit of * steps"}),
    ],
)
def test_marks_that_need_a_word_are_in_the_legend(results, name, entries):
    preset = "quick" if name == "exact-limits" else "smoke"
    found = texts(figures.draw(name, results(name, preset)))
    assert {entry for entry in entries if fnmatch.filter(found, entry)} == entries
