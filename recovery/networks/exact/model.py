"""The identifiable form of a two-layer ReLU network with one output: lines, bends along the axes, and a linear part.

f(x) = b . x + sum_i a_i |x_i| + sum_l sigma_l |w_l . x|, where every w_l has at least two entries and sigma_l = +-1.
The function determines all of it (docs/theory, "The kink form"). As long as no sign of w_l . x changes on the
data, f is linear in (b, a, w), with columns x_i, |x_i| and sigma_l sign(w_l . x) x_i.

The parameters are few and are kept on the host in NumPy arrays. The data stay on the caller's device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.centre import Centre

__all__ = ["Ended", "Inputs", "Lines", "angles", "columns", "directions_of", "predict"]

BLOCK_BYTES = 8 * 2**20
"""Size of a block of columns on the CPU: small enough for the cache, large enough for fast matrix products."""
DEVICE_BYTES = 512 * 2**20
"""The same on a GPU, where kernel launches cost more than memory."""
DEPENDENT = 1e-10
"""A column counts as linearly dependent on others if less than this fraction of its square remains."""


class Ended(Exception):
    """Raised by the `watch` of :class:`Inputs` when the fit has to end."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """The transposed inputs in one dtype, and which columns of the linear part and of the axes are independent.

    Attributes
    ----------
    XT : array, shape (d, n)
        Row i is input i over all samples.
    straight, bent : numpy.ndarray of int
        Inputs i whose column x_i, or |x_i|, is not a linear combination of others. For Gaussian inputs these are all;
        for an input that never changes sign, |x_i| = +-x_i is dependent.
    centre : Centre, optional
        Mean and deviation of inputs that are not centred at 0.
    watch : callable, optional
        Called before each block of samples with the block's size; raises :class:`Ended` when the fit has to end. All
        expensive work runs over the samples in blocks, so this bounds how far a time limit is exceeded.
    """

    XT: Any
    straight: np.ndarray
    bent: np.ndarray
    centre: Centre | None = None
    watch: Callable[[int], None] | None = None

    @classmethod
    def of(cls, X: Any, dtype: Any, watch: Callable[[int], None] | None = None) -> Inputs:
        """Return the inputs of samples X, shape (n, d)."""
        xp = arrays.namespace(X)
        XT = xp.ascontiguousarray(X.T.astype(dtype))
        d = int(XT.shape[0])
        both = xp.concatenate([XT, xp.abs(XT)]).astype(np.float64)
        kept = _independent(arrays.to_numpy(both @ both.T))
        return cls(XT, kept[kept < d], kept[kept >= d] - d, Centre.of(X), watch)

    def to(self, X: Any, dtype: Any) -> Inputs:
        """Return the same inputs in another dtype, made from the samples X."""
        return replace(self, XT=arrays.namespace(X).ascontiguousarray(X.T.astype(dtype)))

    def restrict(self, coordinates: np.ndarray) -> Inputs:
        """Return the inputs with the given indices, in ascending order."""
        place = self.xp.asarray(coordinates)
        straight = np.flatnonzero(np.isin(coordinates, self.straight))
        bent = np.flatnonzero(np.isin(coordinates, self.bent))
        centre = self.centre if self.centre is None else self.centre.restrict(coordinates)
        return replace(self, XT=self.XT[place], straight=straight, bent=bent, centre=centre)

    @property
    def xp(self) -> Any:
        """Array module of the inputs."""
        return arrays.namespace(self.XT)

    @property
    def n_inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.XT.shape[0])

    @property
    def n_samples(self) -> int:
        """Number of samples, n."""
        return int(self.XT.shape[1])

    @property
    def dtype(self) -> np.dtype:
        """Type of the inputs."""
        return np.dtype(self.XT.dtype)

    def put(self, values: np.ndarray) -> Any:
        """Move host values to the inputs' device, in their dtype."""
        return self.xp.asarray(values, dtype=self.dtype)

    def blocks(self, width: int) -> Iterator[slice]:
        """Yield slices of samples for which `width` rows fit into a block."""
        size = DEVICE_BYTES if arrays.device_of(self.XT) == "gpu" else BLOCK_BYTES
        rows = max(256, size // (self.dtype.itemsize * max(1, width)))
        for start in range(0, self.n_samples, rows):
            if self.watch is not None:
                self.watch(rows * width)
            yield slice(start, min(start + rows, self.n_samples))


@dataclass(eq=False)
class Lines:
    """Parameters of the model, on the host.

    Attributes
    ----------
    linear, axes : numpy.ndarray, shape (d,)
        b and a.
    weights : numpy.ndarray, shape (L, d)
        Row l is w_l, zero outside of its support.
    signs : numpy.ndarray, shape (L,)
        sigma_l.
    support : numpy.ndarray of bool, shape (L, d)
        Which entries are parameters.

    Notes
    -----
    Immutable by convention: methods return new objects, and arrays are never modified after construction.
    """

    linear: np.ndarray
    axes: np.ndarray
    weights: np.ndarray
    signs: np.ndarray
    support: np.ndarray

    @classmethod
    def none(cls, d: int) -> Lines:
        """Return the zero function of d inputs."""
        return cls(np.zeros(d), np.zeros(d), np.zeros((0, d)), np.zeros(0), np.zeros((0, d), dtype=bool))

    @property
    def n_lines(self) -> int:
        """Number of lines off the axes, L."""
        return int(self.weights.shape[0])

    @property
    def norms(self) -> np.ndarray:
        """|w_l|, shape (L,)."""
        return np.sqrt((self.weights**2).sum(axis=1))

    @property
    def units(self) -> np.ndarray:
        """w_l / |w_l|, shape (L, d)."""
        return self.weights / self.norms[:, None]

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the line and the input of each line parameter, line by line."""
        line, coordinate = np.nonzero(self.support)
        return line, coordinate

    def copy(self) -> Lines:
        """Return a copy whose arrays may be modified."""
        return Lines(*(part.copy() for part in (self.linear, self.axes, self.weights, self.signs, self.support)))

    def select(self, keep: np.ndarray) -> Lines:
        """Return the model with only some of its lines, given by a mask or by indices."""
        return Lines(self.linear, self.axes, self.weights[keep], self.signs[keep], self.support[keep])

    def with_lines(self, directions: np.ndarray, amplitudes: np.ndarray, support: np.ndarray | None = None) -> Lines:
        """Return the model with further lines sum_k amplitudes_k |directions_k . x|, directions of shape (K, d)."""
        weights = directions * np.abs(amplitudes)[:, None]
        return Lines(
            self.linear,
            self.axes,
            np.concatenate([self.weights, weights]),
            np.concatenate([self.signs, np.where(amplitudes < 0, -1.0, 1.0)]),
            np.concatenate([self.support, directions != 0 if support is None else support]),
        )

    def times(self, power: int) -> Lines:
        """Return the model times 2^power."""
        linear, axes, weights = (np.ldexp(part, power) for part in (self.linear, self.axes, self.weights))
        return Lines(linear, axes, weights, self.signs, self.support)

    def tidy(self) -> Lines:
        """Return the same function with one-entry lines moved to the axes and empty lines removed."""
        count = self.support.sum(axis=1)
        single = np.flatnonzero(count == 1)
        axes = self.axes.copy()
        np.add.at(axes, self.support[single].argmax(axis=1), self.signs[single] * self.norms[single])
        kept = self.select((count >= 2) & (self.norms > 0))
        return Lines(self.linear, axes, kept.weights, kept.signs, kept.support)

    def without(self, line: np.ndarray, coordinate: np.ndarray) -> Lines:
        """Return the model without the given entries."""
        model = self.copy()
        model.weights[line, coordinate] = 0.0
        model.support[line, coordinate] = False
        return model

    def moved(self, inputs: Inputs, step: np.ndarray) -> Lines:
        """Return the model after a step of its parameters, in the order of :func:`columns`.

        A line that would turn by more than a right angle flips its sign instead.
        """
        linear, axes, weights = self.linear.copy(), self.axes.copy(), self.weights.copy()
        first, second = len(inputs.straight), len(inputs.straight) + len(inputs.bent)
        linear[inputs.straight] += step[:first]
        axes[inputs.bent] += step[first:second]
        line, coordinate = self.places()
        weights[line, coordinate] += step[second:]
        turned = np.where((weights * self.weights).sum(axis=1) < 0, -1.0, 1.0)
        return Lines(linear, axes, weights * turned[:, None], self.signs * turned, self.support)


def predict(inputs: Inputs, model: Lines) -> Any:
    """Return f at all samples, shape (n,), on the device of the inputs and in their dtype."""
    xp = inputs.xp
    linear, axes = inputs.put(model.linear), inputs.put(model.axes)
    weights, signs = inputs.put(model.weights), inputs.put(model.signs)
    parts = []
    for rows in inputs.blocks(model.n_lines + inputs.n_inputs):
        block = inputs.XT[:, rows]
        out = linear @ block + axes @ xp.abs(block)
        if model.n_lines:
            out = out + signs @ xp.abs(weights @ block)
        parts.append(out)
    return xp.concatenate(parts)


def columns(inputs: Inputs, model: Lines) -> Iterator[tuple[slice, Any, Any]]:
    """Yield the columns of the model in blocks of samples.

    Yields
    ------
    rows : slice
        The samples.
    signs : array, shape (L, c)
        sigma_l sign(w_l . x).
    F : array, shape (p, c)
        The columns, as rows: x_i for i in ``inputs.straight``, |x_i| for i in ``inputs.bent``, then one for every entry
        of a line, line by line.
    """
    xp = inputs.xp
    line, coordinate = model.places()
    straight, bent = xp.asarray(inputs.straight), xp.asarray(inputs.bent)
    first, second = len(inputs.straight), len(inputs.straight) + len(inputs.bent)
    weights, sigma = inputs.put(model.weights), inputs.put(model.signs)[:, None]
    line_on, coordinate_on = xp.asarray(line), xp.asarray(coordinate)
    for rows in inputs.blocks(second + len(line)):
        block = inputs.XT[:, rows]
        F = xp.empty((second + len(line), rows.stop - rows.start), dtype=inputs.dtype)
        F[:first] = block[straight]
        F[first:second] = xp.abs(block[bent])
        signs = xp.sign(weights @ block) * sigma
        if len(line):
            xp.multiply(signs[line_on], block[coordinate_on], out=F[second:])
        yield rows, signs, F


def angles(model: Lines, bent: np.ndarray) -> np.ndarray:
    """Return the angles between lines and between lines and axes, shape (L, L + d).

    Entry (j, k) is the angle of lines j and k for k < L, and that of line j and axis k - L for k >= L; infinite on the
    diagonal, and for axes not in `bent`. Small angles are computed from the difference of the unit vectors, which is
    accurate to the last digit, unlike 1 - cos^2.
    """
    units = model.units
    count, d = units.shape
    found = np.full((count, count + d), np.inf)
    if not count:
        return found
    cosine = np.minimum(np.abs(units @ units.T), 1.0)
    found[:, :count] = np.arccos(cosine)
    near, other = np.nonzero(cosine > 0.99)
    side = np.sign((units[near] * units[other]).sum(axis=1))[:, None]
    gap = np.sqrt(((units[near] - side * units[other]) ** 2).sum(axis=1))
    found[near, other] = 2.0 * np.arcsin(np.minimum(0.5 * gap, 1.0))
    found[np.arange(count), np.arange(count)] = np.inf
    rest = (model.weights**2).sum(axis=1)[:, None] - model.weights**2
    rest = np.where(rest > 1e-6 * model.norms[:, None] ** 2, rest, _rest(model.weights))
    found[:, count + bent] = np.arctan2(np.sqrt(rest), np.abs(model.weights))[:, bent]
    return found


def directions_of(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit directions, their largest entries positive, and norms of the rows of weights in the caller's units.

    The largest entry is factored out first, so no square under- or overflows.
    """
    top = np.abs(weights).max(axis=1, initial=0.0)[:, None]
    norms = top[:, 0] * np.sqrt(((weights / top) ** 2).sum(axis=1))
    directions = weights / norms[:, None]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return directions, norms


def _rest(weights: np.ndarray) -> np.ndarray:
    """Return sum_{k != i} w_k^2, avoiding cancellation for each row's largest entry (for others it is not small)."""
    rest = (weights**2).sum(axis=1)[:, None] - weights**2
    top = np.abs(weights).argmax(axis=1)
    others = weights.copy()
    others[np.arange(len(top)), top] = 0.0
    rest[np.arange(len(top)), top] = (others**2).sum(axis=1)
    return np.maximum(rest, 0.0)


def _independent(gram: np.ndarray) -> np.ndarray:
    """Return the indices of the columns that are independent of the preceding ones, from their Gram matrix."""
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    left = gram / np.outer(scale, scale)
    kept = []
    for k in range(len(left)):
        if left[k, k] > DEPENDENT and gram[k, k] > 0:
            kept.append(k)
            left = left - np.outer(left[:, k], left[k]) / left[k, k]
    return np.array(kept, dtype=np.intp)
