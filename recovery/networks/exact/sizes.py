"""Sizes that are left open: what the search is told while m or s is "auto", and when it is told something else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from planted.base.checks import check_integer
from recovery.networks.exact.model import Lines

__all__ = ["Sizes", "check_sizes"]

FIRST_NEURONS, WEIGHTS_EACH = 100, 2
"""The first guesses: so many neurons, and so many weights for each input."""
FAR = 4
"""A search is made again if it found this times as many weights as it was told, or as few."""


@dataclass(frozen=True)
class Sizes:
    """What a network may have, and what the search is told.

    Attributes
    ----------
    n_neurons, sparsity : int or None
        The largest size of the answer; None leaves it open.
    neurons, weights : int
        What the search is told: it starts from twice as many atoms, and expects so many weights of size near 1.
    """

    n_neurons: int | None
    sparsity: int | None
    neurons: int
    weights: int

    @property
    def most(self) -> tuple[int, int]:
        """The largest numbers of neurons and weights."""
        weights = sys.maxsize if self.sparsity is None else self.sparsity
        return (weights if self.n_neurons is None else self.n_neurons), weights

    def again(self, model: Lines) -> Sizes | None:
        """Return better guesses after what a search has led to, or None if those it was told will do."""
        lines, weights = model.n_lines, max(int(model.support.sum()), 1)
        many = self.n_neurons is None and 2 * lines > self.neurons
        far = self.sparsity is None and not self.weights / FAR < weights < self.weights * FAR
        if not (many or far):
            return None
        return Sizes(
            self.n_neurons,
            self.sparsity,
            4 * self.neurons if many else self.neurons,
            weights if far else self.weights,
        )


def check_sizes(n_neurons: Any, sparsity: Any, d: int, outputs: int | None = None) -> Sizes:
    """Return the sizes, or refuse them.

    d is the number of inputs; with several `outputs` the weights of the output layer count, too, and nothing is open.
    """
    for name, size in (("n_neurons", n_neurons), ("sparsity", sparsity)):
        if outputs is not None and _auto(size):
            raise ValueError(f"{name}='auto' was given with {outputs} outputs; expected an integer, or y of shape (n,)")
    m = None if _auto(n_neurons) else check_integer(n_neurons, "n_neurons", minimum=1)
    s = None
    if not _auto(sparsity):
        most = None if m is None else m * (d + (outputs or 0))
        s = check_integer(sparsity, "sparsity", minimum=0, maximum=most)
    weights = max(1, WEIGHTS_EACH * d if s is None else s)
    if s is None and m is not None:
        weights = min(weights, m * d)
    neurons = min(FIRST_NEURONS, weights) if m is None else m
    return Sizes(m, s, neurons, weights)


def _auto(size: Any) -> bool:
    return isinstance(size, str) and size == "auto"
