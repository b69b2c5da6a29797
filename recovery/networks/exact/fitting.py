"""``fit_exact``: recover a planted two-layer ReLU network to the last digit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_integer, check_number, check_same_rows
from planted.base.exactness import InexactNumber
from planted.base.progress import Progress, bar, check_progress
from planted.base.values import by_value
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork
from recovery.certificates.certificate import Certificate
from recovery.certificates.network import NotCertified, network_certificate
from recovery.mlp.losses import psnr
from recovery.mlp.record import FitState
from recovery.networks.centre import Centre
from recovery.networks.exact.joint import deviations
from recovery.networks.exact.model import Ended, Inputs, Lines, columns, directions_of
from recovery.networks.exact.network import Network
from recovery.networks.exact.neurons import Neurons, joined, oriented, polished
from recovery.networks.exact.newton import gram, size, spread
from recovery.networks.exact.noise import Quiet, one_side, within
from recovery.networks.exact.outputs import CallerUnits, Outputs, recovered
from recovery.networks.exact.rounds import AT_ROUNDING, EXACT, NEARLY, Data, Fit, rounds, told_apart
from recovery.networks.exact.search import least_squares, search
from recovery.networks.exact.sizes import Sizes, check_sizes
from recovery.solvers.base import Recorder, Status

__all__ = ["ExactFit", "fit_exact"]

GUESSES = 3
"""Largest number of searches with other guesses for "auto" sizes."""
ATOMS = 1000
"""The search has 2 m atoms, but no more than this unless m is larger."""
LEAST_ROWS, ROWS_EACH, ROWS_OF_LINE = 5000, 20, 100
"""If there are many more samples, the rounds begin on this many samples per parameter and per line."""
STEPS_EACH, LEAST_STEPS, MOST_STEPS = 10, 500, 4000
"""Steps of the first search: per weight, at least, and at most."""
AWAY_STEPS = 40
"""Steps per weight if inputs are not centred."""
PATROL = 2**28
"""Amount of processed numbers after which the callback is called again within a round: about a second's work."""
DEPENDENT = 1e-9
"""If the unit-norm columns have a smallest singular value below this, weights are not determined to the accuracy of an
exact fit."""
ZERO_BEND = 1e-9
"""Bends along the axes up to this fraction of the form's largest number count as zero."""


@by_value
@dataclass(frozen=True, eq=False)
class ExactFit:
    """Result of :func:`fit_exact`.

    Parameters
    ----------
    network : planted.ReLUNetwork or None
        At most ``n_neurons`` neurons and ``sparsity`` non-zero weights, in float64. For y of shape (n,), output weights
        are +-1; if the exact kink form exceeds the sizes, this is the best network found within them, and the message
        says so. For y of shape (n, k), the weights of the output layer count, and a neuron's first-layer weights have
        norm near 1 on inputs of mean square 1; None if the kink form exceeds the sizes or the fit is not exact.
    kink_form : planted.KinkForm
        Lines, signed strengths and linear part of the network; of the exact function if that exceeds ``n_neurons`` and
        ``sparsity``.
    psnr_db : float
        PSNR of the network on the data, in dB.
    relative_residual : float
        |y - f| / |y| of the network, over all outputs; of the kink form if there is no network.
    n_iter : int
        Number of rounds of tests on all rows, over all starts, plus rounds of changes to the network.
    status : Status
        ``EXACT`` if the residual of every output is at rounding error and the data determine the fit; ``NO_GAIN`` if
        the targets are noisy: nothing significant is left, and the residual looks like noise; ``AT_REST`` if the fit
        converged without either; ``STEP_LIMIT``, ``TIME_LIMIT`` or ``STOPPED`` if it was ended early.
    message : str
        The status in words, with any remarks.
    history : dict of list
        One entry per round: ``psnr_db``, ``objective`` (1/2 |r|^2), ``nonzeros`` (entries of lines and bends along the
        axes), ``neurons`` (lines and bends along the axes; both refer to the network in rounds that change one) and
        ``start`` (0, 1, ...). For several outputs, the rounds of the scalar fits one after the other, with
        ``objective`` as if all outputs had the mixture's relative residual.
    certificate : recovery.certificates.Certificate or None
        With ``certify=True``, the proof that the kink form is the only one nearby that fits; None if there is none, for
        the reason given in the message.
    """

    network: ReLUNetwork | None
    kink_form: KinkForm
    psnr_db: float
    relative_residual: float
    n_iter: int
    status: Status
    message: str
    history: dict[str, list[float]] = field(repr=False, default_factory=dict)
    certificate: Certificate | None = field(repr=False, default=None)

    @property
    def success(self) -> bool:
        """Whether the fit is exact to rounding and is determined by the data."""
        return self.status.success

    @property
    def supports(self) -> tuple[tuple[int, ...], ...]:
        """Inputs of each line of the kink form."""
        return self.kink_form.supports

    def __repr__(self) -> str:
        size = "no network"
        if self.network is not None:
            size = f"{self.network.n_neurons} neurons, {self.network.sparsity} weights"
        return (
            f"ExactFit({self.status.name}, {size}, {self.kink_form.n_lines} lines, "
            f"relative residual {self.relative_residual:.1e}, {self.n_iter} rounds)"
        )


