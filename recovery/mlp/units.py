"""Units for training: scale inputs and targets to size 1, and convert networks back to the caller's units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.operators.arithmetic import power

__all__ = ["Unit", "Units", "check_ratio", "check_unit", "in_range", "root_mean_square", "scale_layers"]


@dataclass(frozen=True)
class Unit:
    """A positive number ``part * 2**exponent``, which may be outside the range of floating point.

    Parameters
    ----------
    part : float, default 1
        1, or from 1/2 to below 1.
    exponent : int, default 0
        Exponent of the power of two; dividing by a power of two is exact.
    """

    part: float = 1.0
    exponent: int = 0

    @classmethod
    def of(cls, values: Any, *, exact: bool = True) -> Unit:
        """Return the root mean square of the entries, or the power of two near it, division by which is exact.

        Zeros have the unit 1.
        """
        top = math.frexp(float(arrays.namespace(values).abs(values).max()))[1]
        mean = root_mean_square(values, top)
        if mean == 0:
            return cls()
        if exact:
            return cls(1.0, top + round(math.log2(mean)))
        part, power_of_two = math.frexp(mean)
        return cls(part, top + power_of_two)

    @property
    def number(self) -> float:
        """The number as a float, infinite if out of range."""
        return power(self.part, self.exponent)

    def divide(self, values: Any) -> Any:
        """Return the values divided by this number; the same array if it is 1."""
        if self.exponent:
            values = arrays.namespace(values).ldexp(values, -self.exponent)
        return values if self.part == 1.0 else values / self.part


@dataclass(frozen=True, eq=False)
class Units:
    """The units by which inputs and targets are divided for a fit, and the conversion back.

    Parameters
    ----------
    inputs, targets : Unit
        Units of X and of y.
    kept : array of int64, optional
        The inputs that the fit uses; None means all.

    Notes
    -----
    f(x) on (X, y) is targets g(x / inputs) with g the fit to (X / inputs, y / targets): the first layer is divided by
    the unit of the inputs, and the last layer that counts is multiplied by that of the targets. If a search is
    equivariant, powers of two near the root mean squares suffice (they change no bit, and keep all squares in range);
    if its steps have a fixed length, root mean squares of exactly 1 are needed.
    """

    inputs: Unit = field(default_factory=Unit)
    targets: Unit = field(default_factory=Unit)
    kept: Any = None

    @classmethod
    def of(cls, X: Any, y: Any, loss: str, *, exact: bool = True, blank: bool = True) -> Units:
        """Return the units of data.

        Parameters
        ----------
        X, y : array
            Inputs and targets.
        loss : {"squared", "cross_entropy"}
            Probabilities have the unit 1.
        exact : bool, default True
            Use the powers of two near the root mean squares instead of the root mean squares themselves.
        blank : bool, default True
            Whether the fit uses inputs that are 0 in all rows, whose weights have no effect.
        """
        kept = None
        if not blank:
            lit = arrays.namespace(X).flatnonzero((X != 0).any(axis=0))
            kept = lit if 0 < int(lit.shape[0]) < int(X.shape[1]) else None
        targets = Unit.of(y, exact=exact) if loss == "squared" else Unit()
        return cls(Unit.of(X, exact=exact), targets, kept)

    def check(self, last: int, dtype: Any) -> None:
        """Raise an error if no network of `dtype` can represent these units; layer `last` takes that of the targets."""
        if last == 0:
            check_ratio(self.targets.exponent, self.inputs.exponent, dtype)
        else:
            check_unit("X", self.inputs.exponent, dtype)
            check_unit("y", self.targets.exponent, dtype)

    def divide(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return inputs and targets for the fit."""
        return self.inputs.divide(X if self.kept is None else X[:, self.kept]), self.targets.divide(y)

    def restore(self, layers: Sequence[Any], last: int, X: Any, y: Any, n_inputs: int) -> tuple[list[Any], bool]:
        """Return a network's layers in the caller's units, and whether the dtype can represent them.

        Parameters
        ----------
        layers : sequence of array
            Weights of a network in the units of the fit.
        last : int
            The layer that takes the unit of the targets.
        X, y : array
            The data of the fit.
        n_inputs : int
            Number of the caller's inputs.
        """
        found, first = list(layers), self.inputs
        if first.part != 1.0:
            found[0] = found[0] / first.part
        if self.targets.part != 1.0:
            found[last] = found[last] * self.targets.part
        found, held = in_range(found, last, first.exponent, self.targets.exponent, X, y)
        if self.kept is not None:
            seen = found[0]
            found[0] = arrays.namespace(X).zeros((n_inputs, int(seen.shape[1])), dtype=seen.dtype)
            found[0][self.kept] = seen
        return found, held


