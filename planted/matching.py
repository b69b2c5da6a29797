"""Distance of a recovered network or support from the planted one, up to the symmetries of networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_number
from planted.base.values import by_value
from planted.kinks import ROUNDING, ExactForm, KinkForm, Reading, exact_form, host_weights, reading_of
from planted.networks import ReLUNetwork

__all__ = ["NetworkMatch", "SupportMatch", "match_networks", "match_supports"]


@by_value
@dataclass(frozen=True)
class NetworkMatch:
    """Comparison of a recovered network with the true one.

    Attributes
    ----------
    weight_error : float
        Upper bound on the relative distance of the kink forms; ``inf`` if the truth is the zero function and the
        recovered network is not.
    support_precision, support_recall : float
        Fraction of the non-zero entries of the found (true) lines that are also non-zero in the matched line of the
        other network; 1 if there are none.
    same_function : bool
        ``weight_error <= atol``: the two networks compute the same function to that accuracy. Weights that do not
        affect the function, such as neurons that cancel or entries of size 1e-9, are ignored.
    exact : bool
        The same network: `same_function` holds, and the numbers of lines and their supports are equal too.
    """

    weight_error: float
    support_precision: float
    support_recall: float
    same_function: bool
    exact: bool


@by_value
@dataclass(frozen=True)
class SupportMatch:
    """Comparison of a recovered set of indices with the true one.

    Attributes
    ----------
    precision, recall : float
        Fraction of the found (true) indices that are true (found); 1 if there are none.
    exact : bool
        The two sets are equal.
    """

    precision: float
    recall: float
    exact: bool


def match_networks(
    found: ReLUNetwork | KinkForm,
    truth: ReLUNetwork | KinkForm,
    atol: float = 1e-6,
    *,
    angle_tol: float = 1e-9,
    drop_tol: float = 1e-12,
) -> NetworkMatch:
    """Compare two networks with one hidden layer by what their functions determine, the kink form.

    Parameters
    ----------
    found, truth : ReLUNetwork or KinkForm
        Networks with equally many inputs and outputs; they may differ in width and in device.
    atol : float, default 1e-6
        Largest weight error that counts as a match, relative to the norm of the truth.
    angle_tol, drop_tol : float
        As in :meth:`ReLUNetwork.kink_form`, applied to both.

    Returns
    -------
    NetworkMatch
        Weight error, support precision and recall, `same_function` and `exact`.

    Raises
    ------
    TypeError
        If an argument is neither a network nor a kink form.
    ValueError
        If the numbers of inputs or outputs differ, a network has several hidden layers, or a tolerance is negative.

    Notes
    -----
    With lines u_l of strength c_l (a vector for vector outputs) and linear part b, and stars for the truth,

        distance^2 = sum_l |c_l u_l u_l' - c*_l u*_l u*_l'|_F^2 + |b - b*|_F^2,
        norm^2 = sum_l |c*_l|^2 + |b*|_F^2,
        weight_error = (distance + slack + slack* + rounding) / norm,

    where the first sum runs over the pairs of the best one-to-one assignment, plus |c_l|^2 or |c*_l|^2 for unpaired
    lines. A line is known only up to sign, which u u' removes. Two lines are not paired if pairing them would cost as
    much as leaving them unpaired. Derived here, with the form used for pairs, in ``docs/theory``, "The distance
    of two kink forms".

    **What is exact.** Neurons on one line, and the linear part, are summed in integers (a float is an integer times a
    power of two). So neurons that cancel leave nothing behind, weights may be of any size, and two networks with
    exactly equal functions (over the reals, without any tolerance) have a weight error of exactly 0.

    **What is a bound.** Otherwise the error is an upper bound. Lines within `angle_tol` of each other are merged, and
    lines weaker than `drop_tol` times the largest are dropped; the resulting change, `slack` (:class:`KinkForm`), is
    added for both networks. So is the rounding error of this comparison, 8 eps (norm of the found form + norm). If
    strong lines nearly cancel, so that rounding decides whether a line remains, `exact` is false. Hence rounding never
    makes `same_function` or `exact` true, and two networks that differ in their last bits have an error of a few eps,
    not 0. The converse is not guaranteed: two lines further apart than `angle_tol` that together act like one line of
    the truth count as two lines.

    **What it says about outputs.** The outputs of a pair of lines differ by at most |c u u' - c* u* u*'|_F |x|, so with
    p pairs and unpaired lines the outputs of the two networks differ, for every x, by at most sqrt(p + 1) weight_error
    norm |x|.
    """
    atol = check_number(atol, "atol", minimum=0.0)
    one, two = _exact(found, "found"), _exact(truth, "truth")
    for what, left_size, right_size in (
        ("inputs", one.form.n_inputs, two.form.n_inputs),
        ("outputs", one.form.n_outputs, two.form.n_outputs),
    ):
        if left_size != right_size:
            raise ValueError(f"found has {left_size} {what} and truth has {right_size}; expected equally many")
    left = reading_of(one.form, angle_tol=angle_tol, drop_tol=drop_tol)
    right = reading_of(two.form, angle_tol=angle_tol, drop_tol=drop_tol)
    if one.form == two.form and one.slack == two.slack == 0:
        return NetworkMatch(0.0, 1.0, 1.0, same_function=True, exact=True)
    rows, cols = _assign(left, right)
    error = _weight_error(left, right, rows, cols, one.slack, two.slack)
    common = int((left.active[:, rows] & right.active[:, cols]).sum())
    n_left, n_right = int(left.active.sum()), int(right.active.sum())
    same_lines = left.active.shape[1] == right.active.shape[1] and common == n_left == n_right
    return NetworkMatch(
        weight_error=error,
        support_precision=common / n_left if n_left else 1.0,
        support_recall=common / n_right if n_right else 1.0,
        same_function=error <= atol,
        exact=bool(error <= atol and same_lines and left.decided and right.decided),
    )


def match_supports(found: Any, truth: Any) -> SupportMatch:
    """Compare two sets of indices.

    Parameters
    ----------
    found, truth : array of int, or sequence of int
        Indices in any order; repeated indices count once.

    Returns
    -------
    SupportMatch
        Precision, recall and `exact`.

    Raises
    ------
    TypeError
        If an argument does not hold integers.
    """
    sets = []
    for value, name in ((found, "found"), (truth, "truth")):
        host = arrays.to_numpy(value).ravel()
        if host.size and host.dtype.kind not in "iu":
            raise TypeError(f"{name} has dtype {host.dtype}; expected integer indices")
        sets.append({int(item) for item in host})
    common = len(sets[0] & sets[1])
    return SupportMatch(
        precision=common / len(sets[0]) if sets[0] else 1.0,
        recall=common / len(sets[1]) if sets[1] else 1.0,
        exact=sets[0] == sets[1],
    )


class _Given(NamedTuple):
    """An argument of match_networks: its exact form, and the slack that it brings along."""

    form: ExactForm
    slack: float


def _exact(value: Any, name: str) -> _Given:
    if isinstance(value, ReLUNetwork):
        if value.depth != 1:
            raise ValueError(f"{name} has {value.depth} hidden layers; expected one, as the kink form needs")
        return _Given(exact_form(*host_weights(value.hidden, value.output)), 0.0)
    if not isinstance(value, KinkForm):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected a ReLUNetwork or a KinkForm")
    directions, strengths = host_weights(value.directions, value.strengths)
    linear = arrays.to_numpy(value.linear).astype(np.float64)
    return _Given(exact_form(directions, strengths, linear.reshape(directions.shape[0], -1)), value.slack)


def _weight_error(
    left: Reading, right: Reading, rows: np.ndarray, cols: np.ndarray, left_slack: float, right_slack: float
) -> float:
    norm = right.norm
    if norm == 0.0:
        return math.inf  # the truth is the zero function, or indistinguishable from it, and the found network is not
    # in the larger of the two units, so that squares do not overflow; what underflows is below rounding error
    power = max(left.power, right.power)
    shrink_left, shrink_right = math.ldexp(1.0, left.power - power), math.ldexp(1.0, right.power - power)
    c_left, c_right = left.strengths * shrink_left, right.strengths * shrink_right
    alone_left = np.setdiff1d(np.arange(c_left.shape[0]), rows)
    alone_right = np.setdiff1d(np.arange(c_right.shape[0]), cols)
    squared = (
        _pair_cost(left.directions[:, rows], right.directions[:, cols], c_left[rows], c_right[cols]).sum()
        + (c_left[alone_left] ** 2).sum()
        + (c_right[alone_right] ** 2).sum()
        + ((left.linear * shrink_left - right.linear * shrink_right) ** 2).sum()
    )
    bound = (
        math.sqrt(float(squared)) * (1 + 16 * EPS)
        + left.slack * shrink_left
        + right.slack * shrink_right
        + ROUNDING * EPS * (left.norm * shrink_left + norm * shrink_right)
    )
    try:
        given = math.ldexp(left_slack, -power) + math.ldexp(right_slack, -power)
        return math.ldexp((bound + given) / norm, power - right.power)
    except OverflowError:
        return math.inf


def _assign(left: Reading, right: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Pair lines so that the sum of their gains is maximal; lines whose pairing gains nothing stay unpaired.

    |M - M*|^2 = |c|^2 + |c*|^2 - 2 gain, so only the gain matters. A pair that gains at least as much as the best
    alternatives of its two lines together belongs to an optimal assignment, by an exchange argument. Such pairs are
    fixed first: next to strong lines, weak ones would be lost in the rounding errors of the general method.
    """
    from scipy.optimize import linear_sum_assignment

    if left.strengths.size == 0 or right.strengths.size == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    one = left.strengths / np.abs(left.strengths).max()
    two = right.strengths / np.abs(right.strengths).max()
    gain = np.maximum((one @ two.T) * (left.directions.T @ right.directions) ** 2, 0.0)
    rows, cols = [], []
    free = gain.copy()
    everyone = np.arange(free.shape[0])
    while True:
        best = free.argmax(axis=1)
        value = free[everyone, best]
        rest = free.copy()
        rest[everyone, best] = 0.0
        in_row = rest.max(axis=1)
        first, second = np.sort(np.vstack([np.zeros_like(free[:2]), free]), axis=0)[:-3:-1]
        in_column = np.where(free.argmax(axis=0)[best] == everyone, second[best], first[best])
        sure = np.flatnonzero((value > 0) & (value >= in_row + in_column))
        _, unique = np.unique(best[sure], return_index=True)  # two lines that compete for the same one
        sure = sure[unique]
        if sure.size == 0:
            break
        rows.append(sure)
        cols.append(best[sure])
        free[sure] = 0.0
        free[:, best[sure]] = 0.0
    more_rows, more_cols = linear_sum_assignment(free, maximize=True)
    useful = free[more_rows, more_cols] > 0
    return np.concatenate([*rows, more_rows[useful]]), np.concatenate([*cols, more_cols[useful]])


def _pair_cost(u: np.ndarray, v: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    # |c u u' - c* v v'|_F^2 = |c - c*|^2 + 2 (c . c*) sin^2(angle): a sum of non-negative terms (pairs with c . c* < 0
    # are never matched), so that nothing cancels
    squared_chord = np.minimum(((u - v) ** 2).sum(axis=0), ((u + v) ** 2).sum(axis=0))
    squared_sine = squared_chord * (1.0 - 0.25 * squared_chord)
    return ((one - two) ** 2).sum(axis=1) + 2.0 * (one * two).sum(axis=1) * squared_sine
