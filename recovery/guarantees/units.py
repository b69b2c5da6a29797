"""Instances in units in which the arithmetic of float64 stays in range: multiplied by powers of two, exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recovery.gated import GatedOperator
from recovery.guarantees.bounded import exponents
from recovery.instances import Instance
from recovery.laws import NoiseLaw

__all__ = ["SCALES", "in_range"]

SCALES = ("data", "matrix", "columns")
"""What a statement may not depend on: see :class:`recovery.guarantees.Guarantee`."""
_COMFORT = 64
"""Exponents up to this size are left alone: sixth powers and sums of 10^100 of them are far from the ends of range."""
_OPTIONS = {"lam": (1, 1), "tau": (-1, 1), "t": (-2, 0), "step": (-2, 0)}
"""Units of options: powers of those of A, and of y."""


def in_range(instance: Instance, scales: tuple[str, ...]) -> Instance | str:
    """Return the same problem with numbers near 1, or why there is none.

    Parameters
    ----------
    instance : Instance
        The problem.
    scales : tuple of {"data", "matrix", "columns"}
        What may be multiplied by a power of two: y with x, the noise, its law and x0; A, with x by the inverse; each
        column of A, with its entry of x by the inverse.

    Returns
    -------
    Instance or str
        The instance itself where its numbers are within 2^64 of 1, or nothing may be scaled. A sentence where scaling
        would round one of its numbers: they range over more than float64 can hold beside each other.
    """
    if not scales:
        return instance
    matrix = instance.matrix
    # where each column may be scaled all of them may, and blocks of gates share their columns
    a = int(exponents(matrix, None)) if "matrix" in scales or "columns" in scales else 0
    columns: Any = exponents(matrix) if "columns" in scales and instance.gated is None else np.full(matrix.shape[1], a)
    if np.all(np.abs(columns) <= _COMFORT):
        a, columns = 0, np.zeros(matrix.shape[1], dtype=np.int64)
    b = _largest(instance, columns) if "data" in scales else 0
    if abs(b) <= _COMFORT:
        b = 0
    if b == 0 and not np.any(columns):
        return instance
    exact = [True]

    def times(values: Any, power: Any) -> Any:
        if values is None:
            return None
        with np.errstate(over="ignore", under="ignore"):
            found = np.ldexp(values, power)
            back = np.ldexp(found, -np.asarray(power))
        exact[0] &= bool(np.all(np.isfinite(found)) and np.array_equal(back, values))
        return found

    A: Any
    if instance.gated is not None:
        X, gates = instance.gated
        A = GatedOperator(times(X, -a), gates)
    else:
        A = times(matrix, -columns)
    known = {name: times(getattr(instance, name), columns - b) for name in ("x", "x0")}
    known |= {name: times(getattr(instance, name), -b) for name in ("y", "noise")}
    law = instance.law
    if law is not None:
        law = NoiseLaw(law.name, float(times(law.sigma, -b)))
    options = dict(instance.options)
    for name, (of_matrix, of_data) in _OPTIONS.items():
        value = options.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            options[name] = float(times(float(value), -of_matrix * a - of_data * b))
    if not exact[0]:
        return "the numbers of this instance range over more than float64 can hold in any units"
    try:
        return Instance(A, sparsity=instance.sparsity, law=law, options=options, **known)
    except ValueError:  # y lost digits below the range, which these units would have kept
        return "the data of this instance lost digits at the end of the range of float64"


def _largest(instance: Instance, columns: np.ndarray) -> int:
    """Return the exponent of the largest of the data, the noise, and of x in the units of the columns."""
    found = [int(exponents(part, None)) for part in (instance.y, instance.noise) if part is not None and np.any(part)]
    for part in (instance.x, instance.x0):
        if part is not None and np.any(part):
            with np.errstate(under="ignore"):
                found.append(int(np.max((np.frexp(part)[1] - 1 + columns)[part != 0.0])))
    return max(found, default=0)
