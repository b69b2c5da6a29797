"""Fit many networks of the same width: as batched products on a GPU, one after another on a CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer
from planted.base.frames import names_of
from planted.base.progress import Progress, bar
from planted.networks import ReLUNetwork
from recovery.mlp.losses import psnr
from recovery.mlp.record import (
    FitMethod,
    FitSettings,
    FitState,
    Loss,
    NetworkFit,
    Record,
    check_widths,
    problems,
    sentence,
)
from recovery.networks.fitting import fit_network
from recovery.networks.methods import Method, PaperMethod, method_of
from recovery.networks.scalar.paper import INNER_STEPS
from recovery.operators.gated import GRAM_COLUMNS
from recovery.solvers.base import Status
from recovery.solvers.gradient import descend

__all__ = ["BatchedReleased", "fit_many"]


FIRST_STEP = 1e-14
TILE_ENTRIES = 2**26
"""Number of activations held in memory at a time."""


class BatchedReleased:
    """B problems of the same width, m neurons with d inputs, that are fitted simultaneously.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        Inputs, shared or not.
    y : array, shape (B, n)
        Targets.
    generators : array, shape (B, m, d)
        The first generators.
    sizes : sequence of int
        s of each problem, from 1 to d m.

    Attributes
    ----------
    weights : array, shape (B, m, d)
        The iterates.

    Notes
    -----
    Neurons that have lost their weights stay in the arrays: their gates are closed, so their gradient is 0. Supports
    are padded to the largest one; a padded entry has the index d m, a column of zeros and the value 0. A problem that
    overflows keeps its last finite iterate.
    """

    def __init__(self, X: Any, y: Any, generators: Any, sizes: Sequence[int]) -> None:
        self.xp = xp = arrays.namespace(X, y, generators)
        inputs = X if X.ndim == 3 else X[None]
        self._Xt = xp.ascontiguousarray(inputs.transpose(0, 2, 1))
        self._y, self._dtype = y, np.dtype(y.dtype)
        self._count, self._m, self._d = (int(size) for size in generators.shape)
        self._n, self._size = int(y.shape[1]), self._m * self._d
        self._problem = xp.arange(self._count)[:, None]
        self._sizes = xp.asarray(np.array(sizes, dtype=np.int64))[:, None]
        self._most = max(sizes)
        self.weights = xp.zeros((self._count, self._m, self._d), dtype=self._dtype)
        self._fine = xp.ones(self._count, dtype=bool)
        self._idx: Any = None
        self._gates = xp.empty((self._count, self._m, self._n), dtype=bool)
        for a, b, inputs in self._tiles():
            self._gates[:, :, a:b] = generators @ inputs > 0
        self._gradient = self._adjoint(y)

    @np.errstate(over="ignore", invalid="ignore")
    def step(self, moves: bool) -> list[list[float]]:
        """Make one step and return its statistics, one row per problem (one synchronisation).

        Parameters
        ----------
        moves : bool
            Whether the gates follow the weights afterwards.

        Returns
        -------
        list of list
            1 if the weights are finite, |r|^2 after the gate update, number of weights that entered, number of gate
            bits that flipped, number of neurons with non-zero weights.
        """
        xp = self.xp
        flat = self.weights.reshape(self._count, self._size)
        mu = self._step_size()
        trial = flat + mu[:, None] * self._gradient.reshape(self._count, self._size)
        idx, valid = self._select(trial)
        columns = self._columns(idx, valid)
        start = xp.where(valid, trial[self._problem, xp.minimum(idx, self._size - 1)], 0)
        descent = _times(columns, self._y - _combine(start, columns))
        values = descend(_SideBySide(columns), start, descent, mu, INNER_STEPS)
        found = xp.zeros((self._count, self._size + 1), dtype=self._dtype)
        found[self._problem, idx] = values
        finite = xp.isfinite(values).all(axis=1) & xp.isfinite(trial).all(axis=1)
        self._fine = self._fine & finite
        previous = self.weights
        self.weights = xp.where(
            self._fine[:, None, None], found[:, : self._size].reshape(self.weights.shape), self.weights
        )
        entered = self._entered(idx, valid)
        self._idx = idx
        carries = (self.weights != 0).any(axis=2)
        if moves:
            residual, flips = self._follow(carries)
        else:
            residual, flips = self._residual(), xp.zeros(self._count)
            self._gradient = self._adjoint(self._y - _combine(values, columns))
        square = (residual * residual).sum(axis=1)
        self._fine = self._fine & xp.isfinite(square)
        self.weights = xp.where(self._fine[:, None, None], self.weights, previous)
        numbers = [finite, square, entered, flips, carries.sum(axis=1)]
        return arrays.to_numpy(xp.stack([one.astype("float64") for one in numbers], axis=1)).tolist()

    def _step_size(self) -> Any:
        """Return |g_S|^2 / (|A_S g_S|^2 + 1e-8) for each problem; a tiny number before the first selection."""
        xp = self.xp
        if self._idx is None:
            return xp.full(self._count, FIRST_STEP, dtype=self._dtype)
        valid = self._idx < self._size
        gradient = self._gradient.reshape(self._count, self._size)
        inside = xp.where(valid, gradient[self._problem, xp.minimum(self._idx, self._size - 1)], 0)
        image = _combine(inside, self._columns(self._idx, valid))
        return (inside * inside).sum(axis=1) / ((image * image).sum(axis=1) + 1e-8)

    def _select(self, trial: Any) -> tuple[Any, Any]:
        """Return the positions of each problem's s largest entries, ascending and padded, and a mask of the real ones.

        A stable sort of all entries: ties go to the smaller index, and nothing is transferred to the host.
        """
        xp = self.xp
        order = xp.argsort(-xp.abs(trial), axis=1, kind="stable")[:, : self._most]
        wanted = xp.arange(self._most)[None] < self._sizes
        idx = xp.sort(xp.where(wanted, order, self._size), axis=1)
        return idx, idx < self._size

    def _columns(self, idx: Any, valid: Any) -> Any:
        """Return the columns of each support as the rows of a (B, s, n) array; zeros for padding."""
        xp = self.xp
        inside = xp.minimum(idx, self._size - 1)
        gate, feature = inside // self._d, inside % self._d
        shared = int(self._Xt.shape[0]) == 1
        columns = self._Xt[0][feature] if shared else self._Xt[self._problem, feature]
        columns *= self._gates[self._problem, gate] & valid[:, :, None]
        return columns

    def _entered(self, idx: Any, valid: Any) -> Any:
        xp = self.xp
        if self._idx is None:
            return valid.sum(axis=1)
        before = xp.zeros((self._count, self._size + 1), dtype=bool)
        before[self._problem, self._idx] = True
        return (valid & ~before[self._problem, idx]).sum(axis=1)

    def _tiles(self) -> Iterator[tuple[int, int, Any]]:
        step = max(1, TILE_ENTRIES // (self._count * self._m))
        for a in range(0, self._n, step):
            b = min(a + step, self._n)
            yield a, b, self._Xt[:, :, a:b]

    def _adjoint(self, r: Any) -> Any:
        out = self.xp.zeros(self.weights.shape, dtype=self._dtype)
        for a, b, inputs in self._tiles():
            out += self._gates[:, :, a:b].astype(self._dtype) @ (inputs * r[:, None, a:b]).transpose(0, 2, 1)
        return out

    def _residual(self) -> Any:
        """Return y - sum_j relu(X w_j)."""
        xp = self.xp
        parts = [self._y[:, a:b] - xp.maximum(self.weights @ inputs, 0).sum(axis=1) for a, b, inputs in self._tiles()]
        return xp.concatenate(parts, axis=1)

    def _follow(self, carries: Any) -> tuple[Any, Any]:
        """Set the gates to the weights, keep the gradient; return the residual and the number of flipped bits."""
        xp = self.xp
        residual, flips = xp.empty_like(self._y), xp.zeros(self._count, dtype=xp.int64)
        self._gradient = xp.zeros(self.weights.shape, dtype=self._dtype)
        for a, b, inputs in self._tiles():
            tile = self.weights @ inputs
            bits = tile > 0
            flips = flips + ((bits != self._gates[:, :, a:b]) & carries[:, :, None]).sum(axis=(1, 2))
            self._gates[:, :, a:b] = bits
            part = self._y[:, a:b] - xp.maximum(tile, 0).sum(axis=1)
            residual[:, a:b] = part
            self._gradient += bits.astype(self._dtype) @ (inputs * part[:, None]).transpose(0, 2, 1)
        return residual, flips


def _combine(values: Any, columns: Any) -> Any:
    """Return A_S values of each problem, (B, n)."""
    return (values[:, None] @ columns)[:, 0]


def _times(columns: Any, r: Any) -> Any:
    """Return A_S' r of each problem, (B, s)."""
    return (columns @ r[:, :, None])[:, :, 0]


