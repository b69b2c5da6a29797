"""Noisy targets: early detection of noise, a common sign of all lines, and the network within m and s.

Without noise the rounds continue until the residual is at rounding error. With noise they stop at the noise level, and
:class:`recovery.networks.exact.budget.Budget` continues with networks of limited size in place of kink forms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from planted.base import arrays
from recovery.networks.centre import Centre
from recovery.networks.exact.annealed import variances
from recovery.networks.exact.births import Quadratic
from recovery.networks.exact.budget import Budget
from recovery.networks.exact.model import Inputs, Lines, predict
from recovery.networks.exact.network import Network, at, polish
from recovery.networks.exact.network import gram as gram_of
from recovery.networks.exact.neurons import Neurons
from recovery.networks.exact.newton import gram, regular, size, spread, square
from recovery.networks.exact.rounds import AT_ROUNDING, EXACT, ROUNDING, Data, Fit, crossing, told_apart
from recovery.networks.exact.search import merged
from recovery.networks.gain import noise_like
from recovery.solvers.base import Status

__all__ = ["Quiet", "one_side", "within"]

ONE_SIGN = 0.97
"""If this fraction of the eigenvalues of y's quadratic part, by magnitude, has one sign, all lines start with that
sign."""
EDGE = 1.5
"""Eigenvalues up to EDGE sqrt(d / n) deviations of the quadratic fit's residual count as noise (their edge is at 1)."""
FLAT, FIRST = 2e-3, 3
"""After this many rounds, a round is quiet if the residual fell by less than this fraction and no line was added."""
WINDOW, SLOW = 4, 0.02
"""Or if it fell by less than SLOW over WINDOW rounds."""
TAIL, MOST_IN_TAIL = 0.01, 0.5
"""A residual with more than this fraction of its square in 1 % of the rows does not count as noise: lines that bend in
only a few rows leave such residuals, and so few rows do not distinguish them from outliers."""
HIDDEN = 0.05
"""Products of two inputs may explain up to this fraction of a residual classified as noise, because hidden lines do."""
SLACK = 3.0
"""Number of spreads by which the final residual's dependence on the inputs may exceed that of noise."""
DOUBLE = 2e-4
"""Relative residual below which float32 is not accurate enough."""


def one_side(quadratic: Quadratic, left: Any) -> float:
    """Return +1 or -1 if the quadratic part of y suggests that all lines have that sign, else 0.

    Parameters
    ----------
    quadratic : Quadratic
        After the projection of y.
    left : array, shape (n,)
        Residual of y after the projection.

    Notes
    -----
    With sum_l s_l |w_l . x| the quadratic part is sum_l s_l w_l w_l' / |w_l| times a constant, which is semidefinite if
    all s_l agree. Noise of deviation sd moves its eigenvalues by up to sd sqrt(d / n) (the edge of a symmetric random
    matrix with entries of deviation sd / (2 sqrt(n)) off its diagonal).
    """
    values = np.linalg.eigvalsh(quadratic.matrix)
    edge = EDGE * float(left.std()) * math.sqrt(len(values) / int(left.shape[0]))
    for found in (values, values[np.abs(values) > edge]):
        ratio = float(found.sum() / max(np.abs(found).sum(), 1e-300))
        if abs(ratio) > ONE_SIGN:
            return math.copysign(1.0, ratio)
    return 0.0


@dataclass(eq=False)
class Quiet:
    """Detects, round by round, whether a fit has reached the noise level.

    Parameters
    ----------
    X : array of float32, shape (n, d)
        Samples, of size near 1.
    level : float
        Root mean square of the residual up to which it is rounding error rather than noise.
    """

    X: Any
    level: float
    lines: int = field(init=False, default=0)
    past: list[float] = field(init=False, default_factory=list)

    def __call__(self, model: Lines, r: Any) -> bool:
        """Return whether the residual is noise, judging by the last rounds' gains and its dependence on the inputs."""
        deviation, more = size(r), model.n_lines > self.lines
        self.lines = model.n_lines
        self.past.append(deviation)
        if deviation <= self.level or len(self.past) <= FIRST:
            return False
        flat = deviation > (1 - FLAT) * self.past[-2] and not more
        slow = len(self.past) > WINDOW and deviation > (1 - SLOW) * self.past[-1 - WINDOW]
        return (flat or slow) and self.noise(model, r)

    def noise(self, model: Lines, r: Any) -> bool:
        """Return whether a residual depends on the inputs only as noise would, and is spread over the rows."""
        return _spread_out(r) and self.independent(model, r)

    def independent(self, model: Lines, r: Any) -> bool:
        """Return whether a residual depends on the inputs only as noise would, allowing for structure hidden in it."""
        xp = arrays.namespace(r)
        hidden = xp.asarray(model.weights.T.copy(), dtype=self.X.dtype)
        fitted = int(model.support.sum()) + 2 * int(self.X.shape[1])
        r = r.astype(self.X.dtype)
        return quadratic_share(self.X, r) <= HIDDEN and noise_like(self.X, r, hidden, fitted)


