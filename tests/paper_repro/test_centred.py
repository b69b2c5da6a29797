"""Raw against centred gates: what the arms are given, what counts as right, and the paired test."""

from types import SimpleNamespace

import numpy as np
import pytest

import recovery
from paper_repro import experiment as experiments
from paper_repro.experiments import centred
from paper_repro.store import Record

CELL = centred.CentredCell(40, 2, "mixed", 0, 2, d=5)


def test_one_generator_of_each_pair():
    H = centred.pair_generators(8)
    assert H.shape == (8, 56)
    assert set(np.abs(H).sum(axis=0)) == {2.0}
    both = np.concatenate([H, -H], axis=1)
    assert len({tuple(column) for column in both.T}) == 112


@pytest.mark.parametrize("signs", centred.SIGNS)
def test_the_labels_are_a_sum_of_neurons(signs):
    cell = centred.CentredCell(60, 3, signs, 4, 1)
    X, A, w, y = centred.draw_problem(cell, 0)
    H = centred.pair_generators(8)
    np.testing.assert_array_equal(A, recovery.GatedOperator.from_generators(X, H).columns(np.arange(448)))
    blocks = w.reshape(56, 8)
    chosen = np.flatnonzero(np.abs(blocks).sum(axis=1))
    outputs = [blocks[j] @ H[:, j] / 2 for j in chosen]
    assert len(chosen) == 3
    assert set(outputs) <= ({1.0} if signs == "positive" else {1.0, -1.0})
    network = sum(v * np.maximum(X @ H[:, j], 0) for v, j in zip(outputs, chosen, strict=True))
    np.testing.assert_allclose(y, network, atol=1e-12)


def test_both_arms_are_given_the_same_problem_up_to_the_linear_part(monkeypatch):
    seen = []

    def solve(A, y, sparsity, solver, **options):
        seen.append((A, y, sparsity, solver, options))
        return SimpleNamespace(x=np.zeros(A.shape[1]))

    monkeypatch.setattr(recovery, "solve", solve)
    centred.compute(CELL, "cpu")
    X, A, _, y = centred.draw_problem(CELL, 0)
    raw, other = seen[:3], seen[3:6]
    assert [given[2:] for given in raw] == [given[2:] for given in other]
    assert all(given[2] == 4 for given in seen)
    np.testing.assert_array_equal(raw[0][0], A)
    columns, labels = other[0][:2]
    assert np.abs(X.T @ columns).max() < 1e-12
    assert np.abs(X.T @ labels).max() < 1e-12
    # what was taken away is linear in X
    assert np.linalg.lstsq(X, A - columns, rcond=None)[1].max() < 1e-20
    np.testing.assert_allclose(labels, columns @ centred.draw_problem(CELL, 0)[2], atol=1e-12)
    assert np.linalg.norm(y - labels) > 0.1


def answers(monkeypatch, change):
    """Count what is right if every solver answers the planted weights plus a change of them."""
    trial = iter(np.repeat(range(CELL.trials), 2 * len(centred.SOLVERS)))

    def solve(A, y, sparsity, solver, **options):
        X, columns, w, _ = centred.draw_problem(CELL, int(next(trial)))
        return SimpleNamespace(x=w + change(X, columns))

    monkeypatch.setattr(recovery, "solve", solve)
    return centred.compute(CELL, "cpu")


def test_the_planted_weights_are_right_in_both_arms_and_others_are_not(monkeypatch):
    metrics, _ = answers(monkeypatch, lambda X, A: np.zeros(A.shape[1]))
    assert metrics == {"trials": 2, **{f"{name} {arm}": 2 for name in centred.SOLVERS for arm in centred.ARMS}}
    metrics, _ = answers(monkeypatch, lambda X, A: np.full(A.shape[1], 1e-3))
    assert sum(metrics.values()) == 2


def test_other_weights_that_fit_up_to_a_linear_function_do_not_count(monkeypatch):
    def null_vector(X, A):
        basis, _ = np.linalg.qr(X)
        z = np.linalg.svd(A - basis @ (basis.T @ A))[2][-1]
        assert np.linalg.norm(A @ z) > 1e-3  # linear in X and not zero
        return z

    metrics, found = answers(monkeypatch, null_vector)
    assert sum(metrics.values()) == 2
    assert found["htp centred other"].all()
    assert not found["htp raw other"].any()


def test_a_linear_part_that_is_left_is_an_error(monkeypatch):
    # weights that are right to 1e-4, and whose difference leaves a larger linear part, are not
    def steep(X, A):
        basis, triangle = np.linalg.qr(X)
        linear = np.linalg.solve(triangle, basis.T @ A)
        return 0.9e-4 * 2 * np.linalg.svd(linear)[2][0]  # |w| = 2

    metrics, found = answers(monkeypatch, steep)
    assert all(found[f"{name} raw"].all() for name in centred.SOLVERS)
    assert not any(found[f"{name} centred"].any() for name in centred.SOLVERS)
    assert metrics["niht raw"] == 2


def test_the_paired_test_is_the_sign_test():
    assert centred.paired_test(0, 0) == 1.0
    assert centred.paired_test(3, 3) == 1.0
    assert centred.paired_test(5, 0) == pytest.approx(2 / 2**5)
    assert centred.paired_test(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)


def test_the_summary_pairs_instances_and_adds_up_cells():
    experiment = experiments.get("centred")
    cells = [centred.CentredCell(250, 1, "positive", seed, 20) for seed in (0, 1)]
    raw = np.arange(20) < 5
    arm = {"raw": raw, "centred": np.arange(20) >= 2}
    found = {f"{name} {key}": value for name in centred.SOLVERS for key, value in arm.items()}
    found |= {f"{key} other": np.zeros(20, dtype=bool) for key in found}
    found |= {f"ratio {key}": np.ones(20) for key in arm}
    summary = centred.summarise("quick", 0, [Record(experiment.cell(c), "done", "", {}, found) for c in cells])
    row = dict(zip(summary["table"]["columns"], summary["table"]["rows"][0], strict=True))
    assert (row["trials"], row["only centred"], row["only raw"]) == (40, 30, 4)
    assert row["raw"].startswith("0.25 [")
    assert not any("earlier" in text for text in (*row, *summary["notes"]))  # only what was measured here
    first = summary["panels"][0]["curves"]["positive"]
    assert (first["n"], first["raw"]["rate"], first["centred"]["rate"], first["differs"]) == (
        [250],
        [0.25],
        [0.9],
        [True],
    )
    assert "NIHT 30 versus 4" in " ".join(summary["notes"])


@pytest.mark.slow
def test_rates_of_niht_are_those_of_other_code():
    # 20 runs there, 100 here: within three and a half standard errors
    rates = {(1, 250): (0.55, 0.80), (1, 400): (0.55, 1.0), (1, 800): (0.70, 1.0)}
    rates |= {(2, 400): (0.45, 0.80), (2, 800): (0.80, 0.80), (3, 400): (0.10, 0.25)}
    for (k, n), other in rates.items():
        metrics, _ = centred.compute(centred.CentredCell(n, k, "positive", 77, 100), "cpu")
        for arm, rate in zip(centred.ARMS, other, strict=True):
            mean = (metrics[f"niht {arm}"] + 20 * rate) / 120
            error = (mean * (1 - mean) * (1 / 20 + 1 / 100)) ** 0.5
            assert abs(metrics[f"niht {arm}"] / 100 - rate) <= 3.5 * error, (k, n, arm)