class _Progress(Recorder):
    """The record of a fit: one row per round, in the caller's units."""

    KEYS: ClassVar[tuple[str, ...]] = ("psnr_db", "objective", "nonzeros", "neurons", "start")

    def __init__(self, rows: float, time_limit: float | None, callback: Callable[[FitState], Any] | None) -> None:
        super().__init__(None, time_limit, callback)
        self.rows, self.start = rows, 0
        self.peak, self.unit = 1.0, 0  # of the scaled targets
        self.watching, self._work = False, 0
        self._last: FitState | None = None
        if time_limit == 0:  # the search does not begin
            self.stop = Status.TIME_LIMIT

    def batch(self, deviation: float, atoms: int, weights: int) -> bool:
        """Check callback and clock during the search; nothing is recorded."""
        self._last = self._state(deviation, weights, atoms)
        return self.ask(lambda: self._last) is not None

    def round(self, model: Lines, deviation: float) -> bool:
        """Record a round."""
        bends = int(np.count_nonzero(model.axes))
        state = self._last = self._state(deviation, int(model.support.sum()) + bends, model.n_lines + bends, 1)
        self._work = 0
        self.append(**{key: getattr(state, key) for key in self.KEYS})
        return self.ask(lambda: state) is not None

    def watch(self, numbers: int) -> None:
        """Check the clock before a block of this many numbers, and call the callback again after many of them.

        How often it is called depends only on the amount of work, so that a repeated fit calls it equally often.
        """
        if not self.watching:
            return
        self._work += numbers
        late = self.late()
        if not late and self._work > PATROL and self._last is not None:
            self._work = 0
            late = self.ask(lambda: self._last) is not None
        if late:
            self.watching = False  # little work is left
            raise Ended

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let :meth:`watch` raise :class:`Ended` within this block, unless the fit was ended before."""
        self.watching = self.stop is None
        try:
            yield
        finally:
            self.watching = False

    def network(self, network: Network, deviation: float) -> bool:
        """Record a round of the search for a network within m and s."""
        state = self._state(deviation, network.n_weights, network.n_neurons, 1)
        self.append(**{key: getattr(state, key) for key in self.KEYS})
        return self.ask(lambda: state) is not None

    def late(self) -> bool:
        """Return whether the fit has to end, without calling the callback."""
        if self.stop is None and self.clock.over:
            self.stop = Status.TIME_LIMIT
        return self.stop is not None

    def _state(self, deviation: float, nonzeros: int, neurons: int, more: int = 0) -> FitState:
        ratio = math.inf if deviation == 0 else 20 * math.log10(self.peak / deviation)
        return FitState(
            n_iter=self.n_iter + more,
            start=self.start,
            psnr_db=ratio,
            objective=0.5 * self.rows * math.ldexp(deviation, self.unit) ** 2,
            nonzeros=nonzeros,
            neurons=neurons,
        )


@dataclass(frozen=True, eq=False)
class _Units:
    """Scaling by powers of two between the caller's units and those of the fit; it changes no digits.

    Attributes
    ----------
    used : numpy.ndarray of int
        Inputs that are not identically zero.
    inputs : numpy.ndarray of int, shape (len(used),)
        X = scaled X times 2^inputs.
    y : int
        y = scaled y times 2^y.
    d : int
        Number of the caller's inputs.
    """

    used: np.ndarray
    inputs: np.ndarray
    y: int
    d: int

    def back(self, weights: np.ndarray) -> np.ndarray:
        """Return weights of the caller's inputs from those of the scaled ones, along the last axis."""
        found = np.zeros((*weights.shape[:-1], self.d))
        found[..., self.used] = np.ldexp(weights, self.y - self.inputs)
        return found


@dataclass(frozen=True)
class _Task:
    """The request: the size of the result, and the limits on the work."""

    m: int
    s: int
    steps: int | None
    restarts: int
    most: int
    start: KinkForm | None = None


