"""Proofs of bounds on the null-space constant of l1 recovery: upper ones by multipliers, lower ones by null vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_integer
from planted.base.extras import need
from planted.base.quiet import quiet
from recovery.certificates.certificate import Certificate, exact, exact_matrix
from recovery.exact.rational import exact_products, null_vector, rounded, too_long
from recovery.operators.columns import host_columns

__all__ = [
    "SOLVERS",
    "Proposal",
    "clipped",
    "enclosed_residual",
    "first_order",
    "null_space_certificate",
    "null_space_witness",
    "proved_bound",
    "with_cvxpy",
]


def enclosed_residual(A: np.ndarray, Y: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return C - Y'A in floating point, and a proved bound on its error.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        The matrix.
    Y : numpy.ndarray of float64, shape (n, k)
        Any multipliers.
    C : numpy.ndarray of float64, shape (k, N)
        Any target.

    Returns
    -------
    residual : numpy.ndarray of float64, shape (k, N)
        The computed residual.
    radius : numpy.ndarray of float64, shape (k, N)
        Upper bound on the error of each entry; infinite if something overflows.

    Notes
    -----
    In any order of summation of n + 1 terms, the error is at most gamma_(n+1) (|C| + |Y|'|A|) plus 2^-1075 for each
    product that underflows, gamma_k = k u / (1 - k u), u = eps / 2. The bound uses eps in place of u, which covers the
    rounding errors of the bound itself (derived here: docs/theory, "The null-space constant").
    """
    n = A.shape[0]
    with np.errstate(over="ignore", invalid="ignore"):
        residual = C - Y.T @ A
        size = np.abs(C) + np.abs(Y).T @ np.abs(A)
        radius = (n + 4) * EPS * size + (n + 1) * 2.0**-1072
    bad = ~(np.isfinite(residual) & np.isfinite(radius))
    return np.where(bad, 0.0, residual), np.where(bad, math.inf, radius)


def proved_bound(A: np.ndarray, Y: np.ndarray, s: int) -> float:
    """Return a proved upper bound on alpha_s, at most 1, from any multipliers, in floating point.

    Parameters
    ----------
    A, Y : numpy.ndarray of float64, shape (n, N)
        The matrix and the multipliers.
    s : int
        Number of entries, from 1 to N.

    Returns
    -------
    float
        The bound that :func:`null_space_certificate` proves from them in exact arithmetic, plus some rounding errors.
    """
    residual, radius = enclosed_residual(A, Y, np.eye(A.shape[1]))
    sizes = np.sort(np.abs(residual) + radius, axis=0)[-s:]
    return min(1.0, float(sizes.sum(axis=0).max()) * (1.0 + (s + 4) * EPS))


def null_space_certificate(A: Any, sparsity: int, Y: Any, *, bits: int = 32, made_by: Any = None) -> Certificate:
    """Prove an upper bound on the null-space constant alpha_s.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it is copied to the CPU.
    sparsity : int
        Number of entries, from 1 to N.
    Y : array, shape (n, N)
        Multipliers; any are valid, and those of :func:`recovery.conditions.null_space_multipliers` give good bounds.
    bits : int, default 32
        Y is rounded to this many binary digits of its largest entry, to keep the file small.
    made_by : mapping, optional
        Stored in the certificate.

    Returns
    -------
    Certificate
        Of kind ``"null-space"``: alpha_s <= bound, the exact max over j of the s largest |entries| of column j of
        I - Y'A, rounded up to 50 binary digits if it has more.

    Raises
    ------
    TypeError, ValueError
        If a shape is wrong or a number is not finite.

    Notes
    -----
    If A z = 0, then z = (I - Y'A) z, and the sum of any s |entries| of z is at most sum_j |z_j| times that maximum.

    References
    ----------
    Juditsky and Nemirovski 2011 (arXiv:0809.2650); derived here: docs/theory, "The null-space constant".
    """
    columns = host_columns(A)
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=columns.shape[1])
    bits = check_integer(bits, "bits", minimum=1, maximum=53)
    Y = rounded(arrays.to_numpy(check_array(Y, "Y", ndim=2, shape=columns.shape, dtype=np.float64)), bits)
    worst = Fraction(0)
    for j, products in enumerate(exact_products(columns.T, Y.T)):
        sizes = sorted((abs((i == j) - one) for i, one in enumerate(products)), reverse=True)
        worst = max(worst, sum(sizes[:sparsity], Fraction(0)))
    if worst.denominator > 2**50:
        worst = Fraction(math.ceil(worst * 2**50), 2**50)
    proof = {"method": "juditsky-nemirovski", "Y": exact_matrix(Y)}
    return Certificate(
        "null-space", {"s": sparsity, "bound": exact(worst)}, {"A": exact_matrix(columns)}, proof, made_by or {}
    )


