"""What the figures on pruning with images show: labels, markers that name the methods, bands, the paper's numbers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
from figures import pr_accuracy

PANELS = {"pr-accuracy": 7, "pr-floor": 2, "pr-neq": 4, "pr-neq-phi": 12}
LABELS = {
    "pr-accuracy": {"weights kept (%)", "test accuracy (%)", "difference (points)"},
    "pr-floor": {"weights pruned", "test accuracy", "cost (trainings of the dense network)", "pruned at the floor"},
    "pr-neq": {"multiply-adds saved in backward passes", "counted minus executed savings (points)"},
    "pr-neq-phi": {"epoch", "frozen units"},
}


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


@pytest.mark.parametrize("name", PANELS)
def test_axes_say_what_they_show_and_those_of_the_caller_are_used(results, name):
    found = results(name)
    figure = figures.draw(name, found)
    assert len(figure.axes) == PANELS[name]
    shown = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert shown >= LABELS[name]
    other = Figure(figsize=(14, 12))
    axes = list(other.subplots(3, 5).ravel())
    assert figures.draw(name, found, axes=axes) is other
    assert not other.legends
    assert not axes[PANELS[name]].has_data()


def test_accuracies_stand_on_a_log_scale_of_the_error_and_the_list_is_the_legend(results):
    found = results("pr-accuracy", "quick")
    summary = found.meta["summary"]
    figure = figures.draw("pr-accuracy", found)
    before, ranking = figure.axes[0], figure.axes[6]
    snip = line(before, "SNIP")
    curve = summary["families"][0]["curves"]["snip"]
    np.testing.assert_allclose(1 - snip.get_ydata(), curve["mean"])
    assert before.get_yscale() == "log"
    top, bottom = before.get_ylim()
    assert top > bottom  # errors fall upwards
    names = [text.get_text() for text in ranking.get_yticklabels()]
    assert len(names) == len(summary["ranking"]) == sum(len(family["curves"]) for family in summary["families"])
    marked = [item for item in ranking.get_lines() if len(item.get_xdata()) == 1]
    place = marked[names.index("SNIP")]
    assert (place.get_marker(), place.get_color()) == (snip.get_marker(), snip.get_color())
    assert place.get_xdata()[0] == pytest.approx(100 * curve["mean"][summary["keep"].index(0.05)])


def test_each_method_of_a_family_looks_different(results):
    for family in results("pr-accuracy").meta["summary"]["families"]:
        looks = pr_accuracy.look_of(family)
        assert len({look[:2] for look in looks.values()}) == len(family["curves"])


def test_the_ordering_carries_its_verdicts(results):
    figure = figures.draw("pr-accuracy", results("pr-accuracy", "quick"))
    texts = [text.get_text() for text in figure.axes[5].get_legend().get_texts()]
    assert len(texts) == 7
    assert "SNIP − random: held" in texts


def test_the_floor_and_the_papers_numbers_are_drawn(results):
    found = results("pr-floor", "quick")
    ways, ends = figures.draw("pr-floor", found).axes
    assert {0.9} <= {item.get_ydata()[0] for item in ways.get_lines() if len(set(item.get_ydata())) == 1}
    assert {0.71, 0.85} <= {item.get_ydata()[0] for item in ends.get_lines() if len(item.get_xdata()) == 2}
    texts = {text.get_text() for text in ends.texts}
    assert texts == {"paper: BINGO, 71 % in 17 min", "paper: IMP, 85 % in 122 min"}
    imp = line(ways, "IMP")
    np.testing.assert_allclose(imp.get_ydata(), found.meta["summary"]["methods"]["imp"]["mean"])


def test_neq_stands_beside_its_rivals_at_equal_savings(results):
    found = results("pr-neq", "quick")
    figure = figures.draw("pr-neq", found)
    errors = figure.axes[0]
    assert (errors.get_yscale(), figure.axes[1].get_yscale()) == ("log", "linear")
    places = line(errors, "NEq").get_xdata()
    np.testing.assert_allclose(line(errors, "random freezing").get_xdata(), places)
    assert len(places) == 5
    assert len(line(errors, "NEq, calibrated eps").get_xdata()) == 2
    ticks = [text.get_text() for text in figure.axes[2].get_yticklabels()]
    assert ticks[3].startswith("1e-3: 8")


def test_the_threshold_is_drawn_where_velocities_are(results):
    figure = figures.draw("pr-neq-phi", results("pr-neq-phi"))
    rows = [figure.axes[3 * row] for row in range(4)]
    has = [any(item.get_ydata()[0] == 1e-3 for item in axes.get_lines() if len(item.get_xdata()) == 2) for axes in rows]
    assert has == [False, False, True, False]
    assert [axes.get_yscale() for axes in rows] == ["log", "log", "log", "linear"]
