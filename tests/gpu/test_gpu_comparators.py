"""On the GPU: comparators select what they select on the CPU, and conditions are the same numbers."""

import numpy as np
import pytest

import planted
from linear_lottery.comparators import COMPARATORS, ORACLES
from recovery import conditions

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", [*COMPARATORS, *ORACLES])
def test_selections_agree_with_the_cpu(gpu, name):
    shape = (40, 80) if name == "holp" else (80, 40)
    X, y, w = planted.linear_model(*shape, 5, noise=0.3, rng=0)
    S = np.flatnonzero(w)
    function = ORACLES.get(name) or COMPARATORS[name]
    last = S if name in ORACLES else len(S)
    here, there = function(X, y, last), function(gpu.put(X), gpu.put(y), last)
    np.testing.assert_array_equal(gpu.get(there.support), here.support)
    np.testing.assert_allclose(gpu.get(there.weights), here.weights, rtol=0, atol=1e-10)
    if here.order is not None:
        np.testing.assert_array_equal(gpu.get(there.order), here.order)


def test_conditions_agree_with_the_cpu(gpu):
    rng = np.random.default_rng(1)
    A, y, S, signs = rng.standard_normal((30, 12)), rng.standard_normal(30), np.array([1, 5, 7]), np.array([1.0, -1, 1])
    B, there = gpu.put(A), (gpu.put(S), gpu.put(signs))
    assert conditions.mutual_coherence(B) == pytest.approx(conditions.mutual_coherence(A), rel=1e-12)
    assert conditions.babel_function(B, 4) == pytest.approx(conditions.babel_function(A, 4), rel=1e-12)
    erc = conditions.exact_recovery_coefficient
    assert erc(B, there[0]) == pytest.approx(erc(A, S), rel=1e-11)
    assert conditions.irrepresentability(B, *there) == pytest.approx(
        conditions.irrepresentability(A, S, signs), rel=1e-11
    )
    witness = conditions.primal_dual_witness(A, y, 0.1, S, signs)
    found = conditions.primal_dual_witness(B, gpu.put(y), 0.1, *there)
    assert found.holds == witness.holds
    np.testing.assert_allclose(gpu.get(found.weights), witness.weights, atol=1e-11)
    np.testing.assert_allclose(gpu.get(found.dual), witness.dual, atol=1e-11)
    assert conditions.restricted_eigenvalues(B, 3).largest.lower == pytest.approx(
        conditions.restricted_eigenvalues(A, 3).largest.lower, rel=1e-12
    )
    assert conditions.worst_exact_recovery_coefficient(B, 2).upper == pytest.approx(
        conditions.worst_exact_recovery_coefficient(A, 2).upper, rel=1e-10
    )
    assert conditions.restricted_eigenvalue(B, there[0]).lower == pytest.approx(
        conditions.restricted_eigenvalue(A, S).lower, rel=1e-10
    )
