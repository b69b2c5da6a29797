"""A network with its learning units first in every layer, so that the backward pass can skip the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.operators.arithmetic import adjoint, is_tall

__all__ = ["Arranged"]


class Arranged:
    """A copy of a network and its optimiser state, with the units reordered.

    Parameters
    ----------
    layers : sequence of array, shapes (d, m_1), ..., (m_L, k)
        Weights; they are copied.
    biases : sequence of array, shapes (m_1,), ..., (k,), or None
        Biases; they are copied.
    slots : sequence of sequence of array
        Optimiser state such as momenta: each slot is a list with one array per layer, of the shape of the weights or of
        the biases. They are copied, and entries of frozen units are set to zero.
    frozen : sequence of numpy.ndarray of bool, shapes (m_1,), ..., (k,)
        Units that do not learn.
    masks : sequence of array of bool, optional
        Weights that may be non-zero; all by default.

    Attributes
    ----------
    layers, biases, slots
        The copies in the new order, which steps modify in place.
    live : list of int
        Number of learning units in each layer; these come first.
    lowest : int or None
        The lowest layer with a learning unit.
    executed : int
        Multiply-adds of the backward passes so far, counted at each product.

    Notes
    -----
    Slices of the first columns are views, so products with them need no copies. The order of the units affects sums
    over them only by rounding.
    """

    def __init__(
        self, layers: Sequence[Any], biases: Any, slots: Any, frozen: Sequence[np.ndarray], masks: Any = None
    ) -> None:
        self.xp = arrays.namespace(*layers)
        self.live = [int((~mask).sum()) for mask in frozen]
        self.lowest = next((level for level, count in enumerate(self.live) if count), None)
        self._orders = [None if _in_order(mask) else np.argsort(mask, kind="stable") for mask in frozen]
        self._places = [None if order is None else self.xp.asarray(order) for order in self._orders]
        self._back = [None if order is None else self.xp.asarray(np.argsort(order)) for order in self._orders]
        self.layers = self._moved(layers, self._places)
        self.biases = None if biases is None else self._moved(biases, self._places)
        self.slots = [self._moved(slot, self._places) for slot in slots]
        for slot in self.slots:
            for part, count in zip(slot, self.live, strict=True):
                part[..., count:] = 0
        self.masks = None if masks is None else self._moved(masks, self._places)
        self.executed = 0
        self._work: dict[tuple[str, int], Any] = {}

    def targets(self, Y: Any) -> Any:
        """Return targets, shape (n, k), with columns in the order of the outputs."""
        return Y if self._places[-1] is None else self.xp.take(Y, self._places[-1], axis=1)

    def restored(self) -> tuple[list[Any], list[Any] | None, list[list[Any]]]:
        """Return layers, biases and slots in the original order."""
        biases = None if self.biases is None else self._moved(self.biases, self._back)
        return self._moved(self.layers, self._back), biases, [self._moved(slot, self._back) for slot in self.slots]

    def forward(self, X: Any) -> list[Any]:
        """Return X, the activations of every hidden layer, and the outputs."""
        values = [X]
        for level, layer in enumerate(self.layers):
            fresh = values[-1] @ layer
            if self.biases is not None:
                fresh += self.biases[level]
            if level < len(self.layers) - 1:
                self.xp.maximum(fresh, 0, out=fresh)
            values.append(fresh)
        return values

    def backward(self, values: Sequence[Any], outward: Any) -> list[tuple[Any, Any]]:
        """Return the gradients of the units that learn.

        Parameters
        ----------
        values : sequence of array
            The result of :meth:`forward`.
        outward : array, shape (n, k)
            Gradient with respect to the outputs.

        Returns
        -------
        list of (array, array)
            For each layer, the gradients of the first columns, shape (a, live), and of their biases, shape (live,);
            None if no unit learns, and for absent biases. The next call overwrites them.

        Notes
        -----
        Weight gradients are computed only for learning units. The gradient with respect to a layer's outputs is
        computed for all of its units if a layer below learns, only for its learning units if it is the lowest learning
        layer, and not at all below that.
        """
        found: list[tuple[Any, Any]] = [(None, None)] * len(self.layers)
        if self.lowest is None:
            return found
        for level in range(len(self.layers) - 1, self.lowest - 1, -1):
            count = self.live[level]
            if count:
                ours = outward if count == outward.shape[1] else outward[:, :count]
                self._count(values[level], count)
                if is_tall(values[level]):
                    gradient = adjoint(values[level], ours)
                else:
                    gradient = self.work("gradient", level)
                    self.xp.matmul(values[level].T, ours, out=gradient)
                if self.masks is not None:
                    gradient *= self.masks[level][:, :count]
                found[level] = gradient, None if self.biases is None else ours.sum(axis=0)
            if level > self.lowest:
                width = self.live[level - 1] if level - 1 == self.lowest else int(self.layers[level].shape[0])
                self._count(outward, width)
                outward = outward @ self.layers[level][:width].T
                outward *= values[level][:, :width] > 0
        return found

    def work(self, purpose: str, level: int) -> Any:
        """Return reusable work space of the shape of a layer's learning weights, (a, live)."""
        if (purpose, level) not in self._work:
            layer = self.layers[level]
            self._work[purpose, level] = self.xp.empty((int(layer.shape[0]), self.live[level]), dtype=layer.dtype)
        return self._work[purpose, level]

    def _count(self, left: Any, columns: int) -> None:
        self.executed += int(left.shape[0]) * int(left.shape[1]) * columns

    def _moved(self, parts: Sequence[Any], places: Sequence[Any]) -> list[Any]:
        """Return copies of layer or unit arrays with rows and columns reordered."""
        found = []
        for level, part in enumerate(parts):
            rows, columns, own = places[level - 1] if level else None, places[level], part
            if part.ndim == 2 and rows is not None:
                own = own[rows]
            if columns is not None:
                own = self.xp.take(own, columns, axis=part.ndim - 1)
            found.append(own.copy() if own is part else own)
        return found


def _in_order(frozen: np.ndarray) -> bool:
    """Return whether the learning units already come first."""
    return not bool((frozen[:-1] & ~frozen[1:]).any())
