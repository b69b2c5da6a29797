"""Sources of gate generators: stored, or redrawn from a seed whenever they are needed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer
from planted.base.values import by_value
from recovery.operators.arithmetic import shifted

__all__ = ["GeneratorSource", "RescaledGenerators", "SeededGenerators", "StoredGenerators"]


class GeneratorSource(Protocol):
    """Interface of a source of generators h_1, ..., h_p for :class:`recovery.GatedOperator`."""

    count: int
    n_features: int

    def block(self, start: int, stop: int) -> Any:
        """Return generators `start` to `stop` (exclusive) as rows, shape (stop - start, d)."""

    def rows(self, indices: Any) -> Any:
        """Return the generators with the given indices as rows, shape (k, d)."""


@by_value
class StoredGenerators:
    """Generators stored in memory (d p numbers).

    Parameters
    ----------
    H : array, shape (d, p)
        One generator per column, like the hidden layer of a network.
    """

    def __init__(self, H: Any) -> None:
        H = check_array(H, "H", ndim=2)
        xp = arrays.namespace(H)
        self._rows = xp.ascontiguousarray(H.T)
        self.count = int(H.shape[1])
        self.n_features = int(H.shape[0])

    def _parts(self) -> tuple[Any, ...]:
        return (self._rows,)

    def block(self, start: int, stop: int) -> Any:
        """Return generators `start` to `stop` (exclusive) as rows."""
        return self._rows[start:stop]

    def rows(self, indices: Any) -> Any:
        """Return the generators with the given indices as rows."""
        return self._rows[indices]


@by_value
class RescaledGenerators:
    """Generators times a power of two, which changes no gate.

    Parameters
    ----------
    base : GeneratorSource
        The generators.
    exponent : int
        Exponent of the power of two.
    """

    def __init__(self, base: GeneratorSource, exponent: int) -> None:
        self._base, self._exponent = base, exponent
        self.count, self.n_features = base.count, base.n_features

    def _parts(self) -> tuple[Any, ...]:
        return self._base, self._exponent

    def block(self, start: int, stop: int) -> Any:
        """Return generators `start` to `stop` (exclusive) as rows."""
        return shifted(self._base.block(start, stop), self._exponent)

    def rows(self, indices: Any) -> Any:
        """Return the generators with the given indices as rows."""
        return shifted(self._base.rows(indices), self._exponent)


@by_value
class SeededGenerators:
    """Standard normal generators that are redrawn from their seed on every use.

    Only the seed is stored. Generators come in groups of :attr:`GROUP`; group g is the stream of ``SeedSequence(seed,
    spawn_key=(g,))``, so drawing a single generator costs one group, and the values do not depend on the block width of
    a sweep.

    Parameters
    ----------
    n_features : int
        d.
    count : int
        p.
    seed : int
        Seed >= 0.
    like : array, optional
        The results have the device and dtype of this array (NumPy float64 by default).
    """

    GROUP = 64

    def __init__(self, n_features: int, count: int, seed: int, like: Any = None) -> None:
        self.n_features = check_integer(n_features, "n_features", minimum=1)
        self.count = check_integer(count, "count", minimum=1)
        self.seed = check_integer(seed, "seed", minimum=0)
        # a separate array: a view would keep all of `like` in memory
        self._like = np.empty(0) if like is None else like[:0].copy()

    def _parts(self) -> tuple[Any, ...]:
        return self.n_features, self.count, self.seed, self._like

    def block(self, start: int, stop: int) -> Any:
        """Return generators `start` to `stop` (exclusive) as rows."""
        first, last = start // self.GROUP, (stop - 1) // self.GROUP
        drawn = np.concatenate([self._group(group) for group in range(first, last + 1)])
        return self._move(drawn[start - first * self.GROUP : stop - first * self.GROUP])

    def rows(self, indices: Any) -> Any:
        """Return the generators with the given indices as rows (indices are read on the CPU)."""
        wanted = arrays.to_numpy(indices)
        groups, member = np.divmod(wanted, self.GROUP)
        out = np.empty((wanted.size, self.n_features))
        for group in np.unique(groups):
            here = groups == group
            out[here] = self._group(int(group))[member[here]]
        return self._move(out)

    def _group(self, group: int) -> np.ndarray:
        stream = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(group,)))
        return stream.standard_normal((self.GROUP, self.n_features))

    def _move(self, rows: np.ndarray) -> Any:
        return arrays.from_numpy_like(rows, self._like, dtype=self._like.dtype)