@dataclass(frozen=True, eq=False)
class _Found:
    """The best fit of all starts.

    Attributes
    ----------
    data : Data
        The scaled data that it was fitted to.
    fit : Fit
        The kink form.
    units : _Units
        Conversion from these data to the caller's units.
    side : float
        +-1 if all neurons should have that sign, else 0.
    """

    data: Data
    fit: Fit
    units: _Units
    side: float


def fit_exact(
    X: Any,
    y: Any,
    *,
    n_neurons: int | Literal["auto"],
    sparsity: int | Literal["auto"],
    search_steps: int | None = None,
    restarts: int = 2,
    max_rounds: int = 80,
    time_limit: float | None = None,
    rng: Any = None,
    callback: Callable[[FitState], Any] | None = None,
    certify: bool = False,
    start: ExactFit | KinkForm | ReLUNetwork | None = None,
    progress: Progress = False,
) -> ExactFit:
    """Find y = sum_j v_j relu(u_j . x) exactly: lines and weights to the accuracy of the data.

    With noise, the result is the best network with at most m neurons and s weights that the tests find.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs. The search uses float32 and the final fit float64, whatever the dtype.
    y : array, shape (n,) or (n, k)
        Targets, on the device of X: (n,) for v_j = +-1, (n, k), also with k = 1, for an output layer of any weights.
        Without noise the fit is exact; if all values of an output are float32 numbers, it is exact up to their
        rounding.
    n_neurons : int or "auto"
        m >= 1, the largest number of neurons of the result. With "auto", as many as the tests keep (see Notes); for y
        of shape (n,).
    sparsity : int or "auto"
        s, the largest number of non-zero weights of the result: of the first layer, from 0 to d m, for y of shape (n,);
        of both layers, from 0 to (d + k) m, for (n, k). With "auto", as many as the tests keep, for y of shape (n,).
    search_steps : int, optional
        Steps of the first search, on batches of 500 rows; by default 10 per weight, from 500 to 4,000. Each further
        search makes twice as many as the previous one, up to 8,000 or the first search's number if larger.
    restarts : int, default 2
        Largest number of additional searches, made while the fit is not exact; with several outputs, for each output
        that fails.
    max_rounds : int, default 80
        Largest number of rounds of tests on all rows, for each start, and of final changes to the network.
    time_limit : float, optional
        Seconds, checked every 20 steps of the search and afterwards before each block of samples. The best fit so far
        is returned; pass it as `start` to continue.
    rng : int, numpy.random.Generator or None
        Source of the starts and of the order of rows. The same seed gives bitwise the same result on the same machine.
    callback : callable, optional
        Called with a :class:`recovery.networks.FitState` after every 500 steps of the search and after each round, and
        about every second within a long round, with the values of the last round; returning True ends the fit. During
        the search the values refer to one batch and to the dense model; `n_iter` counts rounds.
    certify : bool, default False
        Prove, in exact arithmetic on X and y as given, that an exact fit is the only one nearby
        (:func:`recovery.certificates.network_certificate`). The proof is not subject to the time limit and takes about
        as long as the fit.
    start : ExactFit, planted.KinkForm or planted.ReLUNetwork, optional
        Starting point in place of the first search: an earlier fit that was ended early, or a guess. A fit that was
        ended before its first round starts again from the beginning. One output only.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` whenever `callback`
        would be, `done` being the number of such calls, and `total` None until the fit has ended.

    Returns
    -------
    ExactFit
        ``network, kink_form, psnr_db, relative_residual, n_iter, status, message, history, certificate``.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, NaN or infinite, of the wrong kind or shape, or on another device.

    Notes
    -----
    The model is b . x + sum_i a_i |x_i| + sum_l sigma_l |w_l . x| with dense b and a, sparse w_l and sigma_l = +-1:
    it contains exactly what the function determines, without orientations, and is linear in (b, a, w) as long as no
    gate moves. Adam with an l1 penalty that falls to 0 finds most lines. Rounds on all rows polish them
    (Levenberg-Marquardt), test single entries (t tests, with the other parameters following), add lines proposed by the
    residual's moments of degrees 4 and 6, split lines that stand for two (wedge test) and merge close ones (trials on a
    few inputs, polished before they are judged). The final fit keeps the fewest lines for which the residual is at
    rounding error. Derived here.

    With noise the rounds converge to a residual that depends on the inputs no more than noise would. From there a
    network replaces the kink form: orientations are annealed with costs in units of their variance, and weights and
    neurons are added, dropped, merged and flipped as long as that lowers |r|^2 / sd^2 plus the price of the weights. A
    weight's price is 2 log(N / k - 1) + log(1 + T), where k of N possible weights are present and T is their mean
    square in units of the weight's own variance: at t^2 = price, the weight is as likely to be 0 as not. Weights are
    added if their |t| exceeds 1.05 times the square root of the price. If the network exceeds m or s at the end, the
    least significant weights are removed first. Sizes set to "auto" become those of the network that these tests keep;
    without noise, those of the smallest network found for the exact form.

    Several outputs share their lines: one scalar fit of a mixture with generic weights finds the lines of all outputs,
    and outputs that it misses are fitted one by one, starting from the known lines. Then all strengths are found by
    least squares, tests identify the zeros among them, and joint Gauss-Newton steps for all outputs finish the fit
    (:mod:`recovery.networks.exact.joint`). Noise is not supported there: such a fit converges without being exact.

    "Exact to rounding" is a statement about the data: |r| <= 1e-12 |y|, or at most 1.05 times the expected rounding
    error of float32 labels; fewer parameters than samples; linearly independent columns. It does not prove that no
    other network fits; `certify` adds a proof that there is none nearby.

    Examples
    --------
    >>> import planted
    >>> from recovery.networks.exact import fit_exact
    >>> X = planted.gaussian_inputs(1000, 10, rng=0)
    >>> truth = planted.sparse_network(10, 3, 9, signs="mixed", rng=1)
    >>> fit = fit_exact(X, truth(X), n_neurons=3, sparsity=9, search_steps=3000, rng=2)
    >>> planted.match_networks(fit.network, truth, atol=1e-10).exact
    True
    """
    check_progress(progress)
    given = X, y
    given_start = _start(start)
    X = check_array(X, "X", ndim=2, dtype=np.float64)
    y = check_array(y, "y", ndim=(1, 2), dtype=np.float64)
    check_same_rows(X, "X", y, "y")
    arrays.namespace(X, y)  # raises an error for arrays of different kinds
    sizes = check_sizes(n_neurons, sparsity, int(X.shape[1]), int(y.shape[1]) if y.ndim == 2 else None)
    if search_steps is not None:
        search_steps = check_integer(search_steps, "search_steps", minimum=1)
    restarts = check_integer(restarts, "restarts", minimum=0)
    max_rounds = check_integer(max_rounds, "max_rounds", minimum=1)
    if time_limit is not None:
        time_limit = check_number(time_limit, "time_limit", minimum=0.0)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback={callback!r} cannot be called; expected a function of one state")
    if not isinstance(certify, bool):
        raise TypeError(f"certify={certify!r} is of type {type(certify).__name__}; expected a bool")
    if given_start is not None and (y.ndim == 2 or given_start.n_inputs != X.shape[1]):
        raise ValueError(
            f"start is a function of {given_start.n_inputs} inputs with one output; X has shape {tuple(X.shape)} and y "
            f"has shape {tuple(y.shape)}"
        )
    draw = arrays.generator(rng)
    if sizes.sparsity == 0 or not bool((y != 0).any()) or not bool((X != 0).any()):
        return _nothing(X, y, Status.ZERO_SPARSITY if sizes.sparsity == 0 else Status.ZERO_DATA)
    task = _Task(*sizes.most, search_steps, restarts, max_rounds, given_start)
    with bar(progress, user="fit_exact") as shown:
        watched = shown.watching(callback, lambda state: f"{state.psnr_db:.1f} dB, {state.nonzeros} weights")
        record = _Progress(int(X.shape[0]), time_limit, watched)
        if y.ndim == 2:
            several = _several(X, y, task, draw, record)
        else:
            found = _guessed(X, y, sizes, task, draw, record)
            answer = _answer(X, y, found, task, draw, record)
    if y.ndim == 2:
        note = f"{several.message}; no certificate: y of shape {tuple(y.shape)} has several outputs"
        return replace(several, message=note) if certify else several
    return _certified(answer, *given, found.data.double, found.units) if certify else answer


