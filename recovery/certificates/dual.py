"""The dual bound on restricted eigenvalues: any symmetric U gives a bound, which rigorous arithmetic proves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_number
from recovery.certificates.certificate import Certificate, exact, exact_matrix
from recovery.certificates.cholesky import GramEnclosure, enclose_gram, proves_positive_definite, short_gram, tightest
from recovery.certificates.null_space import SOLVERS, Proposal, bound, clipped, first_order, with_cvxpy
from recovery.certificates.tight import exactly_tight
from recovery.exact.intervals import outward
from recovery.exact.rational import exact_products, integer_matrix, reduced_echelon, rounded, too_long
from recovery.operators.columns import check_support, host_columns

__all__ = ["SIDES", "dual_bound", "dual_vector_certificate", "proved_dual"]


Side = Literal["largest", "smallest"]
SIDES: tuple[Side, ...] = get_args(Side)
LARGEST = 1e290
"""Upper limit for useful entries of U: inner products of columns of norm up to 1e145."""


@dataclass(frozen=True)
class Search:
    """How :func:`dual_bound` searches for U: its validated arguments of the same names."""

    solver: str | None = "first-order"
    max_iter: int = 2000
    tol: float = 1e-7

    def __post_init__(self) -> None:
        check_choice(self.solver, "solver", (*SOLVERS, None))
        check_integer(self.max_iter, "max_iter", minimum=0)
        check_number(self.tol, "tol", minimum=0.0)


def dual_bound(
    A: Any,
    sparsity: int,
    side: Side = "largest",
    U: Any = None,
    *,
    solver: Literal["first-order", "CLARABEL", "SCS"] | None = "first-order",
    max_iter: int = 2000,
    tol: float = 1e-7,
) -> Certificate:
    """Prove an upper bound on the largest, or a lower bound on the smallest, eigenvalue of A_S'A_S over |S| <= s.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, neither scaled to unit norm nor divided by sqrt(n). Copied to the CPU; floats are treated as exact
        numbers.
    sparsity : int
        Largest number of columns, from 1 to N.
    side : {"largest", "smallest"}, default "largest"
        L_s or m_s.
    U : array, shape (N, N), optional
        A symmetric matrix with which to prove the bound; by default the solver proposes one.
    solver : {"first-order", "CLARABEL", "SCS", None}, default "first-order"
        Method that proposes U. None takes the best of some simple matrices, at no cost.
    max_iter : int, default 2000
        Steps of the first-order method.
    tol : float, default 1e-7
        Duality gap, relative to the largest entry of A'A, at which the first-order method stops.

    Returns
    -------
    Certificate
        Of kind "largest-eigenvalue" or "smallest-eigenvalue"; ``.bound`` is the rational claim rounded to a float on
        the safe side. ``made_by["relaxation"]`` is an interval (not proved) for the bound that the best U would give.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `sparsity` or `side` is invalid, or U is not symmetric and finite.

    Notes
    -----
    With G = A'A, any symmetric U and x with at most s non-zeros,

        x'G x = x'(G + U) x - x'U x,    |x'U x| <= max|U| |x|_1^2 <= s max|U| |x|^2,

    so L_s <= lambda_max(G + U) + s max|U| and m_s >= lambda_min(G + U) - s max|U|. The eigenvalue bound is proved by a
    Cholesky factorisation of an enclosure of G. If the entries of G are short rational numbers and the bound is close
    to one, that number is tried too, in exact arithmetic; it can then equal L_s. Bounds on m_s are never below 0, which
    U = 0 proves.

    Time: at N = 40 one eigendecomposition takes .2 ms, and a bound on L_s takes about 100 of them, one on m_s up to
    `max_iter`; on a busy machine, limit BLAS to one thread (``threadpoolctl.threadpool_limits(1)``).

    References
    ----------
    The dual of the relaxation of d'Aspremont, El Ghaoui, Jordan and Lanckriet (2007). Derived here:
    docs/theory, "The dual bound on restricted eigenvalues".

    Examples
    --------
    >>> import numpy as np
    >>> certificate = dual_bound(np.eye(3), 2)
    >>> certificate.bound, certificate.claim["bound"]
    (1.0, '1')
    """
    begin = time.perf_counter()
    search = Search(solver, max_iter, tol)
    columns, sparsity, U = _arguments(A, sparsity, side, U)
    value, found, proposal, arithmetic = proved_dual(columns, sparsity, side, U, search)
    made_by = {
        "solver": "given" if U is not None else (solver or "simple"),
        "message": proposal.message,
        "n_iter": proposal.n_iter,
        "relaxation": _relaxation(proposal, side),
        "arithmetic": arithmetic,
        "seconds": round(time.perf_counter() - begin, 3),
    }
    data, proof = {"A": exact_matrix(columns)}, {"method": "dual", "U": exact_matrix(found)}
    return Certificate(f"{side}-eigenvalue", {"s": sparsity, "bound": exact(value)}, data, proof, made_by)


def proved_dual(
    columns: np.ndarray,
    s: int,
    side: str,
    U: np.ndarray | None = None,
    search: Search | None = None,
) -> tuple[Fraction, Any, Proposal, str]:
    """Return a proved dual bound, the U that proves it, the proposal behind it and the kind of arithmetic.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s, side, U
        As for :func:`dual_bound`, checked.
    search : Search, optional
        How to search for U.

    Returns
    -------
    value : Fraction
        The bound.
    U : numpy.ndarray or list of list of Fraction, shape (N, N)
        Exactly symmetric.
    proposal : Proposal
        The proposal from which U was made.
    arithmetic : str
        How the bound was proved.
    """
    gram = enclose_gram(columns)
    proposal = _propose(gram, s, side, U, search or Search())
    tau = _proved_shift(gram, side, proposal.W)
    value = None if tau is None else _with_spread(tau, proposal.W, s, side)
    if U is None:
        short = short_gram(columns)
        tight = None if short is None else exactly_tight(short, s, side, proposal.W, value)
        if tight is not None:
            return tight[0], tight[1], proposal, "exact elimination"
        if side == "smallest" and (value is None or value <= 0):
            zero = np.zeros_like(gram.middle)
            # with more columns than rows, G itself is singular
            floor = _relative_floor(gram) if columns.shape[1] <= columns.shape[0] else Fraction(0)
            return floor, zero, proposal, "Cholesky factorisation with an error bound, U = 0"
    if value is None:
        raise ArithmeticError(f"no bound could be proved for A of shape {columns.shape}: its numbers are out of range")
    return value, proposal.W, proposal, "Cholesky factorisation with an error bound"


def _propose(gram: GramEnclosure, s: int, side: str, U: np.ndarray | None, search: Search) -> Proposal:
    """Return a proposal with the signs and scale of G; ``.W`` is U, with few bits."""
    H = gram.approximate
    sign = 1.0 if side == "largest" else -1.0
    scale = math.ldexp(1.0, math.frexp(float(np.abs(H).max()))[1])  # a power of two, so scaling is exact
    H = sign * (H / scale)
    if U is not None:
        with np.errstate(over="ignore"):
            dual = bound(H, sign * U / scale, s) * scale
        return Proposal(U, dual, message="U was given")
    out = clipped(H, s)
    solver = search.solver
    if solver == "first-order":
        out = first_order(H, s, start=out, max_iter=search.max_iter, tol=search.tol)
    elif solver is not None:
        other = with_cvxpy(H, s, solver)
        out = (
            other
            if other.dual <= out.dual
            else Proposal(out.W, out.dual, other.primal, other.Z, other.n_iter, f"{other.message}; {out.message}")
        )
    # a matrix with few bits makes a short certificate, and any matrix is a valid proposal
    W = np.ldexp(np.rint(np.ldexp(out.W, 40)), -40)
    return Proposal(sign * W * scale, out.dual * scale, out.primal * scale, out.Z, out.n_iter, out.message)


def _proved_shift(gram: GramEnclosure, side: str, U: np.ndarray | None) -> float | None:
    """Return a tau near the extreme eigenvalue of G + U that bounds it: above (largest) or below (smallest)."""
    M = gram.approximate if U is None else gram.approximate + U
    if not np.isfinite(M).all():
        return None
    spectrum = np.linalg.eigvalsh(M)
    direction, guess = (1.0, float(spectrum[-1])) if side == "largest" else (-1.0, float(spectrum[0]))

    def proved(tau: float) -> bool:
        enclosed = gram.shifted(side, U, tau)
        return enclosed is not None and proves_positive_definite(*enclosed)

    scale = max(abs(float(spectrum[0])), abs(float(spectrum[-1])), float(gram.approximate.diagonal().max()))
    tau = tightest(proved, guess, scale, direction)
    return tau if math.isfinite(tau) else None


def _relative_floor(gram: GramEnclosure) -> Fraction:
    """Return a lower bound >= 0 on lambda_min(G), with small relative error even for very different column norms."""
    highest = float(gram.approximate.diagonal().min())
    # lambda_min(G) <= min |a_j|^2: halve from there, since eigenvalue routines are inaccurate for small eigenvalues
    for halvings in range(1, 61) if highest > 0 else ():
        tau = math.ldexp(highest, -halvings)
        enclosed = gram.shifted("smallest", None, tau) if tau > 0 else None
        if enclosed is not None and proves_positive_definite(*enclosed):
            return Fraction(tau)
    return Fraction(0)


def _with_spread(tau: float, U: np.ndarray, s: int, side: str) -> Fraction:
    """Return tau +- s max|U|, rounded to few digits on the safe side."""
    spread = s * Fraction(float(np.abs(U).max()))
    towards = math.inf if side == "largest" else -math.inf
    value = outward(Fraction(tau) + spread if side == "largest" else Fraction(tau) - spread, towards)
    if not math.isfinite(value):
        raise ValueError("U has entries whose bound overflows; expected a matrix of the size of A'A")
    return Fraction(value)


def _relaxation(proposal: Proposal, side: str) -> list[float | None]:
    """Return an interval for the relaxation's optimum, with the sign of the side."""
    low, high = proposal.primal, proposal.dual
    ends = (low, high) if side == "largest" else (-high, -low)
    return [float(end) if math.isfinite(end) else None for end in ends]


