"""What the figures on pruning planted models show: labels, bands, closed forms, and the caller's axes."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
import paper_repro
from paper_repro.experiments import pr_ablations, pr_auc

PANELS = {"pr-auc": 6, "pr-bingo": 3, "pr-transfer": 6, "pr-ablations": 4}
LABELS = {
    "pr-auc": {"updates of training", "samples n", "linear model\nAUC, first layer"},
    "pr-bingo": {"probes of a weight, N", "variance / that of one probe", "standard deviation of the start"},
    "pr-transfer": {"share of relevant inputs in common", "linear model\nerror on the target"},
    "pr-ablations": {"share of the kept\nweights that matter", "test error\n(relative)"},
}


def bands(axes):
    return [item for item in axes.collections if isinstance(item, mpl.collections.PolyCollection)]


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


@pytest.mark.parametrize("name", PANELS)
def test_titles_say_whose_experiment_it_is_and_axes_what_they_show(results, name):
    figure = figures.draw(name, results(name))
    assert figure.get_suptitle().startswith("Our experiment: ")
    found = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert found >= LABELS[name]
    assert len(figure.axes) == PANELS[name]


@pytest.mark.parametrize("name", PANELS)
def test_the_callers_axes_are_used(results, name):
    figure, count = Figure(figsize=(12, 8)), PANELS[name]
    axes = list(figure.subplots(2, 4).ravel())
    assert figures.draw(name, results(name), axes=axes) is figure
    assert not figure.legends  # the figure is not ours: a legend goes into a panel
    assert not axes[count].has_data()
    with pytest.raises(ValueError, match=rf"axes has {count - 1} element\(s\); expected at least {count}"):
        figures.draw(name, results(name), axes=axes[: count - 1])


@pytest.mark.parametrize("name", PANELS)
def test_missing_cells_leave_gaps_and_do_not_stop_the_drawing(results, name):
    whole = len(paper_repro.experiment.get(name).cells("smoke", 0))
    for leave_out in (1, whole // 2, whole - 1):
        assert len(figures.draw(name, results(name, leave_out=leave_out)).axes) >= 1


def test_every_criterion_has_a_curve_with_its_band(results):
    found = results("pr-auc", "quick")
    figure = figures.draw("pr-auc", found)
    for number, row in enumerate(found.meta["summary"]["rows"]):
        points, paths, samples = figure.axes[3 * number : 3 * number + 3]
        for axes, names in ((points, pr_auc.POINT), (paths, [name for name in pr_auc.ALL if name not in pr_auc.POINT])):
            assert len(bands(axes)) == len(names)
            for name in names:
                drawn = line(axes, pr_auc.LABELS[name])
                np.testing.assert_allclose(drawn.get_ydata(), row["curves"][name]["mean"])
                np.testing.assert_array_equal(drawn.get_xdata(), row["steps"])
        assert len(bands(samples)) == 2 * len(pr_auc.OVER_N)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(texts) == sorted([*pr_auc.LABELS.values(), "chance"])


def test_variances_stand_beside_the_exact_lines(results):
    found = results("pr-bingo", "quick")
    variance, linear, relu = figures.draw("pr-bingo", found).axes
    exact = [item.get_ydata() for item in variance.get_lines() if item.get_linestyle() == "-"]
    marks = np.array(found.meta["summary"]["marks"], dtype=float)
    np.testing.assert_allclose(exact[0], (1 - 4.0**-marks) / 3)
    np.testing.assert_allclose(exact[1], 1 / marks)
    assert variance.get_yscale() == "log"
    assert len(bands(linear)) == 7
    assert len(bands(relu)) == 5
    assert {"published average: σ²/3", "running mean: σ²/N"} <= {text.get_text() for text in variance.texts}


def test_closed_forms_are_lines_for_linear_models_alone_and_errors_end_at_the_floor(results):
    found = results("pr-transfer", "quick")
    figure = figures.draw("pr-transfer", found)
    panels = found.meta["summary"]["panels"]
    for axes, one in zip(figure.axes, panels, strict=True):
        assert axes.get_yscale() == "log"
        assert f"$n_T$ = {one['n']}" in axes.get_title()
        lines = [item for item in axes.get_lines() if len(item.get_xdata()) == len(one["overlaps"])]
        assert len(lines) == (10 if one["kind"] == "linear" else 5)
        assert min(min(item.get_ydata()) for item in lines) >= 1e-3
    exact = panels[0]["exact"]["source"]
    assert any(np.allclose(item.get_ydata(), np.maximum(exact, 1e-3)) for item in figure.axes[0].get_lines()[:2])


def test_each_change_has_a_dot_and_the_base_a_line(results):
    found = results("pr-ablations", "quick")
    figure = figures.draw("pr-ablations", found)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert [name for name in names if name in pr_ablations.ROWS.values()] == list(pr_ablations.ROWS.values())
    assert [text.get_text() for text in figure.axes[0].texts] == ["one scope"] * 2
    assert not figure.axes[2].texts
    for axes, (model, what) in zip(
        figure.axes,
        [(model, what) for model in found.meta["summary"]["models"] for what in ("right", "error")],
        strict=True,
    ):
        dots = [item.get_xdata()[0] for item in axes.get_lines() if item.get_marker() == "o"]
        np.testing.assert_allclose(dots, [point["mean"] for point in model[what].values()])
        assert axes.get_lines()[0].get_xdata()[0] == pytest.approx(model[what]["base"]["mean"])
