"""Identifiability of a ReLU network: the digits to which inputs determine each line, and indistinguishable lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_number
from planted.base.values import by_value
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork
from recovery.networks.exact.model import Inputs, Lines, angles, columns, predict
from recovery.operators.ranks import rank_tolerance, unit_columns

__all__ = ["Identifiability", "identifiability"]

MOST_DIGITS = -math.log10(EPS)
"""Digits of float64, the upper limit."""
TALL = 4
"""Rows per block of the QR factorisation, in multiples of p; the previous triangle is then a fifth of each factored
block."""


@by_value
@dataclass(frozen=True, eq=False)
class Identifiability:
    """How well the data determine a network, line by line.

    Parameters
    ----------
    n_samples, n_unknowns, rank : int
        Number of rows, number p of unknowns of the free kink form, and how many of them the rows determine.
    sigma_min : float
        Smallest singular value of the Jacobian; 0 if the columns are dependent up to rounding.
    condition : float
        Condition number of the Jacobian with columns of norm 1; infinite if the columns are dependent up to rounding.
    lines : tuple of tuple of int
        The inputs of each line, in the order of :attr:`planted.KinkForm.supports`; q lines in all.
    angles : numpy.ndarray, shape (q,)
        Angle to the nearest other line or bent axis, in radians; infinite if there is none.
    nearest : numpy.ndarray of int, shape (q,)
        That line (a number below q) or axis (axis i is q + i); -1 if there is none.
    between : numpy.ndarray of int, shape (q,)
        Number of rows between the line and the one hardest to distinguish from it: rows that are not on the same side
        of both, or not on opposite sides.
    shared : numpy.ndarray of int, shape (q,)
        Number of unknowns that only these rows determine: the inputs that both lines use. 0 if the line shares no input
        with another line or bent axis; `between` is then the number of all rows.
    hardest : numpy.ndarray of int, shape (q,)
        The line or axis with the fewest rows per such unknown, numbered as in `nearest`.
    errors : numpy.ndarray, shape (q,)
        Largest change of the weights w_l, in the Euclidean norm, that rounding of the labels can cause while no gate
        changes; infinite if the rows do not determine them.
    digits : numpy.ndarray, shape (q,)
        Number of decimal digits to which w_l is determined: -log10(errors / |w_l|), between 0 and 15.7.
    apart : numpy.ndarray of bool, shape (q,)
        Whether the line is distinguishable from all other lines and from the axes.
    undecided : numpy.ndarray of int, shape (q,)
        Number of rows so close to the line that a change of this size may change their gate.
    """

    n_samples: int
    n_unknowns: int
    rank: int
    sigma_min: float
    condition: float
    lines: tuple[tuple[int, ...], ...]
    angles: np.ndarray
    nearest: np.ndarray
    between: np.ndarray
    shared: np.ndarray
    hardest: np.ndarray
    errors: np.ndarray
    digits: np.ndarray
    apart: np.ndarray
    undecided: np.ndarray

    @property
    def n_lines(self) -> int:
        """Number of lines, q."""
        return len(self.lines)

    @property
    def determined(self) -> bool:
        """Whether all lines are distinguishable and all unknowns determined."""
        return self.rank == self.n_unknowns and bool(self.apart.all())

    @property
    def smallest_angle(self) -> float:
        """Smallest angle of two lines, or of a line and a bent axis, in radians; infinite if there are none."""
        return float(self.angles.min(initial=math.inf))

    @property
    def thinnest(self) -> tuple[int, int]:
        """Rows and unknowns of the wedge with the fewest rows per unknown; all rows and 0 if there is none."""
        some = np.flatnonzero(self.shared)
        if not len(some):
            return self.n_samples, 0
        worst = some[(self.between[some] / self.shared[some]).argmin()]
        return int(self.between[worst]), int(self.shared[worst])

    @property
    def fewest_digits(self) -> float:
        """Digits of the least determined line; those of float64 if there are no lines."""
        return float(self.digits.min(initial=MOST_DIGITS))

    def name(self, number: int) -> str:
        """Return the name of a line or an axis, numbered as in :attr:`nearest`."""
        if number >= self.n_lines:
            return f"the axis of input {number - self.n_lines}"
        words = "input" if len(self.lines[number]) == 1 else "inputs"
        return f"line {number} ({words} {', '.join(map(str, self.lines[number]))})"

    def sentences(self) -> list[str]:
        """Return the findings in sentences: overall, and for each line that is not distinguishable."""
        rows, unknowns = self.thinnest
        said = [f"The {_count(self.n_samples, 'row')} determine {self.rank} of {_count(self.n_unknowns, 'unknown')}."]
        if self.n_lines and self.determined:
            lines = _count(self.n_lines, "line")
            digits = f"{self.fewest_digits:.1f} digits or more"
            said.append(f"All lines are distinguished by the data: {lines}, determined to {digits}.")
        if unknowns:
            own = f"{_count(rows, 'row')} for {_count(unknowns, 'unknown')} that no other rows determine"
            said.append(f"The thinnest wedge between lines has {own}.")
        for line in np.flatnonzero(~self.apart).tolist():
            if self.between[line] < self.shared[line]:
                few = f"{_count(int(self.between[line]), 'row')} between them"
                own = _count(int(self.shared[line]), "unknown")
                other = self.name(int(self.hardest[line]))
                said.append(f"{self.name(line)} cannot be distinguished from {other}: {few} for {own}.")
            elif not math.isfinite(self.errors[line]):
                said.append(f"{self.name(line)} is not determined: its columns are linearly dependent on others.")
            else:
                other = self.name(int(self.nearest[line]))
                half = f"half of the angle between them, {self.angles[line]:.1e}, or more"
                said.append(
                    f"{self.name(line)} cannot be distinguished from {other}: rounding error turns it by {half}."
                )
        return [sentence[0].upper() + sentence[1:] for sentence in said]

    def __repr__(self) -> str:
        rows, unknowns = self.thinnest
        return (
            f"Identifiability({self.n_lines} lines, {int(self.apart.sum())} distinguished, smallest angle "
            f"{self.smallest_angle:.1e}, thinnest wedge {rows} rows for {unknowns} unknowns, condition "
            f"{self.condition:.1e}, {self.fewest_digits:.1f} digits or more)"
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def identifiability(X: Any, network: ReLUNetwork | KinkForm, *, precision: float = EPS) -> Identifiability:
    """Report to how many digits inputs and labels determine each line of a network, and which lines they distinguish.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    network : planted.ReLUNetwork or planted.KinkForm
        The network that makes the labels, with one hidden layer and one output; on the device of `X`.
    precision : float, default 2.2e-16
        The labels are y + e with |e| <= precision |y|: eps of float64 allows for the rounding of labels and of a fit;
        use 6e-8 for labels rounded to float32.

    Returns
    -------
    Identifiability
        Angles, wedges, singular values, digits.

    Raises
    ------
    TypeError, ValueError
        If X is not a finite matrix, the network has several outputs or hidden layers, or its inputs do not match X.

    Notes
    -----
    The network is b . x + sum_i a_i |x_i| + sum_l sigma_l |w_l . x| with all of b and a free. While no gate changes it
    is linear in its unknowns, with columns x_i, |x_i| and sigma_l sign(w_l . x) x_i for i in the support of line l.
    With F these columns, a change e of the labels changes the least-squares fit by F^+ e, so line l by at most |F^+_l|
    |e|, where F^+_l are its rows of the pseudo-inverse: the root of the largest eigenvalue of its block of (F'F)^-1.
    One e attains this; rounding errors, which have no special direction, cause less.

    Off the rows between two lines their signs agree up to one sign for all, so for an input that both use, their two
    columns are equal there up to that sign: the difference of the two weights is determined by the rows between the
    lines alone. With fewer rows than such inputs it is undetermined, and the lines are not distinguishable; neither is
    a line that its error may turn by half the angle to the nearest. Derived here; ``docs/theory``, "How accurately data
    determine a line".

    The work is a QR decomposition, 2 n p^2 operations, in blocks of 4 p rows.

    Examples
    --------
    >>> import planted
    >>> from recovery.diagnosis import identifiability
    >>> X = planted.gaussian_inputs(2000, 10, rng=0)
    >>> found = identifiability(X, planted.sparse_network(10, 4, 12, rng=1))
    >>> found.determined, found.fewest_digits > 12
    (True, True)
    """
    X = check_array(X, "X", ndim=2, dtype=np.float64)
    precision = check_number(precision, "precision", minimum=0.0, maximum=1.0)
    form = _form(network, int(X.shape[1]))
    xp = arrays.namespace(X, form.directions)
    # powers of two: units change no digit, and no square under- or overflows
    input_unit = math.frexp(float(xp.abs(X).max()))[1]
    weight_unit = math.frexp(
        max(float(xp.abs(part).max()) if part.size else 0.0 for part in (form.strengths, form.linear))
    )[1]
    inputs = Inputs.of(xp.ldexp(X, -input_unit), np.float64)
    model, take = _model(form, weight_unit)
    count, d = model.n_lines, inputs.n_inputs
    # lines and axes in one list; an axis without a visible bend is no neighbour of any line
    seen = np.concatenate([np.ones(count, dtype=bool), np.isin(np.arange(d), inputs.bent)])
    supports = np.concatenate([model.support, np.eye(d, dtype=bool)]) & seen[:, None]
    sizes = np.concatenate([model.norms, np.abs(model.axes)])
    number = np.arange(count + d) - count + form.n_lines
    number[take] = np.arange(form.n_lines)
    small, condition, rank, gains = _jacobian(inputs, model)
    level = precision * float(xp.sqrt((predict(inputs, model) ** 2).sum()))
    errors = np.where(np.isfinite(gains), np.where(np.isfinite(gains), gains, 0.0) * level, np.inf)
    relative = errors[take] / sizes[take]
    between, shared, hardest = _wedges(inputs, model, supports, take)
    near = _angles(model, inputs.bent)[take]
    other = near.argmin(axis=1) if near.size else np.zeros(0, dtype=np.intp)
    smallest = near.min(axis=1, initial=math.inf)
    # a relative error of sin(t) can turn a line by t
    room = np.where(np.isfinite(smallest), np.sin(np.where(np.isfinite(smallest), smallest, 0.0) / 2), np.inf)
    apart = np.isfinite(relative) & (between >= shared) & (relative < room)
    return Identifiability(
        n_samples=inputs.n_samples,
        n_unknowns=len(inputs.straight) + len(inputs.bent) + int(model.support.sum()),
        rank=rank,
        sigma_min=math.ldexp(small, input_unit),
        condition=condition,
        lines=form.supports,
        angles=smallest,
        nearest=np.where(np.isfinite(smallest), number[other], -1),
        between=between,
        shared=shared,
        hardest=np.where(shared > 0, number[hardest], -1),
        errors=np.ldexp(errors[take], weight_unit),
        digits=np.clip(-np.log10(np.maximum(relative, EPS)), 0.0, MOST_DIGITS),
        apart=apart,
        undecided=_undecided(inputs, model, supports, errors)[take],
    )


def _form(network: Any, d: int) -> KinkForm:
    if isinstance(network, ReLUNetwork):
        if network.depth != 1:
            raise ValueError(f"network has {network.depth} hidden layers; expected one")
        network = network.kink_form()
    if not isinstance(network, KinkForm):
        raise TypeError(f"network is a {type(network).__name__}; expected a ReLUNetwork or a KinkForm")
    if network.n_inputs != d:
        raise ValueError(f"network has {network.n_inputs} inputs; expected {d}, the number of columns of X")
    if network.linear.ndim != 1:
        raise ValueError(f"network has {network.n_outputs} outputs; expected one")
    return network


def _model(form: KinkForm, unit: int) -> tuple[Lines, np.ndarray]:
    """Return the parameters of a kink form over 2^unit, and the position of each of its lines among lines and axes."""
    d, supports = form.n_inputs, form.supports
    directions, strengths = arrays.to_numpy(form.directions).T, np.ldexp(arrays.to_numpy(form.strengths), -unit)
    support = np.zeros(directions.shape, dtype=bool)
    for line, held in enumerate(supports):
        support[line, list(held)] = True
    single = support.sum(axis=1) == 1
    axes = np.zeros(d)
    axes[support[single].argmax(axis=1)] = strengths[single] / 2
    linear = np.ldexp(arrays.to_numpy(form.linear), -unit)
    bare = Lines(linear, axes, np.zeros((0, d)), np.zeros(0), np.zeros((0, d), dtype=bool))
    model = bare.with_lines(np.where(support, directions, 0.0)[~single], strengths[~single] / 2, support[~single])
    take = np.zeros(len(supports), dtype=np.intp)
    take[~single] = np.arange(model.n_lines)
    take[single] = model.n_lines + support[single].argmax(axis=1)
    return model, take


def _jacobian(inputs: Inputs, model: Lines) -> tuple[float, float, int, np.ndarray]:
    """Return sigma_min, the condition number, the rank, and |F^+_l| of lines and axes (infinite: not determined)."""
    gains = np.full(model.n_lines + inputs.n_inputs, np.inf)
    p = len(inputs.straight) + len(inputs.bent) + int(model.support.sum())
    if p == 0:
        return math.inf, 1.0, 0, gains
    R = _triangle(inputs, model)
    unit, norms = unit_columns(np, R)
    _, values, Vt = np.linalg.svd(unit)
    values = np.concatenate([values, np.zeros(p - len(values))])
    cutoff = rank_tolerance(p, np.float64)
    rank = int((values > cutoff).sum())
    if rank == 0:
        return 0.0, math.inf, 0, gains
    # the null space is accurate to the cutoff over the smallest non-zero singular value (Davis and Kahan)
    dim = min(0.5, cutoff / float(values[rank - 1]))
    line = np.concatenate([model.n_lines + inputs.bent, model.places()[0]])
    rows = len(inputs.straight) + np.arange(len(line))
    pseudo, null = Vt[:rank].T / values[:rank] / norms[:, None], Vt[rank:].T
    for one in np.unique(line):
        own = rows[line == one]
        if not null.size or float(np.abs(null[own]).max()) <= dim:
            gains[one] = float(np.sqrt(np.linalg.eigvalsh(pseudo[own] @ pseudo[own].T)[-1]))
    if rank < p:
        return 0.0, math.inf, rank, gains
    return float(np.linalg.svd(R, compute_uv=False)[-1]), float(values[0] / values[-1]), rank, gains


def _triangle(inputs: Inputs, model: Lines) -> np.ndarray:
    """Return R with R'R = F F', on the host; F holds the columns as rows."""
    xp = inputs.xp
    R, waiting, held = None, [], 0
    for _, _, F in columns(inputs, model):
        waiting.append(F.T)
        held += int(F.shape[1])
        if held >= TALL * int(F.shape[0]):
            R = xp.linalg.qr(xp.concatenate([*([] if R is None else [R]), *waiting]), mode="r")
            waiting, held = [], 0
    if waiting:
        R = xp.linalg.qr(xp.concatenate([*([] if R is None else [R]), *waiting]), mode="r")
    return arrays.to_numpy(R)


def _wedges(
    inputs: Inputs, model: Lines, supports: np.ndarray, take: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, unknowns that only they determine, and partner of the thinnest wedge of each line of the form."""
    xp, n = inputs.xp, inputs.n_samples
    weights = inputs.put(model.weights)
    total = len(supports)
    same, both = np.zeros((total, total)), np.zeros((total, total))
    for rows in inputs.blocks(2 * total):
        block = inputs.XT[:, rows]
        sides = xp.sign(xp.concatenate([weights @ block, block])).astype(np.float32)
        # sums of +-1 over a block are exact in float32
        same += arrays.to_numpy(sides @ sides.T)
        sides = xp.abs(sides)
        both += arrays.to_numpy(sides @ sides.T)
    # sides agree on (both + same) / 2 rows and are opposite on (both - same) / 2; the other rows are on a line
    between = np.rint(n - (both + np.abs(same)) / 2).astype(np.int64)
    shared = supports.astype(np.int64) @ supports.T.astype(np.int64)
    np.fill_diagonal(shared, 0)
    between, shared = between[take], shared[take]
    if not between.size:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.intp)
    ratio = np.where(shared > 0, between / np.maximum(shared, 1), np.inf)
    hardest = ratio.argmin(axis=1)
    line = np.arange(len(take))
    count = shared[line, hardest]
    return np.where(count > 0, between[line, hardest], n), count, hardest


def _angles(model: Lines, bent: np.ndarray) -> np.ndarray:
    """Return angles of lines and axes, shape (L + d, L + d), infinite between axes, or if one of the two is no bend."""
    found = angles(model, bent)
    count, total = found.shape
    near = np.full((total, total), np.inf)
    near[:count], near[count:, :count] = found, found[:, count:].T
    return near


def _undecided(inputs: Inputs, model: Lines, supports: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the number of rows x with |w . x| <= error |x|, x restricted to the support, for each line and axis."""
    weights = inputs.put(np.concatenate([model.weights, np.diag(model.axes)]))
    held, bound = inputs.put(supports), inputs.put(np.where(np.isfinite(errors), errors, 0.0) ** 2)[:, None]
    found = np.zeros(len(supports), dtype=np.int64)
    for rows in inputs.blocks(2 * len(supports)):
        block = inputs.XT[:, rows]
        found += arrays.to_numpy(((weights @ block) ** 2 <= bound * (held @ (block * block))).sum(axis=1))
    return np.where(np.isfinite(errors), found, inputs.n_samples)
