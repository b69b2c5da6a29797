"""Masks that move during training: SET, RigL, iterative hard thresholding, gradual magnitude pruning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from recovery.mlp.masks import Masks
from recovery.pruning.dynamics import Changes, Dynamics
from recovery.pruning.method import Method
from recovery.pruning.scopes import Ratio, Scope, largest, select
from recovery.pruning.training import Step, Training, Trains

__all__ = ["SET", "Gradual", "RigL", "Thresholding", "gradual_magnitude", "iht", "rigl", "sparse_evolution"]


@dataclass(frozen=True)
class SET(Dynamics):
    """Sparse evolutionary training: periodically remove small weights and grow equally many at random positions.

    Parameters
    ----------
    period : int, default 100
        Updates between two changes.
    share : float, default 0.3
        Fraction of each layer's weights that is replaced, rounded down.
    stop : float, default 1
        Fraction of the training after which masks no longer change. The last update never changes them, since newly
        grown weights would be zero in the result.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    In each layer with k weights the floor(share k) weights of smallest magnitude are removed (ties: larger indices
    first), and equally many of the previously empty positions are drawn; a layer with fewer empty positions replaces
    only that many. So each layer always keeps its number of weights. New weights start at zero, with a fresh optimiser
    state. A layer without empty positions does not change.

    The original drops the smallest positive and the largest negative weights separately, and may redraw a position that
    it has just emptied.

    References
    ----------
    .. [1] D. C. Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity
       inspired by network science", Nature Communications 9, 2018 (from memory of the literature;
       tests/recovery/test_pruning_moving.py compares with the rule as stated here).
    """

    period: int = 100
    share: float = 0.3
    stop: float = 1.0

    def __post_init__(self) -> None:
        _check_rewiring(self.period, self.share, self.stop)

    def begin(self, masks: Masks, sparsity: int, rng: np.random.Generator) -> Changes:
        """Return the changes of a run."""
        return _Rewiring(self.period, self.stop, lambda done: self.share, _at_random)


@dataclass(frozen=True)
class RigL(Dynamics):
    """Periodically remove small weights and grow equally many where the gradient is largest.

    Parameters
    ----------
    period : int, default 100
        Updates between two changes.
    share : float, default 0.3
        Fraction of each layer's weights replaced by the first change; it decreases to zero along a cosine.
    stop : float, default 0.75
        Fraction of the training after which masks no longer change.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    At update t of T the share is (share / 2) (1 + cos(pi t / (stop T))). Weights are removed as in :class:`SET`; of the
    previously empty positions, those with the largest gradient magnitude are grown (ties: smaller indices first). The
    gradient is that of the last batch, for all weights, at the weights before the last update. Unlike in the original,
    a position emptied by a change is not regrown by the same change. New weights start at zero.

    References
    ----------
    .. [1] U. Evci et al., "Rigging the Lottery: Making All Tickets Winners", ICML 2020 (from memory of the literature;
       tests/recovery/test_pruning_moving.py compares with the rule as stated here).
    """

    period: int = 100
    share: float = 0.3
    stop: float = 0.75

    def __post_init__(self) -> None:
        _check_rewiring(self.period, self.share, self.stop)

    def begin(self, masks: Masks, sparsity: int, rng: np.random.Generator) -> Changes:
        """Return the changes of a run."""
        return _Rewiring(
            self.period, self.stop, lambda done: self.share * (1 + math.cos(math.pi * done)) / 2, _by_gradient
        )


@dataclass(frozen=True)
class Thresholding(Dynamics):
    """Iterative hard thresholding: each update changes all weights, and the s largest are kept.

    Parameters
    ----------
    scope, ratio
        Where weights compete, as in a :class:`~recovery.pruning.Method`.
    period : int, default 1
        Updates between two selections; in between all weights change and none is kept at zero, so the model has the
        requested sparsity only after each selection. The last update always ends with one.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown.

    Notes
    -----
    w <- H_s(w - eta g(w)) with plain gradient steps: :class:`~recovery.pruning.Training` with ``optimiser="sgd"`` and
    ``momentum=0``. Other optimisers lose their state for weights that are zero.

    References
    ----------
    .. [1] T. Blumensath, M. E. Davies, "Iterative hard thresholding for compressed sensing", 2009 (from memory of the
       literature; tests/recovery/test_pruning_moving.py compares with a plain loop, and with :func:`recovery.solve`).
    """

    scope: Scope = "global"
    ratio: Ratio = "equal"
    period: int = 1

    def __post_init__(self) -> None:
        _check_scope(self.scope, self.ratio)
        check_integer(self.period, "period", minimum=1)

    def begin(self, masks: Masks, sparsity: int, rng: np.random.Generator) -> Changes:
        """Return the changes of a run."""
        return _Thresholds(self, sparsity)


@dataclass(frozen=True)
class Gradual(Dynamics):
    """Gradual magnitude pruning: training starts dense, and the number of weights decreases along a cubic curve.

    Parameters
    ----------
    period : int, default 100
        Updates between two cuts.
    start, end : float, default 0 and 0.75
        Fractions of the training between which weights are pruned.
    scope, ratio
        Where weights compete, as in a :class:`~recovery.pruning.Method`.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range, or `start` is not below `end`.

    Notes
    -----
    With p weights, of which s are to be kept, s + (p - s) (1 - u)^3 (rounded) are left at the fraction u of the way
    from `start` to `end`. Weights are pruned at multiples of `period`, and at the first update at or after `end`, which
    leaves exactly s. Pruned weights stay pruned.

    References
    ----------
    .. [1] M. Zhu, S. Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression",
       arXiv:1710.01878 (from memory of the literature; tests/recovery/test_pruning_moving.py has the counts).
    """

    period: int = 100
    start: float = 0.0
    end: float = 0.75
    scope: Scope = "global"
    ratio: Ratio = "equal"

    def __post_init__(self) -> None:
        check_integer(self.period, "period", minimum=1)
        check_number(self.start, "start", minimum=0.0, maximum=1.0)
        check_number(self.end, "end", minimum=0.0, maximum=1.0)
        if self.start >= self.end:
            raise ValueError(f"start={self.start} and end={self.end}; expected start below end")
        _check_scope(self.scope, self.ratio)

    def first_count(self, total: int, sparsity: int) -> int:
        """Return `total`: the first mask keeps all weights."""
        return total

    def begin(self, masks: Masks, sparsity: int, rng: np.random.Generator) -> Changes:
        """Return the changes of a run."""
        return _Cuts(self, masks.count, sparsity)


class _Rewiring(Changes):
    """Drop by magnitude, grow by a rule."""

    def __init__(self, period: int, stop: float, share: Any, grow: Any) -> None:
        self.period, self.stop, self.share, self.grow = period, stop, share, grow

    def update(self, step: Step, masks: Masks, rng: np.random.Generator) -> tuple[Masks, list[Any]] | None:
        """Replace weights in each layer."""
        last = self.stop * step.total
        if step.n_iter % self.period or step.n_iter >= step.total or step.n_iter > last or not _finite(step):
            return None
        share, found = self.share(step.n_iter / last), []
        weights, gradient = step.weights, step.gradient
        for i, mask in enumerate(masks.layers):
            kept = int(mask.sum())
            count = min(math.floor(share * kept), int(mask.size) - kept)
            if not count or i not in (self.places if self.places is not None else (i,)):
                found.append(mask)
                continue
            stay = Masks([mask]).prune([weights[i]], count=kept - count).layers[0]
            grown = Masks([~mask]).prune([self.grow(weights[i], gradient[i], rng)], count=count).layers[0]
            found.append(stay | grown)
        new = Masks(found)
        return new, new.apply(weights)


def _at_random(weights: Any, gradient: Any, rng: np.random.Generator) -> Any:
    """Return 1 + uniform numbers, so that no place has the score zero."""
    return arrays.namespace(weights).asarray(1.0 + rng.random(tuple(weights.shape)))


def _by_gradient(weights: Any, gradient: Any, rng: np.random.Generator) -> Any:
    return arrays.namespace(gradient).abs(gradient)


class _Selecting(Changes):
    """Select by magnitude among the layers that are pruned."""

    def __init__(self, scope: Scope, ratio: Ratio) -> None:
        self.scope, self.ratio = scope, ratio

    def cut(self, weights: Sequence[Any], masks: Masks, count: int) -> Masks:
        """Return the `count` largest of the weights that `masks` keep."""
        places = self.places if self.places is not None else tuple(range(len(weights)))
        held = sum(int(mask.sum()) for i, mask in enumerate(masks.layers) if i not in places)
        subset = Masks([masks.layers[i] for i in places])
        chosen, count = [weights[i] for i in places], max(0, min(count - held, subset.count))
        if self.scope == "global":
            kept = subset.prune(chosen, count=count)
        else:
            sizes = [arrays.namespace(layer).abs(layer) for layer in chosen]
            kept = select(sizes, subset, count, self.scope, self.ratio)
        layers = list(masks.layers)
        for i, mask in zip(places, kept.layers, strict=True):
            layers[i] = mask
        return Masks(layers)


class _Thresholds(_Selecting):
    """Keep the s largest."""

    dense_gradient = True

    def __init__(self, rule: Thresholding, sparsity: int) -> None:
        super().__init__(rule.scope, rule.ratio)
        self.period, self.sparsity = rule.period, sparsity

    def update(self, step: Step, masks: Masks, rng: np.random.Generator) -> tuple[Masks, list[Any]] | None:
        """Keep the s largest weights of all."""
        if (step.n_iter % self.period and step.n_iter < step.total) or not _finite(step):
            return None
        weights = step.weights
        if self.scope == "global" and (self.places is None or len(self.places) == len(weights)):
            new = _top(weights, self.sparsity)  # the fast path
        else:
            new = self.cut(weights, Masks.full(weights), self.sparsity)
        return new, new.apply(weights)


class _Cuts(_Selecting):
    """Keep gradually fewer weights."""

    def __init__(self, rule: Gradual, total: int, sparsity: int) -> None:
        super().__init__(rule.scope, rule.ratio)
        self.rule, self.total, self.sparsity = rule, total, sparsity

    def update(self, step: Step, masks: Masks, rng: np.random.Generator) -> tuple[Masks, list[Any]] | None:
        """Prune to the current number on the curve."""
        rule, share = self.rule, step.n_iter / step.total
        due = step.n_iter % rule.period == 0 or share >= rule.end
        if not due or share <= rule.start or masks.count <= self.sparsity or not _finite(step):
            return None
        left = (1 - min(1.0, (share - rule.start) / (rule.end - rule.start))) ** 3
        count = self.sparsity + round((self.total - self.sparsity) * left)
        if count >= masks.count:
            return None
        weights = step.weights
        new = self.cut(weights, masks, count)
        return new, new.apply(weights)


def _top(weights: Sequence[Any], count: int) -> Masks:
    """Return masks of the largest weights of all."""
    xp = arrays.namespace(*weights)
    kept, found, start = largest(xp.abs(xp.concatenate([layer.ravel() for layer in weights])), count), [], 0
    for layer in weights:
        found.append(kept[start : start + int(layer.size)].reshape(layer.shape))
        start += int(layer.size)
    return Masks(found)


def _finite(step: Step) -> bool:
    """Return whether the magnitudes can be compared; divergence is reported by the training itself."""
    return bool(arrays.namespace(step.vector).isfinite(step.vector).all())


def _check_rewiring(period: int, share: float, stop: float) -> None:
    check_integer(period, "period", minimum=1)
    check_number(share, "share", minimum=0.0, maximum=1.0)
    if check_number(stop, "stop", minimum=0.0, maximum=1.0) == 0:
        raise ValueError("stop=0; expected a positive share of the training")


def _check_scope(scope: Any, ratio: Any) -> None:
    check_choice(scope, "scope", ("global", "layer", "unit"))
    if not callable(ratio):
        check_choice(ratio, "ratio", ("equal", "erdos-renyi"))


_TRAINING = Training(n_iter=1000)


def _sparse_start(name: str, training: Trains, dynamics: Dynamics) -> Method:
    return Method(
        name=name,
        criterion="random",
        source="start",
        scope="layer",
        ratio="erdos-renyi",
        training=training,
        dynamics=dynamics,
    )


def sparse_evolution(training: Trains = _TRAINING, *, period: int = 100, share: float = 0.3) -> Method:
    """Return sparse evolutionary training (SET) as a method.

    Parameters
    ----------
    training : Trains
        The training in which masks change.
    period, share
        As those of :class:`SET`.

    Returns
    -------
    Method
        It starts with random masks whose layers have the densities of Erdos-Renyi graphs.
    """
    return _sparse_start("set", training, SET(period, share))


def rigl(training: Trains = _TRAINING, *, period: int = 100, share: float = 0.3, stop: float = 0.75) -> Method:
    """Return RigL as a method.

    Parameters
    ----------
    training : Trains
        The training in which masks change.
    period, share, stop
        As those of :class:`RigL`.

    Returns
    -------
    Method
        It starts as :func:`sparse_evolution` does.
    """
    return _sparse_start("rigl", training, RigL(period, share, stop))


def iht(
    training: Trains | None = None, *, learning_rate: float = 1e-2, scope: Scope = "global", ratio: Ratio = "equal"
) -> Method:
    """Return iterative hard thresholding as a method.

    Parameters
    ----------
    training : Trains, optional
        The training; by default 1000 plain gradient steps on all rows.
    learning_rate : float, default 1e-2
        Of these steps.
    scope, ratio
        As those of :class:`Thresholding`.

    Returns
    -------
    Method
        It starts with the s largest weights of the initialisation.
    """
    if training is None:
        training = Training(n_iter=1000, learning_rate=learning_rate, optimiser="sgd", momentum=0.0)
    return Method(
        name="iht",
        criterion="magnitude",
        source="start",
        scope=scope,
        ratio=ratio,
        training=training,
        dynamics=Thresholding(scope, ratio),
    )


def gradual_magnitude(
    training: Trains = _TRAINING,
    *,
    period: int = 100,
    start: float = 0.0,
    end: float = 0.75,
    scope: Scope = "global",
    ratio: Ratio = "equal",
) -> Method:
    """Return gradual magnitude pruning as a method.

    Parameters
    ----------
    training : Trains
        The training in which weights are pruned.
    period, start, end, scope, ratio
        As those of :class:`Gradual`.

    Returns
    -------
    Method
        It starts dense.
    """
    return Method(
        name="gradual",
        criterion="magnitude",
        source="start",
        scope=scope,
        ratio=ratio,
        training=training,
        dynamics=Gradual(period, start, end, scope, ratio),
    )
