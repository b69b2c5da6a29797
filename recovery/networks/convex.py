"""Convex training of gated networks: the group program, and the cone program whose solution is a ReLU network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planted import ReLUNetwork
from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_integer, check_number
from planted.base.extras import need
from planted.base.values import by_value
from recovery.mlp.units import check_ratio
from recovery.operators.gated import GatedOperator

__all__ = ["ConeFit", "GroupFit", "LeastNorms", "cone_program", "flattest_dual", "group_program", "least_norms"]


_ACCEPTED = ("Solved", "AlmostSolved")
_MET = 1e-9
Blocks = Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class LeastNorms:
    """Result of :func:`least_norms`.

    Parameters
    ----------
    parts : list of numpy.ndarray, or None
        z_j; None if the solver found no solution.
    dual : numpy.ndarray, shape (n,), or None
        lambda.
    objective : float
        sum_j |z_j|_2; ``inf`` without a solution.
    residual : float
        |sum_j B_j z_j - y|_2.
    status : str
        Clarabel's status.
    steps : int
        Its iterations.
    """

    parts: list[np.ndarray] | None
    dual: np.ndarray | None
    objective: float
    residual: float
    status: str
    steps: int


def least_norms(
    blocks: Blocks, y: np.ndarray, *, inside: Blocks | None = None, tol: float = 1e-10, max_iter: int = 200
) -> LeastNorms:
    """Minimise sum_j |z_j|_2 subject to sum_j B_j z_j = y and, optionally, C_j z_j >= 0.

    Parameters
    ----------
    blocks : sequence of numpy.ndarray, shapes (n, r_j)
        B_j.
    y : numpy.ndarray, shape (n,)
        Data.
    inside : sequence of numpy.ndarray, shapes (m_j, r_j), optional
        C_j.
    tol : float, default 1e-10
        Relative feasibility and gap tolerance for Clarabel; its status is "AlmostSolved" if it does not reach them.
    max_iter : int, default 200
        Largest number of its iterations.

    Returns
    -------
    LeastNorms
        Without C_j the dual vector has |B_j' lambda| <= 1, and B_j' lambda = z_j / |z_j| where z_j is not 0.
    """
    widths = [block.shape[1] for block in blocks]
    count, total, n = len(blocks), sum(widths), len(y)
    size, length = max(float(np.abs(block).max(initial=0.0)) for block in blocks) or 1.0, float(np.linalg.norm(y))
    if length == 0.0:
        zero = [np.zeros(width) for width in widths]
        return LeastNorms(zero, np.zeros(n), 0.0, 0.0, "Solved", 0)
    starts = count + np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    top = np.zeros((n, count + total))
    top[:, count:] = np.concatenate(list(blocks), axis=1) / size
    rows, kinds = [top], [("zero", n)]
    if inside is not None:
        limits = np.zeros((sum(part.shape[0] for part in inside), count + total))
        row = 0
        for part, start in zip(inside, starts, strict=True):
            limits[row : row + part.shape[0], start : start + part.shape[1]] = -part / size
            row += part.shape[0]
        rows.append(limits)
        kinds.append(("nonnegative", row))
    for j, (start, width) in enumerate(zip(starts, widths, strict=True)):
        cone = np.zeros((width + 1, count + total))
        cone[0, j] = -1.0
        cone[1 + np.arange(width), start + np.arange(width)] = -1.0
        rows.append(cone)
        kinds.append(_cone_of(width))
    cost = np.concatenate([np.ones(count), np.zeros(total)])
    right = np.concatenate([y / length, np.zeros(sum(len(part) for part in rows[1:]))])
    found = _clarabel(cost, np.concatenate(rows), right, kinds, tol, max_iter)
    status = str(found.status)
    if status not in _ACCEPTED:
        return LeastNorms(None, None, float("inf"), float("inf"), status, int(found.iterations))
    z = np.array(found.x)[count:] * (length / size)
    parts = np.split(z, np.cumsum(widths)[:-1])
    misfit = sum((block @ part for block, part in zip(blocks, parts, strict=True)), -y)
    return LeastNorms(
        parts,
        -np.array(found.z)[:n] / size,
        float(sum(np.linalg.norm(part) for part in parts)),
        float(np.linalg.norm(misfit)),
        status,
        int(found.iterations),
    )


def flattest_dual(
    blocks: Blocks,
    planted: Mapping[int, np.ndarray],
    *,
    inside: Blocks | None = None,
    tight: Mapping[int, np.ndarray] | None = None,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> tuple[float, np.ndarray | None, str]:
    """Minimise the maximum of |B_j' lambda + C_j' a_j|_2 over non-planted j, with given unit vectors for planted j.

    Parameters
    ----------
    blocks : sequence of numpy.ndarray, shapes (n, r_j)
        B_j.
    planted : mapping of int to numpy.ndarray
        The unit vector z_j / |z_j| of each planted block.
    inside : sequence of numpy.ndarray, shapes (m_j, r_j), optional
        C_j; the multipliers a_j >= 0 belong to C_j z_j >= 0. By default there are none.
    tight : mapping of int to array of bool, optional
        For planted j, the rows with (C_j z_j)_i = 0; elsewhere a_j is 0. By default no row is tight.
    tol, max_iter
        As for :func:`least_norms`.

    Returns
    -------
    value : float
        The smallest maximum; 0 if all blocks are planted, ``inf`` if there is no such vector (or the solver finds
        none).
    dual : numpy.ndarray, shape (n,), or None
        lambda.
    status : str
        Clarabel's status.
    """
    size = max(float(np.abs(block).max(initial=0.0)) for block in blocks) or 1.0
    # a direction of lambda that affects no block would be unbounded
    left, values, _ = np.linalg.svd(np.concatenate(list(blocks), axis=1) / size, full_matrices=False)
    seen = left[:, values > max(left.shape) * EPS * values.max(initial=0.0)]
    n = seen.shape[1]
    multipliers: list[np.ndarray] = [np.zeros((0, block.shape[1])) for block in blocks]
    if inside is not None:
        loose = {j: np.zeros(len(inside[j]), dtype=bool) for j in planted} | dict(tight or {})
        multipliers = [part[loose[j]] if j in planted else part for j, part in enumerate(inside)]
    lengths = [len(part) for part in multipliers]
    starts = n + 1 + np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    columns = n + 1 + sum(lengths)  # lambda, the maximum, the multipliers
    equal, right, cones, kinds = [np.zeros((0, columns))], [np.zeros(0)], [], []
    for j, block in enumerate(blocks):
        row = np.zeros((block.shape[1], columns))
        row[:, :n] = block.T @ seen / size
        row[:, starts[j] : starts[j] + lengths[j]] = multipliers[j].T / size
        if j in planted:
            equal.append(row)
            right.append(planted[j])
        else:
            head = np.zeros((1, columns))
            head[0, n] = 1.0
            cones += [head, row]
            kinds.append(_cone_of(block.shape[1]))
    signs = np.zeros((sum(lengths), columns))
    signs[:, n + 1 :] = np.eye(sum(lengths))
    # Clarabel often fails on the equations, so they are eliminated: one solution plus the null space
    demands, goal = np.concatenate(equal), np.concatenate(right)
    start, free = _solutions(demands, goal)
    if np.linalg.norm(demands @ start - goal) > _MET:
        return float("inf"), None, "the planted directions contradict each other"
    if not cones:
        return 0.0, seen @ start[:n] / size, "Solved"
    rows = np.concatenate([signs, *cones])
    kinds = [kind for kind in (("nonnegative", len(signs)), *kinds) if kind[1]]
    found = _clarabel(free[n], -rows @ free, rows @ start, kinds, tol, max_iter)
    status = str(found.status)
    if status not in _ACCEPTED:
        return float("inf"), None, status
    x = start + free @ np.array(found.x)
    if np.linalg.norm(demands @ x - goal) > _MET or np.min(signs @ x, initial=0.0) < -_MET:
        return float("inf"), None, f"{status}, but not within {_MET:g} of the planted directions"
    reached = [float(np.linalg.norm(row @ x)) for row in cones[1::2]]
    return max(reached), seen @ x[:n] / size, status


def _solutions(E: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum-norm (least-squares) solution of E x = e, and an orthonormal basis of the null space of E."""
    left, values, right = np.linalg.svd(E)
    rank = int(np.sum(values > max(E.shape) * EPS * values.max(initial=0.0)))
    return right[:rank].T @ ((left[:, :rank].T @ e) / values[:rank]), right[rank:].T


