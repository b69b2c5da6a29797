"""Peak signal-to-noise ratio, the paper's measure of fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array

__all__ = ["psnr", "psnr_of"]


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
        prediction, ``-inf`` where squares leave the range of the numbers, and ``nan`` if the target is
        zero and the prediction is not.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite, of equal shape, or on one device.

    Notes
    -----
    The definition of the paper's released experiments: the peak is the largest absolute target of
    the very data that the error is taken over.
    """
    target = check_array(target, "target", ndim=(1, 2))
    prediction = check_array(prediction, "prediction", ndim=(1, 2), shape=tuple(target.shape))
    xp = arrays.namespace(prediction, target)
    peak = float(xp.abs(target).max())
    if peak == 0:
        return psnr_of(float(xp.abs(prediction).max()), 0.0)
    with np.errstate(over="ignore", under="ignore"):  # a diverged prediction has -inf dB
        error = (prediction - target) / peak  # so that no square of an ordinary error leaves the range of the numbers
        mean = float((error * error).mean())
        if not math.isfinite(mean):  # perhaps the difference alone is out of range
            error = 4.0 * ((0.25 * prediction - 0.25 * target) / peak)
            mean = float((error * error).mean())
    info = np.finfo(error.dtype)
    if mean < float(info.tiny) / float(info.eps):  # squares may be 0, or have lost digits, though the errors are not 0
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
    """Return 20 log10(peak) - 10 log10(mean_square), in dB, with its limits.

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
