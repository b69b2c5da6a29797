"""Pruning criteria. Each is a function of a view that returns scores; weights with larger scores are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planted.base.checks import check_choice, check_integer
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.model import Model
from recovery.pruning.second_order import Obs
from recovery.pruning.training import Step
from recovery.pruning.view import View

__all__ = [
    "NAMED",
    "Accumulated",
    "Grasp",
    "Snip",
    "Taylor",
    "distance",
    "grasp",
    "magnitude",
    "obd",
    "obs",
    "random",
    "resolve",
    "snip",
    "synflow",
    "taylor",
]


def magnitude(view: View) -> list[Any]:
    """Return |w|, the oldest criterion, which needs no data."""
    return [view.xp.abs(layer) for layer in view.layers]


def random(view: View) -> list[Any]:
    """Return uniform random numbers, drawn on the host: the control that every other criterion should beat."""
    return [view.xp.asarray(view.rng.random(layer.shape)) for layer in view.layers]


def distance(view: View) -> list[Any]:
    """Return |w - w(0)|, how far a weight has moved from its initial value.

    References
    ----------
    H. Zhou et al., "Deconstructing Lottery Tickets" (NeurIPS 2019), from memory of the literature; the formula is
    tested as implemented here. All scores are zero at the start.
    """
    return [view.xp.abs(now - before) for now, before in zip(view.layers, view.initial.matrices, strict=True)]


@dataclass(frozen=True)
class Snip:
    """|w g| with g the gradient of the mean loss: how much the loss changes, to first order, if w becomes 0.

    Parameters
    ----------
    rows : int, optional
        Number of samples for the gradient, drawn without replacement; all by default.

    References
    ----------
    N. Lee, T. Ajanthan, P. Torr, "SNIP: Single-shot Network Pruning based on Connection Sensitivity" (ICLR 2019), from
    memory of the literature: the derivative of the loss with respect to a factor c = 1 of the weight is w g; the sign
    is ignored, and the paper's division by the sum of all scores does not change the order.
    """

    rows: int | None = None

    def __post_init__(self) -> None:
        _check_rows(self.rows)

    def __call__(self, view: View) -> list[Any]:
        """Return the scores."""
        gradient = view.rows(self.rows).gradient()
        return [view.xp.abs(layer * part) for layer, part in zip(view.layers, gradient, strict=True)]


@dataclass(frozen=True)
class Grasp:
    """w (H g), signed: weights whose removal would reduce the gradient flow most are kept.

    Parameters
    ----------
    rows : int, optional
        Number of samples for the derivatives, drawn without replacement; all by default.

    Notes
    -----
    The gradient flow is |g|^2, the rate at which a small gradient step lowers the loss, and its derivative in the
    weights is 2 H g. Setting w_j to 0 changes |g|^2 by -2 w_j (H g)_j to first order. The paper's score
    S_j = -w_j (H g)_j is large if the removal *raises* the gradient flow (or lowers it least), and the weights with the
    largest S are pruned. Here larger scores are kept, so the score is -S_j = w_j (H g)_j. The softmax temperature of
    the paper's code is omitted.

    References
    ----------
    C. Wang, G. Zhang, R. Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow" (ICLR 2020),
    from memory of the literature.
    """

    rows: int | None = None

    def __post_init__(self) -> None:
        _check_rows(self.rows)

    def __call__(self, view: View) -> list[Any]:
        """Return the scores."""
        seen = view.rows(self.rows)
        product = seen.hessian_product(seen.gradient())
        return [layer * part for layer, part in zip(view.layers, product, strict=True)]


@dataclass(frozen=True)
class Taylor:
    """(w g)^2, the square of the first-order change of the loss when w becomes 0.

    Parameters
    ----------
    rows : int, optional
        Number of samples for the gradient, drawn without replacement; all by default.

    Notes
    -----
    The order is that of :class:`Snip`, apart from underflow; the two names stand for the same formula, used at the end
    of training and at its start.

    References
    ----------
    P. Molchanov et al., "Importance Estimation for Neural Network Pruning" (CVPR 2019), from memory of the
    literature.
    """

    rows: int | None = None

    def __post_init__(self) -> None:
        _check_rows(self.rows)

    def __call__(self, view: View) -> list[Any]:
        """Return the scores."""
        gradient = view.rows(self.rows).gradient()
        return [(layer * part) ** 2 for layer, part in zip(view.layers, gradient, strict=True)]


def obd(view: View) -> list[Any]:
    """Return H_jj w_j^2 / 2, the second-order increase of the loss when w_j alone is removed at a minimum.

    Notes
    -----
    The diagonal is that of the exact Hessian of the mean loss (see :meth:`View.hessian_diagonal`), which costs one
    backward pass per output. Away from a minimum the first-order term is neglected, as in the paper.

    References
    ----------
    Y. LeCun, J. Denker, S. Solla, "Optimal Brain Damage" (NIPS 1989), from memory of the literature.
    """
    diagonal = view.hessian_diagonal()
    return [part * layer * layer / 2 for layer, part in zip(view.layers, diagonal, strict=True)]


def synflow(view: View) -> list[Any]:
    """Return |w| dR/d|w| with R = 1' |W_L|' ... |W_1|' 1: the sum over paths through w of their products of |weights|.

    Notes
    -----
    It needs no data: inputs are all 1, weights are replaced by their magnitudes, biases are ignored, and the loss is
    the sum of the outputs. With a_l the activations and b_l the derivatives of R with respect to them, the score of
    W_l[i, j] is a_{l-1}[i] |W_l[i, j]| b_l[j]. Use many rounds (``Exponential(100)``): pruning in one shot tends to
    remove a whole layer, as the paper shows. Activations and derivatives are scaled by powers of two, and all scores by
    a common one, so that nothing overflows in deep networks and the order is unchanged.

    References
    ----------
    H. Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow" (NeurIPS 2020),
    from memory of the literature.
    """
    xp = view.xp
    sizes = [xp.abs(layer) for layer in view.masks.apply(view.layers)]
    view.cost.add(view.model.shapes, 1, kept=view.masks.count, backward=True)
    flows, exponents = [xp.ones(sizes[0].shape[0], dtype=sizes[0].dtype)], [0]
    for layer in sizes[:-1]:
        flow, shift = _scaled(flows[-1] @ layer)
        flows.append(flow)
        exponents.append(exponents[-1] + shift)
    slope, exponent = xp.ones(sizes[-1].shape[1], dtype=sizes[0].dtype), 0
    found: list[Any] = []
    powers = []
    for i in reversed(range(len(sizes))):
        found.append(sizes[i] * flows[i][:, None] * slope)
        powers.append(exponents[i] + exponent)
        if i:
            slope, shift = _scaled(sizes[i] @ slope)
            exponent += shift
    top = max(powers)
    return [_times(layer, power - top) for layer, power in zip(found[::-1], powers[::-1], strict=True)]


def _scaled(values: Any) -> tuple[Any, int]:
    """Return values scaled by a power of two such that the largest is near 1, and the exponent divided out."""
    largest = float(values.max())
    exponent = math.frexp(largest)[1] if largest else 0
    return _times(values, -exponent), exponent


def _times(values: Any, exponent: int) -> Any:
    """Return values times 2^exponent, in steps that are themselves in range."""
    while exponent:
        step = max(-100, min(100, exponent))
        values, exponent = values * 2.0**step, exponent - step
    return values


@dataclass(frozen=True)
class Accumulated:
    """The sum of -w g over all updates of a training: movement pruning's score, a path criterion.

    Parameters
    ----------
    absolute : bool, default False
        Rank by the magnitude of the sum.

    Notes
    -----
    -w g is positive if an update along the negative gradient moves w away from 0. The gradient is the one used for the
    update, without weight decay, and w is the weight before it. Weights that shrink have negative scores and are pruned
    first.

    References
    ----------
    V. Sanh, T. Wolf, A. Rush, "Movement Pruning: Adaptive Sparsity by Fine-Tuning" (NeurIPS 2020), from memory of the
    literature, without the learning rate, which is a constant factor there.
    """

    absolute: bool = False

    def begin(self, model: Model, data: Data, rng: Any, cost: Cost) -> _Sum:
        """Return an observer of a training that starts from a model."""
        return _Sum(model, self.absolute)


class _Sum:
    """The observer of :class:`Accumulated`."""

    def __init__(self, model: Model, absolute: bool) -> None:
        self.before = [layer.copy() for layer in model.matrices]
        self.sums = [layer * 0 for layer in model.matrices]
        self.absolute = absolute

    def step(self, step: Step) -> None:
        """Add an update's terms."""
        for total, before, gradient, now in zip(self.sums, self.before, step.gradient, step.weights, strict=True):
            total -= before * gradient
            before[...] = now

    def scores(self) -> list[Any]:
        """Return the sums."""
        return [abs(total) if self.absolute else total.copy() for total in self.sums]


def _check_rows(rows: int | None) -> None:
    if rows is not None:
        check_integer(rows, "rows", minimum=1)


snip, grasp, taylor, obs = Snip(), Grasp(), Taylor(), Obs()
NAMED: dict[str, Callable[[View], list[Any]] | Any] = {
    "magnitude": magnitude,
    "random": random,
    "snip": snip,
    "grasp": grasp,
    "taylor": taylor,
    "synflow": synflow,
    "obd": obd,
    "obs": obs,
    "distance": distance,
    "movement": Accumulated(),
}
"""Criteria by name."""


def resolve(criterion: Any) -> Any:
    """Return the criterion with this name, or the criterion itself."""
    if isinstance(criterion, str):
        return NAMED[check_choice(criterion, "criterion", tuple(NAMED))]
    if not callable(criterion) and not hasattr(criterion, "begin"):
        raise TypeError(f"criterion={criterion!r}; expected a name, a function of a view, or an object with begin(...)")
    return criterion
