"""Random changes of an instance, small and large, from which an attack on a guarantee is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from recovery.instances import Instance

__all__ = ["move"]

Rng = np.random.Generator
Arrays = dict[str, np.ndarray]


def move(instance: Instance, rng: Rng, *, fixed_noise: bool = False, options: tuple[str, ...] = ()) -> Instance:
    """Return a changed copy of an instance with as many non-zeros.

    Parameters
    ----------
    instance : Instance
        With x and noise.
    rng : numpy.random.Generator
        Source of randomness.
    fixed_noise : bool, default False
        Leave the noise and its law alone; otherwise noise that changed has no law any more. Zero noise stays 0.
    options : tuple of str
        Options that may be scaled, where they are floats.

    Returns
    -------
    Instance
        One to three changes: entries, columns and rows of A, entries of x, of the noise and of x0, all on
        scales from 1e-3 of an entry up to its size, and entries made equal to others.
    """
    parts: Arrays = {"A": np.array(instance.matrix), "x": np.array(instance.x)}
    if not fixed_noise and np.any(instance.noise):  # a statement without noise stays one
        parts["noise"] = np.array(instance.noise)
    if instance.x0 is not None:
        parts["x0"] = np.array(instance.x0)
    before = {name: np.array(value) for name, value in parts.items()}
    names = [name for name in _CHANGES if name in parts]
    for _ in range(int(rng.integers(1, 4))):
        changes = _CHANGES[names[int(rng.integers(len(names)))]]
        changes[int(rng.integers(len(changes)))](parts, rng)
    changed = {name: value for name, value in parts.items() if not np.array_equal(value, before[name])}
    law = None if "noise" in changed else instance.law
    return instance.replace(**changed, law=law, options=_scaled(instance.options, options, rng))


def _scaled(options: Mapping[str, object], names: tuple[str, ...], rng: Rng) -> dict[str, object]:
    found = dict(options)
    for name in names:
        value = found.get(name)
        if isinstance(value, float) and math.isfinite(value) and rng.random() < 0.25:
            found[name] = value * math.exp(_step(rng) * rng.standard_normal())
    return found


def _step(rng: Rng) -> float:
    return float(10.0 ** rng.uniform(-3.0, 0.0))


def _size(values: np.ndarray) -> float:
    return math.sqrt(float(np.mean(values * values))) or 1.0


def _two(count: int, rng: Rng) -> tuple[int, int]:
    """Return two places, different ones if there are two."""
    first = int(rng.integers(count))
    return first, (first + 1 + int(rng.integers(max(count - 1, 1)))) % count


def _perturb(name: str) -> Callable[[Arrays, Rng], None]:
    def change(parts: Arrays, rng: Rng) -> None:
        values = parts[name]
        mask = values != 0.0 if name == "x" else np.ones(values.shape, dtype=bool)
        if rng.random() < 0.5:  # one entry alone
            places = np.flatnonzero(mask)
            if places.size == 0:
                return
            mask = np.zeros(values.shape, dtype=bool)
            mask.flat[int(places[int(rng.integers(places.size))])] = True
        values[mask] += _step(rng) * _size(values) * rng.standard_normal(int(mask.sum()))

    return change


def _copy_entry(name: str) -> Callable[[Arrays, Rng], None]:
    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        places = np.flatnonzero(flat) if name == "x" else np.arange(flat.size)
        if places.size:
            first, second = _two(places.size, rng)
            flat[places[first]] = flat[places[second]] * (1.0 if rng.random() < 0.5 else -1.0)

    return change


def _no_entry(name: str) -> Callable[[Arrays, Rng], None]:
    def change(parts: Arrays, rng: Rng) -> None:
        flat = parts[name].reshape(-1)
        flat[int(rng.integers(flat.size))] = 0.0

    return change


def _scale_column(parts: Arrays, rng: Rng) -> None:
    A = parts["A"]
    A[:, int(rng.integers(A.shape[1]))] *= math.exp(_step(rng) * rng.standard_normal())


def _lean_column(parts: Arrays, rng: Rng) -> None:
    A = parts["A"]
    first, second = _two(A.shape[1], rng)
    A[:, first] += _step(rng) * (rng.choice([-1.0, 1.0]) * A[:, second] - A[:, first])


def _rotate_rows(parts: Arrays, rng: Rng) -> None:
    """Turn two rows into each other: the Gram matrix stays, the noise is seen from another side."""
    A = parts["A"]
    first, second = _two(A.shape[0], rng)
    if first != second:
        angle = math.pi * _step(rng)
        c, s = math.cos(angle), math.sin(angle)
        A[[first, second]] = np.array([[c, -s], [s, c]]) @ A[[first, second]]


def _swap_columns(parts: Arrays, rng: Rng) -> None:
    A = parts["A"]
    first, second = _two(A.shape[1], rng)
    A[:, [first, second]] = A[:, [second, first]]


def _noise_along_column(parts: Arrays, rng: Rng) -> None:
    A, noise = parts["A"], parts["noise"]
    column = A[:, int(rng.integers(A.shape[1]))]
    noise += _step(rng) * rng.standard_normal() * _size(noise) / _size(column) * column


def _noise_in_range(parts: Arrays, rng: Rng) -> None:
    """Take away what least squares does not see: it costs hypotheses about |noise| and does nothing."""
    Q, _ = np.linalg.qr(parts["A"])
    parts["noise"] += _step(rng) * (Q @ (Q.T @ parts["noise"]) - parts["noise"])


_CHANGES: dict[str, tuple[Callable[[Arrays, Rng], None], ...]] = {
    "A": (
        *(_perturb("A"), _perturb("A"), _copy_entry("A"), _no_entry("A")),
        *(_scale_column, _lean_column, _rotate_rows, _swap_columns),
    ),
    "x": (_perturb("x"), _copy_entry("x")),
    "noise": (_perturb("noise"), _perturb("noise"), _copy_entry("noise"), _noise_along_column, _noise_in_range),
    "x0": (_perturb("x0"), _copy_entry("x0"), _no_entry("x0")),
}
