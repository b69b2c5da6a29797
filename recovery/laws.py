"""Laws of noise: what a statement "with probability 1 - delta" is a statement about."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_choice, check_integer, check_number

__all__ = ["LAWS", "NoiseLaw"]

_STUDENT_DF = 3.0
_DRAW: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "gaussian": lambda rng, n: rng.standard_normal(n),
    "rademacher": lambda rng, n: rng.choice([-1.0, 1.0], size=n),
    "uniform": lambda rng, n: rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), size=n),
    "laplace": lambda rng, n: rng.laplace(scale=math.sqrt(0.5), size=n),
    "student": lambda rng, n: rng.standard_t(_STUDENT_DF, size=n) * math.sqrt((_STUDENT_DF - 2.0) / _STUDENT_DF),
}
_SUB_GAUSSIAN = frozenset({"gaussian", "rademacher", "uniform"})

LAWS = tuple(_DRAW)
"""Names of the laws; ``"laplace"`` and ``"student"`` (3 degrees of freedom) are not sub-Gaussian."""


@dataclass(frozen=True)
class NoiseLaw:
    """Independent centred noise of one standard deviation.

    Parameters
    ----------
    name : {"gaussian", "rademacher", "uniform", "laplace", "student"}
        Law of an entry.
    sigma : float
        Standard deviation of an entry, at least 0.

    Raises
    ------
    ValueError
        If the law is not known or `sigma` negative.

    Notes
    -----
    Noise xi is sigma-sub-Gaussian if E exp(t xi) <= exp(sigma^2 t^2 / 2) for all t. Gaussian noise is, with
    equality. So are random signs, cosh(t) <= exp(t^2 / 2), and uniform noise, sinh(a t) / (a t) <=
    exp(a^2 t^2 / 6), both by comparing power series term by term: for these three the sub-Gaussian
    constant is the standard deviation.
    """

    name: str
    sigma: float

    def __post_init__(self) -> None:
        check_choice(self.name, "name", LAWS)
        check_number(self.sigma, "sigma", minimum=0.0)

    @property
    def sub_gaussian(self) -> float | None:
        """The sub-Gaussian constant sigma, or None for a law with heavier tails."""
        return self.sigma if self.name in _SUB_GAUSSIAN else None

    @property
    def is_gaussian(self) -> bool:
        """Whether entries are N(0, sigma^2)."""
        return self.name == "gaussian"

    def draw(self, n: int, rng: Any = None) -> np.ndarray:
        """Draw noise.

        Parameters
        ----------
        n : int
            How many entries.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        numpy.ndarray, shape (n,)
            float64.
        """
        return self.sigma * _DRAW[self.name](arrays.generator(rng), check_integer(n, "n", minimum=1))
