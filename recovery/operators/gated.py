"""The gated operator A = [D_1 X, ..., D_p X] with D_j = diag(gate_j), never formed.

Column ``j * d + i`` is gate j times feature i. The products need only the gates and X:

- adjoint: A' r as one matrix product, M' (X * r) with M the (n, p) gates;
- forward on an s-sparse w: the s columns X[:, i] * M[:, j], in blocks;
- Gram matrix of a few columns: from those columns.

Everything is kept feature-major ((d, n) and (p, n)), so that a column of A is contiguous.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from planted.base import arrays
from planted.base.blocks import in_smaller_blocks
from planted.base.checks import check_array, check_gates
from planted.base.exactness import inexact
from planted.base.values import by_value
from recovery.operators import base
from recovery.operators.arithmetic import shifted
from recovery.operators.base import Operator, StoredSupport, Support
from recovery.operators.generators import GeneratorSource, RescaledGenerators, SeededGenerators, StoredGenerators

__all__ = ["GRAM_COLUMNS", "GatedOperator", "GatedSupport", "MovingSupport"]


CHUNK_GATES = 512
"""Number of distinct gates processed together."""
DENSE = 25
"""A gate with more than d / DENSE entries is cheaper as one row of a matrix product than entry by entry."""
FEWEST_ROWS = 64


@dataclass(frozen=True)
class _Chunk:
    """Some distinct gates of the support (`gates`), and the entries `first` to `last` that belong to them."""

    number: int
    gates: Any
    first: int
    last: int
    dense: bool
    rows: int


class GatedSupport(Support):
    """A_S of a gated operator, by forward and adjoint products without storing anything of size n s.

    Parameters
    ----------
    operator : GatedOperator
        A, with stored gates, stored generators or generators that are redrawn.
    idx : array of int64, shape (k,)
        S, distinct indices.
    keep_bytes : int, default 0
        The gates of S are kept between products, packed to bits, if they need at most this much; otherwise they are
        recomputed for every product.

    Notes
    -----
    The entries are grouped by gate, so each generator is drawn at most once per product, and gates and inputs are
    combined in tiles that stay in cache. With q distinct gates among k entries a product costs 2 n k operations, or 2 n
    d q if gates have many entries, plus 2 n d q if the gates are recomputed. Extra memory: the tiles, a few vectors of
    length k, and the packed gates, q n / 8 <= `keep_bytes` bytes.
    """

    def __init__(self, operator: GatedOperator, idx: Any, *, keep_bytes: int = 0) -> None:
        xp, d = operator.xp, operator.n_features
        self.operator, self.idx = operator, idx
        self._order = xp.argsort(idx)
        gate = idx[self._order] // d
        self._feature = idx[self._order] - gate * d
        distinct, place = xp.unique(gate, return_inverse=True)
        self._place = place.ravel()
        count = int(distinct.shape[0])
        starts = list(range(0, count, CHUNK_GATES))
        edges = [*arrays.to_numpy(xp.searchsorted(self._place, xp.asarray(starts))).tolist(), int(idx.shape[0])]
        self._chunks = [
            self._chunk(number, distinct[start : start + CHUNK_GATES], *edges[number : number + 2])
            for number, start in enumerate(starts)
        ]
        self._packed: dict[tuple[int, int], Any] | None = {} if count * operator.shape[0] <= 8 * keep_bytes else None

    def forward(self, values: Any) -> Any:
        """Return A_S values, shape (n,)."""
        A, xp = self.operator, self.operator.xp
        values = values[self._order]
        out = xp.zeros(A.shape[0], dtype=values.dtype)
        for chunk in self._chunks:
            here, place, feature = self._entries(chunk, values)
            weights = self._spread(chunk, place, feature, here)
            for a, b, inputs, bits in self._tiles(chunk):
                if chunk.dense:
                    tile = weights @ inputs
                    tile *= bits
                    out[a:b] += tile.sum(axis=0)
                else:
                    tile = inputs[feature]
                    tile *= bits[place]
                    out[a:b] += here @ tile
        return out

    def adjoint(self, r: Any) -> Any:
        """Return A_S' r, shape (k,)."""
        A, xp = self.operator, self.operator.xp
        found = xp.zeros(self._order.shape[0], dtype=r.dtype)
        for chunk in self._chunks:
            here, place, feature = self._entries(chunk, found)
            total = self._spread(chunk, place, feature, 0.0)
            for a, b, inputs, bits in self._tiles(chunk):
                if chunk.dense:
                    total += bits.astype(A.dtype) @ (inputs * r[a:b]).T
                else:
                    tile = inputs[feature]
                    tile *= bits[place]
                    here += tile @ r[a:b]
            if chunk.dense:
                here += total[place, feature]
        out = xp.empty_like(found)
        out[self._order] = found
        return out

    def _chunk(self, number: int, gates: Any, first: int, last: int) -> _Chunk:
        A, count = self.operator, int(gates.shape[0])
        dense = (last - first) * DENSE > A.n_features * count
        width = max(count, A.n_features) if dense else last - first
        rows = min(max(FEWEST_ROWS, CHUNK_GATES * A.tile_rows // width), 8 * A.tile_rows)
        return _Chunk(number, gates, first, last, dense, rows)

    def _entries(self, chunk: _Chunk, vector: Any) -> tuple[Any, Any, Any]:
        """Return a vector's entries in a chunk, their gates within the chunk, and their features."""
        here = slice(chunk.first, chunk.last)
        return vector[here], self._place[here] - chunk.number * CHUNK_GATES, self._feature[here]

    def _spread(self, chunk: _Chunk, place: Any, feature: Any, values: Any) -> Any:
        """Return the entries of a chunk as a (gates, d) matrix, for chunks that use one."""
        if not chunk.dense:
            return None
        A = self.operator
        out = A.xp.zeros((int(chunk.gates.shape[0]), A.n_features), dtype=A.dtype)
        out[place, feature] = values
        return out

    def _tiles(self, chunk: _Chunk) -> Iterator[tuple[int, int, Any, Any]]:
        """Yield row range, inputs (d, rows) and 0/1 gates (gates, rows) of each tile of a chunk."""
        A, xp, n = self.operator, self.operator.xp, self.operator.shape[0]
        rows_of: Any = None
        for a in range(0, n, chunk.rows):
            b = min(a + chunk.rows, n)
            packed = self._packed.get((chunk.number, a)) if self._packed is not None else None
            if packed is not None:
                shape = int(chunk.gates.shape[0]), b - a
                bits = xp.unpackbits(packed)[: shape[0] * shape[1]].reshape(shape)
            else:
                rows_of = A.gate_rows(chunk.gates) if rows_of is None else rows_of
                bits = rows_of(a, b)
                if self._packed is not None:
                    self._packed[chunk.number, a] = xp.packbits(bits)
            yield a, b, A.inputs[:, a:b], bits


COLUMN_COST, COLUMN_BYTES = 4, 2**30
"""A moving support's columns are stored if they are this many times fewer than d p, and need at most this many
bytes."""
GRAM_COLUMNS = 160
"""For up to this many columns the Gram matrix costs less than the products that it replaces."""


class MovingSupport(Support):
    """A_S of a gated operator for a changing support: memory is reused, and columns that stay are not recomputed.

    Parameters
    ----------
    A : GatedOperator
        With stored gates.
    idx : array of int64, shape (k,)
        The support S, ascending.
    space : MovingSupport, optional
        An earlier instance that is no longer needed and whose memory is reused.

    Notes
    -----
    A small number of columns is stored, and for a very small number the Gram matrix too. Columns are not stored if they
    are at least a fourth of d p (then products with all gates cost less) or need more than 1 GiB.
    """

    def __init__(self, A: GatedOperator, idx: Any, space: MovingSupport | None = None) -> None:
        self.operator, self.idx = A, idx
        count = int(idx.shape[0])
        # a product with stored columns reads n s numbers, one with all gates does 2 n d p operations
        few = count <= GRAM_COLUMNS or COLUMN_COST * count < A.shape[1]
        fits = count * A.shape[0] * A.dtype.itemsize <= COLUMN_BYTES
        self.rows: Any = None
        self._gram: Any = None
        if few and fits:
            old = None if space is None else space.rows
            same = old is not None and old.shape == (count, A.shape[0])
            self.rows = A.fill_columns(idx, old if same else A.xp.empty((count, A.shape[0]), dtype=A.dtype))

    def moved(self, idx: Any) -> MovingSupport:
        """Return the products for another support of the same size; only columns that enter are computed.

        The memory of this instance is reused, so it must not be used afterwards. One synchronisation.
        """
        if self.rows is None or self.idx.shape != idx.shape:
            return MovingSupport(self.operator, idx, self)
        xp = self.operator.xp
        enters = idx[~xp.isin(idx, self.idx)]
        count = int(enters.shape[0])
        other = object.__new__(MovingSupport)
        other.operator, other._gram, other.rows = self.operator, None, self.rows
        other.idx = self.idx
        if count:
            # positions of the columns that leave come first, in ascending order; equally many enter
            place = xp.argsort(xp.isin(self.idx, idx), kind="stable")[:count]
            other.idx = self.idx.copy()
            other.idx[place] = enters
            other.rows[place] = self.operator.fill_columns(
                enters, xp.empty((count, self.operator.shape[0]), dtype=self.operator.dtype)
            )
        return other

    def forward(self, values: Any) -> Any:
        """Return A_S values."""
        if self.rows is not None:
            return values @ self.rows
        return self.operator.matvec(self._full(values))

    def adjoint(self, r: Any) -> Any:
        """Return A_S' r."""
        return self.rows @ r if self.rows is not None else self.operator.rmatvec(r)[self.idx]

    def curvature(self, values: Any) -> Any:
        """Return |A_S values|^2."""
        if self._gram is not None:
            return values @ (self._gram @ values)
        image = self.forward(values)
        return image @ image

    def normal(self, values: Any) -> tuple[Any, Any]:
        """Return A_S' A_S values and |A_S values|^2."""
        if self.rows is None:
            product, square = self.operator.normal(self._full(values))
            return product[self.idx], square
        if int(self.idx.shape[0]) > GRAM_COLUMNS:
            image = values @ self.rows
            return self.rows @ image, image @ image
        if self._gram is None:
            self._gram = self.rows @ self.rows.T
        product = self._gram @ values
        return product, values @ product

    def _full(self, values: Any) -> Any:
        full = self.operator.xp.zeros(self.operator.shape[1], dtype=values.dtype)
        full[self.idx] = values
        return full


TILE_GATES = 512
TILE_ROWS = {"cpu": 1024, "gpu": 2**18}
"""Size of a tile (gates times rows): on a CPU it stays in cache between the two products that use it."""

SPARSE_FACTOR = 12
"""In a product, one entry of a sparse matrix costs as much as this many of a dense one."""

FAR = {np.dtype("float32"): 32, np.dtype("float64"): 256}
"""Exponents of inputs beyond which products and squares may over- or underflow: a quarter of the range."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _in_tiles_that_fit(method: _Method) -> _Method:
    """Restart a product with half as many rows per tile if memory runs out; later products keep that size."""

    @functools.wraps(method)
    def shrinking(self: GatedOperator, *args: Any, **options: Any) -> Any:
        rows = self._blocks["rows"]

        def work(size: int) -> Any:
            self._blocks["rows"] = size
            return method(self, *args, **options)

        try:
            return in_smaller_blocks(work, rows, f"{method.__name__.strip('_')} of {self!r}")[0]
        except BaseException:
            self._blocks["rows"] = rows  # smaller tiles did not help, whatever the cause
            raise

    return cast(_Method, shrinking)


@by_value
class GatedOperator(Operator):
    """The sensing matrix of gated linear units, A = [D_1 X, ..., D_p X], never formed.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; float32 stays float32, other types become float64. If that rounds a number, solvers still accept the
        operator, but anything that proves a statement rejects it.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite matrix, `gates` contains values other than 0 and 1, or the numbers of rows
        differ.

    See Also
    --------
    GatedOperator.from_generators : gates 1{X h_j >= 0} from generators.
    GatedOperator.from_seed : generators drawn from a seed and never stored.
    tests.oracles.operators.GatedReference : a plain reference implementation.

    Notes
    -----
    The inputs are not copied if X' is already contiguous; do not modify them afterwards. Two operators are equal
    (``==``) if their inputs and their gates (stored, or recomputed from equal generators) are.

    Memory: X, and the gates at one byte each (none with recomputed gates). The adjoint costs 2 n d p operations, one
    matrix product per block, and twice as many if gates are recomputed. If a device runs out of memory, products
    continue with smaller tiles and a RuntimeWarning.
    """

    def __init__(self, X: Any, gates: Any) -> None:
        self._set_inputs(X)
        gates = check_gates(gates)
        if gates.shape[0] != self.shape[0]:
            raise ValueError(
                f"gates has shape {tuple(gates.shape)}; expected ({self.shape[0]}, p) to match the rows of X"
            )
        if arrays.namespace(gates) is not self.xp:
            raise TypeError("X and gates live on different devices; move them to one device first")
        self._gates: Any = self.xp.ascontiguousarray(gates.T)
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
            One generator per column.
        strict : bool, default False
            Use ``> 0`` instead of ``>= 0``; they differ where X h_j = 0, which is common with blank pixels and zero
            generators.
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
        # a gate depends on signs only, so generators may absorb half of the exponent of X, and no product over- or
        # underflows
        exponent = self.size_exponent()
        self._source = RescaledGenerators(source, -(exponent // 2)) if abs(exponent) > FAR[self.dtype] else source
        self._gates = None
        self._set_count(source.count)
        if store:
            self._store_gates(self._source)
            self._source = None
        return self

    @classmethod
    def from_seed(cls, X: Any, n_gates: int, seed: int, strict: bool = False) -> GatedOperator:
        """Build the operator with standard normal generators that are redrawn and never stored.

        Parameters
        ----------
        X : array, shape (n, d)
            Inputs.
        n_gates : int
            p.
        seed : int
            Seed of the generators, see :class:`recovery.operators.generators.SeededGenerators`.
        strict : bool, default False
            Use ``> 0`` instead of ``>= 0``.

        Returns
        -------
        GatedOperator
            An operator of shape (n, d p) whose memory does not grow with p.
        """
        checked = check_array(X, "X", ndim=2)
        source = SeededGenerators(int(checked.shape[1]), n_gates, seed, like=checked)
        return cls.from_generators(X, source, strict, store=False)

    def regate(self, H: Any, strict: bool | None = None) -> GatedOperator:
        """Return the operator with the same inputs and gates from other generators, stored as bits.

        Parameters
        ----------
        H : array, shape (d, p)
            One generator per column, on the device of X. Not checked: this is an inner loop.
        strict : bool, optional
            Use ``> 0`` instead of ``>= 0``; as before by default.

        Returns
        -------
        GatedOperator
            It shares X with this one.
        """
        return self._regated(H, strict)

    def follow(self, H: Any, strict: bool | None = None) -> tuple[GatedOperator, Any]:
        """Return the operator with gates given by the weights, and its product with these weights.

        The activations X h_j give both, the gates by comparison and the product as sum_j relu(X h_j), so this costs no
        more than :meth:`regate` alone.

        Parameters
        ----------
        H : array, shape (d, p)
            The weights, one neuron per column, which are also the generators. Not checked: this is an inner loop.
        strict : bool, optional
            Use ``> 0`` instead of ``>= 0``; as before by default.

        Returns
        -------
        operator : GatedOperator
            ``self.regate(H, strict)``.
        product : array, shape (n,)
            ``operator.matvec(H.T.ravel())``, bitwise.
        """
        product = self.xp.zeros(self.shape[0], dtype=self.dtype)
        return self._regated(H, strict, product), product

    @_in_tiles_that_fit
    def follow_gradient(self, H: Any, y: Any) -> tuple[GatedOperator, Any, Any]:
        """Set strict gates to the weights, and return the residual and the gradient too, in one pass over X.

        Parameters
        ----------
        H : array, shape (d, p)
            The weights, one neuron per column, which are also the generators. Not checked: this is an inner loop.
        y : array, shape (n,)
            Targets.

        Returns
        -------
        operator : GatedOperator
            ``self.regate(H, strict=True)``.
        residual : array, shape (n,)
            ``y - operator.matvec(H.T.ravel())``.
        gradient : array, shape (p d,)
            ``operator.rmatvec(residual)``, up to the order of summation.

        Notes
        -----
        A tile holds all neurons for a few rows, so the gates, the residual of these rows and their contribution to the
        gradient are computed from the activations while they are in cache.
        """
        xp, other = self.xp, object.__new__(GatedOperator)
        other.__dict__.update(self.__dict__)
        other._strict, other._source = True, None
        other._set_count(int(H.shape[1]))
        other._gates = xp.empty((other.n_gates, self.shape[0]), dtype=bool)
        rows = _left_factor(xp, xp.ascontiguousarray(H.T).astype(self.dtype))
        residual = xp.empty(self.shape[0], dtype=self.dtype)
        gradient = xp.zeros((other.n_gates, self.n_features), dtype=self.dtype)
        ones = xp.ones(other.n_gates, dtype=self.dtype)
        step = self._rows_of_all_gates(other.n_gates)
        for a in range(0, self.shape[0], step):
            inputs = self._Xt[:, a : a + step]
            tile = rows @ inputs
            xp.maximum(tile, 0, out=tile)
            part = y[a : a + step] - ones @ tile
            residual[a : a + step] = part
            bits = tile > 0
            other._gates[:, a : a + step] = bits
            tile[...] = bits
            gradient += tile @ (inputs * part).T
        return other, residual, gradient.ravel()

    def subset(self, gates: Any) -> GatedOperator:
        """Return the operator with only some of the stored gates.

        Parameters
        ----------
        gates : array of int64, shape (q,)
            Indices of the gates.

        Returns
        -------
        GatedOperator
            An operator of shape (n, d q) that shares X with this one.
        """
        other = object.__new__(GatedOperator)
        other.__dict__.update(self.__dict__)
        other._gates = self._gates[gates]
        other._set_count(int(gates.shape[0]))
        return other

    def gate_changes(self, other: GatedOperator) -> Any:
        """Return how many stored gate bits differ from those of another operator, for each gate.

        Parameters
        ----------
        other : GatedOperator
            An operator with the same numbers of gates and rows.

        Returns
        -------
        array of int64, shape (p,)
            On the device.
        """
        parts = [(self._gates[:, a:b] != other._gates[:, a:b]).sum(axis=1) for a, b in self._row_ranges(wide=True)]
        return self.xp.stack(parts).sum(axis=0)

    def _parts(self) -> tuple[Any, ...]:
        return self._Xt, self._gates, self._source, self._strict if self._gates is None else None

    def __getstate__(self) -> dict[str, Any]:
        # copies in other dtypes are recreated when needed
        return {**self.__dict__, "_copies": {self.dtype: self._Xt}}

    @property
    def xp(self) -> Any:
        """Namespace of the inputs."""
        return arrays.namespace(self._Xt)

    @property
    def inputs(self) -> Any:
        """The inputs feature by feature, X' as a contiguous (d, n) array."""
        return self._Xt

    @property
    def tile_rows(self) -> int:
        """Rows per tile of :data:`TILE_GATES` gates; fewer than initially if memory has run out."""
        return self._blocks["rows"]

    def gate_rows(self, which: Any) -> Callable[[int, int], Any]:
        """Return a function that gives the gates `which` on a range of rows, as a bool array (q, rows)."""
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

    @_in_tiles_that_fit
    def matvec(self, x: Any) -> Any:
        """Return A x for a full vector x: one matrix product and one sum per tile."""
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

    @_in_tiles_that_fit
    def fill_columns(self, idx: Any, out: Any) -> Any:
        """Write the columns `idx` of stored gates into the rows of a (k, n) array, in blocks, and return it."""
        xp = self.xp
        gate, feature = idx // self.n_features, idx % self.n_features
        step = max(1, TILE_GATES * self.tile_rows // (8 * self.shape[0]))
        for a in range(0, int(idx.shape[0]), step):
            here = slice(a, a + step)
            block = _rows(xp, self._Xt, feature[here], out[here])
            xp.multiply(block, _rows(xp, self._gates, gate[here]), out=out[here])
        return out

    @_in_tiles_that_fit
    def normal(self, x: Any) -> tuple[Any, Any]:
        """Return A' A x and |A x|^2 for a full vector x and stored gates, in one pass over X.

        A tile holds all gates for a few rows, so both products use it while it is in cache.
        """
        xp, weights = self.xp, x.reshape(self.n_gates, self.n_features)
        out = xp.zeros((self.n_gates, self.n_features), dtype=self.dtype)
        square = xp.zeros((), dtype=self.dtype)
        ones = xp.ones(self.n_gates, dtype=self.dtype)
        step = self._rows_of_all_gates(self.n_gates)
        for a in range(0, self.shape[0], step):
            inputs = self._Xt[:, a : a + step]
            bits = self._gates[:, a : a + step].astype(self.dtype)
            tile = weights @ inputs
            tile *= bits
            image = ones @ tile
            square = square + image @ image
            out += bits @ (inputs * image).T
        return out.ravel(), square

    @_in_tiles_that_fit
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

    def support(self, idx: Any, *, stream: bool = False) -> Support:
        """Return A_S: stored if it fits, or with `stream` in tiles, its gates as bits if they fit in a block."""
        return GatedSupport(self, idx, keep_bytes=base.BLOCK_BYTES) if stream else StoredSupport(self, idx)

    @_in_tiles_that_fit
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
        return self.norms_over(0)

    def norms_over(self, exponent: int) -> Any:
        """Return 2^-exponent times the column norms, which may be in range even if the norms are not."""
        exponents = self._feature_exponents() if self._wide() else None
        parts = [self._gates_times(None, g0, g1, exponents) for g0, g1 in self._gate_ranges()]
        norms = self.xp.sqrt(self.xp.concatenate(parts))
        if exponents is None:
            return shifted(norms.ravel(), -exponent)
        return self.xp.ldexp(norms, exponents - exponent).ravel()

    def size_exponent(self) -> int:
        """Return e with 2^(e-1) <= max |X| < 2^e; computed once and shared by all operators with the same X."""
        self._feature_exponents()
        return int(self._shared["size"])

    def _feature_exponents(self) -> Any:
        """Return e_i with 2^(e_i - 1) <= max |X[:, i]| < 2^e_i; 0 for features that are zero."""
        if "exponents" not in self._shared:
            xp = self.xp
            peaks = xp.maximum(self._Xt.max(axis=1), -self._Xt.min(axis=1))
            largest, smallest = (float(v) for v in (peaks.max(), xp.where(peaks > 0, peaks, xp.inf).min()))
            self._shared["size"] = math.frexp(largest)[1]
            low = math.frexp(smallest)[1] if math.isfinite(smallest) else self._shared["size"]
            # if all sizes are within this range, the squares of all relevant entries are in range
            self._shared["wide"] = max(abs(low), abs(self._shared["size"])) > FAR[self.dtype]
            self._shared["exponents"] = xp.frexp(peaks)[1]
        return self._shared["exponents"]

    def _wide(self) -> bool:
        self._feature_exponents()
        return bool(self._shared["wide"])

    def _set_inputs(self, X: Any) -> None:
        self.inexact = inexact(X, "X")
        X = check_array(X, "X", ndim=2)
        self.dtype = np.dtype(X.dtype)
        self.n_features = int(X.shape[1])
        self._Xt = arrays.namespace(X).ascontiguousarray(X.T)
        self._copies: dict[Any, Any] = {self.dtype: self._Xt}  # by dtype; shared by operators of the same X
        self._blocks = {"rows": TILE_ROWS[arrays.device_of(X)]}  # shared by operators of the same X
        self._shared: dict[str, Any] = {}  # cached properties of X, shared too
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

    def _rows_of_all_gates(self, count: int) -> int:
        """Return the rows per tile of all gates if it is used for two products: half as many, so that both fit."""
        return max(1, TILE_GATES * self.tile_rows // (2 * max(1, count)))

    def _row_ranges(self, wide: bool = False) -> Iterator[tuple[int, int]]:
        few = max(1, TILE_GATES // max(1, self.n_gates))  # few gates leave room for more rows
        step = self.tile_rows * (4 if wide else min(8, few))
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

    @_in_tiles_that_fit
    def _store_gates(self, source: GeneratorSource, product: Any = None) -> None:
        """Compute and keep the gates; add the sum of the gated activations to `product`."""
        self._gates = self.xp.empty((self.n_gates, self.shape[0]), dtype=bool)
        if product is not None:
            product[...] = 0  # also after an attempt that ran out of memory halfway
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

    @_in_tiles_that_fit
    def _gates_times(self, r: Any, g0: int, g1: int, exponents: Any = None) -> Any:
        """Return gates' (X * r), or gates' (X * X) for r = None, summed over tiles of rows.

        If `exponents` are given, feature i is first divided by 2^e_i.
        """
        generators = None if self._source is None else self._source.block(g0, g1)
        out = self.xp.zeros((g1 - g0, self.n_features), dtype=self.dtype)
        for a, b in self._row_ranges():
            inputs = self._Xt[:, a:b]
            if exponents is not None:
                inputs = self.xp.ldexp(inputs, -exponents[:, None])
            inputs = inputs * (inputs if r is None else r[a:b])
            out += self._gate_tile(generators, g0, g1, a, b) @ inputs.T
        return out

    def _rows_of(self, gate: Any) -> Any:
        if self._gates is not None:
            return self._gates[gate]
        assert self._source is not None
        distinct, inverse = self.xp.unique(gate, return_inverse=True)
        return self._compare(self._source.rows(distinct) @ self._Xt)[inverse.ravel()]


def _rows(xp: Any, source: Any, index: Any, out: Any = None) -> Any:
    """Return source[index]; on a CPU by `take` into `out`, which is faster when indices are not checked."""
    return np.take(source, index, axis=0, mode="clip", out=out) if xp is np else source[index]


def _left_factor(xp: Any, rows: Any) -> Any:
    """Return a matrix for products from the left: on a CPU a sparse one if that is several times faster."""
    if xp is np and SPARSE_FACTOR * np.count_nonzero(rows) < rows.size:
        from scipy.sparse import csr_array

        return csr_array(rows)
    return rows
