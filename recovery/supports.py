"""Products with the columns of a support of a gated operator, in tiles: no (n, s) matrix, no stored generators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planted import arrays

if TYPE_CHECKING:
    from recovery.operators import GatedOperator

__all__ = ["GatedSupport"]

CHUNK_GATES = 512
"""Distinct gates that are worked on together."""
DENSE = 25
"""A gate that carries more than d / DENSE entries is cheaper as one row of a matrix product than entry by entry."""
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


class GatedSupport:
    """A_S of a gated operator as an operator of its own: forward and adjoint products, nothing of size n s.

    Parameters
    ----------
    operator : GatedOperator
        A, with stored gates, stored generators or generators that are re-drawn.
    idx : array of int64, shape (k,)
        S, distinct indices.
    keep_bytes : int, default 0
        The gates of S are kept between products, packed to bits, if they need at most this much;
        otherwise they are computed again for every product.

    Notes
    -----
    The entries are grouped by gate, so that each generator is drawn at most once a product, and
    gates and inputs are combined in tiles that stay in cache. With q distinct gates among k entries a
    product costs 2 n k operations, or 2 n d q where gates carry many entries, and 2 n d q more where
    the gates are computed again. Extra memory: the tiles, a few vectors of length k, and the packed
    gates, q n / 8 <= `keep_bytes` bytes.
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
        """Return the entries of a chunk: of a vector, their gates within the chunk, and their features."""
        here = slice(chunk.first, chunk.last)
        return vector[here], self._place[here] - chunk.number * CHUNK_GATES, self._feature[here]

    def _spread(self, chunk: _Chunk, place: Any, feature: Any, values: Any) -> Any:
        """Return the entries of a chunk as a (gates, d) matrix, for chunks that work with one."""
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
