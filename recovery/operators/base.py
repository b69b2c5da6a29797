"""Base classes of operators and of their columns on a support: the interface for solvers, with default methods."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from recovery.operators.arithmetic import adjoint, column_squares, scaled_entries, shifted

__all__ = [
    "BLOCK_BYTES",
    "SUPPORT_BYTES",
    "Operator",
    "RescaledOperator",
    "RescaledSupport",
    "StoredSupport",
    "Support",
]


BLOCK_BYTES = 64 * 2**20
"""Target size of a temporary block of columns, in bytes."""


class _Module(NamedTuple):
    """A module in a pickle."""

    name: str


SUPPORT_BYTES = 256 * 2**20
"""Columns of a support are stored if they need at most this many bytes."""


class Support:
    """A_S, the columns of a support S, given by its products.

    :meth:`Operator.support` returns the variant that suits an operator. A subclass defines `forward` and `adjoint`.

    Attributes
    ----------
    operator : Operator
        A.
    idx : array of int64, shape (k,)
        S, in the order of the columns.
    """

    operator: Any
    idx: Any

    def forward(self, values: Any) -> Any:
        """Return A_S values, shape (n,)."""
        raise NotImplementedError

    def adjoint(self, r: Any) -> Any:
        """Return A_S' r, shape (k,)."""
        raise NotImplementedError

    def square(self, values: Any) -> Any:
        """Return |values|^2."""
        return values @ values

    def curvature(self, values: Any) -> Any:
        """Return |A_S values|^2."""
        return self.square(self.forward(values))

    def normal(self, values: Any) -> tuple[Any, Any]:
        """Return A_S' A_S values and |A_S values|^2."""
        image = self.forward(values)
        return self.adjoint(image), self.square(image)


class StoredSupport(Support):
    """A_S stored as a matrix if small, otherwise recomputed in column blocks on every use.

    The matrix is sparse where the operator's columns are.

    Parameters
    ----------
    operator : Operator
        A.
    idx : array of int64, shape (k,)
        S.
    limit : int, optional
        Largest number of bytes to store; :data:`SUPPORT_BYTES` by default, with 0 it always works in blocks.
    """

    def __init__(self, operator: Operator, idx: Any, limit: int | None = None) -> None:
        self.operator, self.idx = operator, idx
        limit = SUPPORT_BYTES if limit is None else limit
        self.matrix: Any = operator.stored(idx) if operator.stored_bytes(idx) <= limit else None

    def forward(self, values: Any) -> Any:
        """Return A_S values, shape (n,)."""
        if self.matrix is not None:
            return self.matrix @ values
        return self.operator.matvec_support(self.idx, values)

    def adjoint(self, r: Any) -> Any:
        """Return A_S' r, shape (k,)."""
        if self.matrix is not None:
            return adjoint(self.matrix, r)
        step = self.operator.block_width
        starts = range(0, int(self.idx.shape[0]), step)
        parts = [adjoint(self.operator.stored(self.idx[a : a + step]), r) for a in starts]
        return self.operator.xp.concatenate(parts)


