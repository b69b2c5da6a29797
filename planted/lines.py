"""Kink forms in integers: a float is an integer times a power of two, so nothing is rounded and nothing overflows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

__all__ = ["ExactForm", "exact_form"]


class ExactForm(NamedTuple):
    """The kink form of a list of neurons, without rounding.

    Attributes
    ----------
    lines : dict
        From a line to the integers S, one for each output. The line is a pair of tuples: the inputs with non-zero
        entries, and those entries as integers without a common factor, the first of them positive; call this
        vector w. The strength of the line is 2^exponent S |w|.
    linear : dict
        From an input to the integers B, one for each output; the linear part is 2^exponent B. Zeros are left out.
    exponent : int
        The power of two, as large as it can be; 0 for the zero function. Two networks are the same function if
        and only if their exact forms are equal.
    n_inputs, n_outputs : int
        Sizes d and k.
    """

    lines: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]]
    linear: dict[int, tuple[int, ...]]
    exponent: int
    n_inputs: int
    n_outputs: int


def exact_form(hidden: np.ndarray, output: np.ndarray, linear: np.ndarray | None = None) -> ExactForm:
    """Return the exact kink form of sum_j v_j relu(u_j . x), or of sum_j v_j |u_j . x| / 2 + linear' x.

    Parameters
    ----------
    hidden : numpy.ndarray of float64, shape (d, m)
        Column j is u_j; finite.
    output : numpy.ndarray of float64, shape (m, k)
        Row j is v_j; finite.
    linear : numpy.ndarray of float64, shape (d, k), optional
        The linear part where the columns are lines already; without it, that of the neurons, sum_j u_j v_j' / 2.

    Returns
    -------
    ExactForm
        Neurons belong to one line where u_i = t u_j for some t, positive or negative, as real numbers.

    Notes
    -----
    The work is about two microseconds for each non-zero u_ij, and more for many outputs, in Python's integers.
    """
    d, k = hidden.shape[0], output.shape[1]
    neurons = []
    for column, weights in zip(hidden.T, output, strict=True):
        rows = np.flatnonzero(column)
        if rows.size and weights.any():
            neurons.append((rows, _integers(column[rows]), _integers(weights)))
    parts = [u_power + v_power for _, (_, u_power), (_, v_power) in neurons]
    given: list[tuple[int, list[int], int]] = []
    if linear is not None:
        given = [(int(i), *_integers(linear[i])) for i in np.flatnonzero(linear.any(axis=1))]
        parts += [power for _, _, power in given]
    # the linear part of a neuron is half its weight, hence the 1
    base = min(parts, default=0) - 1
    lines: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    total = np.zeros((d, k), dtype=object)
    for rows, (entries, u_power), (weights, v_power) in neurons:
        shift = u_power + v_power - base
        factor = math.gcd(*entries)
        sign = 1 if entries[0] > 0 else -1
        key = tuple(rows.tolist()), tuple(sign * entry // factor for entry in entries)
        strengths = [(factor * weight) << shift for weight in weights]
        held = lines.setdefault(key, [0] * k)
        lines[key] = [one + two for one, two in zip(held, strengths, strict=True)]
        if linear is None:
            halves = np.array([weight << (shift - 1) for weight in weights], dtype=object)
            total[rows] += np.multiply.outer(np.array(entries, dtype=object), halves)
    for i, numbers, power in given:
        total[i] += np.array([number << (power - base) for number in numbers], dtype=object)
    bent = {key: tuple(numbers) for key, numbers in lines.items() if any(numbers)}
    straight = {i: tuple(int(number) for number in total[i]) for i in range(d) if total[i].any()}
    everything = [number for numbers in (*bent.values(), *straight.values()) for number in numbers if number]
    # the number of zeros at the end of all of them
    zeros = min(((number & -number).bit_length() - 1 for number in everything), default=0)
    return ExactForm(
        lines={key: tuple(number >> zeros for number in numbers) for key, numbers in bent.items()},
        linear={i: tuple(number >> zeros for number in numbers) for i, numbers in straight.items()},
        exponent=base + zeros if everything else 0,
        n_inputs=d,
        n_outputs=k,
    )


def _integers(values: np.ndarray) -> tuple[list[int], int]:
    """Return integers and a power p such that values = 2^p integers; at least one value is not zero."""
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, 53).astype(np.int64).tolist()
    power = int(exponents[values != 0].min())
    shifts = (exponents - power).tolist()
    return [number << shift if number else 0 for number, shift in zip(whole, shifts, strict=True)], power - 53
