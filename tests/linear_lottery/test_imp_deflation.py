"""The path by deflation: against refits with 120 digits up to condition 1e8, refits in floating point, its gates."""

import math

import flint
import numpy as np
import pytest

from linear_lottery import _deflation, imp
from linear_lottery._deflation import Deflation
from linear_lottery._imp import prune_to
from linear_lottery._pruning import Problem, Refits, first_to_go
from recovery.operators.ranks import triangular_inverse


def graded(rng, n, d, exponent):
    """Singular values evenly spread between 1 and 10^-exponent, on a logarithmic scale."""
    left, right = np.linalg.qr(rng.standard_normal((n, d)))[0], np.linalg.qr(rng.standard_normal((d, d)))[0]
    return left * np.logspace(0, -exponent, d) @ right


def pairs(rng, n, d, exponent):
    """Every column has a neighbour at a distance of 10^-exponent, so each pruning of one is a great change."""
    base = rng.standard_normal((n, d // 2))
    return np.concatenate([base, base + 10.0**-exponent * rng.standard_normal((n, d // 2))], axis=1)


def steps(rng, n, d, exponent):
    """One direction that is nearly lost, and columns of very different size."""
    X = rng.standard_normal((n, d)) * np.logspace(0, -exponent / 2, d)
    X[:, 0] = X[:, 1:].sum(axis=1) + 10.0 ** (-exponent / 2) * X[:, 0]
    return X


def exact_order(X, y, slack):
    """The order of least-squares refits with 120 digits, or None if two weights are within `slack` of the largest."""
    with flint.ctx.workdps(120):
        data = flint.arb_mat([[flint.arb(float(value)) for value in row] for row in X])
        gram, right = data.transpose() * data, data.transpose() * flint.arb_mat([[flint.arb(float(v))] for v in y])
        kept, order = list(range(X.shape[1])), []
        while kept:
            part = flint.arb_mat([[gram[i, j] for j in kept] for i in kept])
            solved = part.solve(flint.arb_mat([[right[i, 0]] for i in kept]))
            w = np.array([abs(float(solved[i, 0].mid())) for i in range(len(kept))])
            smallest = np.argsort(w)
            if len(kept) > 1 and w[smallest[1]] - w[smallest[0]] <= slack * w.max():
                return None
            order.append(kept.pop(int(smallest[0])))
    return order


def compare_with_digits(design, n, d, exponents, seeds):
    left_out = 0
    for exponent in exponents:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, exponent])
            X = design(rng, n, d, exponent)
            y = X @ rng.standard_normal(d) + rng.standard_normal(n)
            path = imp(X, y, 0)
            assert path.route == "deflation"
            wanted = exact_order(X, y, 10 * np.linalg.cond(X) * np.finfo(float).eps)
            if wanted is None:
                left_out += 1
            else:
                assert path.order.tolist() == wanted, (design.__name__, exponent, seed)
    return left_out


# neighbours at a distance e have weights near 1 / e that differ by about 1: at e = 1e-8 that is a tie within cond eps
CASES = [(graded, (2, 6, 8)), (pairs, (2, 4, 6)), (steps, (2, 6, 8))]


@pytest.mark.parametrize(("design", "exponents"), CASES)
def test_the_order_is_that_of_refits_with_120_digits(design, exponents):
    assert compare_with_digits(design, 40, 20, exponents, 4) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("design", "exponents"), CASES)
def test_the_order_of_the_notes_size(design, exponents):
    assert compare_with_digits(design, 300, 80, exponents, 2) <= 1


def test_the_gram_matrix_would_not_do():
    """What deflation of R^-1 is for: downdating the inverse of X'X gives other orders at condition 1e8."""
    wrong = 0
    for seed in range(4):
        rng = np.random.default_rng([seed, 8])
        X = graded(rng, 300, 80, 8)
        y = X @ rng.standard_normal(80) + rng.standard_normal(300)
        S = np.linalg.inv(X.T @ X)
        b, order, kept = S @ X.T @ y, [], np.ones(80, dtype=bool)
        while kept.any():
            j = int(np.argmin(np.where(kept, np.abs(b), np.inf)))
            b, S = b - S[:, j] * b[j] / S[j, j], S - np.outer(S[:, j], S[j]) / S[j, j]
            kept[j] = False
            order.append(j)
        wrong += order != imp(X, y, 0).order.tolist()
    assert wrong >= 3


@pytest.mark.parametrize("design", [graded, pairs, steps], ids=lambda design: design.__name__)
@pytest.mark.parametrize("schedule", ["one-by-one", 0.2, 7, 60, "one-shot"])
def test_the_weights_are_those_of_refits(design, schedule):
    for exponent in (0, 3) if design is pairs else (0, 3, 6):
        rng = np.random.default_rng(exponent)
        X = design(rng, 180, 120, exponent)
        y = X @ rng.standard_normal(120) + rng.standard_normal(180)
        path, refits = imp(X, y, 5, schedule=schedule), prune_to(Refits(Problem(X, y, None, math.inf)), 5, schedule)
        assert (path.route, refits.route) == ("deflation", "refit")
        assert np.array_equal(path.order, refits.order)
        error = np.abs(path.weights - refits.weights).max(axis=1) / np.abs(refits.weights).max(axis=1)
        # 13 at condition 1 after 115 deflations, about 1 where the condition is large
        assert error.max() <= 30 * np.finfo(float).eps * np.linalg.cond(X), (schedule, exponent)


def test_accuracy_comes_back_when_the_ill_conditioned_direction_is_gone():
    """Columns 0 and 1 differ by 1e-9: weights are known to 1e-7 until one of the two is pruned, to 1e-14 after."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 60))
    X[:, 1] = X[:, 0] + 1e-9 * rng.standard_normal(100)
    y = X[:, 2:] @ np.linspace(1, 2, 58) + 3 * X[:, 0] + 0.01 * rng.standard_normal(100)
    problem = Problem(X, y, None, math.inf)
    route = Deflation.of(problem)
    route.remove(np.array([1]))
    route.magnitudes()
    row = np.zeros(60)
    route.write(row)
    kept = np.arange(60) != 1
    assert np.abs(row[kept] - np.linalg.lstsq(X[:, kept], y, rcond=None)[0]).max() <= 1e-13


def test_the_first_factor_comes_from_the_gram_matrix_only_where_that_is_harmless(monkeypatch):
    rng = np.random.default_rng(0)
    for exponent, gram in ((0.0, True), (0.9, True), (1.1, False), (8.0, False)):
        X = graded(rng, 60, 30, exponent)
        w, xi = rng.standard_normal(30), rng.standard_normal(60)
        for y in (X @ w + xi, X @ w, np.zeros(60)):  # an exact fit is no reason for a QR
            route = Deflation.of(Problem(X, y, None, math.inf))
            condition = np.linalg.cond(X / np.linalg.norm(X, axis=0))
            assert route.loss == pytest.approx(condition if gram else 1.0, rel=0.1)
            assert route.condition == pytest.approx(condition, rel=0.3)
        if gram:
            path = imp(X, X @ w + xi, 0)
            with monkeypatch.context() as patch:
                patch.setattr(_deflation, "GRAM", 0.0)
                by_qr = imp(X, X @ w + xi, 0)
            assert np.array_equal(path.order, by_qr.order)
            assert not np.array_equal(path.weights, by_qr.weights)
            assert np.abs(path.weights - by_qr.weights).max() <= 1e-13 * np.abs(by_qr.weights).max()


def test_a_round_may_be_longer_than_a_panel():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1200, 900)), rng.standard_normal(1200)
    assert int(_deflation.BLOCK * 900) > _deflation.PANEL
    path = imp(X, y, 820, schedule=80)
    w = np.linalg.lstsq(X[:, path.support], y, rcond=None)[0]
    assert np.abs(path.w[path.support] - w).max() <= 1e-12


def test_columns_that_depend_on_each_other_are_refitted():
    rng = np.random.default_rng(0)
    base = rng.standard_normal((50, 10))
    duplicate = base[:, [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]]
    zero = base * (np.arange(10) != 3)
    nearly = graded(rng, 50, 10, 15)
    for X in (duplicate, zero, nearly, np.ones((50, 10)), np.zeros((50, 10)), base[:9]):
        assert imp(X, np.ones(len(X)), 2).route == "refit"
    for X in (base, base[:10], graded(rng, 50, 10, 11), base * 1e-200, base * np.logspace(0, 6, 10)):
        assert imp(X, np.ones(len(X)), 2).route == "deflation"
    assert imp(base, np.ones(50), 2, flow_time=1e30).route == "refit"


@pytest.mark.parametrize("m", [1, 2, 63, 64, 65, 200])
def test_triangular_inverse(m):
    R = np.triu(np.random.default_rng(m).standard_normal((m, m))) + 8 * np.eye(m)
    assert np.abs(triangular_inverse(np, R) @ R - np.eye(m)).max() <= 1e-13
    assert np.array_equal(np.tril(triangular_inverse(np, R), -1), np.zeros((m, m)))


def plainly(magnitude, count, tolerance):
    left, picked = dict(enumerate(magnitude)), []
    for _ in range(count):
        smallest = min(left.values())
        picked.append(max(i for i, value in left.items() if value <= smallest + tolerance))
        del left[picked[-1]]
    return picked


@pytest.mark.parametrize("tolerance", [0.0, 1e-9, 0.1, 1.0, 100.0])
def test_the_rule_of_ties_is_the_one_that_is_told(tolerance):
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 30):
        for values in (rng.random(size), rng.integers(0, 4, size).astype(float), rng.integers(0, 40, size) / 8):
            for count in {1, size // 2, size} - {0}:
                found = first_to_go(values, count, tolerance)
                assert found.tolist() == plainly(values, count, tolerance)