def null_space_witness(A: Any, sparsity: int, z: Any, *, made_by: Any = None) -> Certificate | None:
    """Prove a lower bound on the null-space constant alpha_s by a null vector with exactly A z = 0.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it is copied to the CPU.
    sparsity : int
        Number of entries, from 1 to N.
    z : array, shape (N,)
        A vector close to the null space; it is moved into the null space (:func:`recovery.exact.rational.null_vector`).
    made_by : mapping, optional
        Stored in the certificate.

    Returns
    -------
    Certificate or None
        Of kind ``"null-space-witness"``: alpha_s >= bound, the exact fraction of |z|_1 on the s largest entries. None
        if the columns of A are independent, since then there is no null vector and alpha_s = 0. Also None if the null
        vector has numbers of more than 4,000 digits, as can happen with hundreds of rows of floats.

    Raises
    ------
    TypeError, ValueError
        If a shape is wrong or a number is not finite.
    """
    columns = host_columns(A)
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=columns.shape[1])
    near = arrays.to_numpy(check_array(z, "z", ndim=1, shape=(columns.shape[1],), dtype=np.float64))
    found = null_vector(columns, near)
    if found is None or too_long(found):
        return None
    sizes = sorted(map(abs, found), reverse=True)
    share = Fraction(sum(sizes[:sparsity]), sum(sizes))
    if share.denominator > 2**50:
        share = Fraction(math.floor(share * 2**50), 2**50)
    proof = {"vector": [exact(one) for one in found]}
    claim = {"s": sparsity, "bound": exact(share)}
    return Certificate("null-space-witness", claim, {"A": exact_matrix(columns)}, proof, made_by or {})


SOLVERS = ("first-order", "CLARABEL", "SCS")


@dataclass(frozen=True, eq=False)
class Proposal:
    """A method's proposal for bounding max over s-sparse unit x of x'H x.

    Parameters
    ----------
    W : numpy.ndarray, shape (N, N)
        Symmetric; in floats, lambda_max(H + W) + s max|W| is `dual`.
    dual, primal : float
        The relaxation's optimum lies between them, up to rounding.
    Z : numpy.ndarray, shape (N, N), optional
        Feasible for the relaxation with value `primal`.
    n_iter : int
        Number of steps.
    message : str
        How the method ended.
    """

    W: np.ndarray
    dual: float
    primal: float = -np.inf
    Z: np.ndarray | None = None
    n_iter: int = 0
    message: str = ""


def bound(H: np.ndarray, W: np.ndarray, s: int) -> float:
    """Return lambda_max(H + W) + s max|W| in floats."""
    return float(np.linalg.eigvalsh(H + W)[-1] + s * np.abs(W).max())


def clipped(H: np.ndarray, s: int, count: int = 12) -> Proposal:
    """Return the best W = -clip(H, -t, t), with -t on the diagonal, for t = 0 and some entries of H.

    Parameters
    ----------
    H : numpy.ndarray, shape (N, N)
        Symmetric.
    s : int
        Non-zeros of x.
    count : int, default 12
        Number of thresholds.

    Returns
    -------
    Proposal
        The bound is at most lambda_max(H) (t = 0) and, with t the largest off-diagonal entry, at most the largest
        diagonal entry + (s - 1) t. Both are tight for columns with equal norms and inner products.
    """
    # numbers that are equal up to rounding count once
    sizes = np.unique(np.abs(H))
    sizes = sizes[np.append(True, np.diff(sizes) > 1e-12 * sizes[-1])]
    off = np.abs(H - np.diag(H.diagonal())).max()
    at = np.linspace(0, len(sizes) - 1, min(count, len(sizes))).astype(int)
    thresholds = np.unique(np.append(sizes[at], [0.0, off]))
    trials = -np.clip(H, -thresholds[:, None, None], thresholds[:, None, None])
    at = np.arange(len(H))
    trials[:, at, at] = -thresholds[:, None]
    values = np.linalg.eigvalsh(H + trials)[:, -1] + s * thresholds
    best = int(np.argmin(values))
    return Proposal(trials[best], float(values[best]), message="clipped Gram matrix")


