"""Selection of the s entries of largest magnitude from a vector that is seen block by block."""

from __future__ import annotations

from typing import Any

from planted import arrays
from planted.checks import check_integer
from recovery.thresholding import refuse_nan, select_top

__all__ = ["StreamingTopS"]


class StreamingTopS:
    """Top-s selection over blocks that are seen one after the other, in O(s) extra memory.

    Parameters
    ----------
    s : int
        How many entries to select, >= 0.

    Notes
    -----
    The set is bitwise that of :func:`top_s` on the whole vector, however it is cut and in whatever
    order the blocks come. At most 2 s entries are held between blocks: those that reach the current
    threshold are collected and cut back to s when they become more than that.

    Examples
    --------
    >>> import numpy as np
    >>> stream = StreamingTopS(2)
    >>> stream.feed(0, np.array([1.0, -3.0]))
    >>> stream.feed(2, np.array([2.0, 0.5]))
    >>> stream.result()[0].tolist()
    [1, 2]
    """

    def __init__(self, s: int) -> None:
        self.s = check_integer(s, "s", minimum=0)
        self._threshold: Any = None
        self._held: list[tuple[Any, Any]] = []
        self._count = 0

    def feed(self, start: int, values: Any) -> None:
        """Show the entries ``start, start + 1, ...`` of the vector; each entry must be shown once.

        Parameters
        ----------
        start : int
            Index of the first one.
        values : array, shape (b,)
            Their values.
        """
        xp = arrays.namespace(values)
        if self.s == 0:
            self._held = self._held or [(xp.zeros(0, dtype=xp.int64), values[:0])]
            return
        if self._threshold is None:
            local = select_top(values, min(self.s, int(values.shape[0])))
            refuse_nan(values if local.shape[0] < values.shape[0] else values[local], "values")
        else:
            local = xp.flatnonzero(~(xp.abs(values) < self._threshold))
            if int(local.shape[0]) > self.s:
                candidates = values[local]
                refuse_nan(candidates, "values")
                local = local[select_top(candidates, self.s)]
        if int(local.shape[0]) == 0 and self._held:
            return
        self._held.append((local + start, values[local]))
        self._count += int(local.shape[0])
        if self._count >= 2 * self.s or self._threshold is None:
            self._compress()

    def result(self) -> tuple[Any, Any]:
        """Return the selection.

        Returns
        -------
        indices : array of int64, shape (s,)
            In ascending order.
        values : array, shape (s,)
            The entries there.

        Raises
        ------
        ValueError
            If fewer than s entries were shown, or one of them is NaN.
        """
        if self._held:
            self._compress()
        if self._count < self.s or not self._held:
            raise ValueError(f"s={self.s} is more than the {self._count} entries that were fed; feed the whole vector")
        return self._held[0]

    def _compress(self) -> None:
        xp = arrays.namespace(self._held[0][0])
        index = xp.concatenate([part[0] for part in self._held])
        values = xp.concatenate([part[1] for part in self._held])
        order = xp.argsort(index)
        index, values = index[order], values[order]
        refuse_nan(values, "values")
        if self._count > self.s:
            picked = select_top(values, self.s)
            index, values = index[picked], values[picked]
        self._held, self._count = [(index, values)], int(index.shape[0])
        if self._count == self.s and self.s:
            self._threshold = xp.abs(values).min()
