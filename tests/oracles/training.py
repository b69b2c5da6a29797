"""Plain versions of parts of the inner loops: top-s selection with a remembered threshold, H_s, and training."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer
from recovery.mlp.masks import Compact
from recovery.mlp.passes import Shapes
from recovery.operators.thresholding import refuse_nan, select_top, top_s

__all__ = ["WarmTopS", "Whole", "hard_threshold"]


class Whole(Compact):
    """All of the networks, in place of their live parts: put it in the place of ``recovery.mlp.training.Compact``."""

    def __init__(self, shapes: Shapes, masks: Any) -> None:
        self.shapes, self.mask = shapes, masks
        self.live = np.ones(masks.shape[0], dtype=bool)
        self._all_inputs = True

    def gather(self, flat: Any) -> Any:
        """Return a copy of all weights."""
        return flat.copy()

    def scatter(self, parts: Any, flat: Any) -> Any:
        """Return a copy of all weights."""
        return parts.copy()


def hard_threshold(values: Any, s: int) -> Any:
    """Return a copy of a vector in which all but the s entries of largest magnitude are zero.

    Parameters
    ----------
    values : array, shape (N,)
        Real numbers.
    s : int
        How many entries stay, from 0 to N.

    Returns
    -------
    array, shape (N,)
        H_s(values); ties go to the smaller index.

    Raises
    ------
    TypeError, ValueError
        As :func:`top_s`.
    """
    picked = top_s(values, s)
    xp = arrays.namespace(picked)
    values = values if arrays.is_array(values) else xp.asarray(values)
    out = xp.zeros(values.shape[0], dtype=values.dtype)
    out[picked] = values[picked]
    return out


class WarmTopS:
    """A top-s selection that remembers its last threshold, for loops whose vectors change slowly.

    Parameters
    ----------
    s : int
        How many entries to select, >= 0.

    Attributes
    ----------
    threshold : array of shape (), or None
        The smallest selected magnitude of the last call.
    """

    def __init__(self, s: int) -> None:
        self.s = check_integer(s, "s", minimum=0)
        self.threshold: Any = None

    def __call__(self, values: Any) -> Any:
        """Return the same indices as ``top_s(values, s)``.

        Parameters
        ----------
        values : array, shape (N,)
            Real numbers.

        Returns
        -------
        array of int64, shape (s,)
            Indices in ascending order.

        Raises
        ------
        ValueError
            If `values` holds NaN or has fewer than s entries.
        """
        check_integer(self.s, "s", maximum=int(values.shape[0]))
        picked = select_top(values, self.s, self.threshold)
        kept = values[picked]
        refuse_nan(kept, "values")
        if self.s:
            self.threshold = arrays.namespace(values).abs(kept).min()
        return picked
