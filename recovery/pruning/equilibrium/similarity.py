"""Similarity phi: the cosine between a unit's outputs at two consecutive epochs."""

from __future__ import annotations

from typing import Any

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer

__all__ = ["SCALINGS", "cosines", "similarities", "unit_outputs"]

SCALINGS = ("paper", "released")


def unit_outputs(layers: Any, biases: Any, X: Any, signal: str = "activation") -> list[Any]:
    """Return the outputs of every unit, layer by layer.

    Parameters
    ----------
    layers : sequence of array, shapes (d, m_1), ..., (m_L, k)
        Weights; column j of a layer is unit j.
    biases : sequence of array, shapes (m_1,), ..., (k,), or None
        Biases.
    X : array, shape (n, d)
        Inputs.
    signal : {"activation", "preactivation"}, default "activation"
        Whether hidden units' outputs are taken after the ReLU or before it. The last layer has no ReLU.

    Returns
    -------
    list of array, shapes (n, m_1), ..., (n, k)
        One array per layer.
    """
    xp, found, values = arrays.namespace(X), [], X
    for level, layer in enumerate(layers):
        values = values @ layer
        if biases is not None:
            values = values + biases[level]
        if level < len(layers) - 1:
            raw, values = values, xp.maximum(values, 0)
            found.append(values if signal == "activation" else raw)
        else:
            found.append(values)
    return found


def cosines(before: Any, after: Any) -> Any:
    """Return the cosine between matching columns of two matrices.

    Parameters
    ----------
    before, after : array, shape (n, m)
        Outputs of m units on n samples at two times.

    Returns
    -------
    array, shape (m,)
        From -1 to 1. Exactly 1 if the columns are bitwise equal or both zero, 0 if only one of them is zero.

    Notes
    -----
    <a, b> / (|a| |b|). Columns are first divided by powers of two, so the result does not depend on units, and the
    three sums are computed in the same way, so equal columns give s / sqrt(s^2) = 1 without rounding error.
    """
    xp = arrays.namespace(before, after)
    first, second = _scaled(before), _scaled(after)
    dot = xp.einsum("ij,ij->j", first, second)
    squares = xp.einsum("ij,ij->j", first, first), xp.einsum("ij,ij->j", second, second)
    length = xp.sqrt(squares[0] * squares[1])
    ratio = xp.clip(dot / xp.where(length > 0, length, 1.0), -1.0, 1.0)
    silent = (squares[0] == 0) & (squares[1] == 0)
    return xp.where(silent, xp.ones_like(ratio), ratio)


def similarities(before: Any, after: Any, *, scaling: str = "paper", batch: int = 100) -> Any:
    """Return the similarity phi of every unit of a layer between two consecutive epochs.

    Parameters
    ----------
    before, after : array, shape (n, m)
        Outputs of m units on the n validation samples, one epoch before and now.
    scaling : {"paper", "released"}, default "paper"
        ``"paper"``: one cosine over all samples. ``"released"``: what the released code computes for fully connected
        layers, see Notes.
    batch : int, default 100
        Samples per validation batch, for ``"released"``.

    Returns
    -------
    array, shape (m,)
        phi.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not matrices of equal shape, or an option is unknown.

    Notes
    -----
    The released code computes one cosine per batch, adds them up and divides by the number of *samples*. This is right
    for a convolution, with one cosine per sample, but about `batch` times too small for a fully connected layer. phi of
    a constant unit is then 1 / batch instead of 1, and its changes and velocities shrink in proportion, so a published
    eps freezes far more units than intended. This option exists to reproduce that.
    """
    before, after = check_array(before, "before", ndim=2), check_array(after, "after", ndim=2)
    if before.shape != after.shape:
        raise ValueError(f"before has shape {before.shape} and after {after.shape}; expected the same shape")
    check_choice(scaling, "scaling", SCALINGS)
    if scaling == "paper":
        return cosines(before, after)
    batch, n = check_integer(batch, "batch", minimum=1), int(before.shape[0])
    total: Any = 0.0
    for start in range(0, n, batch):
        total = total + cosines(before[start : start + batch], after[start : start + batch])
    return total / n


def _scaled(columns: Any) -> Any:
    """Return the columns as float64, each divided by a power of two near its largest magnitude."""
    xp = arrays.namespace(columns)
    columns = columns.astype(xp.float64)
    exponents = xp.frexp(xp.abs(columns).max(axis=0))[1]
    return xp.ldexp(columns, -exponents)
