"""The table of properties of the cvxpy solvers: the same rows, few examples, 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recovery
from recovery import Status
from recovery.testing import draw_problem

table = pytest.mark.parametrize("name", ["l1", "group_l1"])
seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=4)


def groups(width):
    return np.arange(width) // 3


def run(name, A, y, s, labels=None, **more):
    if name == "group_l1":
        more["groups"] = groups(A.shape[1]) if labels is None else labels
    return recovery.solve(A, y, s, solver=name, **more)


def planted(seed):
    """Return an easy problem: within two groups, so that both programs find it."""
    problem = draw_problem(25, 30, 4, seed)
    rng, x = np.random.default_rng(seed), np.zeros(30)
    for group in rng.choice(10, 2, replace=False):
        x[3 * group : 3 * group + 3] = rng.choice([-1.0, 1.0], 3) * (1 + rng.random(3))
    return problem.A, problem.A @ x, x


@table
@few
@given(seeds)
def test_planted_vectors_are_found(name, seed):
    A, y, x = planted(seed)
    result = run(name, A, y, 6)
    np.testing.assert_allclose(result.x, x, atol=1e-6)
    np.testing.assert_array_equal(result.support, np.flatnonzero(x))
    assert result.status is Status.OPTIMAL
    assert result.objective < 1e-12


@table
@few
@given(seeds)
def test_answers_have_the_sparsity_asked_for(name, seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((8, 15)), rng.standard_normal(8)
    for s in (1, 4, 15):
        result = run(name, A, y, s)
        assert result.support.size <= s
        np.testing.assert_array_equal(result.support, np.flatnonzero(result.x))
        columns = A[:, result.support]
        assert np.abs(columns.T @ (y - A @ result.x)).max() < 1e-10


@table
@few
@given(seeds)
def test_permutation_and_sign_equivariance(name, seed):
    A, y, _ = planted(seed)
    rng = np.random.default_rng(seed)
    order, signs = rng.permutation(30), rng.choice([-1.0, 1.0], 30)
    plain = run(name, A, y, 6).x
    np.testing.assert_allclose(run(name, A[:, order], y, 6, groups(30)[order]).x, plain[order], atol=1e-6)
    np.testing.assert_allclose(run(name, A * signs, y, 6).x, plain * signs, atol=1e-6)


@table
@few
@given(seeds, st.floats(-6, 6).map(lambda exponent: 10.0**exponent))
def test_scale_equivariance(name, seed, c):
    A, y, _ = planted(seed)
    plain = run(name, A, y, 6).x
    np.testing.assert_allclose(run(name, c * A, c * y, 6).x, plain, atol=1e-6)
    np.testing.assert_allclose(run(name, c * A, y, 6).x * c, plain, atol=1e-6)


@table
def test_arguments_are_untouched_and_the_same_bits_come_back(name):
    A, y, _ = planted(0)
    before = A.tobytes(), y.tobytes()
    first, second = run(name, A, y, 6), run(name, A, y, 6)
    assert (A.tobytes(), y.tobytes()) == before
    assert first.x.tobytes() == second.x.tobytes()


@table
def test_zero_and_equal_columns(name):
    A, y, x = planted(1)
    A = A.copy()
    unused = np.flatnonzero(x == 0)
    A[:, unused[:3]] = 0.0
    A[:, unused[4]] = A[:, unused[5]]
    result = run(name, A, y, 6)
    np.testing.assert_allclose(result.x, x, atol=1e-6)


@table
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(name, bad):
    A = np.eye(6)
    A[2, 3] = bad
    with pytest.raises(ValueError, match=r"A has 1 element\(s\) that are NaN or infinite"):
        run(name, A, np.ones(6), 2)


def test_agreement_with_hard_thresholding_pursuit():
    A, y, _ = planted(2)
    np.testing.assert_allclose(run("l1", A, y, 6).x, recovery.solve(A, y, 6).x, atol=1e-6)
