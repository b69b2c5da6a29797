"""Several outputs: one search for the lines of all outputs, then one joint fit.

A mixture of the outputs with generic weights is a scalar problem that contains the lines of all outputs, so one scalar
fit finds them. Lines that it misses are found from the outputs one by one, starting from the known lines. All strengths
then follow by linear least squares; zeroing strengths, orienting the neurons and the final polish are done jointly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.networks.exact.joint import Shared, System, deviations, polished
from recovery.networks.exact.model import Inputs, Lines, directions_of
from recovery.networks.exact.neurons import orientations
from recovery.networks.exact.rounds import AT_ROUNDING, EXACT, Fit

__all__ = ["CallerUnits", "Joint", "Outputs", "Scalar", "recovered"]

Scalar = Callable[[np.ndarray, Lines | None, bool], Fit]
"""Fits a mixture of the outputs with these weights, starting from a model or (None) from a search, which may be
repeated."""

SAME, SAME_ROUNDED = 1e-6, 1e-4
"""Lines of two scalar fits closer than this are identified (radians): for labels in float64, and in float32."""
NEAR = 0.05
"""If lines from two scalar fits are closer than this (radians), removing one of them is tried."""
ZERO = 1e-9
"""Strengths up to this fraction of an output's largest count as zero: for labels in float64."""
CLEAR = 6.0
"""Strengths are kept if they are this many standard deviations from 0: for labels in float32."""
SURE = 50.0
"""Numbers within this many standard deviations count as equal when orientations are decided."""
PASSES = 6
"""Largest number of times that outputs are reweighted."""
FAILURES = 2
"""If this many outputs fail before one succeeds, no more are tried; one, if the mixture looks like noise."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """The data of several outputs.

    Attributes
    ----------
    inputs : Inputs
        In float64, scaled so that every input has a deviation near 1.
    Y : array of float64, shape (k, n)
        Targets, one output in each row; none is zero.
    rounding : numpy.ndarray, shape (k,)
        Root mean square rounding error of each output whose values are all float32 numbers; 0 for others.
    deviation : numpy.ndarray, shape (k,)
        Root mean square of each output.
    """

    inputs: Inputs
    Y: Any
    rounding: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, inputs: Inputs, Y: Any, rounding: np.ndarray) -> Outputs:
        """Prepare the data."""
        return cls(inputs, Y, rounding, deviations(Y))

    @property
    def count(self) -> int:
        """Number of outputs, k."""
        return len(self.rounding)

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation of each output's residual at an exact fit."""
        return np.maximum(self.rounding, 4 * EPS * self.deviation)

    @property
    def limit(self) -> np.ndarray:
        """Deviation up to which each output's residual counts as rounding error."""
        return np.maximum(AT_ROUNDING * self.rounding, EXACT * self.deviation)

    def mixed(self, weights: np.ndarray) -> tuple[Any, float]:
        """Return a mixture of the outputs, shape (n,), and the root mean square of its rounding error."""
        mixture = self.inputs.put(weights) @ self.Y
        return mixture, float(np.sqrt(((weights * self.rounding) ** 2).sum()))


@dataclass(frozen=True, eq=False)
class Joint:
    """A fit of all outputs.

    Attributes
    ----------
    form : Shared
        The kink form.
    network : Shared or None
        The network, if the form is exact and a network reaches the same residual.
    left : numpy.ndarray, shape (k,)
        Deviation of the residual of each output, for the network if there is one, else for the form.
    open : numpy.ndarray of int
        Outputs whose residual exceeds rounding error.
    determined : bool
        Whether the data determine the form: its columns are linearly independent and fewer than the samples.
    rested : bool
        Whether the scalar fits converged rather than being stopped.
    """

    form: Shared
    network: Shared | None
    left: np.ndarray
    open: np.ndarray
    determined: bool
    rested: bool

    @property
    def exact(self) -> bool:
        """Whether the residual of every output is at rounding error."""
        return not len(self.open)


