"""Restricted eigenvalues as intervals whose ends are proved."""

from __future__ import annotations

import math

import numpy as np

from recovery.certificates.dual import SIDES, proved_dual
from recovery.certificates.enumerated import proved_enumeration
from recovery.certificates.gram import enclose_gram
from recovery.certificates.rounding import outward
from recovery.certificates.witness import proved_witness
from recovery.conditions.intervals import Interval
from recovery.conditions.search import extreme_support

__all__ = ["certified_intervals"]


def certified_intervals(columns: np.ndarray, s: int, method: str) -> tuple[Interval, Interval, str]:
    """Return proved intervals of the smallest and of the largest eigenvalue of A_S'A_S over |S| <= s.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s : int
        Largest number of columns, from 1 to N.
    method : {"dual", "enumerate", "search"}
        How the bounds are proved that no example can show: by a dual matrix, support by support, or not at all
        (0 and infinity). The other ends are Rayleigh quotients of sparse rational vectors.

    Returns
    -------
    smallest, largest : Interval
        Both ends certified; the witnesses are supports.
    message : str
        How they were found.
    """
    message = ""
    known: dict[str, Interval] = {}
    enumerated = proved_enumeration(columns, s) if method == "enumerate" else {}
    G = enclose_gram(columns).approximate
    for side in SIDES:
        if method == "enumerate":
            outer, at = enumerated[side]
            message = "every support was proved"
        elif method == "search":
            outer, at = None, extreme_support(G, s, side)
            message = "sparse vectors that a local search found, proved: a support may be worse"
        else:
            outer, _, proposal, _ = proved_dual(columns, s, side)
            at = extreme_support(G, s, side, proposal.Z)
            message = "dual bounds, proved, and sparse vectors that a local search found"
        shown, support, _ = proved_witness(columns, s, side, at)
        if side == "largest":
            low, high = outward(shown, -math.inf), math.inf if outer is None else outward(outer, math.inf)
        else:
            low, high = 0.0 if outer is None else outward(outer, -math.inf), outward(shown, math.inf)
        known[side] = Interval(low, high, True, True, support)
    if s > columns.shape[0]:
        known["smallest"] = Interval(0.0, 0.0, True, True, known["smallest"].witness)
    return known["smallest"], known["largest"], message
