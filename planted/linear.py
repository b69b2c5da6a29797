"""Sparse linear models y = X w + noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import designs
from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from planted.inputs import check_placement

__all__ = ["linear_model"]


def linear_model(
    n: int,
    d: int,
    k: int,
    *,
    design: str | designs.Design = "gaussian",
    amplitude: float = 1.0,
    noise: float = 0.0,
    signs: str = "positive",
    rng: Any = None,
    dtype: Any = "float64",
    device: str = "cpu",
) -> tuple[Any, Any, Any]:
    """Draw a sparse linear model.

    Parameters
    ----------
    n, d : int
        Samples and features.
    k : int
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
    X : array, shape (n, d)
        The design matrix.
    y : array, shape (n,)
        X w plus noise.
    w : array, shape (d,)
        The k-sparse truth.

    Raises
    ------
    TypeError, ValueError
        If a size does not fit, or the design is not known or does not fit the size.

    Notes
    -----
    Drawn in the order support, signs, X, noise: models that differ in `amplitude` or `noise` alone share all draws.
    """
    n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
    k = check_integer(k, "k", minimum=0, maximum=d)
    amplitude = check_number(amplitude, "amplitude")
    noise = check_number(noise, "noise", minimum=0.0)
    check_choice(signs, "signs", ("positive", "random"))
    law = designs.resolve(design)
    check_placement(dtype, device)
    rng = arrays.generator(rng)
    support = np.sort(rng.choice(d, size=k, replace=False))
    w = np.zeros(d)
    w[support] = amplitude * (rng.choice([-1.0, 1.0], size=k) if signs == "random" else 1.0)
    X = law(n, d, rng, support)
    y = X[:, support] @ w[support] + noise * rng.standard_normal(n)
    return arrays.asarray(X, device, dtype), arrays.asarray(y, device, dtype), arrays.asarray(w, device, dtype)
