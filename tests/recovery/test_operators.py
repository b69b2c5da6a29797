"""The operators against the plain reference, the adjoint identity and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import recovery
from recovery.testing import operators
from tests.oracles.operators import DenseReference, GatedReference


@given(operators())
def test_dot_test_holds_on_all_kinds(operator):
    assert recovery.dottest(operator, rng=0) < 1e-12


def test_dot_test_finds_a_wrong_adjoint():
    operator = recovery.DenseOperator(np.arange(6.0).reshape(2, 3))
    operator.rmatvec = lambda r: operator.A.T @ r + 1e-6
    with pytest.raises(AssertionError, match="fails the dot test: <Ax, r> and <x, A'r> differ"):
        recovery.dottest(operator, rng=0)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("store", [False, True])
def test_gated_operator_equals_the_reference(backend, strict, store, monkeypatch):
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 2)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 4, "gpu": 4})
    monkeypatch.setattr("recovery.operators.base.BLOCK_BYTES", 8 * 9 * 2)  # two columns
    rng = np.random.default_rng(0)
    X, H = np.round(2 * rng.standard_normal((9, 4))) / 2, np.round(rng.standard_normal((4, 5)))
    assert np.any(X @ H == 0)  # where >= and > differ
    plain = GatedReference(X, H, strict)
    fast = recovery.GatedOperator.from_generators(backend.put(X), backend.put(H), strict, store=store)
    assert fast.shape == plain.shape == (9, 20)
    x, r, idx = rng.standard_normal(20), rng.standard_normal(9), np.array([0, 3, 11, 12, 19])
    close = {"rtol": 1e-13, "atol": 1e-13}
    np.testing.assert_allclose(backend.get(fast.matvec(backend.put(x))), plain.matvec(x), **close)
    np.testing.assert_allclose(backend.get(fast.rmatvec(backend.put(r))), plain.rmatvec(r), **close)
    np.testing.assert_array_equal(backend.get(fast.columns(backend.put(idx))), plain.columns(idx))
    np.testing.assert_allclose(backend.get(fast.gram(backend.put(idx))), plain.gram(idx), **close)
    np.testing.assert_allclose(
        backend.get(fast.matvec_support(backend.put(idx), backend.put(x[idx]))), plain.columns(idx) @ x[idx], **close
    )
    np.testing.assert_allclose(backend.get(fast.column_norms()), np.linalg.norm(plain.A, axis=0), **close)
    blocks = list(fast.rmatvec_blocks(backend.put(r)))
    assert [start for start, _ in blocks] == [0, 8, 16]
    assert [block.shape for _, block in blocks] == [(8,), (8,), (4,)]


def test_the_adjoint_is_the_gradient_of_the_loss():
    rng = np.random.default_rng(1)
    plain = GatedReference(rng.standard_normal((7, 3)), rng.standard_normal((3, 2)))
    fast = recovery.DenseOperator(plain.A)
    x, y, eps = rng.standard_normal(6), rng.standard_normal(7), 1e-6
    slope = [(plain.objective(x + eps * e, y) - plain.objective(x - eps * e, y)) / (2 * eps) for e in np.eye(6)]
    np.testing.assert_allclose(fast.rmatvec(fast.matvec(x) - y), slope, rtol=1e-7, atol=1e-8)


def test_dense_operator_equals_the_reference(backend):
    rng = np.random.default_rng(2)
    A, x, r = rng.standard_normal((4, 6)), rng.standard_normal(6), rng.standard_normal(4)
    plain, fast = DenseReference(A), recovery.DenseOperator(backend.put(A))
    np.testing.assert_allclose(backend.get(fast.matvec(backend.put(x))), plain.matvec(x), rtol=1e-13)
    np.testing.assert_allclose(backend.get(fast.rmatvec(backend.put(r))), plain.rmatvec(r), rtol=1e-13)
    np.testing.assert_allclose(backend.get(fast.column_norms()), np.sqrt(np.diag(plain.gram(range(6)))), rtol=1e-13)


def test_normalise_gives_unit_columns_and_leaves_zero_columns(backend):
    A = np.array([[3.0, 0.0, 1e-8], [4.0, 0.0, 0.0]])
    operator, scale = recovery.normalise(backend.put(A))
    np.testing.assert_allclose(backend.get(scale), [5.0, 1.0, 1e-8], rtol=1e-15)
    np.testing.assert_allclose(backend.get(operator.column_norms()), [1.0, 0.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(
        backend.get(operator.columns(backend.put(np.arange(3)))), [[0.6, 0.0, 1.0], [0.8, 0.0, 0.0]], rtol=1e-15
    )


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e200])
def test_column_norms_survive_overflow(scale):
    A = scale * np.array([[3.0, 1.0], [4.0, 0.0]])
    np.testing.assert_allclose(recovery.DenseOperator(A).column_norms(), [5 * scale, scale], rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(backend, bad):
    A = np.ones((3, 4))
    A[1, 2] = bad
    with pytest.raises(
        ValueError, match=r"A has 1 element\(s\) that are NaN or infinite, the first .* at index \(1, 2\)"
    ):
        recovery.DenseOperator(backend.put(A))


def test_seeded_generators_do_not_depend_on_the_block_width(monkeypatch):
    X = np.random.default_rng(3).standard_normal((20, 4))
    r = np.random.default_rng(4).standard_normal(20)
    whole = recovery.GatedOperator.from_seed(X, 150, 7).rmatvec(r)
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 11)
    np.testing.assert_allclose(recovery.GatedOperator.from_seed(X, 150, 7).rmatvec(r), whole, rtol=1e-12, atol=1e-12)
    assert not np.allclose(recovery.GatedOperator.from_seed(X, 150, 8).rmatvec(r), whole)


def test_scipy_linear_operator_multiplies_the_same():
    rng = np.random.default_rng(5)
    A = recovery.GatedOperator.from_generators(rng.standard_normal((6, 2)), rng.standard_normal((2, 3)))
    x = rng.standard_normal(6)
    np.testing.assert_allclose(A.aslinearoperator() @ x, A.matvec(x), rtol=1e-14)
    np.testing.assert_allclose(A.aslinearoperator().H @ x, A.rmatvec(x), rtol=1e-14)


def test_float32_stays_float32(backend):
    A = recovery.GatedOperator.from_generators(
        backend.put(np.ones((3, 2), dtype=np.float32)), backend.put(np.ones((2, 2)))
    )
    assert A.dtype == np.float32
    assert A.rmatvec(backend.put(np.ones(3, dtype=np.float32))).dtype == np.float32


@pytest.mark.parametrize("strict", [False, True])
def test_gates_that_follow_the_weights_come_with_their_product(backend, strict, monkeypatch):
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 2)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 4, "gpu": 4})
    rng = np.random.default_rng(6)
    X, H = np.round(2 * rng.standard_normal((9, 4))) / 2, np.round(rng.standard_normal((4, 5)))
    H[:, 3] = 0.0  # a neuron without weights: its gates are all False, or all True
    base = recovery.GatedOperator(backend.put(X), backend.put(np.ones((9, 1))))
    operator, product = base.follow(backend.put(H), strict)
    same = base.regate(backend.put(H), strict)
    np.testing.assert_array_equal(backend.get(operator.gates()), backend.get(same.gates()))
    np.testing.assert_array_equal(backend.get(operator.gates())[:, 3], not strict)
    np.testing.assert_array_equal(backend.get(product), backend.get(same.matvec(backend.put(H.T.ravel()))))
    np.testing.assert_allclose(backend.get(product), np.maximum(X @ H, 0).sum(axis=1), atol=1e-13)


def test_refusals_name_the_argument():
    X = np.ones((3, 2))
    with pytest.raises(ValueError, match="gates holds values other than 0 and 1"):
        recovery.GatedOperator(X, np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"gates has shape \(4, 2\); expected \(3, p\)"):
        recovery.GatedOperator(X, np.ones((4, 2)))
    with pytest.raises(ValueError, match="H has 3 rows and X has 2 columns"):
        recovery.GatedOperator.from_generators(X, np.ones((3, 2)))


def test_one_pass_gives_the_gates_the_residual_and_the_gradient(backend, monkeypatch):
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 2)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 9, "gpu": 9})
    rng = np.random.default_rng(0)
    X, H, y = rng.standard_normal((31, 4)), rng.standard_normal((4, 5)), rng.standard_normal(31)
    H[:, 2] = 0.0  # a strict gate that is nowhere open
    base = recovery.GatedOperator.from_generators(backend.put(X), backend.put(np.ones((4, 1))))
    operator, residual, gradient = base.follow_gradient(backend.put(H), backend.put(y))
    gates = X @ H > 0
    np.testing.assert_array_equal(backend.get(operator.gates()), gates)
    expected = y - np.maximum(X @ H, 0).sum(axis=1)
    np.testing.assert_allclose(backend.get(residual), expected, atol=1e-13)
    slow = np.concatenate([(gates[:, [j]] * X).T @ expected for j in range(5)])
    np.testing.assert_allclose(backend.get(gradient), slow, atol=1e-12)
