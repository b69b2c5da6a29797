"""The kink form: what the function of a two-layer ReLU network determines about its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_number
from planted.base.files import Stored
from planted.base.values import by_value, frozen

__all__ = ["ExactForm", "KinkForm", "Reading", "exact_form", "host_weights", "kink_form_of", "reading_of"]


class ExactForm(NamedTuple):
    """The kink form of a list of neurons, without rounding.

    Attributes
    ----------
    lines : dict
        Maps each line to integers S, one per output. A line is a pair of tuples: the inputs with non-zero entries, and
        those entries as integers without a common factor, the first of them positive; call this vector w. The strength
        of the line is 2^exponent S |w|.
    linear : dict
        Maps each input to integers B, one per output; the linear part is 2^exponent B. Zeros are omitted.
    exponent : int
        The largest possible power of two; 0 for the zero function. Two networks compute the same function if and only
        if their exact forms are equal.
    n_inputs, n_outputs : int
        Sizes d and k.
    """

    lines: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]]
    linear: dict[int, tuple[int, ...]]
    exponent: int
    n_inputs: int
    n_outputs: int


def exact_form(hidden: np.ndarray, output: np.ndarray, linear: np.ndarray | None = None) -> ExactForm:
    """Return the exact kink form of sum_j v_j relu(u_j . x), or of sum_j v_j |u_j . x| / 2 + linear' x.

    Parameters
    ----------
    hidden : numpy.ndarray of float64, shape (d, m)
        Column j is u_j; finite.
    output : numpy.ndarray of float64, shape (m, k)
        Row j is v_j; finite.
    linear : numpy.ndarray of float64, shape (d, k), optional
        The linear part, if the columns are lines rather than neurons; by default that of the neurons, sum_j u_j v_j' /
        2.

    Returns
    -------
    ExactForm
        Neurons i and j belong to one line if u_i = t u_j exactly for some real t, positive or negative.

    Notes
    -----
    Uses Python's integers and takes about two microseconds per non-zero u_ij, more with many outputs.
    """
    d, k = hidden.shape[0], output.shape[1]
    neurons = []
    for column, weights in zip(hidden.T, output, strict=True):
        rows = np.flatnonzero(column)
        if rows.size and weights.any():
            neurons.append((rows, _integers(column[rows]), _integers(weights)))
    parts = [u_power + v_power for _, (_, u_power), (_, v_power) in neurons]
    given: list[tuple[int, list[int], int]] = []
    if linear is not None:
        given = [(int(i), *_integers(linear[i])) for i in np.flatnonzero(linear.any(axis=1))]
        parts += [power for _, _, power in given]
    # the linear part of a neuron is half of its weight, which explains the 1
    base = min(parts, default=0) - 1
    lines: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    total = np.zeros((d, k), dtype=object)
    for rows, (entries, u_power), (weights, v_power) in neurons:
        shift = u_power + v_power - base
        factor = math.gcd(*entries)
        sign = 1 if entries[0] > 0 else -1
        key = tuple(rows.tolist()), tuple(sign * entry // factor for entry in entries)
        strengths = [(factor * weight) << shift for weight in weights]
        held = lines.setdefault(key, [0] * k)
        lines[key] = [one + two for one, two in zip(held, strengths, strict=True)]
        if linear is None:
            halves = np.array([weight << (shift - 1) for weight in weights], dtype=object)
            total[rows] += np.multiply.outer(np.array(entries, dtype=object), halves)
    for i, numbers, power in given:
        total[i] += np.array([number << (power - base) for number in numbers], dtype=object)
    bent = {key: tuple(numbers) for key, numbers in lines.items() if any(numbers)}
    straight = {i: tuple(int(number) for number in total[i]) for i in range(d) if total[i].any()}
    everything = [number for numbers in (*bent.values(), *straight.values()) for number in numbers if number]
    # the number of trailing zero bits that all of them share
    zeros = min(((number & -number).bit_length() - 1 for number in everything), default=0)
    return ExactForm(
        lines={key: tuple(number >> zeros for number in numbers) for key, numbers in bent.items()},
        linear={i: tuple(number >> zeros for number in numbers) for i, numbers in straight.items()},
        exponent=base + zeros if everything else 0,
        n_inputs=d,
        n_outputs=k,
    )


def _integers(values: np.ndarray) -> tuple[list[int], int]:
    """Return integers and a power p such that values = 2^p integers; at least one value is not zero."""
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, 53).astype(np.int64).tolist()
    power = int(exponents[values != 0].min())
    shifts = (exponents - power).tolist()
    return [number << shift if number else 0 for number, shift in zip(whole, shifts, strict=True)], power - 53


SUPPORT_TOL = 1e-12
"""Entries of a unit direction up to this size count as zero in :attr:`KinkForm.supports`."""
BLOCK_BYTES = 64 * 2**20
ROUNDING = 8
"""Bound, in eps, of how far c u u' is from its rounded value: 2.5 for c, 5 for u u' (see :func:`reading_of`)."""
MIN_POWER, MAX_POWER = -900, 1000
"""Smallest and largest exponent of a form whose numbers float64 holds at full precision."""
ZERO_POWER = -(10**6)
"""Power assigned to the zero function: below that of any other function."""


@by_value
@dataclass(frozen=True, eq=False)
class KinkForm(Stored):
    """Normals of the hyperplanes along which a function bends, the strength of each bend, and the linear part.

    Attributes
    ----------
    directions : array, shape (d, q)
        Unit vectors, one per line; the entry of largest magnitude is positive (the first such entry if there is a tie).
    strengths : array, shape (q,) or (q, k)
        Signed strength of each line; non-zero, unless strong lines that cancel were merged.
    linear : array, shape (d,) or (d, k)
        The linear part.
    slack : float, default 0.0
        Bound on the distance between this form and the exact form of the network, caused by merging close lines and
        dropping weak ones: the sum of |c u u' - c w w'|_F over the lines (c, u) that were merged into a line w, plus
        the strengths of dropped lines. :func:`match_networks` adds it to the error.

    Notes
    -----
    The arrays are copied. NumPy arrays are read-only, and two forms are equal (``==``) if their arrays and slacks are
    equal.

    f(x) = sum_l strengths_l |directions_l . x| / 2 + linear' x. Two networks compute the same function if and only if
    their kink forms are equal up to the order of the lines (``docs/theory``, "The kink form").
    """

    directions: Any
    strengths: Any
    linear: Any
    slack: float = 0.0

    def __post_init__(self) -> None:
        directions = check_array(self.directions, "directions", ndim=2, dtype=np.float64, allow_empty=True)
        d, q = directions.shape
        strengths = check_array(self.strengths, "strengths", ndim=(1, 2), dtype=np.float64, allow_empty=True)
        if strengths.shape[0] != q:
            raise ValueError(
                f"strengths has shape {tuple(strengths.shape)}; expected {q} row(s), as many as directions"
            )
        linear = check_array(
            self.linear,
            "linear",
            ndim=strengths.ndim,
            dtype=np.float64,
            allow_empty=True,
            shape=(d, *strengths.shape[1:]),
        )
        arrays.namespace(directions, strengths, linear)
        object.__setattr__(self, "slack", check_number(self.slack, "slack", minimum=0.0))
        for name, value in (("directions", directions), ("strengths", strengths), ("linear", linear)):
            object.__setattr__(self, name, frozen(value))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.directions, self.strengths, self.linear, self.slack)

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
        """Inputs that each line depends on: entries of its unit direction above :data:`SUPPORT_TOL`."""
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
        Largest angle (radians) between lines that are merged. Networks stored in float32 need about 1e-6.
    drop_tol : float, default 1e-12
        Lines with |strength| at most this times the largest strength, or the norm of the linear part where that is
        larger, are dropped. For merged lines the change caused by merging counts as strength here, so strong lines that
        nearly cancel are kept.

    Returns
    -------
    KinkForm
        In float64, on the device of `hidden`. Its `slack` bounds the change caused by merging and dropping.

    Raises
    ------
    ValueError
        If a tolerance is out of range, or the form's largest number is outside the range of float64.

    Notes
    -----
    The computation runs on the CPU, in integers until the neurons on each line have been summed (:mod:`planted.kinks`):
    neurons that cancel leave nothing behind, and products of weights may exceed the range of float64. Merging is
    transitive: lines linked by a chain of small angles become one, whose direction is the average of theirs weighted by
    |strength|.
    """
    u, v = host_weights(hidden, output)
    form = reading_of(exact_form(u, v), angle_tol=angle_tol, drop_tol=drop_tol)
    if form.power != ZERO_POWER and not MIN_POWER <= form.power <= MAX_POWER:
        raise ValueError(
            f"the network's strengths or linear part are about 2^{form.power}; the kink form needs a power between "
            f"{MIN_POWER} and {MAX_POWER}, so multiply the output weights by a power of two first"
        )
    scalar = arrays.to_numpy(output).ndim == 1
    strengths, linear = np.ldexp(form.strengths, form.power), np.ldexp(form.linear, form.power)
    return KinkForm(
        directions=arrays.from_numpy_like(form.directions, hidden),
        strengths=arrays.from_numpy_like(strengths[:, 0] if scalar else strengths, hidden),
        linear=arrays.from_numpy_like(linear[:, 0] if scalar else linear, hidden),
        slack=math.ldexp(form.slack, form.power),
    )


