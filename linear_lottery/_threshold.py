"""Threshold pruning of a linear model: drop what is small, train again, until nothing is small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery._deflation import Deflation
from linear_lottery._pruning import Problem, Refits, assemble
from linear_lottery.path import PruningPath
from planted.checks import check_integer, check_number

__all__ = ["threshold_prune"]


def threshold_prune(
    X: Any, y: Any, tau: float, *, w0: Any = None, t: float = math.inf, max_rounds: int | None = None
) -> PruningPath:
    """Prune all weights of magnitude at most `tau`, rewind and retrain, until none is that small.

    Parameters
    ----------
    X : array, shape (n, d), float64 or float32
        Features, one sample a row.
    y : array, shape (n,)
        Targets.
    tau : float
        The threshold, at least 0, in units of the weights.
    w0 : array, shape (d,), optional
        Initialisation, to which survivors are rewound. Zeros by default.
    t : float, default inf
        Training time of each round, at least 0; ``inf`` trains to convergence.
    max_rounds : int, optional
        Prune at most so many times; as often as something is small by default, which is at most d times.

    Returns
    -------
    PruningPath
        Its last round prunes nothing (unless `max_rounds` ended the run): all of its weights exceed `tau`, or none
        is left. Within a round `order` is by ascending magnitude, equals with the larger index first.

    Raises
    ------
    TypeError
        If an argument is not an array of real numbers, or a scalar of the wrong type, or if devices are mixed.
    ValueError
        If shapes do not fit, an element is NaN or infinite, or a number is out of range.

    Notes
    -----
    M <- {j in M: |w_j| > tau} with w_M trained from (w0)_M, which unlike :func:`imp` needs no number of survivors.
    The comparison is of floating-point numbers as they are: a magnitude that equals `tau` in exact arithmetic may
    fall on either side, and ``tau=0`` drops only weights that are 0 to the last bit. On y = X w* + noise with all
    |w*_j| > 2 tau on the support and all errors of the first and of the last least-squares fit within tau, the
    first round drops exactly the other weights and the second finds nothing to drop.

    The routes are those of :func:`imp`; on a GPU there is one synchronisation a round, and a few for each
    factorisation.

    References
    ----------
    Condition derived in this project, for the phenomenon studied in Elesedy et al. 2020 (arXiv:2007.08243):
    docs/derivations.md, "Pruning by magnitude".

    Examples
    --------
    >>> import numpy as np
    >>> X = np.eye(4)
    >>> path = threshold_prune(X, np.array([0.1, -3.0, 0.2, 2.0]), 0.5)
    >>> path.support, path.sizes
    (array([1, 3]), (4, 2))
    """
    tau = check_number(tau, "tau", minimum=0)
    t = check_number(t, "t", minimum=0, finite=False)
    if max_rounds is not None:
        max_rounds = check_integer(max_rounds, "max_rounds", minimum=0)
    problem = Problem(X, y, w0, t)
    limit = problem.scaled(tau)
    route: Any = (Deflation.of(problem) if math.isinf(t) else None) or Refits(problem)
    rows, order, sizes = [], [], [problem.d]
    while True:
        row = problem.xp.zeros(problem.d)
        rows.append(row)
        if sizes[-1] == 0:
            break
        route.write(row)
        if max_rounds is not None and len(sizes) > max_rounds:
            break
        magnitude, _ = route.magnitudes()
        small = np.flatnonzero(magnitude <= limit)
        if not len(small):
            break
        small = small[np.lexsort((-small, magnitude[small]))]
        order.extend(route.kept[small].tolist())
        sizes.append(sizes[-1] - len(small))
        route.remove(small)
    return assemble(problem, route.name, problem.xp.stack(rows), order, sizes)
