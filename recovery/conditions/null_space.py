"""The null-space constant of l1 recovery: linear programs from above, null vectors from below."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from planted.checks import check_choice, check_integer
from recovery.conditions._columns import EPS, host_columns
from recovery.conditions.enumeration import LIMIT, supports
from recovery.conditions.intervals import Interval
from recovery.conditions.null_programs import Programs

__all__ = ["null_space_constant", "null_space_multipliers"]

PROGRAMS = 5000
"""Linear programs that an exact search may solve by default: about 10 seconds for 40 columns."""


def null_space_constant(A: Any, s: int, method: str = "decoupled", *, limit: int = PROGRAMS) -> Interval:
    """Return bounds of alpha_s, the largest share of |z|_1 that s entries of a null vector z of A can hold.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns as they are: their scales matter. The work is done on the CPU.
    s : int
        Number of entries, from 1 to N.
    method : {"decoupled", "joint", "exact"}, default "decoupled"
        ``"decoupled"`` bounds by N small linear programs, the best for s = 1; ``"joint"`` by one large program for
        this s, never worse up to rounding; ``"exact"`` solves one program for each support and signs that the bounds
        so far do not rule out.
    limit : int, default 5000
        For ``"exact"``: after so many programs, or beyond 2,000,000 supports with signs, it stops, and the interval
        is what is known by then: no guess.

    Returns
    -------
    Interval
        Both ends are certified where the flags say so: the upper one by evaluating I - Y'A with proved rounding
        errors, the lower one by a null vector in exact arithmetic, which is the witness, shape (N,), float64. With
        independent columns it is [0, 0].

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `s` is out of range, or the method is not known.

    Notes
    -----
    alpha_s = max over A z = 0, |K| = s of |z_K|_1 / |z|_1. Minimal l1 norm recovers every s-sparse x from A x if and
    only if alpha_s < 1/2. For any Y, alpha_s <= max over j of the sum of the s largest |entries| of column j of
    I - Y'A (at most s times the bound of alpha_1). A support K with signs e gives the program max e'z_K over
    A z = 0, |z|_1 <= 1, whose dual is min over y of |e - A'y|_inf. From below, programs are solved in turns: the
    largest entries of a solution, with their signs, are the next program.

    References
    ----------
    Juditsky and Nemirovski 2011 (arXiv:0809.2650); the enumeration from above is that of Cho and Xu (arXiv:1306.2665,
    from memory of the literature). Derived here: docs/derivations.md, "The null-space constant"; verified
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
    s = check_integer(s, "s", minimum=1, maximum=size)
    limit = check_integer(limit, "limit", minimum=0)
    programs = Programs(columns)
    columns = programs.matrix
    if programs.rank == size:
        return _interval(columns, np.zeros(size), s, 1.0)
    duals, primals = zip(*(programs.solve(unit) for unit in np.eye(size)), strict=True)
    Y = np.stack(duals, axis=1)
    upper = proved_bound(columns, Y, s)
    best = _climb(programs, np.array(primals), s)
    if method == "joint" and s > 1:
        upper = min(upper, proved_bound(columns, programs.joint(s), s))
    if method == "exact":  # multipliers of single entries rule out more programs than those of the joint one
        best, found = _enumerate(programs, columns, Y, s, best, limit)
        upper = min(upper, found)
    return _interval(columns, best, s, upper)


def null_space_multipliers(A: Any, s: int, method: str = "decoupled") -> np.ndarray:
    """Return multipliers Y for which the s largest |entries| of each column of I - Y'A add up to little.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it goes to the CPU.
    s : int
        Number of entries, from 1 to N.
    method : {"decoupled", "joint"}, default "decoupled"
        The programs of :func:`null_space_constant`.

    Returns
    -------
    numpy.ndarray of float64, shape (n, N)
        What :func:`recovery.certificates.null_space_certificate` takes.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `s` is out of range, or the method is not known.
    """
    check_choice(method, "method", ("decoupled", "joint"))
    columns = host_columns(A)
    s = check_integer(s, "s", minimum=1, maximum=columns.shape[1])
    programs = Programs(columns)
    if method == "joint":
        return programs.unscaled(programs.joint(s))
    return programs.unscaled(np.stack([programs.solve(unit)[0] for unit in np.eye(columns.shape[1])], axis=1))


def _interval(A: np.ndarray, z: np.ndarray, s: int, upper: float) -> Interval:
    """Return the interval whose lower end is proved by an exact null vector near z."""
    from recovery.certificates.rational import null_vector
    from recovery.certificates.rounding import outward

    exact = null_vector(A, z)
    if exact is None:  # independent columns
        return Interval(0.0, 0.0, True, True)
    sizes = sorted(map(abs, exact), reverse=True)
    lower = outward(Fraction(sum(sizes[:s]), sum(sizes)), -math.inf)
    witness = np.array([float(Fraction(one, sizes[0])) for one in exact])
    return Interval(lower, upper, True, True, witness)


def _climb(programs: Programs, starts: np.ndarray, s: int) -> np.ndarray:
    """Return a null vector with a large share on s entries: from each start, programs in turns while they gain."""
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
    """Return the best null vector and a proved bound, over all supports and signs (of which -e and e are one).

    With R = I - Y'A, e'z_K = (e'R_K) z <= max_j |e'R_K|_j |z|_1 bounds a program without solving it; programs are
    solved from the largest bound on, until the next is below what a null vector reaches.
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