def _arguments(A: Any, s: Any, side: Any, U: Any) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Return A and U on the CPU, and s; raise an error for invalid arguments."""
    check_choice(side, "side", SIDES)
    columns = host_columns(A)
    size = columns.shape[1]
    s = check_integer(s, "sparsity", minimum=1, maximum=size)
    if U is not None:
        U = arrays.to_numpy(check_array(U, "U", ndim=2, shape=(size, size), dtype=np.float64))
        if not np.array_equal(U, U.T):
            i, j = (int(k) for k in np.argwhere(U != U.T)[0])
            raise ValueError(
                f"U is not symmetric: {U[i, j]} at ({i}, {j}) and {U[j, i]} at ({j}, {i}); expected a symmetric "
                "matrix, such as (U + U') / 2"
            )
        if float(np.abs(U).max()) > LARGEST:
            raise ValueError(f"U has entries up to {float(np.abs(U).max()):.3g}; expected them below {LARGEST:.3g}")
    return columns, s, U


def dual_vector_certificate(
    A: Any, support: Any, signs: Sequence[int], q: Any, *, bits: int = 40, made_by: Any = None
) -> Certificate | None:
    """Prove, from an approximate dual vector, that l1 minimisation recovers every x with a given support and signs.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it is copied to the CPU.
    support : array of int, shape (k,)
        S.
    signs : sequence of int
        1 or -1 for each index of the ascending support.
    q : array, shape (n,)
        A vector with approximately A_S'q = signs, and |a_j'q| < 1 off S.
    bits : int, default 40
        q is rounded to this many binary digits of its largest entry before it is corrected.
    made_by : mapping, optional
        Stored in the certificate.

    Returns
    -------
    Certificate or None
        Of kind ``"l1-dual"``. None if the columns of S are dependent, some |a_j'q| >= 1 off S in exact arithmetic,
        or q has numbers of more than 4,000 digits, as can happen for rows of extremely different scales.

    Raises
    ------
    TypeError, ValueError
        If a shape is wrong or a number is not finite.

    Notes
    -----
    q + A_S (A_S'A_S)^-1 (signs - A_S'q), computed exactly, satisfies A_S'q = signs.
    """
    columns = host_columns(A)
    chosen = check_support(support, columns.shape[1])
    near = arrays.to_numpy(check_array(q, "q", ndim=1, shape=(columns.shape[0],), dtype=np.float64))
    multiplier = [Fraction(one) for one in rounded(near, bits).tolist()]
    wanted = [int(one) for one in signs]
    if len(wanted) != chosen.size or any(one not in (1, -1) for one in wanted):
        raise ValueError(f"signs={list(signs)} are invalid; expected 1 or -1 for each of {chosen.size} indices")
    if chosen.size:
        block = columns[:, chosen].T
        products = exact_products(block, [multiplier])
        missing = [sign - row[0] for sign, row in zip(wanted, products, strict=True)]
        gram = exact_products(block, block)
        form, pivot, pivots = reduced_echelon(
            integer_matrix([[*row, right] for row, right in zip(gram, missing, strict=True)])[0]
        )
        if pivots != list(range(chosen.size)):
            return None
        weights = [Fraction(row[-1], pivot) for row in form]
        change = exact_products([weights], block.T)[0]
        multiplier = [one + more for one, more in zip(multiplier, change, strict=True)]
    outside = np.setdiff1d(np.arange(columns.shape[1]), chosen)
    if outside.size and max(map(abs, exact_products([multiplier], columns[:, outside].T)[0])) >= 1:
        return None
    if too_long(multiplier):
        return None
    claim = {"support": chosen.tolist(), "signs": wanted}
    return Certificate("l1-dual", claim, {"A": exact_matrix(columns)}, {"q": exact_matrix(multiplier)}, made_by or {})
