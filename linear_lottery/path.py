"""What pruning returns: the masks, the weights trained under each of them, and the order of the pruned."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_same_rows
from planted.base.values import by_value

__all__ = ["PruningPath"]

SHOWN_ROWS, SHOWN_WEIGHTS = 20, 8
"""Rounds in the table of a path, and names of weights in one of its cells, at most."""
BLOCK = 1 << 24
"""Predictions are formed for so many numbers at a time, so that the loss of a long path needs no large array."""


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class PruningPath:
    """The path of :func:`linear_lottery.imp` and :func:`linear_lottery.threshold_prune`.

    Round 0 trains all d weights; each round ends by pruning some, and the next one trains the survivors, from where
    they started. A path of R prunings has R + 1 masks. All arrays live on the device of the features.

    Parameters
    ----------
    masks : array of bool, shape (R + 1, d)
        The weights that round r trains. masks[0] is all True, each mask is contained in the one before.
    weights : array, shape (R + 1, d), float64 or float32
        weights[r] is what round r ends with; exactly 0 outside masks[r].
    order : array of int64, shape (d - sizes[-1],)
        The pruned weights in the order in which they went: round by round, within a round by magnitude.
    support : array of int64, shape (sizes[-1],)
        The survivors, ascending.
    w0 : array, shape (d,)
        Where every round starts: survivors are rewound to these very numbers.
    sizes : tuple of int, length R + 1
        How many weights each round trains.
    route : str
        How it was computed: ``"refit"`` trains anew in each round; ``"deflation"`` updates one factorisation.
    """

    masks: Any
    weights: Any
    order: Any
    support: Any
    w0: Any
    sizes: tuple[int, ...]
    route: str

    def __repr__(self) -> str:
        """Return sizes and route, without the arrays."""
        return (
            f"PruningPath(d={self.sizes[0]}, keep={self.keep}, n_rounds={self.n_rounds}, route={self.route!r}, "
            f"dtype={self.weights.dtype}, device={arrays.device_of(self.weights)!r})"
        )

    def _repr_html_(self) -> str:
        """Return a table of the rounds for notebooks: weights trained, and which ones were pruned after that."""
        rounds = list(range(self.n_rounds + 1))
        if len(rounds) > SHOWN_ROWS:
            rounds = [*rounds[: SHOWN_ROWS // 2], -1, *rounds[-(SHOWN_ROWS // 2) :]]
        order = arrays.to_numpy(self.order).tolist()
        rows = []
        for r in rounds:
            cells = ["...", "...", "..."]
            if r >= 0:
                gone = order[self.sizes[0] - self.sizes[r] :]
                gone = gone[: self.sizes[r] - self.sizes[r + 1]] if r < self.n_rounds else []
                names = ", ".join(map(str, gone[:SHOWN_WEIGHTS])) + (", ..." if len(gone) > SHOWN_WEIGHTS else "")
                cells = [str(r), str(self.sizes[r]), names]
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        head = "".join(f"<th>{escape(name)}</th>" for name in ("round", "weights trained", "pruned after it"))
        return (
            f"<table><caption>{escape(repr(self))}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    @property
    def success(self) -> bool:
        """Whether the path ended as it should: always, as nothing limits it."""
        return True

    @property
    def message(self) -> str:
        """A sentence on how the path ended."""
        return f"pruned: {self.keep} of {self.sizes[0]} weights are left after {self.n_rounds} round(s)"

    @property
    def n_rounds(self) -> int:
        """How many times weights were pruned, R."""
        return len(self.sizes) - 1

    @property
    def keep(self) -> int:
        """How many weights survive."""
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
            If `size` is not an integer, or the path jumps over it.
        """
        size = check_integer(size, "size", minimum=0, maximum=self.sizes[0])
        if size not in self.sizes:
            larger, smaller = [s for s in self.sizes if s > size], [s for s in self.sizes if s < size]
            near = " and ".join(str(s) for s in larger[-1:] + smaller[:1])
            raise ValueError(f"size={size} is not on this path; expected a number it visits, such as {near}")
        return self.sizes.index(size)

    def losses(self, X: Any, y: Any) -> Any:
        """Return the loss of every round's weights, on the data of the path or on others.

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
            If shapes or devices do not fit, or an element is NaN or infinite.
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
