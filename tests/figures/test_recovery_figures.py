"""What the figures on conditions and recovery show: lines, bands, and what is infinite, unknown or never holds."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
from figures.heatmap import log_edges

PANELS = {"phase": 14, "conditions": 12, "rsc": 2, "centred": 6}
LABELS = {
    "phase": {"samples n", "ReLU gates\nnon-zeros s", "share recovered"},
    "conditions": {"samples n", "ReLU gates, s = 2\nshare"},
    "rsc": {"planted non-zero weights s", "β / α on the planted support", "32 (β / α)² s / (d m)"},
    "centred": {"samples n", "share recovered"},
}


@pytest.mark.parametrize("name", PANELS)
def test_titles_labels_and_legends(results, name):
    figure = figures.draw(name, results(name))
    assert figure.get_suptitle().startswith("Our experiment: ")
    found = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert found >= LABELS[name]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == len(set(texts)) >= 4


@pytest.mark.parametrize("name", PANELS)
def test_axes_of_the_caller_and_missing_cells(results, name):
    found = results(name, leave_out=3)
    figure = Figure(figsize=(12, 12))
    axes = list(figure.subplots(5, 5).ravel())
    assert figures.draw(name, found, axes=axes) is figure
    assert not figure.legends
    assert not axes[PANELS[name]].has_data()
    with pytest.raises(ValueError, match=rf"axes has 1 element\(s\); expected at least {PANELS[name]}"):
        figures.draw(name, found, axes=axes[:1])


def test_edges_lie_half_way_between_logarithms():
    np.testing.assert_allclose(log_edges([1, 4, 16]), [0.5, 2, 8, 32])


def test_the_maps_of_the_phase_diagram_hold_the_rates_and_their_line(results):
    found = results("phase", "quick")
    summary, figure = found.meta["summary"], figures.draw("phase", found)
    for position, axes in enumerate(figure.axes[:12]):
        row, column = divmod(position, 6)
        shown = summary["maps"][row][summary["methods"][column]]
        mesh = next(item for item in axes.collections if isinstance(item, mpl.collections.QuadMesh))
        assert mesh.get_clim() == (0, 1)
        np.testing.assert_allclose(np.ravel(mesh.get_array()), np.ravel(shown["rates"]))
        (line,) = axes.get_lines()
        np.testing.assert_allclose(line.get_xdata(), shown["line"]["n"])
        np.testing.assert_allclose(line.get_ydata(), shown["line"]["s"])
    below = figure.axes[12]
    assert [line.get_label() for line in below.get_lines()] == list(summary["labels"].values())
    band = below.collections[0].get_paths()[0].vertices[:, 0]
    line = summary["maps"][0]["iht"]["line"]
    assert (band.min(), band.max()) == pytest.approx((min(line["low"]), max(line["high"])))


def test_what_never_holds_is_written_and_not_drawn(results):
    found = results("conditions")
    summary, figure = found.meta["summary"], figures.draw("conditions", found)
    written = 0
    for axes, shown in zip(figure.axes, summary["panels"], strict=False):
        words = "".join(text.get_text() for text in axes.texts)
        for name in shown["never"]:
            assert summary["symbols"][name] in words
            written += 1
        drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == len(shown["n"])]
        assert len(drawn) == 1 + len(shown["curves"]) - len(shown["never"])
        np.testing.assert_allclose(drawn[0].get_ydata(), shown["solved"]["rate"])
    assert written > 0
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(legend) >= {"solver recovers", "unknown", "n = N", *summary["conditions"].values()}


def test_infinite_ratios_leave_the_panel(results):
    found = results("rsc")
    ratio, asked = figures.draw("rsc", found).axes
    curves = {curve["m"]: curve for curve in found.meta["summary"]["curves"]}
    arrows = [text for text in ratio.texts if text.arrow_patch is not None]
    endless = sum(
        high is None and low is not None
        for curve in curves.values()
        for low, high in zip(curve["low"], curve["high"], strict=True)
    )
    assert len(arrows) == endless > 0
    widest = next(line for line in ratio.get_lines() if line.get_label() == "m = 2")
    np.testing.assert_allclose(widest.get_ydata(), curves[2]["median"])
    assert any(line.get_label().startswith("1: all hidden weights") for line in asked.get_lines())


def test_stars_stand_where_the_arms_differ(results):
    found = results("centred")
    summary = found.meta["summary"]
    summary["panels"][3]["curves"]["positive"]["differs"] = [False, True]
    figure = figures.draw("centred", found)
    stars = [[text.get_position()[0] for text in axes.texts] for axes in figure.axes]
    assert stars == [[], [], [], [120], [], []]
    for axes, shown in zip(figure.axes, summary["panels"], strict=True):
        raw, centred, *mixed = axes.get_lines()
        assert len(mixed) == 2
        first = shown["curves"]["positive"]
        np.testing.assert_allclose(raw.get_ydata(), first["raw"]["rate"])
        np.testing.assert_allclose(centred.get_ydata(), first["centred"]["rate"])
        corners = axes.collections[1].get_paths()[0].vertices[:, 1]
        assert (corners.min(), corners.max()) == pytest.approx(
            (min(first["centred"]["low"]), max(first["centred"]["high"]))
        )
