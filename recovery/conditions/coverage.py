"""Coverage and separation of gates: what fraction of the data each lets through, and how different gates are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_number
from planted.base.values import by_value
from recovery.operators.columns import check_gated, check_gates

__all__ = [
    "GateSpread",
    "energy_coverage",
    "expected_separation",
    "gate_coverage",
    "gate_separation",
    "gate_spread",
    "probable_spread",
]


def gate_coverage(gates: Any) -> Any:
    """Return the fraction of rows that each gate lets through, tr(D_j) / n.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    array, shape (p,)
        float64, on the device of the gates.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.
    """
    gates = check_gates(gates)
    return gates.astype(np.float64).mean(axis=0)


def gate_separation(gates: Any) -> Any:
    """Return the fraction of rows on which two gates differ, for all pairs.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    array, shape (p, p)
        Hamming distances over n, float64, on the device of the gates; the diagonal is 0.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.

    Notes
    -----
    |D_i - D_j|_1 = tr D_i + tr D_j - 2 tr D_i D_j: one matrix product of integers, exact in float64.
    """
    ones = check_gates(gates).astype(np.float64)
    both, on = ones.T @ ones, ones.sum(axis=0)
    return (on[:, None] + on[None, :] - 2.0 * both) / float(ones.shape[0])


def expected_separation(H: Any) -> Any:
    """Return the angles between generators over pi: the expected separation of their gates on Gaussian data.

    Parameters
    ----------
    H : array, shape (d, p)
        Generators, one per column, all non-zero.

    Returns
    -------
    array, shape (p, p)
        theta_ij / pi, from 0 to 1, float64, on the device of H. Accurate to about 1e-16, also near 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If H is not a finite matrix or a column is 0.

    Notes
    -----
    For x ~ N(0, I) the two half-spaces h.x >= 0 and g.x >= 0 differ with probability theta / pi: in the plane of h and
    g the direction of x is uniform, and the two wedges where the signs differ have angle theta each. theta = 2
    atan2(|u - v|, |u + v|) for the unit vectors, which is accurate where arccos is not.

    References
    ----------
    Derived here; Monte Carlo in tests/recovery/test_conditions_coverage.py.
    """
    H = check_array(H, "H", ndim=2).astype(np.float64)
    xp = arrays.namespace(H)
    largest = xp.abs(H).max(axis=0)
    if bool((largest == 0.0).any()):
        raise ValueError(f"H has a zero column at index {int(xp.argmin(largest))}; expected non-zero generators")
    units = H / largest
    units = (units / xp.sqrt((units * units).sum(axis=0))).T
    # one row of pairs at a time: p^2 d numbers would not fit for many generators
    rows = [
        2.0 * xp.arctan2(xp.sqrt(((unit - units) ** 2).sum(axis=1)), xp.sqrt(((unit + units) ** 2).sum(axis=1)))
        for unit in units
    ]
    return xp.stack(rows) / math.pi


def energy_coverage(A: Any) -> Any:
    """Return the fraction of a feature's energy that each gate lets through, |D_j x_a|^2 / |x_a|^2.

    Parameters
    ----------
    A : GatedOperator, shape (n, d p)
        The operator.

    Returns
    -------
    array, shape (p, d)
        float64, on the device of A; NaN for a feature that is 0 on all rows, whose columns are all zero.

    Raises
    ------
    TypeError
        If A has no gates.

    Notes
    -----
    Restricted smoothness is bounded from below by this quantity, not by tr(D_j) / n: if all entries are at least e,
    then t columns of one feature give beta_t / alpha_t >= e t for t <= p. A gate that closes on the few rows where a
    feature is non-zero has a large tr(D_j) / n but almost no energy.

    References
    ----------
    Derived here: docs/theory, section "When the sparsity condition of thresholding cannot hold".
    """
    A = check_gated(A)
    xp = A.xp
    X = A.inputs.astype(np.float64)
    largest = xp.abs(X).max(axis=1)
    blank = largest == 0.0
    squares = (X / xp.where(blank, 1.0, largest)[:, None]) ** 2
    kept = A.gates().T.astype(np.float64) @ squares.T
    whole = squares.sum(axis=1)
    shares = xp.minimum(kept / xp.where(blank, 1.0, whole), 1.0)
    return xp.where(blank, xp.asarray(math.nan), shares)


@by_value
@dataclass(frozen=True)
class GateSpread:
    """Coverage and separation of gates (Assumption 2 of the paper).

    Parameters
    ----------
    coverage : float
        eps: every gate lets at least eps n rows through.
    separation : float
        gamma: two different gates differ on at least gamma n rows; ``inf`` for one gate.
    delta : float
        Probability that the statement is false; 0 if computed from the gates themselves.
    """

    coverage: float
    separation: float
    delta: float = 0.0


def gate_spread(gates: Any) -> GateSpread:
    """Return the coverage and separation of these gates.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    GateSpread
        The smallest of :func:`gate_coverage` and of the entries of :func:`gate_separation` off the diagonal.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.
    """
    gates = check_gates(gates)
    return GateSpread(float(gate_coverage(gates).min()), _smallest_pair(gate_separation(gates)))


def probable_spread(H: Any, n: int, delta: float) -> GateSpread:
    """Return a coverage and separation that hold with probability 1 - delta for gates of n standard normal rows.

    Parameters
    ----------
    H : array, shape (d, p)
        Generators, chosen independently of the rows, all non-zero.
    n : int
        Rows.
    delta : float
        Between 0 and 1.

    Returns
    -------
    GateSpread
        eps = 1/2 - t and gamma = theta_min / pi - t with t = sqrt(log((p + p^2 / 2) / delta) / (2 n)); negative values
        carry no information.

    Raises
    ------
    TypeError, ValueError
        If H is not a finite matrix, a column is 0, or a number is out of range.

    Notes
    -----
    tr(D_j) is binomial with probability 1/2, a Hamming distance is binomial with probability theta / pi. Hoeffding's
    inequality gives exp(-2 n t^2) for each of the p + p (p - 1) / 2 events. Binary generators with supports of equal
    size s' have theta_min >= arccos(1 - 1/s'); with supports of sizes up to s', arcsin(1 / sqrt(s')).

    References
    ----------
    Derived here: docs/theory, section "Coverage and separation of Gaussian gates". The paper's appendix D has a
    similar statement with other constants.
    """
    separation = expected_separation(H)
    n, p = check_integer(n, "n", minimum=1), int(separation.shape[0])
    delta = check_number(delta, "delta", minimum=0.0, maximum=1.0)
    if delta == 0.0:
        raise ValueError("delta=0.0 is out of range; expected a probability above 0")
    t = math.sqrt(max(0.0, math.log((p + 0.5 * p * p) / delta)) / (2.0 * n))
    return GateSpread(0.5 - t, _smallest_pair(separation) - t, delta)


def _smallest_pair(matrix: Any) -> float:
    xp, p = arrays.namespace(matrix), int(matrix.shape[0])
    return float((matrix + xp.diag(xp.asarray(np.full(p, math.inf)))).min()) if p > 1 else math.inf
