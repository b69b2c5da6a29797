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
    """What :func:`linear_model` draws.

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
        Number of non-zero weights, at places uniform over all d.
    design : str or planted.designs.Design, default "gaussian"
        Law of X: a name in ``planted.designs.BY_NAME`` or, for example, ``planted.designs.toeplitz(rho=.9)``.
    amplitude : float, default 1
        Size of each non-zero weight.
    noise : float, default 0
        Standard deviation of the Gaussian noise in y.
    signs : {"positive", "random"}, default "positive"
        Signs of the non-zero weights. The ``"decoy"`` design misleads when they are equal.
    rng : int, Generator or None
        Source of randomness.
    dtype : {"float64", "float32"}, default "float64"
        Type of the results; they are drawn, and y is computed, in float64.
    device : {"cpu", "gpu"}, default "cpu"
        Where the results live.

    Returns
    -------
    LinearModel
        The named tuple (X, y, w).

    Raises
    ------
    TypeError, ValueError
        If a size does not fit, or the design is not known or does not fit the size.

    Notes
    -----
    Drawn in the order support, signs, X, noise: models that differ in `amplitude` or `noise` alone share all draws.
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
