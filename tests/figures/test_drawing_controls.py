"""The drawings of controls, margin and order: what they must show, and that they fit into axes of the caller."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import figures


def labels(figure):
    return {text for panel in figure.axes for text in (panel.get_xlabel(), panel.get_ylabel()) if text}


def test_the_controls_show_zero_and_their_mirror(results):
    figure = figures.draw("imp-controls", results("imp-controls"))
    excess, shape, growth, condition = figure.axes
    barriers = [line for line in excess.lines if line.get_fillstyle() == "none"]
    assert len(barriers) == 7
    assert all(np.all(line.get_ydata() == 0) for line in barriers)
    dips = [line for line in excess.lines if line.get_fillstyle() == "full" and line.get_marker() != "None"]
    assert all(np.all(line.get_ydata() < 0) for line in dips)
    assert excess.get_xlim()[0] > excess.get_xlim()[1]  # pruning runs to the right
    assert min(np.min(line.get_ydata()) for line in shape.lines) == pytest.approx(-0.25)
    assert growth.get_yscale() == "symlog"
    assert condition.get_yscale() == "log"
    assert "survivors m" in labels(figure)


def test_the_limit_is_drawn_in_each_panel_and_no_rate_is_interpolated_across_it(results):
    found = results("imp-margin")
    figure = figures.draw("imp-margin", found)
    limit = np.sqrt(2)
    for panel in figure.axes:
        assert any(np.all(line.get_xdata() == limit) for line in panel.lines if len(line.get_xdata()) == 2)
        assert panel.get_xscale() == "log"
    rates = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert len(rates) == len(found.meta["summary"]["laws"])
    for line in rates:
        right = np.array(line.get_xdata()) >= limit
        assert set(line.get_ydata()[right][~np.isnan(line.get_ydata()[right])]) <= {1.0}
    rug = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert sum(len(line.get_xdata()) for line in rug) > 10
    assert max(np.max(line.get_xdata()) for line in rug if len(line.get_xdata())) < limit


def test_the_order_is_shown_for_each_law_with_its_tau(results):
    found = results("imp-order")
    figure = figures.draw("imp-order", found)
    titles = [panel.get_title() for panel in figure.axes]
    assert titles[0].startswith("orthogonal\nequal norms\nτ = ")
    assert sum("τ = " in title for title in titles) == 5
    assert {"samples n", "Kendall's τ with IMP's order", "share of problems", "norm ratio (orthogonal)"} <= labels(
        figure
    )


@pytest.mark.parametrize(("name", "count"), [("imp-controls", 4), ("imp-margin", 4), ("imp-order", 8)])
def test_axes_of_the_caller_and_missing_cells(results, name, count):
    found = results(name, leave_out=3)
    figure = Figure(figsize=(12, 8))
    axes = list(figure.subplots(2, 4).ravel())
    assert figures.draw(name, found, axes=axes) is figure
    with pytest.raises(ValueError, match=rf"axes has 1 element\(s\); expected at least {count}"):
        figures.draw(name, found, axes=axes[:1])
