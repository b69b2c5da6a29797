"""Steps of the released method for many problems at once: every array has the problems as its first axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from planted import arrays
from recovery.networks.inner import ARMIJO, GRAM_COLUMNS, INNER_STEPS, MAX_HALVINGS

__all__ = ["BatchedReleased"]

FIRST_STEP = 1e-14
TILE_ENTRIES = 2**26
"""Activations that are held at a time."""


class BatchedReleased:
    """B problems of one width, m neurons of d inputs, that are fitted side by side.

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
    Neurons that lost their weights stay in the arrays: their gates are shut, so that their gradient is 0. Supports
    are padded to the largest one; a padded entry has the index d m, a column of zeros and the value 0. A problem that
    left the range of the numbers stays where it was.
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
        """Make one step and return its numbers, a row a problem (one synchronisation).

        Parameters
        ----------
        moves : bool
            Whether the gates follow the weights afterwards.

        Returns
        -------
        list of list
            1 if the weights are finite, |r|^2 with gates that follow, weights that entered, gate bits that
            flipped, neurons that carry weight.
        """
        xp = self.xp
        flat = self.weights.reshape(self._count, self._size)
        mu = self._step_size()
        trial = flat + mu[:, None] * self._gradient.reshape(self._count, self._size)
        idx, valid = self._select(trial)
        columns = self._columns(idx, valid)
        start = xp.where(valid, trial[self._problem, xp.minimum(idx, self._size - 1)], 0)
        descent = _times(columns, self._y - _combine(start, columns))
        values = _descend(xp, columns, start, descent, mu)
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
        """Return |g_S|^2 / (|A_S g_S|^2 + 1e-8) of each problem; a tiny number before the first selection."""
        xp = self.xp
        if self._idx is None:
            return xp.full(self._count, FIRST_STEP, dtype=self._dtype)
        valid = self._idx < self._size
        gradient = self._gradient.reshape(self._count, self._size)
        inside = xp.where(valid, gradient[self._problem, xp.minimum(self._idx, self._size - 1)], 0)
        image = _combine(inside, self._columns(self._idx, valid))
        return (inside * inside).sum(axis=1) / ((image * image).sum(axis=1) + 1e-8)

    def _select(self, trial: Any) -> tuple[Any, Any]:
        """Return the places of the s largest entries of each problem, ascending, padded; and which are no padding.

        A stable sort of all entries: ties go to the smaller index, and nothing is read back.
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
        """Let the gates follow the weights, keep the gradient; return the residual and the number of flipped bits."""
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


def _descend(xp: Any, columns: Any, start: Any, descent: Any, mu: Any) -> Any:
    """Make the inner gradient steps of :func:`recovery.networks.inner.descend` for each problem."""
    tiny = float(np.finfo(start.dtype).tiny)
    gram = columns @ columns.transpose(0, 2, 1) if int(start.shape[1]) <= GRAM_COLUMNS else None
    values, gradient = start, descent
    for _ in range(INNER_STEPS):
        if gram is not None:
            product = _times(gram, gradient)
            curvature = (gradient * product).sum(axis=1)
        else:
            image = _combine(gradient, columns)
            product, curvature = _times(columns, image), (image * image).sum(axis=1)
        ratio = mu * curvature / xp.maximum((2.0 - ARMIJO) * (gradient * gradient).sum(axis=1), tiny)
        halvings = xp.minimum(xp.ceil(xp.log2(xp.maximum(ratio, 1.0))), MAX_HALVINGS + 1.0)
        failed = (halvings > MAX_HALVINGS)[:, None]
        mu = mu * 2.0**-halvings
        values = xp.where(failed, start, values + mu[:, None] * gradient)
        gradient = xp.where(failed, descent, gradient - mu[:, None] * product)
    return values
