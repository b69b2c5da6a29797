"""The null-space constant of l1 recovery, bounded by linear programs from above and by null vectors from below."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any, Literal

import numpy as np

from planted.base.arrays import EPS
from planted.base.checks import check_choice, check_integer
from recovery.exact.enumeration import LIMIT, supports
from recovery.exact.intervals import Interval
from recovery.operators.columns import host_columns

__all__ = ["Programs", "null_space_constant", "null_space_multipliers"]


class Programs:
    """Linear programs over the null space of A, on an orthonormal basis of its rows.

    Rows are scaled by powers of two to order 1, which avoids underflow and overflow and does not change the null space.
    ``matrix`` is A with its rows divided exactly by 2^`exponents`.
    """

    def __init__(self, A: np.ndarray) -> None:
        exponents = np.frexp(np.abs(A).max(axis=1))[1]
        scaled = np.ldexp(A, -exponents[:, None])
        kept = (np.ldexp(scaled, exponents[:, None]) == A).all(axis=1)  # rows scaled without loss
        self.matrix = np.where(kept[:, None], scaled, A)
        self.exponents = np.where(kept, exponents, 0)
        scale = np.abs(self.matrix).max(axis=1, keepdims=True)
        scale[scale == 0.0] = 1.0
        left, values, right = np.linalg.svd(self.matrix / scale, full_matrices=True)
        self.rank = int(np.sum(values > max(A.shape) * EPS * values[0]))
        self.rows, self.null = right[: self.rank], right[self.rank :]
        self.back = left[:, : self.rank] / values[: self.rank] / scale  # basis multipliers to those of A

    def unscaled(self, Y: np.ndarray) -> np.ndarray:
        """Return multipliers of A from those of `matrix`; overflow is replaced by 0, which is valid but useless."""
        with np.errstate(over="ignore", under="ignore"):
            found = np.ldexp(Y, -self.exponents[:, None])
        return np.where(np.isfinite(found), found, 0.0)

    def solve(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return y, shape (n,), minimising |target - A'y|_inf, and z, shape (N,), maximising target'z on |z|_1 = 1."""
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
        """Return a vertex z, shape (N,), that minimises |z|_1 with A z = 0 and z_i = 1; None if there is none."""
        from scipy.optimize import linprog

        size = self.rows.shape[1]
        picked = np.zeros((1, 2 * size))
        picked[0, i], picked[0, size + i] = 1.0, -1.0
        equations = np.vstack([np.hstack([self.rows, -self.rows]), picked])
        right = np.append(np.zeros(self.rank), 1.0)
        found = linprog(np.ones(2 * size), A_eq=equations, b_eq=right, method="highs")
        return None if found.x is None else found.x[:size] - found.x[size:]

    def joint(self, s: int) -> np.ndarray:
        """Return the Y that minimises the largest sum of the s largest |entries| of a column of R = I - Y'A.

        R = P - Q with P, Q >= 0 and R Z = Z for a basis Z of the null space. The s largest entries of a column of
        P + Q add up to at most t if P + Q <= l_j + M and s l_j + sum_i M_ij <= t for some M, l >= 0.
        """
        from scipy import sparse
        from scipy.optimize import linprog

        size, free = self.rows.shape[1], self.null.shape[0]
        entries, identity = size * size, sparse.identity(size)
        both = sparse.identity(entries)  # entry (i, j) has index i N + j
        keep = sparse.kron(identity, self.null)  # row i of R times the columns of Z
        # variables: P, Q and M by entries, l by columns, t
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


PROGRAMS = 5000
"""Default limit of linear programs in an exact search: about 10 seconds for 40 columns."""