def _spread_out(r: Any) -> bool:
    """Return whether a residual is not concentrated in a few rows."""
    squares = arrays.namespace(r).sort(r * r)
    top = max(1, int(TAIL * int(r.shape[0])))
    return float(squares[-top:].sum()) <= MOST_IN_TAIL * float(squares.sum())


def quadratic_share(X: Any, r: Any) -> float:
    """Return the fraction of |r|^2 that products of two inputs explain, or infinity if there are too few rows to tell.

    Notes
    -----
    No model contains the columns x_i x_k, so nothing was fitted to them. With T the sum of what they explain one at a
    time, and E T its expectation under random signs, the fraction is about (T / E T - 1) N / n for N columns (see
    :func:`recovery.networks.gain.looks_like_noise`, also for the spread of T). Inputs not centred at 0 are centred
    first: r is orthogonal to the linear part, and products of inputs with large means are nearly linear.
    """
    centre = Centre.of(X)
    if centre is not None:
        X = centre.shifted(X)[:, :-1]
    n, d = (int(length) for length in X.shape)
    per_column = 2 * n / (d * (d + 1))
    if 2 * math.sqrt(2 * (1 + per_column) / n) > HIDDEN * per_column:
        return math.inf
    squares = X * X
    norms = squares.T @ squares
    inverse = arrays.namespace(X).where(norms > 0, 1.0 / arrays.namespace(X).where(norms > 0, norms, 1.0), 0.0)
    products = X.T @ (X * r[:, None])
    explained = float((products * products * inverse).sum())
    by_chance = float(((r * r) * ((squares @ inverse.astype(X.dtype)) * squares).sum(axis=1)).sum())
    return (explained / by_chance - 1.0) / per_column if by_chance > 0 else 0.0


