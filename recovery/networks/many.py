"""Fits of many networks of one width at once: batched products on a GPU, one after the other on a CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array, check_choice, check_integer
from planted.networks import ReLUNetwork
from recovery.networks.batched import BatchedReleased
from recovery.networks.fitting import fit_network
from recovery.networks.metrics import psnr
from recovery.networks.record import NetworkFit, Record, sentence
from recovery.results import Status

__all__ = ["fit_many"]

GROUP_BYTES = 8 * 2**30
"""Problems are taken together as long as their gates and columns need at most so many bytes."""


def fit_many(
    X: Any,
    Y: Any,
    *,
    n_neurons: int,
    sparsities: Sequence[int],
    method: str = "released",
    n_iter: int = 100,
    gate_update: int | None = 1,
    rngs: Sequence[Any] | None = None,
    together: bool | None = None,
) -> list[NetworkFit]:
    """Fit several problems of one width, each as :func:`recovery.fit_network` does.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        Inputs that all problems share, or inputs of each.
    Y : array, shape (B, n)
        Targets, a row a problem.
    n_neurons : int
        m, of all problems.
    sparsities : sequence of int
        s of each problem.
    method : {"released", "repaired"}, default "released"
        ``"repaired"`` problems are always fitted one after the other.
    n_iter, gate_update
        As in :func:`recovery.fit_network`, for all problems.
    rngs : sequence, optional
        `rng` of each problem.
    together : bool, optional
        Whether a step is made for many problems at once. By default on a GPU only: there one problem leaves
        most of the device idle, while a CPU is kept busy by one and would compute with the padding.

    Returns
    -------
    list of NetworkFit
        In the order of the problems.

    Raises
    ------
    TypeError, ValueError
        As in :func:`recovery.fit_network`, or if there are not as many targets, sparsities and rngs.

    Warns
    -----
    RuntimeWarning
        If the device ran out of memory and fewer problems are taken together.

    Notes
    -----
    Each problem has the iterates it would have alone, up to rounding. A step of a group synchronises once,
    however many problems are in it. Problems of similar sparsity are grouped, as columns are padded to the largest
    s of the group.
    """
    check_choice(method, "method", ("released", "repaired"))
    X, Y = check_array(X, "X", ndim=(2, 3)), check_array(Y, "Y", ndim=2)
    xp = arrays.namespace(X, Y)
    count, n, d = int(Y.shape[0]), int(X.shape[-2]), int(X.shape[-1])
    rngs = [None] * count if rngs is None else list(rngs)
    if int(Y.shape[1]) != n or (X.ndim == 3 and int(X.shape[0]) != count):
        raise ValueError(
            f"Y has shape {tuple(Y.shape)} and X {tuple(X.shape)}; expected Y of shape (B, n) with X of shape (n, d) "
            "or (B, n, d)"
        )
    if len(sparsities) != count or len(rngs) != count:
        raise ValueError(
            f"there are {count} rows of Y, {len(sparsities)} sparsities and {len(rngs)} rngs; expected equally many"
        )
    n_neurons = check_integer(n_neurons, "n_neurons", minimum=1)
    sizes = [check_integer(s, f"sparsities[{b}]", minimum=0, maximum=n_neurons * d) for b, s in enumerate(sparsities)]
    n_iter = check_integer(n_iter, "n_iter", minimum=1)
    if gate_update is not None:
        gate_update = check_integer(gate_update, "gate_update", minimum=1)
    if together is None:
        together = arrays.device_of(X) == "gpu"
    dtype = np.result_type(X.dtype, Y.dtype)
    X, Y = X.astype(dtype), Y.astype(dtype)
    peaks = arrays.to_numpy(xp.abs(Y).max(axis=1)).tolist()
    batched = [b for b in range(count) if together and method == "released" and sizes[b] and peaks[b] > 0]
    fits: dict[int, NetworkFit] = {}
    for b in range(count):
        if b not in batched:
            fits[b] = fit_network(
                X if X.ndim == 2 else X[b],
                Y[b],
                n_neurons=n_neurons,
                sparsity=sizes[b],
                method=method,
                n_iter=n_iter,
                gate_update=gate_update,
                rng=rngs[b],
            )
    starts = {b: arrays.generator(rngs[b]).standard_normal((n_neurons, d)) for b in batched}
    for group in _groups(sorted(batched, key=lambda b: sizes[b]), sizes, n, n_neurons, dtype.itemsize):
        fits.update(_fit_group(X, Y, starts, sizes, peaks, n_iter, gate_update, group))
    return [fits[b] for b in range(count)]


def _groups(order: Sequence[int], sizes: Sequence[int], n: int, m: int, itemsize: int) -> Iterator[list[int]]:
    """Yield neighbours in the order whose gates, and columns twice, fit into :data:`GROUP_BYTES`."""
    group: list[int] = []
    for b in order:
        one = n * (2 * m + 2 * itemsize * sizes[b])  # the largest of the group so far
        if group and (len(group) + 1) * one > GROUP_BYTES:
            yield group
            group = []
        group.append(b)
    if group:
        yield group


def _fit_group(
    X: Any,
    Y: Any,
    starts: dict[int, np.ndarray],
    sizes: Sequence[int],
    peaks: Sequence[float],
    n_iter: int,
    gate_update: int | None,
    group: list[int],
) -> dict[int, NetworkFit]:
    """Fit a group, or its halves where the device has no room for all of it."""
    try:
        return _fit_together(X, Y, starts, sizes, peaks, n_iter, gate_update, group)
    except arrays.out_of_memory_errors():
        if len(group) == 1:
            raise
    arrays.free_memory()
    half = (len(group) + 1) // 2
    warnings.warn(
        f"{len(group)} fits at once did not fit into the memory of the device; {half} are taken at once instead",
        RuntimeWarning,
        stacklevel=3,
    )
    halves = (group[:half], group[half:])
    return {
        b: fit
        for part in halves
        for b, fit in _fit_group(X, Y, starts, sizes, peaks, n_iter, gate_update, part).items()
    }


def _fit_together(
    X: Any,
    Y: Any,
    starts: dict[int, np.ndarray],
    sizes: Sequence[int],
    peaks: Sequence[float],
    n_iter: int,
    gate_update: int | None,
    group: list[int],
) -> dict[int, NetworkFit]:
    xp = arrays.namespace(X)
    n = int(Y.shape[1])
    rows = xp.asarray(group)
    y = Y[rows]
    generators = xp.asarray(np.stack([starts[b] for b in group]), dtype=X.dtype)
    state = BatchedReleased(X if X.ndim == 2 else X[rows], y, generators, [sizes[b] for b in group])
    records = [Record(n_iter, None, None) for _ in group]
    ended: list[Status | None] = [None] * len(group)
    for step in range(1, n_iter + 1):
        numbers = state.step(moves=gate_update is not None and step >= 2 and step % gate_update == 0)
        for i, (finite, square, entered, flips, live) in enumerate(numbers):
            if ended[i] is not None:
                continue
            if not finite:
                ended[i] = Status.DIVERGED
                continue
            s = min(sizes[group[i]], generators.shape[1] * int(X.shape[-1]))
            objective = records[i].put(square, n, peaks[group[i]], entered, flips, s, live)
            if not np.isfinite(objective):
                ended[i] = Status.DIVERGED
            elif live == 0 and gate_update is not None and step >= 2 and step % gate_update == 0:
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
