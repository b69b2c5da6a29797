"""Recovery rates of pruning and its competitors: what a cell computes, against plain code, and what summaries say."""

import importlib

import fabricated
import numpy as np
import pytest
import standin
from scipy.stats import binomtest

import planted
from linear_lottery.closed_forms import moments, probabilities
from paper_repro import experiment as experiments
from paper_repro.experiments import imp_decoy, imp_init, imp_phase, imp_risk, lottery
from paper_repro.experiments.common import stream
from paper_repro.store import Record
from planted.base import arrays


def records_of(name, cells):
    experiment = experiments.get(name)
    return [Record(experiment.cell(cell), "done", "", *experiment.compute(cell, "cpu")) for cell in cells]


def plain_pruning(X, y, k, drop):
    """Prune `drop` weights a round (None: all at once) after least squares of least norm."""
    active = np.arange(X.shape[1])
    while active.size > k:
        w = np.linalg.lstsq(X[:, active], y, rcond=None)[0]
        count = active.size - k if drop is None else min(drop, active.size - k)
        active = np.sort(active[np.argsort(np.abs(w))[count:]])
    return active


def plain_omp(X, y, k):
    chosen, residual = [], y
    for _ in range(k):
        score = np.abs(X.T @ residual) / np.linalg.norm(X, axis=0)
        score[chosen] = -1
        chosen.append(int(np.argmax(score)))
        residual = y - X[:, chosen] @ np.linalg.lstsq(X[:, chosen], y, rcond=None)[0]
    return np.sort(chosen)


@pytest.mark.parametrize("n", [12, 24])
def test_a_cell_of_the_phase_diagram_is_what_plain_code_finds(n):
    cell = imp_phase.PhaseCell(n, 0.9, 0, 25, d=16, k=2)
    metrics, found = imp_phase.compute(cell, "cpu")
    again = imp_phase.compute(cell, "cpu")
    assert metrics == again[0]
    plain = {"imp-1": [], "one-shot": [], "omp": []}
    for trial in range(25):
        rng = stream("imp-phase", "instance", n, 16, 2, 0, trial)
        X, y, w = planted.linear_model(n, 16, 2, amplitude=0.9, noise=1.0, rng=rng)
        support = np.flatnonzero(w)
        plain["imp-1"].append(np.array_equal(plain_pruning(X, y, 2, 1), support))
        plain["one-shot"].append(np.array_equal(plain_pruning(X, y, 2, None), support))
        plain["omp"].append(np.array_equal(plain_omp(X, y, 2), support))
    for method, outcomes in plain.items():
        assert found[method].tolist() == outcomes
        assert 0 < sum(outcomes) < 25  # neither always nor never
    assert metrics == {"trials": 25, **{method: int(found[method].sum()) for method in imp_phase.METHODS}}
    assert all(np.array_equal(found[method], again[1][method]) for method in imp_phase.METHODS)


