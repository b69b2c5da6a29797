"""Units in which training works: inputs and targets of size 1, and networks brought back to the caller's units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.operators.arithmetic import power

__all__ = [
    "check_ratio",
    "check_unit",
    "in_range",
    "power",
    "root_mean_square",
    "scale_layers",
    "unit_inputs",
    "unit_targets",
]


def unit_inputs(X: Any) -> tuple[Any, int]:
    """Return X / 2^e and e, for a root mean square of the entries near 1; exact."""
    xp = arrays.namespace(X)
    top = math.frexp(float(xp.abs(X).max()))[1]
    mean = root_mean_square(X, top)
    exponent = top + (round(math.log2(mean)) if mean > 0 else 0)
    return xp.ldexp(X, -exponent), exponent


def unit_targets(columns: Any, peak: float) -> tuple[Any, tuple[float, int]]:
    """Return targets of root mean square 1, and what they were divided by as (m, e), m 2^e."""
    top = math.frexp(peak)[1]
    mean = root_mean_square(columns, top)
    return arrays.namespace(columns).ldexp(columns, -top) / mean, (mean, top)


def root_mean_square(values: Any, top: int) -> float:
    """Return the root mean square of values / 2^top: with 2^top near the largest, no square leaves the range."""
    xp = arrays.namespace(values)
    small = xp.ldexp(values, -top)
    return float(xp.sqrt((small * small).mean()))


def check_ratio(unit_y: int, unit_X: int, dtype: Any) -> None:
    """Refuse targets and inputs of sizes 2^unit_y and 2^unit_X between which no weight can be a number of `dtype`."""
    if abs(unit_y - unit_X) >= np.finfo(dtype).maxexp - 4:
        raise ValueError(
            f"max |y| is near 2^{unit_y} and max |X| near 2^{unit_X}; expected a ratio that {dtype} can hold, "
            "as the hidden weights are of that size"
        )


def check_unit(name: str, unit: int, dtype: Any) -> None:
    """Refuse an array of size 2^unit whose inverse is no number of `dtype`."""
    if abs(unit) >= np.finfo(dtype).maxexp - 4:
        raise ValueError(f"{name} is of size 2^{unit}; expected a size whose inverse {dtype} can hold")


def scale_layers(layers: list[Any], last: int, unit_X: int, unit_y: int) -> list[Any]:
    """Return layers of the same function times 2^unit_y, of inputs times 2^unit_X.

    Layer 0 is divided by the unit of the inputs and layer `last` multiplied by that of the targets; at the ends of
    the range as much of the first power as does not fit goes to layer `last`, which gives the same function.
    """
    xp = arrays.namespace(*layers)
    powers = _powers(layers, last, unit_X, unit_y)
    return [xp.ldexp(layer, power) if power else layer for layer, power in zip(layers, powers, strict=True)]


def _powers(layers: list[Any], last: int, unit_X: int, unit_y: int) -> list[int]:
    """Return the exponent that each layer is multiplied by."""
    xp, found = arrays.namespace(*layers), [0] * len(layers)
    if last == 0:
        found[0] = unit_y - unit_X  # each alone may be out of range
        return found
    first, most = -unit_X, int(np.finfo(layers[0].dtype).maxexp)
    if 2 * first > most and layers[0].size:
        first = min(first, most - 1 - math.frexp(float(xp.abs(layers[0]).max()))[1])
    found[0], found[last] = first, unit_y - unit_X - first
    return found


def in_range(layers: list[Any], last: int, unit_X: int, unit_y: int, X: Any, y: Any) -> tuple[list[Any], bool]:
    """Return what :func:`scale_layers` does, and whether the dtype holds these numbers.

    Parameters
    ----------
    layers : list of array
        Weights of a network for X and y.
    last : int
        The layer that takes the unit of the targets.
    unit_X, unit_y : int
        Exponents of what the caller's inputs and targets were divided by.
    X, y : array
        Inputs and targets in the units of the fit.

    Returns
    -------
    layers : list of array
        Zeros where weights would be infinite.
    held : bool
        False also where weights that became 0, or lost digits, change the outputs by more than the rounding of y.
    """
    xp, dtype = arrays.namespace(X), layers[0].dtype
    powers = _powers(layers, last, unit_X, unit_y)
    with np.errstate(over="ignore", under="ignore"):
        found = scale_layers(layers, last, unit_X, unit_y)
        if max(map(abs, powers)) <= np.finfo(dtype).maxexp // 4:
            return found, True  # what is lost is nothing beside y, as X is near 1 here
        if not all(bool(xp.isfinite(layer).all()) for layer in found):
            return [xp.zeros_like(layer) for layer in layers], False
        back = [xp.ldexp(layer, -power) for layer, power in zip(found, powers, strict=True)]
    if not any(bool((one != other).any()) for one, other in zip(back, layers, strict=True)):
        return found, True
    error = ReLUNetwork(back)(X) - ReLUNetwork(layers)(X)
    slack = 4 * float(np.finfo(dtype).eps) * float(xp.abs(y).max())
    return found, float(xp.abs(error).max()) <= slack