def root_mean_square(values: Any, top: int) -> float:
    """Return the root mean square of values / 2^top; if 2^top is near the largest value, no square overflows."""
    xp = arrays.namespace(values)
    small = xp.ldexp(values, -top)
    return float(xp.sqrt((small * small).mean()))


def check_ratio(unit_y: int, unit_X: int, dtype: Any) -> None:
    """Raise an error if weights from inputs of size 2^unit_X to targets of size 2^unit_y exceed `dtype`'s range."""
    if abs(unit_y - unit_X) >= np.finfo(dtype).maxexp - 4:
        raise ValueError(
            f"y is of size 2^{unit_y} and X of size 2^{unit_X}; expected a ratio that {dtype} can represent, "
            "as the hidden weights are of that size"
        )


def check_unit(name: str, unit: int, dtype: Any) -> None:
    """Raise an error if the inverse of an array's size 2^unit is outside the range of `dtype`."""
    if abs(unit) >= np.finfo(dtype).maxexp - 4:
        raise ValueError(f"{name} is of size 2^{unit}; expected a size whose inverse {dtype} can represent")


def scale_layers(layers: list[Any], last: int, unit_X: int, unit_y: int) -> list[Any]:
    """Rescale layers for inputs multiplied by 2^unit_X and targets multiplied by 2^unit_y.

    Layer 0 is divided by the unit of the inputs and layer `last` multiplied by that of the targets; near the limits of
    the range, the part of the first power that does not fit is moved to layer `last`, which gives the same function.
    """
    xp = arrays.namespace(*layers)
    powers = _powers(layers, last, unit_X, unit_y)
    return [xp.ldexp(layer, power) if power else layer for layer, power in zip(layers, powers, strict=True)]


def _powers(layers: list[Any], last: int, unit_X: int, unit_y: int) -> list[int]:
    """Return the exponent of the power of two by which each layer is multiplied."""
    xp, found = arrays.namespace(*layers), [0] * len(layers)
    if last == 0:
        found[0] = unit_y - unit_X  # each of the two may be out of range by itself
        return found
    first, most = -unit_X, int(np.finfo(layers[0].dtype).maxexp)
    if 2 * first > most and layers[0].size:
        first = min(first, most - 1 - math.frexp(float(xp.abs(layers[0]).max()))[1])
    found[0], found[last] = first, unit_y - unit_X - first
    return found


def in_range(layers: list[Any], last: int, unit_X: int, unit_y: int, X: Any, y: Any) -> tuple[list[Any], bool]:
    """Return the result of :func:`scale_layers`, and whether the dtype can represent it.

    Parameters
    ----------
    layers : list of array
        Weights of a network for X and y.
    last : int
        The layer that takes the unit of the targets.
    unit_X, unit_y : int
        Exponents of the powers of two by which the caller's inputs and targets were divided.
    X, y : array
        Inputs and targets in the units of the fit.

    Returns
    -------
    layers : list of array
        All zeros if weights would be infinite.
    held : bool
        Also False if weights that underflowed or lost digits change the outputs by more than the rounding error of y.
    """
    xp, dtype = arrays.namespace(X), layers[0].dtype
    powers = _powers(layers, last, unit_X, unit_y)
    with np.errstate(over="ignore", under="ignore"):
        found = scale_layers(layers, last, unit_X, unit_y)
        if max(map(abs, powers)) <= np.finfo(dtype).maxexp // 4:
            return found, True  # the loss is negligible compared with y, since X is near 1 here
        if not all(bool(xp.isfinite(layer).all()) for layer in found):
            return [xp.zeros_like(layer) for layer in layers], False
        back = [xp.ldexp(layer, -power) for layer, power in zip(found, powers, strict=True)]
    if not any(bool((one != other).any()) for one, other in zip(back, layers, strict=True)):
        return found, True
    error = ReLUNetwork(back)(X) - ReLUNetwork(layers)(X)
    slack = 4 * float(np.finfo(dtype).eps) * float(xp.abs(y).max())
    return found, float(xp.abs(error).max()) <= slack