def _cone_of(width: int) -> tuple[str, int]:
    """Return the cone of (t, z) with t >= |z|, z of a given length: a half line for length 0."""
    return ("second order", width + 1) if width else ("nonnegative", 1)


def _clarabel(
    cost: np.ndarray, rows: np.ndarray, right: np.ndarray, kinds: list[tuple[str, int]], tol: float, max_iter: int
) -> Any:
    """Minimise cost'x with right - rows x in a product of cones."""
    clarabel = need("clarabel")
    from scipy import sparse

    known = {
        "zero": clarabel.ZeroConeT,
        "nonnegative": clarabel.NonnegativeConeT,
        "second order": clarabel.SecondOrderConeT,
    }
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = max_iter
    settings.max_threads = 1
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = tol
    cones = [known[kind](length) for kind, length in kinds]
    nothing = sparse.csc_matrix((len(cost), len(cost)))
    return clarabel.DefaultSolver(nothing, cost, sparse.csc_matrix(rows), right, cones, settings).solve()


DROP = 1e-6
"""Neurons shorter than this fraction of the longest are treated as solver error."""


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class GroupFit:
    """Result of :func:`group_program`.

    Parameters
    ----------
    w : numpy.ndarray, shape (d p,), or None
        The minimiser as the solver returns it; entry ``j * d + i`` is gate j, feature i. None if it found none.
    linear : numpy.ndarray, shape (d,), or None
        w_0 of the linear part; None if no linear part was requested.
    dual : numpy.ndarray, shape (n,), or None
        lambda, the multiplier of the data.
    objective : float
        The minimised objective; ``inf`` without a solution.
    residual : float
        Norm of the difference between the data and the model's outputs.
    status : str
        Clarabel's status: ``"Solved"``, ``"AlmostSolved"`` (less accurate than `tol`), or why there is no solution.
    steps : int
        Its iterations.
    """

    w: np.ndarray | None
    linear: np.ndarray | None
    dual: np.ndarray | None
    objective: float
    residual: float
    status: str
    steps: int

    @property
    def success(self) -> bool:
        """Whether the solver found a solution."""
        return self.w is not None

    @property
    def message(self) -> str:
        """A message that says how the solver ended."""
        if self.w is None:
            return f"no solution: Clarabel ended with {self.status!r} after {self.steps} step(s)"
        near = "to its tolerance" if self.status == "Solved" else "less accurately than its tolerance"
        return f"solved {near}, in {self.steps} step(s); the residual is {self.residual:.3g}"

    @property
    def support(self) -> np.ndarray:
        """Indices with |w_i| above 1e-6 of the largest, ascending: an interior point method gives no exact zeros."""
        if self.w is None:
            return np.zeros(0, dtype=np.int64)
        size = np.abs(self.w)
        return np.flatnonzero(size > DROP * size.max(initial=0.0))

    def __repr__(self) -> str:
        """Return sizes and the objective, without the arrays."""
        size = None if self.w is None else self.w.size
        return (
            f"{type(self).__name__}(w of {size} entries, {self.support.size} in the support, "
            f"objective={self.objective:.6g}, success={self.success}, message={self.message!r})"
        )


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class ConeFit(GroupFit):
    """Result of :func:`cone_program`: the fields of :class:`GroupFit` with w_j = u_j - v_j, and the following.

    Parameters
    ----------
    positive, negative : numpy.ndarray, shape (p, d), or None
        u_j and v_j.
    outside : float
        Largest violation of the cone constraints: the largest -(2 D_j - I) x_i . u_j / (|x_i| max |u|), at least 0.
    network : ReLUNetwork or None
        sum_j relu(X u_j) - relu(X v_j), one neuron for each u_j and v_j longer than 1e-6 of the longest, with
        |hidden weights| = |output weight| for each; a linear part is two neurons, X w_0 = relu(X w_0) - relu(-X w_0).
    """

    positive: np.ndarray | None
    negative: np.ndarray | None
    outside: float
    network: ReLUNetwork | None


