"""Losses of a network's outputs, with their gradients: squared error and cross-entropy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from planted import arrays
from planted.checks import check_array, check_choice, check_integer

__all__ = ["LOSSES", "LossValue", "class_targets", "loss_and_gradient", "softmax"]

LOSSES = ("squared", "cross_entropy")


class LossValue(NamedTuple):
    """Value of a loss and its gradient in the outputs.

    Attributes
    ----------
    value : array of shape () or (B,)
        Mean over the samples, on the device of the outputs (no synchronisation).
    gradient : array, shape of the outputs
        Derivative of ``value`` in the outputs.
    """

    value: Any
    gradient: Any


def loss_and_gradient(outputs: Any, targets: Any, loss: str) -> LossValue:
    """Return the mean loss over the samples and its gradient in the outputs.

    Parameters
    ----------
    outputs : array, shape (n,), (n, k) or (B, n, k)
        What networks returned; for B networks at once with a leading axis.
    targets : array, broadcastable to the outputs
        Targets; for ``"cross_entropy"`` one row of class probabilities a sample.
    loss : {"squared", "cross_entropy"}
        Which.

    Returns
    -------
    LossValue
        ``(value, gradient)``.

    Notes
    -----
    Squared: (1 / n) sum_i |f(x_i) - y_i|^2 / 2 with |.|^2 summed over the k outputs, so that its gradient
    is (f - y) / n. Cross-entropy: -(1 / n) sum_i y_i . log softmax(f(x_i)), gradient (softmax - y) / n for rows
    of y that sum to 1. Both gradients are those of the paper's released vector path.
    """
    xp = arrays.namespace(outputs)
    vector = outputs.ndim == 1
    axes = -1 if vector else (-2, -1)
    n = int(outputs.shape[-1] if vector else outputs.shape[-2])
    if loss == "squared":
        error = outputs - targets
        return LossValue(0.5 * (error * error).sum(axis=axes) / n, error / n)
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    powers = xp.exp(shifted)
    total = powers.sum(axis=-1, keepdims=True)
    value = -(targets * (shifted - xp.log(total))).sum(axis=axes) / n
    return LossValue(value, (powers / total - targets) / n)


def softmax(outputs: Any) -> Any:
    """Return class probabilities, shape (..., k), from outputs of the same shape."""
    powers = arrays.namespace(outputs).exp(outputs - outputs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def class_targets(y: Any, loss: str, dtype: Any, n_classes: int | None = None) -> Any:
    """Return targets as the losses want them, and refuse those that do not fit.

    Parameters
    ----------
    y : array, shape (n,) or (n, k)
        Targets. For ``"cross_entropy"``: class numbers 0, 1, ... of shape (n,), or rows of
        probabilities of shape (n, k).
    loss : {"squared", "cross_entropy"}
        Which loss.
    dtype : dtype
        float32 or float64, of the result.
    n_classes : int, optional
        Number of classes where `y` holds class numbers; max(y) + 1 by default.

    Returns
    -------
    array, shape (n,) or (n, k)
        In `dtype`, on the device of `y`; always (n, k) for cross-entropy.

    Raises
    ------
    TypeError, ValueError
        If `y` is not finite, not class numbers, or its rows are not probabilities.
    """
    check_choice(loss, "loss", LOSSES)
    y = check_array(y, "y", ndim=(1, 2))
    xp = arrays.namespace(y)
    if loss == "squared":
        return y.astype(dtype)
    if y.ndim == 2:
        if bool((y < 0).any()) or bool((xp.abs(y.sum(axis=1) - 1) > 1e-5).any()):
            raise ValueError("y has rows that are not probabilities; expected entries >= 0 that sum to 1 in each row")
        return y.astype(dtype)
    if bool((y != xp.floor(y)).any()) or bool((y < 0).any()):
        raise ValueError("y holds numbers that are not 0, 1, 2, ...; expected class numbers for loss='cross_entropy'")
    largest = int(y.max())
    count = largest + 1 if n_classes is None else check_integer(n_classes, "n_classes", minimum=largest + 1)
    classes = xp.asarray(np.arange(max(2, count)))
    return (y[:, None] == classes[None, :]).astype(dtype)