class Progress(Protocol):
    """Callbacks that report the rounds and decide whether to end them."""

    def network(self, network: Network, deviation: float) -> bool: ...
    def late(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Within:
    """The network within m and s.

    Attributes
    ----------
    neurons : Neurons
        The network, in the units of the data.
    relative : float
        Root mean square of its residual over that of y.
    rested : bool
        Whether the search for it converged rather than being stopped.
    noise : bool
        Whether its residual looks like noise, and m and s suffice for all clearly significant weights.
    wanted : tuple of int
        Numbers of neurons and weights before cutting back to m and s.
    exact : bool
        Whether its residual is at rounding error and its columns are independent.
    unknowns : tuple of int
        Number of samples, and of parameters of the kink form.
    """

    neurons: Neurons
    relative: float
    rested: bool
    noise: bool
    wanted: tuple[int, int]
    exact: bool
    unknowns: tuple[int, int]

    def status(self, fit: Fit) -> Status:
        """Return how the fit ended."""
        if self.exact:
            return Status.EXACT
        if not (fit.rested and self.rested):
            return Status.STEP_LIMIT
        return Status.NO_GAIN if self.noise and not fit.exact else Status.AT_REST

    def note(self, fit: Fit, m: int, s: int) -> str:
        """Return the remarks for the message."""
        notes, (count, weights) = [], self.wanted
        if count > m or weights > s:
            what = "the smallest network found for the kink form has" if fit.exact else "the tests would keep"
            start = f"the kink form does not fit into n_neurons={m} and sparsity={s}: " if fit.exact else ""
            notes.append(f"{start}{what} {count} neurons and {weights} weights")
        samples, unknowns = self.unknowns
        if unknowns >= samples:
            notes.append(f"the data do not determine the fit: {samples} samples for {unknowns} parameters")
        like = ", like noise" if self.noise and not self.exact else ""
        notes.append(f"relative residual {self.relative:.1e}{like}")
        return "; ".join(notes)


def within(
    data: Data,
    fit: Fit,
    start: Neurons | None,
    rng: np.random.Generator,
    progress: Progress,
    *,
    m: int,
    s: int,
    side: float,
    most: int,
) -> Within:
    """Return the best network of at most m neurons and s weights that the tests find.

    Parameters
    ----------
    data : Data
        The data.
    fit : Fit
        The kink form that the rounds ended with.
    start : Neurons, optional
        A network that computes the same function but is too large, if one is known; otherwise the orientations are
        annealed.
    rng : numpy.random.Generator
        For the annealing.
    progress : Progress
        Receives every round.
    m, s : int
        The largest size.
    side : float
        +-1 where all neurons should have that sign, else 0.
    most : int
        Largest number of rounds.

    Returns
    -------
    Within
        The network and its properties.
    """
    inputs = data.double if fit.relative < DOUBLE else data.single
    # here a common sign is always +1
    flip = -1.0 if side < 0 else 1.0
    y = flip * data.targets(inputs)
    model = Lines(
        flip * fit.model.linear, flip * fit.model.axes, fit.model.weights, flip * fit.model.signs, fit.model.support
    )
    noise = Quiet(data.X_single, 0.0)
    r = (data.y - predict(data.double, fit.model)).astype(data.X_single.dtype)
    budget = Budget(
        inputs,
        y,
        data.quadratic,
        side != 0,
        rng,
        lambda network, deviation: progress.network(network, deviation),
        progress.late,
        floor=max(data.rounding, ROUNDING * data.deviation),
        enough=max(AT_ROUNDING * data.rounding, EXACT * data.deviation),
        rounds=most,
        thorough=fit.noisy or noise.independent(fit.model, r),
    )
    rested = True
    if start is None:
        now = budget.started(model, _tau(inputs, y, model))
        if not progress.late():
            now, rested = budget.improved(now)
        wanted = now.network.n_neurons, now.network.n_weights
    else:
        now = at(inputs, y, Network.of(start.weights, flip * start.signs))
        wanted = start.size
    count, square_before = now.network.n_weights, now.square
    now, at_rest = budget.kept(now, m, s)
    rested &= at_rest
    # weights that are barely significant are removed without a remark
    lost = (now.square - square_before) / budget.variance
    clear = start is None and lost <= 2 * budget.price * max(count - now.network.n_weights, 0)
    final = polish(data.double, flip * data.y, now.network, 3, 1e-7, 1e-9)
    network = final.network
    hidden = arrays.from_numpy_like(network.weights.T.copy(), data.X_single)
    r = final.r.astype(data.X_single.dtype)
    share = quadratic_share(data.X_single, r)
    like = (
        clear
        and _spread_out(r)
        and (share <= HIDDEN or math.isinf(share))
        and noise_like(data.X_single, r, hidden, network.n_weights, SLACK)
    )
    unknowns = len(inputs.straight) + len(inputs.bent) + int(fit.model.support.sum())
    return Within(
        Neurons(network.weights, flip * network.signs),
        size(final.r) / data.deviation,
        rested,
        like,
        wanted,
        size(final.r) <= budget.enough and _independent(data, network),
        (inputs.n_samples, unknowns),
    )


def _independent(data: Data, network: Network) -> bool:
    """Return whether the columns of a network are independent, and fewer than the samples.

    If there are enough samples, the columns of its kink form must be independent too: with inputs +-1, where |x_i| is
    constant, a network may have independent columns while others of the same size give the same values.
    """
    inputs = data.double
    if network.n_weights >= inputs.n_samples or not network.n_weights:
        return False
    if not regular(gram_of(inputs, network, data.y)[0]):
        return False
    many = np.count_nonzero(network.weights, axis=1) > 1
    lines = Lines.none(inputs.n_inputs).with_lines(network.weights[many], network.signs[many])
    lines = crossing(inputs, merged(lines, 1e-9))
    on_axis = np.abs(network.weights[~many]).any(axis=0)
    lines = replace(lines, axes=on_axis.astype(float))
    inputs = told_apart(inputs, lines)
    unknowns = len(inputs.straight) + len(inputs.bent) + int(lines.support.sum())
    return unknowns >= inputs.n_samples or regular(gram(inputs, lines, data.y)[0])


def _tau(inputs: Inputs, y: Any, model: Lines) -> np.ndarray:
    """Return the variances by which orientations are judged, one per input."""
    r = y - predict(inputs, model)
    H, _ = gram(inputs, model, r)
    around = spread(inputs, H)
    first, second = len(inputs.straight), len(inputs.straight) + len(inputs.bent)
    variance = max(square(r) / max(inputs.n_samples - len(H), 1), 1e-300)  # infinity times 0 is NaN
    diagonal = np.maximum(np.diag(around.inverse), 0.0) * variance
    linear, axes = np.zeros(inputs.n_inputs), np.zeros(inputs.n_inputs)
    linear[inputs.straight], axes[inputs.bent] = diagonal[:first], diagonal[first:second]
    tau = variances(model, linear, axes, around.of_lines(inputs, model) * variance)
    return np.maximum(tau, 1e-28)
