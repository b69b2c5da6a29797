"""The controls that are zero in linear models: what a cell measures, and that a fault would be said."""

import numpy as np
import pytest

import linear_lottery
import planted
from paper_repro import experiment as experiments
from paper_repro.experiments import imp_controls
from paper_repro.experiments.imp_controls import LOSS_ROUNDING, log_growth
from paper_repro.store import Record


def computed(preset="smoke"):
    experiment = experiments.get("imp-controls")
    return [
        Record(experiment.cell(cell), "done", "", *experiment.compute(cell, "cpu"))
        for cell in experiment.cells(preset, 0)
    ]


def test_the_excess_is_that_of_the_losses_computed_one_by_one():
    rng = np.random.default_rng(0)
    X, y, weights = rng.standard_normal((12, 5)), rng.standard_normal(12), rng.standard_normal((4, 5))

    def loss(w):
        return sum((float(row @ w) - target) ** 2 for row, target in zip(X, y, strict=True)) / 24

    found = imp_controls.excess_over_chord(X, y, weights)
    assert found.shape == (3, 19)
    for step in range(3):
        for index, a in enumerate(imp_controls.POSITIONS):
            start, end = weights[step], weights[step + 1]
            wanted = loss((1 - a) * start + a * end) - (1 - a) * loss(start) - a * loss(end)
            assert found[step, index] == pytest.approx(wanted, rel=1e-9)


def test_a_cell_measures_dips_that_are_not_zero_and_barriers_that_are():
    for record in computed():
        arrays = record.arrays
        assert arrays["highest"].max() <= LOSS_ROUNDING
        assert arrays["deviation"].max() < 1e-14
        assert arrays["lowest"].min() < -1e-3
        np.testing.assert_allclose(arrays["lowest"], -arrays["rise"] / 4, atol=1e-14)
        assert np.all(log_growth(arrays["cond"])[np.isfinite(arrays["cond"][:, :-1])] <= 1e-12)


def test_the_condition_numbers_are_those_of_the_survivors():
    cell = imp_controls.ControlsCell("toeplitz", 3, 8, 2, trials=1)
    _, arrays = imp_controls.compute(cell, "cpu")
    X, y, _ = planted.linear_model(
        24,
        8,
        2,
        design=planted.designs.toeplitz(0.9),
        noise=0.5,
        signs="random",
        rng=imp_controls.stream("imp-controls", "toeplitz", 24, 8, 3, 0),
    )
    masks = linear_lottery.imp(X, y, 1).masks
    np.testing.assert_allclose(arrays["cond"][0], [np.linalg.cond(X[:, mask]) ** 2 for mask in masks], rtol=1e-9)


def test_growth_is_not_a_number_where_the_condition_is_infinite():
    found = log_growth(np.array([np.inf, 100.0, 10.0, 10.0, 20.0]))
    np.testing.assert_allclose(found, [np.nan, -1.0, 0.0, np.log10(2)])


def test_the_table_counts_and_a_fault_is_said_first():
    records = computed()
    summary = imp_controls.summarise("smoke", 0, records)
    rows = [dict(zip(summary["table"]["columns"], row, strict=True)) for row in summary["table"]["rows"]]
    assert len(rows) == len(imp_controls.CASES)
    assert all(row["problems"] == 3 and row["steps"] == 3 * 9 for row in rows)
    assert all(row["barrier > rounding"] == row["cond grew > rounding"] == 0 for row in rows)
    assert not any("FAULT" in note for note in summary["notes"])
    ill = next(row for row in rows if row["design"].startswith("singular"))
    assert ill["cond(X'X) at d (median)"] == pytest.approx(1e6, rel=1e-6)
    last = records[-1].arrays
    last["highest"][0, 2], last["cond"][0, 8] = 1e-9, 1e3 * last["cond"][0, 7]
    broken = imp_controls.summarise("smoke", 0, records)
    assert broken["notes"][0].startswith("FAULT: Gaussian, n = d / 2: 1 barriers and 1 growths")
    assert broken["cases"][-1]["barrier"][2] == 1e-9
