"""Neurons at equilibrium (NEq, arXiv:2207.09455): similarities, velocity filters, and the savings from freezing.

phi^t is the cosine of a neuron's outputs on fixed samples after epochs t - 1 and t, dphi^t = phi^t - phi^{t-1}, and
v^t a filter of dphi with a parameter mu; a neuron is frozen for the next epoch if |v^t| < eps. Before the first epoch
phi = 1 and v = 0. ``filter`` is ``"paper"`` for v^t = dphi^t - mu v^{t-1}, and ``"released"`` for the filter of the
released code, v^t = mu v^{t-1} - dphi^{t-1} + dphi^t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer, check_number

__all__ = [
    "ABSORBED_AFTER",
    "FILTERS",
    "angle_of_dissimilarity",
    "angle_of_similarity",
    "backward_work",
    "booked_savings",
    "counted_savings",
    "dissimilarity",
    "drift_response",
    "executed_savings",
    "expanded_velocities",
    "false_freeze_epoch",
    "filter_weights",
    "similarity",
    "similarity_series",
    "velocity_bound",
]

FILTERS = ("paper", "released")
"""The velocity filter of the paper, and that of the released code."""
ABSORBED_AFTER = {"paper": 2, "released": 3}
"""After this many consecutive frozen epochs, a neuron of the first layer stays frozen."""

_SMALL = 0.5
_TERMS = 9  # terms of the series, used below 1/2: the next term is below 2^-56 of the first
_NEWTON = 8
_PI_REST = 1.2246467991473532e-16  # pi minus the float next to it


def similarity(angle: Any) -> Any:
    """Return the cosine of the outputs of two ReLU units on Gaussian inputs: (sin t + (pi - t) cos t) / pi.

    Parameters
    ----------
    angle : float or array
        t, the angle between the two weight vectors, from 0 to pi. The units have no bias.

    Returns
    -------
    float or array
        kappa_1(t), from 1 to 0; accurate to the last digits even near pi, where it is u^3 / (3 pi) with u = pi - t.

    Raises
    ------
    ValueError
        If an angle is not between 0 and pi.

    Notes
    -----
    E relu(w.z) relu(w'.z) = |w| |w'| kappa_1(t) / 2 for z ~ N(0, I), and E relu(w.z)^2 = |w|^2 / 2.

    References
    ----------
    Cho and Saul's arc-cosine kernel of degree 1, from memory of the literature; derived again in docs/theory,
    "Similarity of a neuron to itself", and verified by tests/recovery/test_pruning_equilibrium_forms.py.
    """
    xp, t, back = _angles(angle)
    return back(_lune(xp, _supplement(t)) / math.pi)


def dissimilarity(angle: Any) -> Any:
    """Return 1 - kappa_1(t), without cancellation at small angles.

    Parameters
    ----------
    angle : float or array
        t, from 0 to pi.

    Returns
    -------
    float or array
        t^2 / 2 - t^3 / (3 pi) + ... at small angles, accurate to the last digits.

    Raises
    ------
    ValueError
        If an angle is not between 0 and pi.

    Notes
    -----
    1 - kappa_1(t) = 2 sin(t / 2)^2 - (sin t - t cos t) / pi.

    References
    ----------
    Derived here: docs/theory, "Similarity of a neuron to itself".
    """
    xp, t, back = _angles(angle)
    return back(_gap(xp, t))


def similarity_series(order: int) -> np.ndarray:
    """Return the coefficients of kappa_1(t) = 1 - t^2 / 2 + t^3 / (3 pi) + t^4 / 24 - t^5 / (30 pi) - ...

    Parameters
    ----------
    order : int
        The highest power.

    Returns
    -------
    numpy.ndarray, shape (order + 1,)
        (-1)^i / (2i)! at t^{2i}, and (-1)^{i+1} 2i / ((2i + 1)! pi) at t^{2i+1}. The series converges everywhere.

    References
    ----------
    Derived here: docs/theory, "Similarity of a neuron to itself".
    """
    found = []
    for power in range(check_integer(order, "order", minimum=0) + 1):
        i, odd = divmod(power, 2)
        even = (-1.0) ** i / math.factorial(2 * i)
        found.append((-1.0) ** (i + 1) * 2 * i / math.factorial(power) / math.pi if odd else even)
    return np.array(found)


def angle_of_dissimilarity(value: Any) -> Any:
    """Return the angle at which 1 - kappa_1 has a given value, which is the meaning of a threshold eps.

    Parameters
    ----------
    value : float or array
        From 0 to 1.

    Returns
    -------
    float or array
        In radians; about sqrt(2 eps) + 2 eps / (3 pi) for small eps. eps = 1e-3 is 2.6 degrees.

    Raises
    ------
    ValueError
        If a value is not between 0 and 1.
    """
    xp, wanted, back = _numbers(value, "value", 1.0)
    return back(_invert(xp, wanted, 1.0 - wanted))


def angle_of_similarity(value: Any) -> Any:
    """Return the angle at which kappa_1 has a given value.

    Parameters
    ----------
    value : float or array
        From 0 to 1.

    Returns
    -------
    float or array
        In radians; accurate to the last digits for small values. Near 1 use :func:`angle_of_dissimilarity`.

    Raises
    ------
    ValueError
        If a value is not between 0 and 1.
    """
    xp, wanted, back = _numbers(value, "value", 1.0)
    return back(_invert(xp, 1.0 - wanted, wanted))


def filter_weights(n_epochs: int, mu: float, filter: str = "paper") -> np.ndarray:
    """Return the weights c_k with which similarities enter the velocity: v^t = c_0 phi^t + c_1 phi^{t-1} + ...

    Parameters
    ----------
    n_epochs : int
        How many weights.
    mu : float
        In [0, 1).
    filter : {"paper", "released"}
        Which filter.

    Returns
    -------
    numpy.ndarray, shape (n_epochs,)
        Paper: 1, then (-1)^k (mu^{k-1} + mu^k). Released: 1, mu - 2, then (1 - mu)^2 mu^{k-2}. Both add up to 0.

    Notes
    -----
    The generating functions are (1 - z) / (1 + mu z) and (1 - z)^2 / (1 - mu z). The second weights, -(1 + mu) and mu -
    2, are equal only for mu = 1/2, the third ones only for mu = 1/3. So the filters agree in the first two epochs if mu
    = 1/2, and otherwise only in the first.

    References
    ----------
    The paper's expansion is in arXiv:2207.09455; both are derived here: docs/theory, "Two velocity filters".
    """
    n_epochs, mu = check_integer(n_epochs, "n_epochs", minimum=0), _mu(mu)
    k = np.arange(n_epochs)
    if check_choice(filter, "filter", FILTERS) == "paper":
        found = (-1.0) ** k * (mu ** np.maximum(k - 1, 0) + mu**k)
    else:
        found = (1.0 - mu) ** 2 * mu ** np.maximum(k - 2, 0)
        found[1:2] = mu - 2.0
    found[:1] = 1.0
    return np.asarray(found)


def expanded_velocities(similarities: Any, mu: float, filter: str = "paper") -> Any:
    """Return the velocities after every epoch, computed from the expanded sums.

    Parameters
    ----------
    similarities : array, shape (n_epochs,) or (n_epochs, n_neurons)
        phi^0, phi^1, ...
    mu : float
        In [0, 1).
    filter : {"paper", "released"}
        Which filter.

    Returns
    -------
    array of the same shape
        v^0, v^1, ... with phi = 1 and v = 0 before the first epoch.

    Notes
    -----
    v^t = sum over k of c_k (phi^{t-k} - 1), k = 0 to t, with :func:`filter_weights`: the weights add up to 0.

    References
    ----------
    Derived here: docs/theory, "Two velocity filters".
    """
    similarities = check_array(similarities, "similarities", ndim=(1, 2))
    xp = arrays.namespace(similarities)
    n = int(similarities.shape[0])
    weights = filter_weights(n, mu, filter)
    place = np.subtract.outer(np.arange(n), np.arange(n))
    rows = np.where(place >= 0, weights[np.maximum(place, 0)], 0.0) if n else np.zeros((0, 0))
    return xp.asarray(rows, dtype=similarities.dtype) @ (similarities - 1.0)


def drift_response(drift: float, mu: float, filter: str = "paper") -> float:
    """Return the limiting velocity for a constant drift of phi.

    Parameters
    ----------
    drift : float
        c, the change of phi in every epoch.
    mu : float
        In [0, 1).
    filter : {"paper", "released"}
        Which filter.

    Returns
    -------
    float
        c / (1 + mu) for the paper's filter, 0 for the released one, which does not respond to a steady change of phi.

    References
    ----------
    Derived here: docs/theory, "Two velocity filters".
    """
    drift, mu = check_number(drift, "drift"), _mu(mu)
    return drift / (1.0 + mu) if check_choice(filter, "filter", FILTERS) == "paper" else 0.0


def velocity_bound(mu: float, filter: str = "paper", lowest: float = -1.0) -> float:
    """Return the largest |v| possible for similarities within a range.

    Parameters
    ----------
    mu : float
        In [0, 1).
    filter : {"paper", "released"}
        Which filter.
    lowest : float, default -1
        Similarities are between this and 1; outputs of ReLU units have 0.

    Returns
    -------
    float
        (1 - lowest) / (1 - mu) for the paper's filter: 2 / (1 - mu) for any outputs, so v stays bounded for every mu <
        1. (1 - lowest) (2 - mu) for the released one. Both are the smallest such bounds.

    References
    ----------
    Derived here: docs/theory, "Two velocity filters".
    """
    mu, width = _mu(mu), 1.0 - check_number(lowest, "lowest", minimum=-1.0, maximum=1.0)
    return width / (1.0 - mu) if check_choice(filter, "filter", FILTERS) == "paper" else width * (2.0 - mu)


def false_freeze_epoch(angle: float, mu: float, eps: float, filter: str = "paper") -> int:
    """Return the epoch after which a unit that turns by a constant angle is mistaken for one at equilibrium.

    Parameters
    ----------
    angle : float
        Rotation of its weights in every epoch, from 0 to pi; the inputs are Gaussian, the unit is a ReLU without bias.
    mu : float
        In [0, 1).
    eps : float
        The threshold of the velocity, positive.
    filter : {"paper", "released"}
        Which filter.

    Returns
    -------
    int
        The first t = 0, 1, ... with |v^t| < eps.

    Notes
    -----
    With delta = 1 - kappa_1(angle) the similarity is 1 - delta in every epoch, so dphi^0 = -delta and dphi^t = 0
    afterwards: |v^t| = delta mu^t for the paper's filter; delta, then (1 - mu) mu^{t-1} delta for the released one. The
    unit continues to turn until it is frozen. While it is frozen, phi = 1, and the velocity of the next epoch is delta
    - mu v^t for the paper's filter: if delta >= (1 + mu) eps the unit thaws after that one epoch.

    References
    ----------
    Derived here: docs/theory, "False freezing of a unit that still learns".
    """
    mu, eps = _mu(mu), check_number(eps, "eps")
    if eps <= 0.0:
        raise ValueError(f"eps={eps:g}; expected a positive number")
    delta = float(dissimilarity(float(check_number(angle, "angle", minimum=0.0, maximum=math.pi))))
    check_choice(filter, "filter", FILTERS)
    if delta < eps:
        return 0
    first, begin = (delta, 0) if filter == "paper" else ((1.0 - mu) * delta, 1)
    if first < eps:
        return begin
    if mu == 0.0:
        return begin + 1
    epochs = max(int(math.log(first / eps) / -math.log(mu)) - 1, 0)
    while first * mu**epochs >= eps:  # the logarithms may be off by one epoch
        epochs += 1
    return begin + epochs


def backward_work(n: int, widths: Sequence[int]) -> int:
    """Return the multiply-adds of one backward pass through a fully connected network.

    Parameters
    ----------
    n : int
        Rows.
    widths : sequence of int
        Inputs, hidden units of each layer, outputs.

    Returns
    -------
    int
        n a b for the weight gradient of every layer with a inputs and b outputs, and the same again for the gradient
        passed to the layer below, except in the first layer. Floating-point operations are twice as many.
    """
    n, widths, _ = _sizes(n, widths, None)
    weights = sum(n * a * b for a, b in pairwise(widths))
    return 2 * weights - n * widths[0] * widths[1]


def executed_savings(n: int, widths: Sequence[int], frozen: Sequence[int]) -> int:
    """Return the multiply-adds that frozen units save in the backward pass.

    Parameters
    ----------
    n : int
        Rows.
    widths : sequence of int
        Inputs, hidden units of each layer, outputs.
    frozen : sequence of int
        Frozen units of each layer, the first hidden layer first, the output layer last.

    Returns
    -------
    int
        See Notes. Floating-point operations are twice as many.

    Notes
    -----
    The row of a frozen unit in the weight gradient is skipped, which saves n a multiply-adds for a inputs. The
    derivative of the loss with respect to its output, n b multiply-adds for b units above, is skipped only if nothing
    below needs it, that is, if all units of all layers below are frozen too. In a network with n rows, d inputs, h
    hidden units and o outputs, freezing a share f of the hidden units saves f h n (d + o) multiply-adds, that is f (2 n
    d h + 2 n h o) operations, since nothing lies below; freezing output units saves n h each and nothing else.

    References
    ----------
    Derived here: docs/theory, "Operations saved by freezing neurons".
    """
    n, widths, frozen = _sizes(n, widths, frozen)
    saved, below_frozen = 0, True
    for layer, count in enumerate(frozen):
        saved += n * widths[layer] * count
        if below_frozen and layer + 2 < len(widths):
            saved += n * widths[layer + 2] * count
        below_frozen = below_frozen and count == widths[layer + 1]
    return saved


def counted_savings(n: int, widths: Sequence[int], frozen: Sequence[int]) -> int:
    """Return the backward multiply-adds of the frozen units, each with its own part, regardless of the layers below.

    Parameters
    ----------
    n : int
        Rows.
    widths, frozen : sequence of int
        As for :func:`executed_savings`.

    Returns
    -------
    int
        For each frozen unit n a for its row of the weight gradient, and n b for the derivative of the loss with respect
        to its output. This equals the executed savings in a network with one hidden layer, and is an upper bound on
        them in deeper ones.

    References
    ----------
    Derived here: docs/theory, "Operations saved by freezing neurons".
    """
    n, widths, frozen = _sizes(n, widths, frozen)
    above = (*widths[2:], 0)
    return sum(n * (widths[layer] + above[layer]) * count for layer, count in enumerate(frozen))


def booked_savings(n: int, widths: Sequence[int], frozen: Sequence[int]) -> int:
    """Return the savings as the paper counts them, with each layer's backward pass counted as twice its forward pass.

    Parameters
    ----------
    n : int
        Rows.
    widths, frozen : sequence of int
        As for :func:`executed_savings`.

    Returns
    -------
    int
        2 n a for each frozen unit of a layer with a inputs.

    Notes
    -----
    Each layer is credited with the fraction of frozen units of its weight gradient and of the gradient that it passes
    back. The second half is saved only if everything below is frozen, so the count overstates the savings by up to a
    factor of two; and the first layer passes nothing back. In a network with one hidden layer each frozen hidden unit
    counts as 2 n d but saves n (d + o): the two are equal only for d = o, and with more outputs than inputs the count
    understates the savings.

    References
    ----------
    The accounting is that of the scripts released with arXiv:2207.09455; compared in docs/theory,
    "Operations saved by freezing neurons".
    """
    n, widths, frozen = _sizes(n, widths, frozen)
    return sum(2 * n * widths[layer] * count for layer, count in enumerate(frozen))


def _sizes(n: int, widths: Sequence[int], frozen: Sequence[int] | None) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    n = check_integer(n, "n", minimum=0)
    widths = tuple(check_integer(width, "widths", minimum=1) for width in widths)
    if len(widths) < 2:
        raise ValueError(f"widths={widths}; expected at least two numbers, of inputs and of outputs")
    if frozen is None:
        return n, widths, ()
    frozen = tuple(frozen)
    if len(frozen) != len(widths) - 1:
        raise ValueError(f"frozen={frozen} with widths={widths}; expected {len(widths) - 1} numbers, one per layer")
    checked = (
        check_integer(count, "frozen", minimum=0, maximum=width)
        for count, width in zip(frozen, widths[1:], strict=True)
    )
    return n, widths, tuple(checked)


def _mu(mu: float) -> float:
    mu = check_number(mu, "mu", minimum=0.0)
    if mu >= 1.0:
        raise ValueError(f"mu={mu:g}; expected a number in [0, 1), so that the filter has fading memory")
    return mu


def _numbers(value: Any, name: str, most: float) -> tuple[Any, Any, Any]:
    """Return the namespace, the numbers as an array of at least float32, and a function that converts the result."""
    value = check_array(value, name, ndim=tuple(range(9)))
    xp = arrays.namespace(value)
    found = value if value.dtype.kind == "f" else xp.asarray(value, dtype=float)
    if bool(xp.any((found < 0.0) | (found > most))):
        wanted = f"expected numbers from 0 to {most:g}"
        raise ValueError(f"{name} has numbers from {float(xp.min(found)):g} to {float(xp.max(found)):g}; {wanted}")
    plain = isinstance(found, np.ndarray) and found.ndim == 0
    return xp, found, float if plain else lambda result: result


def _angles(angle: Any) -> tuple[Any, Any, Any]:
    return _numbers(angle, "angle", math.nextafter(math.pi, 4.0))


def _supplement(t: Any) -> Any:
    """Return pi - t, using the digits of pi beyond float64 because t may be very close to pi."""
    return (math.pi - t) + _PI_REST if t.dtype == np.float64 else math.pi - t


def _lune(xp: Any, u: Any) -> Any:
    """Return sin u - u cos u, the series u^3 / 3 - u^5 / 30 + ... below 1/2, where the difference would cancel."""
    square = u * u
    series = xp.zeros_like(u)
    for i in range(_TERMS, 0, -1):
        series = series * square + (-1.0) ** (i + 1) * 2 * i / math.factorial(2 * i + 1)
    return xp.where(u < _SMALL, series * u * square, xp.sin(u) - u * xp.cos(u))


def _gap(xp: Any, t: Any) -> Any:
    half = xp.sin(0.5 * t)
    return 2.0 * half * half - _lune(xp, t) / math.pi


def _invert(xp: Any, gap: Any, cosine: Any) -> Any:
    """Return t with 1 - kappa_1(t) = gap, kappa_1(t) = cosine; each branch reads the smaller of the two.

    Newton steps are applied to sqrt(2 (1 - kappa_1)), which is t - t^2 / (3 pi) + ..., and on (3 pi kappa_1)^(1/3),
    which is u - u^3 / 30 + ... with u = pi - t: both are nearly linear where they are used.
    """
    near = gap <= 0.5
    goal = xp.sqrt(2.0 * xp.where(near, gap, 0.0))
    t = goal
    for _ in range(_NEWTON):
        root = xp.sqrt(2.0 * _gap(xp, t))
        slope = (math.pi - t) * xp.sin(t) / (math.pi * xp.where(root > 0.0, root, 1.0))
        t = xp.where(root > 0.0, t - (root - goal) / xp.where(slope > 0.0, slope, 1.0), t)
    goal = xp.cbrt(3.0 * math.pi * xp.where(near, 0.0, cosine))
    u = goal
    for _ in range(_NEWTON):
        root = xp.cbrt(3.0 * _lune(xp, u))
        slope = u * xp.sin(u) / xp.where(root > 0.0, root * root, 1.0)
        u = xp.where(root > 0.0, u - (root - goal) / xp.where(slope > 0.0, slope, 1.0), u)
    return xp.where(near, t, math.pi - u)
