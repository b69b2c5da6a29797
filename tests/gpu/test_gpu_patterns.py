"""Gates and un-fusing on a GPU: the same numbers as on the CPU, and results that stay on the device."""

import numpy as np
import pytest

import planted
from recovery import GatedOperator, unfuse
from recovery.conditions import (
    complementary_pairs,
    energy_coverage,
    expected_separation,
    gate_coverage,
    gate_separation,
    gate_spread,
    gated_rank,
    one_per_pair,
    theorem1_report,
)

pytestmark = pytest.mark.gpu


def test_numbers_about_gates(gpu):
    rng = np.random.default_rng(0)
    X, H = rng.standard_normal((300, 5)), rng.standard_normal((5, 4))
    H = np.concatenate([H, -H[:, :2]], axis=1)
    A, B = GatedOperator.from_generators(X, H), GatedOperator.from_generators(gpu.put(X), gpu.put(H))
    for function in (gate_coverage, gate_separation, energy_coverage):
        np.testing.assert_allclose(gpu.get(function(B)), function(A), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gpu.get(expected_separation(gpu.put(H))), expected_separation(H), atol=1e-14)
    assert gate_spread(B) == gate_spread(A)
    assert complementary_pairs(B) == complementary_pairs(A)
    assert len(complementary_pairs(B)) == 2
    assert gated_rank(B) == gated_rank(A)
    np.testing.assert_array_equal(one_per_pair(B).gates, one_per_pair(A).gates)
    ours, theirs = theorem1_report(A, 2, support=[0, 6]), theorem1_report(B, 2, support=[0, 6])
    assert (theirs.asked, theirs.vacuous, theirs.dependent) == (ours.asked, ours.vacuous, ours.dependent)


def test_unfused_networks_stay_on_the_device(gpu):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 6))
    U, v = rng.standard_normal((6, 3)) * (rng.random((6, 3)) < 0.7), np.array([1.0, -1.0, 1.0])
    truth = planted.ReLUNetwork([U, v])
    found = unfuse(gpu.put((U * v).T.ravel()), gpu.put(X), gpu.put(X @ U >= 0), "signs")
    np.testing.assert_allclose(gpu.get(found.hidden), truth.hidden, rtol=1e-14)
    np.testing.assert_allclose(gpu.get(found(gpu.put(X))), truth(X), atol=1e-12)
