"""Random changes of an instance, small and large, from which an attack on a guarantee is made."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recovery.gated import GatedOperator
from recovery.guarantees.changes import CHANGES, Arrays, Rng, step
from recovery.guarantees.gated_changes import GATED_CHANGES
from recovery.instances import Instance

__all__ = ["follow", "move"]


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
        scales from 1e-3 of an entry up to its size, and entries made equal to others. A gated operator stays one: X
        changes, bits of gates and whole gates, and planted neurons. In half of the moves a gate that was the pattern
        of plus or minus its own planted neuron follows that neuron.
    """
    gated = instance.gated
    parts: Arrays = {"x": np.array(instance.x), "A": np.array(instance.matrix)}
    if gated is not None:
        parts.update(zip(("X", "gates"), (np.array(part) for part in gated), strict=True))
    if not fixed_noise and np.any(instance.noise):  # a statement without noise stays one
        parts["noise"] = np.array(instance.noise)
    if instance.x0 is not None:
        parts["x0"] = np.array(instance.x0)
    before = {name: np.array(value) for name, value in parts.items()}
    table = CHANGES if gated is None else GATED_CHANGES
    names = [name for name in table if name in parts or name == "neurons"]
    for _ in range(int(rng.integers(1, 4))):
        changes = table[names[int(rng.integers(len(names)))]]
        changes[int(rng.integers(len(changes)))](parts, rng)
    if gated is not None and rng.random() < 0.5:
        follow(parts, before)
    changed: dict[str, object] = {
        name: value for name, value in parts.items() if not np.array_equal(value, before[name])
    }
    if changed.keys() & {"X", "gates"}:
        changed = {name: value for name, value in changed.items() if name not in ("X", "gates")}
        changed["A"] = GatedOperator(parts["X"], parts["gates"])
    law = None if "noise" in changed else instance.law
    return instance.replace(**changed, law=law, options=_scaled(instance.options, options, rng))


def follow(parts: Arrays, before: Arrays) -> None:
    """Let each gate that was 1{X w_j >= 0} or 1{-X w_j >= 0} be so of what X and w_j are now.

    Parameters
    ----------
    parts : dict of array
        X, x and gates, of which the gates are written into.
    before : dict of array
        The same before they changed.
    """
    p = parts["gates"].shape[1]
    old, new = (there["X"] @ there["x"].reshape(p, -1).T for there in (before, parts))
    live = parts["x"].reshape(p, -1).any(axis=1)
    for sign in (1.0, -1.0):
        own = live & ((sign * old >= 0.0) == before["gates"]).all(axis=0)
        parts["gates"][:, own] = sign * new[:, own] >= 0.0


def _scaled(options: Mapping[str, object], names: tuple[str, ...], rng: Rng) -> dict[str, object]:
    found = dict(options)
    for name in names:
        value = found.get(name)
        if isinstance(value, float) and math.isfinite(value) and rng.random() < 0.25:
            found[name] = value * math.exp(step(rng) * rng.standard_normal())
    return found
