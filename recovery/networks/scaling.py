"""Scaling of a fitted network, so that it is never worse than the zero network."""

from __future__ import annotations

from planted.networks import ReLUNetwork
from recovery.networks.batches import Batches

__all__ = ["no_worse_than_zero"]


def no_worse_than_zero(network: ReLUNetwork, batches: Batches, objective: float) -> ReLUNetwork:
    """Return the network, or t times it, t >= 0, where it fits badly and that lowers 1/2 |y - t f|^2.

    Parameters
    ----------
    network : ReLUNetwork
        The network f, of one output.
    batches : Batches
        The data of the fit; all rows are used.
    objective : float
        1/2 |y - f|^2 on all rows.

    Returns
    -------
    ReLUNetwork
        The same network, or one with its hidden weights times the best t; without neurons where t = 0.

    Notes
    -----
    Gates that moved after the last least squares can leave a fit that is worse than the zero network, t = 0;
    the best t makes that impossible.
    """
    if objective < 0.125 * float((batches.y * batches.y).sum()):
        return network
    fitted = network(batches.X)
    square, product = float((fitted * fitted).sum()), float((fitted * batches.y).sum())
    length = max(0.0, product / square) if square > 0 else 0.0
    residual = batches.y - length * fitted
    if 0.5 * float((residual * residual).sum()) >= objective:
        return network
    if length == 0.0:
        return ReLUNetwork([network.hidden[:, :0], network.output[:0]])
    return ReLUNetwork([network.hidden * length, network.output])
