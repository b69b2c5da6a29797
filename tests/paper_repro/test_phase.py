"""Phase diagrams: what a cell draws and counts, and the regression behind the line of even odds."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

import planted
from paper_repro import experiment as experiments
from paper_repro.experiments import phase
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import fit_even_odds
from paper_repro.experiments.solvers import relative_error
from paper_repro.store import Record

GRID = [(n, s) for n in (10, 20, 40, 80) for s in (1, 3, 9)]
N, S = (np.array(values, dtype=float) for values in zip(*GRID, strict=True))


def plain_omp(A, y, k):
    chosen, residual = [], y
    for _ in range(k):
        score = np.abs(A.T @ residual)
        score[chosen] = -1
        chosen.append(int(np.argmax(score)))
        residual = y - A[:, chosen] @ np.linalg.lstsq(A[:, chosen], y, rcond=None)[0]
    return np.sort(chosen)


def test_both_operators_hide_the_same_weights_behind_unit_columns():
    cells = [phase.PhaseCell(operator, 25, 3, 5, 2, 1) for operator in phase.OPERATORS]
    (A, w), (other, same) = (phase.draw_problem(cell, 1) for cell in cells)
    np.testing.assert_array_equal(w, same)
    assert np.count_nonzero(w) == 3
    X, _, H, drawn = planted.gated_model(25, 8, 10, 3, rng=stream("phase", "instance", 25, 8, 10, 3, 5, 1))
    np.testing.assert_array_equal(w, drawn)
    column = X[:, 5] * (X @ H[:, 2] >= 0)
    np.testing.assert_allclose(A[:, 2 * 8 + 5], column / np.linalg.norm(column), rtol=1e-12)
    for columns in (A, other):
        assert columns.shape == (25, 80)
        np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1.0, rtol=1e-12)


@pytest.mark.parametrize("operator", phase.OPERATORS)
def test_a_cell_counts_what_plain_code_finds_and_slow_solvers_see_fewer_trials(operator):
    cell = phase.PhaseCell(operator, 12, 2, 0, 12, 2, d=4, p=5)
    metrics, errors = phase.compute(cell, "cpu")
    wanted = []
    for trial in range(12):
        A, w = phase.draw_problem(cell, trial)
        wanted.append(np.array_equal(plain_omp(A, A @ w, 2), np.flatnonzero(w)))
    assert (errors["omp"] <= 1e-4).tolist() == wanted
    assert metrics["omp"] == sum(wanted) > 0
    assert {method: metrics[f"{method} trials"] for method in phase.METHODS} == {
        method: 2 if method in phase.SLOW else 12 for method in phase.METHODS
    }
    again = phase.compute(cell, "cpu")
    assert again[0] == metrics


@pytest.mark.parametrize("method", phase.METHODS)
def test_every_solver_finds_what_is_easy(method):
    A, w = phase.draw_problem(phase.PhaseCell("gaussian", 150, 2, 0, 1, 1), 0)
    assert relative_error(method, A, w, 8) <= 1e-4


def draw(coefficients, trials, seed):
    a, b, c = coefficients
    odds = a + b * np.log(N) + c * np.log(S)
    return np.random.default_rng(seed).binomial(trials, 1 / (1 + np.exp(-odds)))


def test_the_regression_maximises_the_penalised_likelihood():
    successes, trials = draw((-4.0, 2.0, -2.0), 15, 0), np.full(len(N), 15)
    rows = np.column_stack([np.ones(len(N)), np.log(N), np.log(S)])

    def loss(beta):
        logit = rows @ beta
        rate = 1 / (1 + np.exp(-logit))
        information = (rows * (trials * rate * (1 - rate))[:, None]).T @ rows
        likelihood = successes @ logit - trials @ np.logaddexp(0, logit)
        return -likelihood - 0.5 * np.linalg.slogdet(information)[1]

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    fit = fit_even_odds(N, S, successes, trials)
    np.testing.assert_allclose(fit.coefficients, best.x, atol=1e-5)


def test_the_line_and_its_interval_on_many_trials():
    truth = (-6.0, 3.0, -2.0)
    fit = fit_even_odds(N, S, draw(truth, 20_000, 1), np.full(len(N), 20_000))
    np.testing.assert_allclose(fit.coefficients, truth, rtol=0.03)
    place, low, high = fit.samples(4.0)
    wanted = math.exp((6.0 + 2.0 * math.log(4.0)) / 3.0)
    assert low < wanted < high
    assert high / low < 1.02
    assert place == pytest.approx(wanted, rel=0.01)
    assert 0.2 < fit.misfit < 3


def test_the_interval_covers_the_truth_as_often_as_it_says():
    truth, wanted = (-6.0, 3.0, -2.0), math.exp((6.0 + 2.0 * math.log(3.0)) / 3.0)
    hits = 0
    for seed in range(300):
        place = fit_even_odds(N, S, draw(truth, 10, 100 + seed), np.full(len(N), 10)).samples(3.0)
        hits += place[1] <= wanted <= place[2]
    # 95 % of 300 are 285; four standard deviations of the count are 15
    assert 270 <= hits <= 300


def test_separated_outcomes_have_a_line_and_constant_ones_have_none():
    split = np.where(N / S > 10, 6, 0)
    fit = fit_even_odds(N, S, split, np.full(len(N), 6))
    assert np.isfinite(fit.coefficients).all()
    assert 8 < fit.samples(1.0)[0] < 25
    assert fit_even_odds(N, S, np.full(len(N), 6), np.full(len(N), 6)) is None
    assert fit_even_odds(N, S, np.zeros(len(N)), np.full(len(N), 6)) is None
    one = S == 3
    assert fit_even_odds(N[one], S[one], split[one], np.full(one.sum(), 6)) is None


def test_odds_that_fall_with_n_have_no_even_point():
    assert fit_even_odds(N, S, draw((3.0, -2.0, 1.0), 50, 3), np.full(len(N), 50)).samples(2.0) is None


def test_the_summary_adds_up_chunks_and_draws_lines_only_inside_the_grid():
    experiment = experiments.get("phase")
    records = []
    for cell in phase.cells("quick", 0) + phase.cells("quick", 1):
        metrics = {}
        for method in phase.METHODS:
            trials = cell.slow if method in phase.SLOW else cell.trials
            share = 1 / (1 + (4.0 * cell.s / cell.n) ** 4) if method == "omp" else 1.0
            metrics |= {method: round(share * trials), f"{method} trials": trials}
        records.append(Record(experiment.cell(cell), "done", "", metrics))
    summary = phase.summarise("quick", 0, records)
    found = summary["maps"][0]["omp"]
    assert found["rates"][2][3] == round(10 / (1 + (16 / 45) ** 4)) / 10
    for s, n, low, high in zip(*(found["line"][name] for name in ("s", "n", "low", "high")), strict=True):
        assert low < n < high
        assert n == pytest.approx(4 * s, rel=0.1)
        assert 12 <= n <= 170
    assert found["line"]["s"][0] > 2.5  # even odds of smaller s lie below the grid
    assert summary["maps"][0]["htp"]["line"]["n"] == []
    rows = [dict(zip(summary["table"]["columns"], row, strict=True)) for row in summary["table"]["rows"]]
    rows = {(row["operator"], row["solver"], row["s"]): row for row in rows}
    assert rows["ReLU gates", "OMP", 1]["n for even odds"] == "below 12"
    assert rows["ReLU gates", "HTP", 1]["n for even odds"] == "-"
    assert rows["ReLU gates", "HTP", 1]["n = 12"] == "1.00 [0.84, 1.00]"  # 20 trials
