"""Recovery over the margin: the noise is what it says, sqrt(2) is tight, and a violation would be said."""

import math

import numpy as np
import pytest

import linear_lottery
from paper_repro import experiment as experiments
from paper_repro.experiments import imp_margin
from paper_repro.experiments.imp_margin import LIMIT, bins
from paper_repro.store import Record

SIZE = {"n": 20, "d": 6, "k": 2, "trials": 8}


def test_the_margin_is_measured_on_the_data():
    rng = np.random.default_rng(0)
    X, noise = rng.standard_normal((9, 4)), rng.standard_normal(9)
    w = np.array([0.0, -3.0, 0.5, 0.0])
    inside = X @ np.linalg.lstsq(X, noise, rcond=None)[0]
    wanted = math.sqrt(np.linalg.eigvalsh(X.T @ X)[0]) * 0.5 / np.linalg.norm(inside)
    assert imp_margin.margin(X, w, noise) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("case", imp_margin.CASES)
@pytest.mark.parametrize("law", imp_margin.LAWS)
def test_problems_are_as_described(case, law):
    cell = imp_margin.MarginCell(case, law, 0, **SIZE)
    for trial in range(4):
        X, w, noise = imp_margin.draw_problem(cell, trial)
        again = imp_margin.draw_problem(cell, trial)
        assert all(np.array_equal(one, other) for one, other in zip((X, w, noise), again, strict=True))
        assert np.count_nonzero(w) == 2
        assert np.abs(w[w != 0]).min() == 1.0
        assert np.abs(w).max() <= 4.0
        low, high = imp_margin.RANGES[law]
        assert low * (1 - 1e-12) <= imp_margin.margin(X, w, noise) <= high * (1 + 1e-12)
        if law.endswith("round") and trial % 2:
            assert imp_margin.margin(X, w, noise) / LIMIT == pytest.approx(1, abs=imp_margin.NEAR)
        if case == "twins":
            values = np.linalg.svd(X / math.sqrt(20), compute_uv=False) ** 2
            np.testing.assert_allclose(values, [1.9, 1, 1, 1, 1, 0.1], atol=1e-12)


@pytest.mark.parametrize("case", ["orthogonal", "twins"])
@pytest.mark.parametrize("law", ["first-round", "last-round"])
@pytest.mark.parametrize("schedule", imp_margin.SCHEDULES.values())
def test_the_square_root_of_two_is_tight(case, law, schedule):
    for seed in range(3):
        X, w, noise = imp_margin.draw_problem(imp_margin.MarginCell(case, law, seed, **SIZE), 0)
        at_limit = noise * imp_margin.margin(X, w, noise) / LIMIT
        for share, exact in ((1 + 1e-6, True), (1 - 1e-6, False)):
            found = linear_lottery.imp(X, X @ w + at_limit / share, 2, schedule=schedule).support
            assert np.array_equal(found, np.flatnonzero(w)) is exact


def test_adversarial_noise_beats_random_noise_of_the_same_length():
    cell = imp_margin.MarginCell("gaussian", "first-round", 1, **SIZE)
    X, w, noise = imp_margin.draw_problem(cell, 0)
    eta = np.linalg.pinv(X) @ (noise / np.linalg.norm(noise))
    support = w != 0
    weakest = int(np.argmin(np.where(support, np.abs(w), np.inf)))
    cost = np.abs(eta[~support]).max() - np.sign(w[weakest]) * eta[weakest]
    rng = np.random.default_rng(2)
    for _ in range(200):
        random = rng.standard_normal(20)
        other = np.linalg.pinv(X) @ (random / np.linalg.norm(random))
        assert np.abs(other[~support]).max() - np.sign(w[weakest]) * other[weakest] < cost


def test_one_edge_of_the_bins_is_the_limit():
    edges = bins(np.array([0.013, 3.9]))
    assert np.min(np.abs(edges - LIMIT)) == 0
    assert edges[0] <= 0.013 < 3.9 <= edges[-1]
    np.testing.assert_allclose(np.diff(np.log10(edges)), 1 / 8)


def made(margins, exact):
    """One record a design and kind of noise, all with the same trials."""
    experiment = experiments.get("imp-margin")
    arrays = {"margin": np.array(margins), "exact": np.array(exact)}
    return [Record(experiment.cell(cell), "done", "", {}, dict(arrays)) for cell in experiment.cells("smoke", 0)]


def test_rates_failures_and_the_table_count_what_the_records_say():
    records = made([0.5, 0.55, 1.3, 2.0], [[False, False, False], [True, False, True], [False, True, True], [True] * 3])
    summary = imp_margin.summarise("smoke", 0, records)
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert (row["problems"], row["right of sqrt(2)"], row["failures there"]) == (4, 1, 0)
    assert row["largest failing margin / sqrt(2), one by one"] == pytest.approx(1.3 / LIMIT)
    assert row["largest failing margin / sqrt(2), one-shot"] == pytest.approx(0.5 / LIMIT)
    place = int(np.digitize(0.52, summary["edges"])) - 1
    assert [summary["rates"][column][0][place]["rate"] for column in range(3)] == [0.5, 0.0, 0.5]
    assert summary["rates"][0][0][place]["n"] == 2 * len(imp_margin.CASES)
    assert summary["failures"][0][0] == sorted([0.5, 1.3] * len(imp_margin.CASES), reverse=True)
    assert summary["violations"] == 0
    assert "VIOLATION" not in "".join(summary["notes"])


def test_a_failure_right_of_the_line_is_said_first():
    summary = imp_margin.summarise("smoke", 0, made([0.5, 1.5], [[True] * 3, [True, False, True]]))
    count = len(imp_margin.CASES) * len(imp_margin.LAWS)
    assert summary["violations"] == count
    assert summary["notes"][0].startswith(f"VIOLATION: {count} failures")


def test_a_cell_finds_no_violation_and_counts_itself():
    cell = imp_margin.MarginCell("gaussian", "gaussian", 0, **SIZE)
    metrics, arrays = imp_margin.compute(cell, "cpu")
    assert metrics["violations"] == 0
    assert metrics["exact"] == arrays["exact"].mean(axis=0).tolist()
    assert arrays["exact"].shape == (8, 3)
    assert arrays["exact"].dtype == bool
    X, w, noise = imp_margin.draw_problem(cell, 5)
    assert arrays["margin"][5] == imp_margin.margin(X, w, noise)
