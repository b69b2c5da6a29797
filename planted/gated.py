"""Planted models with fixed gates: y = A w for a sparse w, A = [D_1 X, ..., D_p X]."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from planted.base.values import tuple_of_arrays
from planted.inputs import check_placement

__all__ = ["GatedModel", "gated_model"]

MAX_ROUNDS = 500
"""How often generators are redrawn before giving up."""


@tuple_of_arrays
class GatedModel(NamedTuple):
    """Result of :func:`gated_model`.

    Attributes
    ----------
    X : array, shape (n, d)
        Standard normal inputs.
    y : array, shape (n,)
        Labels A w, without noise.
    H : array, shape (d, p)
        Standard normal generators; gate j is 1{X h_j >= 0}. No two gates are equal and no two are each other's
        complement.
    w : array, shape (d p,)
        Fused weights; entry ``j * d + i`` is that of gate j and input i.
    """

    X: Any
    y: Any
    H: Any
    w: Any


def gated_model(
    n: int,
    d: int,
    p: int,
    sparsity: int,
    *,
    values: Literal["normal", "signs"] = "normal",
    rng: Any = None,
    dtype: Any = "float64",
    device: Literal["cpu", "gpu"] = "cpu",
) -> GatedModel:
    """Draw inputs, gate generators, sparse fused weights and labels y = A w.

    Parameters
    ----------
    n, d : int
        Samples and inputs.
    p : int
        Number of gates.
    sparsity : int
        Number of non-zero fused weights, uniform over all d p of them.
    values : {"normal", "signs"}, default "normal"
        Non-zeros from N(0, 1), or +1 and -1 with equal probability.
    rng : int, Generator or None
        Source of randomness.
    dtype : {"float64", "float32"}, default "float64"
        Type of the results; everything is drawn, and y is computed, in float64.
    device : {"cpu", "gpu"}, default "cpu"
        Where the results live.

    Returns
    -------
    GatedModel
        The named tuple (X, y, H, w).

    Raises
    ------
    TypeError, ValueError
        If a size is out of range, or repeated drawing finds fewer than p such gates for this n and d.

    Notes
    -----
    Equal gates make columns of A equal. Two complementary pairs make four columns dependent,
    D(h) + D(-h) = I, so that a 2-sparse w is not unique (derived here; a test shows it). Generators that would cause
    either are redrawn.
    """
    n, d = check_integer(n, "n", minimum=1), check_integer(d, "d", minimum=1)
    p = check_integer(p, "p", minimum=1)
    s = check_integer(sparsity, "sparsity", minimum=0, maximum=d * p)
    check_choice(values, "values", ("normal", "signs"))
    check_placement(dtype, device)
    rng = arrays.generator(rng)
    X = rng.standard_normal((n, d))
    H, gates = _generators(X, p, rng)
    support = rng.choice(d * p, size=s, replace=False)
    w = np.zeros(d * p)
    w[support] = rng.standard_normal(s) if values == "normal" else rng.choice([-1.0, 1.0], size=s)
    y = np.zeros(n)
    for column in np.sort(support):
        gate, feature = divmod(int(column), d)
        y += w[column] * X[:, feature] * gates[:, gate]
    return GatedModel(*(arrays.asarray(part, device, dtype) for part in (X, y, H, w)))


def _generators(X: np.ndarray, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n, d = X.shape
    H = rng.standard_normal((d, p))
    gates = X @ H >= 0
    for _ in range(MAX_ROUNDS):
        # a gate and its complement share one key: whichever of the two patterns begins with True
        keys = np.packbits(gates == gates[0], axis=0)
        _, first = np.unique(keys, axis=1, return_index=True)
        repeated = np.setdiff1d(np.arange(p), first)
        if repeated.size == 0:
            return H, gates
        H[:, repeated] = rng.standard_normal((d, repeated.size))
        gates[:, repeated] = X @ H[:, repeated] >= 0
    raise ValueError(
        f"p={p} gates without an equal or complementary pair were not found on n={n} samples of d={d} inputs in "
        f"{MAX_ROUNDS} rounds of drawing; expected a smaller p, or more samples"
    )
