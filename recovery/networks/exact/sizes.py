"""Automatic sizes: the sizes that the search assumes while m or s is "auto", and when to revise them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from planted.base.checks import check_integer
from recovery.networks.exact.model import Lines

__all__ = ["Sizes", "check_sizes"]

FIRST_NEURONS, WEIGHTS_EACH = 100, 2
"""First guesses: the number of neurons, and the number of weights per input."""
FAR = 4
"""A search is repeated if the number of weights it found is off from the assumed number by this factor, either way."""


@dataclass(frozen=True)
class Sizes:
    """Size limits of the result, and the sizes that the search assumes.

    Attributes
    ----------
    n_neurons, sparsity : int or None
        The largest size of the result; None for "auto".
    neurons, weights : int
        The sizes that the search assumes: it starts from twice as many atoms, and expects this many weights of size
        near 1.
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
        """Return better guesses in view of the result of a search, or None if its sizes were adequate."""
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
    """Return the sizes, or raise an error.

    d is the number of inputs; with several `outputs` the weights of the output layer count too, and "auto" is not
    allowed.
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
