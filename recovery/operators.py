"""Linear operators A that are never formed: dense, gated and column-scaled ones.

The gated operator is A = [D_1 X, ..., D_p X] with D_j = diag(gate_j); column ``j * d + i`` is
gate j times feature i. Its products need the gates and X alone:

- adjoint: A' r as one matrix product, M' (X * r) with M the (n, p) gates;
- forward on an s-sparse w: the s columns X[:, i] * M[:, j], in blocks;
- Gram matrix of a few columns: from those columns.

Everything is kept feature-major ((d, n) and (p, n)), so that a column of A is contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array, check_finite, check_integer, check_number
from recovery.generators import GeneratorSource, SeededGenerators, StoredGenerators
from recovery.supports import GatedSupport

__all__ = ["DenseOperator", "GatedOperator", "Operator", "ScaledOperator", "as_operator", "dottest", "normalise"]

BLOCK_BYTES = 64 * 2**20
"""Target size of a temporary block of columns, in bytes."""
NORM_COLUMNS = 1024
"""Columns whose norms are summed together on a CPU: the sums stay in the fastest cache."""
TILE_GATES = 512
TILE_ROWS = {"cpu": 1024, "gpu": 2**18}
"""Gates times rows of a tile: on a CPU it stays in cache between the two products that use it."""


class Operator:
    """Base of the operators: what a solver may ask for, and what follows from it.

    Attributes
    ----------
    shape : tuple of int
        (n, N).
    dtype : numpy.dtype
        Type of the columns.
    xp : module
        Namespace of the arrays it takes and returns.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    xp: Any

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield (start, A[:, start:start+b]' r) block by block, for streaming selection."""
        raise NotImplementedError

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx` as an (n, k) array."""
        raise NotImplementedError

    def matvec(self, x: Any) -> Any:
        """Return A x for a full vector x of shape (N,)."""
        raise NotImplementedError

    def column_norms(self) -> Any:
        """Return the Euclidean norms of all columns, shape (N,)."""
        raise NotImplementedError

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

    def gram(self, idx: Any) -> Any:
        """Return A_S' A_S for the columns `idx`, shape (k, k)."""
        columns = self.columns(idx)
        return columns.T @ columns

    @property
    def block_width(self) -> int:
        """Number of columns that fill a block of :data:`BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // (self.dtype.itemsize * max(1, self.shape[0])))

    def aslinearoperator(self) -> Any:
        """Return the operator as a ``scipy.sparse.linalg.LinearOperator`` on NumPy arrays."""
        from scipy.sparse.linalg import LinearOperator

        def forward(x: np.ndarray) -> np.ndarray:
            return arrays.to_numpy(self.matvec(self.xp.asarray(np.ravel(x), dtype=self.dtype)))

        def adjoint(r: np.ndarray) -> np.ndarray:
            return arrays.to_numpy(self.rmatvec(self.xp.asarray(np.ravel(r), dtype=self.dtype)))

        return LinearOperator(self.shape, matvec=forward, rmatvec=adjoint, dtype=self.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"


class DenseOperator(Operator):
    """A matrix as an operator.

    Parameters
    ----------
    A : array, shape (n, N)
        The matrix; float32 stays float32, other types become float64.

    Raises
    ------
    TypeError, ValueError
        If `A` is not a finite, non-empty matrix of real numbers.
    """

    def __init__(self, A: Any) -> None:
        self.A = check_array(A, "A", ndim=2, finite=False)
        self.xp = arrays.namespace(self.A)
        self.shape = (int(self.A.shape[0]), int(self.A.shape[1]))
        self.dtype = np.dtype(self.A.dtype)
        # one pass over A gives the column norms and shows whether anything is NaN or infinite
        step = NORM_COLUMNS if arrays.device_of(self.A) == "cpu" else self.shape[1]
        blocks = [self.A[:, a : a + step] for a in range(0, self.shape[1], step)]
        squares = self.xp.concatenate([self.xp.einsum("ij,ij->j", block, block) for block in blocks])
        self._norms = self.xp.sqrt(squares)
        if not bool(self.xp.isfinite(squares).all()):
            check_finite(self.A, "A")
            largest = self.xp.abs(self.A).max()
            scaled = self.A / largest
            self._norms = largest * self.xp.sqrt((scaled * scaled).sum(axis=0))

    def matvec(self, x: Any) -> Any:
        """Return A x."""
        return self.A @ x

    def rmatvec(self, r: Any) -> Any:
        """Return A' r."""
        return self.A.T @ r

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield A' r as one block."""
        yield 0, self.rmatvec(r)

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx`, shape (n, k)."""
        return self.A[:, idx]

    def column_norms(self) -> Any:
        """Return the column norms, computed with the operator."""
        return self._norms


class GatedOperator(Operator):
    """The sensing matrix of gated linear units, A = [D_1 X, ..., D_p X], never formed.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; float32 stays float32, other types become float64.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite matrix, `gates` holds other values than 0 and 1, or the
        rows do not match.

    See Also
    --------
    GatedOperator.from_generators : gates 1{X h_j >= 0} from generators.
    GatedOperator.from_seed : generators drawn from a seed and never stored.
    recovery.reference.GatedReference : the same operator written out plainly.

    Notes
    -----
    Memory: X, and the gates at one byte each (none with recomputed gates). The adjoint costs
    2 n d p operations in one matrix product a block, and as many again where gates are recomputed.
    """

    def __init__(self, X: Any, gates: Any) -> None:
        self._set_inputs(X)
        gates = check_array(gates, "gates", ndim=2, dtype=None)
        if gates.shape[0] != self.shape[0]:
            raise ValueError(
                f"gates has shape {tuple(gates.shape)}; expected ({self.shape[0]}, p) to match the rows of X"
            )
        if not bool(((gates == 0) | (gates == 1)).all()):
            raise ValueError("gates holds values other than 0 and 1; expected a 0/1 or bool array")
        if arrays.namespace(gates) is not self.xp:
            raise TypeError("X and gates live on different devices; move them to one device first")
        self._gates: Any = self.xp.ascontiguousarray(gates.T != 0)
        self._source: GeneratorSource | None = None
        self._set_count(int(gates.shape[1]))

    @classmethod
    def from_generators(cls, X: Any, H: Any, strict: bool = False, *, store: bool = True) -> GatedOperator:
        """Build the operator with gates 1{X h_j >= 0} from generators h_j.

        Parameters
        ----------
        X : array, shape (n, d)
            Inputs.
        H : array, shape (d, p), or GeneratorSource
            One generator a column.
        strict : bool, default False
            Use ``> 0`` instead of ``>= 0``; they differ where X h_j = 0, which blank pixels
            and zero generators make common.
        store : bool, default True
            Keep the (n, p) gates, one byte each; False recomputes them block by block.

        Returns
        -------
        GatedOperator
            An operator of shape (n, d p).
        """
        self = cls.__new__(cls)
        self._set_inputs(X)
        if isinstance(H, (StoredGenerators, SeededGenerators)):
            source: GeneratorSource = H
        else:
            H = check_array(H, "H", ndim=2)
            if arrays.namespace(H) is not self.xp:
                raise TypeError("X and H live on different devices; move them to one device first")
            source = StoredGenerators(H.astype(self.dtype))
        if source.n_features != self.n_features:
            raise ValueError(
                f"H has {source.n_features} rows and X has {self.n_features} columns; expected equally many"
            )
        self._strict = bool(strict)
        self._source = source
        self._gates = None
        self._set_count(source.count)
        if store:
            self._store_gates(source)
            self._source = None
        return self

    @classmethod
    def from_seed(cls, X: Any, n_gates: int, seed: int, strict: bool = False) -> GatedOperator:
        """Build the operator with standard normal generators that are re-drawn, never stored.

        Parameters
        ----------
        X : array, shape (n, d)
            Inputs.
        n_gates : int
            p.
        seed : int
            Seed of the generators, see :class:`recovery.generators.SeededGenerators`.
        strict : bool, default False
            Use ``> 0`` instead of ``>= 0``.

        Returns
        -------
        GatedOperator
            An operator of shape (n, d p) whose memory does not grow with p.
        """
        X = check_array(X, "X", ndim=2)
        source = SeededGenerators(int(X.shape[1]), n_gates, seed, like=X)
        return cls.from_generators(X, source, strict, store=False)

    def regate(self, H: Any, strict: bool | None = None) -> GatedOperator:
        """Return the operator of the same inputs with gates from other generators, kept as bits.

        Parameters
        ----------
        H : array, shape (d, p)
            One generator a column, on the device of X. Not checked: this is an inner loop.
        strict : bool, optional
            Use ``> 0`` instead of ``>= 0``; as before by default.

        Returns
        -------
        GatedOperator
            It shares X with this one.
        """
        return self._regated(H, strict)

    def follow(self, H: Any, strict: bool | None = None) -> tuple[GatedOperator, Any]:
        """Return the operator with gates that follow the weights, and its product with these weights.

        The activations X h_j give both, gate by comparison and product as sum_j relu(X h_j), so this costs
        no more than :meth:`regate` alone.

        Parameters
        ----------
        H : array, shape (d, p)
            The weights, one neuron a column, which are the generators too. Not checked: this is an inner loop.
        strict : bool, optional
            Use ``> 0`` instead of ``>= 0``; as before by default.

        Returns
        -------
        operator : GatedOperator
            ``self.regate(H, strict)``.
        product : array, shape (n,)
            ``operator.matvec(H.T.ravel())``, bit for bit.
        """
        product = self.xp.zeros(self.shape[0], dtype=self.dtype)
        return self._regated(H, strict, product), product

    def subset(self, gates: Any) -> GatedOperator:
        """Return the operator of some of its stored gates.

        Parameters
        ----------
        gates : array of int64, shape (q,)
            Which ones.

        Returns
        -------
        GatedOperator
            Of shape (n, d q); it shares X with this one.
        """
        other = object.__new__(GatedOperator)
        other.__dict__.update(self.__dict__)
        other._gates = self._gates[gates]
        other._set_count(int(gates.shape[0]))
        return other

    def gate_changes(self, other: GatedOperator) -> Any:
        """Return how many stored gate bits differ from those of another operator, gate by gate.

        Parameters
        ----------
        other : GatedOperator
            With as many gates and rows.

        Returns
        -------
        array of int64, shape (p,)
            On the device.
        """
        parts = [(self._gates[:, a:b] != other._gates[:, a:b]).sum(axis=1) for a, b in self._row_ranges(wide=True)]
        return self.xp.stack(parts).sum(axis=0)

    @property
    def inputs(self) -> Any:
        """The inputs feature by feature, X' as a contiguous (d, n) array."""
        return self._Xt

    @property
    def tile_rows(self) -> int:
        """Rows of a tile of :data:`TILE_GATES` gates."""
        return self._tile_rows

    def gate_rows(self, which: Any) -> Callable[[int, int], Any]:
        """Return a function of a range of rows that gives the gates `which` there, as a bool array (q, rows)."""
        if self._gates is not None:
            stored = self._gates
            return lambda a, b: stored[:, a:b][which]
        assert self._source is not None
        generators = self._source.rows(which)
        return lambda a, b: self._compare(generators @ self._Xt[:, a:b])

    def gates(self, start: int = 0, stop: int | None = None) -> Any:
        """Return the gates `start` to `stop` (exclusive) as a bool array of shape (n, stop - start)."""
        stop = self.n_gates if stop is None else stop
        if self._gates is not None:
            return self._gates[start:stop].T
        assert self._source is not None
        return self._compare(self._source.block(start, stop) @ self._Xt).T

    def matvec(self, x: Any) -> Any:
        """Return A x for a full vector x: one matrix product and one sum a tile."""
        xp, weights = self.xp, x.reshape(self.n_gates, self.n_features)
        out = xp.zeros(self.shape[0], dtype=weights.dtype)
        for g0, g1 in self._gate_ranges():
            generators = None if self._source is None else self._source.block(g0, g1)
            for a, b in self._row_ranges():
                tile = weights[g0:g1] @ self._Xt[:, a:b]
                tile *= self._gate_tile(generators, g0, g1, a, b)
                out[a:b] += tile.sum(axis=0)
        return out

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield (start, block of A' r); each block is one matrix product, done in tiles of rows."""
        for g0, g1 in self._gate_ranges():
            yield g0 * self.n_features, self._gates_times(r, g0, g1).ravel()

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx`, shape (n, k), each contiguous in memory."""
        gate, feature = idx // self.n_features, idx % self.n_features
        return (self._Xt[feature] * self._rows_of(gate)).T

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return sum_k values_k A[:, idx_k] for distinct indices, in tiles: O(n k) time, O(b) memory."""
        if self._gates is None:
            return GatedSupport(self, idx).forward(values)
        out = self.xp.zeros(self.shape[0], dtype=values.dtype)
        gate, feature = idx // self.n_features, idx % self.n_features
        for first in range(0, int(idx.shape[0]), TILE_GATES):
            here = slice(first, first + TILE_GATES)
            for a, b in self._row_ranges():
                tile = self._Xt[:, a:b][feature[here]]
                tile *= self._gates[:, a:b][gate[here]]
                out[a:b] += values[here] @ tile
        return out

    def gram(self, idx: Any, dtype: Any = None) -> Any:
        """Return A_S' A_S for the columns `idx`, in tiles of rows: O(k^2 + k b) extra memory.

        `dtype` float32 halves the time; the entries then carry errors of about 1e-6 of the squared norms.
        """
        xp, k = self.xp, int(idx.shape[0])
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        inputs = self._inputs_as(dtype)
        gate, feature = idx // self.n_features, idx % self.n_features
        bits, row = (self._gates, gate) if self._gates is not None else (self._rows_of(gate), xp.arange(k))
        out = xp.zeros((k, k), dtype=dtype)
        for a, b in self._row_ranges():
            tile = inputs[:, a:b][feature]
            tile *= bits[:, a:b][row]
            out += tile @ tile.T
        return out

    def column_norms(self) -> Any:
        """Return the column norms: one matrix product with the squared inputs."""
        parts = [self._gates_times(None, g0, g1) for g0, g1 in self._gate_ranges()]
        return self.xp.sqrt(self.xp.concatenate(parts).ravel())

    def _set_inputs(self, X: Any) -> None:
        X = check_array(X, "X", ndim=2)
        self.xp = arrays.namespace(X)
        self.dtype = np.dtype(X.dtype)
        self.n_features = int(X.shape[1])
        self._Xt = self.xp.ascontiguousarray(X.T)
        self._copies: dict[Any, Any] = {self.dtype: self._Xt}  # by dtype; shared by operators of the same X
        self._tile_rows = TILE_ROWS[arrays.device_of(X)]
        self.shape = (int(X.shape[0]), 0)
        self._strict = False

    def _inputs_as(self, dtype: np.dtype) -> Any:
        if dtype not in self._copies:
            self._copies[dtype] = self._Xt.astype(dtype)
        return self._copies[dtype]

    def _set_count(self, count: int) -> None:
        self.n_gates = count
        self.shape = (self.shape[0], count * self.n_features)

    def _gate_ranges(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.n_gates, TILE_GATES):
            yield start, min(start + TILE_GATES, self.n_gates)

    def _row_ranges(self, wide: bool = False) -> Iterator[tuple[int, int]]:
        few = max(1, TILE_GATES // max(1, self.n_gates))  # few gates leave room for more rows
        step = self._tile_rows * (4 if wide else min(8, few))
        for start in range(0, self.shape[0], step):
            yield start, min(start + step, self.shape[0])

    def _regated(self, H: Any, strict: bool | None, product: Any = None) -> GatedOperator:
        other = object.__new__(GatedOperator)
        other.__dict__.update(self.__dict__)
        other._strict = self._strict if strict is None else bool(strict)
        other._source = None
        other._set_count(int(H.shape[1]))
        other._store_gates(StoredGenerators(H.astype(self.dtype)), product)
        return other

    def _store_gates(self, source: GeneratorSource, product: Any = None) -> None:
        """Compute and keep the gates; add the sum of the gated activations to `product`."""
        self._gates = self.xp.empty((self.n_gates, self.shape[0]), dtype=bool)
        for g0, g1 in self._gate_ranges():
            generators = source.block(g0, g1)
            for a, b in self._row_ranges():
                tile = generators @ self._Xt[:, a:b]
                self._gates[g0:g1, a:b] = self._compare(tile)
                if product is not None:
                    product[a:b] += self.xp.maximum(tile, 0, out=tile).sum(axis=0)

    def _compare(self, activation: Any) -> Any:
        return activation > 0 if self._strict else activation >= 0

    def _gate_tile(self, generators: Any, g0: int, g1: int, a: int, b: int) -> Any:
        """Return 0/1 gates as numbers for one tile; recomputed gates overwrite their activation."""
        if self._gates is not None:
            return self._gates[g0:g1, a:b].astype(self.dtype)
        tile = generators @ self._Xt[:, a:b]
        compare = self.xp.greater if self._strict else self.xp.greater_equal
        return compare(tile, 0, out=tile)

    def _gates_times(self, r: Any, g0: int, g1: int) -> Any:
        """Return gates' (X * r), or gates' (X * X) for r = None, summed over tiles of rows."""
        generators = None if self._source is None else self._source.block(g0, g1)
        out = self.xp.zeros((g1 - g0, self.n_features), dtype=self.dtype)
        for a, b in self._row_ranges():
            inputs = self._Xt[:, a:b]
            inputs = inputs * (inputs if r is None else r[a:b])
            out += self._gate_tile(generators, g0, g1, a, b) @ inputs.T
        return out

    def _rows_of(self, gate: Any) -> Any:
        if self._gates is not None:
            return self._gates[gate]
        assert self._source is not None
        distinct, inverse = self.xp.unique(gate, return_inverse=True)
        return self._compare(self._source.rows(distinct) @ self._Xt)[inverse.ravel()]


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
        self.shape, self.dtype, self.xp = base.shape, base.dtype, base.xp

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

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the scaled columns `idx`."""
        return self.base.matvec_support(idx, self.factor[idx] * values)

    def column_norms(self) -> Any:
        """Return |factor| times the norms of the underlying columns."""
        return self.xp.abs(self.factor) * self.base.column_norms()


def as_operator(A: Any) -> Operator:
    """Return `A` itself if it is an operator, else a :class:`DenseOperator` of it.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        What a caller passed as sensing matrix.

    Returns
    -------
    Operator
        An operator.
    """
    return A if isinstance(A, Operator) else DenseOperator(A)


def normalise(A: Any) -> tuple[Operator, Any]:
    """Scale the columns of an operator to unit Euclidean norm.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The operator.

    Returns
    -------
    operator : Operator
        A diag(1 / scale), of unit columns; zero columns stay zero.
    scale : array, shape (N,)
        The column norms, 1 for zero columns: ``x = z / scale`` solves A x = y when z solves
        the normalised system.
    """
    operator = as_operator(A)
    norms = operator.column_norms()
    scale = operator.xp.where(norms > 0, norms, 1.0).astype(operator.dtype)
    return ScaledOperator(operator, 1.0 / scale), scale


def dottest(A: Any, *, n_trials: int = 3, tol: float | None = None, rng: Any = None) -> float:
    """Check that an operator's products belong to one matrix: <A x, r> = <x, A' r>, columns and Gram.

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
        The largest relative error that was seen.

    Raises
    ------
    AssertionError
        If an identity fails; the sentence says which one and by how much.
    """
    operator = as_operator(A)
    n_trials = check_integer(n_trials, "n_trials", minimum=1)
    eps = float(np.finfo(operator.dtype).eps)
    tol = 1e4 * eps if tol is None else check_number(tol, "tol", minimum=0.0)
    draw, xp, (n, size) = arrays.generator(rng), operator.xp, operator.shape
    worst = 0.0

    def compare(name: str, one: Any, other: Any, scale: Any) -> None:
        nonlocal worst
        error = float(xp.abs(one - other).max() / (scale + 1e-300))
        worst = max(worst, error)
        if not error <= tol:
            raise AssertionError(f"{operator!r} fails the dot test: {name} differ by {error:.2e} (tolerance {tol:.0e})")

    for _ in range(n_trials):
        x = xp.asarray(draw.standard_normal(size), dtype=operator.dtype)
        r = xp.asarray(draw.standard_normal(n), dtype=operator.dtype)
        forward, adjoint = operator.matvec(x), operator.rmatvec(r)
        scale = xp.sqrt((forward * forward).sum() * (r * r).sum())
        compare("<Ax, r> and <x, A'r>", (forward * r).sum(), (x * adjoint).sum(), scale)
        idx = xp.asarray(np.sort(draw.choice(size, size=min(size, 5), replace=False)))
        picked = operator.columns(idx)
        compare("columns and A'r", picked.T @ r, adjoint[idx], xp.abs(adjoint).max())
        sparse = xp.zeros(size, dtype=operator.dtype)
        sparse[idx] = x[idx]
        compare(
            "matvec_support and matvec",
            operator.matvec_support(idx, x[idx]),
            operator.matvec(sparse),
            xp.abs(forward).max(),
        )
        compare("gram and columns", operator.gram(idx), picked.T @ picked, xp.abs(picked.T @ picked).max())
        compare("column_norms and columns", operator.column_norms()[idx], xp.sqrt((picked * picked).sum(axis=0)), 1.0)
    return worst
