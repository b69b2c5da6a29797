"""The paper's method for several outputs: one sparse vector (W1, W2), fixed steps, Count Sketch selection."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.record import FitSettings, Found, Record
from recovery.mlp.training import Batches
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Status

__all__ = [
    "CROSS_ENTROPY_STEP",
    "FEW_WEIGHTS_STEP",
    "HASHES",
    "SQUARED_STEP",
    "CountSketch",
    "fit_paper_vector",
    "paper_step",
    "sketch_width",
]


HASHES = 4
"""Rows of the sketch, each with its own hash and random signs."""


def sketch_width(size: int, sparsity: int) -> int:
    """Return the number of buckets per row of the sketch, s max(1, ln(N / s)) rounded up; at least 1.

    Parameters
    ----------
    size : int
        N, length of the vector that is sketched.
    sparsity : int
        s, the number of entries to find.

    Returns
    -------
    int
        The width.
    """
    if sparsity == 0:
        return 1
    return max(1, math.ceil(sparsity * max(1.0, math.log(size / sparsity))))


class CountSketch:
    """A linear sketch of a vector z of length N: ``table[h, b] = sum of sign_h(i) z_i over hash_h(i) = b``.

    Parameters
    ----------
    size : int
        N.
    width : int
        Buckets in a row.
    rng : numpy.random.Generator
        Draws the hashes and the signs (on the CPU).
    xp : module
        Array module of the vectors.

    Attributes
    ----------
    table : array of float64, shape (4, width)
        The sketch.

    Notes
    -----
    The estimate of z_i is the median over the four rows of sign_h(i) table[h, hash_h(i)]: the mean of the
    middle two. Each row's estimate is unbiased with variance at most |z|^2 / width. The hashes are drawn at random and
    stored (4 N numbers): the sketch is here to reproduce the released selection, not to save memory.

    References
    ----------
    .. [1] M. Charikar, K. Chen, M. Farach-Colton, "Finding frequent items in data streams", 2002 (from memory of
       the literature; the bias and the variance are tested by tests/recovery/test_networks_sketch.py).
    """

    def __init__(self, size: int, width: int, rng: np.random.Generator, xp: Any) -> None:
        self.xp, self.width = xp, width
        buckets = rng.integers(width, size=(HASHES, size))
        negative = rng.integers(2, size=(HASHES, size))
        # a sign is a second copy of the row: bucket b with sign -1 is place width + b
        place = buckets + width * negative + 2 * width * np.arange(HASHES)[:, None]
        self.place = xp.asarray(place.ravel())
        self.table = xp.zeros((HASHES, width), dtype=xp.float64)

    def add(self, values: Any) -> None:
        """Add a vector of shape (N,) to the sketch (two synchronisations on a GPU, in bincount)."""
        xp = self.xp
        repeated = xp.concatenate([values.astype(xp.float64)] * HASHES)
        sums = xp.bincount(self.place, weights=repeated, minlength=2 * self.width * HASHES)
        sums = sums.reshape(HASHES, 2, self.width)
        self.table = self.table + (sums[:, 0] - sums[:, 1])

    def estimates(self) -> Any:
        """Return the estimate of every entry, shape (N,), float64."""
        xp = self.xp
        signed = xp.stack([self.table, -self.table], axis=1).ravel()
        found = signed[self.place].reshape(HASHES, -1)
        return 0.5 * (found.sum(axis=0) - found.max(axis=0) - found.min(axis=0))


SQUARED_STEP, FEW_WEIGHTS_STEP, CROSS_ENTROPY_STEP = 0.005, 2.0, 0.001
"""The fixed steps: squared loss, squared loss with few weights, cross-entropy."""
FEW_FACTOR, FEW_POWER = 6.0, 0.536
"""Fewer than FEW_FACTOR m^FEW_POWER weights count as few."""


def paper_step(n_neurons: int, sparsity: int, loss: str) -> float:
    """Return the fixed step size of the authors' released code.

    Parameters
    ----------
    n_neurons, sparsity : int
        m and s.
    loss : {"squared", "cross_entropy"}
        Which loss.

    Returns
    -------
    float
        0.001 for cross-entropy; for squared loss 2 if s < 6 m^0.536, else 0.005.
    """
    if loss == "cross_entropy":
        return CROSS_ENTROPY_STEP
    return FEW_WEIGHTS_STEP if sparsity < FEW_FACTOR * n_neurons**FEW_POWER else SQUARED_STEP


@np.errstate(over="ignore", invalid="ignore")
def fit_paper_vector(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit f(x) = W2' relu(W1' x) as the paper's released code does.

    Parameters
    ----------
    batches : Batches
        The data; targets of shape (n, k).
    settings : FitSettings
        m, and s for both layers together. The gates are set to the weights before every `gate_update`-th step, from the
        second one on (once an epoch has passed, with batches); None never does.
    record : Record
        Records the steps.
    rng : numpy.random.Generator
        Draws the first generators, the first weights, and the hashes.

    Returns
    -------
    network, status, note
        If a step overflows, the network of the step before.

    Notes
    -----
    One vector z = (W1, W2) of length d m + m k, not fused. With gates D_j and F = sum_j D_j X u_j v_j', R = F - Y (or
    softmax(F) - Y), a step is z <- z - t (gradient of the chain rule with R / n), t fixed (:func:`paper_step`).
    The s entries to keep are chosen from a Count Sketch (4 rows of s max(1, ln(N / s)) buckets, median estimate) of the
    sum of all updates so far, -t times the gradients, without decay; the values of the kept entries are exact. The
    sketch's "depth 1" is read as one number per bucket. Weights start at U(+-1/sqrt(d m)) and U(+-1/sqrt(m k)), which
    are not updates and do not enter the sketch.

    Not reproduced from the authors' released code: its test for an empty block, which uses the signed maximum (so a
    block without positive entries is overwritten at random); its use of the batch number as the epoch (so this happens
    in every epoch); its update of one block after the other with a truncation in between (here all blocks move at
    once). Kept: steps that are not scale equivariant, and strict gates, so that a neuron without hidden weights stays
    dead, though the sketch may go on selecting its entries.
    """
    xp, dtype = batches.xp, batches.X.dtype
    (m,), sparsity, loss, gate_update = settings.widths, settings.sparsity, settings.loss, settings.gate_update
    d, k = int(batches.X.shape[1]), int(batches.y.shape[1])
    step = paper_step(m, sparsity, loss)
    generators = xp.asarray(rng.standard_normal((m, d)), dtype=dtype).T
    hidden = xp.asarray(rng.uniform(-1, 1, (m, d)) / math.sqrt(d * m), dtype=dtype).T
    output = xp.asarray(rng.uniform(-1, 1, (m, k)) / math.sqrt(m * k), dtype=dtype)
    sketch = CountSketch(d * m + m * k, sketch_width(d * m + m * k, sparsity), rng, xp)
    support: Any = None
    start = hidden
    alive = xp.arange(m)  # neurons that are active on some sample
    X, y = batches.rows()
    gates = X @ generators > 0
    sums = gates * (X @ hidden)
    while record.left:
        if batches.minibatch and record.made:
            X, y = batches.next_rows()
        made = record.made
        if made:
            late = batches.epoch > 0 if batches.minibatch else True
            if gate_update is not None and late and made % gate_update == 0:
                generators, alive = hidden, xp.flatnonzero((hidden != 0).any(axis=0))
            sums = X @ hidden[:, alive]
            gates = (sums > 0) if generators is hidden else (X @ generators[:, alive] > 0)
            sums = xp.where(gates, sums, 0)
        gradient = loss_and_gradient(sums @ output[alive], y, loss).gradient
        moved_hidden, moved_output = xp.zeros((m, d), dtype=dtype), xp.zeros((m, k), dtype=dtype)
        moved_hidden[alive] = -step * ((gates * (gradient @ output[alive].T)).T @ X)  # one product for all neurons
        moved_output[alive] = -step * (sums.T @ gradient)
        update = xp.concatenate([moved_hidden.ravel(), moved_output.ravel()])
        sketch.add(update)
        picked = select_top(sketch.estimates(), sparsity)
        vector = xp.zeros_like(update)
        vector[picked] = xp.concatenate([hidden.T.ravel(), output.ravel()])[picked] + update[picked]
        if not bool(xp.isfinite(vector).all()):
            record.stop = Status.DIVERGED
            break
        change = sparsity if support is None else sparsity - xp.isin(picked, support).sum()
        before, kept, support = hidden, output, picked
        hidden, output = vector[: d * m].reshape(m, d).T, vector[d * m :].reshape(m, k)
        live = xp.flatnonzero((hidden != 0).any(axis=0))
        shown = X @ hidden[:, live]
        flips = ((shown > 0) != (X @ before[:, live] > 0)).sum() if made else 0
        found = loss_and_gradient(xp.maximum(shown, 0) @ output[live], y, loss)
        n = int(X.shape[0])
        total = None if loss == "squared" else found.value * n
        objective = record.add(
            found.gradient * n,
            batches.peak,
            support_change=change,
            gate_change=flips,
            nonzeros=xp.count_nonzero(vector),
            neurons=live.shape[0],
            objective=total,
        )
        if not math.isfinite(objective):
            record.stop, hidden, output = Status.DIVERGED, before, kept
    if hidden is start:  # no valid step was made: the dense start is not a valid result
        hidden, output = xp.zeros_like(hidden), xp.zeros_like(output)
    carries = (hidden != 0).any(axis=0) & (output != 0).any(axis=1)
    keep = xp.flatnonzero(carries)
    network = ReLUNetwork([hidden[:, keep], output[keep]])
    return network, record.stop or Status.STEP_LIMIT, ""
