"""Adam, with bias correction and a mask, for many weight vectors at once."""

from __future__ import annotations

import math
from typing import Any

from planted import arrays

__all__ = ["Adam"]


class Adam:
    """Adam's method on weights of which some are held at zero.

    Parameters
    ----------
    weights : array, shape (...)
        The weights that :meth:`step` will change; only shape, type and device are used here.
    mask : array, shape of the weights, optional
        1 where a weight may be non-zero, 0 where it is held at zero, in the type of the weights.
    betas : tuple of float, default (0.9, 0.999)
        Decay of the running means of gradient and squared gradient.
    eps : float, default 1e-8
        Added to the root of the mean square.

    Notes
    -----
    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),
    and then w <- w * mask: momentum that was left over from before a mask cannot bring a weight back.
    These are PyTorch's formulas and defaults. A step allocates nothing and does not synchronise.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015 (from memory of the
       literature; tests/recovery/test_adam.py compares with a plain version, and with PyTorch where it is installed).
    """

    def __init__(
        self, weights: Any, mask: Any = None, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.xp = arrays.namespace(weights)
        self.mask, self.betas, self.eps = mask, betas, eps
        self.mean, self.square = self.xp.zeros_like(weights), self.xp.zeros_like(weights)
        self._scratch = self.xp.zeros_like(weights)
        self.n_steps = 0

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> None:
        """Make one step, in place.

        Parameters
        ----------
        weights : array
            Changed in place.
        gradient : array, shape of the weights
            Left alone.
        learning_rate : float
            Length of the step.
        """
        xp, scratch = self.xp, self._scratch
        first, second = self.betas
        self.n_steps += 1
        xp.multiply(gradient, 1.0 - first, out=scratch)
        xp.multiply(self.mean, first, out=self.mean)
        xp.add(self.mean, scratch, out=self.mean)
        xp.multiply(gradient, gradient, out=scratch)
        xp.multiply(scratch, 1.0 - second, out=scratch)
        xp.multiply(self.square, second, out=self.square)
        xp.add(self.square, scratch, out=self.square)
        xp.sqrt(self.square, out=scratch)
        xp.multiply(scratch, 1.0 / math.sqrt(1.0 - second**self.n_steps), out=scratch)
        xp.add(scratch, self.eps, out=scratch)
        xp.divide(self.mean, scratch, out=scratch)
        xp.multiply(scratch, learning_rate / (1.0 - first**self.n_steps), out=scratch)
        xp.subtract(weights, scratch, out=weights)
        if self.mask is not None:
            xp.multiply(weights, self.mask, out=weights)
