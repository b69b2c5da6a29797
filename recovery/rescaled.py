"""An operator times a power of two, without a copy of its matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from recovery._powers import shifted
from recovery.operator_base import Operator

__all__ = ["RescaledOperator", "RescaledSupport"]


class RescaledOperator(Operator):
    """2^-exponent A, computed from the products of A.

    Parameters
    ----------
    base : Operator
        A.
    exponent : int
        Of the power of two that A is divided by.

    Notes
    -----
    Far from 1 half of the power goes to the vector before the product and half to the result, so that no sum in
    between leaves the range: entries near 2^e meet a vector near 2^(-e/2).
    """

    def __init__(self, base: Operator, exponent: int) -> None:
        self.base, self.exponent = base, exponent
        self.shape, self.dtype, self.xp = base.shape, base.dtype, base.xp
        self.near = abs(exponent) <= np.finfo(base.dtype).maxexp // 4
        self._before = 0 if self.near else exponent // 2
        self._after = exponent - self._before
        if hasattr(base, "n_features"):  # what the groups of a gated operator are
            self.n_features = base.n_features

    @property
    def block_width(self) -> int:
        """Block width of the underlying operator."""
        return self.base.block_width

    def matvec(self, x: Any) -> Any:
        """Return 2^-exponent A x."""
        return shifted(self.base.matvec(shifted(x, -self._before)), -self._after)

    def rmatvec(self, r: Any) -> Any:
        """Return 2^-exponent A' r."""
        return shifted(self.base.rmatvec(shifted(r, -self._before)), -self._after)

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield blocks of 2^-exponent A' r."""
        for start, block in self.base.rmatvec_blocks(shifted(r, -self._before)):
            yield start, shifted(block, -self._after)

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx` times 2^-exponent."""
        return shifted(self.base.columns(idx), -self.exponent)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the scaled columns `idx`."""
        return shifted(self.base.matvec_support(idx, shifted(values, -self._before)), -self._after)

    def gram(self, idx: Any) -> Any:
        """Return the Gram matrix of the scaled columns `idx`."""
        return shifted(self.base.gram(idx), -2 * self.exponent) if self.near else super().gram(idx)

    def column_norms(self) -> Any:
        """Return the norms of the scaled columns."""
        return self.base.norms_over(self.exponent)

    def size_exponent(self) -> int | None:
        """Return the size of the scaled operator."""
        size = self.base.size_exponent()
        return None if size is None else size - self.exponent


class RescaledSupport:
    """2^-exponent A_S from an object with the products of A_S.

    Parameters
    ----------
    base : GatedSupport
        A_S.
    operator : RescaledOperator
        2^-exponent A.
    """

    def __init__(self, base: Any, operator: RescaledOperator) -> None:
        self.base, self.operator = base, operator
        self._before, self._after = operator._before, operator._after

    def forward(self, values: Any) -> Any:
        """Return 2^-exponent A_S values, shape (n,)."""
        return shifted(self.base.forward(shifted(values, -self._before)), -self._after)

    def adjoint(self, r: Any) -> Any:
        """Return 2^-exponent A_S' r, shape (k,)."""
        return shifted(self.base.adjoint(shifted(r, -self._before)), -self._after)
