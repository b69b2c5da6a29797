"""Conclusions about basis pursuit: the program is solved and its solution compared with the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.exact.bounded import norm
from recovery.guarantees.engine.base import Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import frames
from recovery.operators.gated import GatedOperator

__all__ = ["FAMILIES", "Comparison", "compare", "descent", "near", "recovers", "twin"]


TOLERANCE = 1e-9
"""Relative: entries that agree to this are equal, and l1 norms that differ by less are indistinguishable."""
DOUBT = 1e-7
"""Margins smaller than this are within the tolerances of the linear programs."""
_SHORTEST = 1e-8
"""Columns must be 0 or at least this fraction of the longest: shorter ones are below the programs' tolerances."""
_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Comparison:
    """The result of basis pursuit, compared with the planted vector.

    Parameters
    ----------
    z : numpy.ndarray, shape (N,), or None
        A minimiser of |D z|_1 subject to A z = A x, D = diag(weights); None if the program was not solved.
    distance : float
        max |z - x| / max |x|, in the units of the weights.
    gain : float
        1 - |D z|_1 / |D x|_1: positive where z is better than the planted vector.
    reason : str
        The solver's message.
    """

    z: np.ndarray | None
    distance: float
    gain: float
    reason: str


def _null_basis(A: np.ndarray) -> np.ndarray | None:
    """Return an orthonormal basis of the null space, shape (N, N - rank); None if the rank is not clear.

    It is not clear if the norms of the columns differ much: a relatively small singular value may belong to a short
    column.
    """
    lengths = norm(A, 0).value
    if np.any(lengths[lengths > 0.0] < _SHORTEST * lengths.max(initial=0.0)):
        return None
    # all of V, but never all of U, which has n^2 entries
    _, spectrum, Vt = np.linalg.svd(np.linalg.qr(A, mode="r") if A.shape[0] > A.shape[1] else A)
    top = float(spectrum[0]) if spectrum.size else 0.0
    floor = 64.0 * max(A.shape) * EPS * top
    if np.any((spectrum > floor) & (spectrum < 1e4 * floor)):
        return None
    return np.asarray(Vt[int(np.count_nonzero(spectrum > floor)) :].T)


def compare(A: np.ndarray, x: np.ndarray, weights: np.ndarray | None = None) -> Comparison:
    """Minimise |D z|_1 subject to A z = A x and compare the solution with x.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns, on the CPU.
    x : numpy.ndarray, shape (N,)
        Planted vector, not 0.
    weights : numpy.ndarray, shape (N,), optional
        Diagonal of D, positive; ones by default. The norms of the columns give basis pursuit on unit columns.

    Returns
    -------
    Comparison
        The program is solved over z = x + Z c, with Z a basis of the null space, so that A z = A x up to rounding
        for any condition number of A.
    """
    scale = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    Z = _null_basis(A / scale)
    if Z is None:
        return Comparison(
            None, math.nan, math.nan, "rounding leaves the rank of A open, or its columns differ too much in norm"
        )
    target = scale * x / float(np.abs(scale * x).max())
    size, free = Z.shape
    if free == 0:
        return Comparison(x.copy(), 0.0, 0.0, "the columns are independent")
    # min 1't subject to -t <= target + Z c <= t
    cost = np.concatenate([np.zeros(free), np.ones(size)])
    eye = np.eye(size)
    rows, right = np.block([[Z, -eye], [-Z, -eye]]), np.concatenate([-target, target])
    found = _minimum(cost, rows, right, free)
    if found.status != 0:
        return Comparison(None, math.nan, math.nan, f"the linear program was not solved: {found.message}")
    z = _vertex(Z, target + Z @ found.x[:free], target)
    distance = float(np.abs(z - target).max())
    gain = 1.0 - float(np.abs(z).sum()) / float(np.abs(target).sum())
    return Comparison(z / scale * float(np.abs(scale * x).max()), distance, gain, "solved")


def _minimum(cost: np.ndarray, rows: np.ndarray, right: np.ndarray, free: int) -> Any:
    """Minimise cost'v subject to rows v <= right, all entries but the first `free` not negative."""
    from scipy.optimize import linprog

    bounds = [(None, None)] * free + [(0.0, None)] * (len(cost) - free)
    solver: Any = linprog
    return solver(cost, rows, right, bounds=bounds, options=_OPTIONS)