class _SideBySide:
    """A_S of each problem, with the interface that :func:`recovery.solvers.gradient.descend` needs."""

    def __init__(self, columns: Any) -> None:
        self.columns = columns
        few = int(columns.shape[1]) <= GRAM_COLUMNS
        self.gram = columns @ columns.transpose(0, 2, 1) if few else None

    def square(self, values: Any) -> Any:
        """Return |values|^2 of each problem, (B,)."""
        return (values * values).sum(axis=1)

    def curvature(self, values: Any) -> Any:
        """Return |A_S values|^2 of each problem, (B,)."""
        if self.gram is not None:
            return (values * _times(self.gram, values)).sum(axis=1)
        return self.square(_combine(values, self.columns))

    def normal(self, values: Any) -> tuple[Any, Any]:
        """Return A_S' A_S values, (B, s), and |A_S values|^2, (B,)."""
        if self.gram is not None:
            product = _times(self.gram, values)
            return product, (values * product).sum(axis=1)
        image = _combine(values, self.columns)
        return _times(self.columns, image), self.square(image)


GROUP_BYTES = 8 * 2**30
"""Problems are fitted together as long as their gates and columns need at most this many bytes."""


class FitOptions(TypedDict, total=False):
    """Arguments of :func:`recovery.fit_network` that are the same for all problems."""

    loss: Loss
    solver: str | None
    max_iter: int
    gate_update: int | None
    batch_size: int | None
    restarts: int
    time_limit: float | None
    tol: float
    callback: Callable[[FitState], Any] | None


