"""The figure of exact recovery: cells, one of each kind, what the summary makes of them, and what is drawn."""

import dataclasses
import math

import fabricated
import numpy as np
import pytest

import figures
import planted
from figures import limits
from paper_repro import experiment as experiments
from paper_repro.encoding import encode
from paper_repro.experiments import exact
from paper_repro.store import Record

SERIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
GRID = exact.ExactCell("grid", "exact", 3, 8, 500, 8, 0, None)


def record(cell, **metrics):
    return Record(experiments.get("exact").cell(cell), "done", "", metrics, {}, {"wall_s": 1.5})


def test_the_papers_grid_and_size():
    cells = exact.cells("paper", 0)
    for method in (*exact.METHODS, exact.DATA):
        grid = [cell for cell in cells if (cell.part, cell.method) == ("grid", method)]
        assert {(cell.n, cell.d) for cell in grid} == {(50_000, 100)}
        wanted = {(m, s, seed) for m in SERIES for s in SERIES for seed in (0, 1, 2) if s <= 100 * m}
        assert {(cell.m, cell.s, cell.seed) for cell in grid} == wanted
        assert len(grid) == 3 * 94
    assert {cell.n_iter for cell in cells if cell.method == "paper"} == {15}
    assert {cell.trials for cell in cells if cell.part == "samples"} == {10}
    assert {cell.method for cell in cells if cell.part == "noise"} == set(exact.METHODS)


def test_methods_share_their_instances():
    parts = [
        {dataclasses.replace(cell, method="", n_iter=None) for cell in exact.cells("quick", 3) if cell.method == method}
        for method in exact.METHODS
    ]
    assert parts[0] == parts[1] == parts[2]
    without_noise = {cell for cell in parts[0] if cell.part != "noise"}
    data = {dataclasses.replace(cell, method="") for cell in exact.cells("quick", 3) if cell.method == exact.DATA}
    assert data == without_noise


@pytest.mark.parametrize("method", exact.METHODS)
def test_a_cell_of_the_grid(method):
    steps = {"paper": 15, "robust": 100, "exact": None}[method]
    cell = dataclasses.replace(GRID, method=method, n_iter=steps, m=5, s=20, d=10, n=800)
    metrics, kept = exact.compute(cell, "cpu")
    again, _ = exact.compute(cell, "cpu")
    assert encode(metrics) == encode(again)
    assert metrics["exact"] is (method != "paper")
    assert metrics["claimed"] is (method == "exact")
    assert (metrics["weight_error"] < 1e-12) is (method != "paper")
    assert (metrics["psnr_db"] > 250) is (method != "paper")
    assert kept["hidden_value"].size == metrics["nonzeros"]


def test_a_cell_of_what_the_data_determine():
    metrics, _ = exact.compute(dataclasses.replace(GRID, method=exact.DATA), "cpu")
    _, _, truth = planted.release_instance(3, 8, 0, n=500, d=8)
    assert metrics["determined"] is True
    assert (metrics["lines"], metrics["unknowns"]) == (
        truth.kink_form().n_lines,
        16 + sum(len(support) for support in truth.kink_form().supports if len(support) > 1),
    )
    assert metrics["digits"] > 12
    found, _ = exact.compute(dataclasses.replace(GRID, part="samples", method=exact.DATA, trials=3, n=20), "cpu")
    assert found["determined"] == [False, False, False]  # 24 unknowns and 20 rows


def test_trials_end_with_the_second_failure(monkeypatch):
    seen = []

    def one(cell, seed, device):
        seen.append(seed)
        return {"exact": seed not in (6, 8), "claimed": seed != 6, "weight_error": 0.1}, {}

    monkeypatch.setattr(exact, "_one", one)
    cell = exact.ExactCell("samples", "exact", 3, 8, 100, 8, 5, None, trials=10)
    metrics, kept = exact.compute(cell, "cpu")
    assert seen == [5, 6, 7, 8]
    assert metrics == {"exact": [True, False, True, False], "claimed": [True, False, True, True]}
    assert kept["errors"].shape == (4,)


def test_a_cell_under_noise_is_compared_with_an_oracle():
    cell = dataclasses.replace(GRID, part="noise", snr_db=20.0, n=1000)
    metrics, _ = exact.compute(cell, "cpu")
    X, y, truth = planted.release_instance(3, 8, 0, n=1000, d=8, labels="float64")
    # the oracle: 8 weights of n labels, noise of a tenth of them
    assert metrics["oracle_error"] == pytest.approx(0.1 * math.sqrt(8 / 1000), rel=1.0)
    assert metrics["error"] < 4 * metrics["oracle_error"]
    clean = exact.oracle_network(X, y, truth)
    # least squares at a condition number of less than 100
    np.testing.assert_allclose(clean.hidden, truth.hidden, atol=1e-12)
    assert not metrics["claimed"]