def host_weights(hidden: Any, output: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return directions and outputs as float64 on the CPU, of shapes (d, m) and (m, k)."""
    u = arrays.to_numpy(hidden).astype(np.float64)
    v = arrays.to_numpy(output).astype(np.float64)
    return u, v[:, None] if v.ndim == 1 else v


@dataclass(frozen=True, eq=False)
class Reading:
    """An exact kink form in float64, with close lines merged and weak ones dropped.

    Attributes
    ----------
    directions, strengths, linear : numpy.ndarray, shapes (d, q), (q, k) and (d, k)
        As in :class:`KinkForm`; strengths and linear part in units of 2^power.
    power : int
        Exponent of the unit, such that before merging the largest of those numbers lies between 1/2 and sqrt(d);
        :data:`ZERO_POWER` for the zero function.
    active : numpy.ndarray of bool, shape (d, q)
        Inputs that each line depends on: entries above :data:`SUPPORT_TOL` in the direction of any line merged into it.
    slack : float
        Bound on the change caused by merging, dropping and rounding in merged lines, in the same unit.
    decided : bool
        False if the strength of a kept line may be 0, because it was merged from lines that nearly cancel.
    """

    directions: np.ndarray
    strengths: np.ndarray
    linear: np.ndarray
    power: int
    active: np.ndarray
    slack: float
    decided: bool

    @property
    def norm(self) -> float:
        """Square root of the sum of squares of strengths and linear part, in units of 2^power."""
        return float(np.sqrt((self.strengths**2).sum() + (self.linear**2).sum()))


def reading_of(form: ExactForm, *, angle_tol: float, drop_tol: float) -> Reading:
    """Round an exact kink form to float64, merge lines that are close, and drop those that are weak.

    Parameters
    ----------
    form : ExactForm
        Lines and linear part in integers.
    angle_tol, drop_tol : float
        As in :func:`kink_form_of`.

    Returns
    -------
    Reading
        Equal lines of two networks give bitwise equal numbers. Where nothing was merged, the relative error of each
        strength and the error of each direction are at most 2.5 eps.

    Raises
    ------
    ValueError
        If a tolerance is out of range.

    Notes
    -----
    Merging a line (u, c) into one with direction w changes c u u' by at most sqrt(2) |c| |u - w| in the Frobenius norm,
    and dropping it changes it by |c|. `slack` is the sum of these changes, so strong, close lines of opposite signs do
    not vanish without a trace.
    """
    angle_tol = check_number(angle_tol, "angle_tol", minimum=0.0, maximum=1.0)
    drop_tol = check_number(drop_tol, "drop_tol", minimum=0.0)
    d, k, q = form.n_inputs, form.n_outputs, len(form.lines)
    units, lengths = np.zeros((d, q)), np.zeros(q)
    products: list[list[int]] = []
    for line, ((rows, entries), numbers) in enumerate(form.lines.items()):
        largest = max(map(abs, entries))
        ratios = np.array([entry / largest for entry in entries])
        lengths[line] = math.sqrt(math.fsum(ratios**2))
        units[rows, line] = ratios / lengths[line]
        products.append([number * largest for number in numbers])
    everything = [number for numbers in (*products, *form.linear.values()) for number in numbers]
    bits = max((abs(number).bit_length() for number in everything), default=0)
    strengths = np.array([[_over(number, bits) for number in numbers] for numbers in products]).reshape(q, k)
    strengths *= lengths[:, None]
    linear = np.zeros((d, k))
    for i, numbers in form.linear.items():
        linear[i] = [_over(number, bits) for number in numbers]
    units, strengths, active, slacks = _merged(_canonical(units), strengths, angle_tol)
    sizes = _column_norms(strengths.T)
    scale = max(float(sizes.max(initial=0.0)), float(np.sqrt((linear**2).sum())))
    kept = sizes + slacks > drop_tol * scale
    return Reading(
        directions=units[:, kept],
        strengths=strengths[kept],
        linear=linear,
        power=form.exponent + bits if bits else ZERO_POWER,
        active=active[:, kept],
        slack=float(slacks.sum() + sizes[~kept].sum()) * (1 + 16 * EPS),
        decided=bool((sizes > slacks)[kept].all()),
    )


def _over(number: int, bits: int) -> float:
    # Python rounds the quotient of two integers correctly, however long they are
    return number / (1 << bits)


def _merged(
    units: np.ndarray, strengths: np.ndarray, angle_tol: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Merge close lines: return directions, strengths, active inputs, and a bound on the change in each line."""
    label, count = _lines(units, angle_tol)
    active = np.abs(units) > SUPPORT_TOL
    slacks = np.zeros(count)
    if count == units.shape[1]:
        return units, strengths, active, slacks
    directions, sums = np.zeros((units.shape[0], count)), np.zeros((count, strengths.shape[1]))
    together = np.zeros(directions.shape, dtype=bool)
    sizes = _column_norms(strengths.T)
    for line in range(count):
        members = np.flatnonzero(label == line)
        together[:, line] = active[:, members].any(axis=1)
        if members.size == 1:
            directions[:, line], sums[line] = units[:, members[0]], strengths[members[0]]
            continue
        here, weights = units[:, members], sizes[members]
        here = here * np.where(here[:, weights.argmax()] @ here < 0, -1.0, 1.0)
        mean = here @ (weights / weights.max())
        mean /= _column_norms(mean[:, None])[0]
        directions[:, line] = mean
        sums[line] = [math.fsum(column) for column in strengths[members].T]
        chords = _column_norms(here - mean[:, None])
        slacks[line] = (weights * (math.sqrt(2.0) * chords + ROUNDING * EPS)).sum()
    return _canonical(directions), sums, together, slacks


def _column_norms(columns: np.ndarray) -> np.ndarray:
    # scaled, so that squaring 1e-200 or 1e200 neither underflows nor overflows
    largest = np.abs(columns).max(axis=0, initial=0.0)
    return largest * np.sqrt(((columns / np.where(largest > 0, largest, 1.0)) ** 2).sum(axis=0))


def _canonical(units: np.ndarray) -> np.ndarray:
    if units.size == 0:
        return units
    magnitude = np.abs(units)
    # entries that equal the largest up to rounding are tied; the first of them decides, so that a direction and its
    # rescaled copy get the same sign
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
    # |u - v|^2 = 2 - 2 u.v is accurate to 1e-15 only: it proposes pairs, the differences decide
    cosine = np.abs(np.triu(units.T @ units, k=1))
    first, second = np.nonzero(2.0 - 2.0 * cosine <= chord**2 + 1e-12)
    width = max(1, BLOCK_BYTES // (8 * units.shape[0]))
    close = np.zeros(first.size, dtype=bool)
    for start in range(0, first.size, width):
        here = slice(start, start + width)
        a, b = units[:, first[here]], units[:, second[here]]
        gap = np.minimum(_column_norms(a - b), _column_norms(a + b))
        close[here] = gap <= chord + 8 * EPS
    pairs = (first[close], second[close])
    graph = coo_array((np.ones(pairs[0].size, dtype=bool), pairs), shape=(m, m))
    count, label = connected_components(graph, directed=False)
    return label, int(count)