def fit_many(
    X: Any,
    Y: Any,
    *,
    n_neurons: int | Sequence[int],
    sparsity: int | Sequence[int],
    method: Method | FitMethod = "auto",
    rngs: Sequence[Any] | None = None,
    together: bool | None = None,
    progress: Progress = False,
    **options: Unpack[FitOptions],
) -> list[NetworkFit]:
    """Fit several problems of the same width, each as :func:`recovery.fit_network` does.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        Inputs that all problems share, or inputs of each.
    Y : array, shape (B, n) or (B, n, k), or sequence of B arrays
        Targets, one entry per problem.
    n_neurons, method, **options
        As in :func:`recovery.fit_network`, the same for all problems; `time_limit` applies to each.
    sparsity : int or sequence of B integers
        s of all problems, or of each.
    rngs : sequence of B, optional
        `rng` of each problem.
    together : bool, optional
        Whether to make each step for many problems at once, if the method supports it: ``"paper"`` for one output and
        one hidden layer, on all rows, without a time limit. By default only on a GPU, where a single problem leaves
        most of the device idle; a CPU is busy with one problem, and batching would only add the padding.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` with the number of
        problems that are fitted, and of all.

    Returns
    -------
    list of NetworkFit
        In the order of the problems.

    Raises
    ------
    TypeError, ValueError
        As in :func:`recovery.fit_network`, or if the numbers of targets, sparsities and rngs differ.

    Warns
    -----
    RuntimeWarning
        If the device ran out of memory and fewer problems are fitted together.

    See Also
    --------
    recovery.imp_many : the same for iterative magnitude pruning.

    Notes
    -----
    Each problem has the same iterates as alone, up to rounding. A step of a group needs one synchronisation, however
    many problems are in it. Problems of similar sparsity are grouped, because columns are padded to the largest s of
    the group.
    """
    chosen = method_of(method)
    inputs, targets, sizes, draws = problems(X, Y, sparsity, rngs)
    if together is None:
        together = arrays.device_of(inputs[0]) == "gpu"
    fits: dict[int, NetworkFit] = {}
    names = names_of(X)
    with bar(progress, len(targets), user="fit_many", unit="problem") as shown:
        if together and isinstance(chosen, PaperMethod):
            fits = _together(X, targets, FitSettings(check_widths(n_neurons), 0, **options), sizes, draws)
            shown.at(len(fits))
        for b, (x, y) in enumerate(zip(inputs, targets, strict=True)):
            if b not in fits:
                fit = fit_network(x, y, n_neurons=n_neurons, sparsity=sizes[b], method=method, rng=draws[b], **options)
                fits[b] = fit
                shown.step()
    if names is not None:
        fits = {b: replace(fit, names=names) for b, fit in fits.items()}
    return [fits[b] for b in range(len(targets))]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Problems with one output and the same width, to be fitted together; lists are indexed by problem."""

    X: Any
    Y: Any
    settings: FitSettings
    sizes: Sequence[int]
    peaks: Sequence[float]
    starts: dict[int, np.ndarray]


def _together(
    X: Any, targets: Sequence[Any], settings: FitSettings, sizes: Sequence[int], draws: Sequence[Any]
) -> dict[int, NetworkFit]:
    """Fit the problems that can be fitted together, and skip the others."""
    alone = len(settings.widths) > 1 or settings.loss != "squared" or settings.solver is not None
    if alone or settings.batch_size is not None or settings.time_limit is not None or settings.callback is not None:
        return {}
    if any(y.ndim == 2 for y in targets):
        return {}
    X = check_array(X, "X", ndim=(2, 3))
    xp = arrays.namespace(X, *targets)
    dtype = np.result_type(X.dtype, *(y.dtype for y in targets))
    X, Y = X.astype(dtype), xp.stack(list(targets)).astype(dtype)
    n, d, (m,) = int(Y.shape[1]), int(X.shape[-1]), settings.widths
    for b, s in enumerate(sizes):
        check_integer(s, f"sparsity[{b}]", minimum=0, maximum=m * d)
    peaks = arrays.to_numpy(xp.abs(Y).max(axis=1)).tolist()
    live = [b for b, s in enumerate(sizes) if s and peaks[b] > 0]
    starts = {b: arrays.generator(draws[b]).standard_normal((m, d)) for b in live}
    batch = _Batch(X, Y, settings, sizes, peaks, starts)
    fits: dict[int, NetworkFit] = {}
    for group in _groups(sorted(live, key=lambda b: sizes[b]), sizes, n, m, dtype.itemsize):
        fits.update(_fit_group(batch, group))
    return fits


def _groups(order: Sequence[int], sizes: Sequence[int], n: int, m: int, itemsize: int) -> Iterator[list[int]]:
    """Yield runs of consecutive problems whose gates, plus twice their columns, fit into :data:`GROUP_BYTES`."""
    group: list[int] = []
    for b in order:
        one = n * (2 * m + 2 * itemsize * sizes[b])  # the largest of the group so far
        if group and (len(group) + 1) * one > GROUP_BYTES:
            yield group
            group = []
        group.append(b)
    if group:
        yield group


def _fit_group(batch: _Batch, group: list[int]) -> dict[int, NetworkFit]:
    """Fit a group, or its halves if the device has too little memory for all of it."""
    try:
        return _fit_at_once(batch, group)
    except arrays.out_of_memory_errors():
        if len(group) == 1:
            raise
    arrays.free_memory()
    half = (len(group) + 1) // 2
    warnings.warn(
        f"{len(group)} fits at once did not fit into the memory of the device; {half} are made at once instead",
        RuntimeWarning,
        stacklevel=3,
    )
    return {**_fit_group(batch, group[:half]), **_fit_group(batch, group[half:])}


def _fit_at_once(batch: _Batch, group: list[int]) -> dict[int, NetworkFit]:
    X, settings, sizes = batch.X, batch.settings, batch.sizes
    xp = arrays.namespace(X)
    n, n_iter, gate_update = int(batch.Y.shape[1]), settings.max_iter, settings.gate_update
    rows = xp.asarray(group)
    y = batch.Y[rows]
    generators = xp.asarray(np.stack([batch.starts[b] for b in group]), dtype=X.dtype)
    state = BatchedReleased(X if X.ndim == 2 else X[rows], y, generators, [sizes[b] for b in group])
    records = [Record(settings) for _ in group]
    ended: list[Status | None] = [None] * len(group)
    for step in range(1, n_iter + 1):
        moves = gate_update is not None and step >= 2 and step % gate_update == 0
        numbers = state.step(moves=moves)
        for i, (finite, square, entered, flips, live) in enumerate(numbers):
            if ended[i] is not None:
                continue
            if not finite:
                ended[i] = Status.DIVERGED
                continue
            s = min(sizes[group[i]], generators.shape[1] * int(X.shape[-1]))
            objective = records[i].put(
                square,
                n,
                batch.peaks[group[i]],
                support_change=entered,
                gate_change=flips,
                nonzeros=s,
                neurons=live,
            )
            if not np.isfinite(objective):
                ended[i] = Status.DIVERGED
            elif live == 0 and moves:
                ended[i] = Status.STALLED
        if all(status is not None for status in ended):
            break
    found = {}
    for i, b in enumerate(group):
        hidden = state.weights[i].T
        hidden = hidden[:, xp.flatnonzero((hidden != 0).any(axis=0))]
        network = ReLUNetwork([hidden, xp.ones(hidden.shape[1], dtype=X.dtype)])
        status = ended[i] or Status.STEP_LIMIT
        quality = psnr(network(X if X.ndim == 2 else X[b]), y[i])
        message = sentence(status, n_iter)
        found[b] = NetworkFit(network, quality, records[i].n_iter, status, message, records[i].history)
    return found
