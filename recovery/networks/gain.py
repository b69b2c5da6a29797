"""Test whether a fit can be improved: its residual is compared with noise of the same size."""

from __future__ import annotations

import math
from typing import Any

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.networks.centre import Centre

__all__ = ["looks_like_noise", "noise_like"]

SPREADS = 3.0
"""The comparison is made only if half of a structured residual would stand out by this many standard deviations."""


def looks_like_noise(X: Any, y: Any, network: ReLUNetwork) -> bool:
    """Return whether a network's residual depends on the inputs no more than it would with random signs.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs of size near 1.
    y : array, shape (n,) or (n, k)
        Targets of size near 1.
    network : planted.ReLUNetwork
        The fit; the columns come from the gates of its first layer and from the gate that is always open.

    Returns
    -------
    bool
        Also False if there are too few rows to tell.

    Notes
    -----
    With the unit columns a_j of [X, D_1 X, ..., D_q X], T(r) = sum_j (a_j' r)^2 is the total that the columns explain
    of r one at a time. If the errors are symmetric and independent of X, then r and e * r have the same distribution
    for independent random signs e, and E T(e * r) = sum_i r_i^2 sum_j a_ij^2 (derived here: the mixed terms vanish).
    The rule is T(r) <= E T(e * r). A residual A w of N columns of independent entries has T near (1 + n / N) E T(e *
    r), and T(e * r) a spread near sqrt(2 (1 + n / N) / n) of it (from memory of the literature on sample covariances;
    verified numerically by tests/recovery/test_networks_gain.py). Gates are used, strongest neurons first, as long as
    half of that excess is at least three spreads. A fit may hide structure: s of N weights, chosen for their fit, use
    about s + 2 s log(N / s) degrees of freedom, and more than half of the rows must remain. All outputs are counted
    together. Inputs not centred at 0 are centred first, and the gates themselves are used as columns too: T of columns
    with large means is small whatever r is, since r is orthogonal to what they have in common. Errors that these
    columns cannot see, such as gates that are wrong on a few rows, go unnoticed.
    """
    hidden = network.hidden
    return noise_like(X, y - network(X).reshape(y.shape), hidden, int((hidden != 0).sum()))


def noise_like(X: Any, residual: Any, hidden: Any, fitted: int, slack: float = 0.0) -> bool:
    """Like :func:`looks_like_noise`, given a residual, gate directions and the number of fitted weights.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs of size near 1.
    residual : array, shape (n,) or (n, k)
        Residual of a fit.
    hidden : array, shape (d, m)
        Directions of the gates.
    fitted : int
        Number of weights that were fitted.
    slack : float
        Number of spreads by which T may exceed its expectation: if little was fitted, T exceeds it half of the time.

    Returns
    -------
    bool
        Whether the residual looks like noise; also False if there are too few rows to tell.
    """
    xp = arrays.namespace(X, residual)
    n, d = (int(length) for length in X.shape)
    freedom = fitted * (1.0 + 2.0 * math.log(max(1.0, d * int(hidden.shape[1]) / max(fitted, 1))))
    count = _gates_that_tell(n, d, int(hidden.shape[1]))
    if n < 2 * freedom or count < 0:
        return False
    residual = residual.reshape(n, -1)
    chosen = hidden[:, xp.argsort(-(hidden * hidden).sum(axis=0))[:count]]
    gates = xp.concatenate([xp.ones((n, 1), dtype=X.dtype), (X @ chosen > 0).astype(X.dtype)], axis=1)
    centre = Centre.of(X)
    if centre is not None:
        X = centre.shifted(X)
    squares = X * X
    norms = squares.T @ gates
    inverse = xp.where(norms > 0, 1.0 / xp.where(norms > 0, norms, 1.0), 0.0).astype(X.dtype)
    explained = 0.0
    for k in range(int(residual.shape[1])):
        products = (X * residual[:, k : k + 1]).T @ gates
        explained = explained + (products * products * inverse).sum()
    by_chance = ((residual * residual).sum(axis=1) * ((squares @ inverse) * gates).sum(axis=1)).sum()
    columns = int(X.shape[1]) * (count + 1)
    return bool(explained <= by_chance * (1.0 + slack * math.sqrt(2.0 * (1.0 + n / columns) / n)))


def _gates_that_tell(n: int, d: int, m: int) -> int:
    """Return how many of m gates, besides the open one, leave enough rows for a verdict; -1 if not even 0 do."""
    for count in range(m, -1, -1):
        rows_each = n / (d * (count + 1))
        if 0.5 * rows_each >= SPREADS * math.sqrt(2 * (1 + rows_each) / n):
            return count
    return -1
