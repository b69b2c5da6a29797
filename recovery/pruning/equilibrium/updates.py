"""SGD and Adam steps on the learning units, with the optimiser state kept per unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planted.base import arrays
from recovery.pruning.equilibrium.arranged import Arranged

__all__ = ["AdamSteps", "SGDSteps"]


@dataclass(frozen=True)
class SGDSteps:
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    momentum : float, default 0.0
        Fraction of the last step that is kept.
    weight_decay : float, default 0.0
        Coefficient of the weights added to the gradient; biases are decayed too.

    Notes
    -----
    g <- g + weight_decay w, b <- momentum b + g, w <- w - rate b: PyTorch's formulas, without dampening or Nesterov.
    A frozen unit makes no step and is not decayed, and its b is zero when it thaws.
    """

    momentum: float = 0.0
    weight_decay: float = 0.0

    def slots(self, layers: Any, biases: Any) -> list[list[Any]]:
        """Return the state before the first step."""
        return [_zeros(part) for part in (layers, biases) if part is not None]

    def step(self, network: Arranged, gradients: list[tuple[Any, Any]], rate: float) -> None:
        """Update the learning units in place; the gradients serve as work space."""
        xp = network.xp
        for which, parts in enumerate((network.layers, network.biases)):
            if parts is None:
                continue
            for level, pair in enumerate(gradients):
                gradient, count = pair[which], network.live[level]
                if gradient is None:
                    continue
                part, kept = parts[level][..., :count], network.slots[which][level][..., :count]
                scratch = network.work("scratch", level) if part.ndim == 2 else xp.empty_like(gradient)
                if self.weight_decay:
                    xp.multiply(part, self.weight_decay, out=scratch)
                    gradient += scratch
                kept *= self.momentum
                kept += gradient
                xp.multiply(kept, rate, out=gradient)
                part -= gradient


@dataclass(frozen=True)
class AdamSteps:
    """Adam.

    Parameters
    ----------
    weight_decay : float, default 0.0
        Coefficient of the weights added to the gradient, as in PyTorch's Adam; biases are decayed too.
    betas : tuple of float, default (0.9, 0.999)
        Decay of the means of gradient and squared gradient.
    eps : float, default 1e-8
        Added to the square root of the mean square.

    Notes
    -----
    The formulas are those of :class:`recovery.mlp.training.Adam`. Each unit counts its own steps: a unit that thaws
    starts afresh, with zero means and the bias correction of a first step. With the step count of the whole training,
    its first step would be longer than Adam's usual first step by (1 - b1) / sqrt(1 - b2), about a factor of three. The
    released code does not specify what happens to Adam's means in frozen units; this is our choice.
    """

    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def slots(self, layers: Any, biases: Any) -> list[list[Any]]:
        """Return the state before the first step: means, mean squares, and the steps of each unit."""
        given = [part for part in (layers, biases) if part is not None]
        xp = arrays.namespace(*layers)
        counts = [xp.zeros(layer.shape[1], dtype=xp.float64) for layer in layers]
        return [*(_zeros(part) for part in given), *(_zeros(part) for part in given), counts]

    def step(self, network: Arranged, gradients: list[tuple[Any, Any]], rate: float) -> None:
        """Update the learning units in place; the gradients serve as work space."""
        xp, (first, second) = network.xp, self.betas
        kinds = 1 if network.biases is None else 2
        factors: list[Any] = []
        for level, (gradient, _) in enumerate(gradients):
            steps = network.slots[-1][level][: network.live[level]]
            steps += 1.0
            dtype = network.layers[level].dtype
            short, long = rate / (1.0 - first**steps), 1.0 / xp.sqrt(1.0 - second**steps)
            factors.append((short.astype(dtype), long.astype(dtype)) if gradient is not None else None)
        for which, parts in enumerate((network.layers, network.biases)):
            if parts is None:
                continue
            for level, pair in enumerate(gradients):
                gradient, count = pair[which], network.live[level]
                if gradient is None:
                    continue
                part = parts[level][..., :count]
                mean, square = (network.slots[which + shift][level][..., :count] for shift in (0, kinds))
                scratch = network.work("scratch", level) if part.ndim == 2 else xp.empty_like(gradient)
                if self.weight_decay:
                    xp.multiply(part, self.weight_decay, out=scratch)
                    gradient += scratch
                mean *= first
                xp.multiply(gradient, 1.0 - first, out=scratch)
                mean += scratch
                gradient *= gradient
                square *= second
                gradient *= 1.0 - second
                square += gradient
                xp.sqrt(square, out=gradient)
                gradient *= factors[level][1]
                gradient += self.eps
                xp.divide(mean, gradient, out=gradient)
                gradient *= factors[level][0]
                part -= gradient


def _zeros(parts: Any) -> list[Any]:
    return [arrays.namespace(part).zeros_like(part) for part in parts]
