"""Figures 4 and 5 and their companions: cells, what one of each kind computes, summaries, and the claims' rules."""

import dataclasses
import json

import fabricated
import numpy as np
import pytest

import planted
from paper_repro import experiment as experiments
from paper_repro.experiments import inr
from paper_repro.experiments.grids import METHODS

FIGURES = {"fig4": inr.FIG4, "fig5": inr.FIG5}


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    """Look for data in an empty folder, so that the tests are the same on every machine."""
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path))
    inr.image_of.cache_clear()


@pytest.mark.parametrize(
    ("name", "m", "s"),
    [
        ("fig4", (2, 5, 10, 20, 50, 100, 200), (2, 5, 10, 20, 50, 100, 200, 500, 1000)),
        ("fig5", (1, 2, 5, 10, 20, 50, 100, 200), (5, 10, 20, 50, 100, 200, 500, 1000, 2000)),
    ],
)
def test_the_papers_size(name, m, s):
    cells = FIGURES[name].cells("paper", 0)
    assert {(cell.n_features, cell.n_iter, cell.block) for cell in cells} == {(1500, 100, 1)}
    assert {cell.seed for cell in cells} == {0, 1, 2}
    for depth in (1, 2):
        wanted = {(a, b, seed) for a in m for b in s for seed in (0, 1, 2) if (a, b) != (1, 2000)}
        for method in METHODS:
            own = [cell for cell in cells if (cell.method, cell.depth) == (method, depth)]
            assert {(cell.m, b, cell.seed) for cell in own for b in cell.s} == wanted
            # pruning makes one pass for all sparsities of a width
            assert len(own) == (len(m) * 3 if method.startswith("imp-") else len(wanted))
    assert inr.SIGMAS == {"grey": (2, 2), "colour": (5, 5, 0.05)}
    assert inr.COLOURS_DB == (0, 50)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("preset", ["smoke", "quick"])
def test_a_smaller_problem_keeps_the_proportion_of_features_to_samples(name, preset):
    cell = FIGURES[name].cells(preset, 0)[0]
    X, y = inr._problem(cell.data, cell.block, cell.n_features, 0, "float64")
    whole = {"fig4": 784, "fig5": 3072}[name]
    assert len(X) == len(y) == whole / cell.block**2
    assert X.shape[1] == cell.n_features
    assert X.shape[1] / len(X) == pytest.approx(1500 / whole, rel=0.01)
    assert y.mean() == pytest.approx(planted.inr_image(cell.data).pixels.mean())


