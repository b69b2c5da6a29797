"""Hidden and output weights from fused ones: exact on planted networks, a message if there are none."""

from fractions import Fraction

import numpy as np
import pytest

import planted
from recovery import GatedOperator, solve, unfuse


def network(rng, kind, d=6, m=4, s=3):
    """Hidden weights (d, m) with s non-zeros a neuron, and output weights of mixed signs."""
    U = np.zeros((d, m))
    for j in range(m):
        U[rng.permutation(d)[:s], j] = 1.0 if kind == "binary" else rng.standard_normal(s)
    signs = np.where(np.arange(m) % 2 == 0, 1.0, -1.0)
    v = signs if kind == "signs" else signs * (0.5 + rng.random(m))
    return U, v


def fused(rng, X, U, v, others=3):
    """The gates of the neurons among some others, and the fused weights."""
    place = rng.permutation(U.shape[1] + others)[: U.shape[1]]
    gates = X @ rng.standard_normal((X.shape[1], U.shape[1] + others)) >= 0
    w = np.zeros((U.shape[1] + others, X.shape[1]))
    order = np.sort(place)
    gates[:, order], w[order] = X @ U >= 0, (U * v).T
    return gates, w.ravel()


def inputs(rng, n=60, d=6):
    """Half of the entries blank, and a row of zeros: activations that are exactly 0."""
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.5)
    X[3] = 0.0
    return X


@pytest.mark.parametrize("kind", ["binary", "signs", "unit"])
def test_the_planted_network_comes_back(backend, kind):
    rng = np.random.default_rng(0)
    X = inputs(rng)
    U, v = network(rng, kind)
    gates, w = fused(rng, X, U, v)
    assert (X @ U == 0).any(axis=0).all()
    found = unfuse(backend.put(w), backend.put(X), backend.put(gates), kind)
    scale = np.linalg.norm(U, axis=0) if kind == "unit" else np.ones(4)
    np.testing.assert_allclose(backend.get(found.hidden), U / scale, rtol=1e-14)
    np.testing.assert_allclose(backend.get(found.output), v * scale, rtol=1e-14)
    product = GatedOperator(X, gates).matvec(w)
    np.testing.assert_allclose(backend.get(found(backend.put(X))), product, atol=1e-13)


@pytest.mark.parametrize("kind", ["binary", "signs", "unit"])
def test_after_recovery_from_labels(kind):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 6))
    U, v = network(rng, kind)
    truth = planted.ReLUNetwork([U, v])
    gates, w = fused(rng, X, U, v)
    A = GatedOperator(X, gates)
    result = solve(A, truth(X), 12, "htp")
    found = unfuse(result.x, X, gates, kind)
    assert planted.match_networks(found, truth, atol=1e-9).exact
    np.testing.assert_allclose(result.x, w, atol=1e-10)
    fresh = rng.standard_normal((50, 6))
    np.testing.assert_allclose(found(fresh), truth(fresh), atol=1e-9)


def test_the_kinds_agree_on_the_function_where_several_hold():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((50, 6))
    U, v = network(rng, "binary")
    gates, w = fused(rng, X, U, np.sign(v))
    fresh = rng.standard_normal((20, 6))
    values = [unfuse(w, X, gates, kind)(fresh) for kind in ("binary", "signs", "unit")]
    np.testing.assert_allclose(values[1:], [values[0]] * 2, atol=1e-14)


def test_refusals_say_which_gate_and_why():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 3))
    h = np.array([1.0, 1.0, 0.0])
    gates = np.stack([X @ h >= 0, X @ h < 0], axis=1)
    w = np.array([2.0, 3.0, 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"w has non-zeros from 2 to 3 at gate 0; expected one common value"):
        unfuse(w, X, gates)
    equal = np.array([0.0, 0.0, 0.0, 2.0, 2.0, 0.0])
    with pytest.raises(ValueError, match=r"gate 1 differs from 1\{X u >= 0\} on 30 row\(s\)"):
        unfuse(equal, X, gates)
    found = unfuse(equal, X, gates, "signs")  # -h is no binary neuron, but one with a sign
    assert (found.hidden[:, 0].tolist(), found.output.tolist()) == ([-2.0, -2.0, 0.0], [-1.0])
    with pytest.raises(ValueError, match=r"gate 0 differs from 1\{X w_j >= 0\} on \d+ row\(s\) and from"):
        unfuse(w, X, gates, "signs")
    flat = X * np.array([1.0, 1.0, 0.0])
    with pytest.raises(ValueError, match=r"w_j of gate 0 is orthogonal to all rows of X"):
        unfuse(np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]), flat, np.ones((30, 2)), "unit")
    with pytest.raises(ValueError, match=r"w has 5 entries; expected 6, one for each of 2 gates and 3 inputs"):
        unfuse(np.ones(5), X, gates)
    with pytest.raises(ValueError, match=r"assumption='ternary' is not known"):
        unfuse(w, X, gates, "ternary")
    with pytest.raises(ValueError, match="gates holds values other than 0 and 1"):
        unfuse(np.zeros(6), np.ones((30, 3)), np.full((30, 2), 0.5))
    with pytest.raises(ValueError, match="X has 30 rows and gates has 29"):
        unfuse(w, X, gates[1:])


def test_rounding_does_not_turn_a_gate_and_nothing_is_no_network():
    X = np.array([[0.1, 0.2, -0.3], [1.0, 1.0, 1.0], [0.3, -0.1, -0.2]])
    h = np.ones(3)
    assert 0 < sum(map(Fraction, X[0])) < 1e-16  # of the numbers themselves: in which order BLAS adds is its own affair
    for bit in (True, False):
        gates = np.array([[bit], [True], [X[2] @ h > 0]])
        assert unfuse(2.0 * h, X, gates, tol=1e-8).output.tolist() == [2.0]
    empty = unfuse(np.zeros(3), X, gates, "unit")
    assert empty.hidden.shape == (3, 0)
    np.testing.assert_array_equal(empty(X), np.zeros(3))


def test_values_that_differ_by_more_than_the_tolerance_are_refused():
    X, gates = np.ones((3, 2)), np.ones((3, 1), dtype=bool)
    assert unfuse(np.array([1.0, 1.0 + 1e-8]), X, gates).output[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="gate 0; expected one common value"):
        unfuse(np.array([1.0, 1.0 + 1e-7]), X, gates)
