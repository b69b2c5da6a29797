"""Select the s entries of largest magnitude: exactly s, deterministically, with ties broken by the smaller index."""

from __future__ import annotations

from typing import Any

from planted.base import arrays
from planted.base.checks import check_array, check_integer

__all__ = ["StreamingTopS", "refuse_nan", "select_top", "top_s"]


WARM_FACTOR = 0.95
"""With a hint, the selection first considers entries of at least this fraction of the last threshold."""

SAMPLE = 8192
"""Without a hint, the threshold of a long vector is guessed from about this many of its entries."""


def top_s(values: Any, sparsity: int) -> Any:
    """Return the indices of the s entries of largest magnitude.

    Parameters
    ----------
    values : array, shape (N,)
        Real numbers; infinities count as largest.
    sparsity : int
        s, from 0 to N.

    Returns
    -------
    array of int64, shape (s,)
        Indices in ascending order. Of entries with equal magnitude at the boundary, those with smaller indices are
        selected, so the set depends only on the values.

    Raises
    ------
    TypeError, ValueError
        If `values` is not a vector of real numbers or contains NaN, or `sparsity` is out of range.

    Notes
    -----
    O(N): in long vectors the threshold is guessed from every (N / 8192)-th entry, the entries above
    the guess are compacted, and only they are partitioned; a bad guess costs time, never the result.
    The partition is of ``-|values|`` at ``s - 1``: on CuPy it uses the fast kernel up to s = 1023 and
    sorts beyond; written the other way round, at ``N - s``, it would always sort.
    """
    values = check_array(values, "values", ndim=1, finite=False, allow_empty=True)
    sparsity = check_integer(sparsity, "sparsity", minimum=0, maximum=int(values.shape[0]))
    picked = select_top(values, sparsity)
    refuse_nan(values if sparsity == 0 else values[picked], "values")
    return picked


def select_top(values: Any, sparsity: int, hint: Any = None) -> Any:
    """Like :func:`top_s` without its checks, for inner loops.

    Parameters
    ----------
    values : array, shape (N,)
        Real numbers.
    sparsity : int
        s, from 0 to N.
    hint : float or array of shape (), optional
        A guess of the s-th largest magnitude. It never affects the result, but a good guess makes the selection several
        times faster. With a hint, NaN in `values` is selected, so that it is noticed.

    Returns
    -------
    array of int64, shape (s,)
        Indices in ascending order.

    Notes
    -----
    At most two synchronisations, or one with a good guess; two more when there are ties at the boundary.
    """
    xp, size = arrays.namespace(values), int(values.shape[0])
    if sparsity >= size:
        return xp.arange(size, dtype=xp.int64)
    if sparsity == 0:
        return xp.zeros(0, dtype=xp.int64)
    magnitude = xp.abs(values)
    guess = _sampled_threshold(xp, magnitude, sparsity) if hint is None else WARM_FACTOR * hint
    if guess is not None:
        # "not smaller" instead of ">=": NaN stays among the candidates
        candidates = xp.flatnonzero(~(magnitude < guess))
        count = int(candidates.shape[0])
        if count == sparsity:
            return candidates
        if sparsity < count <= size // 2:
            return candidates[_select_cold(xp, magnitude[candidates], sparsity)]
    return _select_cold(xp, magnitude, sparsity)


def _sampled_threshold(xp: Any, magnitude: Any, s: int) -> Any:
    size = int(magnitude.shape[0])
    stride = size // SAMPLE
    if stride < 8 or s > size // 8:
        return None
    sample = magnitude[::stride]
    # aim for twice as many entries as needed, and at least 16 of the sample
    rank = max(16, (2 * s) // stride)
    return -xp.partition(-sample, rank)[rank]


def _select_cold(xp: Any, magnitude: Any, s: int) -> Any:
    threshold = xp.partition(-magnitude, s - 1)[s - 1]  # in a partition NaN comes last
    candidates = xp.flatnonzero(~(magnitude < -threshold))
    if int(candidates.shape[0]) == s:
        return candidates
    # ties at the boundary, or NaN, which counts as above the threshold so that the caller's check finds it
    found = magnitude[candidates]
    above = candidates[~(found <= -threshold)][:s]
    equal = candidates[found == -threshold][: s - int(above.shape[0])]
    return xp.sort(xp.concatenate([above, equal]))


def refuse_nan(values: Any, name: str) -> None:
    """Raise ValueError if a vector contains NaN; the message uses its `name`."""
    xp = arrays.namespace(values)
    if values.shape[0] and bool(xp.isnan(values).any()):
        raise ValueError(f"{name} holds NaN, which has no magnitude to compare; expected real numbers")


class StreamingTopS:
    """Top-s selection over a stream of blocks, in O(s) extra memory.

    Parameters
    ----------
    s : int
        How many entries to select, >= 0.

    Notes
    -----
    The set is exactly that of :func:`top_s` on the whole vector, however it is divided into blocks and in whatever
    order they arrive. At most 2 s entries are held between blocks: entries that reach the current threshold are
    collected, and reduced to s when there are more than that.

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
        """Process the entries ``start, start + 1, ...`` of the vector; each entry must be fed exactly once.

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
            If fewer than s entries were fed, or one of them is NaN.
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
