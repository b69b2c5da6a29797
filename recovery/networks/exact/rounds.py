"""Refine the lines of the search to a fit that is exact to rounding: rounds of tests on all rows, then a final fit."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.exact.away import births_away
from recovery.networks.exact.births import Quadratic, births
from recovery.networks.exact.entries import DROP, additions, drops
from recovery.networks.exact.local import Rule, merges, reduced_near, repair
from recovery.networks.exact.model import Ended, Inputs, Lines, predict
from recovery.networks.exact.newton import gram, levenberg, size, spread, square
from recovery.networks.exact.search import merged
from recovery.networks.exact.wedges import splits, widths

__all__ = ["Data", "Fit", "crossing", "finish", "rounds", "told_apart"]

DOUBLE = 2e-4
"""Relative residual below which float32 is no longer accurate enough."""
NEARLY, EXACT = 1e-8, 1e-12
"""Relative residuals below which the final fit is attempted, and below which its result is accepted."""
FLOOR = 1e-13
"""Relative residual that is rounding error for any model."""
ROUNDING = 4e-16
"""Relative residual below which further steps gain nothing: about two units in the last place of y."""
AT_ROUNDING = 1.05
"""A residual up to this multiple of the float32 rounding of the labels counts as rounding."""
NEAR = 0.05
"""In the final fit, removing a line is tried if another line or an axis is closer than this (radians)."""


@dataclass(eq=False)
class Data:
    """The data in single and double precision.

    Attributes
    ----------
    X : array, shape (n, d)
        Samples, scaled so that every input has a deviation near 1.
    y : array of float64, shape (n,)
        Targets, scaled so that weights are near 1.
    rounding : float
        Root mean square rounding error of y if all its values are float32 numbers; else 0.
    watch : callable, optional
        As in :class:`Inputs`.
    """

    X: Any
    y: Any
    rounding: float = 0.0
    watch: Callable[[int], None] | None = None
    single: Inputs = field(init=False)
    X_single: Any = field(init=False)
    quadratic: Quadratic = field(init=False)
    _rng: np.random.Generator = field(init=False)
    _double: Inputs | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.single = Inputs.of(self.X, np.float32, self.watch)
        self.X_single = arrays.namespace(self.X).ascontiguousarray(self.X.astype(np.float32))
        self.quadratic = Quadratic(self.single)
        self.deviation = size(self.y)
        self._rng = np.random.default_rng(0)

    @property
    def double(self) -> Inputs:
        """The inputs in float64; computed on first use."""
        if self._double is None:
            self._double = self.single.to(self.X, np.float64)
        return self._double

    def other(self, y: Any, rounding: float) -> Data:
        """Return the data with other targets and the same (shared) inputs."""
        found = copy(self)
        found.y, found.rounding, found.deviation = y, rounding, size(y)
        found.quadratic, found._double = Quadratic(self.single), self.double
        return found

    def part(self, rows: np.ndarray) -> Data:
        """Return a subset of the samples."""
        place = arrays.namespace(self.X).asarray(rows)
        return Data(self.X[place], self.y[place], self.rounding, self.watch)

    def births(self, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray]:
        """Propose lines far from those of a model with residual r: unit vectors, shape (K, d), and strengths."""
        centre = self.single.centre
        if centre is None:
            return births(self.quadratic, model, r)
        return births_away(self.X_single, centre, model, r, self._rng)

    def targets(self, inputs: Inputs) -> Any:
        """Return y in the dtype of the inputs."""
        return self.y.astype(inputs.dtype)


@dataclass(frozen=True, eq=False)
class Fit:
    """Result of the rounds from one start.

    Attributes
    ----------
    model : Lines
        The model, in the units of the data.
    relative : float
        Root mean square of the residual over that of y, in float64.
    exact : bool
        Whether that is at the level of rounding error: of float64, or of the labels if they are float32 numbers.
    rested : bool
        Whether the rounds converged rather than being stopped.
    noisy : bool
        Whether the residual was classified as noise.
    """

    model: Lines
    relative: float
    exact: bool
    rested: bool = True
    noisy: bool = False


def rounds(
    data: Data,
    model: Lines,
    most: int,
    report: Callable[[Lines, float], bool],
    quiet: Callable[[Lines, Any], bool] = lambda *_: False,
    *,
    hurried: bool = False,
) -> Fit:
    """Polish, add, drop, split and merge until the residual is at rounding error.

    Parameters
    ----------
    data : Data
        The data.
    model : Lines
        The start.
    most : int
        Largest number of rounds.
    report : callable
        Called after each round with the model and the root mean square of its residual; returning True ends the rounds.
    quiet : callable
        Called in each round with the model and its residual; returning True means that the residual is noise, and ends
        the rounds.
    hurried : bool
        Whether to end the rounds as soon as progress slows down, because more samples are available.

    Returns
    -------
    Fit
        The exact fit, or the one with the smallest residual.

    Notes
    -----
    The rounds have converged when neither the residual fell nor the model changed. If the watch of the data raises
    :class:`Ended`, the model with the smallest residual is returned.
    """
    inputs, damping = data.single, 1e-3
    y = data.targets(inputs)
    if most and size(y - predict(inputs, model)) < DOUBLE * data.deviation:
        inputs, y = data.double, data.y
    best: tuple[float, Lines] = (np.inf, model)
    idle, changed, born, rested, before = 0, True, True, False, np.inf
    ended = most == 0
    try:
        for count in range(most):
            least = 1e-4 if inputs.dtype == np.float32 else 1e-6
            model, r, damping = levenberg(inputs, y, model, 3 if count else 2, float(np.clip(damping, least, 0.1)))
            if size(r) < DOUBLE * data.deviation and inputs.dtype == np.float32:
                inputs, y = data.double, data.y
                model, r, damping = levenberg(inputs, y, model, 3, 1e-6)
            if inputs.dtype == np.float64:  # where steps converge, tests can wait
                model, r, damping = levenberg(
                    inputs, y, model, 4, damping, stop=0.9, enough=inputs.n_samples * (NEARLY * data.deviation) ** 2
                )
            deviation = size(r)
            idle = 0 if deviation < (0.8 if hurried else 0.99) * best[0] else idle + 1
            if deviation < best[0]:
                best = deviation, model
            if deviation < NEARLY * data.deviation:
                done, left = finish(data, model)
                if size(left) < EXACT * data.deviation:
                    report(done, size(left))
                    return Fit(done, size(left) / data.deviation, True)
            if deviation < 3 * data.rounding:
                done, left = finish_rounded(data, model)
                if size(left) < AT_ROUNDING * data.rounding:
                    report(done, size(left))
                    return Fit(done, size(left) / data.deviation, True)
            if quiet(model, r):
                return Fit(model, deviation / data.deviation, False, noisy=True)
            # repairs of lines with few entries are cheap: lines split or added too early are merged again
            calm = deviation > CALM * before or model.support.sum() < SHORT * model.n_lines
            before = deviation
            bear = calm and (born or not changed or count % 3 == 0)
            model, r, changed, born = _round(
                data, inputs, y, model, r, deviation, first=count == 0, bear=bear, split=calm
            )
            if report(model, deviation):
                ended = True
                break
            if hurried and idle > 2 and inputs.dtype == np.float32:
                break
            if (idle > 1 and bear and not changed) or idle > PATIENCE:
                rested = True
                break
        if not ended:
            model, r, _ = levenberg(data.double, data.y, best[1], 3, 1e-6)
            best = size(r), model
    except Ended:
        rested = False
    model = best[1]
    left = data.y - predict(replace(data.double, watch=None), model)
    return Fit(model, size(left) / data.deviation, False, rested)


CHEAP = 200_000
"""Repairs of one round are always made up to this total of squared parameter counts."""
CALM = 0.6
"""Births and splits wait for a round that leaves more than this fraction of the previous residual."""
SHORT = 4
"""They do not wait if lines have fewer entries than this on average, because repairs are then cheap."""
PATIENCE = 12
"""Rounds without a 1 % decrease of the residual after which the fit counts as converged."""


def _round(
    data: Data, inputs: Inputs, y: Any, model: Lines, r: Any, deviation: float, *, first: bool, bear: bool, split: bool
) -> tuple[Lines, Any, bool, bool]:
    """Make the changes of one round; return the model, its residual, and whether anything changed or was added.

    Births cost more than the rest and are rare after the first rounds, so `bear` switches them off in some rounds.
    """
    line, coordinate, around = additions(inputs, model, r)
    few = len(line) <= 0.02 * model.support.sum()
    directions, amplitudes = data.births(model, r) if bear else (np.zeros((0, len(model.axes))), np.zeros(0))
    found = [] if first or not (split or few) else splits(inputs, data.X_single, model, r, widths(deviation))
    whole = model
    for level in (DROP, 0.5 * DROP):
        model, dropped = drops(inputs, whole, around, deviation, all_at_once=first, below=level)
        if not dropped or square(y - predict(inputs, model)) <= inputs.n_samples * (2 * deviation) ** 2:
            break
    else:
        model, dropped = whole, 0
    if len(line):
        support = model.support.copy()
        support[line, coordinate] = True
        model = Lines(model.linear, model.axes, model.weights, model.signs, support)
    model = model.tidy()
    r = y - predict(inputs, model)
    took, spent = 0, 0
    # for dense lines a subproblem is as large as the whole problem, so these wait until the entries have settled
    allowed = CHEAP
    if not (len(line) or dropped):
        allowed += (2 * model.linear.size + int(model.support.sum())) ** 2
    for one in found:
        touched = one.direction != 0
        inside = ~model.support[:, ~touched].any(axis=1)
        spent += (2 * int(touched.sum()) + int(model.support[inside].sum())) ** 2
        if spent > allowed:
            break
        model, r, accepted = repair(inputs, model, r, one)
        took += accepted
    model, r, gone = merges(inputs, model, r, deviation)
    if len(amplitudes):
        model = model.with_lines(directions, amplitudes)
    born = len(amplitudes) > 0
    return model, r, bool(len(line) or dropped or took or gone or born), born


def finish(data: Data, model: Lines) -> tuple[Lines, Any]:
    """Drop entries that are zero to rounding, and lines and entries that the fit does not need; then solve once more.

    Parameters
    ----------
    data : Data
        The data.
    model : Lines
        A model whose residual is close to rounding error.

    Returns
    -------
    model, r
        The model with the fewest lines found whose residual is rounding error, and that residual, in float64.

    Notes
    -----
    Lines that are separated by few samples or none can only be resolved by parsimony: surplus lines accumulate there
    without raising the residual, hence the trial removals.
    """
    inputs, y = data.double, data.y
    model = crossing(inputs, model)
    rule = Rule(NEAR, inputs.n_samples * (FLOOR * data.deviation) ** 2, 25, 1e-7)
    rounding = inputs.n_samples * (ROUNDING * data.deviation) ** 2
    for count in range(4):
        model, r, _ = levenberg(inputs, y, model, 2, 1e-12, stop=1e-3, enough=rounding)
        model = _pruned(model, 1e-7)
        model, r, _ = levenberg(inputs, y, model, 2, 1e-13 if count < 2 else 0.0, stop=1e-3, enough=rounding)
        model = _pruned(model, 1e-8)
        r = y - predict(inputs, model)
        model, r, gone = reduced_near(inputs, y, model, r, rule)
        if not gone:
            break
    model, r, _ = levenberg(inputs, y, model, 2, 0.0, stop=0.5, enough=rounding)
    model = unbent(inputs, _pruned(model, 1e-9))
    return model, y - predict(inputs, model)


def finish_rounded(data: Data, model: Lines) -> tuple[Lines, Any]:
    """Like :func:`finish`, for labels that were rounded to float32: entries are kept if they are six deviations from 0.

    Parameters
    ----------
    data : Data
        The data.
    model : Lines
        A model whose residual is close to the rounding error of the labels.

    Returns
    -------
    model, r
        The fit and its residual, in float64.
    """
    inputs, y = data.double, data.y
    model = crossing(inputs, model)
    floor = inputs.n_samples * (1.01 * data.rounding) ** 2
    rule = Rule(NEAR, floor, 25, 1e-7)
    for _ in range(MOST_DROPS):
        model, r, _ = levenberg(inputs, y, model, 3, 1e-12, stop=1e-3)
        H, _ = gram(inputs, model, r)
        deviation = max(size(r), data.rounding)
        model, dropped = drops(inputs, model, spread(inputs, H), deviation, all_at_once=False, below=CLEAR)
        model = model.tidy()
        r = y - predict(inputs, model)
        model, r, gone = reduced_near(inputs, y, model, r, rule)
        if not (dropped or gone):
            break
    model, r, _ = levenberg(inputs, y, model, 3, 0.0, stop=1e-3)
    model = unbent(inputs, model)
    return model, y - predict(inputs, model)


MOST_DROPS, CLEAR = 40, 6.0


def crossing(inputs: Inputs, model: Lines) -> Lines:
    """Move lines and bends with all samples on one side into the linear part; the values on the data do not change."""
    xp = inputs.xp
    XT = inputs.XT
    above, below = (arrays.to_numpy(part) for part in ((XT > 0).any(axis=1), (XT < 0).any(axis=1)))
    straight = ~(above & below)
    linear = model.linear + np.where(straight, np.where(above, 1.0, -1.0) * model.axes, 0.0)
    model = Lines(linear, np.where(straight, 0.0, model.axes), model.weights, model.signs, model.support)
    weights = inputs.put(model.weights)
    low, high = xp.zeros(model.n_lines, dtype=inputs.dtype), xp.zeros(model.n_lines, dtype=inputs.dtype)
    for rows in inputs.blocks(model.n_lines) if model.n_lines else ():
        Z = weights @ XT[:, rows]
        low, high = xp.minimum(low, Z.min(axis=1)), xp.maximum(high, Z.max(axis=1))
    below, above = arrays.to_numpy(low) < 0, arrays.to_numpy(high) > 0
    flat = ~(below & above)
    if not flat.any():
        return model
    linear = model.linear + (model.signs * np.where(above, 1.0, -1.0) * flat) @ model.weights
    kept = model.select(~flat)
    return Lines(linear, kept.axes, kept.weights, kept.signs, kept.support)


def unseparated(inputs: Inputs, model: Lines) -> list[tuple[int, int, float]]:
    """Return lines w and their inputs i with sign(w . x) = side sign(x_i) for all samples, as (line, i, side).

    On such samples |x_i| is one of the line's columns, so the bend a_i and the entry w_i are the same parameter.
    """
    if not model.n_lines:
        return []
    xp, weights = inputs.xp, inputs.put(model.weights)
    total, count = xp.zeros(model.weights.shape, dtype=np.float64), xp.zeros(inputs.n_inputs, dtype=np.float64)
    for rows in inputs.blocks(model.n_lines + inputs.n_inputs):
        side = xp.sign(inputs.XT[:, rows])
        total += (xp.sign(weights @ inputs.XT[:, rows]) @ side.T).astype(np.float64)
        count += xp.abs(side).sum(axis=1).astype(np.float64)
    agreed, every = arrays.to_numpy(total), arrays.to_numpy(count)
    line, coordinate = np.nonzero(model.support & (np.abs(agreed) == every) & (every > 0))
    return [(int(k), int(i), float(np.sign(agreed[k, i]))) for k, i in zip(line, coordinate, strict=True)]


def unbent(inputs: Inputs, model: Lines) -> Lines:
    """Move bends along axes that no sample separates from a line into that line; the values stay the same."""
    for line, i, side in unseparated(inputs, model):
        if model.axes[i] == 0:
            continue
        trial = model.copy()
        trial.weights[line, i] += side * model.signs[line] * model.axes[i]
        trial.axes[i] = 0.0
        if trial.weights[line, i] != 0 and (line, i, side) in unseparated(inputs, trial.select(np.arange(line + 1))):
            model = trial
    return model


def told_apart(inputs: Inputs, model: Lines) -> Inputs:
    """Return the inputs without the bends that belong to a line.

    A bend a_i = 0 along an axis that no sample separates from a line is not a parameter, just as two such lines count
    as one. This requires that all |x_i| are different functions: with inputs +-1 they are not, and other lines give the
    same values.
    """
    if len(inputs.bent) < inputs.n_inputs:
        return inputs
    part_of_line = {i for _, i, _ in unseparated(inputs, model) if model.axes[i] == 0}
    return replace(inputs, bent=np.array([i for i in inputs.bent if i not in part_of_line], dtype=np.intp))


def _pruned(model: Lines, share: float) -> Lines:
    """Return the model without lines, entries and bends below a fraction of the largest strength."""
    if not model.n_lines and not model.axes.any():
        return model
    limit = share * max(float(model.norms.max(initial=0.0)), float(np.abs(model.axes).max()))
    model = model.select(model.norms > limit)
    line, coordinate = np.nonzero(model.support & (np.abs(model.weights) < limit))
    return merged(model.without(line, coordinate).tidy(), 1e-6)