def _guessed(X: Any, y: Any, sizes: Sizes, task: _Task, draw: np.random.Generator, progress: _Progress) -> _Found:
    """Return the best fit over one or a few guesses of the "auto" sizes."""
    found: _Found | None = None
    for _ in range(GUESSES):
        scaled_X, scaled_y, units = _scaled(X, y, sizes.weights)
        data = Data(scaled_X, scaled_y, _rounding(scaled_y), progress.watch)
        progress.peak, progress.unit = float(arrays.namespace(y).abs(scaled_y).max()), units.y
        side = one_side(data.quadratic, data.quadratic.project(data.targets(data.single), 15))
        given = None if found is not None or task.start is None else _lines(task.start, units)
        fit = _starts(data, replace(task, m=sizes.neurons, s=sizes.weights), side, draw, progress, given)
        if found is None or fit.exact or fit.relative < found.fit.relative:
            found = _Found(data, fit, units, side)
        again = sizes.again(fit.model)
        if again is None or fit.exact or progress.stop is not None:
            break
        sizes, progress.start = again, progress.start + 1
    assert found is not None  # there is always a first guess
    return found


def _certified(fit: ExactFit, X: Any, y: Any, inputs: Inputs, units: _Units) -> ExactFit:
    """Return the fit with its certificate, or with the reason why there is none."""
    if fit.status is not Status.EXACT:
        return replace(fit, message=f"{fit.message}; no certificate, since the fit is not exact")
    linear, axes = (units.used[kept].tolist() for kept in (inputs.straight, inputs.bent))
    try:
        return replace(fit, certificate=network_certificate(X, y, fit.kink_form, linear=linear, axes=axes))
    except (NotCertified, InexactNumber) as error:
        return replace(fit, message=f"{fit.message}; no certificate: {error}")


