"""Base classes of dynamics: masks that change during training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from recovery.mlp.masks import Masks
from recovery.pruning.training import Step

__all__ = ["Changes", "Dynamics"]


class Changes(ABC):
    """The mask changes of one run.

    Attributes
    ----------
    dense_gradient : bool
        Whether updates move all weights, including masked ones, before :meth:`update` masks them again.
    places : tuple of int or None
        Indices of the layers that the method prunes, set by the run; None means all.
    """

    dense_gradient = False
    places: tuple[int, ...] | None = None

    @abstractmethod
    def update(self, step: Step, masks: Masks, rng: np.random.Generator) -> tuple[Masks, list[Any]] | None:
        """Return new masks and the weights under them (one array per layer), or None to change nothing.

        Parameters
        ----------
        step : Step
            The last update.
        masks : Masks
            The masks used for it.
        rng : numpy.random.Generator
            For dynamics that draw.
        """


class Dynamics(ABC):
    """A rule by which masks change during a method's retraining, as a value with options.

    To add your own rule, derive a frozen dataclass whose :meth:`begin` returns the changes of a run.
    """

    def first_count(self, total: int, sparsity: int) -> int:
        """Return how many of `total` weights the first mask keeps; by default as many as the last one."""
        return sparsity

    @abstractmethod
    def begin(self, masks: Masks, sparsity: int, rng: np.random.Generator) -> Changes:
        """Return the changes of a run that starts with these masks and should end with `sparsity` weights."""