def test_all_methods_and_all_amplitudes_of_a_trial_see_one_design_and_one_noise(monkeypatch):
    seen = []
    monkeypatch.setattr(imp_phase, "recovers", lambda *given: seen.append(given) or True)
    for amplitude in (0.5, 2.0):
        imp_phase.compute(imp_phase.PhaseCell(20, amplitude, 3, 1, d=10, k=2), "cpu")
    (_, X, y, support), (_, other_X, other_y, other_support) = seen[0], seen[-1]
    assert [given[0] for given in seen] == list(imp_phase.METHODS) * 2
    assert all(given[1] is X and given[2] is y for given in seen[:5])
    np.testing.assert_array_equal(X, other_X)
    np.testing.assert_array_equal(support, other_support)
    np.testing.assert_allclose(other_y - y, 1.5 * X[:, support].sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("method", lottery.LABELS)
def test_every_method_finds_an_easy_support_and_not_one_that_is_hidden(method):
    X, y, w = planted.linear_model(60, 12, 3, amplitude=5.0, noise=0.1, rng=0)
    support = np.flatnonzero(w)
    assert lottery.recovers(method, X, y, support)
    wrong = np.setdiff1d(np.arange(12), support)[:3]
    assert not lottery.recovers(method, X, y, wrong)


@pytest.mark.parametrize("preset", ["quick", "cpu", "paper"])
def test_the_points_of_the_earlier_trial_are_among_the_cells_and_head_the_table(preset):
    cells = imp_phase.cells(preset, 0)
    assert {(cell.n, cell.amplitude) for cell in cells} >= set(imp_phase.EARLIER)
    assert {(cell.d, cell.k, cell.noise) for cell in cells} == {(50, 5, 1.0)}
    assert {c.correlation for c in imp_decoy.cells(preset, 0)} >= {imp_decoy.EARLIER_CORRELATION}
    assert {c.noise for c in imp_decoy.cells(preset, 0)} == set(imp_decoy.EARLIER)
    assert {c.alpha for c in imp_init.cells(preset, 0)} >= set(imp_init.EARLIER)
    if preset == "quick":
        table = imp_phase.summarise(preset, 0, fabricated.records("imp-phase", preset))["table"]
        assert [(row[0], row[2]) for row in table["rows"][:4]] == list(imp_phase.EARLIER)
        assert table["rows"][0][-1] == "0.64 / 0.59 / 0.04 / 0.91 / 0.52"
        assert {row[-1] for row in table["rows"][4:]} == {None}


def test_the_summary_of_the_phase_diagram_adds_up_cells_and_stands_beside_the_closed_forms():
    cells = [imp_phase.PhaseCell(55, a, seed, 4) for a in (0.3, 0.8, 1.2) for seed in (0, 1)]
    experiment = experiments.get("imp-phase")
    counts = {0.3: 0, 0.8: 1, 1.2: 3}
    records = [
        Record(
            experiment.cell(cell), "done", "", {"trials": 4, **dict.fromkeys(imp_phase.METHODS, counts[cell.amplitude])}
        )
        for cell in cells
    ]
    summary = imp_phase.summarise("smoke", 0, records)
    assert [row[1] for row in summary["rates"]["omp"]] == [0.0, 0.25, 0.75]
    assert [row[0] for row in summary["rates"]["omp"]] == [None] * 3  # n = 25 was not run
    (ratio, place) = summary["half"]["omp"][0]
    assert ratio == 1.1
    assert place == pytest.approx(np.sqrt(0.8 * 1.2))  # half way between the logarithms
    wilson = binomtest(2, 8).proportion_ci(0.95, method="wilson")
    curve = summary["slices"][0]["curves"]["imp-1"]
    assert (curve["low"][1], curve["high"][1]) == pytest.approx((wilson.low, wilson.high))
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert row["closed form, orthogonal design"] == pytest.approx(
        probabilities.recovery_probability(50, 5, 0.8, 55**-0.5)
    )
    w = np.zeros(50)
    w[:5] = 0.8
    assert row["one-shot, approximate closed form"] == pytest.approx(
        moments.one_shot_recovery_approximation(55, w, 1.0)
    )
    for ratio, place in summary["exact_half"]:
        n = 50 * ratio
        assert probabilities.recovery_probability(50, 5, place, n**-0.5) == pytest.approx(0.5, abs=1e-6)
        assert n >= 50  # there is no orthogonal design with fewer samples than features
    for ratio, place in summary["approximated_half"]:
        if place is not None:
            assert imp_phase.approximated_one_shot(round(50 * ratio), 50, 5, place, 1.0) == pytest.approx(0.5, abs=1e-3)
    assert imp_phase.approximated_one_shot(51, 50, 5, 1.0, 1.0) is None


def test_the_misleading_column_defeats_omp_and_the_lasso_and_not_pruning():
    cell = imp_decoy.DecoyCell(0.9, 0.3, 0, 20)
    metrics, found = imp_decoy.compute(cell, "cpu")
    assert [metrics[method] for method in ("imp-1", "one-shot", "backward", "htp")] == [20] * 4
    assert metrics["omp"] == 0
    assert metrics["lasso"] <= 3  # at least 3 successes in 20 have a probability of 2e-4 where the rate is .01
    first = stream("imp-decoy", "instance", 60, 20, 3, 0, 0)
    X, _, w = planted.linear_model(60, 20, 3, design=planted.designs.decoy(0.9), noise=0.3, rng=first)
    support = np.flatnonzero(w)
    rest = np.setdiff1d(np.arange(20), support)
    weights = np.linalg.lstsq(X[:, support], X[:, rest], rcond=None)[0]
    assert found["irrepresentable"][0] == pytest.approx(np.abs(weights.sum(axis=0)).max())
    above = found["irrepresentable"] > 1
    assert metrics["above"] == {
        "trials": above.sum(),
        **{method: found[method][above].sum() for method in imp_decoy.METHODS},
    }


def test_the_summary_of_the_misleading_column_finds_where_the_measured_value_is_one():
    records = fabricated.records("imp-decoy", "quick")
    summary = imp_decoy.summarise("quick", 0, records)
    assert summary["population"] == pytest.approx(3**-0.5)
    assert summary["measured"] == pytest.approx(0.9 / 1.7, abs=1e-3)  # the made-up median is .1 + 1.7 c
    rates = summary["curves"]["0.3"]["lasso"]
    assert rates["correlation"] == list(imp_decoy.COARSE)
    assert rates["rate"][0] == 1.0
    assert rates["rate"][-1] < 0.5
    count = sum(record.metrics["above"]["trials"] for record in records)
    assert any(f"Of the {count} instances" in note for note in summary["notes"])


def test_starts_do_not_matter_with_enough_samples_and_do_with_few():
    metrics, found = imp_init.compute(imp_init.InitCell(1.0, 0, 5, n=40, d=15, k=3), "cpu")
    for method in imp_init.METHODS:
        assert metrics[f"{method} common"] == [0, 0, 0, 5]
        assert (found[method][:, 0] == found[method][:, 1]).all()
    metrics, found = imp_init.compute(imp_init.InitCell(0.3, 2, 6, n=20, d=40, k=2), "cpu")
    for method in imp_init.METHODS:
        assert metrics[f"{method} common"][2] < 6
        first, second = found[method].sum(axis=0)
        assert metrics[method] == first != second  # only the first start is counted
        assert np.bincount(found[f"{method} common"], minlength=3).tolist() == metrics[f"{method} common"]
    metrics, _ = imp_init.compute(imp_init.InitCell(0.0, 0, 2, n=15, d=40, k=3), "cpu")
    assert metrics["imp-10 common"] == [0, 0, 0, 2]


def test_the_summary_of_starts_takes_means_of_overlaps_and_approximates_one_shot_pruning():
    experiment = experiments.get("imp-init")
    cells = [imp_init.InitCell(0.1, seed, 4) for seed in (0, 1)]
    metrics = {"trials": 4, "imp-10": 3, "one-shot": 1, "imp-10 common": [0, 0, 0, 0, 1, 3]}
    metrics["one-shot common"] = [2, 0, 0, 0, 0, 2]
    summary = imp_init.summarise("quick", 0, [Record(experiment.cell(cell), "done", "", metrics) for cell in cells])
    assert summary["overlaps"]["imp-10"]["rate"] == [pytest.approx(0.95)]
    assert summary["overlaps"]["one-shot"]["rate"] == [pytest.approx(0.5)]
    assert summary["overlaps"]["one-shot"]["low"][0] < 0.5 < summary["overlaps"]["one-shot"]["high"][0] <= 1
    assert summary["rates"]["imp-10"]["rate"] == [0.75]
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert row["one-shot, approximate closed form"] == pytest.approx(0.661, abs=5e-4)
    assert summary["table"]["rows"][0][-1] == "1.00 / 0.68 / 0.99"


@pytest.mark.parametrize(
    "cell",
    [
        imp_phase.PhaseCell(12, 0.9, 0, 3, d=16, k=2),
        imp_phase.PhaseCell(24, 0.9, 0, 3, d=16, k=2),
        imp_decoy.DecoyCell(0.6, 0.3, 0, 3, n=30, d=10),
        imp_init.InitCell(0.3, 0, 2, n=15, d=30, k=3),
        imp_risk.RiskCell(12, 24, 0.1, 0, 2, k=3),
        imp_risk.RiskCell(24, 12, 0.0, 0, 2, k=3),
    ],
    ids=lambda cell: f"{type(cell).__name__}-{cell.n}-{cell.d}",
)
def test_a_cell_on_another_kind_of_array_gives_the_same_outcomes(monkeypatch, cell):
    module = importlib.import_module(type(cell).__module__)
    metrics, here = module.compute(cell, "cpu")
    monkeypatch.setattr(arrays, "namespace_of_device", lambda device: standin.namespace)  # computes like the GPU's
    other_metrics, there = module.compute(cell, "gpu")
    assert list(metrics) == list(other_metrics)
    for name, values in here.items():
        assert type(there[name]) is np.ndarray
        np.testing.assert_allclose(there[name], values, rtol=1e-9)


@pytest.mark.slow
def test_the_rates_of_the_earlier_trial_come_out():
    # the difference of two rates of 200 runs each: three and a half standard errors, so 1 in 2,000 false alarms a rate
    for (n, amplitude), earlier in imp_phase.EARLIER.items():
        metrics, _ = imp_phase.compute(imp_phase.PhaseCell(n, amplitude, 11, 200), "cpu")
        for method, rate in earlier.items():
            mean = (metrics[method] / 200 + rate) / 2
            assert abs(metrics[method] / 200 - rate) <= 3.5 * (2 * mean * (1 - mean) / 200) ** 0.5, (n, method)
