"""Drawing: the same bytes each time, labels with units, nothing of matplotlib's state changed."""

import subprocess
import sys
import threading
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
from figures.style import style
from paper_repro import experiment

NAMES = sorted(experiment.layouts())
NETWORKS = ["fig1", "table1", "fig3-binary"]
FAST = ["centred", "table1"]
"""Drawn twice in the fast tier; the slow tier does so with all."""


BIG = ["fig6", "fig7", "fig10"]
"""Preset quick takes 3 s and more: it is looked at in the slow tier, smoke in the fast one."""


def slow_but(fast, *case):
    """Return a case for pytest, marked slow unless it is a fast one."""
    return pytest.param(*case, marks=[] if fast else pytest.mark.slow)


def texts(figure):
    return [item.get_text() for item in figure.findobj(mpl.text.Text) if item.get_text()]


@pytest.mark.parametrize("name", [slow_but(name in FAST, name) for name in NAMES])
def test_drawing_twice_gives_the_same_bytes_and_leaves_matplotlib_as_it_was(results, name):
    found = results(name)
    before = dict(mpl.rcParams)
    first = figures.render(figures.draw(name, found))
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "other", "image.cmap": "jet", "savefig.dpi": 30}):
        second = figures.render(figures.draw(name, found))
    assert first == second
    assert dict(mpl.rcParams) == before
    assert first["png"].startswith(b"\x89PNG")
    assert b"<svg" in first["svg"]
    assert b"dc:date" not in first["svg"]
    assert "matplotlib.pyplot" not in sys.modules or not mpl.pyplot.get_fignums()


def test_two_threads_that_draw_leave_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    entered, leave = threading.Event(), threading.Event()

    def other():
        with style():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with style():
        thread.start()
        entered.wait(0.5)  # with the settings of the first for what was before, it would put these back
    leave.set()
    thread.join()
    assert entered.is_set()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        slow_but(
            (size == "quick" and name not in BIG) or (size == "smoke" and name in [*FAST, *NETWORKS, *BIG]), name, size
        )
        for name in NAMES
        for size in ("smoke", "paper" if name in NETWORKS else "quick")
    ],
)
def test_each_panel_is_labelled_and_nothing_is_clipped(results, name, preset):
    found = results(name, preset)
    figure = figures.draw(name, found)
    with style():
        figure.draw_without_rendering()
        box = figure.get_tightbbox()  # around every label, tick, legend and title, in inches
    width, height = figure.get_size_inches()
    assert box.x0 > -0.01
    assert box.y0 > -0.01
    assert box.x1 < width + 0.01
    assert box.y1 < height + 0.01
    labels = {axes.get_xlabel() for axes in figure.axes} - {""}
    labels |= {axes.get_ylabel() for axes in figure.axes} - {""}
    assert (
        labels
        >= {
            "fig1": {"non-zero weights s", "two hidden layers\nhidden width m", "median PSNR (dB)"},
            "fig3-binary": {"non-zero weights s", "two hidden layers\nhidden width m", "mean test accuracy"},
            "table1": {"gates updated every k steps", f"PSNR after {20 if preset == 'smoke' else 100} steps (dB)"},
        }.get(name, set())  # those of the others are looked at in tests of their own
    )
    assert labels


def test_the_title_of_figure_3_names_its_data(results, monkeypatch, tmp_path):
    for folder, words in (
        (tmp_path / "none", "scikit-learn digits (MNIST was not found)"),
        (tmp_path, "MNIST, 0 against"),
    ):
        if folder == tmp_path:
            (tmp_path / "mnist").mkdir()
            for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
                (tmp_path / "mnist" / f"{name}-ubyte.gz").write_bytes(b"")
        monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(folder))
        assert words in figures.draw("fig3-binary", results("fig3-binary")).get_suptitle()


