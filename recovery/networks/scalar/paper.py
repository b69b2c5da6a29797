"""The paper's method for scalar outputs: AIHT steps with gates that follow the weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork
from recovery.mlp.record import FitSettings, Found, Record
from recovery.mlp.training import Batches
from recovery.operators.gated import GatedOperator, MovingSupport
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Status
from recovery.solvers.gradient import descend

__all__ = ["FIRST_STEP", "INNER_STEPS", "fit_paper"]


INNER_STEPS = 10
"""Gradient steps on the new support after each selection."""
FIRST_STEP = 1e-14
"""Step size while the support is empty: the first step only selects."""


@np.errstate(over="ignore", invalid="ignore")
def fit_paper(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit sum_j relu(x . w_j) as the paper's released code does.

    Parameters
    ----------
    batches : Batches
        The data.
    settings : FitSettings
        m and s. The gates are set to the weights after every `gate_update`-th step from the second one on (with
        batches, only after the first epoch); with None they never move.
    record : Record
        Records the steps.
    rng : numpy.random.Generator
        Draws the first generators.

    Returns
    -------
    network, status, note
        The network's output weights are all 1. If a step overflows, the network of the step before is returned.

    Notes
    -----
    Reproduces the paper's method with its flaws: gates are strict (``> 0``), so a neuron that has lost its weights
    never recovers and is omitted from all products from then on; only positive output weights can be represented; the
    step size is |g_S|^2 / (|A_S g_S|^2 + 1e-8), which is not scale equivariant; no stop rule looks at the data.
    :func:`tests.oracles.paper_loop.released_loop` is a slow, plain implementation of the same method.
    """
    (n_neurons,), sparsity, gate_update = settings.widths, settings.sparsity, settings.gate_update
    A, y = batches.first()
    xp, d = A.xp, A.n_features
    generators = xp.asarray(rng.standard_normal((n_neurons, d)), dtype=A.dtype).T
    A = A.regate(generators, strict=True)
    weights, support, residual = xp.zeros(A.shape[1], dtype=A.dtype), None, y
    gradient: Any = None  # already known if the gates have just moved on the same rows
    products: MovingSupport | None = None
    while record.left:
        if batches.minibatch and record.made:
            base, y = batches.next()
            A = base.regate(generators, strict=True)
            residual, gradient = y - A.matvec(weights), None
        previous, s = weights, min(sparsity, A.shape[1])
        gradient = A.rmatvec(residual) if gradient is None else gradient
        weights, picked, products = _aiht_step(A, y, gradient, weights, s, (support, products))
        gradient = None
        if not bool(xp.isfinite(weights).all()):
            record.stop, weights = Status.DIVERGED, previous
            break
        change = s if support is None else s - xp.isin(picked, support).sum()
        support = picked
        rows, step = weights.reshape(-1, d), record.made + 1
        carries = (rows != 0).any(axis=1)
        neurons = carries.sum()
        keep = xp.flatnonzero(carries)
        late = batches.epoch > 0 if batches.minibatch else step >= 2
        if gate_update is None or not late or step % gate_update:
            residual = y - products.forward(weights[products.idx])
            shown, flips = y, 0
            if int(keep.shape[0]):
                shown = y - A.follow(rows[keep].T, strict=True)[1]
        else:
            if int(keep.shape[0]) == 0:  # no neuron can recover
                record.add(y, batches.peak, support_change=change, gate_change=0, nonzeros=s, neurons=neurons)
                record.stop = record.stop or Status.STALLED
                break
            if int(keep.shape[0]) < A.n_gates:  # a neuron without weights stays dead: leave it out
                support = support[xp.flatnonzero(carries[support // d])]  # an all-zero input may be selected
                place = xp.cumsum(carries) - 1
                support = place[support // d] * d + support % d
                rows, A = rows[keep], A.subset(keep)
                weights = rows.ravel()
            generators, before = rows.T, A
            A, residual, gradient = A.follow_gradient(generators, y)
            flips, shown = A.gate_changes(before).sum(), residual
        objective = record.add(
            shown, batches.peak, support_change=change, gate_change=flips, nonzeros=s, neurons=neurons
        )
        if not math.isfinite(objective):
            record.stop, weights = Status.DIVERGED, previous
    hidden = weights.reshape(-1, d).T
    hidden = hidden[:, xp.flatnonzero((hidden != 0).any(axis=0))]
    network = ReLUNetwork([hidden, xp.ones(hidden.shape[1], dtype=A.dtype)])
    return network, record.stop or Status.STEP_LIMIT, ""


def _aiht_step(
    A: GatedOperator, y: Any, gradient: Any, weights: Any, s: int, before: tuple[Any, MovingSupport | None]
) -> tuple[Any, Any, MovingSupport]:
    """Return the new weights, their support and the products with its columns, after one selection and its inner steps.

    `before` holds the support of the last step, and products whose memory may be reused.
    """
    xp, (support, space) = A.xp, before
    products = None
    if support is None:
        mu: Any = xp.asarray(FIRST_STEP, dtype=A.dtype)
    else:
        inside = gradient[support]
        products = MovingSupport(A, support, space)
        mu = (inside @ inside) / (products.curvature(inside) + 1e-8)
    trial = weights + mu * gradient
    picked = select_top(trial, s)
    products = MovingSupport(A, picked) if products is None else products.moved(picked)
    start = trial[products.idx]
    values = descend(products, start, products.adjoint(y - products.forward(start)), mu, INNER_STEPS)
    weights = xp.zeros(A.shape[1], dtype=A.dtype)
    weights[products.idx] = values
    return weights, picked, products
