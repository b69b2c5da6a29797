"""The primal-dual witness and the irrepresentable value, against scikit-learn's coordinate descent."""

import math
from itertools import product

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from recovery.conditions import exact_recovery_coefficient, irrepresentability, primal_dual_witness


def lasso(X, y, lam):
    return Lasso(alpha=lam, fit_intercept=False, tol=1e-13, max_iter=200_000).fit(X, y).coef_


def instance(seed, n=24, d=10, k=3):
    rng = np.random.default_rng(seed)
    scales = np.exp(0.3 * rng.standard_normal(d))  # columns of different norms
    X = rng.standard_normal((n, d)) * scales + 0.4 * rng.standard_normal((n, 1))
    support = np.sort(rng.choice(d, k, replace=False))
    w = np.zeros(d)
    w[support] = rng.choice([-1.0, 1.0], k) * (0.2 + rng.random(k))
    y = X @ w + 0.2 * rng.standard_normal(n)
    return X, y, w, support, float(np.exp(rng.uniform(np.log(0.01), np.log(0.5))))


def test_the_witness_says_what_the_lasso_finds():
    held = 0
    for seed in range(300):
        X, y, w, support, lam = instance(seed)
        signs = np.sign(w[support])
        witness = primal_dual_witness(X, y, lam, support, signs)
        coef = lasso(X, y, lam)
        exact = np.array_equal(np.flatnonzero(coef), support) and np.array_equal(np.sign(coef[support]), signs)
        assert witness.holds is not None
        assert witness.holds == exact, (seed, witness)
        if exact:
            held += 1
            np.testing.assert_allclose(witness.weights, coef[support], atol=1e-9)
            np.testing.assert_allclose(witness.dual, X.T @ (y - X @ coef) / (len(y) * lam), atol=1e-9)
    assert 60 <= held <= 240


def test_what_the_lasso_finds_has_a_witness():
    # the other way round: S and signs read off the solution, where they need not be the planted ones
    for seed in range(60):
        X, y, _, _, lam = instance(seed, n=12, d=20)
        coef = lasso(X, y, lam)
        support = np.flatnonzero(coef)
        witness = primal_dual_witness(X, y, lam, support, np.sign(coef[support]))
        assert witness.holds, (seed, witness)
        np.testing.assert_allclose(witness.weights, coef[support], atol=1e-7)


def test_the_formulas_of_the_notes(backend):
    rng = np.random.default_rng(0)
    n, lam, support, signs = 30, 0.3, np.array([1, 4, 6]), np.array([1.0, -1.0, 1.0])
    X, noise = rng.standard_normal((n, 9)), 0.3 * rng.standard_normal(n)
    part, rest = X[:, support], np.setdiff1d(np.arange(9), support)
    truth = np.array([1.0, -2.0, 0.5])
    G = part.T @ part / n
    P = part @ np.linalg.pinv(part)
    primal = truth + np.linalg.solve(G, part.T @ noise / n - lam * signs)
    dual = X[:, rest].T @ (part @ np.linalg.solve(G, signs) / n + (noise - P @ noise) / (n * lam))
    order = np.array([2, 0, 1])  # the support may come in any order, with its signs
    found = primal_dual_witness(
        backend.put(X), backend.put(part @ truth + noise), lam, backend.put(support[order]), backend.put(signs[order])
    )
    np.testing.assert_allclose(backend.get(found.weights), primal, rtol=1e-12)
    np.testing.assert_allclose(backend.get(found.dual)[rest], dual, atol=1e-12)
    np.testing.assert_array_equal(backend.get(found.dual)[support], signs)
    assert found.primal_margin == pytest.approx((signs * primal).min(), rel=1e-12)
    assert found.dual_margin == pytest.approx(1 - np.abs(dual).max(), abs=1e-12)
    value = irrepresentability(backend.put(X), backend.put(support), backend.put(signs))
    direct = np.abs(X[:, rest].T @ part @ np.linalg.solve(part.T @ part, signs)).max()
    assert value == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_the_worst_signs_give_the_exact_recovery_coefficient(k):
    X = np.random.default_rng(k).standard_normal((9, 7)) * np.arange(1.0, 8.0)
    support = np.arange(k) * 2
    worst = max(irrepresentability(X, support, signs) for signs in product((-1.0, 1.0), repeat=k))
    assert worst == pytest.approx(exact_recovery_coefficient(X, support, normalise=False), rel=1e-12)


