"""Gates without equal or complementary ones, and weights carried over to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array
from planted.values import by_value
from recovery.conditions._gates import check_gates
from recovery.conditions.patterns import keys

__all__ = ["ReducedGates", "one_per_pair"]


@by_value
@dataclass(frozen=True)
class ReducedGates:
    """One gate of each complementary pair, and an ungated block that makes up for the other.

    Parameters
    ----------
    gates : numpy.ndarray of bool, shape (n, q + 1)
        The gates kept, and as the last one all rows: the ungated block X.
    kept : numpy.ndarray of int64, shape (q,)
        Which gates they were.
    home : numpy.ndarray of int64, shape (p,)
        For each old gate the new one that is equal to it, or its complement.
    flipped : numpy.ndarray of bool, shape (p,)
        Whether it is the complement.
    """

    gates: np.ndarray
    kept: np.ndarray
    home: np.ndarray
    flipped: np.ndarray

    def fold(self, w: Any) -> np.ndarray:
        """Return weights of the new operator with the same product.

        Parameters
        ----------
        w : array, shape (d p,)
            Fused weights of the old gates.

        Returns
        -------
        numpy.ndarray, shape (d (q + 1),)
            (I - D) X u = X u - D X u: a neuron on a flipped gate moves its weights, with the other sign, to the new
            gate and adds them to the ungated block, so that its non-zeros can double.
        """
        old = arrays.to_numpy(check_array(w, "w", ndim=1))
        p, q = self.home.size, self.gates.shape[1]
        if old.size % p:
            raise ValueError(f"w has {old.size} entries; expected a multiple of the {p} gates")
        blocks = old.reshape(p, -1)
        new = np.zeros((q, blocks.shape[1]))
        np.add.at(new, self.home, np.where(self.flipped, -1.0, 1.0)[:, None] * blocks)
        new[-1] += blocks[self.flipped].sum(axis=0)
        return new.ravel()


def one_per_pair(gates: Any) -> ReducedGates:
    """Return gates of which no two are equal or exact complements, and an ungated block.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    ReducedGates
        The first gate of each pair, or group of equal ones, is kept; gates that let all rows through, or none, become
        the ungated block. A = [D_1 X, ..., D_p X] and the new operator have the same range if the old gates hold a
        pair; :meth:`ReducedGates.fold` says how. The new operator has not full rank where two of its gates, or one and
        the complement of another, differ on fewer than d rows.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.

    References
    ----------
    Derived here: docs/derivations.md, section "Complementary gates".
    """
    G = arrays.to_numpy(check_gates(gates))
    every = np.ones(G.shape[0], dtype=bool)
    known: dict[bytes, tuple[int, bool]] = {}
    homes: list[tuple[int, bool]] = []
    kept: list[int] = []
    constant = dict(zip(keys(np.stack([every, ~every], axis=1)), (False, True), strict=True))
    for j, (key, opposite) in enumerate(zip(keys(G), keys(~G), strict=True)):
        if key in constant:
            homes.append((-1, constant[key]))
        elif key in known:
            homes.append(known[key])
        else:
            known[key], known[opposite] = (len(kept), False), (len(kept), True)
            homes.append(known[key])
            kept.append(j)
    home = np.array([len(kept) if place < 0 else place for place, _ in homes], dtype=np.int64)
    flipped = np.array([flip for _, flip in homes])
    return ReducedGates(
        np.concatenate([G[:, kept], every[:, None]], axis=1), np.array(kept, dtype=np.int64), home, flipped
    )
