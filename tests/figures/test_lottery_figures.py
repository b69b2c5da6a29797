"""What the figures on recovery and risk of pruning show: labels, bands, lines of theory, and the caller's axes."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
import paper_repro

PANELS = {"imp-phase": 6, "imp-decoy": 3, "imp-init": 2, "imp-risk": 3}
LABELS = {
    "imp-phase": {"n / d", "size of a weight (noise = 1)", "share recovered"},
    "imp-decoy": {"correlation c of the null column", "share recovered", "irrepresentable value"},
    "imp-init": {"standard deviation alpha of the start (weights = 1)", "share recovered"},
    "imp-risk": {"survivors m", "excess test error |w - w*|²"},
}


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


@pytest.mark.parametrize("name", PANELS)
def test_titles_say_whose_experiment_it_is_and_axes_what_they_show(results, name):
    figure = figures.draw(name, results(name))
    assert figure.get_suptitle().startswith("Our experiment: ")
    found = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert found >= LABELS[name]
    assert len(legend_of(figure)) == len(set(legend_of(figure))) >= 4


@pytest.mark.parametrize("name", PANELS)
def test_the_callers_axes_are_used(results, name):
    figure = Figure(figsize=(12, 8))
    axes = list(figure.subplots(2, 4).ravel())
    assert figures.draw(name, results(name), axes=axes) is figure
    assert not figure.legends  # the figure is not ours: the legend goes into a panel
    assert axes[0].get_legend() is not None
    assert not axes[PANELS[name]].has_data()
    count = PANELS[name]
    with pytest.raises(ValueError, match=rf"axes has {count - 1} element\(s\); expected at least {count}"):
        figures.draw(name, results(name), axes=axes[: count - 1])


@pytest.mark.parametrize("name", PANELS)
def test_missing_cells_leave_gaps_and_do_not_stop_the_drawing(results, name):
    whole = len(paper_repro.experiment.get(name).cells("smoke", 0))
    figure = figures.draw(name, results(name, leave_out=whole // 2))
    assert len(figure.axes) >= 1


def test_the_maps_hold_the_rates_and_the_slices_their_bands(results):
    found = results("imp-phase", "quick")
    summary = found.meta["summary"]
    figure = figures.draw("imp-phase", found)
    maps, slices = figure.axes[:5], figure.axes[5:8]
    for axes, method in zip(maps, summary["methods"], strict=True):
        mesh = axes.collections[0]
        assert mesh.get_clim() == (0, 1)
        np.testing.assert_allclose(np.ravel(mesh.get_array()), np.ravel(summary["rates"][method]))
        half = line(axes, "even odds, measured")
        np.testing.assert_allclose(half.get_xydata(), summary["half"][method])
        assert line(axes, "exact closed form, orthogonal features").get_xdata().min() >= 1
    for axes, cut in zip(slices, summary["slices"], strict=True):
        assert f"n = {cut['n']}" in axes.get_title()
        bands = [item for item in axes.collections if isinstance(item, mpl.collections.PolyCollection)]
        assert len(bands) == len(summary["methods"])
        corners = bands[0].get_paths()[0].vertices[:, 1]
        curve = cut["curves"][summary["methods"][0]]
        assert corners.min() == pytest.approx(min(curve["low"]))
        assert corners.max() == pytest.approx(max(curve["high"]))
        np.testing.assert_allclose(line(axes, "OMP").get_ydata(), cut["curves"]["omp"]["rate"])


def test_the_lines_beyond_which_the_lasso_must_fail_are_where_the_value_is_one(results):
    found = results("imp-decoy", "quick")
    figure = figures.draw("imp-decoy", found)
    for axes in figure.axes[:2]:
        assert line(axes, "irrepresentable value 1, population").get_xdata()[0] == pytest.approx(3**-0.5)
        measured = line(axes, "irrepresentable value 1, measured median").get_xdata()[0]
        assert measured == pytest.approx(found.meta["summary"]["measured"])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["noise 0.3", "noise 0.6"]


def test_the_approximation_and_chance_are_drawn_beside_the_starts(results):
    found = results("imp-init", "quick")
    rates, overlaps = figures.draw("imp-init", found).axes
    assert line(rates, "one-shot, approximate closed form").get_ydata()[0] == pytest.approx(0.965, abs=5e-4)
    assert line(overlaps, "two random masks").get_ydata()[0] == pytest.approx(5 / 200)


def test_errors_stand_on_a_log_axis_with_the_peak_of_the_closed_form_cut_off(results):
    found = results("imp-risk", "quick")
    figure = figures.draw("imp-risk", found)
    assert [axes.get_yscale() for axes in figure.axes] == ["log"] * 3
    exact = line(figure.axes[1], "random nulls, exact mean (closed form)").get_ydata()
    assert np.flatnonzero(np.isnan(exact)).tolist() == [98, 99, 100]  # m = 99, 100, 101 with n = 100
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts == [["m = k"], ["m = k", "m = n"], ["m = k", "m = n"]]
    median = line(figure.axes[0], "IMP, median")
    one = found.meta["summary"]["panels"][0]
    np.testing.assert_allclose(median.get_ydata(), one["imp"]["median"])
    for band, name in zip(figure.axes[0].collections, ("fixed", "imp"), strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((min(one[name]["low"]), max(one[name]["high"])))
