"""The result of pruning: the masks, the weights trained under each of them, and the order of pruning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from linear_lottery.shown import ShownPath
from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_same_rows
from planted.base.frames import Names
from planted.base.values import by_value

__all__ = ["PruningPath"]

BLOCK = 1 << 24
"""Predictions are computed for this many numbers at a time, so the loss of a long path needs no large array."""


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class PruningPath(ShownPath):
    """Result of :func:`linear_lottery.imp` and :func:`linear_lottery.threshold_prune`.

    Round 0 trains all d weights; each round ends by pruning some of them, and the next one trains the survivors again
    from their initial values. A path with R prunings has R + 1 masks. All arrays live on the device of the features.

    Parameters
    ----------
    masks : array of bool, shape (R + 1, d)
        masks[r] marks the weights trained in round r. masks[0] is all True, and each mask is contained in the previous
        one.
    weights : array, shape (R + 1, d), float64 or float32
        weights[r] are the weights at the end of round r; exactly 0 outside masks[r].
    order : array of int64, shape (d - sizes[-1],)
        The pruned weights in order of pruning: by round, and within a round by magnitude.
    support : array of int64, shape (sizes[-1],)
        The survivors, ascending.
    w0 : array, shape (d,)
        The starting point of every round, to which survivors are rewound.
    sizes : tuple of int, length R + 1
        Number of weights trained in each round.
    route : {"deflation", "refit"}
        How the path was computed: ``"refit"`` retrains in each round; ``"deflation"`` updates one factorisation.
    success : bool
        Whether the run was completed; False if a limit on rounds stopped it.
    names : tuple of str or None
        Names of the features, if they were given as a data frame.
    """

    masks: Any
    weights: Any
    order: Any
    support: Any
    w0: Any
    sizes: tuple[int, ...]
    route: str
    success: bool = True
    names: Names = field(default=None)

    def __repr__(self) -> str:
        """Return sizes and route, without the arrays."""
        return (
            f"PruningPath(d={self.sizes[0]}, sparsity={self.sparsity}, n_rounds={self.n_rounds}, route={self.route!r}, "
            f"dtype={self.weights.dtype}, device={arrays.device_of(self.weights)!r})"
        )

    @property
    def message(self) -> str:
        """A message that says how the run ended."""
        rounds = f"{self.n_rounds} round{'' if self.n_rounds == 1 else 's'}"
        end = "" if self.success else "; max_rounds was reached while some weights were still small enough to prune"
        return f"pruned to {self.sparsity} of {self.sizes[0]} weights in {rounds}{end}"

    @property
    def n_iter(self) -> int:
        """Number of times weights were trained, R + 1."""
        return len(self.sizes)

    @property
    def n_rounds(self) -> int:
        """Number of times weights were pruned, R."""
        return len(self.sizes) - 1

    @property
    def sparsity(self) -> int:
        """Number of surviving weights."""
        return self.sizes[-1]

    @property
    def mask(self) -> Any:
        """The last mask, shape (d,)."""
        return self.masks[-1]

    @property
    def w(self) -> Any:
        """The last weights, shape (d,)."""
        return self.weights[-1]

    def round_of(self, size: int) -> int:
        """Return the round that trains `size` weights.

        Parameters
        ----------
        size : int
            A number of weights that the path visits.

        Returns
        -------
        int
            r such that masks[r] has `size` True entries.

        Raises
        ------
        TypeError, ValueError
            If `size` is not an integer, or the path skips it.
        """
        size = check_integer(size, "size", minimum=0, maximum=self.sizes[0])
        if size not in self.sizes:
            larger, smaller = [s for s in self.sizes if s > size], [s for s in self.sizes if s < size]
            near = " and ".join(str(s) for s in larger[-1:] + smaller[:1])
            raise ValueError(f"size={size} is not on this path; expected a size that it visits, such as {near}")
        return self.sizes.index(size)

    def losses(self, X: Any, y: Any) -> Any:
        """Return the loss of every round's weights, on the data of the path or on other data.

        Parameters
        ----------
        X : array, shape (n, d)
            Features.
        y : array, shape (n,)
            Targets.

        Returns
        -------
        array, shape (R + 1,)
            |X w - y|^2 / (2 n), the loss whose flow trains the weights; twice that is the mean squared error.

        Raises
        ------
        TypeError, ValueError
            If shapes or devices do not match, or an element is NaN or infinite.
        """
        X = check_array(X, "X", ndim=2, shape=(None, self.sizes[0]))
        y = check_array(y, "y", ndim=1)
        check_same_rows(X, "X", y, "y")
        xp = arrays.namespace(X, y, self.weights)
        step = max(1, BLOCK // X.shape[0])
        parts = []
        for begin in range(0, len(self.sizes), step):
            error = X @ self.weights[begin : begin + step].T - y[:, None]
            parts.append((error * error).sum(axis=0) / (2 * X.shape[0]))
        return xp.concatenate(parts)