def recovered(data: Outputs, scalar: Scalar, stopped: Callable[[], bool], rng: np.random.Generator) -> Joint:
    """Find the lines of all outputs and fit them together.

    Parameters
    ----------
    data : Outputs
        The data.
    scalar : callable
        Fits one mixture of the outputs.
    stopped : callable
        Whether the time limit is reached, or the callback has ended the fit.
    rng : numpy.random.Generator
        Draws the mixture, and the orientations that no input determines.

    Returns
    -------
    Joint
        The fit, which is exact or lists the outputs that are not.

    Notes
    -----
    The mixture has weights +-[1/2, 3/2] divided by the deviations of the outputs. Outputs that are not yet fitted are
    handled one by one, those likely to have many lines first (largest mean square relative to their largest value):
    starting from the known lines, and failing that, from a search of their own.
    """
    d, k = data.inputs.n_inputs, data.count
    weights = rng.uniform(0.5, 1.5, k) * np.where(rng.random(k) < 0.5, -1.0, 1.0) / data.deviation
    fit = scalar(weights, None, False)
    rested, fits = fit.rested, 1
    known, hints = (fit.model.units, np.zeros((0, d))) if fit.exact else (np.zeros((0, d)), fit.model.units)
    state = _together(data, known)
    allowed = 1 if fit.noisy else FAILURES
    failures, tries = 0, np.zeros(k, dtype=int)
    while len(state.open) and not stopped():
        # once some lines are known, searches are repeated for outputs that have failed
        waiting = state.open[tries[state.open] < (2 if len(known) else 1)]
        if not len(waiting) or (failures >= allowed and not len(known)):
            break
        output = int(waiting[np.lexsort((-data.deviation[waiting], tries[waiting]))[0]])
        alone = (np.arange(k) == output) / data.deviation[output]
        start = _start(data, np.concatenate([known, _new(known, hints, NEAR)]), alone)
        if start is not None:
            fit = scalar(alone, start, False)
        if (start is None or not (fit.exact or fit.noisy)) and not stopped():
            fit = scalar(alone, None, tries[output] > 0)
        tries[output] += 1
        rested = rested and fit.rested
        if not fit.exact:
            failures += 1
            hints = np.concatenate([hints, _new(hints, fit.model.units, NEAR)])
            continue
        fits += 1
        more = _new(known, fit.model.units, SAME_ROUNDED if data.rounding[output] else SAME)
        if len(more):
            known = np.concatenate([known, more])
            state = _together(data, known)
        else:  # it needs no other lines, and yet the joint fit misses it: nothing more can be learned from it
            tries[output] = 2
    if len(state.open) and len(hints):
        state = _together(data, np.concatenate([known, _new(known, hints, NEAR)]))
    return _finished(data, state, fits > 1, rested, rng)


@dataclass(frozen=True, eq=False)
class _State:
    """A kink form fitted to all outputs, with its residual, its normal equations, and the outputs that it misses."""

    form: Shared
    R: Any
    system: System
    open: np.ndarray


def _together(data: Outputs, units: np.ndarray) -> _State:
    """Fit all outputs to lines of these directions: strengths first, then lines and strengths.

    Outputs are weighted by the inverse of their residual, so that outputs whose lines are incomplete have little
    influence on the directions.
    """
    form = Shared.of_lines(data.inputs, units, data.count)
    form, R, system = polished(data.inputs, data.Y, form, System.of(data.inputs, form, data.noise), 1)
    for _ in range(PASSES):
        left = deviations(R)
        system = replace(system, noise=np.maximum(data.noise, left))
        form, R, system = polished(data.inputs, data.Y, form, system)
        reached = deviations(R)
        if (reached <= data.limit).all() or (reached > 0.5 * left).all():
            break
    system = replace(system, noise=data.noise)
    return _State(form, R, system, np.flatnonzero(deviations(R) > data.limit))


def _start(data: Outputs, units: np.ndarray, weights: np.ndarray) -> Lines | None:
    """Return the least-squares model of a mixture on lines with these directions, without the lines not needed."""
    if not len(units):
        return None
    mixture, _ = data.mixed(weights)
    form = Shared.of_lines(data.inputs, units, 1)
    system = System.of(data.inputs, form, np.ones(1), turning=False)
    form, R, system = polished(data.inputs, mixture[None], form, system, 2)
    deviation = deviations(R)
    t = np.abs(form.strengths) / np.sqrt(replace(system, noise=deviation + 1e-300).variances(form)[1])
    strengths = np.where(t < CLEAR, 0.0, form.strengths)[:, 0]
    count = len(units)
    axes = np.zeros(data.inputs.n_inputs)
    axes[data.inputs.bent] = strengths[count:]
    model = Lines(form.linear[:, 0], axes, np.zeros((0, len(axes))), np.zeros(0), np.zeros((0, len(axes)), dtype=bool))
    bends = np.flatnonzero(strengths[:count])
    return model.with_lines(units[bends], strengths[bends])


def _new(known: np.ndarray, units: np.ndarray, angle: float) -> np.ndarray:
    """Return as lines the directions that are further than `angle` from all known ones."""
    if not len(known) or not len(units):
        return units
    side = np.where(units @ known.T < 0, -1.0, 1.0)
    gaps = np.sqrt(((units[:, None] - side[:, :, None] * known[None]) ** 2).sum(axis=2))
    return units[gaps.min(axis=1) > angle]


