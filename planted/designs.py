"""Design matrices X for sparse linear models, which differ in how their columns are correlated and scaled.

Each function here returns a :class:`Design`, a small value with a name and parameters that draws
X when it is called. :data:`BY_NAME` holds each design with its default parameters, so functions also accept a design's
name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer, check_number
from planted.design_laws import DRAW

__all__ = [
    "BY_NAME",
    "Design",
    "block",
    "decoy",
    "duplicated",
    "equicorrelated",
    "gaussian",
    "heavy_tailed",
    "ill_conditioned",
    "orthogonal",
    "resolve",
    "toeplitz",
    "unequal_norms",
]


@dataclass(frozen=True)
class Design:
    """A distribution of design matrices.

    Attributes
    ----------
    name : str
        Name of the design, a key of :data:`BY_NAME`.
    parameters : tuple of (str, number)
        Its parameters, so that designs compare and hash by value.
    """

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    def __call__(self, n: int, d: int, rng: Any = None, support: Any = None) -> np.ndarray:
        """Draw a matrix.

        Parameters
        ----------
        n, d : int
            Rows and columns.
        rng : int, Generator or None
            Source of randomness.
        support : array of int, optional
            Columns that will carry the signal; used by ``"decoy"`` only.

        Returns
        -------
        numpy.ndarray, shape (n, d)
            float64.

        Raises
        ------
        TypeError, ValueError
            If the size does not fit the design.
        """
        n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
        chosen = np.zeros(0, dtype=np.intp) if support is None else arrays.to_numpy(support)
        return DRAW[self.name](n, d, arrays.generator(rng), chosen, **dict(self.parameters))

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value:g}" for key, value in self.parameters)
        return f"{self.name}({inside})" if inside else self.name


def gaussian() -> Design:
    """Return the design with independent N(0, 1) entries.

    Returns
    -------
    Design
        Independent columns.
    """
    return Design("gaussian")


def orthogonal() -> Design:
    """Return the design with X'X = n I, uniform over all such matrices; needs n >= d.

    Returns
    -------
    Design
        Orthogonal columns of norm sqrt(n).
    """
    return Design("orthogonal")


def toeplitz(rho: float = 0.5) -> Design:
    """Return the design with Gaussian rows of covariance rho^|i - j|.

    Parameters
    ----------
    rho : float, default 0.5
        Correlation of neighbours, between -1 and 1.

    Returns
    -------
    Design
        An autoregression of order one along each row.
    """
    return Design("toeplitz", (("rho", check_number(rho, "rho", minimum=-1.0, maximum=1.0)),))


def equicorrelated(rho: float = 0.5) -> Design:
    """Return the design with Gaussian rows whose entries all have correlation rho.

    Parameters
    ----------
    rho : float, default 0.5
        Between 0 and 1.

    Returns
    -------
    Design
        Rows sqrt(rho) z + sqrt(1 - rho) g with one scalar z per row.
    """
    return Design("equicorrelated", (("rho", check_number(rho, "rho", minimum=0.0, maximum=1.0)),))


def block(rho: float = 0.5, size: int = 5) -> Design:
    """Return the design with blocks of neighbouring columns, correlated within a block only.

    Parameters
    ----------
    rho : float, default 0.5
        Correlation within a block, between 0 and 1.
    size : int, default 5
        Columns per block; the last block may be smaller.

    Returns
    -------
    Design
        Independent equicorrelated blocks.
    """
    rho = check_number(rho, "rho", minimum=0.0, maximum=1.0)
    return Design("block", (("rho", rho), ("size", check_integer(size, "size", minimum=1))))


def ill_conditioned(cond: float = 1e4) -> Design:
    """Return the design with singular values spaced geometrically from largest to smallest.

    Parameters
    ----------
    cond : float, default 1e4
        Ratio of the largest to the smallest singular value, at least 1.

    Returns
    -------
    Design
        Uniform singular vectors; mean square entry 1.
    """
    return Design("ill_conditioned", (("cond", check_number(cond, "cond", minimum=1.0)),))


def duplicated(count: int = 1) -> Design:
    """Return the Gaussian design in which some columns are exact copies of others.

    Parameters
    ----------
    count : int, default 1
        Number of disjoint pairs of equal columns, at random places; needs d >= 2 count.

    Returns
    -------
    Design
        X has rank at most d - count.
    """
    return Design("duplicated", (("count", check_integer(count, "count", minimum=1)),))


def heavy_tailed(df: float = 3.0) -> Design:
    """Return the design with independent Student t entries scaled to variance 1.

    Parameters
    ----------
    df : float, default 3
        Degrees of freedom, more than 2.

    Returns
    -------
    Design
        Moments of order `df` and more are infinite.
    """
    df = check_number(df, "df", minimum=2.0)
    if df == 2.0:
        raise ValueError("df=2.0 has infinite variance; expected more than 2")
    return Design("heavy_tailed", (("df", df),))


def decoy(correlation: float = 0.9) -> Design:
    """Return the Gaussian design with one null column that is correlated with all signal columns at once.

    Parameters
    ----------
    correlation : float, default 0.9
        Correlation c of the null column with (sum of the k signal columns) / sqrt(k), from 0 to 1.

    Returns
    -------
    Design
        One null column, drawn at random, is c (sum of the signal columns) / sqrt(k) + sqrt(1 - c^2) g.

    Notes
    -----
    With equal positive weights the population's irrepresentable value of that column is c sqrt(k): above 1,
    Lasso and OMP must select it (1.56 for c = .9, k = 3), while least squares tells it apart. Derived here.
    """
    return Design("decoy", (("correlation", check_number(correlation, "correlation", minimum=0.0, maximum=1.0)),))


def unequal_norms(ratio: float = 100.0) -> Design:
    """Return the Gaussian design with columns scaled from 1 down to 1/ratio, in random order.

    Parameters
    ----------
    ratio : float, default 100
        Largest over smallest factor, at least 1; the factors are spaced geometrically.

    Returns
    -------
    Design
        Independent columns of unequal norm.
    """
    return Design("unequal_norms", (("ratio", check_number(ratio, "ratio", minimum=1.0)),))


def resolve(design: str | Design) -> Design:
    """Return the design with this name (and default parameters), or `design` itself if it is a design already.

    Parameters
    ----------
    design : str or Design
        A key of :data:`BY_NAME`, or a design.

    Returns
    -------
    Design
        A callable that takes n, d, rng and support.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a design.
    """
    if isinstance(design, Design):
        return design
    if not isinstance(design, str):
        raise TypeError(
            f"design={design!r} is of type {type(design).__name__}; expected a name, or a design from planted.designs"
        )
    if design not in BY_NAME:
        raise ValueError(f"design={design!r} is not known; expected one of {', '.join(map(repr, BY_NAME))}")
    return BY_NAME[design]


BY_NAME: dict[str, Design] = {
    design.name: design
    for design in (
        gaussian(),
        orthogonal(),
        toeplitz(),
        equicorrelated(),
        block(),
        ill_conditioned(),
        duplicated(),
        heavy_tailed(),
        decoy(),
        unequal_norms(),
    )
}
"""The designs with their default parameters."""
