"""How far a found network or support is from the planted one, up to the symmetries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_number
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork

__all__ = ["NetworkMatch", "SupportMatch", "match_networks", "match_supports"]


@dataclass(frozen=True)
class NetworkMatch:
    """How a found network compares with the true one.

    Attributes
    ----------
    weight_error : float
        Relative distance of the kink forms; ``inf`` if the truth is the zero function and the found one is not.
    support_precision, support_recall : float
        Share of the found (true) non-zero entries of lines that are in the matched line of the other; 1 where
        there are none.
    same_function : bool
        ``weight_error <= atol``: the two networks compute the same function to that accuracy.
    exact : bool
        The same network: `same_function`, as many lines, and the same supports.
    """

    weight_error: float
    support_precision: float
    support_recall: float
    same_function: bool
    exact: bool


@dataclass(frozen=True)
class SupportMatch:
    """How a found set of indices compares with the true one.

    Attributes
    ----------
    precision, recall : float
        Share of the found (true) indices that are true (found); 1 where there are none.
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
    """Compare two networks with one hidden layer in what their functions determine, the kink form.

    Parameters
    ----------
    found, truth : ReLUNetwork or KinkForm
        Networks with equally many inputs and outputs; they may differ in width and in device.
    atol : float, default 1e-6
        Largest weight error of an exact match. It is relative to the truth's norm.
    angle_tol, drop_tol : float
        Passed to :meth:`ReLUNetwork.kink_form`.

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

        weight_error^2 = (sum_l |c_l u_l u_l' - c*_l u*_l u*_l'|_F^2 + |b - b*|_F^2)
                         / (sum_l |c*_l|^2 + |b*|_F^2),

    the sum over the pairs of the best one-to-one assignment, with |c_l|^2 or |c*_l|^2 for lines left
    alone. A line is known up to sign, and u u' forgets it. A pair that would cost as much as its two
    lines apart is left apart. Derived here, with the form used for pairs, in ``docs/derivations.md``,
    "The distance of two kink forms".
    """
    atol = check_number(atol, "atol", minimum=0.0)
    left, right = _form(found, "found", angle_tol, drop_tol), _form(truth, "truth", angle_tol, drop_tol)
    for what, one, two in (("inputs", left.d, right.d), ("outputs", left.k, right.k)):
        if one != two:
            raise ValueError(f"found has {one} {what} and truth has {two}; expected equally many")
    rows, cols = _assign(left, right)
    # scaled by the largest number, so that squares neither overflow nor vanish
    scale = max((np.abs(part).max(initial=0.0) for part in (left.c, left.b, right.c, right.b)), default=0.0)
    scale = scale if scale > 0 else 1.0
    alone_left = np.setdiff1d(np.arange(left.q), rows)
    alone_right = np.setdiff1d(np.arange(right.q), cols)
    squared = (
        _pair_cost(left, right, rows, cols, scale).sum()
        + ((left.c[alone_left] / scale) ** 2).sum()
        + ((right.c[alone_right] / scale) ** 2).sum()
        + (((left.b - right.b) / scale) ** 2).sum()
    )
    norm = ((right.c / scale) ** 2).sum() + ((right.b / scale) ** 2).sum()
    if norm > 0:
        error = math.sqrt(float(squared / norm))
    else:
        error = 0.0 if squared == 0 else math.inf
    common = int((left.active[:, rows] & right.active[:, cols]).sum())
    n_left, n_right = int(left.active.sum()), int(right.active.sum())
    same_supports = common == n_left == n_right
    return NetworkMatch(
        weight_error=error,
        support_precision=common / n_left if n_left else 1.0,
        support_recall=common / n_right if n_right else 1.0,
        same_function=error <= atol,
        exact=bool(left.q == right.q and same_supports and error <= atol),
    )


def match_supports(found: Any, truth: Any) -> SupportMatch:
    """Compare two sets of indices.

    Parameters
    ----------
    found, truth : array of int, or sequence of int
        Indices without order; repeated ones count once.

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


class _HostForm:
    """A kink form on the CPU, with strengths and linear part of shapes (q, k) and (d, k)."""

    def __init__(self, form: KinkForm) -> None:
        self.u = arrays.to_numpy(form.directions).astype(np.float64)
        self.d, self.q = self.u.shape
        self.k = form.n_outputs
        self.c = arrays.to_numpy(form.strengths).astype(np.float64).reshape(self.q, self.k)
        self.b = arrays.to_numpy(form.linear).astype(np.float64).reshape(self.d, self.k)
        self.active = np.zeros((self.d, self.q), dtype=bool)
        for line, support in enumerate(form.supports):
            self.active[list(support), line] = True


def _form(value: Any, name: str, angle_tol: float, drop_tol: float) -> _HostForm:
    if isinstance(value, ReLUNetwork):
        value = value.kink_form(angle_tol=angle_tol, drop_tol=drop_tol)
    if not isinstance(value, KinkForm):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected a ReLUNetwork or a KinkForm")
    return _HostForm(value)


def _assign(left: _HostForm, right: _HostForm) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    if left.q == 0 or right.q == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    one = left.c / np.abs(left.c).max()
    two = right.c / np.abs(right.c).max()
    # |M - M*|^2 = |c|^2 + |c*|^2 - 2 gain: the gain alone decides who goes with whom
    gain = np.maximum((one @ two.T) * (left.u.T @ right.u) ** 2, 0.0)
    rows, cols = linear_sum_assignment(gain, maximize=True)
    useful = gain[rows, cols] > 0
    return rows[useful], cols[useful]


def _pair_cost(left: _HostForm, right: _HostForm, rows: np.ndarray, cols: np.ndarray, scale: float) -> np.ndarray:
    # |c u u' - c* v v'|_F^2 = |c - c*|^2 + 2 (c . c*) sin^2(angle): a sum of terms that are not
    # negative (pairs with c . c* < 0 are never matched), so that nothing cancels
    u, v = left.u[:, rows], right.u[:, cols]
    one, two = left.c[rows] / scale, right.c[cols] / scale
    squared_chord = np.minimum(((u - v) ** 2).sum(axis=0), ((u + v) ** 2).sum(axis=0))
    squared_sine = squared_chord * (1.0 - 0.25 * squared_chord)
    return ((one - two) ** 2).sum(axis=1) + 2.0 * (one * two).sum(axis=1) * squared_sine