def _finished(data: Outputs, state: _State, several: bool, rested: bool, rng: np.random.Generator) -> Joint:
    """Remove zero strengths, merge pairs of lines where one is enough, and convert to neurons."""
    inputs, left = data.inputs, deviations(state.R)
    if len(state.open):
        return Joint(state.form, None, left, state.open, False, rested)
    # the strengths' columns of each output, and the columns of the lines' entries, which all outputs share
    entries = len(state.system.Q) + data.count - 1
    if entries >= inputs.n_samples:
        return Joint(state.form, None, left, state.open, False, rested)
    try:
        if several:
            state = _merged(data, state)
        state = _thinned(data, state)
        network, reached = _network(data, state, rng)
    except np.linalg.LinAlgError:
        return Joint(state.form, None, deviations(state.R), state.open, False, rested)
    if (reached <= data.limit).all():
        return Joint(state.form, network, reached, state.open, True, rested)
    return Joint(state.form, None, deviations(state.R), state.open, True, rested)


def _merged(data: Outputs, state: _State) -> _State:
    """Try to remove the weaker of two close lines that a scalar fit kept apart or found twice."""
    while True:
        form = state.form
        units = form.weights / np.sqrt((form.weights**2).sum(axis=1))[:, None]
        gaps = np.sqrt(np.maximum(2 - 2 * np.abs(units @ units.T), 0.0))
        strong = (np.abs(form.strengths) / data.deviation).max(axis=1)
        first, second = np.nonzero(np.triu(gaps < NEAR, 1) & ~(form.single[:, None] & form.single[None]))
        for k in np.argsort(gaps[first, second], kind="stable"):
            a, b = int(first[k]), int(second[k])
            gone = b if form.single[a] or (not form.single[b] and strong[a] >= strong[b]) else a
            kept = np.arange(len(units)) != gone
            trial = _together(data, form.weights[kept & ~form.single])
            if not len(trial.open):
                state = trial
                break
        else:
            return state


