"""Iterative magnitude pruning of a linear model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any, Literal, TypeAlias

import numpy as np

from linear_lottery._deflation import Deflation
from linear_lottery._pruning import Problem, Refits, assemble, first_to_go
from linear_lottery.path import PruningPath
from planted.base.checks import check_integer, check_number
from planted.base.frames import names_of
from planted.base.progress import Bar, Progress, bar, check_progress

__all__ = ["Schedule", "how_many", "imp", "threshold_prune"]

Schedule: TypeAlias = Literal["one-by-one", "one-shot"] | float
"""How many weights a round prunes; ``float`` includes int."""


def imp(
    X: Any,
    y: Any,
    sparsity: int,
    *,
    w0: Any = None,
    schedule: Schedule = "one-by-one",
    flow_time: float = math.inf,
    progress: Progress = False,
) -> PruningPath:
    """Prune a linear model by magnitude, with rewinding, until `sparsity` weights are left.

    Parameters
    ----------
    X : array, shape (n, d), float64 or float32
        Features, one sample per row.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights that survive, from 0 (prune all) to d (train once, prune none).
    w0 : array, shape (d,), optional
        Initialisation, to which survivors are rewound before every round. Zeros by default.
    schedule : {"one-by-one", "one-shot"}, float or int, default "one-by-one"
        Number of weights pruned per round when m are left: 1; all that must be pruned; ceil(p m) for a fraction p in
        (0, 1), which is interpreted as the decimal that it prints as; or that many for an int. Never so many that fewer
        than `sparsity` are left.
    flow_time : float, default inf
        Training time of each round, at least 0; ``inf`` trains to convergence.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each round.

    Returns
    -------
    PruningPath
        Nested masks, the weights trained under each, the order in which weights were pruned, and the survivors, on the
        device of `X`; and the names of the features, where `X` is a data frame with names. float32 if all arrays are,
        which distinguishes fewer weights (see Notes).

    Raises
    ------
    TypeError
        If an argument is not an array of real numbers, or a scalar of the wrong type, or if devices are mixed.
    ValueError
        If shapes do not match, an array is empty, an element is NaN or infinite, `sparsity` is negative or exceeds d,
        `flow_time` is negative or NaN, or `schedule` is unknown.

    Notes
    -----
    Round r trains w_M from (w0)_M by :func:`gradient_flow` under the mask M = masks[r], for the time
    `flow_time`, and then drops the smallest |w_j|.

    *Ties.* The smallest magnitude is pruned first; among all that exceed it by no more than a tolerance, the one with
    the largest index. So among equal weights the smaller index survives, and constant or duplicated columns are pruned
    in the same order on every machine, as are weights that are 0 up to rounding, as with noise-free targets in float64.
    The tolerance bounds the effect of rounding, q eps (g (|y| + |(c_j w_j)_j|) + max |w|), with eps that of float64, in
    which everything is computed. By deflation q = 4 (up to 40 where cond <= 10), c_j is the norm of column j, g the
    largest row norm of X_M^+, and M the survivors at the last factorisation. In refits q = 20, c_j is the largest norm
    of a column, g the largest row norm of the matrix that maps y to w_M (X_M^+ as t tends to infinity), and w_M is
    extended by (w0)_M. It is of the order of q cond(X_M) eps times the length of w_M or w0, or more where the residual
    is large: negligible up to condition 1e10 or so. Rounding errors proportional to cond(X_M)^2 times the residual are
    neglected. Two weights whose difference is about the tolerance may be pruned in either order on another machine or
    by another route.

    *Routes.* If n >= d, X has full column rank, and `flow_time` is infinite, then w_M is ordinary least squares and
    `w0` does not matter; the whole path costs O(n d^2 + d^3), by deflation of the inverse of the triangular factor of
    X. In all other cases every round costs one singular value decomposition of X_M. X counts as having full column rank
    if its columns, with norm 1, have a condition number that is estimated at no more than 1 / (8 tol), tol that of
    :func:`recovery.operators.ranks.rank_tolerance`: neither n nor the unit of a feature matters. All routes compute in
    float64, from a triangular factor of [X, y] if n > d. On a GPU, deflation needs one synchronisation per round and a
    few for each halving of the number of weights; a refit needs a few.

    References
    ----------
    Condition derived in this project, for the phenomenon studied in Elesedy et al. 2020 (arXiv:2007.08243); the
    deflation is derived in docs/theory, "Pruning by magnitude", and checked against refits, also with 60
    digits, in tests/linear_lottery/test_imp_deflation.py.

    Examples
    --------
    >>> import numpy as np
    >>> path = imp(np.eye(4), np.array([0.1, -3.0, 0.2, 2.0]), 2)
    >>> path.support, path.order
    (array([1, 3]), array([0, 2]))
    >>> imp(np.eye(4), np.ones(4), 1).order  # all equal: the smaller index survives
    array([3, 2, 1])
    """
    how_many(schedule)
    check_progress(progress)
    sparsity = check_integer(sparsity, "sparsity", minimum=0)
    flow_time = check_number(flow_time, "flow_time", minimum=0, finite=False)
    problem = Problem(X, y, w0, flow_time)
    check_integer(sparsity, "sparsity", minimum=0, maximum=problem.d)
    route: Any = Deflation.of(problem) if math.isinf(flow_time) else None
    rounds = None if progress is False else len(_sizes(problem.d, sparsity, schedule))
    with bar(progress, rounds, user="imp", unit="round") as shown:
        path = prune_to(route or Refits(problem), sparsity, schedule, shown)
    return _named(path, X)


def _named(path: PruningPath, X: Any) -> PruningPath:
    """Return the path with the names of the features, where they came with a frame."""
    names = names_of(X)
    return path if names is None else replace(path, names=names)


def prune_to(route: Any, sparsity: int, schedule: Schedule, shown: Bar | None = None) -> PruningPath:
    """Prune by magnitude until `sparsity` weights are left, on a route that trains the survivors."""
    problem: Problem = route.problem
    shown = shown or Bar()
    sizes = _sizes(problem.d, sparsity, schedule)
    weights = problem.xp.zeros((len(sizes), problem.d))
    order: list[int] = []
    for r, size in enumerate(sizes):
        if size:
            route.write(weights[r])
        if r + 1 < len(sizes):
            magnitude, tolerance = route.magnitudes()
            positions = first_to_go(magnitude, size - sizes[r + 1], tolerance)
            order.extend(route.kept[positions].tolist())
            route.remove(positions)
        shown.step()
    return assemble(problem, route.name, weights, order, sizes)


def _sizes(d: int, sparsity: int, schedule: Schedule) -> list[int]:
    """Return how many weights each round trains."""
    goes, sizes = how_many(schedule), [d]
    while sizes[-1] > sparsity:
        sizes.append(max(sparsity, sizes[-1] - goes(sizes[-1])))
    return sizes


def how_many(schedule: Any) -> Callable[[int], int]:
    """Return how many weights to prune when m are left; raise an error for an invalid schedule."""
    expected = "expected 'one-by-one', 'one-shot', a fraction strictly between 0 and 1, or an int of at least 1"
    if isinstance(schedule, str):
        if schedule == "one-by-one":
            return lambda m: 1
        if schedule == "one-shot":
            return lambda m: m
        raise ValueError(f"schedule={schedule!r} is not known; {expected}")
    if isinstance(schedule, (bool, np.bool_)) or not isinstance(schedule, Real):
        raise TypeError(f"schedule={schedule!r} is of type {type(schedule).__name__}; {expected}")
    if isinstance(schedule, Integral):
        block = int(schedule)
        if block < 1:
            raise ValueError(f"schedule={schedule} is out of range; {expected}")
        return lambda m: block
    fraction = float(schedule)
    if not 0 < fraction < 1:
        raise ValueError(f"schedule={schedule} is out of range; {expected}")
    # use the intended decimal: 0.07 * 100 is 7.000000000000001 in floating point and would prune 8
    exact = Fraction(schedule) if isinstance(schedule, Rational) else Fraction(str(schedule))
    return lambda m: math.ceil(exact * m)


def threshold_prune(
    X: Any,
    y: Any,
    tau: float,
    *,
    w0: Any = None,
    flow_time: float = math.inf,
    max_rounds: int | None = None,
    progress: Progress = False,
) -> PruningPath:
    """Prune all weights of magnitude at most `tau`, rewind and retrain, until no weight is that small.

    Parameters
    ----------
    X : array, shape (n, d), float64 or float32
        Features, one sample per row.
    y : array, shape (n,)
        Targets.
    tau : float
        The threshold, at least 0, in units of the weights.
    w0 : array, shape (d,), optional
        Initialisation, to which survivors are rewound. Zeros by default.
    flow_time : float, default inf
        Training time of each round, at least 0; ``inf`` trains to convergence.
    max_rounds : int, optional
        Largest number of prunings; by default pruning continues as long as some weight is small, which is at most d
        times.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each round, with
        None for `total` until the run has ended.

    Returns
    -------
    PruningPath
        Its last round prunes nothing: all of its weights exceed `tau`, or none is left. If `max_rounds` ended the run
        earlier, `success` is False. Within a round `order` is by ascending magnitude, with ties in order of decreasing
        index.

    Raises
    ------
    TypeError
        If an argument is not an array of real numbers, or a scalar of the wrong type, or if devices are mixed.
    ValueError
        If shapes do not match, an element is NaN or infinite, or a number is out of range.

    Notes
    -----
    M <- {j in M: |w_j| > tau} with w_M trained from (w0)_M, which unlike :func:`imp` needs no number of survivors.
    Floating-point numbers are compared directly: a magnitude that equals `tau` in exact arithmetic may fall on either
    side, and ``tau=0`` prunes only weights that are exactly 0. On y = X w* + noise with all |w*_j| > 2 tau on the
    support and all errors of the first and of the last least-squares fit within tau, the first round prunes exactly the
    other weights and the second finds nothing to prune.

    The routes are those of :func:`imp`; on a GPU there is one synchronisation per round, and a few per factorisation.

    References
    ----------
    Condition derived in this project, for the phenomenon studied in Elesedy et al. 2020 (arXiv:2007.08243):
    docs/theory, "Pruning by magnitude".

    Examples
    --------
    >>> import numpy as np
    >>> X = np.eye(4)
    >>> path = threshold_prune(X, np.array([0.1, -3.0, 0.2, 2.0]), 0.5)
    >>> path.support, path.sizes
    (array([1, 3]), (4, 2))
    """
    check_progress(progress)
    tau = check_number(tau, "tau", minimum=0)
    flow_time = check_number(flow_time, "flow_time", minimum=0, finite=False)
    if max_rounds is not None:
        max_rounds = check_integer(max_rounds, "max_rounds", minimum=0)
    problem = Problem(X, y, w0, flow_time)
    limit = problem.scaled(tau)
    route: Any = (Deflation.of(problem) if math.isinf(flow_time) else None) or Refits(problem)
    rows, order, sizes, settled = [], [], [problem.d], True
    with bar(progress, user="threshold_prune", unit="round") as shown:
        while True:
            row = problem.xp.zeros(problem.d)
            rows.append(row)
            shown.step(note=f"{sizes[-1]} weights")
            if sizes[-1] == 0:
                break
            route.write(row)
            magnitude, _ = route.magnitudes()
            small = np.flatnonzero(magnitude <= limit)
            if not len(small):
                break
            if max_rounds is not None and len(sizes) > max_rounds:
                settled = False
                break
            small = small[np.lexsort((-small, magnitude[small]))]
            order.extend(route.kept[small].tolist())
            sizes.append(sizes[-1] - len(small))
            route.remove(small)
    return _named(assemble(problem, route.name, problem.xp.stack(rows), order, sizes, settled), X)