def test_the_smallest_n_is_that_from_which_on_all_are_reached():
    ladder = (100, 200, 400, 800)
    assert exact.smallest_n({100: True, 200: False, 400: True, 800: True}, ladder) == 400
    assert exact.smallest_n({100: True, 200: True, 400: True, 800: True}, ladder) == 100
    assert exact.smallest_n({400: True, 800: False}, ladder) is None
    assert exact.smallest_n({800: True}, ladder) == 800  # 400 was not measured
    assert exact.smallest_n({}, ladder) is None


def test_another_network_is_wrong_where_the_data_tell_it_from_the_planted_one():
    scores = {"psnr_db": 330.0, "claimed": True}
    records = [
        record(GRID, exact=True, **scores),
        record(dataclasses.replace(GRID, seed=1), exact=False, **scores),
        record(dataclasses.replace(GRID, seed=2), exact=False, **scores),
        record(dataclasses.replace(GRID, seed=1, method=exact.DATA), determined=False),
        record(dataclasses.replace(GRID, seed=2, method=exact.DATA), determined=True),
        record(dataclasses.replace(GRID, part="samples", trials=10), exact=[True, False], claimed=[True, True]),
        record(
            dataclasses.replace(GRID, part="noise", snr_db=10.0), exact=False, claimed=True, error=2.0, oracle_error=1.0
        ),
    ]
    table = exact.summarise("smoke", 0, records)["tables"][0]
    row = dict(zip(table["columns"], table["rows"][2], strict=True))
    assert (row["fits of the grid"], row["exact"], row["fits reported as exact (all parts)"]) == (3, 1, 6)
    # seed 2; the second of the trials, which is seed 1, told by n = 500 as little; noise is never exact
    assert row["wrongly reported"] == 2
    assert row["another network that the data do not distinguish from it"] == 2


def test_the_summary_has_shares_medians_and_curves():
    records = fabricated.records("exact", "quick")
    summary = exact.summarise("quick", 0, records)
    shares, scores = summary["rows"]
    assert [panel["title"] for panel in shares["panels"]] == ["IHT as in the paper", "IHT, robust", "exact recovery"]
    assert shares["limits"] == [0.0, 100.0]
    assert scores["limits"] == [-20.0, 50.0]
    cell = shares["panels"][1]["values"][1][1]
    m, s = exact.PRESETS["quick"].grid.m[1], exact.PRESETS["quick"].grid.s[1]
    own = [
        one.metrics["exact"]
        for one in records
        if (one.cell.settings["part"], one.cell.settings["method"]) == ("grid", "robust")
        and (one.cell.settings["m"], one.cell.settings["s"]) == (m, s)
    ]
    assert cell == pytest.approx(100 * np.mean(own))
    methods = summary["samples"]["methods"]
    points = len(exact.PRESETS["quick"].points)
    assert methods["paper"]["n"] == [None] * points
    assert methods["exact"]["n"] == [200] * points
    assert methods["data"]["n"] == [200] * points
    (noise,) = summary["noise"]
    assert noise["curves"]["robust"]["ratio"] == pytest.approx([2.0] * 3)
    assert noise["curves"]["oracle"]["error"] == pytest.approx([10 ** (-db / 20) / 10 for db in noise["snr_db"]])
    assert "the data distinguish all lines in" in summary["subtitle"]


def test_the_limits_show_the_worst_seed():
    records = fabricated.records("exact", "quick")
    summary = exact.summarise_limits("quick", 0, records)
    size = exact.PRESETS["quick"]
    angles = [
        one.metrics["angle"]
        for one in records
        if (one.cell.settings["part"], one.cell.settings["method"]) == ("grid", "data")
        and (one.cell.settings["m"], one.cell.settings["s"]) == (size.grid.m[2], size.grid.s[1])
    ]
    assert len(angles) == 3
    assert summary["panels"][0]["values"][2][1] == min(angles)
    assert [panel["title"].split()[0] for panel in summary["panels"]] == ["smallest", "rows", "condition", "digits"]


def test_what_is_drawn(results):
    figure = figures.draw("exact", results("exact", "quick"))
    labels = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    assert {"(m, s)", "signal-to-noise ratio (dB)", "relative error, median", "smallest n, 9 of 10 seeds"} <= labels
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        "IHT as in the paper", "IHT, robust", "exact recovery", "oracle", "the data distinguish all lines",
        "number of unknowns", "more than 400 samples", "no such network",
    }  # fmt: skip
    arrows = next(axes for axes in figure.axes if axes.get_xlabel() == "(m, s)").texts
    assert len(arrows) == 4  # the paper's and the robust method at each of two sizes, as made up
    figure = figures.draw("exact-limits", results("exact-limits", "quick"))
    assert [axes.get_title() for axes in figure.axes[:4]] == [panel[0] for panel in exact.LIMITS]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (math.inf, "inf"), (5.4e-4, "5e-4"), (0.25, "0.2"), (12.0, "12"), (1.8e6, "2e6")]
)
def test_texts_of_powers(value, text):
    assert limits._power(limits._exponent(value)) == text
