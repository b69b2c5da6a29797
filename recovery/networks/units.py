"""Units in which training works: inputs and targets of size 1, and networks brought back to the caller's units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays
from recovery._powers import power

__all__ = ["check_ratio", "check_unit", "power", "root_mean_square", "scale_layers", "unit_inputs", "unit_targets"]


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
    xp, found = arrays.namespace(*layers), list(layers)
    if last == 0:
        found[0] = xp.ldexp(layers[0], unit_y - unit_X)  # each alone may be out of range
        return found
    first, most = -unit_X, int(np.finfo(layers[0].dtype).maxexp)
    if 2 * first > most and layers[0].size:
        first = min(first, most - 1 - math.frexp(float(xp.abs(layers[0]).max()))[1])
    found[0] = xp.ldexp(layers[0], first)
    found[last] = xp.ldexp(layers[last], unit_y - unit_X - first)
    return found
