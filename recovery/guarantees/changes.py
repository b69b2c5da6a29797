"""The single changes of arrays, small and large, that a move of an instance is made of.

Each writes into arrays it is handed by name, which are copies of the instance's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = [
    "CHANGES",
    "Arrays",
    "Change",
    "Rng",
    "copy_entry",
    "no_entry",
    "of_matrix",
    "perturb",
    "size",
    "step",
    "two",
]

Rng = np.random.Generator
Arrays = dict[str, np.ndarray]
Change = Callable[[Arrays, Rng], None]


def step(rng: Rng) -> float:
    """Draw the size of a change relative to what is changed, log-uniform in 1e-3 to 1."""
    return float(10.0 ** rng.uniform(-3.0, 0.0))


def size(values: np.ndarray) -> float:
    """Return the root mean square, 1 where all is 0."""
    return math.sqrt(float(np.mean(values * values))) or 1.0


def two(count: int, rng: Rng) -> tuple[int, int]:
    """Return two places, different ones if there are two."""
    first = int(rng.integers(count))
    return first, (first + 1 + int(rng.integers(max(count - 1, 1)))) % count


def perturb(name: str) -> Change:
    """Return the change that adds normal numbers to all entries, or to one; zeros of x stay, those of x0 mostly."""

    def change(parts: Arrays, rng: Rng) -> None:
        values = parts[name]
        # a sparse start mostly stays one
        sparse = name == "x" or (name == "x0" and rng.random() < 0.75)
        mask = values != 0.0 if sparse else np.ones(values.shape, dtype=bool)
        if rng.random() < 0.5:  # one entry alone
            places = np.flatnonzero(mask)
            if places.size == 0:
                return
            mask = np.zeros(values.shape, dtype=bool)
            mask.flat[int(places[int(rng.integers(places.size))])] = True
        values[mask] += step(rng) * size(values) * rng.standard_normal(int(mask.sum()))

    return change


def copy_entry(name: str) -> Change:
    """Return the change that makes an entry equal to another, or to its negative; zeros of x stay."""

    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        places = np.flatnonzero(flat) if name == "x" else np.arange(flat.size)
        if places.size:
            first, second = two(places.size, rng)
            flat[places[first]] = flat[places[second]] * (1.0 if rng.random() < 0.5 else -1.0)

    return change


def no_entry(name: str) -> Change:
    """Return the change that makes an entry 0."""

    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        flat[int(rng.integers(flat.size))] = 0.0

    return change


def of_matrix(name: str) -> tuple[Change, ...]:
    """Return the changes of a matrix: of entries, of columns, and of the rows two by two."""

    def scale_column(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        A[:, int(rng.integers(A.shape[1]))] *= math.exp(step(rng) * rng.standard_normal())

    def lean_column(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        first, second = two(A.shape[1], rng)
        A[:, first] += step(rng) * (rng.choice([-1.0, 1.0]) * A[:, second] - A[:, first])

    def rotate_rows(parts: Arrays, rng: Rng) -> None:
        """Turn two rows into each other: the Gram matrix stays, the noise is seen from another side."""
        A = parts[name]
        first, second = two(A.shape[0], rng)
        if first != second:
            angle = math.pi * step(rng)
            c, s = math.cos(angle), math.sin(angle)
            A[[first, second]] = np.array([[c, -s], [s, c]]) @ A[[first, second]]

    def swap_columns(parts: Arrays, rng: Rng) -> None:
        A = parts[name]
        first, second = two(A.shape[1], rng)
        A[:, [first, second]] = A[:, [second, first]]

    entries = (perturb(name), perturb(name), copy_entry(name), no_entry(name))
    return (*entries, scale_column, lean_column, rotate_rows, swap_columns)


def _stretch(parts: Arrays, rng: Rng) -> None:
    """Move all eigenvalues of the Gram matrix away from their mean, or towards it, by the same factor."""
    A = parts["A"]
    spectrum, basis = np.linalg.eigh(A.T @ A)
    mean = float(spectrum.mean())
    moved = mean + math.exp(step(rng) * rng.standard_normal()) * (spectrum - mean)
    there = spectrum > 1e-12 * spectrum[-1]
    factors = np.sqrt(np.maximum(moved[there], 0.0) / spectrum[there])
    A[:] = (A @ basis[:, there] * factors) @ basis[:, there].T


def _stationary_start(parts: Arrays, rng: Rng) -> None:
    """Start from least squares on as many columns, most of them not in the support of x: wrong fixed points are so."""
    A, x, x0 = parts["A"], parts["x"], parts["x0"]
    count = int(np.count_nonzero(x0)) or int(np.count_nonzero(x))
    order = np.argsort((x != 0.0) + 1.5 * rng.random(len(x)))
    chosen = order[:count]
    x0[:] = 0.0
    x0[chosen] = np.linalg.lstsq(A[:, chosen], A @ x)[0]


def _noise_along_column(parts: Arrays, rng: Rng) -> None:
    A, noise = parts["A"], parts["noise"]
    column = A[:, int(rng.integers(A.shape[1]))]
    noise += step(rng) * rng.standard_normal() * size(noise) / size(column) * column


def _noise_in_range(parts: Arrays, rng: Rng) -> None:
    """Take away what least squares does not see: it costs hypotheses about |noise| and does nothing."""
    Q, _ = np.linalg.qr(parts["A"])
    parts["noise"] += step(rng) * (Q @ (Q.T @ parts["noise"]) - parts["noise"])


CHANGES: dict[str, tuple[Change, ...]] = {
    "A": (*of_matrix("A"), _stretch),
    "x": (perturb("x"), copy_entry("x")),
    "noise": (perturb("noise"), perturb("noise"), copy_entry("noise"), _noise_along_column, _noise_in_range),
    "x0": (perturb("x0"), copy_entry("x0"), no_entry("x0"), _stationary_start),
}
