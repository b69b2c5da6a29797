"""Changes of a gated operator A = [D_1 X, ..., D_p X] that leave it one: of X, of gates, and of the planted neurons."""

from __future__ import annotations

import math

import numpy as np

from recovery.guarantees.changes import CHANGES, Arrays, Change, Rng, of_matrix, step, two

__all__ = ["GATED_CHANGES"]


def _scale_row(parts: Arrays, rng: Rng) -> None:
    X = parts["X"]
    X[int(rng.integers(X.shape[0]))] *= math.exp(3.0 * step(rng) * rng.standard_normal())


def _blank_row(parts: Arrays, rng: Rng) -> None:
    """Make a sample 0, or 0 on the inputs that one neuron looks at: its activation is then exactly 0."""
    X, neurons = parts["X"], _neurons(parts)
    row, gate = int(rng.integers(X.shape[0])), int(rng.integers(neurons.shape[1]))
    X[row, neurons[:, gate] != 0.0 if rng.random() < 0.5 else slice(None)] = 0.0


def _flip_bits(parts: Arrays, rng: Rng) -> None:
    """Flip one bit, or each bit of a gate with a small chance."""
    gates = parts["gates"]
    gate = int(rng.integers(gates.shape[1]))
    if rng.random() < 0.5:
        row = int(rng.integers(gates.shape[0]))
        gates[row, gate] = not gates[row, gate]
    else:
        gates[:, gate] ^= rng.random(gates.shape[0]) < step(rng)


def _copy_gate(parts: Arrays, rng: Rng) -> None:
    """Make a gate equal to another one or its complement."""
    gates = parts["gates"]
    first, second = two(gates.shape[1], rng)
    gates[:, first] = gates[:, second] ^ (rng.random() < 0.5)


def _swap_gates(parts: Arrays, rng: Rng) -> None:
    gates = parts["gates"]
    first, second = two(gates.shape[1], rng)
    gates[:, [first, second]] = gates[:, [second, first]]


def _open_gate(parts: Arrays, rng: Rng) -> None:
    parts["gates"][:, int(rng.integers(parts["gates"].shape[1]))] = True


def _random_generator(parts: Arrays, rng: Rng) -> None:
    """Take a gate from a sparse or dense random generator."""
    X, gates = parts["X"], parts["gates"]
    h = rng.standard_normal(X.shape[1]) * (rng.random(X.shape[1]) < rng.choice([0.3, 1.0]))
    gates[:, int(rng.integers(gates.shape[1]))] = X @ h >= 0.0


def _near_generator(parts: Arrays, rng: Rng) -> None:
    """Take a gate from a generator that is near plus or minus a planted neuron."""
    X, gates, neurons = parts["X"], parts["gates"], _neurons(parts)
    live = np.flatnonzero(neurons.any(axis=0))
    if live.size:
        u = neurons[:, int(rng.choice(live))]
        h = rng.choice([-1.0, 1.0]) * u + step(rng) * float(np.linalg.norm(u)) * rng.standard_normal(u.shape)
        gates[:, int(rng.integers(gates.shape[1]))] = X @ h >= 0.0


def _scale_neuron(parts: Arrays, rng: Rng) -> None:
    neurons = _neurons(parts)
    neurons[:, int(rng.integers(neurons.shape[1]))] *= rng.choice([-1.0, 1.0]) * math.exp(
        step(rng) * rng.standard_normal()
    )


def _level_neuron(parts: Arrays, rng: Rng) -> None:
    """Make the non-zero weights of a neuron equal, as those of binary hidden weights are."""
    neurons = _neurons(parts)
    u = neurons[:, int(rng.integers(neurons.shape[1]))]
    places = np.flatnonzero(u)
    if places.size:
        u[places] = u[places[0]]


def _neurons(parts: Arrays) -> np.ndarray:
    """Return x as a (d, p) view, one planted neuron a column."""
    return parts["x"].reshape(parts["gates"].shape[1], -1).T


GATED_CHANGES: dict[str, tuple[Change, ...]] = {
    "X": (*of_matrix("X"), _scale_row, _blank_row),
    "gates": (
        *(_flip_bits, _flip_bits, _copy_gate, _swap_gates),
        *(_open_gate, _random_generator, _random_generator, _near_generator),
    ),
    **{name: CHANGES[name] for name in ("x", "noise", "x0")},
    "neurons": (_scale_neuron, _level_neuron),
}
