"""Dense, column-scaled and foreign operators, and the conversion of any input to an operator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_finite, check_integer, check_number
from planted.base.exactness import inexact
from planted.base.values import by_value
from recovery.operators.arithmetic import (
    adjoint,
    column_squares,
    exponent_of,
    normalised_power,
    scaled_entries,
    shifted,
)
from recovery.operators.arithmetic import adjoint as transposed
from recovery.operators.base import Operator, RescaledOperator
from recovery.operators.gated import GatedOperator
from recovery.operators.sparse import SparseOperator, is_sparse, sparse_frame

__all__ = [
    "DenseOperator",
    "ForeignOperator",
    "GatedOperator",
    "Operator",
    "ScaledOperator",
    "SparseOperator",
    "as_operator",
    "dottest",
    "is_operator",
    "normalise",
]


def dottest(A: Any, *, n_trials: int = 3, tol: float | None = None, rng: Any = None) -> float:
    """Check that an operator's products are consistent: <A x, r> = <x, A' r>, columns and Gram matrix.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The operator.
    n_trials : int, default 3
        Number of random vectors.
    tol : float, optional
        Largest accepted relative error; 1e4 machine epsilons of the dtype by default.
    rng : int, numpy.random.Generator or None
        Source of the vectors.

    Returns
    -------
    float
        The largest relative error observed.

    Raises
    ------
    AssertionError
        If an identity fails; the message says which one and by how much.
    """
    operator = as_operator(A)
    n_trials = check_integer(n_trials, "n_trials", minimum=1)
    eps = float(np.finfo(operator.dtype).eps)
    tol = 1e4 * eps if tol is None else check_number(tol, "tol", minimum=0.0)
    draw, xp, (n, size) = arrays.generator(rng), operator.xp, operator.shape
    worst = 0.0

    def compare(name: str, one: Any, other: Any, scale: Any) -> None:
        nonlocal worst
        gap, scale = float(xp.abs(one - other).max()), float(scale)
        error = gap / scale if scale > 0.0 else gap and float("inf")
        worst = max(worst, error)
        if not error <= tol:
            raise AssertionError(f"{operator!r} fails the dot test: {name} differ by {error:.2e} (tolerance {tol:.0e})")

    for _ in range(n_trials):
        x = xp.asarray(draw.standard_normal(size), dtype=operator.dtype)
        r = xp.asarray(draw.standard_normal(n), dtype=operator.dtype)
        forward, adjoint = operator.matvec(x), operator.rmatvec(r)
        small, unit = normalised_power(forward)  # so that no square over- or underflows, whatever the size of A
        scale = xp.sqrt((small * small).sum() * (r * r).sum())
        compare("<Ax, r> and <x, A'r>", (small * r).sum(), (x * (adjoint / unit)).sum(), scale)
        idx = xp.asarray(np.sort(draw.choice(size, size=min(size, 5), replace=False)))
        picked = operator.columns(idx)
        compare("columns and A'r", transposed(picked, r), adjoint[idx], xp.abs(adjoint).max())
        sparse = xp.zeros(size, dtype=operator.dtype)
        sparse[idx] = x[idx]
        compare(
            "matvec_support and matvec",
            operator.matvec_support(idx, x[idx]),
            operator.matvec(sparse),
            xp.abs(forward).max(),
        )
        small, unit = normalised_power(picked)
        peak = float(unit)
        if 0.0 < peak * peak < float("inf") and peak * peak > float(np.finfo(operator.dtype).tiny):
            gram = small.T @ small
            compare("gram and columns", operator.gram(idx) / (unit * unit), gram, xp.abs(gram).max())
        norms = xp.sqrt(column_squares(small)).astype(operator.dtype)
        compare("column_norms and columns", operator.column_norms()[idx] / unit, norms, norms.max())
    return worst


NORM_COLUMNS = 1024
"""Number of columns whose norms are summed together on a CPU, so that the sums stay in the fastest cache."""


@by_value
class DenseOperator(Operator):
    """A matrix as an operator.

    Parameters
    ----------
    A : array, shape (n, N)
        The matrix; float32 stays float32, other types become float64. If that rounds a number, solvers still accept the
        operator, but anything that proves a statement rejects it. A float32 or float64 array is not copied, to save
        memory; do not modify it afterwards, since the column norms are computed once. A pickled or copied operator has
        its own matrix.

    Raises
    ------
    TypeError, ValueError
        If `A` is not a finite, non-empty matrix of real numbers.
    """

    def __init__(self, A: Any) -> None:
        self.inexact = inexact(A, "A")
        self.A = check_array(A, "A", ndim=2, finite=False)
        self.shape = (int(self.A.shape[0]), int(self.A.shape[1]))
        self.dtype = np.dtype(self.A.dtype)
        self._norms, self._exponent = self._measure(A)

    def _measure(self, given: Any) -> tuple[Any, int]:
        """Return the column norms over 2^e, the largest between 1/2 and 1, and e; raise an error for NaN and infinity.

        One pass over A gives the squares of the norms and shows whether anything is NaN or infinite. If they are out of
        range, or may have lost digits, they are recomputed from A divided by a power of two, column by column if no
        single power suits all. The order of summation is the same, so scaling A by a power of two changes no bit.
        """
        xp = self.xp
        widest = np.finfo(self.dtype).maxexp // 16  # within 2^+-2 of this all squares that matter are in range
        squares = self._squares(0)
        largest = float(squares.max())
        shift = 0
        if not 4.0**-widest < largest < 4.0**widest:
            check_finite(self.A, "A", given)
            shift = exponent_of(self.A)
            if shift != 0:
                squares = self._squares(shift)
                largest = float(squares.max())
        top = math.frexp(math.sqrt(largest))[1]
        norms = shifted(xp.sqrt(squares), -top).astype(self.dtype)
        # an entry whose square is below `tiny` is lost: n of them must be negligible in a column's squared norm
        short = xp.flatnonzero(norms < 2.0 ** -(np.finfo(self.dtype).maxexp // 4))
        if short.shape[0] and largest > 0.0:
            columns = shifted(self.A[:, short], -shift)
            peaks = xp.frexp(xp.abs(columns).max(axis=0))[1]
            columns = xp.ldexp(columns, -peaks)
            norms[short] = xp.ldexp(xp.sqrt(column_squares(columns)), peaks - top)
        return norms, shift + top

    def _squares(self, shift: int) -> Any:
        """Return the squared norms of the columns of A / 2^shift."""
        step = NORM_COLUMNS if arrays.device_of(self.A) == "cpu" else self.shape[1]
        blocks = (shifted(self.A[:, a : a + step], -shift) for a in range(0, self.shape[1], step))
        with np.errstate(over="ignore", under="ignore"):
            return self.xp.concatenate([column_squares(block) for block in blocks])

    @property
    def xp(self) -> Any:
        """Namespace of the matrix."""
        return arrays.namespace(self.A)

    def _parts(self) -> tuple[Any, ...]:
        return (self.A,)

    def matvec(self, x: Any) -> Any:
        """Return A x."""
        return self.A @ x

    def rmatvec(self, r: Any) -> Any:
        """Return A' r."""
        return adjoint(self.A, r)

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield A' r as one block."""
        yield 0, self.rmatvec(r)

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx`, shape (n, k)."""
        return self.A[:, idx]

    def column_norms(self) -> Any:
        """Return the column norms, computed with the operator; infinite if out of range."""
        return shifted(self._norms, self._exponent)

    def norms_over(self, exponent: int) -> Any:
        """Return 2^-exponent times the column norms."""
        return shifted(self._norms, self._exponent - exponent)

    def size_exponent(self) -> int:
        """Return e with the largest column norm in [2^(e-1), 2^e]; computed on construction."""
        return self._exponent


@by_value
class ScaledOperator(Operator):
    """An operator with its columns multiplied by given factors, A diag(factor).

    Parameters
    ----------
    base : Operator
        A.
    factor : array, shape (N,)
        The factors.
    """

    def __init__(self, base: Operator, factor: Any) -> None:
        self.base, self.factor = base, factor
        self.shape, self.dtype = base.shape, base.dtype

    @property
    def xp(self) -> Any:
        """Namespace of the underlying operator."""
        return self.base.xp

    def _parts(self) -> tuple[Any, ...]:
        return self.base, self.factor

    @property
    def inexact(self) -> str | None:  # type: ignore[override]
        """Why the columns are not exact products: factors that are not powers of two, or the base's reason."""
        if self.base.inexact is not None:
            return self.base.inexact
        xp, (_, size), step = self.xp, self.shape, self.block_width
        factor = xp.where(self.factor == 0, 1.0, self.factor)
        if bool((xp.abs(xp.frexp(factor)[0]) == 0.5).all()):
            parts = (xp.arange(a, min(a + step, size)) for a in range(0, size, step))
            if all(self._keeps(part, factor[part]) for part in parts):
                return None
        return (
            "A is a ScaledOperator whose products are rounded; expected factors that are powers of two, or the matrix "
            "itself, such as A.columns(range(N)) as an array, about which something can be proved"
        )

    def _keeps(self, idx: Any, factor: Any) -> bool:
        """Tell whether the products of these columns with powers of two (or 0) are exact."""
        base, mine = self.base.stored(idx), self.stored(idx)
        back = scaled_entries(mine, lambda entries, j: entries / factor[j])
        kept = scaled_entries(base, lambda entries, j: self.xp.where(self.factor[idx][j] == 0, 0.0, entries))
        same = back.data == kept.data if hasattr(back, "indptr") else back == kept
        return bool(same.all())

    @property
    def block_width(self) -> int:
        """Block width of the underlying operator."""
        return self.base.block_width

    def matvec(self, x: Any) -> Any:
        """Return A (factor * x)."""
        return self.base.matvec(self.factor * x)

    def rmatvec(self, r: Any) -> Any:
        """Return factor * A' r."""
        return self.factor * self.base.rmatvec(r)

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield blocks of factor * A' r."""
        for start, block in self.base.rmatvec_blocks(r):
            yield start, self.factor[start : start + block.shape[0]] * block

    def columns(self, idx: Any) -> Any:
        """Return the scaled columns `idx`."""
        return self.base.columns(idx) * self.factor[idx]

    def stored(self, idx: Any) -> Any:
        """Return them as an array, or sparse where A is."""
        factor = self.factor[idx]
        return scaled_entries(self.base.stored(idx), lambda entries, j: entries * factor[j])

    def stored_bytes(self, idx: Any) -> int:
        """Return how many bytes they take."""
        return self.base.stored_bytes(idx)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the scaled columns `idx`."""
        return self.base.matvec_support(idx, self.factor[idx] * values)

    def column_norms(self) -> Any:
        """Return |factor| times the norms of the underlying columns."""
        return self.xp.abs(self.factor) * self.base.column_norms()


def is_operator(A: Any) -> bool:
    """Return whether `A` is an operator: one of ours, a sparse matrix, or an object with products.

    That is a shape and the method ``columns`` or ``matvec``. The ``columns`` of a data frame are names, not a method,
    so a frame counts as a matrix, unless all of its columns are sparse.
    """
    if isinstance(A, Operator) or is_sparse(A) or sparse_frame(A):
        return True
    if arrays.is_array(A) or not hasattr(A, "shape"):
        return False
    return any(callable(getattr(A, name, None)) for name in ("columns", "matvec"))


def as_operator(A: Any) -> Operator:
    """Return `A` as an operator.

    Parameters
    ----------
    A : Operator, array, sparse matrix, data frame, or object with products, shape (n, N)
        The caller's sensing matrix: an operator is returned as it is, sparse matrices and arrays of SciPy
        and pandas frames of sparse columns stay sparse, other arrays and frames are dense, and a ``LinearOperator`` of
        SciPy, an operator of PyLops or another object with ``shape`` and ``matvec`` is used by its products.

    Returns
    -------
    Operator
        An operator.

    Raises
    ------
    TypeError, ValueError
        If `A` is neither an operator nor a finite matrix of real numbers.

    Examples
    --------
    >>> import numpy as np, recovery, scipy.sparse
    >>> A = scipy.sparse.random_array((50, 100), density=0.2, rng=0)
    >>> recovery.as_operator(A)
    SparseOperator(shape=(50, 100), dtype=float64, 1000 stored)
    >>> recovery.solve(A, A @ (np.arange(100) == 7.0), 1).support.tolist()
    [7]
    """
    if isinstance(A, Operator):
        return A
    if is_sparse(A) or sparse_frame(A):
        return SparseOperator(A)
    inside = getattr(A, "A", None) if type(A).__name__ == "MatrixLinearOperator" else None
    if is_sparse(inside):  # what scipy.sparse.linalg.aslinearoperator made of a sparse matrix
        return SparseOperator(inside)
    return ForeignOperator(A) if is_operator(A) else DenseOperator(A)


class ForeignOperator(Operator):
    """Adapter for another library's operator, such as a SciPy ``LinearOperator``.

    Parameters
    ----------
    A : object
        With ``shape`` (n, N) and at least one of ``matvec`` and ``columns``; ``rmatvec`` where A' r is needed. It may
        also have ``matmat``, ``column_norms``, ``dtype``, and ``xp``, the namespace of its arrays (NumPy by default if
        it has no method ``columns``).

    Raises
    ------
    TypeError, ValueError
        If its shape is not a pair of numbers, or a product has the wrong shape or is not real.

    Notes
    -----
    Without a method ``columns``, columns are computed in blocks as products with unit vectors. Conditions and
    certificates prove statements about the matrix of these products, bit for bit as ``matvec`` returned them. Whether
    this is the intended matrix, without rounding on unit vectors, only the operator's author can say, in an attribute
    ``inexact`` (a message or None).
    """

    def __init__(self, A: Any) -> None:
        shape = tuple(A.shape)
        if len(shape) != 2:
            raise ValueError(f"A ({type(A).__name__}) has shape {shape}; expected two dimensions, (n, N)")
        self._A = A
        n, size = (check_integer(length, f"A.shape[{i}]", minimum=1) for i, length in enumerate(shape))
        self.shape, xp = (n, size), getattr(A, "xp", np)
        if callable(getattr(A, "columns", None)):
            probe = A.columns(xp.zeros(1, dtype="int64"))
            expected: tuple[int, ...] = (n, 1)
            said = "columns([0])"
        else:
            single = getattr(A, "dtype", None) == np.float32
            probe = A.matvec(xp.zeros(size, dtype="float32" if single else "float64"))
            expected, said = (n,), "matvec(0)"
        if not arrays.is_array(probe) or tuple(probe.shape) != expected or np.dtype(probe.dtype).kind not in "fiu":
            got = f"shape {tuple(probe.shape)} and dtype {probe.dtype}" if arrays.is_array(probe) else f"{probe!r}"
            raise TypeError(f"A.{said} of {type(A).__name__} is {got}; expected real numbers of shape {expected}")
        self.xp = arrays.namespace(probe)
        self.dtype = np.dtype(np.float32 if probe.dtype == np.float32 else np.float64)

    @property
    def inexact(self) -> str | None:  # type: ignore[override]
        """The object's own statement about its numbers."""
        return getattr(self._A, "inexact", None)

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx`: the object's, or its products with unit vectors."""
        if callable(getattr(self._A, "columns", None)):
            return self._A.columns(idx)
        xp, (n, size) = self.xp, self.shape
        step = max(1, self.block_width * n // size)  # unit vectors have the length of a row
        parts = [xp.zeros((n, 0), dtype=self.dtype)]
        for start in range(0, int(idx.shape[0]), step):
            here = xp.asarray(idx[start : start + step])
            units = xp.zeros((int(here.shape[0]), size), dtype=self.dtype)
            units[xp.arange(int(here.shape[0])), here] = 1.0
            if callable(getattr(self._A, "matmat", None)):
                parts.append(self._A.matmat(units.T))
            else:  # copies, since the object may reuse its memory
                parts.append(xp.stack([self._A.matvec(unit).copy() for unit in units], axis=1))
        return xp.concatenate(parts, axis=1)

    def matvec(self, x: Any) -> Any:
        """Return A x."""
        if callable(getattr(self._A, "matvec", None)):
            return self._A.matvec(x)
        return self.matvec_support(self.xp.arange(self.shape[1]), x)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the columns `idx`: one full product if columns would cost one each."""
        if callable(getattr(self._A, "columns", None)):
            return super().matvec_support(idx, values)
        x = self.xp.zeros(self.shape[1], dtype=values.dtype)
        x[idx] = values
        return self._A.matvec(x)

    def rmatvec(self, r: Any) -> Any:
        """Return A' r."""
        if not callable(getattr(self._A, "rmatvec", None)):
            raise TypeError(f"A ({type(self._A).__name__}) has no method 'rmatvec'; expected one that returns A' r")
        try:
            return self._A.rmatvec(r)
        except NotImplementedError as error:  # a LinearOperator of SciPy that was made without
            raise TypeError(
                f"A ({type(self._A).__name__}) knows no product with its transpose ({error}); expected one whose "
                "'rmatvec' returns A' r"
            ) from error

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield A' r as one block."""
        yield 0, self.rmatvec(r)

    def column_norms(self) -> Any:
        """Return the column norms: the object's, or computed from its columns in blocks."""
        if callable(getattr(self._A, "column_norms", None)):
            return self._A.column_norms()
        return self.norms_of_columns()


def normalise(A: Any) -> tuple[Operator, Any]:
    """Scale the columns of an operator to unit Euclidean norm.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The operator.

    Returns
    -------
    operator : Operator
        A diag(1 / scale), which has unit columns; zero columns stay zero.
    scale : array, shape (N,)
        The column norms, 1 for zero columns: ``x = z / scale`` solves A x = y when z solves
        the normalised system.
    """
    operator = as_operator(A)
    xp, info = operator.xp, np.finfo(operator.dtype)
    norms = small = operator.column_norms()
    if not isinstance(operator, RescaledOperator):
        top = float(norms.max())
        if not math.isfinite(top):
            raise ValueError(f"A has columns whose norm {operator.dtype} cannot hold; expected columns of smaller norm")
        exponent = math.frexp(top)[1]
        if abs(exponent) > info.maxexp // 4:  # 1 / norm may be out of range; scaling by a power of two is exact
            operator = RescaledOperator(operator, exponent)
            small = operator.column_norms()
    # a column this much shorter than the longest one keeps a norm below 1, since 1 / norm is out of range
    scale = xp.where(small > 0, xp.maximum(small, 4.0 * float(info.tiny)), 1.0).astype(operator.dtype)
    shown = scale if small is norms else xp.where(norms > 0, norms, 1.0).astype(operator.dtype)
    if isinstance(operator, RescaledOperator) and operator.near:
        factor = shifted(1.0 / scale, -operator.exponent)
        if bool(xp.isfinite(factor).all()):  # one product instead of two
            return ScaledOperator(operator.base, factor), shown
    return ScaledOperator(operator, 1.0 / scale), shown