def null_space_constant(
    A: Any, sparsity: int, method: Literal["decoupled", "joint", "exact"] = "decoupled", *, limit: int = PROGRAMS
) -> Interval:
    """Return bounds on alpha_s, the largest fraction of |z|_1 on s entries of a null vector z of A.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, whose scales matter. The computation runs on the CPU.
    sparsity : int
        Number of entries, from 1 to N.
    method : {"decoupled", "joint", "exact"}, default "decoupled"
        ``"decoupled"`` bounds it by N small linear programs, which are optimal for s = 1; ``"joint"`` by one large
        program for this s, never worse up to rounding; ``"exact"`` solves one program for each support and sign pattern
        that the bounds so far do not rule out.
    limit : int, default 5000
        For ``"exact"``: the search stops after this many programs, or beyond 2,000,000 signed supports, and returns the
        bounds proved so far.

    Returns
    -------
    Interval
        The flags say which bounds are certified: the upper one by evaluating I - Y'A with rigorous rounding error
        bounds, the lower one by a null vector in exact arithmetic, which is the witness, shape (N,), float64. For
        independent columns the interval is [0, 0].

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `sparsity` is out of range, or the method is unknown.

    Notes
    -----
    alpha_s = max over A z = 0, |K| = s of |z_K|_1 / |z|_1. l1 minimisation recovers every s-sparse x from A x if and
    only if alpha_s < 1/2. For any Y, alpha_s <= max over j of the sum of the s largest |entries| of column j of I - Y'A
    (at most s times the bound of alpha_1). A support K with signs e gives the program max e'z_K over A z = 0, |z|_1 <=
    1, whose dual is min over y of |e - A'y|_inf. Lower bounds come from alternating programs: the largest entries of a
    solution, with their signs, define the next program.

    References
    ----------
    Juditsky and Nemirovski 2011 (arXiv:0809.2650); the enumeration from above is that of Cho and Xu (arXiv:1306.2665,
    from memory of the literature). Derived here: docs/theory, "The null-space constant"; verified
    numerically by tests/recovery/test_null_space.py.

    Examples
    --------
    >>> import numpy as np
    >>> alpha = null_space_constant(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]), 1)
    >>> round(alpha.lower, 9), round(alpha.upper, 9), alpha.upper_certified
    (0.5, 0.5, True)
    """
    from recovery.certificates.null_space import proved_bound

    check_choice(method, "method", ("decoupled", "joint", "exact"))
    columns = host_columns(A)
    size = columns.shape[1]
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=size)
    limit = check_integer(limit, "limit", minimum=0)
    programs = Programs(columns)
    columns = programs.matrix
    if programs.rank == size:
        return _interval(columns, np.zeros(size), sparsity, 1.0)
    duals, primals = zip(*(programs.solve(unit) for unit in np.eye(size)), strict=True)
    Y = np.stack(duals, axis=1)
    upper = proved_bound(columns, Y, sparsity)
    best = _climb(programs, np.array(primals), sparsity)
    if method == "joint" and sparsity > 1:
        upper = min(upper, proved_bound(columns, programs.joint(sparsity), sparsity))
    if method == "exact":  # decoupled multipliers rule out more programs than joint ones
        best, found = _enumerate(programs, columns, Y, sparsity, best, limit)
        upper = min(upper, found)
    return _interval(columns, best, sparsity, upper)


def null_space_multipliers(A: Any, sparsity: int, method: Literal["decoupled", "joint"] = "decoupled") -> np.ndarray:
    """Return multipliers Y for which the sum of the s largest |entries| in each column of I - Y'A is small.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it is copied to the CPU.
    sparsity : int
        Number of entries, from 1 to N.
    method : {"decoupled", "joint"}, default "decoupled"
        The programs of :func:`null_space_constant`.

    Returns
    -------
    numpy.ndarray of float64, shape (n, N)
        Input for :func:`recovery.certificates.null_space_certificate`.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `sparsity` is out of range, or the method is unknown.
    """
    check_choice(method, "method", ("decoupled", "joint"))
    columns = host_columns(A)
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=columns.shape[1])
    programs = Programs(columns)
    if method == "joint":
        return programs.unscaled(programs.joint(sparsity))
    return programs.unscaled(np.stack([programs.solve(unit)[0] for unit in np.eye(columns.shape[1])], axis=1))


