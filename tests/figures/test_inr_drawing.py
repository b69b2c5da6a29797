"""Drawing of figures 4, 5, 9 and 10: heat maps of four methods, and images that show the stored values."""

import numpy as np
import pytest
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import figures
from figures.heatmap import heatmap
from figures.style import style


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    """Look for data in an empty folder, so that the tests are the same on every machine."""
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path))


@pytest.mark.parametrize("name", ["fig4", "fig5"])
def test_images_are_the_pixels_of_the_summary_not_smoothed(results, name):
    found = results(name)
    axes = figures.draw(name, found).axes
    shown = [panel for row in found.meta["summary"]["images"] for panel in row["panels"]]
    drawn = axes[8:18]
    assert len(shown) == len(drawn) == 10
    for panel, here in zip(shown, drawn, strict=True):
        (image,) = here.images
        np.testing.assert_array_equal(image.get_array(), panel["pixels"])
        assert image.get_interpolation() == "nearest"
        assert here.get_xlabel() == panel["text"]
        assert not here.get_xticks().size
        if name == "fig4":  # black is 0 and white is 1, whatever an image holds
            assert isinstance(image.norm, Normalize)
            assert image.get_clim() == (0.0, 1.0)
            assert image.get_cmap().name == "gray"
    assert [here.get_title().replace("\n", " ") for here in drawn[:5]] == [panel["title"] for panel in shown[:5]]
    assert drawn[0].get_ylabel().startswith("one hidden layer\nm = ")
    assert drawn[5].get_ylabel().startswith("two hidden layers\nm = ")


def test_a_missing_image_leaves_an_empty_panel(results):
    found = results("fig4", leave_out=6)  # the six cells of the first method and depth
    axes = figures.draw("fig4", found).axes
    assert not axes[9].images
    assert axes[9].get_xlabel() == "not computed"
    assert [item.get_text() for item in axes[0].texts].count("×") == 6


@pytest.mark.parametrize(("name", "unit"), [("fig4", "median PSNR (dB)"), ("fig10", "std of PSNR (dB)")])
def test_nothing_touches_the_edge_and_bars_have_units(results, name, unit):
    figure = figures.draw(name, results(name))
    with style():
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01
    assert unit in {axes.get_ylabel() for axes in figure.axes}
    assert "china.jpg" in figure.get_suptitle()


@pytest.mark.parametrize(("sparsities", "angle"), [((10, 50), 0), ((5, 10, 20, 50, 100, 200, 500, 1000, 2000), 90)])
def test_many_sparsities_are_written_upright(sparsities, angle):
    axes = Figure().subplots()
    values, possible = [[1.0] * len(sparsities)], [[True] * len(sparsities)]
    heatmap(axes, values, possible, (5,), sparsities, (0.0, 50.0), label=str)
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {angle}
