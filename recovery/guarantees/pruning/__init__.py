"""Exact guarantees about three papers on pruning: BINGO's scores, NEq's frozen neurons, transferred tickets."""

from __future__ import annotations

from planted.base.doors import listing
from recovery.guarantees.engine.base import Guarantee, at_home

__all__ = ["catalogue"]
__dir__ = listing(__all__)


def catalogue() -> list[Guarantee]:
    """Return the guarantees about methods of pruning.

    Returns
    -------
    list of Guarantee
        About BINGO (arXiv:2505.09864), NEq (arXiv:2207.09455) and ticket transfer in linear models (arXiv:1905.07785).
        Names are unique, and begin with ``bingo-``, ``neq-`` or ``transfer-``.

    Notes
    -----
    They are not about the recovery of a planted vector, so :func:`recovery.guarantees.catalogue` omits them. An
    instance is a linear model and the start ``x0`` of its training, with settings of the method in its options. The
    closed forms are in :mod:`recovery.pruning.closed_forms`, their derivations in docs/theory.

    Examples
    --------
    >>> from recovery.guarantees import draw
    >>> guarantee = next(one for one in catalogue() if one.name == "bingo-coalition")
    >>> guarantee.conclusion(draw(guarantee, 0)).status
    'holds'
    """
    from recovery.guarantees.pruning.bingo import BINGO
    from recovery.guarantees.pruning.equilibrium import EQUILIBRIUM
    from recovery.guarantees.pruning.savings import SAVINGS
    from recovery.guarantees.pruning.transfer import TRANSFER

    return at_home((*BINGO, *EQUILIBRIUM, *SAVINGS, *TRANSFER), "recovery.guarantees.pruning:catalogue")