def _vertex(Z: np.ndarray, z: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the solution with its zeros made exact: c solves target + Z c = 0 on them."""
    zeros = np.abs(z) <= 1e-7
    if not zeros.any():
        return z
    c = np.linalg.lstsq(Z[zeros], -target[zeros], rcond=None)[0]
    better = target + Z @ c
    good = np.abs(better - z).max() <= 1e-6 and np.abs(better).sum() <= np.abs(z).sum() + 1e-9
    return better if good else z


def descent(A: np.ndarray, support: np.ndarray, signs: np.ndarray) -> float:
    """Return how much a null vector can lower the l1 norm on S per unit of l1 norm outside S.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns as given, on the CPU.
    support : numpy.ndarray of int, shape (k,)
        S.
    signs : numpy.ndarray, shape (k,)
        Signs of the planted vector on S.

    Returns
    -------
    float
        rho = max -sgn'z_S subject to A z = 0, |z_{S^c}|_1 <= 1; ``inf`` if a null vector supported on S lowers it, NaN
        if the program was not solved.

    Notes
    -----
    Every x with this support and these signs is the unique minimiser of |z|_1 subject to A z = A x if and only if rho <
    1 and the columns of S are independent: near x the norm of x + e z is |x|_1 + e (sgn'z_S + |z_{S^c}|_1), and it is
    convex. This is the primal counterpart of the dual certificate, which is computed from A'q.
    """
    Z = _null_basis(A)
    if Z is None:
        return math.nan
    free = Z.shape[1]
    rest = np.setdiff1d(np.arange(A.shape[1]), support)
    if free == 0:
        return 0.0
    cost = np.concatenate([signs @ Z[support], np.zeros(len(rest))])
    eye = np.eye(len(rest))
    rows = np.block([[Z[rest], -eye], [-Z[rest], -eye], [np.zeros((1, free)), np.ones((1, len(rest)))]])
    right = np.concatenate([np.zeros(2 * len(rest)), [1.0]])
    found = _minimum(cost, rows, right, free)
    if found.status in (3, 4):
        return math.inf
    return -float(found.fun) if found.status == 0 else math.nan


def recovers(*, normalise: bool = True) -> Callable[[Instance], Verdict]:
    """Return the outcome "x is the only minimiser of |z|_1 subject to A z = y", optionally for columns of unit norm.

    Parameters
    ----------
    normalise : bool, default True
        Count entries in units of normalised columns, as ``recovery.solve(..., solver="l1")`` does by default.

    Returns
    -------
    callable
        Instance -> Verdict. It fails if the program found a z with a smaller norm, and holds if it returned x to 1e-9
        and no null vector lowers the norm. The margin is 1 / rho - 1 if x was returned (see :func:`descent`), otherwise
        minus the relative decrease of the norm.
    """

    def outcome(instance: Instance) -> Verdict:
        S, A = instance.support, instance.matrix
        if not len(S):
            return Verdict.of(True, "x = 0: 0 is the only minimiser")
        weights: Any = None
        if normalise:
            weights = norm(A, 0).value
            if not np.all(weights > 0.0):
                return Verdict.unknown("a column is 0")
        found = compare(A, instance.x, weights)
        if found.z is None:
            return Verdict.unknown(found.reason)
        if found.gain > TOLERANCE:
            return Verdict(
                "fails",
                -found.gain,
                f"the minimiser is not x: its norm is smaller than that of x by a relative {found.gain:.3g}",
            )
        unit = A if weights is None else A / weights
        rho = descent(unit, S, np.sign(instance.x[S]))
        margin = 1.0 / rho - 1.0 if rho > 0.0 else math.inf
        reason = (
            f"the minimiser is x up to {found.distance:.3g}; a null vector with l1 norm 1 outside S lowers the norm "
            f"on S by at most {rho:.6g}, where the limit is 1"
        )
        if found.distance > TOLERANCE or math.isnan(margin) or margin < DOUBT:
            return Verdict.unknown(reason, margin)
        return Verdict("holds", margin, reason)

    return outcome


Rng = np.random.Generator
Path = Callable[[float], Any]
Ratio = Callable[[np.ndarray, np.ndarray], float]


def near(rng: Rng, ratio: Ratio, *, most: int = 3, others: int = 6, scales: bool = True) -> Instance:
    """Draw an instance on which a condition ratio < 1 holds or fails by an aimed margin.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    ratio : callable
        ``ratio(A, x)``: the left side over the limit, continuous in A; the margin is 1 / ratio - 1.
    most : int, default 3
        Largest number of non-zeros.
    others : int, default 6
        Largest number of further columns.
    scales : bool, default True
        Half of the time give dense columns norms spread over up to two decades, to test conditions on unit columns.

    Returns
    -------
    Instance
        Without noise. ``options["design"]`` names one of :data:`FAMILIES`; the last two are gated operators. Most have
        fewer rows than columns.

    Notes
    -----
    Each family is a path of matrices that starts at low coherence; bisection along the path finds the aimed margin if
    the path crosses it, otherwise a random point is taken.
    """
    k, size = frames.sizes(rng, most, others)
    easy = bool(rng.random() < 0.85)
    while True:
        name = _NAMES[int(rng.integers(len(_NAMES)))]
        drawn = FAMILIES[name](rng, max(size, 4), k)
        if drawn is None:
            continue
        path, signs = drawn
        width = int(path(0.0).shape[1])
        if width <= k:
            continue
        x = _planted(rng, _matrix(path(0.7)), k, signs)
        goal = 1.0 / (1.0 + frames.aim(rng))
        t = _place(rng, lambda t, path=path, x=x: ratio(_matrix(path(t)), x), goal)  # type: ignore[misc]
        if t is None:
            if easy:
                continue
            t = 0.5
        A = path(t)
        if isinstance(A, np.ndarray) and scales and rng.random() < 0.5:
            scale = 10.0 ** rng.uniform(-1.0, 1.0, width)
            return Instance.planted(A * scale, x / scale, options={"design": name})
        return Instance.planted(A, x, options={"design": name})


def twin(rng: Rng, k: int, spare: int) -> Instance:
    """Draw 2 k + spare columns with one null vector without zeros, k of whose entries are planted.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Non-zeros of x.
    spare : int
        0: the other half, with its sign changed, gives the same data with as many non-zeros. If larger, it does not.

    Returns
    -------
    Instance
        Without noise, with one row fewer than columns.
    """
    z = _spread(rng, 2 * k + spare)
    A = _complement(z[:, None])
    x = np.zeros(len(z))
    S = rng.permutation(len(z))[:k]
    x[S] = z[S]
    return Instance.planted(A, x, options={"design": "twin"})


def _place(rng: Rng, value: Callable[[float], float], goal: float) -> float | None:
    """Return where a path crosses the goal, otherwise None, or sometimes a random point if the whole path is below."""
    first, last = value(0.0), value(1.0)
    if not (math.isfinite(first) and first < goal * (1.0 - 1e-9)):
        return None
    if not last >= goal:
        return float(rng.random()) if rng.random() < 0.3 else None
    low, high = 0.0, 1.0
    ends = first - goal, (last if math.isfinite(last) else 1e3) - goal
    f_low, f_high = ends
    for step in range(24):  # false position, with bisection every third step so that a kink cannot stall it
        t = 0.5 * (low + high)
        if step % 3 and f_high > f_low:
            t = low - f_low * (high - low) / (f_high - f_low)
            t = min(max(t, low + 1e-3 * (high - low)), high - 1e-3 * (high - low))
        found = value(t) - goal
        if not math.isfinite(found):
            found = 1e3
        if abs(found) <= 1e-8 * goal or high - low < 1e-13:
            return t
        if found < 0.0:
            low, f_low = t, found
        else:
            high, f_high = t, found
    return low


def _matrix(A: Any) -> np.ndarray:
    return np.asarray(A if isinstance(A, np.ndarray) else A.columns(np.arange(A.shape[1])))


def _planted(rng: Rng, A: np.ndarray, k: int, signs: np.ndarray | None) -> np.ndarray:
    """Draw x; half of the time with signs opposed to the null vector, on its largest entries."""
    unit = A / np.maximum(np.linalg.norm(A, axis=0), 1e-300)
    x = frames.plant(rng, unit.T @ unit, k)
    if signs is not None and rng.random() < 0.6:
        S = np.argsort(-np.abs(signs) * np.exp(0.2 * rng.standard_normal(len(signs))))[:k]
        values = np.abs(x[x != 0.0])
        x = np.zeros(len(x))
        x[S] = values * np.sign(signs[S])
    return x


def _complement(vectors: np.ndarray) -> np.ndarray:
    """Return orthonormal rows whose null space is spanned by the given columns."""
    U, _, _ = np.linalg.svd(vectors)
    return np.ascontiguousarray(U[:, vectors.shape[1] :].T)


def _spread(rng: Rng, size: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], size) * np.exp(0.3 * rng.standard_normal(size)) / math.sqrt(size)


def _null_vector(rng: Rng, size: int, k: int) -> tuple[Path, np.ndarray]:
    """One or two null vectors, from evenly spread to concentrated on a few columns."""
    count = 1 if rng.random() < 0.7 or size < 6 else 2
    even = np.column_stack([_spread(rng, size) for _ in range(count)])
    peaked = even.copy()
    peaked[rng.permutation(size)[:k], 0] *= 10.0
    return lambda t: _complement((1.0 - t) * even + t * peaked), peaked[:, 0]


def _simplex(rng: Rng, size: int, k: int) -> tuple[Path, None]:
    """Start at the corners of a simplex, one row fewer than columns, and go to random columns."""
    corners = _complement(np.ones((size, 1)))
    away = corners + rng.standard_normal(corners.shape)
    return lambda t: (1.0 - t) * corners + t * away, None


def _two_bases(rng: Rng, size: int, k: int) -> tuple[Path, None]:
    """Columns of two orthonormal bases whose entries are +-1/2 of each other's, towards random columns."""
    hadamard = np.array([[1.0, 1.0], [1.0, -1.0]])
    both = np.hstack([np.eye(4), np.kron(hadamard, hadamard) / 2.0])
    order = rng.permutation(8)[: min(max(size, 5), 8)]
    start = both[:, order] * rng.choice([-1.0, 1.0], len(order))
    away = start + 2.0 * rng.standard_normal(start.shape)
    return lambda t: (1.0 - t) * start + t * away, None


def _pattern(rng: Rng, size: int, k: int) -> tuple[Path, None] | None:
    """Take the Gram matrices I + t E that are positive semidefinite: fewer rows than columns only at the end."""
    _, E = frames.pattern(rng, size)
    end = frames.largest_step(E)
    roots = {}

    def columns(t: float) -> np.ndarray:
        if t not in roots:
            spectrum, basis = np.linalg.eigh(np.eye(size) + t * end * E)
            roots[t] = np.sqrt(np.maximum(spectrum, 0.0))[:, None] * basis.T
        return roots[t]

    return columns, None


def _frame(rng: Rng, d: int) -> np.ndarray:
    """Draw d columns in d - 1 dimensions with a positive last coordinate: rows on which the gate x_d >= 0 is open."""
    if d == 1:
        return np.ones((1, 1))
    drawn = _complement(rng.choice([-1.0, 1.0], (d, 1)))
    return np.asarray(drawn if rng.random() < 0.5 else drawn + 0.1 * rng.standard_normal(drawn.shape))


def _blank_rows(rng: Rng, size: int, k: int) -> tuple[Path, None]:
    """Gates 1{x_d >= 0} and 1{-x_d >= 0}: complementary except for rows with x_d = 0, on which both are open."""
    d = k + 1 + int(rng.integers(3))  # enough for two simplices of coherence 1 / (d - 1) to be of use
    first, second = _frame(rng, d), _frame(rng, d)
    first = first * np.where(first[:, -1:] < 0.0, -1.0, 1.0)  # the sign of a row changes no inner product
    second = second * np.where(second[:, -1:] > 0.0, -1.0, 1.0)
    shared = rng.standard_normal((int(rng.integers(1, 3)), d))
    shared[:, -1] = 0.0
    h = np.zeros((d, 2))
    h[-1] = 1.0, -1.0
    return lambda t: GatedOperator.from_generators(np.vstack([first, second, 3.0 * t * shared]), h), None


def _relu(rng: Rng, size: int, k: int) -> tuple[Path, None] | None:
    """Gates of random generators at the start of the path; the inputs then move and the gates stay."""
    d = int(rng.integers(1, 4))
    p = int(rng.integers(2, 5))
    n = int(rng.integers(max(3, (d * p) // 2), 2 * d * p + 2))
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    gates = X @ H >= 0.0
    away = rng.standard_normal((n, d))
    if not np.all(gates.any(axis=0)):
        return None
    return lambda t: GatedOperator((1.0 - t) * X + t * away, gates), None


FAMILIES: dict[str, Callable[[Rng, int, int], tuple[Path, np.ndarray | None] | None]] = {
    "null_vector": _null_vector,
    "simplex": _simplex,
    "two_bases": _two_bases,
    "pattern": _pattern,
    "gated_blank_rows": _blank_rows,
    "gated_relu": _relu,
}
"""``family(rng, size, k)``: a path of matrices, and a known null vector or None."""
_NAMES = tuple(name for name in FAMILIES for _ in range(1 if name == "pattern" else 2))
