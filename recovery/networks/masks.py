"""Masks of a network's weights: which ones may be non-zero, and global pruning by magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from planted import arrays
from planted.checks import check_array, check_gates, check_integer, check_number
from planted.values import by_value, frozen
from recovery.thresholding import refuse_nan, select_top

__all__ = ["Masks", "pruned_count"]


@by_value
class Masks:
    """Which weights of a list of layers may be non-zero.

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
        If a mask is not a matrix or holds values other than 0 and 1.

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
        """All masks as one vector of bool, layer after layer, rows first."""
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
            One array for each layer, of its shape.

        Returns
        -------
        list of array
            New arrays; kept weights keep their bits.
        """
        weights = self._checked(weights)
        xp = arrays.namespace(*weights)
        return [
            xp.where(mask, layer, xp.zeros((), dtype=layer.dtype))
            for mask, layer in zip(self.layers, weights, strict=True)
        ]

    def prune(self, weights: Sequence[Any], *, count: int | None = None, share: float | None = None) -> Masks:
        """Return masks that keep the largest of the weights that these masks keep, over all layers together.

        Parameters
        ----------
        weights : sequence of array
            One array of magnitudes (or weights) for each layer, of its shape.
        count : int, optional
            How many weights to keep, from 0 to :attr:`count`.
        share : float, optional
            In place of `count`: which share of the kept weights to drop; see :func:`pruned_count`.

        Returns
        -------
        Masks
            Exactly `count` weights, all of them kept by these masks too; of equal magnitudes at the
            boundary those with smaller indices in :attr:`flat` are kept. At most five synchronisations.

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
    """Return how many of `count` weights stay when a share of them is dropped.

    Parameters
    ----------
    count : int
        Weights there are, >= 0.
    share : float
        Share to drop, from 0 to 1.

    Returns
    -------
    int
        ``count - max(1, round(share * count))``, and 0 for no weights.

    Notes
    -----
    PyTorch's pruning rounds in the same way (half to even), so that a tenth of five weights is none of
    them, for ever; here at least one weight goes, so that every sparsity is reached.
    """
    count = check_integer(count, "count", minimum=0)
    share = check_number(share, "share", minimum=0.0, maximum=1.0)
    return max(0, count - max(1, round(share * count)))
