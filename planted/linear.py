"""Sparse linear models y = X w + noise."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from planted import designs
from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from planted.base.values import tuple_of_arrays
from planted.inputs import check_placement

__all__ = ["LinearModel", "linear_model"]


@tuple_of_arrays
class LinearModel(NamedTuple):
    """Result of :func:`linear_model`.

    Attributes
    ----------
    X : array, shape (n, d)
        The design matrix.
    y : array, shape (n,)
        X w plus noise.
    w : array, shape (d,)
        The sparse truth.
    """

    X: Any
    y: Any
    w: Any


def linear_model(
    n: int,
    d: int,
    sparsity: int,
    *,
    design: str | designs.Design = "gaussian",
    amplitude: float = 1.0,
    noise: float = 0.0,
    signs: Literal["positive", "random"] = "positive",
    rng: Any = None,
    dtype: Any = "float64",
    device: Literal["cpu", "gpu"] = "cpu",
) -> LinearModel:
    """Draw a sparse linear model.

    Parameters
    ----------
    n, d : int
        Samples and features.
    sparsity : int
        Number of non-zero weights, at uniformly random positions.
    design : str or planted.designs.Design, default "gaussian"
        Distribution of X: a name in ``planted.designs.BY_NAME`` or, for example, ``planted.designs.toeplitz(rho=.9)``.
    amplitude : float, default 1
        Size of each non-zero weight.
    noise : float, default 0
        Standard deviation of the Gaussian noise in y.
    signs : {"positive", "random"}, default "positive"
        Signs of the non-zero weights. The ``"decoy"`` design is misleading when all signs are equal.
    rng : int, Generator or None
        Source of randomness.
    dtype : {"float64", "float32"}, default "float64"
        Type of the results; everything is drawn, and y is computed, in float64.
    device : {"cpu", "gpu"}, default "cpu"
        Where the results live.

    Returns
    -------
    LinearModel
        The named tuple (X, y, w).

    Raises
    ------
    TypeError, ValueError
        If a size is out of range, or the design is unknown or not possible at this size.

    Notes
    -----
    Support, signs, X and noise are drawn in this order, so models that differ only in `amplitude` or `noise` share all
    random draws.
    """
    n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
    s = check_integer(sparsity, "sparsity", minimum=0, maximum=d)
    amplitude = check_number(amplitude, "amplitude")
    noise = check_number(noise, "noise", minimum=0.0)
    check_choice(signs, "signs", ("positive", "random"))
    law = designs.resolve(design)
    check_placement(dtype, device)
    rng = arrays.generator(rng)
    support = np.sort(rng.choice(d, size=s, replace=False))
    w = np.zeros(d)
    w[support] = amplitude * (rng.choice([-1.0, 1.0], size=s) if signs == "random" else 1.0)
    X = law(n, d, rng, support)
    y = X[:, support] @ w[support] + noise * rng.standard_normal(n)
    return LinearModel(*(arrays.asarray(part, device, dtype) for part in (X, y, w)))
