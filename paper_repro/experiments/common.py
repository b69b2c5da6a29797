"""Common parts of the experiments: grids, names of the methods, means over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays

__all__ = [
    "DIVERGED_DB",
    "EXACT_DB",
    "LABELS",
    "METHODS",
    "PSNR_CAP_DB",
    "capped",
    "exact_fit",
    "fit_arrays",
    "form_arrays",
    "series_125",
    "stream",
]

METHODS = ("paper", "robust")
LABELS = {"paper": "IHT as in the paper", "robust": "IHT, robust"}

PSNR_CAP_DB = 350.0
"""An exact fit has infinite PSNR, and a diverged one minus infinity; in tables PSNR is clipped to plus or minus
this."""

DIVERGED_DB = -100.0
"""A fit with a PSNR below this, in dB, has diverged: its error is 100,000 times the largest label."""
EXACT_DB = 150.0
"""A fit above this PSNR counts as exact: its error is at the rounding of the labels, which for float32 limits every fit
to 155 to 180 dB. Differences above this are meaningless, so two exact fits are level in comparisons."""


def series_125(low: int, high: int) -> tuple[int, ...]:
    """Return 1, 2, 5, 10, 20, 50, ... from `low` to `high`, both included."""
    numbers = [digit * 10**power for power in range(len(str(high))) for digit in (1, 2, 5)]
    return tuple(number for number in numbers if low <= number <= high)


def capped(psnr_db: float) -> float:
    """Return a PSNR in dB, at most :data:`PSNR_CAP_DB` and at least minus that."""
    return max(-PSNR_CAP_DB, min(psnr_db, PSNR_CAP_DB))


def stream(*key: int | str) -> np.random.Generator:
    """Return the random numbers of a cell; equal keys give equal numbers on every machine."""
    return arrays.generator(arrays.seed_sequence(*key))


def exact_fit(X: Any, y: Any, *, m: int, s: int, rng: Any) -> Any:
    """Fit by exact recovery; all figures call it through this function.

    Parameters
    ----------
    X, y : array
        Data, on one device.
    m, s : int
        Requested numbers of neurons and weights.
    rng : numpy.random.Generator
        The cell's random numbers.

    Returns
    -------
    recovery.networks.exact.ExactFit
        Its `network` is None if the kink form found exceeds m or s.
    """
    from recovery.networks.exact import fit_exact

    return fit_exact(X, y, n_neurons=m, sparsity=s, rng=rng)


def form_arrays(form: Any) -> dict[str, np.ndarray]:
    """Return a kink form as arrays for the store, if no network was made from it."""
    return {name: arrays.to_numpy(getattr(form, name)) for name in ("directions", "strengths", "linear")}


def fit_arrays(network: Any) -> dict[str, np.ndarray]:
    """Return a found network as arrays for the store: positions and values of its non-zero hidden weights.

    Parameters
    ----------
    network : planted.ReLUNetwork
        On any device.

    Returns
    -------
    dict
        ``hidden_position`` and ``hidden_value`` of the first layer in row-major order, ``hidden2_position`` and so on
        of further ones, which come with the ``widths`` of all hidden layers; ``output``, whole.
    """
    found: dict[str, np.ndarray] = {}
    for number, layer in enumerate(network.layers[:-1], start=1):
        hidden = arrays.to_numpy(layer)
        name = "hidden" if number == 1 else f"hidden{number}"
        found[f"{name}_position"] = np.flatnonzero(hidden)
        found[f"{name}_value"] = hidden.ravel()[found[f"{name}_position"]]
    if network.depth > 1:
        found["widths"] = np.array([int(layer.shape[1]) for layer in network.layers[:-1]])
    return {**found, "output": arrays.to_numpy(network.output)}