def _thinned(data: Outputs, state: _State) -> _State:
    """Return the form without the strengths that are zero to within the accuracy of the data.

    In float64 these are strengths at the level of rounding error. If labels were rounded to float32, repeatedly drop
    the third of the strengths below 6 deviations that is smallest relative to its deviation.
    """
    form, system = state.form, state.system
    rounded = data.rounding > 0
    for _ in range(MOST):
        deviation = np.sqrt(system.variances(form)[1])
        size = np.abs(form.strengths)
        top = np.maximum(size.max(axis=0), np.abs(form.linear).max(axis=0))
        t = np.where(form.kept, size / deviation, np.inf)
        small = form.kept & (size <= np.maximum(ZERO * top, SURE * np.where(form.kept, deviation, 0.0))) & ~rounded
        for output in np.flatnonzero(rounded):
            weak = np.flatnonzero(t[:, output] < CLEAR)
            weakest = weak[np.argsort(t[weak, output], kind="stable")[: -(-len(weak) // 3)]]
            small[weakest, output] = True
        if not small.any():
            break
        form = system.restricted(form, form.kept & ~small)
    form = form.without(~form.kept)
    form, R, system = polished(data.inputs, data.Y, form, System.of(data.inputs, form, data.noise))
    return _State(form, R, system, state.open) if (deviations(R) <= data.limit).all() else state


MOST = 40


def _network(data: Outputs, state: _State, rng: np.random.Generator) -> tuple[Shared, np.ndarray]:
    """Return the network with the fewest weights found for a form, and the deviations of its residual.

    Notes
    -----
    The part of the linear part that no line explains, E = B - sum_l o_l w_l C_l', and the bends A along the axes come
    from neurons on the axes: A_ik |x_i| + E_ik x_i = (A + E)_ik relu(x_i) + (A - E)_ik relu(-x_i). So each pair of an
    input and an output gives as much information about the orientations o_l as one input does for a single output. If
    two neurons on one line point in opposite directions, the outputs are treated one by one.
    """
    form, (d, k) = state.form, state.form.linear.shape
    of_weights, of_strengths, of_linear = state.system.variances(form)
    off = ~form.single
    W, C = form.weights[off], form.strengths[off]
    axis = np.abs(form.weights[form.single]).argmax(axis=1)
    A = np.zeros((d, k))
    A[axis] = form.strengths[form.single]
    share = W[:, :, None] * C[:, None, :]
    spread_w, spread_c = (np.where(np.isfinite(v[off]), v[off], 0.0) for v in (of_weights, of_strengths))
    variance = np.einsum("li,lk->ik", spread_w, C**2) + np.einsum("li,lk->ik", W**2, spread_c)
    variance[axis] += np.where(np.isfinite(of_strengths[form.single]), of_strengths[form.single], 0.0)
    variance += np.where(np.isfinite(of_linear), of_linear, 0.0)
    top = np.maximum(np.abs(form.linear).max(axis=0), np.abs(form.strengths).max(axis=0, initial=0.0))
    tolerance = SURE * np.sqrt(variance) + 64 * EPS * top

    def choice(outputs: np.ndarray) -> np.ndarray:
        chosen = share[:, :, outputs].reshape(len(W), d * len(outputs))
        scalar = Lines(form.linear[:, outputs].ravel(), A[:, outputs].ravel(), chosen, np.ones(len(W)), chosen != 0)
        return orientations(scalar, tolerance[:, outputs].ravel(), False, rng)

    together = np.repeat(choice(np.arange(k))[:, None], k, axis=1)
    apart = np.stack([choice(np.array([output])) for output in range(k)], axis=1)
    found = [_neurons(W, C, A, form.linear, one, tolerance) for one in (together, apart)]
    network = min(found, key=lambda one: one.size[::-1])
    network, R, _ = polished(data.inputs, data.Y, network, System.of(data.inputs, network, data.noise))
    return network, deviations(R)


def _neurons(
    W: np.ndarray, C: np.ndarray, A: np.ndarray, B: np.ndarray, choice: np.ndarray, tolerance: np.ndarray
) -> Shared:
    """Return the network of lines W, strengths C, bends A and linear part B, for an orientation of each C."""
    d = W.shape[1]
    E = B - np.einsum("lk,li->ik", choice * C, W)
    weights, strengths = [np.zeros((0, d))], [np.zeros((0, C.shape[1]))]
    for side in (1.0, -1.0):
        own = np.where(choice == side, 2.0 * C, 0.0)
        amounts = np.where(np.abs(A + side * E) <= 2 * tolerance, 0.0, A + side * E)
        for directions, values in ((W, own), (np.eye(d), amounts)):
            on = values.any(axis=1)
            weights.append(side * directions[on])
            strengths.append(values[on])
    V = np.concatenate(strengths)
    return Shared(np.concatenate(weights), V, V != 0, np.zeros_like(B), False)


@dataclass(frozen=True, eq=False)
class CallerUnits:
    """Conversion from the units of the fit to the caller's: powers of two, and the order of the outputs.

    Attributes
    ----------
    used : numpy.ndarray of int
        Inputs that are not identically zero.
    inputs : numpy.ndarray of int, shape (len(used),)
        X = scaled X times 2^inputs.
    live : numpy.ndarray of int
        Outputs that are not identically zero, in the order of the fit.
    outputs : numpy.ndarray of int, shape (len(live),)
        Y = scaled Y times 2^outputs.
    d, k : int
        The caller's numbers of inputs and outputs.
    """

    used: np.ndarray
    inputs: np.ndarray
    live: np.ndarray
    outputs: np.ndarray
    d: int
    k: int

    def layers(self, network: Shared) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of both layers, shapes (d, J) and (J, k)."""
        output = np.zeros((len(network.weights), self.k))
        output[:, self.live] = np.ldexp(network.strengths, self.outputs)
        return self._of_inputs(network.weights).T.copy(), output

    def form(self, form: Shared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return directions, strengths and linear part, shapes (d, q), (q, k) and (d, k)."""
        form = form.without(form.strengths == 0)
        directions, norms = directions_of(self._of_inputs(form.weights))
        strengths, linear = np.zeros((len(norms), self.k)), np.zeros((self.d, self.k))
        strengths[:, self.live] = np.ldexp(2 * form.strengths * norms[:, None], self.outputs)
        linear[np.ix_(self.used, self.live)] = np.ldexp(form.linear, self.outputs - self.inputs[:, None])
        return directions.T.copy(), strengths, linear

    def relative(self, left: np.ndarray, deviation: np.ndarray) -> float:
        """Return |R| / |Y| over all outputs, from the residual deviation of each in the units of the fit."""
        return float(np.sqrt(self.squares(left) / self.squares(deviation)))

    @property
    def top(self) -> int:
        """The largest power-of-two exponent of the outputs."""
        return int(self.outputs.max())

    def squares(self, deviations: np.ndarray) -> float:
        """Return the sum of squares for such deviations, in units of 2^(2 top)."""
        return float((np.ldexp(deviations, self.outputs - self.top) ** 2).sum())

    def _of_inputs(self, weights: np.ndarray) -> np.ndarray:
        found = np.zeros((len(weights), self.d))
        found[:, self.used] = np.ldexp(weights, -self.inputs)
        return found
