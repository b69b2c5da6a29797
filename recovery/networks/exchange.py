"""Exchange of weights near a fit: grow along the gradient, polish, cut back, polish, keep the better network."""

from __future__ import annotations

from typing import Any

from recovery.networks.chain import column_scales, gradients, join
from recovery.networks.polishing import Polisher
from recovery.networks.record import Record
from recovery.thresholding import select_top

__all__ = ["polish_and_exchange"]

FIRST_SHARE = 0.5
"""A first exchange grows by this share of the weights; after one that does not pay, by half as many."""
POLISH_STEPS = 4
"""Steps of Levenberg-Marquardt after growing and after cutting back."""
GAIN = 0.9
"""Polishing goes on while a step multiplies the loss by less than this."""


def polish_and_exchange(
    polisher: Polisher, sparsity: int, record: Record, peak: float, target: float, steps: int
) -> tuple[bool, bool]:
    """Polish while that pays, then exchange weights of all layers; the polisher ends with the best network.

    Parameters
    ----------
    polisher : Polisher
        Where it starts; its network has at most s non-zeros in its free layers.
    sparsity : int
        s, over all free layers: the budget of a layer may change.
    record : Record
        Where steps are put.
    peak : float
        max |y|, for the record.
    target : float
        A mean loss at or below this counts as exact.
    steps : int
        Most steps to make.

    Returns
    -------
    exact, rests : bool
        Whether the fit is exact; whether not even the exchange of one weight paid any more.

    Notes
    -----
    The step of CoSaMP (grow, fit, cut back, fit) on a network's weights: weights enter by |g| / c and stay by |w| c,
    with g the gradient and c :func:`recovery.networks.chain.column_scales`, both free of units. The loss of the
    answer never rises.
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