def first_order(
    H: np.ndarray, s: int, *, start: Proposal, max_iter: int = 2000, tol: float = 1e-7, check_every: int = 10
) -> Proposal:
    """Solve max <H, Z> over tr Z = 1, sum |Z_ij| <= s, Z >= 0 by alternating directions.

    Parameters
    ----------
    H : numpy.ndarray, shape (N, N)
        Symmetric.
    s : int
        Non-zeros of x.
    start : Proposal
        The starting point; the result is never worse.
    max_iter : int, default 2000
        Number of steps; each costs one eigendecomposition.
    tol : float, default 1e-7
        Stop when the gap is at most this multiple of the largest entry of H.
    check_every : int, default 10
        Number of steps between evaluations of the gap.

    Returns
    -------
    Proposal
        The best W found, and the best feasible Z.

    Notes
    -----
    With Z = Y and a multiplier L, the Lagrangian's minimum over Z, Y is -(lambda_max(H - L) + s max|L|): each
    multiplier is a proposal W = -L. A Z with sum |Z_ij| > s is made feasible by shrinking its off-diagonal part, since
    sum |diag Z| = 1 <= s. The penalty follows the ratio of the residuals (Boyd et al. 2011, section 3.4.1).

    References
    ----------
    The relaxation: A. d'Aspremont, L. El Ghaoui, M. Jordan, G. Lanckriet, A direct formulation for sparse PCA, SIAM
    Review 49 (2007).
    """
    size = H.shape[0]
    scale = float(np.abs(H).max()) or 1.0
    H = H / scale
    W, dual, primal, best_Z = start.W / scale, start.dual / scale, -np.inf, None
    L, Y, penalty = -W, np.zeros((size, size)), 1.0
    message = f"the gap was not closed in {max_iter} steps"
    for step in range(1, max_iter + 1):
        Z = _spectrahedron(Y + (H - L) / penalty)
        relaxed = 1.6 * Z - 0.6 * Y  # over-relaxation: a third fewer steps in measurements
        before, Y = Y, _small_entries(relaxed + L / penalty, float(s))
        L = L + penalty * (relaxed - Y)
        if step % check_every == 0 or step == max_iter:
            trial = bound(H, -L, s)
            if trial < dual:
                dual, W = trial, -L
            value, feasible = _feasible(H, Z, s)
            if value > primal:
                primal, best_Z = value, feasible
            if dual - primal <= tol:
                message = "gap closed"
                break
            off, move = float(np.linalg.norm(Z - Y)), penalty * float(np.linalg.norm(Y - before))
            if off > 2.0 * move and penalty < 1e6:
                penalty *= 2.0
            elif move > 2.0 * off and penalty > 1e-6:
                penalty /= 2.0
    W = (W + W.T) / 2.0
    return Proposal(W * scale, dual * scale, primal * scale, best_Z, step if max_iter else 0, message)


def with_cvxpy(H: np.ndarray, s: int, solver: str, **options: Any) -> Proposal:
    """Solve min t + s u over lambda_max(H + W) <= t, max|W| <= u with a solver of cvxpy.

    Parameters
    ----------
    H : numpy.ndarray, shape (N, N)
        Symmetric.
    s : int
        Non-zeros of x.
    solver : {"CLARABEL", "SCS"}
        The solver.
    **options
        Options passed to it by cvxpy's ``solve``.

    Returns
    -------
    Proposal
        W = 0 if the solver failed, and the message says so.
    """
    cp = need("cvxpy")

    size = H.shape[0]
    scale = float(np.abs(H).max()) or 1.0
    W, t, u = cp.Variable((size, size), symmetric=True), cp.Variable(), cp.Variable()
    constraint = t * np.eye(size) - H / scale - W >> 0
    problem = cp.Problem(cp.Minimize(t + s * u), [constraint, cp.abs(W) <= u])
    with quiet():  # ignore "may be inaccurate": a proposal is checked in any case
        try:
            problem.solve(solver=solver, **options)
        except cp.SolverError as error:
            return Proposal(np.zeros_like(H), float("inf"), message=f"{solver} failed: {error}")
    if W.value is None or not np.isfinite(W.value).all():
        return Proposal(np.zeros_like(H), float("inf"), message=f"{solver} ended as {problem.status}")
    found = (W.value + W.value.T) / 2.0 * scale
    primal, Z = -np.inf, None
    if constraint.dual_value is not None:
        multiplier = np.asarray(constraint.dual_value)
        Z = _spectrahedron((multiplier + multiplier.T) / 2.0)
        primal, Z = _feasible(H, Z, s)
    steps = int(getattr(problem.solver_stats, "num_iters", 0) or 0)
    return Proposal(found, bound(H, found, s), primal, Z, steps, f"{solver}: {problem.status}")


def _spectrahedron(M: np.ndarray) -> np.ndarray:
    """Return the nearest positive semidefinite matrix of trace 1."""
    values, vectors = np.linalg.eigh(M)
    sums = (np.cumsum(values[::-1]) - 1.0) / np.arange(1, len(values) + 1)
    kept = int(np.flatnonzero(values[::-1] > sums)[-1])
    weights = np.maximum(values - sums[kept], 0.0)
    active = vectors[:, len(values) - kept - 1 :]
    return (active * weights[len(values) - kept - 1 :]) @ active.T


def _small_entries(M: np.ndarray, radius: float) -> np.ndarray:
    """Return the nearest matrix with sum |Y_ij| <= radius."""
    sizes = np.abs(M)
    if sizes.sum() <= radius:
        return M
    descending = np.sort(sizes, axis=None)[::-1]
    levels = (np.cumsum(descending) - radius) / np.arange(1, descending.size + 1)
    level = levels[int(np.flatnonzero(descending > levels)[-1])]
    return np.copysign(np.maximum(sizes - level, 0.0), M)


def _feasible(H: np.ndarray, Z: np.ndarray, s: int) -> tuple[float, np.ndarray]:
    """Return the value of a feasible matrix near Z (positive semidefinite, trace 1), and the matrix."""
    diagonal = np.diag(Z.diagonal())
    total = float(np.abs(Z).sum())
    share = 1.0 if total <= s else max(0.0, (s - 1.0) / (total - 1.0))
    feasible = diagonal + share * (Z - diagonal)
    return float((H * feasible).sum()), feasible