def _start(start: Any) -> KinkForm | None:
    """Return the function to start from."""
    if isinstance(start, ExactFit):
        return start.kink_form if start.n_iter else None
    if isinstance(start, ReLUNetwork):
        return start.kink_form()
    if start is None or isinstance(start, KinkForm):
        return start
    raise TypeError(
        f"start={start!r} is of type {type(start).__name__}; expected an ExactFit, a planted.KinkForm, a "
        "planted.ReLUNetwork or None"
    )


def _lines(form: KinkForm, units: _Units) -> Lines:
    """Return a kink form in the units of the fit, without inputs that are identically zero."""
    scale = units.inputs - units.y
    strengths = arrays.to_numpy(form.strengths)
    directions = arrays.to_numpy(form.directions).T[:, units.used]
    weights = np.ldexp(directions * (0.5 * np.abs(strengths))[:, None], scale)
    model = Lines(
        np.ldexp(arrays.to_numpy(form.linear)[units.used], scale),
        np.zeros(len(units.used)),
        weights,
        np.where(strengths < 0, -1.0, 1.0),
        weights != 0,
    )
    return model.tidy()


def _nothing(X: Any, y: Any, status: Status) -> ExactFit:
    """Return the zero function."""
    xp, d = arrays.namespace(X), int(X.shape[1])
    network = ReLUNetwork([xp.zeros((d, 0)), xp.zeros((0, *y.shape[1:]))])
    history: dict[str, list[float]] = {key: [] for key in _Progress.KEYS}
    zero = float((y != 0).any())
    return ExactFit(network, network.kink_form(), psnr(xp.zeros_like(y), y), zero, 0, status, status.value, history)


def _scaled(X: Any, y: Any, s: int) -> tuple[Any, Any, _Units]:
    """Divide inputs and targets by powers of two: inputs get a mean square near 1, the planted weights too."""
    small, used, exponents = _scaled_inputs(X)
    peak = math.frexp(float(arrays.namespace(y).abs(y).max()))[1]
    target = arrays.namespace(y).ldexp(y, -peak)
    shift = _shift(small, target, s)
    units = _Units(used, exponents, peak - shift, int(X.shape[1]))
    return small, arrays.namespace(y).ldexp(target, shift), units


