"""The hypotheses of the recovery theorem, against computed eigenvalues, and where they cannot hold."""

import math

import numpy as np
import pytest

from recovery import GatedOperator
from recovery.conditions import (
    dependent_gates,
    energy_coverage,
    enumerate_patterns,
    restricted_eigenvalues,
    theorem1_report,
)


def unit(A):
    matrix = A.columns(np.arange(A.shape[1]))
    return matrix / np.linalg.norm(matrix, axis=0)


def test_energy_bounds_the_condition_number_of_every_order_from_below():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        d, p = 2, int(rng.integers(2, 5))
        A = GatedOperator.from_generators(rng.standard_normal((30, d)), rng.standard_normal((d, p)))
        e = float(energy_coverage(A).min())
        for t in range(1, p + 1):
            found = restricted_eigenvalues(unit(A), t)
            assert found.largest.upper >= e * t - 1e-12
            raw = restricted_eigenvalues(A, t)  # without unit norms the ratio is bounded all the same
            assert raw.kappa.upper >= e * t * (1 - 1e-12)
            # the report's bound is sharper, and still one
            roots = -np.sort(-np.sqrt(energy_coverage(A)), axis=0)[:t]
            assert found.largest.upper >= (roots.sum(axis=0) ** 2 / t).max() - 1e-12 >= e * t - 2e-12


def test_coverage_of_rows_would_be_no_bound():
    # 90 of 100 rows pass, and yet two columns of the feature are orthogonal up to 1e-5
    X = np.where(np.arange(100) < 10, 1000.0, 1.0)[:, None]
    gates = np.stack([np.arange(100) >= 5, (np.arange(100) < 5) | (np.arange(100) >= 10)], axis=1)
    A = GatedOperator(X, gates)
    assert gates.mean(axis=0).min() == 0.95
    assert restricted_eigenvalues(unit(A), 2).largest.upper < 1.0 + 1e-3 < 0.95 * 2
    assert energy_coverage(A).min() <= 0.5 + 1e-5


def test_more_gates_than_the_features_allow_is_out_of_reach():
    rng = np.random.default_rng(0)
    d, p, s = 5, 40, 2
    A = GatedOperator.from_generators(rng.standard_normal((300, d)), rng.standard_normal((d, p)))
    report = theorem1_report(A, s)
    assert report.vacuous
    assert report.asked == math.inf
    assert report.energy >= 1 / (64 * s)
    assert 32 * report.energy**2 * p * s > d
    assert "beta / alpha >= e min(2 s~ + s, p)" in report.reason
    # the two inequalities of the proof, for every s~
    for kept in range(s, d * p + 1):
        order = min(2 * kept + s, d * p)
        assert kept < 32 * max(1.0, report.energy * min(order, p)) ** 2 * s


def test_what_is_asked_for_is_less_than_the_theorem_does_and_grows_with_the_gates():
    rng = np.random.default_rng(1)
    X, H = rng.standard_normal((300, 100)), rng.standard_normal((100, 3))
    two, three = (theorem1_report(GatedOperator.from_generators(X, H[:, :p]), 1) for p in (2, 3))
    assert not two.vacuous
    assert 32 < two.asked < three.asked < 300
    A = GatedOperator.from_generators(X, H[:, :2])
    spectrum = np.linalg.svd(unit(A), compute_uv=False)
    assert two.asked <= 32 * (spectrum[0] / spectrum[-1]) ** 4  # kappa of order d p, the largest there is
    assert "not shown to be empty" in two.reason


def test_the_support_alone_can_be_too_badly_conditioned():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 60))
    X[:, 1] = X[:, 0] + 1e-2 * X[:, 1]
    A = GatedOperator(X, np.stack([X[:, 2] >= 0, X[:, 2] < 0], axis=1))
    report = theorem1_report(A, 2, support=[0, 1])
    columns = unit(A)[:, :2]
    assert report.support_ratio == pytest.approx(np.linalg.cond(columns.T @ columns), rel=1e-6)
    assert report.vacuous
    assert "the support alone" in report.reason
    assert not theorem1_report(A, 1).vacuous
    assert theorem1_report(A, 4).reason == "32 s = 128 exceeds d p = 120, and beta / alpha >= 1"
    equal = GatedOperator(np.repeat(X[:, :1], 40, axis=1), np.ones((200, 1)))
    assert theorem1_report(equal, 1, support=[0, 1]).support_ratio > 1e12


@pytest.mark.parametrize("kind", ["gaussian", "blank", "integer"])
def test_all_patterns_have_dependent_columns_whatever_the_inputs(kind):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 3))
        X = np.where(rng.random(X.shape) < 0.4, 0.0, X) if kind == "blank" else X
        X = rng.integers(-2, 3, X.shape).astype(float) if kind == "integer" else X
        if np.linalg.matrix_rank(X) < 2:
            continue
        gates = enumerate_patterns(X, 2).gates
        gates = gates[:, gates.any(axis=0)]
        one, other = dependent_gates(gates)
        np.testing.assert_array_equal(gates[:, one].sum(axis=1), gates[:, other].sum(axis=1))
        assert 3 <= len(one) + len(other) <= 4
        assert set(one).isdisjoint(other)


def test_dependent_gates_of_each_size():
    G = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], dtype=bool)
    assert dependent_gates(G) is None or np.array_equal(*(G[:, side].sum(axis=1) for side in dependent_gates(G)))
    assert dependent_gates(np.eye(3)) is None
    assert dependent_gates(np.eye(3)[:, [0, 1, 1]]) == ((1,), (2,))
    assert dependent_gates(np.array([[1, 0], [1, 0]])) == ((1,), ())
    assert dependent_gates(np.array([[1, 0, 1], [0, 1, 1]])) == ((0, 1), (2,))
    assert dependent_gates(np.array([[1, 0, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]])) == ((0, 1), (2, 3))


def test_blank_features_are_left_out():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((50, 40))
    X[:, 7] = 0.0
    A = GatedOperator(X, np.stack([X[:, 0] >= 0, X[:, 0] < 0], axis=1))
    assert 0.0 < theorem1_report(A, 1).energy < 0.5
    with pytest.raises(TypeError, match=r"A is of type ndarray; expected a recovery\.GatedOperator"):
        theorem1_report(X, 1)
    with pytest.raises(ValueError, match="sparsity=0 is out of range"):
        theorem1_report(A, 0)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_small_or_large_inputs_do_not_make_a_support_dependent(exponent):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    gates = X @ rng.standard_normal((3, 4)) >= 0
    plain = theorem1_report(GatedOperator(X, gates), 1, [0, 4, 7])
    found = theorem1_report(GatedOperator(np.ldexp(X, exponent), gates), 1, [0, 4, 7])
    assert plain.support_ratio > 1
    assert found.support_ratio == pytest.approx(plain.support_ratio, rel=1e-12)
    assert found.reason == plain.reason


@pytest.mark.parametrize(("size", "asked"), [(65, math.inf), (66, 32.0)])
def test_a_support_counts_from_the_order_that_holds_it(size, asked):
    X = np.eye(100)
    X[0, 1], X[1, 1] = 1 / 3, math.sqrt(8) / 3  # two columns at an angle: ratio 2, so that 128 of 100 would be asked
    A = GatedOperator(X, np.ones((100, 1), dtype=bool))
    report = theorem1_report(A, 1, np.arange(size))
    assert report.support_ratio == pytest.approx(2)
    assert report.asked == asked  # with 32 the order is 65
    assert report.vacuous == (asked == math.inf)
