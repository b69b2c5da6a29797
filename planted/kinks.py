"""The kink form: what the function of a two-layer ReLU network determines of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array, check_number

__all__ = ["KinkForm", "kink_form_of"]

SUPPORT_TOL = 1e-12
"""Entries of a unit direction up to this size count as zero in :attr:`KinkForm.supports`."""
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class KinkForm:
    """Lines where a piecewise linear function bends, how strongly, and its linear part.

    Attributes
    ----------
    directions : array, shape (d, q)
        Unit vectors, one a line; the entry of largest magnitude is positive (the first of them
        where two are equally large).
    strengths : array, shape (q,) or (q, k)
        Signed strength of each line, never zero.
    linear : array, shape (d,) or (d, k)
        The linear part.

    Notes
    -----
    f(x) = sum_l strengths_l |directions_l . x| / 2 + linear' x. Two networks compute the same function if and only if
    their kink forms are equal up to the order of the lines (``docs/derivations.md``, "The kink form").
    """

    directions: Any
    strengths: Any
    linear: Any

    def __call__(self, X: Any) -> Any:
        """Evaluate the function.

        Parameters
        ----------
        X : array, shape (n, d)
            Inputs, on the form's device.

        Returns
        -------
        array, shape (n,) or (n, k)
            Outputs.

        Raises
        ------
        ValueError
            If `X` is not a finite (n, d) matrix.
        """
        X = check_array(X, "X", ndim=2, shape=(None, self.n_inputs))
        xp = arrays.namespace(X, self.directions)
        rows = max(1, BLOCK_BYTES // (8 * max(1, self.n_lines)))
        parts = []
        for start in range(0, int(X.shape[0]), rows):
            block = X[start : start + rows]
            parts.append(xp.abs(block @ self.directions) @ self.strengths * 0.5 + block @ self.linear)
        return parts[0] if len(parts) == 1 else xp.concatenate(parts)

    @property
    def n_inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.directions.shape[0])

    @property
    def n_lines(self) -> int:
        """Number of distinct lines, q."""
        return int(self.directions.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs, k; 1 for a scalar output."""
        return 1 if self.linear.ndim == 1 else int(self.linear.shape[1])

    @property
    def supports(self) -> tuple[tuple[int, ...], ...]:
        """Inputs each line depends on: entries of its unit direction above :data:`SUPPORT_TOL`."""
        active = np.abs(arrays.to_numpy(self.directions)) > SUPPORT_TOL
        return tuple(tuple(np.flatnonzero(column).tolist()) for column in active.T)

    def __repr__(self) -> str:
        return f"KinkForm({self.n_lines} lines in {self.n_inputs} inputs, {self.n_outputs} output(s))"


def kink_form_of(hidden: Any, output: Any, *, angle_tol: float = 1e-9, drop_tol: float = 1e-12) -> KinkForm:
    """Return the kink form of sum_j v_j relu(u_j . x).

    Parameters
    ----------
    hidden : array, shape (d, m)
        Column j is u_j.
    output : array, shape (m,) or (m, k)
        v_j.
    angle_tol : float, default 1e-9
        Largest angle (radians) between neurons of one line. Networks stored in float32 need about 1e-6.
    drop_tol : float, default 1e-12
        Lines with |strength| at most this times the largest |u_j| |v_j| are dropped.

    Returns
    -------
    KinkForm
        In float64, on the device of `hidden`.

    Raises
    ------
    ValueError
        If a tolerance is out of range.

    Notes
    -----
    The work is done on the CPU: (m, m) products and a graph search, nothing that a GPU would help with.
    Closeness is transitive: neurons linked by a chain of small angles become one line, whose
    direction is that of its heaviest neuron.
    """
    angle_tol = check_number(angle_tol, "angle_tol", minimum=0.0, maximum=1.0)
    drop_tol = check_number(drop_tol, "drop_tol", minimum=0.0)
    u = arrays.to_numpy(hidden).astype(np.float64)
    v = arrays.to_numpy(output).astype(np.float64)
    scalar = v.ndim == 1
    if scalar:
        v = v[:, None]
    linear = 0.5 * (u @ v)
    lengths = _column_norms(u)
    weight = lengths * _column_norms(v.T)
    live = weight > 0
    u, v, lengths, weight = u[:, live], v[live], lengths[live], weight[live]
    units = _canonical(u / lengths)
    label, count = _lines(units, angle_tol)
    strengths = np.zeros((count, v.shape[1]))
    np.add.at(strengths, label, lengths[:, None] * v)
    heaviest = np.zeros(count, dtype=np.intp)
    order = np.argsort(weight, kind="stable")
    heaviest[label[order]] = order  # the last write wins: the heaviest neuron of each line
    kept = _column_norms(strengths.T) > drop_tol * weight.max(initial=0.0)
    strengths, directions = strengths[kept], units[:, heaviest[kept]]
    return KinkForm(
        directions=arrays.from_numpy_like(directions, hidden),
        strengths=arrays.from_numpy_like(strengths[:, 0] if scalar else strengths, hidden),
        linear=arrays.from_numpy_like(linear[:, 0] if scalar else linear, hidden),
    )


def _column_norms(columns: np.ndarray) -> np.ndarray:
    # scaled, so that neither 1e-200 nor 1e200 leaves the range when squared
    largest = np.abs(columns).max(axis=0, initial=0.0)
    return largest * np.sqrt(((columns / np.where(largest > 0, largest, 1.0)) ** 2).sum(axis=0))


def _canonical(units: np.ndarray) -> np.ndarray:
    if units.size == 0:
        return units
    magnitude = np.abs(units)
    # entries as large as the largest up to rounding tie; the first of them decides, so that a
    # direction and its rescaled copy get the same sign
    leading = (magnitude >= magnitude.max(axis=0) * (1 - 1e-12)).argmax(axis=0)
    return units * np.where(units[leading, np.arange(units.shape[1])] < 0, -1.0, 1.0)


def _lines(units: np.ndarray, angle_tol: float) -> tuple[np.ndarray, int]:
    """Label the columns that are equal up to sign within `angle_tol`, in order of appearance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    m = units.shape[1]
    if m == 0:
        return np.zeros(0, dtype=np.intp), 0
    chord = 2.0 * np.sin(0.5 * angle_tol)
    # |u - v|^2 = 2 - 2 u.v is good to 1e-15 only: it proposes pairs, the differences decide
    cosine = np.abs(np.triu(units.T @ units, k=1))
    first, second = np.nonzero(2.0 - 2.0 * cosine <= chord**2 + 1e-12)
    width = max(1, BLOCK_BYTES // (8 * units.shape[0]))
    close = np.zeros(first.size, dtype=bool)
    for start in range(0, first.size, width):
        here = slice(start, start + width)
        a, b = units[:, first[here]], units[:, second[here]]
        gap = np.minimum(_column_norms(a - b), _column_norms(a + b))
        close[here] = gap <= chord + 8 * np.finfo(float).eps
    pairs = (first[close], second[close])
    graph = coo_array((np.ones(pairs[0].size, dtype=bool), pairs), shape=(m, m))
    count, label = connected_components(graph, directed=False)
    return label, int(count)
