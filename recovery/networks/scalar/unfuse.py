"""Recover hidden weights u_j and output weights v_j from fused weights w_j = u_j v_j."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import ReLUNetwork
from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_gates, check_number, check_same_rows

__all__ = ["unfuse"]

ASSUMPTIONS = ("binary", "signs", "unit")


def unfuse(w: Any, X: Any, gates: Any, assumption: str = "binary", *, tol: float = 1e-8) -> ReLUNetwork:
    """Return the ReLU network whose fused weights are w, under an assumption that makes it unique.

    Parameters
    ----------
    w : array, shape (d p,)
        Fused weights; entry ``j * d + i`` is that of gate j and input i. Only exact zeros count as absent weights.
    X : array, shape (n, d)
        Inputs.
    gates : array of bool or 0/1, shape (n, p)
        The diagonals of the D_1, ..., D_p to which w refers.
    assumption : {"binary", "signs", "unit"}, default "binary"
        ``"binary"``: u_j in {0, 1}^d, so u_j = 1{w_j != 0} and v_j is the common value of w_j's non-zeros. ``"signs"``:
        v_j = 1 or -1, so u_j = v_j w_j with the sign for which D_j = 1{X u_j >= 0}. ``"unit"``: no assumption; since
        (c u_j, v_j / c) is the same neuron for every c > 0, |u_j| = 1 and v_j = +-|w_j|, its sign as for ``"signs"``.
    tol : float, default 1e-8
        Non-zeros of w_j count as equal if they agree up to this fraction of the largest |w_ji|, and an activation x_i .
        u_j counts as 0 up to this fraction of sum_k |x_ik u_jk|. Gates are not checked on rows where the activation is
        0.

    Returns
    -------
    ReLUNetwork
        One neuron for each gate with weights, in the order of the gates, float64, on the device of X.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match; or if no network under the assumption has the block of some gate, which the message
        names: its values differ, or D_j is the pattern of neither u_j nor -u_j, or of both (then the neuron is 0 on all
        rows).

    Notes
    -----
    The result satisfies network(X) = A w, A = [D_1 X, ..., D_p X], up to rounding and `tol`. The sign is unique if some
    row has x_i . w_j != 0, since 1{X w_j >= 0} and 1{-X w_j >= 0} differ there. Equal gates can share a neuron's
    weights in many ways; such a w is taken as given.

    References
    ----------
    Derived here: docs/theory, section "Un-fusing".
    """
    w, X = check_array(w, "w", ndim=1, dtype=np.float64), check_array(X, "X", ndim=2, dtype=np.float64)
    gates = check_gates(gates)
    check_choice(assumption, "assumption", ASSUMPTIONS)
    tol = check_number(tol, "tol", minimum=0.0)
    check_same_rows(X, "X", gates, "gates")
    d, p = int(X.shape[1]), int(gates.shape[1])
    if int(w.shape[0]) != d * p:
        raise ValueError(f"w has {w.shape[0]} entries; expected {d * p}, one for each of {p} gates and {d} inputs")
    xp = arrays.namespace(w, X, gates)
    blocks = w.reshape(p, d).T
    live = np.flatnonzero(arrays.to_numpy((blocks != 0.0).any(axis=0)))
    blocks = blocks[:, xp.asarray(live)]
    on = gates[:, xp.asarray(live)]
    if assumption == "binary":
        hidden, output = _common(blocks, live, tol)
        for j, rows in zip(live, _misfits(X, hidden, on, tol)[0], strict=True):
            if rows:
                raise ValueError(
                    f"gate {j} differs from 1{{X u >= 0}} on {rows} row(s) for u = 1{{w != 0}}; expected the gate of a "
                    "neuron with binary hidden weights"
                )
    else:
        output = xp.asarray(_signs(X, blocks, on, live, tol))
        hidden = blocks * output
        if assumption == "unit":
            unit = _units(blocks, axis=0)
            small = blocks / unit
            norms = xp.sqrt((small * small).sum(axis=0))
            hidden, output = small * output / norms, output * norms * unit[0]
    return ReLUNetwork([hidden, output])


def _common(blocks: Any, live: np.ndarray, tol: float) -> tuple[Any, Any]:
    """Return 1{w_j != 0} and the mean of w_j's non-zeros; raise an error for blocks whose non-zeros differ."""
    xp = arrays.namespace(blocks)
    there = (blocks != 0.0).astype(np.float64)
    mean = blocks.sum(axis=0) / there.sum(axis=0)
    spread = (xp.abs(blocks - mean) * there).max(axis=0) if live.size else mean
    wrong = arrays.to_numpy(spread > tol * xp.abs(blocks).max(axis=0)) if live.size else np.zeros(0, dtype=bool)
    if wrong.any():
        first = int(np.argmax(wrong))
        values = arrays.to_numpy(blocks[:, first])
        values = values[values != 0.0]
        raise ValueError(
            f"w has non-zeros from {values.min():.6g} to {values.max():.6g} at gate {live[first]}; expected one common "
            "value, as binary hidden weights have"
        )
    return there, mean


def _signs(X: Any, blocks: Any, on: Any, live: np.ndarray, tol: float) -> np.ndarray:
    """Return the sign of u_j in w_j for which the gate is that of u_j, or raise an error."""
    plus, minus = _misfits(X, blocks, on, tol)
    for j, a, b in zip(live, plus, minus, strict=True):
        if a and b:
            raise ValueError(
                f"gate {j} differs from 1{{X w_j >= 0}} on {a} row(s) and from 1{{-X w_j >= 0}} on {b}; expected the "
                "gate of one of them"
            )
        if not (a or b):
            raise ValueError(
                f"w_j of gate {j} is orthogonal to all rows of X; expected a neuron whose sign can be determined"
            )
    return np.where(plus == 0, 1.0, -1.0)


def _misfits(X: Any, neurons: Any, on: Any, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """Count the rows on which the gates differ from 1{X u >= 0} and from 1{-X u >= 0}, except where X u = 0."""
    xp = arrays.namespace(X)
    # scaling does not change signs, and with rows and neurons near 1 no product under- or overflows
    X, neurons = X / _units(X, axis=1), neurons / _units(neurons, axis=0)
    activation = X @ neurons
    decided = xp.abs(activation) > tol * (xp.abs(X) @ xp.abs(neurons))
    positive = activation > 0.0
    return (
        arrays.to_numpy((decided & (positive != on)).sum(axis=0)),
        arrays.to_numpy((decided & (positive == on)).sum(axis=0)),
    )


def _units(matrix: Any, axis: int) -> Any:
    """Return the powers of two near the largest magnitudes along an axis, with that axis kept; 1 for zeros."""
    xp = arrays.namespace(matrix)
    peaks = xp.abs(matrix).max(axis=axis, keepdims=True) if matrix.size else matrix[:1] if axis == 0 else matrix[:, :1]
    return xp.where(peaks > 0.0, peaks / (2.0 * xp.where(peaks > 0.0, xp.frexp(peaks)[0], 1.0)), 1.0)
