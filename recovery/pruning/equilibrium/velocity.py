"""Velocities of similarities: the paper's filter, the released filter, and thresholds for equilibrium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base.checks import check_array, check_choice, check_integer, check_number

__all__ = ["FILTERS", "Calibrated", "calibrated_eps", "eps_for_rate", "next_velocity", "velocities"]

FILTERS = ("paper", "released")


def next_velocity(change: Any, last_change: Any, last: Any, mu: float, filter: str = "paper") -> Any:
    """Return the velocity after an epoch.

    Parameters
    ----------
    change, last_change : array, shape (m,)
        phi^t - phi^(t-1), and the same for the previous epoch.
    last : array, shape (m,)
        Velocity after the previous epoch.
    mu : float
        Memory of the filter.
    filter : {"paper", "released"}, default "paper"
        Which filter.

    Returns
    -------
    array, shape (m,)
        The paper's v = change - mu last, or the released mu last - last_change + change.

    Notes
    -----
    The released filter is the change minus (1 - mu) times an exponential sum of the previous changes. For a constant
    drift c of phi the paper's filter gives c / (1 + mu), the released one 0. Both give the same velocity in the first
    epoch, and in the second one if mu = 1/2; afterwards they differ. Source: arXiv:2207.09455 and its released code;
    the responses to a drift are derived here.
    """
    return change - mu * last if filter == "paper" else mu * last - last_change + change


def velocities(phi: Any, mu: float = 0.5, filter: str = "paper") -> np.ndarray:
    """Return the velocities for a whole history of similarities.

    Parameters
    ----------
    phi : array, shape (epochs, m)
        Similarities after each epoch.
    mu : float, default 0.5
        Memory of the filter, 0 <= mu < 1.
    filter : {"paper", "released"}, default "paper"
        See :func:`next_velocity`.

    Returns
    -------
    numpy.ndarray, shape (epochs, m)
        Starting from phi = 1 and velocity 0 before the first epoch.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    """
    phi = np.asarray(check_array(phi, "phi", ndim=2, dtype=np.float64, allow_empty=True))
    mu = check_mu(mu)
    check_choice(filter, "filter", FILTERS)
    changes = np.diff(phi, axis=0, prepend=1.0)
    found, last, last_change = np.zeros_like(phi), np.zeros(phi.shape[1]), np.zeros(phi.shape[1])
    for t, change in enumerate(changes):
        found[t] = last = next_velocity(change, last_change, last, mu, filter)
        last_change = change
    return found


def check_mu(mu: Any) -> float:
    """Return mu as a float in [0, 1), or raise an error."""
    mu = check_number(mu, "mu", minimum=0.0)
    if mu >= 1:
        raise ValueError(f"mu={mu} is not below 1; expected 0 <= mu < 1, so that the filter has fading memory")
    return mu


def calibrated_eps(velocity: Any, quantile: float = 0.05) -> float:
    """Return the threshold below which a given fraction of observed velocities lies.

    Parameters
    ----------
    velocity : array or sequence of array
        Velocities of units in epochs in which all of them learned, for instance those of the warm-up.
    quantile : float, default 0.05
        Fraction of |velocity| below the threshold, from 0 to 1.

    Returns
    -------
    float
        The quantile of |velocity|.

    Raises
    ------
    TypeError, ValueError
        If there is no velocity, or `quantile` is out of range.

    Notes
    -----
    The published 1e-3 was chosen for large convolutional networks. Per epoch a unit that turns by an angle a has
    1 - phi = a^2 / 2 (ReLU unit, isotropic inputs), so with 1e-3 every unit that turns by less than 2.6 degrees per
    epoch counts as being at equilibrium. In small networks that is nearly all of training.
    """
    parts = list(velocity) if isinstance(velocity, (list, tuple)) else [velocity]
    if not parts:
        raise ValueError("velocity is empty; expected at least one array")
    values = np.concatenate([np.ravel(check_array(part, "velocity", ndim=(1, 2), dtype=np.float64)) for part in parts])
    return float(np.quantile(np.abs(values), check_number(quantile, "quantile", minimum=0.0, maximum=1.0)))


def eps_for_rate(learning_rate: float, n_updates: int, *, momentum: float = 0.0, slope: float = 0.002) -> float:
    """Return the threshold that corresponds to the smallest relevant gradient.

    Parameters
    ----------
    learning_rate : float
        Learning rate.
    n_updates : int
        Updates per epoch.
    momentum : float, default 0.0
        Momentum, which lengthens steps by a factor 1 / (1 - momentum).
    slope : float, default 0.002
        Relative gradient |g_j| / |w_j| below which a unit counts as having learned. The default is our choice; with it
        the two tasks of ``benchmarks/neq_savings.py`` save 60 % of the backward pass at the cost of 15 and 9 % more
        error.

    Returns
    -------
    float
        a^2 / 2 with a = learning_rate n_updates slope / (1 - momentum), the angle in radians by which such a unit
        turns in an epoch, at most pi.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    Derived here, from phi = 1 - a^2 / 2 + a^3 / (3 pi) + ... for ReLU units without bias on isotropic inputs and a
    gradient orthogonal to the weights with constant direction during the epoch. It scales with the square of the
    learning rate: after a decay by a factor of 10 a correct threshold becomes 100 times too large. See also
    :class:`Calibrated`.
    """
    rate = check_number(learning_rate, "learning_rate", minimum=0.0)
    count = check_integer(n_updates, "n_updates", minimum=1)
    momentum = check_number(momentum, "momentum", minimum=0.0)
    if momentum >= 1:
        raise ValueError(f"momentum={momentum} is not below 1; expected 0 <= momentum < 1")
    angle = min(np.pi, rate * count * check_number(slope, "slope", minimum=0.0) / (1.0 - momentum))
    return float(angle * angle / 2)


@dataclass(frozen=True)
class Calibrated:
    """A threshold calibrated during the warm-up: a quantile of |velocity|.

    Parameters
    ----------
    quantile : float, default 0.05
        Fraction of the warm-up's velocities below the threshold.
    follow_rate : bool, default True
        Multiply it by (learning rate / learning rate of the warm-up)^2, since 1 - phi scales with the square of the
        rate.

    Raises
    ------
    TypeError, ValueError
        If the quantile is out of range.
    """

    quantile: float = 0.05
    follow_rate: bool = True

    def __post_init__(self) -> None:
        check_number(self.quantile, "quantile", minimum=0.0, maximum=1.0)

    def eps(self, velocity: list[np.ndarray], rates: np.ndarray, warm_up: int) -> float:
        """Return the threshold after an epoch.

        Parameters
        ----------
        velocity : list of numpy.ndarray, shape (epochs, m)
            Histories of the layers whose units may be frozen.
        rates : numpy.ndarray, shape (epochs,)
            Mean learning rates of the epochs.
        warm_up : int
            Epochs of the warm-up. The first one is ignored if there are others, because it starts from phi = 1.

        Returns
        -------
        float
            The threshold.
        """
        first = 1 if warm_up > 1 else 0
        eps = calibrated_eps([layer[first:warm_up] for layer in velocity], self.quantile)
        start = float(np.mean(rates[first:warm_up]))
        return eps * (float(rates[-1]) / start) ** 2 if self.follow_rate and start > 0 else eps