def _scaled_inputs(X: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the non-zero inputs scaled to mean square near 1, their indices, and the powers of two."""
    xp = arrays.namespace(X)
    top = arrays.to_numpy(xp.abs(X).max(axis=0))
    used = np.flatnonzero(top)
    exponents = np.frexp(top[used])[1]
    small = X if len(used) == len(top) else X[:, xp.asarray(used)]
    small = xp.ldexp(small, -xp.asarray(exponents)[None, :])
    means = arrays.to_numpy(xp.sqrt((small * small).mean(axis=0)))
    more = np.round(np.log2(means)).astype(exponents.dtype)
    return xp.ldexp(small, -xp.asarray(more)[None, :]), used, exponents + more


def _shift(X: Any, y: Any, s: int) -> int:
    """Return the power of two that brings s planted weights near 1."""
    xp = arrays.namespace(X)
    # s weights from N(0, 1) give a linear part of norm sqrt(s) / 2; for networks without one, the deviation is used
    if (centre := Centre.of(X)) is None:
        linear = float(xp.sqrt(((X.T @ y) ** 2).sum())) / int(y.shape[0])
        return round(math.log2(math.sqrt(s) / 2 / max(linear, 0.2 * size(y))))
    slopes = arrays.to_numpy(least_squares(centre.shifted(X), y))[:-1] / centre.deviation
    return round(math.log2(math.sqrt(s) / 2 / max(math.sqrt(slopes @ slopes), 0.2 * float(y.std()))))


def _rounding(y: Any) -> float:
    """Return the root mean square rounding error of y if all its values are float32 numbers, else 0."""
    xp = arrays.namespace(y)
    if not bool((y.astype(np.float32).astype(np.float64) == y).all()):
        return 0.0
    # uniform within half a unit in the last place: the deviation is one unit / sqrt(12)
    unit = xp.ldexp(xp.ones_like(y), xp.frexp(y)[1] - 24)
    return size(xp.where(y == 0, 0.0, unit)) / math.sqrt(12)


def _steps(task: _Task, start: int, *, away: bool = False) -> int:
    """Return the number of steps of a search: small problems need few, and more are made after a failure.

    Inputs that are not centred need more steps, because the bends account for a small part of y.
    """
    first = min(max((AWAY_STEPS if away else STEPS_EACH) * task.s, LEAST_STEPS), MOST_STEPS)
    first = first if task.steps is None else task.steps
    return max(first, min(first * 2**start, 2 * MOST_STEPS))


def _enough(d: int, task: _Task) -> int:
    """Return the number of samples for the first rounds, if there are many more."""
    return max(LEAST_ROWS, ROWS_EACH * (2 * d + task.s), ROWS_OF_LINE * min(task.m, task.s // 2))


def _starts(
    data: Data,
    task: _Task,
    side: float,
    draw: np.random.Generator,
    progress: _Progress,
    given: Lines | None = None,
) -> Fit:
    """Search and polish from one start after another until a fit is exact; return the best.

    `given` takes the place of the first search's result.
    """
    target = data.targets(data.single)
    count = min(2 * task.m, max(ATOMS, task.m))
    signs = np.full(count, side) if side else np.where(np.arange(count) % 2, 1.0, -1.0)
    weights = (count + 2) * data.single.n_inputs
    best: Fit | None = None
    done, first = False, progress.start
    for start in range(task.restarts + 1):
        if done or (progress.stop is not None and best is not None):
            break
        progress.start = first + start
        model = Lines.none(data.single.n_inputs)
        if given is not None and start == 0:
            model = given
        elif progress.stop is None:
            model = search(
                data.X_single,
                target,
                signs,
                _steps(task, start, away=data.single.centre is not None),
                draw,
                lambda sd, _: progress.batch(sd, count, weights),
                late=progress.late,
                centre=data.single.centre,
            )
        n, wanted = data.single.n_samples, _enough(data.single.n_inputs, task)
        if 1.5 * wanted < n and progress.stop is None:
            part = data.part(np.sort(draw.choice(n, wanted, replace=False)))
            with progress.watched():
                quiet = Quiet(part.X_single, max(NEARLY * part.deviation, 3 * part.rounding))
                model = rounds(part, model, task.most, progress.round, quiet, hurried=True).model
        quiet = Quiet(data.X_single, max(NEARLY * data.deviation, 3 * data.rounding))
        with progress.watched():
            fit = rounds(data, model, task.most if progress.stop is None else 0, progress.round, quiet)
        # surplus lines that cancel can also reach rounding error; another start may not need them
        done = fit.exact and _determined(data, fit)[0].success
        if best is None or done or fit.relative < best.relative:
            best = fit
        done = done or fit.noisy  # another start would find nothing new
    assert best is not None  # there is always a first start
    return best


def _answer(X: Any, y: Any, found: _Found, task: _Task, draw: np.random.Generator, progress: _Progress) -> ExactFit:
    """Convert a fit to the caller's units and to a network of at most m neurons and s weights."""
    data, fit, units = found.data, found.fit, found.units
    form = _kink_form(X, fit.model, units)
    neurons, relative, note = _network(data, fit, draw) if fit.exact else (None, fit.relative, "")
    if neurons is None or neurons.size[0] > task.m or neurons.size[1] > task.s:
        best = within(data, fit, neurons, draw, progress, m=task.m, s=task.s, side=found.side, most=task.most)
        network = _in_units(X, best.neurons, units)
        status = progress.stop or best.status(fit)
        message = "; ".join(part for part in (status.value, note, best.note(fit, task.m, task.s)) if part)
        return ExactFit(
            network,
            form if fit.exact and not best.exact else network.kink_form(),
            psnr(network(X), y),
            best.relative,
            progress.n_iter,
            status,
            message,
            progress.history,
        )
    network = _in_units(X, neurons, units)
    status, determined = _determined(data, fit)
    values, form = network(X), network.kink_form()  # better determined than the unconstrained form
    what = "" if relative <= EXACT else ", the rounding of float32 labels"
    exact = f"relative residual {relative:.1e}{what}, {form.n_lines} lines"
    message = "; ".join(part for part in (status.value, determined or exact, note) if part)
    return ExactFit(network, form, psnr(values, y), relative, progress.n_iter, status, message, progress.history)


def _kink_form(X: Any, model: Lines, units: _Units) -> KinkForm:
    """Return lines, bends along the axes and linear part in the caller's units."""
    largest = np.abs(model.axes).max(), np.abs(model.linear).max(), model.norms.max(initial=0.0)
    limit = ZERO_BEND * float(max(largest))
    axis = np.flatnonzero(np.abs(model.axes) > limit)
    weights = np.concatenate([model.weights, np.eye(len(model.axes))[axis] * np.abs(model.axes[axis])[:, None]])
    signs = np.concatenate([model.signs, np.sign(model.axes[axis])])
    # the power of y comes last, with the strengths
    directions, norms = directions_of(_Units(units.used, units.inputs, 0, units.d).back(weights))

    def put(values: np.ndarray) -> Any:
        return arrays.from_numpy_like(values, X)

    return KinkForm(put(directions.T.copy()), put(np.ldexp(2 * signs * norms, units.y)), put(units.back(model.linear)))


def _network(data: Data, fit: Fit, draw: np.random.Generator) -> tuple[Neurons | None, float, str]:
    """Return the network of an exact kink form, its relative residual, and the reason if there is none."""
    inputs = data.double
    XT = inputs.XT
    above, below = (arrays.to_numpy(part) for part in ((XT > 0).any(axis=1), (XT < 0).any(axis=1)))
    neurons = oriented(fit.model, _tolerance(inputs, data, fit), draw)
    if not (above & below).all():
        neurons = joined(neurons, above.astype(float) - below)
    neurons, r = polished(inputs, data.y, neurons)
    relative = size(r) / data.deviation
    if relative > max(EXACT, AT_ROUNDING * data.rounding / data.deviation):
        return None, fit.relative, f"no network of the kink form reaches its residual (it is at {relative:.1e})"
    return neurons, relative, ""


def _tolerance(inputs: Inputs, data: Data, fit: Fit) -> np.ndarray:
    """Return the accuracy of e_i and a_i: 50 standard deviations for a residual at rounding error."""
    model = fit.model
    H, _ = gram(inputs, model, data.y)
    around = spread(inputs, H)
    variance = np.maximum(np.diag(around.inverse), 0.0)
    first, second = len(inputs.straight), len(inputs.straight) + len(inputs.bent)
    total = np.zeros(inputs.n_inputs)
    total[inputs.straight] += variance[:first]
    total[inputs.bent] += variance[first:second]
    total += np.where(model.support, around.of_lines(inputs, model), 0.0).sum(axis=0)
    level = max(fit.relative * data.deviation, data.rounding, 4 * EPS * data.deviation)
    largest = max(float(np.abs(model.linear).max()), float(np.abs(model.axes).max()))
    return 50 * level * np.sqrt(total) + 64 * EPS * largest


def _in_units(X: Any, neurons: Neurons, units: _Units) -> ReLUNetwork:
    hidden = units.back(neurons.weights).T.copy()
    return ReLUNetwork([arrays.from_numpy_like(hidden, X), arrays.from_numpy_like(neurons.signs, X)])


def _several(X: Any, y: Any, task: _Task, draw: np.random.Generator, progress: _Progress) -> ExactFit:
    """Fit several outputs: scalar fits of mixtures of them, then a joint fit."""
    xp, m, s = arrays.namespace(X), task.m, task.s
    small, used, exponents = _scaled_inputs(X)
    live = np.flatnonzero(arrays.to_numpy((y != 0).any(axis=0)))
    Y = xp.ascontiguousarray(y.T)[xp.asarray(live)]
    peaks = np.frexp(arrays.to_numpy(xp.abs(Y).max(axis=1)))[1]
    Y = xp.ldexp(Y, -xp.asarray(peaks)[:, None])
    # in a canonical order, so that the caller's order of outputs does not affect any bit
    order = np.argsort(-deviations(Y), kind="stable")
    Y, live, peaks = Y[xp.asarray(order)], live[order], peaks[order]
    shared = Data(small, Y[0], 0.0, progress.watch)
    outputs = Outputs.of(shared.double, Y, np.array([_rounding(Y[output]) for output in range(len(live))]))

    caller = CallerUnits(used, exponents, live, peaks, int(X.shape[1]), int(y.shape[1]))
    progress.unit = caller.top
    total = caller.squares(outputs.deviation) * int(X.shape[0])

    def scalar(weights: np.ndarray, start: Lines | None, again: bool) -> Fit:
        mixture, rounding = outputs.mixed(weights)
        alone = np.count_nonzero(weights) == 1
        # half of the weights are in the first layer, and each of many outputs uses few of those
        count = max(4, min(s // (min(2 * len(live), 8) if alone else 2), m * len(used)))
        shift = _shift(small, mixture, count)
        data = shared.other(xp.ldexp(mixture, shift), math.ldexp(rounding, shift))
        # its relative residual is recorded as that of all outputs
        progress.peak, progress.rows = float(xp.abs(data.y).max()), total / data.deviation**2
        if start is not None:
            quiet = Quiet(data.X_single, max(NEARLY * data.deviation, 3 * data.rounding))
            with progress.watched():
                return rounds(data, start.times(shift), task.most, progress.round, quiet)
        side = one_side(data.quadratic, data.quadratic.project(data.targets(data.single), 15))
        return _starts(data, replace(task, s=count, restarts=task.restarts if again else 0), side, draw, progress)

    joint = recovered(outputs, scalar, lambda: progress.stop is not None, draw)
    directions, strengths, linear = (arrays.from_numpy_like(part, X) for part in caller.form(joint.form))
    form, network = KinkForm(directions, strengths, linear), None
    status, note = Status.EXACT, ""
    if not joint.exact:
        status = progress.stop or (Status.AT_REST if joint.rested else Status.STEP_LIMIT)
        note = (
            f"{len(joint.open)} of {len(live)} output(s) are not exact, so no network was made of the kink form; noise "
            "in several outputs is not provided for"
        )
    elif not joint.determined:
        status, note = Status.AT_REST, "the residual is rounding, but the data do not determine the fit"
    elif joint.network is None:
        status, note = Status.AT_REST, "no network of the kink form reaches its residual"
    elif joint.network.size[0] > m or joint.network.size[1] > s:
        status, (count, weights) = Status.AT_REST, joint.network.size
        note = (
            f"the kink form does not fit into n_neurons={m} and sparsity={s}: the smallest network found for it has "
            f"{count} neurons and {weights} weights in both layers"
        )
    else:
        layers = caller.layers(joint.network)
        network = ReLUNetwork([arrays.from_numpy_like(layer, X) for layer in layers])
        form = network.kink_form()
    found = form(X) if network is None else network(X)
    relative = caller.relative(joint.left, outputs.deviation)
    exact = f"relative residual {relative:.1e}, {form.n_lines} lines"
    message = "; ".join(part for part in (status.value, exact, note) if part)
    return ExactFit(network, form, psnr(found, y), relative, progress.n_iter, status, message, progress.history)


def _determined(data: Data, fit: Fit) -> tuple[Status, str]:
    """Return whether the columns of the fit are linearly independent; if not, other weights fit equally well."""
    inputs, model = told_apart(data.double, fit.model), fit.model
    unknowns = len(inputs.straight) + len(inputs.bent) + int(model.support.sum())
    if unknowns >= inputs.n_samples:
        return Status.AT_REST, (
            f"the residual is rounding, but the data do not determine the fit: {inputs.n_samples} samples for "
            f"{unknowns} parameters"
        )
    least = _least_singular(inputs, model)
    if least < DEPENDENT:
        return Status.AT_REST, (
            "the residual is rounding, but the data do not determine the fit: its columns are dependent "
            f"(least singular value {least:.0e}, columns of norm 1)"
        )
    return Status.EXACT, ""


def _least_singular(inputs: Inputs, model: Lines) -> float:
    """Return the smallest singular value of the columns, scaled to norm 1, capped at 1e-4.

    The Gram matrix contains squared singular values, so those below the square root of eps are indistinguishable from
    0. It still gives their directions, by which the columns themselves are then multiplied.
    """
    H, _ = gram(inputs, model, inputs.xp.zeros(inputs.n_samples, dtype=inputs.dtype))
    scale = np.sqrt(np.diag(H))
    if not scale.all():
        return 0.0
    values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
    low = inputs.put(vectors[:, values < 1e-8] / scale[:, None])
    if not low.shape[1]:
        return 1e-4
    parts = [arrays.to_numpy(F.T @ low) for _, _, F in columns(inputs, model)]
    return float(np.linalg.svd(np.concatenate(parts), compute_uv=False)[-1])
