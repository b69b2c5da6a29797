"""Errors along the path of pruning: what a cell computes, against plain code, and what the summary says."""

import fabricated
import numpy as np
import pytest

import planted
from linear_lottery.closed_forms import moments, risks
from paper_repro import experiment as experiments
from paper_repro.experiments import imp_risk
from paper_repro.experiments.common import stream
from paper_repro.store import Record


def instance(cell, trial):
    key = (cell.n, cell.d, cell.k, cell.seed, trial)
    X, y, w = planted.linear_model(cell.n, cell.d, cell.k, noise=1.0, rng=stream("imp-risk", "instance", *key))
    return X, y, w, cell.alpha * stream("imp-risk", "start", *key).standard_normal(cell.d)


def trained(X, y, w0, active):
    w = np.zeros(X.shape[1])
    part = X[:, active]
    w[active] = w0[active] + np.linalg.pinv(part) @ (y - part @ w0[active])
    return w


@pytest.mark.parametrize(("n", "d", "alpha"), [(30, 12, 0.0), (12, 30, 0.5)])
def test_a_cell_is_what_plain_code_finds(n, d, alpha):
    cell = imp_risk.RiskCell(n, d, alpha, 0, 2, k=3)
    metrics, arrays = imp_risk.compute(cell, "cpu")
    for trial in range(2):
        X, y, truth, w0 = instance(cell, trial)
        active, errors = np.arange(d), []
        while active.size:
            w = trained(X, y, w0, active)
            errors.append(np.sum((w - truth) ** 2))
            if active.size == 3:
                assert arrays["recovered"][trial] == np.array_equal(active, np.flatnonzero(truth))
            active = np.delete(active, np.argmin(np.abs(w[active])))
        np.testing.assert_allclose(arrays["imp"][trial], errors, rtol=1e-7)
        full = trained(X, y, w0, np.arange(d))
        kept = [np.where(np.isin(np.arange(d), np.argsort(np.abs(full))[d - m :]), full, 0) for m in range(d, 0, -1)]
        np.testing.assert_allclose(arrays["truncated"][trial], [np.sum((w - truth) ** 2) for w in kept], rtol=1e-7)
    assert metrics == {"trials": 2, "recovered": arrays["recovered"].sum()}


def test_fixed_masks_are_nested_hold_the_support_and_end_at_the_full_fit():
    cell = imp_risk.RiskCell(30, 12, 0.0, 0, 3, k=3)
    _, arrays = imp_risk.compute(cell, "cpu")
    sizes = arrays["fixed_sizes"].tolist()
    assert sizes == imp_risk.fixed_sizes(30, 12, 3)
    assert {1, 3, 12} <= set(sizes)
    for trial in range(3):
        X, y, truth, w0 = instance(cell, trial)
        support = np.flatnonzero(truth)
        oracle = np.sum((trained(X, y, w0, support) - truth) ** 2)
        assert arrays["fixed"][trial, sizes.index(3)] == pytest.approx(oracle)
        assert arrays["fixed"][trial, -1] == pytest.approx(arrays["imp"][trial, 0])
        assert arrays["fixed"][trial, 0] >= 2.0 - 1e-9  # two signals of size 1 are missing from a mask of one


def test_fixed_masks_have_the_mean_error_of_the_closed_form():
    cell = imp_risk.RiskCell(60, 20, 0.0, 5, 60, k=3)
    _, arrays = imp_risk.compute(cell, "cpu")
    for index, m in enumerate(arrays["fixed_sizes"]):
        errors = arrays["fixed"][:, index]
        exact = moments.fixed_mask_risk(60, int(m), 1.0, missing=max(3 - m, 0) * 1.0)
        assert abs(errors.mean() - exact) < 4 * errors.std(ddof=1) / 60**0.5


def test_the_presets_hold_the_panels_of_the_earlier_trial():
    for preset in ("quick", "cpu", "paper"):
        cells = imp_risk.cells(preset, 0)
        assert {(cell.n, cell.d, cell.alpha) for cell in cells} == set(imp_risk.FULL)
        assert {cell.k for cell in cells} == {10}


def test_the_summary_takes_medians_over_all_runs_and_leaves_out_infinite_means():
    records = fabricated.records("imp-risk", "smoke")
    summary = imp_risk.summarise("smoke", 0, records)
    assert [(one["n"], one["d"], one["alpha"]) for one in summary["panels"]] == [
        (40, 20, 0.0),
        (20, 40, 0.0),
        (20, 40, 0.1),
    ]
    few = summary["panels"][1]
    own = [record.arrays["imp"] for record in records if record.cell.settings["alpha"] == 0.0][2:]
    np.testing.assert_allclose(few["imp"]["median"], np.median(np.concatenate(own), axis=0))
    np.testing.assert_allclose(few["imp"]["high"], np.quantile(np.concatenate(own), 0.75, axis=0))
    assert few["runs"] == 6
    assert few["imp"]["survivors"][0] == 40
    assert [m for m in range(1, 41) if few["exact"][m - 1] is None] == [19, 20, 21]
    assert few["exact"][39] == pytest.approx(0.5 * 3 + 20 / 19)
    assert few["kept"] is None
    assert few["oracle"] == pytest.approx(3 / 16)
    many = summary["panels"][0]
    assert many["kept"]["mean"][-1] == pytest.approx(20 / 19)
    assert many["kept"]["mean"][2] == pytest.approx(risks.top_m_risk(20, 3, 3, 1.0, 19**-0.5))
    assert many["exact"][0] == pytest.approx(2 + 3 * 1 / 38)
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert (row["survivors"], row["closed form"]) == (20, pytest.approx(20 / 19))
    assert row["earlier trial"] is None  # that was another size


def test_the_table_of_the_full_size_stands_beside_the_earlier_trial():
    summary = imp_risk.summarise("quick", 0, fabricated.records("imp-risk", "quick"))
    rows = {tuple(row[:4]): row[-1] for row in summary["table"]["rows"]}
    assert rows[200, 100, 0.0, 30] == "mean 0.534"
    assert rows[100, 200, 0.0, 101] == "median 6.2"
    assert any("(earlier trial: 0.78)" in note for note in summary["notes"])


def test_a_panel_without_cells_is_left_out():
    experiment = experiments.get("imp-risk")
    cell = imp_risk.RiskCell(40, 20, 0.0, 0, 3, k=3)
    only = [Record(experiment.cell(cell), "done", "", *fabricated.outcome("imp-risk", experiment.cell(cell).settings))]
    assert len(imp_risk.summarise("smoke", 0, only)["panels"]) == 1
