"""The paper's released method for scalar outputs: AIHT steps with gates that follow the weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork
from recovery.networks.batches import Batches
from recovery.networks.record import Record
from recovery.operators import GatedOperator
from recovery.results import Status
from recovery.thresholding import select_top

__all__ = ["ARMIJO", "INNER_STEPS", "fit_released"]

INNER_STEPS = 10
"""Gradient steps on the new support after each selection."""
ARMIJO = 0.9
"""An inner step t is accepted when F(new) <= F - ARMIJO t |g|^2, F = |r|^2."""
FIRST_STEP = 1e-14
"""Step size while the support is empty: the first step only selects."""
COLUMN_COST, COLUMN_BYTES = 16, 2**30
"""The columns of a support are stored if they are this many times fewer than d p, and at most so many bytes."""
MAX_HALVINGS = 10
"""More halvings than this in one inner step fall back to the thresholded point."""


@np.errstate(over="ignore", invalid="ignore")
def fit_released(
    batches: Batches, n_neurons: int, sparsity: int, gate_update: int | None, record: Record, rng: np.random.Generator
) -> tuple[ReLUNetwork, Status, str]:
    """Fit sum_j relu(x . w_j) as the paper's released code does.

    Parameters
    ----------
    batches : Batches
        The data.
    n_neurons, sparsity : int
        m and s.
    gate_update : int or None
        The gates are set to the weights after every `gate_update`-th step from the second one on (once an
        epoch has passed, with batches); None never does.
    record : Record
        Where steps are put.
    rng : numpy.random.Generator
        Draws the first generators.

    Returns
    -------
    network, status, note
        The network's output weights are all 1. After a step that left the range of the numbers, the one before.

    Notes
    -----
    Kept as the released method has it, faults included: gates are strict (``> 0``), so a neuron that
    lost its weights never comes back and is left out of all products from then on; only positive
    output weights can be represented; the step size is |g_S|^2 / (|A_S g_S|^2 + 1e-8), which is not scale
    equivariant; no stop rule looks at the data. The inner line search is written with the exact quadratic
    |r - t A g|^2 = |r|^2 - 2 t |g|^2 + t^2 |A g|^2, so that it stays meaningful near the floor of rounding.
    """
    A, y = batches.first()
    xp, d = A.xp, A.n_features
    generators = xp.asarray(rng.standard_normal((n_neurons, d)), dtype=A.dtype).T
    A = A.regate(generators, strict=True)
    weights, support, residual = xp.zeros(A.shape[1], dtype=A.dtype), None, y
    gradient: Any = None  # known ahead of a step where the gates have just moved on the same rows
    while record.left:
        if batches.minibatch and record.n_iter:
            base, y = batches.next()
            A = base.regate(generators, strict=True)
            residual, gradient = y - A.matvec(weights), None
        previous, s = weights, min(sparsity, A.shape[1])
        weights, picked, residual = _aiht_step(A, y, residual, gradient, weights, support, s)
        gradient = None
        if not bool(xp.isfinite(weights).all()):
            record.stop, weights = Status.DIVERGED, previous
            break
        change = s if support is None else s - xp.isin(picked, support).sum()
        support = picked
        rows, step = weights.reshape(-1, d), record.n_iter + 1
        carries = (rows != 0).any(axis=1)
        neurons = carries.sum()
        late = batches.epoch > 0 if batches.minibatch else step >= 2
        if gate_update is None or not late or step % gate_update:
            shown, flips = y - A.follow(rows.T, strict=True)[1], 0
        else:
            keep = xp.flatnonzero(carries)
            if int(keep.shape[0]) == 0:  # nothing can come back
                record.add(y, batches.peak, change, 0, s, neurons)
                record.stop = record.stop or Status.STALLED
                break
            if int(keep.shape[0]) < A.n_gates:  # a neuron without weights is dead for ever: leave it out
                support = support[xp.flatnonzero(carries[support // d])]  # a blank input may be selected
                place = xp.cumsum(carries) - 1
                support = place[support // d] * d + support % d
                rows, A = rows[keep], A.subset(keep)
                weights = rows.ravel()
            generators, before = rows.T, A
            A, residual, gradient = A.follow_gradient(generators, y)
            flips, shown = A.gate_changes(before).sum(), residual
        objective = record.add(shown, batches.peak, change, flips, s, neurons)
        if not math.isfinite(objective):
            record.stop, weights = Status.DIVERGED, previous
    hidden = weights.reshape(-1, d).T
    hidden = hidden[:, xp.flatnonzero((hidden != 0).any(axis=0))]
    network = ReLUNetwork([hidden, xp.ones(hidden.shape[1], dtype=A.dtype)])
    return network, record.stop or Status.STEP_LIMIT, ""


def _aiht_step(
    A: GatedOperator, y: Any, residual: Any, gradient: Any, weights: Any, support: Any, s: int
) -> tuple[Any, Any, Any]:
    """Return new weights, support and residual after one selection and its inner gradient steps."""
    xp = A.xp
    gradient = A.rmatvec(residual) if gradient is None else gradient
    if support is None:
        mu: Any = xp.asarray(FIRST_STEP, dtype=A.dtype)
    else:
        inside = gradient[support]
        image = _Columns(A, support).forward(inside)
        mu = (inside * inside).sum() / ((image * image).sum() + 1e-8)
    trial = weights + mu * gradient
    picked = select_top(trial, s)
    columns = _Columns(A, picked)
    start = trial[picked]
    first = y - columns.forward(start)
    values, residual = start, first
    for _ in range(INNER_STEPS):
        descent = columns.adjoint(residual)
        image = columns.forward(descent)
        square, curvature = (descent * descent).sum(), (image * image).sum()
        # F(new) <= F - ARMIJO t |g|^2 is t |A g|^2 <= (2 - ARMIJO) |g|^2: count the halvings that takes
        ratio = mu * curvature / xp.maximum((2.0 - ARMIJO) * square, float(np.finfo(A.dtype).tiny))
        halvings = xp.ceil(xp.log2(xp.maximum(ratio, 1.0)))
        if bool(halvings > MAX_HALVINGS):
            values, residual = start, first
            break
        mu = mu * 2.0**-halvings
        values = values + mu * descent
        residual = residual - mu * image
    weights = xp.zeros(A.shape[1], dtype=A.dtype)
    weights[picked] = values
    return weights, picked, residual


class _Columns:
    """A_S for a support S: its columns, or, where they outnumber what the gates need, whole products."""

    def __init__(self, A: GatedOperator, idx: Any) -> None:
        self.A, self.idx = A, idx
        # a product with stored columns reads n s numbers, one with all gates does 2 n d p operations
        few = COLUMN_COST * int(idx.shape[0]) < A.shape[1]
        fits = int(idx.shape[0]) * A.shape[0] * A.dtype.itemsize <= COLUMN_BYTES
        self.matrix = A.columns(idx) if few and fits else None

    def forward(self, values: Any) -> Any:
        if self.matrix is not None:
            return self.matrix @ values
        full = self.A.xp.zeros(self.A.shape[1], dtype=values.dtype)
        full[self.idx] = values
        return self.A.matvec(full)

    def adjoint(self, r: Any) -> Any:
        return self.matrix.T @ r if self.matrix is not None else self.A.rmatvec(r)[self.idx]