def test_titles_say_which_figure_of_which_paper_and_the_papers_size(results):
    title = figures.draw("fig1", results("fig1")).get_suptitle().split("\n")
    assert title[0] == "Figure 1 of arXiv:2509.20323, preset smoke"
    assert title[-1] == "the paper's size: n = 50,000, d = 100, m and s up to 1,000"
    paper = figures.draw("table1", results("table1", "paper")).get_suptitle().split("\n")
    assert paper[0] == "Table 1 of arXiv:2509.20323, at the paper's size"
    assert not any("the paper's size:" in line for line in paper)
    assert "arXiv" not in figures.draw("centred", results("centred")).get_suptitle()
    assert not figures.draw("fig1", results("fig1"), title=False).get_suptitle()


def test_table_1_is_a_table_too(results):
    found = results("table1")
    panel = figures.draw("table1", found).axes[4]
    (drawn,) = panel.tables
    texts = {place: cell.get_text().get_text() for place, cell in drawn.get_celld().items()}
    summary = found.meta["summary"]
    assert [texts[0, place + 1] for place in range(len(summary["k"]))] == [f"k = {k}" for k in summary["k"]]
    psnr = np.median(summary["psnr_db"][summary["methods"][0]][summary["label_types"][0]][0])
    assert texts[1, 1].startswith(f"{psnr:.0f} / ")


def test_figure_3_shows_the_simpler_models_with_their_numbers(results):
    found = results("fig3-binary")
    shown = "\n".join(texts(figures.draw("fig3-binary", found)))
    assert len(found.meta["summary"]["baselines"]) == 4
    for baseline in found.meta["summary"]["baselines"]:
        assert f"{baseline['label']}: {baseline['accuracy']:.4f}" in shown
    assert "one neuron, 10 pixels" in shown


def test_the_paper_is_shown_only_beside_its_own_size(results):
    for preset, there in (("smoke", False), ("paper", True)):
        assert ("paper" in texts(figures.draw("table1", results("table1", preset)))) is there


def test_cells_that_cannot_exist_are_grey_and_missing_ones_are_crossed(results):
    found = results("fig1", leave_out=1)  # the first cell is (m, s) = (1, 2) of the first method and depth
    figure = figures.draw("fig1", found)
    crosses = [[item.get_text() for item in axes.texts].count("×") for axes in figure.axes[:23]]
    # one in the first of five panels of PSNR, and in those of the same function and the same network below it
    assert crosses == [1, 0, 0, 0, 0] * 3 + [0] * 8
    possible = results("fig1", "quick").meta["summary"]["rows"][0]["panels"][1]["possible"]
    values = figures.draw("fig1", results("fig1", "quick")).axes[1].texts
    assert len(values) == np.sum(possible) < np.size(possible)
    assert "350" in {item.get_text() for item in values}  # an exact fit, at the documented cap


def test_colours_are_clipped_and_numbers_are_not(results):
    figure = figures.draw("fig1", results("fig1"))
    images = [image for axes in figure.axes[:23] for image in axes.images if image.get_clim() == (-20.0, 50.0)]
    assert len(images) == 9
    assert max(float(image.get_array().max()) for image in images) > 50


@pytest.mark.parametrize("name", NETWORKS)
def test_axes_of_the_caller_are_used(results, name):
    found = results(name)
    figure = Figure(figsize=(10, 9))
    axes = figure.subplots(5, 5).ravel()
    assert figures.draw(name, found, axes=list(axes)) is figure
    assert axes[0].get_title() == "IHT as in the paper"
    with pytest.raises(ValueError, match=r"axes has 1 element\(s\); expected at least ([2345]|10|23)"):
        figures.draw(name, found, axes=[axes[0]])


def test_wrong_names_and_empty_results_are_sentences(results):
    found = results("fig1")
    with pytest.raises(ValueError, match=r"name='fig11' is not a figure .* expected one of .*fig1"):
        figures.draw("fig11", found)
    with pytest.raises(ValueError, match=r"results are those of 'fig1'; expected those of 'table1'"):
        figures.draw("table1", found)
    found.meta["summary"] = {}
    with pytest.raises(ValueError, match="no finished cell"):
        figures.draw("fig1", found)


def test_drawing_imports_neither_the_computing_packages_nor_pyplot():
    code = (
        "import sys, figures, figures.panels, figures.table1, figures.classifiers; "
        "heavy = {'paper_repro', 'planted.base.arrays', 'planted.networks', 'recovery', 'scipy', 'matplotlib.pyplot'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]", done.stderr
