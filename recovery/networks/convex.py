"""Convex training of gated networks: the group program, and the cone program whose solution is a ReLU network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planted import ReLUNetwork, arrays
from planted.checks import check_array, check_integer, check_number
from planted.values import by_value
from recovery._cones import LeastNorms, least_norms
from recovery.gated import GatedOperator
from recovery.networks.units import check_ratio

__all__ = ["ConeFit", "GroupFit", "cone_program", "group_program"]

DROP = 1e-6
"""Neurons shorter than this share of the longest are the solver's error."""


@by_value
@dataclass(frozen=True, eq=False)
class GroupFit:
    """The answer of :func:`group_program`.

    Parameters
    ----------
    w : numpy.ndarray, shape (d p,), or None
        The minimiser as the solver returns it; entry ``j * d + i`` is gate j, feature i. None where it has none.
    linear : numpy.ndarray, shape (d,), or None
        w_0 of the linear part; None where none was asked for.
    dual : numpy.ndarray, shape (n,), or None
        lambda, the multiplier of the data.
    objective : float
        What was minimised; ``inf`` without an answer.
    residual : float
        Length of what the data and the model's outputs differ by.
    status : str
        Clarabel's word: ``"Solved"``, ``"AlmostSolved"`` (less near than `tol`) or why there is no answer.
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


@by_value
@dataclass(frozen=True, eq=False)
class ConeFit(GroupFit):
    """The answer of :func:`cone_program`: the fields of :class:`GroupFit`, w_j = u_j - v_j, and what follows.

    Parameters
    ----------
    positive, negative : numpy.ndarray, shape (p, d), or None
        u_j and v_j.
    outside : float
        By how much the cones are left at most: the largest -(2 D_j - I) x_i . u_j / (|x_i| max |u|), at least 0.
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
        Minimise sum_j |D_j X w_j|_2 instead; of the w_j with equal D_j X w_j the shortest is returned.
    tol : float, default 1e-10
        Feasibility and gap that the solver is asked for, relative to data of unit norm.
    max_iter : int, default 200
        Limit of its steps.

    Returns
    -------
    GroupFit
        NumPy arrays.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite array of a shape that fits, or out of range.

    See Also
    --------
    recovery.solve : ``solver="group_l1"`` cuts the solution to s entries and fits them again.
    recovery.conditions.neural_isometry : when a planted w is the only minimiser.

    Notes
    -----
    A is formed, n d p numbers, and Clarabel is an interior point method: for small problems. Singular values of D_j X
    below max(n, d) eps times the largest count as 0 where `normalised` is set.

    References
    ----------
    Pilanci and Ergen, "Neural networks are convex regularizers", ICML 2020 (from memory of the literature; the
    programs and their optimality conditions are derived in docs/derivations.md, section "Neural isometry").
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
    return replace(fit, dual=found.dual, objective=_times(found.objective, data))  # bases have no unit


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
        Add a linear part, X w_0, that costs |w_0|_2 and has no cone: a network with a skip connection.
    tol : float, default 1e-10
        Feasibility and gap that the solver is asked for, relative to data of unit norm.
    max_iter : int, default 200
        Limit of its steps.

    Returns
    -------
    ConeFit
        NumPy arrays, the fused w and the network without gates.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite array of a shape that fits, or out of range.

    Notes
    -----
    In its cone D_j X u_j = relu(X u_j), so that every feasible point is a ReLU network that fits the data. With all
    gates of X in the list, this is training with weight decay, (sum_j |hidden_j|^2 + output_j^2) / 2, of a network that
    is wide enough. The dual vector of this program has multipliers of the cones beside it; `dual` is the data's alone.

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
    """Return the network of the neurons that are longer than the shortest, weights balanced."""
    kept = [(u, sign, float(np.sqrt(np.linalg.norm(u)))) for u, sign in neurons if np.linalg.norm(u) > shortest]
    hidden = np.reshape([u / share for u, _, share in kept], (len(kept), d)).T
    return ReLUNetwork([hidden, np.array([sign * share for _, sign, share in kept])])


def _checked(X: Any, gates: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Return X, the gates and y on the CPU, float64, bool and float64, and the powers of two taken off X and y.

    No square then under- or overflows. The difference of the powers is even, so that a network can share it.
    """
    operator = GatedOperator(X, gates)
    y = arrays.to_numpy(check_array(y, "y", ndim=1, shape=(operator.shape[0],))).astype(np.float64)
    X = np.ascontiguousarray(arrays.to_numpy(operator.inputs).T.astype(np.float64))
    inputs, data = (int(np.frexp(np.abs(one).max())[1]) for one in (X, y))
    data += (data - inputs) % 2
    gates = np.asarray(arrays.to_numpy(operator.gates()) != 0)
    if np.any(y) and data < inputs:  # weights that overflow show as infinite; zeros would look like an answer
        check_ratio(data, inputs, np.dtype(np.float64))
    return np.ldexp(X, -inputs), gates, np.ldexp(y, -data), inputs, data


def _times(value: Any, exponent: int) -> Any:
    """Return a number or array times a power of two; what overflows is infinite."""
    with np.errstate(over="ignore", under="ignore"):
        found = np.ldexp(value, exponent)
    return float(found) if np.ndim(found) == 0 else found


def _fit(found: LeastNorms, parts: list[np.ndarray] | None, linear: bool, inputs: int, data: int) -> GroupFit:
    """Return the answer in the units of X and y."""
    w = None if parts is None else _times(np.concatenate(parts[linear:]), data - inputs)
    free = _times(parts[0], data - inputs) if linear and parts is not None else None
    dual = None if found.dual is None else _times(found.dual, -inputs)
    objective, residual = _times(found.objective, data - inputs), _times(found.residual, data)
    return GroupFit(w, free, dual, objective, residual, found.status, found.steps)


def _thin(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return U and V S^-1 of block = U S V', singular values that are 0 left out."""
    left, values, right = np.linalg.svd(block, full_matrices=False)
    kept = values > max(block.shape) * np.finfo(np.float64).eps * values[0]
    return left[:, kept], right[kept].T / values[kept]
