"""Linear models of the digits, beside which sparse networks must stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.extras import need
from planted.base.quiet import quiet

__all__ = ["LINEAR", "fit_linear"]

LINEAR = {
    "binary": {
        "least-squares": "least squares, all pixels and intercept",
        "least-squares-signs": "least squares, all pixels, labels ±1",
        "logistic": "logistic regression, all pixels",
    },
    "digits": {
        "least-squares": "least squares, all pixels and intercept",
        "logistic": "logistic regression, all pixels",
    },
}
"""Models of each task, with their names in figures. Without an intercept a linear model depends on how two classes are
coded, and the two codings differ more than the networks do."""
LOGISTIC_STEPS = 300


def fit_linear(method: str, X: Any, y: Any, threshold: float | None) -> tuple[Callable[[Any], Any], np.ndarray]:
    """Fit a linear model on all pixels.

    Parameters
    ----------
    method : {"least-squares", "least-squares-signs", "logistic"}
        Least squares of minimum norm on the labels (0 and 1, or rows of the unit matrix) with an intercept; on labels
        -1 and 1 without one; or logistic regression as scikit-learn has it (an l2 penalty with C = 1, an intercept,
        at most :data:`LOGISTIC_STEPS` steps), which is computed on the CPU.
    X : array, shape (n, d)
        Images.
    y : array, shape (n,)
        Class numbers.
    threshold : float or None
        Two classes: what an output must exceed to count as class 1. None: the largest output counts.

    Returns
    -------
    predict : callable
        From images to outputs, of shape (n,) for two classes and (n, k) else.
    weights : numpy.ndarray
        One column an output; the last row is the intercept (but for labels -1 and 1).
    """
    xp = arrays.namespace(X)
    two = threshold is not None
    if method == "logistic":
        weights = _logistic(arrays.to_numpy(X), arrays.to_numpy(y), two)
        inside = xp.asarray(weights)
        # decisions of two classes: the logit is compared with 0 where outputs are compared with the threshold
        shift = threshold if threshold is not None else 0.0
        return (lambda Z: Z @ inside[:-1] + inside[-1] + shift), weights
    if method == "least-squares-signs":
        solved = xp.linalg.lstsq(X, 2.0 * y - 1.0, rcond=None)[0]
        return (lambda Z: (Z @ solved + 1.0) / 2.0), arrays.to_numpy(solved)
    targets = y if two else (y[:, None] == xp.arange(int(y.max()) + 1, dtype=y.dtype)).astype(X.dtype)
    solved = xp.linalg.lstsq(xp.concatenate([X, xp.ones_like(X[:, :1])], axis=1), targets, rcond=None)[0]
    return (lambda Z: Z @ solved[:-1] + solved[-1]), arrays.to_numpy(solved)


def _logistic(X: np.ndarray, y: np.ndarray, two: bool) -> np.ndarray:
    ConvergenceWarning = need("sklearn.exceptions").ConvergenceWarning
    LogisticRegression = need("sklearn.linear_model").LogisticRegression

    model = LogisticRegression(max_iter=LOGISTIC_STEPS)
    # the accuracy is settled long before the weights are, which is all that a line in a figure needs
    with quiet(ConvergenceWarning):
        model.fit(X, y.astype(np.int64))
    weights = np.concatenate([model.coef_.T, model.intercept_[None, :]]).astype(X.dtype)
    return weights[:, 0] if two else weights