def smoke(name, method, depth):
    """Return the widest cell of a method and depth."""
    own = [cell for cell in FIGURES[name].cells("smoke", 3) if (cell.method, cell.depth) == (method, depth)]
    return own[-1]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_a_cell_says_what_its_outputs_say(name, method, depth):
    cell = smoke(name, method, depth)
    metrics, arrays = FIGURES[name].compute(cell, "cpu")
    again, _ = FIGURES[name].compute(inr.INRCell(**json.loads(json.dumps(dataclasses.asdict(cell)))), "cpu")
    assert metrics == again
    target = inr.image_of(cell.data, cell.block).pixels.ravel()
    assert arrays["outputs"].shape == (len(cell.s), target.size)
    assert tuple(row["s"] for row in metrics["fits"]) == cell.s
    for row, output in zip(metrics["fits"], arrays["outputs"], strict=True):
        error = np.mean((output.astype(float) - target) ** 2)
        assert row["psnr_db"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
        assert row["clipped"] == pytest.approx(np.mean((output < -0.5 / 255) | (output > 1 + 0.5 / 255)), abs=1e-12)
        assert row["nonzeros"] <= row["s"]
    if method != "imp-paper":  # which leaves the zero function where a layer lost all of its weights
        zero = -10 * np.log10(np.mean(target**2))
        assert max(row["psnr_db"] for row in metrics["fits"]) > zero + 3


def test_methods_of_a_seed_see_the_release_s_features():
    cell = smoke("fig5", "paper", 1)
    X, y = inr._problem(cell.data, cell.block, cell.n_features, cell.seed, "float64")
    B = planted.release_frequencies(47, (5.0, 5.0, 0.05), cell.seed)
    row, column, plane = 3, 5, 2
    place = (row * 8 + column) * 3 + plane
    angle = 2 * np.pi * B @ [row, column, plane]
    np.testing.assert_allclose(X[place], [*np.sin(angle), *np.cos(angle)], atol=1e-12)
    assert y[place] == inr.image_of(cell.data, cell.block).pixels[row, column, plane]


@pytest.mark.parametrize("name", ["fig4", "fig5", "fig9", "fig10"])
def test_summaries_show_every_panel(name):
    summary = experiments.get(name).summarise("smoke", 0, fabricated.records(name, "smoke"))
    assert [len(row["panels"]) for row in summary["rows"]] == [4] * (2 if name in FIGURES else 4)
    assert "china.jpg" in summary["subtitle"]
    assert "(1,500)" in summary["subtitle"]
    assert "in the paper" in summary["subtitle"]
    shown = [row for row in summary["rows"] if row["unit"].startswith("median")]  # one seed has no spread
    values = [value for row in shown for panel in row["panels"] for line in panel["values"] for value in line]
    assert values
    assert None not in values
    json.dumps(summary, allow_nan=False)


def test_a_companion_shows_the_deviation_above_the_median():
    records = fabricated.records("fig9", "quick")
    rows = experiments.get("fig9").summarise("quick", 0, records)["rows"]
    own = [
        fit["psnr_db"]
        for record in records
        for fit in record.metrics["fits"]
        if (record.cell.settings["m"], fit["s"]) == (10, 20)
        and (record.cell.settings["method"], record.cell.settings["depth"]) == ("imp-fair", 2)
    ]
    assert len(own) == 2
    panels = [row["panels"][3] for row in rows[2:]]
    shown = [panel["values"][panel["m"].index(10)][panel["s"].index(20)] for panel in panels]
    assert shown == pytest.approx([np.std(own), np.median(own)])
    assert rows[2]["unit"].startswith("std")
    assert experiments.get("fig9").store_name == "fig4"


def test_images_are_those_of_the_first_seed_and_missing_ones_are_named():
    records = [record for record in fabricated.records("fig5", "smoke") if record.cell.settings["method"] != "robust"]
    first, second = inr.FIG5.summarise("smoke", 0, records)["images"]
    titles = [panel["title"] for panel in first["panels"]]
    assert titles == ["image", "IHT as in the paper", "IHT, robust", "IMP as in the paper", "IMP, fair"]
    np.testing.assert_array_equal(first["panels"][0]["pixels"], inr.image_of("photo-colour", 4).pixels)
    for row in (first, second):
        assert row["panels"][2]["text"] == "not computed"
        assert row["panels"][2]["pixels"] is None
        pixels = np.array(row["panels"][3]["pixels"])
        assert pixels.shape == (8, 8, 3)
        assert 0 <= pixels.min() < pixels.max() <= 1
        assert "dB" in row["panels"][3]["text"]
        assert "% clipped" in row["panels"][3]["text"]


SPARSITIES = (5, 10, 20, 50, 100, 200)


def lines(slopes):
    """Return trials over m = 1, 10, 100 for six sparsities and two seeds, with a slope for each method and depth."""
    found = {
        (depth, method): {
            (m, s): {seed: 20 + slope * np.log10(m) for seed in (0, 1)} for m in (1, 10, 100) for s in SPARSITIES
        }
        for (depth, method), slope in slopes.items()
    }
    return lambda depth, method: found.get((depth, method), {})


@pytest.mark.parametrize(
    ("ours", "paper", "fair", "verdicts"),
    [
        (-1.9, -2.1, -1.9, ("held", "not held")),
        (1.9, -9.0, -2.5, ("held", "held")),
        (2.1, -9.0, -9.0, ("not held", "not held")),
        (0.0, None, -3.0, ("not measured", "held")),
    ],
)
def test_the_rule_of_figure_4(ours, paper, fair, verdicts):
    slopes = {(1, "paper"): ours, (1, "imp-paper"): paper, (1, "imp-fair"): fair}
    values = lines({key: slope for key, slope in slopes.items() if slope is not None})
    (claim,) = inr.flat_claims(values, [1], "which image")
    assert (claim.verdict, claim.fair) == verdicts
    assert (claim.figure, claim.data) == ("Figure 4, one hidden layer", "which image")
    assert f"median slope {ours:+.1f}" in claim.measured
    assert claim.fair_interval.startswith("IHT flat: ")


def test_slopes_that_agree_in_half_of_the_cases_decide_nothing():
    falling = lines({(1, "imp-paper"): -9.0})(1, "imp-paper")
    mixed = {
        (m, s): {seed: (9.0 if s < 50 else 0.0) * np.log10(m) for seed in seeds} for (m, s), seeds in falling.items()
    }
    values = {"paper": mixed, "imp-paper": falling}
    (claim,) = inr.flat_claims(lambda depth, method: values.get(method, {}), [1], "")
    assert claim.verdict == "too close to call"
    assert claim.interval.startswith("IHT flat: 0.50 [")
    assert claim.interval.endswith("IMP falls: 1.00 [1.00, 1.00], limit 0.50")


def test_slopes_are_also_told_as_the_colours_show_them():
    values = {(1, "paper"): {(m, 5): {0: 40.0 + 20 * place} for place, m in enumerate((1, 10, 100))}}
    (claim,) = inr.flat_claims(lambda depth, method: values.get((depth, method), {}), [1], "")
    # 40, 60, 80 dB rise by 20 a decade; 40, 50, 50 by 5
    assert (
        "median slope +20.0, median |slope| 20.0 dB per decade (PSNR cut to 0 to 50 dB: +5.0 and 5.0)" in claim.measured
    )


def test_figure_5_counts_each_depth_and_both():
    slopes = {(1, "paper"): 4.0, (1, "imp-paper"): 0.0, (2, "paper"): 0.0, (2, "imp-paper"): 4.0}
    claims = inr.above_claims(lines(slopes), [1, 2], "which image")
    assert [claim.figure.split(", ")[1] for claim in claims] == ["one hidden layer", "two hidden layers", "both depths"]
    assert [claim.verdict for claim in claims] == ["held", "not held", "too close to call"]
    # of each 36, the 12 with m = 1 are equal
    assert (
        "above in 24 of 72 pairs of fits at 36 pairs (m, s), tied within 1 dB in 24, below in 24; "
        in claims[2].measured
    )
    assert {claim.fair for claim in claims} == {"not measured"}
    assert {claim.data for claim in claims} == {"which image"}


@pytest.mark.parametrize("name", ["fig4", "fig5"])
def test_claims_and_presets_name_the_image_and_its_size(name):
    experiment = experiments.get(name)
    summary = experiment.summarise("smoke", 0, fabricated.records(name, "smoke"))
    (data,) = {claim["data"] for claim in summary["claims"]}
    assert data == experiment.data("smoke")
    samples = {"fig4": "49 samples", "fig5": "192 samples"}[name]
    assert data.startswith("stand-in: ")
    assert samples in data
    assert "94 features, 1 seed (the paper: " in data