def test_without_noise_the_irrepresentable_value_decides():
    seen = set()
    for seed in range(60):
        X, _, w, support, _ = instance(seed, n=14)
        signs = np.sign(w[support])
        below = irrepresentability(X, support, signs) < 1.0
        found = [primal_dual_witness(X, X @ w, lam, support, signs).holds for lam in (1e-6, 1e-3, 1e-1)]
        assert (found[0] is True) == below
        assert below or not any(found)
        seen.add(below)
    assert seen == {True, False}


def test_margins_within_rounding_are_not_decided():
    X = np.random.default_rng(2).standard_normal((20, 5))
    y, support = X[:, 0] * 2.0, np.array([0, 1])
    # least squares on {0, 1} has the weights (2, 0): as lam goes to 0 the margin of index 1 does
    spread = np.linalg.inv(X[:, :2].T @ X[:, :2] / 20) @ np.array([1.0, 1.0])
    witness = primal_dual_witness(X, y, 1e-18, support, [1, 1 if spread[1] < 0 else -1])
    assert witness.holds is None
    assert abs(witness.primal_margin) < witness.primal_rounding < 1e-12


def test_rounding_is_estimated_well():
    import mpmath

    rng = np.random.default_rng(4)
    for cond in (1.0, 1e4, 1e7):
        X = rng.standard_normal((12, 6))
        X[:, 1] = X[:, 0] + X[:, 1] / cond
        y, lam, support, signs = rng.standard_normal(12), 0.05, [0, 1, 3], [1.0, 1.0, -1.0]
        with mpmath.workdps(40):
            part = mpmath.matrix(X[:, support].tolist())
            target, sgn = mpmath.matrix(y.tolist()), mpmath.matrix(signs)
            weights = mpmath.lu_solve(part.T * part, part.T * target - 12 * mpmath.mpf(lam) * sgn)
            dual = mpmath.matrix(X[:, [2, 4, 5]].T.tolist()) * (target - part * weights) / (12 * mpmath.mpf(lam))
            primal = float(min(s * w for s, w in zip(signs, weights, strict=True)))
            outside = float(1 - max(abs(z) for z in dual))
        found = primal_dual_witness(X, y, lam, support, signs)
        assert abs(found.primal_margin - primal) <= found.primal_rounding <= 1e-6 * cond
        assert abs(found.dual_margin - outside) <= found.dual_rounding <= 1e-6 * cond


def test_edges():
    X, y, _, _, _ = instance(0)
    largest = np.abs(X.T @ y).max() / len(y)
    empty = primal_dual_witness(X, y, 1.01 * largest, [], [])
    assert empty.primal_margin == math.inf
    assert empty.holds
    assert empty.dual_margin == pytest.approx(1 - 1 / 1.01)
    assert primal_dual_witness(X, y, 0.99 * largest, [], []).holds is False
    everything = primal_dual_witness(X, X @ np.ones(10), 1e-6, np.arange(10), np.ones(10))
    assert everything.holds
    assert everything.dual_margin == 1.0
    assert irrepresentability(X, [], []) == irrepresentability(X, np.arange(10), np.ones(10)) == 0.0
    twice = X[:, [0, 0, 1]]
    assert irrepresentability(twice, [0, 1], [1, 1]) == math.inf
    assert primal_dual_witness(twice, y, 0.1, [0, 1], [1, 1]).holds is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lam": 0.0}, "lam=0.0; expected a positive"),
        ({"lam": math.inf}, "lam=inf"),
        ({"signs": [1.0, 0.5]}, "signs holds 0.5"),
        ({"signs": [1.0]}, "signs has shape"),
        ({"support": [0, 0]}, "twice"),
        ({"y": np.ones(3)}, "A has 4 rows and y has 3"),
        ({"y": np.array([1.0, np.nan, 0.0, 0.0])}, "NaN"),
    ],
)
def test_bad_input_is_refused(change, words):
    arguments = {"A": np.eye(4), "y": np.ones(4), "lam": 0.1, "support": [0, 1], "signs": [1.0, 1.0]} | change
    with pytest.raises((TypeError, ValueError), match=words):
        primal_dual_witness(**arguments)
