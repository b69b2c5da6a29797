"""Plain versions of the operators and the steps, as test oracles: slow and obviously right.

Everything here works on NumPy arrays and forms the matrices that the fast code avoids. The two loops at
the end have the structure of other implementations; the benchmarks compare with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = [
    "DenseReference",
    "GatedReference",
    "lean_loop_step",
    "reference_htp_step",
    "reference_iht_step",
    "reference_niht_step",
    "reference_top_s",
    "released_loop_step",
]


class DenseReference:
    """A matrix with the products of an operator, entry by entry.

    Parameters
    ----------
    A : array_like, shape (n, N)
        The matrix.
    """

    def __init__(self, A: np.ndarray) -> None:
        self.A = np.array(A)
        self.shape = self.A.shape

    def matvec(self, x: np.ndarray) -> np.ndarray:
        """Return A x, one row after the other."""
        return np.array([sum(a * b for a, b in zip(row, x, strict=True)) for row in self.A])

    def rmatvec(self, r: np.ndarray) -> np.ndarray:
        """Return A' r, one column after the other."""
        return np.array([sum(a * b for a, b in zip(column, r, strict=True)) for column in self.A.T])

    def columns(self, idx: Sequence[int]) -> np.ndarray:
        """Return the columns `idx`."""
        return np.column_stack([self.A[:, int(j)] for j in idx])

    def gram(self, idx: Sequence[int]) -> np.ndarray:
        """Return the inner products of the columns `idx`."""
        return np.array([[self.A[:, int(i)] @ self.A[:, int(j)] for j in idx] for i in idx])

    def objective(self, x: np.ndarray, y: np.ndarray) -> float:
        """Return 1/2 |A x - y|^2."""
        return 0.5 * float(sum((a - b) ** 2 for a, b in zip(self.matvec(x), y, strict=True)))


class GatedReference(DenseReference):
    """A = [D_1 X, ..., D_p X], formed column by column.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Inputs.
    H : array_like, shape (d, p)
        Generators; gate j is 1{X h_j >= 0}.
    strict : bool, default False
        Use ``> 0`` instead.
    """

    def __init__(self, X: np.ndarray, H: np.ndarray, strict: bool = False) -> None:
        n, d = X.shape
        p = H.shape[1]
        A = np.zeros((n, d * p), dtype=X.dtype)
        for j in range(p):
            activation = X @ H[:, j]
            for row in range(n):
                if activation[row] > 0 or (activation[row] == 0 and not strict):
                    A[row, j * d : (j + 1) * d] = X[row]
        super().__init__(A)


def reference_top_s(values: np.ndarray, s: int) -> np.ndarray:
    """Return the s entries of largest magnitude by a full sort, ties to the smaller index."""
    order = sorted(range(len(values)), key=lambda i: (-abs(values[i]), i))
    return np.array(sorted(order[:s]), dtype=np.int64)


def reference_iht_step(A: np.ndarray, y: np.ndarray, x: np.ndarray, step: float, s: int) -> np.ndarray:
    """Return H_s(x + step A'(y - A x))."""
    moved = x + step * (A.T @ (y - A @ x))
    out = np.zeros_like(moved)
    kept = reference_top_s(moved, s)
    out[kept] = moved[kept]
    return out


def reference_niht_step(
    A: np.ndarray, y: np.ndarray, x: np.ndarray, s: int, c: float = 0.01, kappa: float = 2.0
) -> np.ndarray:
    """Return the point that one step of normalised IHT accepts (Blumensath and Davies 2010)."""
    gradient = A.T @ (y - A @ x)
    support = np.flatnonzero(x)
    chosen = support if support.size and np.any(gradient[support]) else reference_top_s(gradient, s)
    part = gradient[chosen]
    step = float(part @ part) / float(np.sum((A[:, chosen] @ part) ** 2))
    while True:
        new = reference_iht_step(A, y, x, step, s)
        if support.size == s and np.array_equal(np.flatnonzero(new), support):
            return new
        move = new - x
        if step * float(np.sum((A @ move) ** 2)) <= (1 - c) * float(move @ move):
            return new
        step /= kappa * (1 - c)


def reference_htp_step(A: np.ndarray, y: np.ndarray, x: np.ndarray, step: float, s: int) -> np.ndarray:
    """Return the least-squares solution on the top s of x + step A'(y - A x)."""
    kept = reference_top_s(x + step * (A.T @ (y - A @ x)), s)
    out = np.zeros_like(x)
    out[kept] = np.linalg.lstsq(A[:, kept], y, rcond=None)[0]
    return out


def released_loop_step(
    X: np.ndarray, H: np.ndarray, y: np.ndarray, x: np.ndarray, step: float, s: int, strict: bool = False
) -> np.ndarray:
    """Make one IHT step in the shape of the paper's released code, re-written from its description.

    For each neuron the n x d block gate_j * X is formed, the gradient of the block is taken, and it
    is merged into a top-s buffer by concatenation and a full argsort.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Inputs.
    H : numpy.ndarray, shape (d, p)
        Generators.
    y : numpy.ndarray, shape (n,)
        Data.
    x : numpy.ndarray, shape (d p,)
        Iterate.
    step : float
        Step size.
    s : int
        Sparsity.
    strict : bool, default False
        Gates ``> 0`` instead of ``>= 0``.

    Returns
    -------
    numpy.ndarray, shape (d p,)
        H_s(x + step A'(y - A x)).
    """
    d, p = H.shape
    residual = y.copy()
    for j in range(p):
        block_values = x[j * d : (j + 1) * d]
        used = np.flatnonzero(block_values)
        if used.size:
            gate = _gate(X, H[:, j], strict)
            residual -= (X[:, used] * gate[:, None]) @ block_values[used]
    index = np.zeros(0, dtype=np.int64)
    value = np.zeros(0, dtype=X.dtype)
    for j in range(p):
        block = X * _gate(X, H[:, j], strict)[:, None]
        moved = x[j * d : (j + 1) * d] + step * (block.T @ residual)
        index = np.concatenate([index, np.arange(j * d, (j + 1) * d)])
        value = np.concatenate([value, moved])
        order = np.sort(np.argsort(-np.abs(value), kind="stable")[:s])
        index, value = index[order], value[order]
    out = np.zeros_like(x)
    out[index] = value
    return out


def lean_loop_step(
    X: np.ndarray, H: np.ndarray, y: np.ndarray, x: np.ndarray, step: float, s: int, strict: bool = False
) -> np.ndarray:
    """Make one IHT step by a loop without waste: gate by a matrix-vector product, X' (g * r), one top-s at the end.

    Parameters and result are those of :func:`released_loop_step`.
    """
    d, p = H.shape
    residual = y.copy()
    for j in range(p):
        block_values = x[j * d : (j + 1) * d]
        used = np.flatnonzero(block_values)
        if used.size:
            residual -= _gate(X, H[:, j], strict) * (X[:, used] @ block_values[used])
    moved = np.empty_like(x)
    for j in range(p):
        here = slice(j * d, (j + 1) * d)
        moved[here] = x[here] + step * (X.T @ (_gate(X, H[:, j], strict) * residual))
    kept = np.sort(np.argsort(-np.abs(moved), kind="stable")[:s])
    out = np.zeros_like(x)
    out[kept] = moved[kept]
    return out


def _gate(X: np.ndarray, h: np.ndarray, strict: bool) -> np.ndarray:
    activation = X @ h
    return activation > 0 if strict else activation >= 0
