"""The drawing of the population Gram figure: curves, points, limits, and axes of the caller."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import figures


def horizontal(panel):
    return [line.get_ydata()[0] for line in panel.lines if list(line.get_xdata()) == [0, 1]]


def test_limits_are_drawn_at_their_values_and_curves_end_at_a_half_and_at_zero(results):
    found = results("gram")
    summary = found.meta["summary"]
    entries, constants, condition, distance = figures.draw("gram", found).axes
    curves = [line for line in entries.lines if len(line.get_xdata()) == len(summary["angles"])]
    assert len(curves) == 3
    for line in curves:
        assert line.get_ydata()[[0, -1]] == pytest.approx([0.5, 0.0], abs=1e-15)
    limits = summary["limits"]
    assert sorted(horizontal(constants)) == pytest.approx(sorted([limits["delta_2"], limits["delta_3"], 3**-0.5]))
    assert sorted(horizontal(condition)) == pytest.approx([1, limits["condition"]])
    assert constants.get_xscale() == condition.get_xscale() == distance.get_xscale() == distance.get_yscale() == "log"
    assert {panel.get_xlabel() for panel in (constants, condition, distance)} == {"rows n"}
    assert "angle" in entries.get_xlabel()


def test_markers_are_medians(results):
    found = results("gram", "quick")
    summary = found.meta["summary"]
    constants = figures.draw("gram", found).axes[1]
    medians = [values["delta_3"][1] for values in summary["series"]["relu"]]
    drawn = [bars[0].get_ydata() for bars in constants.containers]
    assert len(drawn) == 4
    assert any(np.allclose(line, medians) for line in drawn)
    assert any("HTP still finds" in text.get_text() for text in constants.texts)


def test_axes_of_the_caller_and_missing_cells(results):
    found = results("gram", leave_out=6)
    figure = Figure(figsize=(9, 7))
    axes = list(figure.subplots(2, 2).ravel())
    assert figures.draw("gram", found, axes=axes) is figure
    with pytest.raises(ValueError, match=r"axes has 3 element\(s\); expected at least 4"):
        figures.draw("gram", found, axes=axes[:3])
