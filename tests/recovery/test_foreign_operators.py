"""An object with products only is accepted as an operator by solvers, conditions, certificates and diagnoses."""

import functools

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import recovery
from planted.base.exactness import InexactNumber, refuse_rounded
from recovery import certificates, conditions
from recovery.operators.base import RescaledOperator
from recovery.operators.dense import ForeignOperator


class Products:
    """The least that an operator has to offer. It uses the memory of its products again."""

    def __init__(self, A: np.ndarray) -> None:
        self._A, self.shape = A, A.shape
        self._forward = np.empty(A.shape[0], dtype=A.dtype)

    def matvec(self, x):
        return np.matmul(self._A, x, out=self._forward)

    def rmatvec(self, r):
        return self._A.T @ r


class Single(Products):
    dtype = np.dtype("float32")


class Rounded(Products):
    inexact = "A was rounded by its author"


def matrix(dtype="float64"):
    return np.random.default_rng(3).standard_normal((12, 20)).astype(dtype)


FORMS = [Products, aslinearoperator]


@functools.cache
def diagnosed(form=None):
    """Return what is said of a smaller matrix, given as itself or as products: hundreds of conditions are tried."""
    A = matrix()[:8, :12]
    return str(recovery.diagnose(A if form is None else form(A), A @ (np.arange(12) == 2.0), sparsity=1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [1, 7, None])
def test_columns_are_the_products_with_unit_vectors(form, width, monkeypatch):
    A = matrix()
    if width is not None:
        monkeypatch.setattr("recovery.operators.base.BLOCK_BYTES", 8 * 20 * width)
    operator = recovery.as_operator(form(A))
    idx = np.array([3, 19, 0, 7, 4])
    np.testing.assert_array_equal(operator.columns(idx), A[:, idx])
    np.testing.assert_array_equal(operator.columns(np.arange(20)), A)
    assert operator.columns(idx[:0]).shape == (12, 0)
    np.testing.assert_allclose(operator.column_norms(), np.linalg.norm(A, axis=0), rtol=1e-15)
    recovery.dottest(operator)


@pytest.mark.parametrize("form", FORMS)
def test_every_door_takes_products(form):
    A = matrix()
    given, x = form(A), np.zeros(20)
    x[[2, 11]] = 1.0, -2.0
    assert conditions.mutual_coherence(given) == conditions.mutual_coherence(A)
    assert conditions.restricted_eigenvalues(given, 2) == conditions.restricted_eigenvalues(A, 2)
    assert certificates.witness_bound(given, 2) == certificates.witness_bound(A, 2)
    unit, scale = recovery.normalise(given)
    np.testing.assert_allclose(scale, np.linalg.norm(A, axis=0), rtol=1e-15)
    np.testing.assert_allclose(unit.columns(np.arange(20)), A / scale, rtol=1e-15)
    for solver in ("htp", "iht", "niht", "aiht", "omp", "cosamp"):
        same = recovery.solve(A, A @ x, 2, solver)
        np.testing.assert_allclose(recovery.solve(given, A @ x, 2, solver).x, same.x, atol=1e-9)
    assert diagnosed(form) == diagnosed()
    np.testing.assert_array_equal(recovery.Instance(given, A @ x, 2).matrix, A)


def test_single_precision_stays():
    operator = recovery.as_operator(Single(matrix("float32")))
    assert operator.dtype == np.float32
    assert operator.columns(np.arange(3)).dtype == np.float32
    assert conditions.mutual_coherence(operator) == conditions.mutual_coherence(matrix("float32"))


def test_what_an_object_says_of_its_own_numbers_is_heard():
    given = Rounded(matrix())
    for door in (
        lambda A: certificates.witness_bound(A, 2),
        lambda A: conditions.restricted_eigenvalues(A, 2),
        recovery.diagnose,
        lambda A: recovery.Instance(A, np.zeros(12), 1),
    ):
        with pytest.raises(InexactNumber, match="rounded by its author"):
            door(given)


def test_an_operator_divided_by_a_power_of_two_says_what_its_base_says():
    given = recovery.DenseOperator([[2**53 + 1, 1], [1, 2]])
    with pytest.raises(InexactNumber, match="9007199254740993"):
        refuse_rounded(RescaledOperator(given, 3))


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"shape": (3,)}, ValueError, r"A \(Odd\) has shape \(3,\); expected two dimensions"),
        ({"shape": (3, 0)}, ValueError, r"A.shape\[1\]=0"),
        ({"matvec": lambda self, x: x}, TypeError, r"A.matvec\(0\) of Odd is shape \(4,\) and dtype float64"),
        ({"matvec": lambda self, x: 1j * x[:3]}, TypeError, "dtype complex128; expected real numbers"),
        ({"matvec": lambda self, x: None}, TypeError, "is None; expected real numbers"),
    ],
)
def test_odd_objects_are_refused_with_a_sentence(change, error, sentence):
    odd = type("Odd", (), {"shape": (3, 4), "matvec": lambda self, x: x[:3], **change})()
    with pytest.raises(error, match=sentence):
        recovery.as_operator(odd)


def test_an_object_without_the_adjoint_has_columns_only():
    A = matrix()
    forward = LinearOperator(A.shape, matvec=lambda x: A @ x, dtype=A.dtype)
    assert conditions.mutual_coherence(forward) == conditions.mutual_coherence(A)
    bare = type("Bare", (), {"shape": A.shape, "matvec": lambda self, x: A @ x})()
    with pytest.raises(TypeError, match="no method 'rmatvec'"):
        ForeignOperator(bare).rmatvec(np.ones(12))
