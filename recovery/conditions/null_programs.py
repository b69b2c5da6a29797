"""Linear programs over the null space of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from recovery.conditions._columns import EPS

__all__ = ["Programs"]


class Programs:
    """Linear programs over the null space of A, on an orthonormal basis of its rows.

    Rows are scaled by powers of two, which does not change the null space: what is small enough to lose digits, or
    large enough to overflow, is brought to order 1. ``matrix`` is A with `exponents` taken off its rows, exactly.
    """

    def __init__(self, A: np.ndarray) -> None:
        exponents = np.frexp(np.abs(A).max(axis=1))[1]
        scaled = np.ldexp(A, -exponents[:, None])
        kept = (np.ldexp(scaled, exponents[:, None]) == A).all(axis=1)  # no digit was lost
        self.matrix = np.where(kept[:, None], scaled, A)
        self.exponents = np.where(kept, exponents, 0)
        scale = np.abs(self.matrix).max(axis=1, keepdims=True)
        scale[scale == 0.0] = 1.0
        left, values, right = np.linalg.svd(self.matrix / scale, full_matrices=True)
        self.rank = int(np.sum(values > max(A.shape) * EPS * values[0]))
        self.rows, self.null = right[: self.rank], right[self.rank :]
        self.back = left[:, : self.rank] / values[: self.rank] / scale  # from multipliers of the basis to those of A

    def unscaled(self, Y: np.ndarray) -> np.ndarray:
        """Return multipliers of A from those of `matrix`; what overflows becomes 0, which is legal, and of no use."""
        with np.errstate(over="ignore", under="ignore"):
            found = np.ldexp(Y, -self.exponents[:, None])
        return np.where(np.isfinite(found), found, 0.0)

    def solve(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return y, shape (n,), of least |target - A'y|_inf, and z, shape (N,), of largest target'z with |z|_1 = 1."""
        from scipy.optimize import linprog

        size = target.size
        equations = np.vstack([np.hstack([self.rows, -self.rows]), np.ones(2 * size)])
        right = np.zeros(self.rank + 1)
        right[-1] = 1.0
        found = linprog(-np.concatenate([target, -target]), A_eq=equations, b_eq=right, method="highs")
        if found.x is None:
            return np.zeros(self.back.shape[0]), np.zeros(size)
        return self.back @ -found.eqlin.marginals[:-1], found.x[:size] - found.x[size:]

    def sparsest(self, i: int) -> np.ndarray | None:
        """Return z, shape (N,), of least |z|_1 with A z = 0 and z_i = 1, a vertex; None if there is none."""
        from scipy.optimize import linprog

        size = self.rows.shape[1]
        picked = np.zeros((1, 2 * size))
        picked[0, i], picked[0, size + i] = 1.0, -1.0
        equations = np.vstack([np.hstack([self.rows, -self.rows]), picked])
        right = np.append(np.zeros(self.rank), 1.0)
        found = linprog(np.ones(2 * size), A_eq=equations, b_eq=right, method="highs")
        return None if found.x is None else found.x[:size] - found.x[size:]

    def joint(self, s: int) -> np.ndarray:
        """Return Y of least max over j of the s largest |entries| of column j of R = I - Y'A.

        R = P - Q with P, Q >= 0 and R Z = Z for a basis Z of the null space. The s largest entries of a column of
        P + Q add up to at most t if P + Q <= l_j + M and s l_j + sum_i M_ij <= t for some M, l >= 0.
        """
        from scipy import sparse
        from scipy.optimize import linprog

        size, free = self.rows.shape[1], self.null.shape[0]
        entries, identity = size * size, sparse.identity(size)
        both = sparse.identity(entries)  # entry (i, j) is number i N + j
        keep = sparse.kron(identity, self.null)  # row i of R times the columns of Z
        # P, Q and M by entries, l by columns, t
        shared, summed = sparse.kron(np.ones((size, 1)), identity), sparse.kron(np.ones((1, size)), identity)
        top: Any = [both, both, -both, -shared, sparse.csr_matrix((entries, 1))]
        low: Any = [sparse.csr_matrix((size, 2 * entries)), summed, s * identity, -np.ones((size, 1))]
        equal: Any = [keep, -keep, sparse.csr_matrix((size * free, entries + size + 1))]
        cost = np.zeros(3 * entries + size + 1)
        cost[-1] = 1.0
        found = linprog(
            cost,
            A_ub=sparse.vstack([sparse.hstack(top), sparse.hstack(low)], format="csr"),
            b_ub=np.zeros(entries + size),
            A_eq=sparse.hstack(equal, format="csr"),
            b_eq=self.null.T.ravel(),
            method="highs-ipm",
        )
        if found.x is None:
            return np.zeros((self.back.shape[0], size))
        residual = (found.x[:entries] - found.x[entries : 2 * entries]).reshape(size, size)
        return self.back @ (self.rows @ (np.eye(size) - residual).T)
