"""Squared error and cross-entropy losses of a network's outputs, with their gradients."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice, check_integer

__all__ = ["LOSSES", "LossValue", "class_targets", "loss_and_gradient", "psnr", "psnr_of", "softmax"]


LOSSES = ("squared", "cross_entropy")


class LossValue(NamedTuple):
    """Value of a loss and its gradient with respect to the outputs.

    Attributes
    ----------
    value : array of shape () or (B,)
        Mean over the samples, on the device of the outputs (no synchronisation).
    gradient : array, shape of the outputs
        Derivative of ``value`` with respect to the outputs.
    """

    value: Any
    gradient: Any


def loss_and_gradient(outputs: Any, targets: Any, loss: str) -> LossValue:
    """Return the mean loss over the samples and its gradient with respect to the outputs.

    Parameters
    ----------
    outputs : array, shape (n,), (n, k) or (B, n, k)
        Network outputs; with a leading axis for B networks at once.
    targets : array, broadcastable to the outputs
        Targets; for ``"cross_entropy"`` one row of class probabilities per sample.
    loss : {"squared", "cross_entropy"}
        The loss.

    Returns
    -------
    LossValue
        ``(value, gradient)``.

    Notes
    -----
    Squared: (1 / n) sum_i |f(x_i) - y_i|^2 / 2 with |.|^2 summed over the k outputs, so that its gradient
    is (f - y) / n. Cross-entropy: -(1 / n) sum_i y_i . log softmax(f(x_i)), gradient (softmax - y) / n for rows
    of y that sum to 1. Both gradients agree with the paper's released code for several outputs.
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
    """Return targets in the form that the losses need; raise an error for invalid ones.

    Parameters
    ----------
    y : array, shape (n,) or (n, k)
        Targets. For ``"cross_entropy"``: class numbers 0, 1, ... of shape (n,), or rows of
        probabilities of shape (n, k).
    loss : {"squared", "cross_entropy"}
        Which loss.
    dtype : dtype
        dtype of the result, float32 or float64.
    n_classes : int, optional
        Number of classes if `y` contains class numbers; max(y) + 1 by default.

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


def psnr(prediction: Any, target: Any) -> float:
    """Return the peak signal-to-noise ratio of a prediction, in dB.

    Parameters
    ----------
    prediction, target : array, shape (n,) or (n, k)
        Equal shapes, on one device.

    Returns
    -------
    float
        20 log10(max |target|) - 10 log10(mean squared error), in dB; ``inf`` for an exact
        prediction, ``-inf`` if squares overflow, and ``nan`` if the target is zero and the prediction is not.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite, of equal shape, or on one device.

    Notes
    -----
    The definition of the paper's released experiments: the peak is the largest absolute target of the same data over
    which the error is computed.
    """
    target = check_array(target, "target", ndim=(1, 2))
    prediction = check_array(prediction, "prediction", ndim=(1, 2), shape=tuple(target.shape))
    xp = arrays.namespace(prediction, target)
    peak = float(xp.abs(target).max())
    if peak == 0:
        return psnr_of(float(xp.abs(prediction).max()), 0.0)
    with np.errstate(over="ignore", under="ignore"):  # a diverged prediction gets -inf dB
        error = (prediction - target) / peak  # so that squares of ordinary errors neither overflow nor underflow
        mean = float((error * error).mean())
        if not math.isfinite(mean):  # perhaps only the difference overflowed
            error = 4.0 * ((0.25 * prediction - 0.25 * target) / peak)
            mean = float((error * error).mean())
    info = np.finfo(error.dtype)
    if mean < float(info.tiny) / float(info.eps):  # squares of non-zero errors may have underflowed
        error = prediction - target
        largest = float(xp.abs(error).max())
        if largest == 0.0:
            return math.inf
        exponent = math.frexp(largest)[1]
        error = xp.ldexp(error, -exponent)
        ratio = math.frexp(peak)[0] / float(xp.sqrt((error * error).mean()))
        return 20 * (math.log10(ratio) + (math.frexp(peak)[1] - exponent) * math.log10(2.0))
    return psnr_of(mean, 1.0) if math.isfinite(mean) else -math.inf


def psnr_of(mean_square: float, peak: float) -> float:
    """Return 20 log10(peak) - 10 log10(mean_square), in dB, with the limits for zero arguments.

    Parameters
    ----------
    mean_square : float
        Mean squared error.
    peak : float
        Largest absolute target.

    Returns
    -------
    float
        PSNR in dB.
    """
    if peak == 0:
        return math.nan if mean_square else math.inf
    return math.inf if mean_square == 0 else 20 * math.log10(peak) - 10 * math.log10(mean_square)
