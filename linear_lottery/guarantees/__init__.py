"""Theorems about iterative magnitude pruning in linear models, as guarantees that a program checks."""

from __future__ import annotations

from planted.base.doors import listing
from recovery.guarantees.engine.base import Guarantee, at_home

__all__ = ["catalogue"]
__dir__ = listing(__all__)


def catalogue() -> list[Guarantee]:
    """Return the guarantees about pruning linear models.

    Returns
    -------
    list of Guarantee
        They are about the order in which IMP prunes, the planted support for one noise vector and with a given
        probability, threshold pruning, and facts that hold on every path. Names are unique.

    Notes
    -----
    Conditions are checked on the CPU in float64. Each conclusion runs :func:`linear_lottery.imp` or
    :func:`linear_lottery.threshold_prune` on the instance.

    References
    ----------
    Derived in this project, for the phenomenon studied in Elesedy et al. 2020 (arXiv:2007.08243):
    docs/theory.

    Examples
    --------
    >>> import numpy as np
    >>> from recovery import Instance
    >>> bound = next(one for one in catalogue() if one.name == "smallest-singular-value")
    >>> instance = Instance.planted(np.eye(3), [0.0, 2.0, 0.0], noise=[0.5, 0.5, -0.5])
    >>> bound.check(instance).status, bound.conclusion(instance).status
    ('holds', 'holds')
    """
    from linear_lottery.guarantees.bounded_noise import BOUNDED_NOISE
    from linear_lottery.guarantees.controls import CONTROLS
    from linear_lottery.guarantees.exact import EXACT
    from linear_lottery.guarantees.finite_time import FINITE_TIME
    from linear_lottery.guarantees.near_orthogonal import NEAR_ORTHOGONAL
    from linear_lottery.guarantees.order import ORDER
    from linear_lottery.guarantees.probable import PROBABLE
    from linear_lottery.guarantees.threshold import THRESHOLD

    families = (ORDER, FINITE_TIME, NEAR_ORTHOGONAL, EXACT, BOUNDED_NOISE, PROBABLE, THRESHOLD, CONTROLS)
    return at_home((guarantee for family in families for guarantee in family), "linear_lottery.guarantees:catalogue")