class Operator:
    """Base class of operators: the interface for solvers, with default implementations.

    Attributes
    ----------
    shape : tuple of int
        (n, N).
    dtype : numpy.dtype
        Type of the columns.
    xp : module
        Namespace of the arrays that it accepts and returns.

    Notes
    -----
    The operators of this package can be pickled and copied, and are equal (``==``) if the arrays that define them are.
    Subclasses inherit pickling and copying: modules among their attributes, such as `xp`, are pickled by name.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    xp: Any
    inexact: str | None = None
    """A message saying why the columns are not exactly the caller's numbers; None if they are."""

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: _Module(value.__name__) if isinstance(value, ModuleType) else value
            for name, value in self.__dict__.items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            self.__dict__[name] = importlib.import_module(value.name) if isinstance(value, _Module) else value

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield (start, A[:, start:start+b]' r) block by block, for streaming selection."""
        raise NotImplementedError

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx` as an (n, k) array."""
        raise NotImplementedError

    def stored(self, idx: Any) -> Any:
        """Return the columns `idx` as a matrix for products: an array, or a sparse matrix where A is one."""
        return self.columns(idx)

    def stored_bytes(self, idx: Any) -> int:
        """Return how many bytes :meth:`stored` takes."""
        return int(idx.shape[0]) * self.shape[0] * self.dtype.itemsize

    def matvec(self, x: Any) -> Any:
        """Return A x for a full vector x of shape (N,)."""
        raise NotImplementedError

    def column_norms(self) -> Any:
        """Return the Euclidean norms of all columns, shape (N,)."""
        raise NotImplementedError

    def norms_over(self, exponent: int) -> Any:
        """Return 2^-exponent times the column norms; in range even if the norms, or their squares, are not."""
        if abs(exponent) <= np.finfo(self.dtype).maxexp // 4:
            return shifted(self.column_norms(), -exponent)
        return self.norms_of_columns(exponent)

    def norms_of_columns(self, exponent: int = 0) -> Any:
        """Return 2^-exponent times the column norms, computed from the columns in blocks."""
        xp, step = self.xp, self.block_width
        norms = []
        for start in range(0, self.shape[1], step):
            block = shifted(self.columns(xp.arange(start, min(start + step, self.shape[1]))), -exponent)
            square = column_squares(block) if block.dtype.itemsize < 8 else (block * block).sum(axis=0)
            norms.append(xp.sqrt(square).astype(block.dtype))
        return xp.concatenate(norms)

    def size_exponent(self) -> int | None:
        """Return e with the size of A (its largest entry or column norm) near 2^e, or None if that is not cheap."""
        return None

    def rmatvec(self, r: Any) -> Any:
        """Return A' r, shape (N,)."""
        parts = [block for _, block in self.rmatvec_blocks(r)]
        return parts[0] if len(parts) == 1 else self.xp.concatenate(parts)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return sum_k values_k A[:, idx_k] in column blocks: O(n k) time, O(n b) memory."""
        out = self.xp.zeros(self.shape[0], dtype=values.dtype)
        step = self.block_width
        for start in range(0, int(idx.shape[0]), step):
            stop = start + step
            out = out + self.columns(idx[start:stop]) @ values[start:stop]
        return out

    def support(self, idx: Any, *, stream: bool = False) -> Support:
        """Return A_S for S = `idx`: stored if it fits, or with `stream` in blocks of at most :data:`BLOCK_BYTES`."""
        return StoredSupport(self, idx, 0 if stream else None)

    def gram(self, idx: Any) -> Any:
        """Return A_S' A_S for the columns `idx`, shape (k, k)."""
        columns = self.stored(idx)
        found = columns.T @ columns
        return found.toarray() if hasattr(found, "indptr") else found

    @property
    def block_width(self) -> int:
        """Number of columns that fill a block of :data:`BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // (self.dtype.itemsize * max(1, self.shape[0])))

    def aslinearoperator(self) -> Any:
        """Return the operator as a ``scipy.sparse.linalg.LinearOperator`` on NumPy arrays."""
        from scipy.sparse.linalg import LinearOperator

        def forward(x: np.ndarray) -> np.ndarray:
            return arrays.to_numpy(self.matvec(self.xp.asarray(np.ravel(x), dtype=self.dtype)))

        def backward(r: np.ndarray) -> np.ndarray:
            return arrays.to_numpy(self.rmatvec(self.xp.asarray(np.ravel(r), dtype=self.dtype)))

        return LinearOperator(self.shape, matvec=forward, rmatvec=backward, dtype=self.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"


class RescaledOperator(Operator):
    """2^-exponent A, computed from the products of A.

    Parameters
    ----------
    base : Operator
        A.
    exponent : int
        Exponent of the power of two by which A is divided.

    Notes
    -----
    For large exponents half of the power is applied to the vector before the product and half to the result, so no
    intermediate sum over- or underflows: entries near 2^e meet a vector near 2^(-e/2).
    """

    def __init__(self, base: Operator, exponent: int) -> None:
        self.base, self.exponent = base, exponent
        self.shape, self.dtype, self.xp = base.shape, base.dtype, base.xp
        self.near = abs(exponent) <= np.finfo(base.dtype).maxexp // 4
        self._before = 0 if self.near else exponent // 2
        self._after = exponent - self._before
        if hasattr(base, "n_features"):  # which defines the groups of a gated operator
            self.n_features = base.n_features

    @property
    def inexact(self) -> str | None:  # type: ignore[override]
        """As for the underlying operator, since multiplying by a power of two is exact."""
        return self.base.inexact

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

    def stored(self, idx: Any) -> Any:
        """Return them as an array, or sparse where A is."""
        return scaled_entries(self.base.stored(idx), lambda entries, _: shifted(entries, -self.exponent))

    def stored_bytes(self, idx: Any) -> int:
        """Return how many bytes they take."""
        return self.base.stored_bytes(idx)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the scaled columns `idx`."""
        return shifted(self.base.matvec_support(idx, shifted(values, -self._before)), -self._after)

    def support(self, idx: Any, *, stream: bool = False) -> Support:
        """Return 2^-exponent A_S, from the products of A_S if nothing is stored."""
        return RescaledSupport(self.base.support(idx, stream=True), self) if stream else super().support(idx)

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


class RescaledSupport(Support):
    """2^-exponent A_S, computed from the products of A_S.

    Parameters
    ----------
    base : Support
        A_S.
    operator : RescaledOperator
        2^-exponent A.
    """

    def __init__(self, base: Any, operator: RescaledOperator) -> None:
        self.base, self.operator, self.idx = base, operator, base.idx
        self._before, self._after = operator._before, operator._after

    def forward(self, values: Any) -> Any:
        """Return 2^-exponent A_S values, shape (n,)."""
        return shifted(self.base.forward(shifted(values, -self._before)), -self._after)

    def adjoint(self, r: Any) -> Any:
        """Return 2^-exponent A_S' r, shape (k,)."""
        return shifted(self.base.adjoint(shifted(r, -self._before)), -self._after)