def group_program(
    X: Any,
    gates: Any,
    y: Any,
    *,
    linear: bool = False,
    normalised: bool = False,
    tol: float = 1e-10,
    max_iter: int = 200,
) -> GroupFit:
    """Minimise sum_j |w_j|_2 subject to sum_j D_j X w_j = y, and return the program's own solution.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; the program is solved on the CPU.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.
    y : array, shape (n,)
        Data.
    linear : bool, default False
        Add a linear part, X w_0, that costs |w_0|_2.
    normalised : bool, default False
        Minimise sum_j |D_j X w_j|_2 instead; among the w_j with equal D_j X w_j the shortest is returned.
    tol : float, default 1e-10
        Feasibility and gap tolerance of the solver, relative to data of unit norm.
    max_iter : int, default 200
        Largest number of its iterations.

    Returns
    -------
    GroupFit
        NumPy arrays.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite array of matching shape, or is out of range.

    See Also
    --------
    recovery.solve : ``solver="group_l1"`` cuts the solution to s entries and fits them again.
    recovery.conditions.neural_isometry : when a planted w is the only minimiser.

    Notes
    -----
    Meant for small problems: A is formed explicitly (n d p numbers), and Clarabel is an interior point method. With
    `normalised`, singular values of D_j X below max(n, d) eps times the largest count as 0.

    References
    ----------
    Pilanci and Ergen, "Neural networks are convex regularizers", ICML 2020 (from memory of the literature; the
    programs and their optimality conditions are derived in docs/theory, section "Neural isometry").
    """
    X, gates, y, inputs, data = _checked(X, gates, y)
    tol, max_iter = check_number(tol, "tol", minimum=0.0), check_integer(max_iter, "max_iter", minimum=1)
    blocks = [X] * linear + [X * gates[:, [j]] for j in range(gates.shape[1])]
    if not normalised:
        found = least_norms(blocks, y, tol=tol, max_iter=max_iter)
        return _fit(found, found.parts, linear, inputs, data)
    factors = [_thin(block) for block in blocks]
    found = least_norms([left for left, _ in factors], y, tol=tol, max_iter=max_iter)
    parts = found.parts
    if parts is not None:
        parts = [back @ z for (_, back), z in zip(factors, parts, strict=True)]
    fit = _fit(found, parts, linear, inputs, data)
    return replace(fit, dual=found.dual, objective=_times(found.objective, data))  # bases are scale-free