def _interval(A: np.ndarray, z: np.ndarray, s: int, upper: float) -> Interval:
    """Return the interval, with the lower bound proved by an exact null vector near z."""
    from recovery.exact.intervals import outward
    from recovery.exact.rational import null_vector

    exact = null_vector(A, z)
    if exact is None:  # independent columns
        return Interval(0.0, 0.0, True, True)
    sizes = sorted(map(abs, exact), reverse=True)
    lower = outward(Fraction(sum(sizes[:s]), sum(sizes)), -math.inf)
    witness = np.array([float(Fraction(one, sizes[0])) for one in exact])
    return Interval(lower, upper, True, True, witness)


def _climb(programs: Programs, starts: np.ndarray, s: int) -> np.ndarray:
    """Return a null vector with a large fraction on s entries, by alternating programs from each start."""
    best, share = starts[0], -1.0
    for z in starts:
        reached = _share(z, s)
        for _ in range(20):
            candidate = programs.solve(_signs(z, s))[1]
            if _share(candidate, s) <= reached * (1.0 + 1e-9):
                break
            z, reached = candidate, _share(candidate, s)
        if reached > share:
            best, share = z, reached
    return best


def _share(z: np.ndarray, s: int) -> float:
    sizes = np.sort(np.abs(z))
    total = float(sizes.sum())
    return float(sizes[-s:].sum()) / total if total > 0.0 else 0.0


def _signs(z: np.ndarray, s: int) -> np.ndarray:
    """Return the signs of the s largest entries, 0 elsewhere."""
    target = np.zeros(z.size)
    chosen = np.argsort(-np.abs(z), kind="stable")[:s]
    target[chosen] = np.where(z[chosen] < 0.0, -1.0, 1.0)
    return target


def _enumerate(
    programs: Programs, A: np.ndarray, Y: np.ndarray, s: int, best: np.ndarray, limit: int
) -> tuple[np.ndarray, float]:
    """Return the best null vector and a proved bound, over all supports and signs (-e and e count as one).

    With R = I - Y'A, e'z_K = (e'R_K) z <= max_j |e'R_K|_j |z|_1 bounds a program without solving it; programs are
    solved in order of decreasing bound, until the next bound is below the value of a null vector already found.
    """
    from recovery.certificates.null_space import enclosed_residual

    size = A.shape[1]
    signs = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=s - 1)])
    if math.comb(size, s) * len(signs) > LIMIT:
        return best, 1.0
    residual, radius = enclosed_residual(A, Y, np.eye(size))
    chosen = np.concatenate(list(supports(size, s, 4096)))
    bounds = np.empty((len(chosen), len(signs)))
    for first in range(0, len(chosen), 4096):
        block = slice(first, first + 4096)
        spread = (radius + s * EPS * np.abs(residual))[chosen[block]].sum(axis=1)
        for number, one in enumerate(signs):
            reach = np.abs(np.einsum("k,ckj->cj", one, residual[chosen[block]])) + spread
            bounds[block, number] = reach.max(axis=1) * (1.0 + (2 * s + 8) * EPS)
    order = np.argsort(-bounds, axis=None, kind="stable")
    share, solved = _share(best, s), 0.0
    for count, place in enumerate(order):
        bound = float(bounds.flat[place])
        if bound <= share or count >= limit:
            return best, max(solved, bound)
        support, number = divmod(int(place), len(signs))
        target = np.zeros(size)
        target[chosen[support]] = signs[number]
        y, z = programs.solve(target)
        line, width = enclosed_residual(A, y[:, None], target[None, :])
        solved = max(solved, min(bound, float((np.abs(line) + width).max()) * (1.0 + 4 * EPS)))
        if _share(z, s) > share:
            best, share = z, _share(z, s)
    return best, solved
