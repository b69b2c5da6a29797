"""Levenberg-Marquardt on a fixed support, for a network of any depth, without storing its Jacobian."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.passes import column_scales, curved, derivative, forward, gradients, join, split
from recovery.mlp.record import Record
from recovery.operators.thresholding import select_top

__all__ = ["CG_STEPS", "Polisher", "polish_and_exchange"]


CG_STEPS = 30
"""Conjugate gradient steps within one Levenberg-Marquardt step."""
DAMPING_START, DAMPING_LEAST = 1e-2, 1e-12
"""Initial and smallest damping, relative to the squared size of each column."""


class Polisher:
    """Levenberg-Marquardt steps on the non-zero weights of a network.

    Parameters
    ----------
    layers : sequence of array
        Weights, (d, m_1), ..., (m_L, k).
    X, y : array, shapes (n, d), (n, k)
        The data, all of them.
    loss : {"squared", "cross_entropy"}
        Which loss.
    frozen : int, default 0
        Number of last layers whose weights are kept fixed.

    Attributes
    ----------
    layers : list of array
        The best weights so far.
    value : float
        Their mean loss.
    counted, free : array, shape (N,)
        Mask of the weights that are not frozen, as bools; mask of the weights that may move, as 1 and 0.

    Notes
    -----
    A step solves (H + lambda C) p = -g by preconditioned conjugate gradients on the support; H is the Gauss-Newton
    matrix J' L'' J, its products are one derivative forward and one backward, and C the squares of
    :func:`recovery.mlp.passes.column_scales`. A step is accepted if the loss falls, and then lambda is decreased;
    otherwise lambda is increased. C makes the step equivariant under rescaling of inputs, outputs and neurons. The
    gates follow the weights: near a planted network they no longer change, and the steps converge like Gauss-Newton
    steps.
    """

    def __init__(self, layers: Sequence[Any], X: Any, y: Any, loss: str, frozen: int = 0) -> None:
        self.xp, self.X, self.y, self.loss, self.frozen = arrays.namespace(X), X, y, loss, frozen
        self.layers = list(layers)
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in layers]
        last = len(layers) - frozen
        self.counted = join([self.xp.ones_like(w) * (level < last) for level, w in enumerate(layers)]) != 0
        self.free = ((join(layers) != 0) & self.counted).astype(X.dtype)
        self._evaluate()

    def with_weights(self, weights: Any, free: Any) -> Polisher:
        """Return a polisher for other weights (one vector) with the given support, on the same data."""
        other = copy.copy(self)
        other.layers, other.free = split(weights, self.shapes), free
        other._evaluate()
        return other

    def _evaluate(self) -> None:
        self.damping, self.flips = DAMPING_START, 0
        self.nonzeros = self.free.sum()
        self.values = forward(self.layers, self.X)
        self.found = loss_and_gradient(self.values[-1], self.y, self.loss)
        self.value = float(self.found.value)

    def step(self) -> bool:
        """Make one step; return whether the loss fell (one synchronisation)."""
        xp = self.xp
        outputs = self.values[-1]
        gradient = join(gradients(self.layers, self.values, self.found.gradient)) * self.free
        squares = join(column_scales(self.layers, self.values)) ** 2
        tiny = float(np.finfo(self.X.dtype).tiny)
        weight = xp.where(squares > tiny, squares, 1.0)

        def product(direction: Any) -> Any:
            slope = derivative(self.layers, self.values, split(direction, self.shapes))
            back = gradients(self.layers, self.values, curved(slope, outputs, self.loss))
            return join(back) * self.free + self.damping * weight * direction

        move = _conjugate_gradients(product, -gradient, (1 + self.damping) * weight, tiny)
        trial = split(join(self.layers) + move, self.shapes)
        values = forward(trial, self.X)
        found = loss_and_gradient(values[-1], self.y, self.loss)
        value = float(found.value)
        self.flips = 0
        if not value < self.value:
            self.damping *= 8.0
            return False
        pairs = zip(values[1:-1], self.values[1:-1], strict=True)
        self.flips = sum(((new > 0) != (old > 0)).sum() for new, old in pairs)
        self.layers, self.values, self.found, self.value = trial, values, found, value
        self.damping = max(DAMPING_LEAST, self.damping / 5.0)
        return True

    def write(self, record: Record, peak: float) -> None:
        """Record the current weights (one synchronisation)."""
        n = int(self.y.shape[0])
        neurons = sum(columns for _, columns in self.shapes[:-1])
        objective = None if self.loss == "squared" else self.found.value * n
        record.add(
            self.found.gradient * n,
            peak,
            support_change=0,
            gate_change=self.flips,
            nonzeros=self.nonzeros,
            neurons=neurons,
            objective=objective,
        )


def _conjugate_gradients(product: Any, right: Any, diagonal: Any, tiny: float) -> Any:
    """Return an approximate solution from 0, after :data:`CG_STEPS` steps without a synchronisation."""
    xp = arrays.namespace(right)
    solution = xp.zeros_like(right)
    rest = right
    scaled = rest / diagonal
    direction, inner = scaled, (rest * scaled).sum()
    for _ in range(CG_STEPS):
        image = product(direction)
        curvature = (direction * image).sum()
        # a solved system has no search direction left: stay
        length = xp.where(curvature > tiny, inner / xp.maximum(curvature, tiny), 0.0)
        solution = solution + length * direction
        rest = rest - length * image
        scaled = rest / diagonal
        fresh = (rest * scaled).sum()
        direction = scaled + xp.where(inner > tiny, fresh / xp.maximum(inner, tiny), 0.0) * direction
        inner = fresh
    return solution


FIRST_SHARE = 0.5
"""The first exchange adds this fraction of the weights; after an exchange that does not help, half as many."""
POLISH_STEPS = 4
"""Levenberg-Marquardt steps after growing and after cutting back."""
GAIN = 0.9
"""Polishing continues while each step multiplies the loss by less than this."""


def polish_and_exchange(
    polisher: Polisher, sparsity: int, record: Record, peak: float, target: float, steps: int
) -> tuple[bool, bool]:
    """Polish as long as it helps, then exchange weights in all layers; the polisher ends with the best network.

    Parameters
    ----------
    polisher : Polisher
        The starting point; its network has at most s non-zeros in its free layers.
    sparsity : int
        s, over all free layers: the budget of a layer may change.
    record : Record
        Records the steps.
    peak : float
        max |y|, for the record.
    target : float
        A mean loss at or below this counts as exact.
    steps : int
        Largest number of steps.

    Returns
    -------
    exact, rests : bool
        Whether the fit is exact; whether not even the exchange of a single weight helped any more.

    Notes
    -----
    The step of CoSaMP (grow, fit, cut back, fit) on a network's weights: weights enter by |g| / c and stay by |w| c,
    with g the gradient and c :func:`recovery.mlp.passes.column_scales`, both scale-free. The loss of the result never
    increases.
    """
    last = record.n_iter + steps

    def left() -> bool:
        return record.left > 0 and record.n_iter < last

    share = FIRST_SHARE
    _polish(polisher, record, peak, target, steps, left)
    while left() and polisher.value > target and share * sparsity >= 1:
        grown = _grown(polisher, sparsity, max(1, round(share * sparsity)))
        _polish(grown, record, peak, target, POLISH_STEPS, left)
        trial = _cut(grown, sparsity)
        _polish(trial, record, peak, target, POLISH_STEPS, left)
        if trial.value < 0.99 * polisher.value:
            _polish(trial, record, peak, target, steps, left)
        else:
            share /= 2
        if trial.value < polisher.value:
            polisher.__dict__.update(trial.__dict__)
    return polisher.value <= target, share * sparsity < 1


def _polish(polisher: Polisher, record: Record, peak: float, target: float, most: int, left: Any) -> None:
    for _ in range(most):
        if not left() or polisher.value <= target:
            return
        before = polisher.value
        fell = polisher.step()
        polisher.write(record, peak)
        if (fell and polisher.value > GAIN * before) or polisher.damping > 1e3:
            return


def _grown(polisher: Polisher, sparsity: int, extra: int) -> Polisher:
    """Return the same network with more weights free."""
    xp, counted = polisher.xp, polisher.counted
    scales = join(column_scales(polisher.layers, polisher.values))
    slopes = xp.abs(join(gradients(polisher.layers, polisher.values, polisher.found.gradient)))
    reach = (scales > 0) & (polisher.free == 0) & counted
    picked = select_top(xp.where(reach, slopes / xp.where(reach, scales, 1), 0), extra)
    free = polisher.free.copy()
    free[picked] = 1
    return polisher.with_weights(join(polisher.layers), xp.where(counted, free, 0))


def _cut(polisher: Polisher, sparsity: int) -> Polisher:
    """Return the network of the top s weights."""
    xp = polisher.xp
    weights = join(polisher.layers)
    scales = join(column_scales(polisher.layers, polisher.values))
    picked = select_top(xp.where(polisher.counted, xp.abs(weights) * scales, 0), min(sparsity, weights.shape[0]))
    free = xp.zeros_like(weights)
    free[picked] = 1
    free = xp.where(polisher.counted, free, 0)
    return polisher.with_weights(xp.where(polisher.counted, weights * free, weights), free)