def cone_program(
    X: Any, gates: Any, y: Any, *, linear: bool = False, tol: float = 1e-10, max_iter: int = 200
) -> ConeFit:
    """Minimise sum_j |u_j|_2 + |v_j|_2 subject to sum_j D_j X (u_j - v_j) = y, (2 D_j - I) X u_j, v_j >= 0.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; the program is solved on the CPU.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.
    y : array, shape (n,)
        Data.
    linear : bool, default False
        Add a linear part, X w_0, with cost |w_0|_2 and no cone constraint: a network with a skip connection.
    tol : float, default 1e-10
        Feasibility and gap tolerance of the solver, relative to data of unit norm.
    max_iter : int, default 200
        Largest number of its iterations.

    Returns
    -------
    ConeFit
        NumPy arrays, the fused w and the network without gates.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite array of matching shape, or is out of range.

    Notes
    -----
    Within its cone D_j X u_j = relu(X u_j), so every feasible point is a ReLU network that fits the data. If the list
    contains all gates of X, this is equivalent to training a sufficiently wide network with weight decay, (sum_j
    |hidden_j|^2 + output_j^2) / 2. The cone constraints of this program have multipliers too; `dual` contains only
    those of the data.

    References
    ----------
    As for :func:`group_program`.
    """
    X, gates, y, inputs, data = _checked(X, gates, y)
    tol, max_iter = check_number(tol, "tol", minimum=0.0), check_integer(max_iter, "max_iter", minimum=1)
    d, p = X.shape[1], gates.shape[1]
    blocks = [X * gates[:, [j]] for j in range(p)]
    inside = [X * (2.0 * gates[:, [j]] - 1.0) for j in range(p)]
    found = least_norms(
        [X] * linear + blocks + [-block for block in blocks],
        y,
        inside=[np.zeros((0, d))] * linear + inside + inside,
        tol=tol,
        max_iter=max_iter,
    )
    if found.parts is None:
        nothing = _fit(found, None, linear, inputs, data)
        return ConeFit(**vars(nothing), positive=None, negative=None, outside=float("inf"), network=None)
    free, both = found.parts[:linear], np.reshape(found.parts[linear:], (2, p, d))
    longest = max(float(np.linalg.norm(part)) for part in found.parts)
    rows = np.linalg.norm(X, axis=1)
    scale = np.where(rows > 0.0, rows, 1.0) * (longest or 1.0)
    left = max(float(np.max(-(inside[j] @ part) / scale)) for side in both for j, part in enumerate(side))
    neurons = [(part, 1.0) for part in both[0]] + [(part, -1.0) for part in both[1]]
    neurons += [(sign * part, sign) for part in free for sign in (1.0, -1.0)]
    fit = _fit(found, [*free, *(both[0] - both[1])], linear, inputs, data)
    network = _network(neurons, DROP * longest, d)
    return ConeFit(
        **vars(fit),
        positive=_times(both[0], data - inputs),
        negative=_times(both[1], data - inputs),
        outside=max(left, 0.0),
        network=ReLUNetwork([_times(layer, (data - inputs) // 2) for layer in network.layers]),
    )


def _network(neurons: list[tuple[np.ndarray, float]], shortest: float, d: int) -> ReLUNetwork:
    """Return the network of the neurons that are not negligible, with balanced weights."""
    kept = [(u, sign, float(np.sqrt(np.linalg.norm(u)))) for u, sign in neurons if np.linalg.norm(u) > shortest]
    hidden = np.reshape([u / share for u, _, share in kept], (len(kept), d)).T
    return ReLUNetwork([hidden, np.array([sign * share for _, sign, share in kept])])


def _checked(X: Any, gates: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Return X, the gates and y on the CPU as float64, bool and float64, and the powers of two divided out of X and y.

    After that no square under- or overflows. The difference of the powers is even, so that both layers can share it.
    """
    operator = GatedOperator(X, gates)
    y = arrays.to_numpy(check_array(y, "y", ndim=1, shape=(operator.shape[0],))).astype(np.float64)
    X = np.ascontiguousarray(arrays.to_numpy(operator.inputs).T.astype(np.float64))
    inputs, data = (int(np.frexp(np.abs(one).max())[1]) for one in (X, y))
    data += (data - inputs) % 2
    gates = np.asarray(arrays.to_numpy(operator.gates()) != 0)
    if np.any(y) and data < inputs:  # overflow to infinity is noticed; zeros would look like a solution
        check_ratio(data, inputs, np.dtype(np.float64))
    return np.ldexp(X, -inputs), gates, np.ldexp(y, -data), inputs, data


def _times(value: Any, exponent: int) -> Any:
    """Return a number or array times a power of two; overflow gives infinity."""
    with np.errstate(over="ignore", under="ignore"):
        found = np.ldexp(value, exponent)
    return float(found) if np.ndim(found) == 0 else found


def _fit(found: LeastNorms, parts: list[np.ndarray] | None, linear: bool, inputs: int, data: int) -> GroupFit:
    """Return the solution in the units of X and y."""
    w = None if parts is None else _times(np.concatenate(parts[linear:]), data - inputs)
    free = _times(parts[0], data - inputs) if linear and parts is not None else None
    dual = None if found.dual is None else _times(found.dual, -inputs)
    objective, residual = _times(found.objective, data - inputs), _times(found.residual, data)
    return GroupFit(w, free, dual, objective, residual, found.status, found.steps)


def _thin(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return U and V S^-1 of block = U S V', without the zero singular values."""
    left, values, right = np.linalg.svd(block, full_matrices=False)
    kept = values > max(block.shape) * EPS * values[0]
    return left[:, kept], right[kept].T / values[kept]
