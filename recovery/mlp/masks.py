"""Masks that say which weights of a network may be non-zero, and global pruning by magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_gates, check_integer, check_number
from planted.base.files import Stored
from planted.base.values import by_value, frozen
from recovery.mlp.passes import Shapes
from recovery.operators.thresholding import refuse_nan, select_top

__all__ = ["Compact", "Masks", "live_neurons", "pruned_count"]


@by_value
class Masks(Stored):
    """Masks for a list of layers: which weights may be non-zero.

    Parameters
    ----------
    layers : sequence of array, each of shape (a, b)
        Bools, or zeros and ones, on one device. They are copied.

    Attributes
    ----------
    layers : tuple of array of bool
        The masks; NumPy arrays are read-only. Masks are immutable: pruning returns new ones.

    Raises
    ------
    TypeError, ValueError
        If a mask is not a matrix or contains values other than 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> masks = Masks([np.ones((2, 2)), np.ones((2, 1))])
    >>> pruned = masks.prune([np.array([[3.0, -1.0], [0.5, 2.0]]), np.array([[4.0], [0.1]])], count=3)
    >>> pruned.count, pruned.layers[0].astype(int).tolist()
    (3, [[1, 0], [0, 1]])
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        checked = [check_gates(layer, f"layers[{i}]") for i, layer in enumerate(layers)]
        if not checked:
            raise ValueError("layers is empty; expected at least one mask")
        arrays.namespace(*checked)
        self.layers = tuple(frozen(layer) for layer in checked)
        self._count: int | None = None

    @classmethod
    def full(cls, layers: Iterable[Any]) -> Masks:
        """Return masks that keep every weight of the given layers (arrays of shape (a, b))."""
        return cls([arrays.namespace(layer).ones(layer.shape, dtype=bool) for layer in layers])

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each layer."""
        return tuple(tuple(layer.shape) for layer in self.layers)

    @property
    def flat(self) -> Any:
        """All masks as one vector of bool, layer after layer, each in row-major order."""
        return arrays.namespace(*self.layers).concatenate([layer.ravel() for layer in self.layers])

    @property
    def count(self) -> int:
        """Number of weights that are kept."""
        if self._count is None:
            self._count = int(self.flat.sum())
        return self._count

    def apply(self, weights: Sequence[Any]) -> list[Any]:
        """Return the weights, with exact zeros where the masks are 0.

        Parameters
        ----------
        weights : sequence of array
            One array per layer, of the layer's shape.

        Returns
        -------
        list of array
            New arrays; kept weights are bitwise unchanged.
        """
        weights = self._checked(weights)
        xp = arrays.namespace(*weights)
        return [
            xp.where(mask, layer, xp.zeros((), dtype=layer.dtype))
            for mask, layer in zip(self.layers, weights, strict=True)
        ]

    def prune(self, weights: Sequence[Any], *, count: int | None = None, share: float | None = None) -> Masks:
        """Return masks that keep only the largest of the currently kept weights, over all layers together.

        Parameters
        ----------
        weights : sequence of array
            One array of magnitudes (or weights) per layer, of the layer's shape.
        count : int, optional
            How many weights to keep, from 0 to :attr:`count`.
        share : float, optional
            Alternative to `count`: the fraction of the kept weights to drop; see :func:`pruned_count`.

        Returns
        -------
        Masks
            Masks with exactly `count` of the currently kept weights; ties at the boundary go to smaller indices in
            :attr:`flat`. At most five synchronisations.

        Raises
        ------
        TypeError, ValueError
            If the shapes differ, a kept weight is NaN, or not exactly one of `count` and `share` is given.
        """
        if (count is None) == (share is None):
            raise ValueError(f"count={count!r} and share={share!r} were given; expected exactly one of them")
        weights = self._checked(weights)
        if share is not None:
            count = pruned_count(self.count, share)
        count = check_integer(count, "count", minimum=0, maximum=self.count)
        xp = arrays.namespace(*weights)
        places = xp.flatnonzero(self.flat)
        values = xp.concatenate([layer.ravel() for layer in weights])[places]
        refuse_nan(values, "weights")
        kept = xp.zeros(self.flat.shape[0], dtype=bool)
        kept[places[select_top(values, count)]] = True
        pruned, start = [], 0
        for shape in self.shapes:
            size = shape[0] * shape[1]
            pruned.append(kept[start : start + size].reshape(shape))
            start += size
        found = Masks.__new__(Masks)
        found.layers, found._count = tuple(frozen(layer) for layer in pruned), count
        return found

    def __repr__(self) -> str:
        sizes = ", ".join("x".join(map(str, shape)) for shape in self.shapes)
        return f"Masks({sizes}; {self.count} of {sum(a * b for a, b in self.shapes)} kept)"

    def _state(self) -> dict[str, Any]:
        return {"layers": list(self.layers)}

    def _parts(self) -> tuple[Any, ...]:
        return self.layers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self.layers),)

    def _checked(self, weights: Sequence[Any]) -> list[Any]:
        if len(weights) != len(self.layers):
            raise ValueError(f"weights has {len(weights)} layer(s); expected {len(self.layers)}, as the masks")
        return [
            check_array(layer, f"weights[{i}]", ndim=2, finite=False, allow_empty=True, shape=self.shapes[i])
            for i, layer in enumerate(weights)
        ]


def pruned_count(count: int, share: float) -> int:
    """Return how many of `count` weights remain when a fraction of them is dropped.

    Parameters
    ----------
    count : int
        Number of weights, >= 0.
    share : float
        Fraction to drop, from 0 to 1.

    Returns
    -------
    int
        ``count - max(1, round(share * count))``, and 0 for no weights.

    Notes
    -----
    PyTorch's pruning rounds in the same way (half to even), but there a tenth of five weights is none, and pruning gets
    stuck; here at least one weight is dropped, so every sparsity is reached.
    """
    count = check_integer(count, "count", minimum=0)
    share = check_number(share, "share", minimum=0.0, maximum=1.0)
    return max(0, count - max(1, round(share * count)))


def live_neurons(masks: list[np.ndarray]) -> list[np.ndarray]:
    """Return which inputs, neurons and outputs lie on a path of kept weights from an input to an output.

    Parameters
    ----------
    masks : list of numpy.ndarray of bool, shape (..., a, b)
        Masks of the layers.

    Returns
    -------
    list of numpy.ndarray of bool, shape (..., width)
        One array for the inputs, one per hidden layer, and one for the outputs.
    """
    reached: list[Any] = [np.ones(masks[0].shape[:-1], dtype=bool)]
    for mask in masks:
        reached.append((mask & reached[-1][..., :, None]).any(axis=-2))
    heard: list[Any] = [np.ones(reached[-1].shape, dtype=bool)]
    for mask in reversed(masks):
        heard.insert(0, (mask & heard[0][..., None, :]).any(axis=-1))
    return [forth & back for forth, back in zip(reached, heard, strict=True)]


class Compact:
    """The live parts of B networks of equal shape, as B smaller networks of equal shape.

    Parameters
    ----------
    shapes : Shapes
        Shapes of the full networks.
    masks : array of bool, shape (B, size)
        Which weights may be non-zero.

    Attributes
    ----------
    shapes : Shapes
        Shapes of the smaller networks: the inputs that are live in any of them, and in each hidden layer the largest
        number of live neurons of any network (the others are padded with neurons that have no effect).
    mask : array, shape (B, shapes.size)
        The masks of the smaller networks.
    live : numpy.ndarray of bool, shape (B,)
        Whether a network has a path from an input to an output; it is the zero function otherwise.

    Notes
    -----
    A weight outside these parts affects no output and has no gradient, so omitting it only removes zero terms from
    sums. Construction needs one copy of the masks to the host.
    """

    def __init__(self, shapes: Shapes, masks: Any) -> None:
        self.xp, host = arrays.namespace(masks), arrays.to_numpy(masks)
        count = host.shape[0]
        alive = live_neurons(shapes.split(host))
        self.live: np.ndarray = np.asarray(alive[-1].any(axis=-1))
        inputs = np.flatnonzero(alive[0].any(axis=0))
        inputs = inputs if inputs.size else np.zeros(1, dtype=np.int64)
        self._all_inputs = inputs.size == shapes.layers[0][0]
        places = [np.broadcast_to(inputs, (count, inputs.size))]
        for layer in alive[1:-1]:
            width = max(1, int(layer.sum(axis=1).max()))
            # a stable sort: live neurons first, in their original order
            places.append(np.sort(np.argsort(~layer, axis=1, kind="stable")[:, :width], axis=1))
        outputs = np.arange(shapes.layers[-1][1])
        places.append(np.broadcast_to(outputs, (count, outputs.size)))
        widths = [place.shape[1] for place in places]
        self.shapes = Shapes(tuple(pairwise(widths)))
        index = [
            (offset + rows[:, :, None] * width + columns[:, None, :]).reshape(count, -1)
            for offset, (_, width), rows, columns in zip(
                shapes.offsets, shapes.layers, places[:-1], places[1:], strict=False
            )
        ]
        flat = np.concatenate(index, axis=1) + shapes.size * np.arange(count)[:, None]
        self._index, self._inputs = self.xp.asarray(flat), self.xp.asarray(inputs)
        self.mask = self.gather(masks)

    def gather(self, flat: Any) -> Any:
        """Return the parts, shape (B, shapes.size), of vectors of shape (B, size)."""
        return flat.reshape(-1)[self._index]

    def scatter(self, parts: Any, flat: Any) -> Any:
        """Return copies of the vectors `flat` with the parts inserted."""
        found = flat.copy().reshape(-1)
        found[self._index] = parts
        return found.reshape(flat.shape)

    def inputs_of(self, X: Any) -> Any:
        """Return the columns, shape (..., inputs), of inputs that are live."""
        return X if self._all_inputs else X[..., self._inputs]
