"""Common parts of the figures on pruning with images: data and splits, intervals of means, tie tolerances."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import mean_interval
from paper_repro.experiments.mnist import data_name
from paper_repro.verdicts import Trials, paired
from planted import datasets

__all__ = ["PIXELS", "TITLES", "band", "difference_text", "error_of", "images", "level_of", "named", "source"]

TITLES = {
    "mnist": "MNIST",
    "pooled-digits": "scikit-learn digits",
    "digits": "scikit-learn digits (MNIST was not found)",
}
PIXELS = {"mnist": 784, "pooled-digits": 64, "digits": 64}
N_TEST = {"mnist": 10_000, "pooled-digits": 360, "digits": 360}


def source(large: bool) -> str:
    """Return which images a preset uses: digits by choice, or MNIST, or the digits that stand in for it."""
    return data_name() if large else "pooled-digits"


@functools.lru_cache(maxsize=2)
def images(data: str, n_train: int, seed: int, dtype: str) -> tuple[np.ndarray, ...]:
    """Return training images and labels, test images and labels; pixels from 0 to 1.

    Parameters
    ----------
    data : {"mnist", "pooled-digits", "digits"}
        As :func:`source` returns it. MNIST has its own test images. The 1,797 digits, of which the last 360 are by
        other writers than the first, are pooled and split at random, another split for each seed.
    n_train : int
        Training images; of MNIST those chosen at random for the seed.
    seed : int
        Of the split.
    dtype : str
        Of the pixels.

    Returns
    -------
    tuple of numpy.ndarray
        Shapes (n_train, d), (n_train,), (n_test, d), (n_test,); the test set of the digits holds 360 images.
    """
    found = datasets.mnist() if data == "mnist" else datasets.digits()
    X, y, X_test, y_test = found.x_train, found.y_train, found.x_test, found.y_test
    draw = stream("pr-images", "mnist" if data == "mnist" else "digits", seed)
    if data != "mnist":
        X, y = np.concatenate([X, X_test]), np.concatenate([y, y_test])
        order = draw.permutation(len(X))
        chosen, rest = order[: len(X) - N_TEST[data]][:n_train], order[len(X) - N_TEST[data] :]
        X_test, y_test = X[rest], y[rest]
    else:
        chosen = draw.permutation(len(X))[:n_train]
    scale = np.asarray(found.pixel_max, dtype)
    return X[chosen].astype(dtype) / scale, y[chosen], X_test.astype(dtype) / scale, y_test


def error_of(model: Any, X: Any, y: Any) -> float:
    """Return the fraction of wrong classes."""
    return float((model(X).argmax(axis=1) != y).mean())


def named(data: str, n_train: int, seeds: int) -> str:
    """Return data and sizes in words, for subtitles and claims."""
    split = "" if data == "mnist" else ", each with a different split"
    size = f"{n_train:,} training and {N_TEST[data]:,} test images"
    return f"{TITLES[data]}, {size}, {seeds} seed{'s' * (seeds != 1)}{split}"


def level_of(data: str) -> float:
    """Return the difference of accuracies that counts as none: half a percent, or one test image if that is more."""
    return max(0.005, 1.01 / N_TEST[data])


def band(values: Iterable[float]) -> dict[str, float | None]:
    """Return mean and 95 % interval of values over seeds; None if there are none, or only one."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = mean_interval(known) or (None, None)
    return {"mean": math.fsum(known) / len(known) if known else None, "low": low, "high": high}


def difference_text(first: Trials, second: Trials, places: Sequence[Any], unit: str = "points") -> str:
    """Return the mean differences, first minus second, of common seeds at each place, with their 95 % intervals.

    Parameters
    ----------
    first, second : mapping of place to mapping of seed to float
        Shares; differences are shown in hundredths.
    places : sequence
        In the order in which they are named.
    unit : str
        Of a hundredth.

    Returns
    -------
    str
        Such as ``0.1: +1.20 [0.40, 2.00]; 0.05: ... points``.
    """
    cells, _, (ours, theirs) = paired(first, second)
    parts = []
    for place in places:
        if place not in cells:
            continue
        row = cells.index(place)
        gaps = 100.0 * (ours[row] - theirs[row])
        found = band(gaps.tolist())
        ends = "" if found["low"] is None else f" [{found['low']:+.2f}, {found['high']:+.2f}]"
        parts.append(f"{place:g}: {found['mean']:+.2f}{ends}")
    return "; ".join(parts) + f" {unit}" if parts else "no common trials"
