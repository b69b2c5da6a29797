"""Guarantees about NEq's similarities, filters and frozen neurons, by quadrature and by training small networks."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.exact.bounded import Bounded
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import DESIGNS, linear_instance
from recovery.guarantees.pruning.shared import at_most, equal, false, settings, stated
from recovery.pruning.closed_forms import equilibrium as neq
from recovery.pruning.equilibrium import cosines, next_velocity

__all__ = ["EQUILIBRIUM", "controls"]

PAPER = "NEq (arXiv:2207.09455)"
EPOCHS = 24
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


# ---- angles and similarities -----------------------------------------------------------------------------------------


def _turned(instance: Instance) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the directions before and after an epoch, from x0 to x0 + x, or None if one is 0."""
    before, after = instance.x0, instance.x0 + instance.x
    sizes = float(np.linalg.norm(before)), float(np.linalg.norm(after))
    return None if min(sizes) == 0.0 else (before / sizes[0], after / sizes[1])


def _angle(instance: Instance) -> Bounded | None:
    """Return the angle between the two, from chords: accurate also for small angles."""
    pair = _turned(instance)
    if pair is None:
        return None
    near, far = float(np.linalg.norm(pair[1] - pair[0])), float(np.linalg.norm(pair[1] + pair[0]))
    return Bounded(2.0 * math.atan2(near, far), 4.0 * (instance.shape[1] + 8) * EPS)


def _gap(angle: float) -> float:
    """Return 1 - phi = E(relu(u.z) - relu(v.z))^2 for |u| = |v| = 1, Gaussian z, by quadrature over directions.

    Three arcs: where only the first unit is active, where both are, and where only the second is.
    """
    arcs = (
        (-math.pi / 2, angle - math.pi / 2, np.cos),
        (angle - math.pi / 2, math.pi / 2, lambda a: 2.0 * math.sin(angle / 2) * np.sin(a - angle / 2)),
        (math.pi / 2, angle + math.pi / 2, lambda a: np.cos(a - angle)),
    )
    total = 0.0
    for low, high, difference in arcs:
        half = (high - low) / 2
        total += half * float(_WEIGHTS @ difference(low + half * (_NODES + 1.0)) ** 2)
    return total / math.pi


def _observed_gap(pair: tuple[np.ndarray, np.ndarray]) -> Bounded:
    """Return 1 - phi of two directions, with the angle from coordinates in their plane."""
    first, second = pair
    along = float(first @ second)
    across = float(np.linalg.norm(second - along * first))
    angle = math.atan2(across, along)
    error = 4.0 * (len(first) + 8) * EPS
    # the derivative of 1 - kappa_1 is at most min(t, 1)
    return Bounded(_gap(angle), error * (min(angle, 1.0) + error) + 64 * EPS * _gap(angle))


def _turns_further(instance: Instance) -> Verdict:
    found = settings(instance, eps=(0.0, 1.0))
    if isinstance(found, Verdict):
        return Verdict.unknown(found.reason)
    angle = _angle(instance)
    if angle is None:
        return Verdict.unknown("weights that are all 0 have no direction")
    limit = neq.angle_of_dissimilarity(found["eps"])
    return exceeds(angle, Bounded(limit, 16 * EPS * limit), "the angle exceeds that for 1 - phi = eps")


def _looks_changed(instance: Instance) -> Verdict:
    pair = _turned(instance)
    if pair is None:
        return Verdict.unknown("weights that are all 0 have no direction")
    return exceeds(_observed_gap(pair), Bounded(float(instance.options["eps"]), 0.0), "1 - phi exceeds eps")


def _turning(rng: np.random.Generator) -> Instance:
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 6), n_range=(1, 6), tall=False, start=True)
    eps, mu = float(10.0 ** rng.uniform(-6.0, -0.3)), float(rng.choice([0.5, rng.uniform(0.05, 0.9)]))
    return instance.with_options(eps=eps, mu=mu, epoch=int(rng.integers(5)))


def _still_trained(instance: Instance, *, rule: str = "paper") -> Verdict:
    """Return whether delta mu^T > eps."""
    found = settings(instance, eps=(1e-300, math.inf), mu=(0.0, 1.0), epoch=(0, EPOCHS))
    if isinstance(found, Verdict):
        return Verdict.unknown(found.reason)
    angle = _angle(instance)
    if angle is None:
        return Verdict.unknown("weights that are all 0 have no direction")
    t = min(float(angle.value), math.pi)
    factor = found["mu"] ** int(found["epoch"])
    delta = float(neq.dissimilarity(t))
    # differences of similarities are only accurate to the rounding of 1
    error = float(angle.error) * (min(t, 1.0) + float(angle.error)) + 32 * EPS
    return exceeds(Bounded(delta * factor, error), Bounded(found["eps"], 0.0), "delta mu^T exceeds eps")


def _no_freeze(instance: Instance, *, rule: str = "paper") -> Verdict:
    """Rotate a unit by the same angle in every epoch, and check the velocities of the epochs 0 to T."""
    pair = _turned(instance)
    if pair is None:
        return Verdict.unknown("weights that are all 0 have no direction")
    first, second = pair
    along = float(first @ second)
    angle = math.atan2(float(np.linalg.norm(second - along * first)), along)
    mu, eps, last = (instance.options[name] for name in ("mu", "eps", "epoch"))
    # coordinates in the plane of the two, which is defined also if they are opposite
    places = [np.array([math.cos(t * angle), math.sin(t * angle)]) for t in range(int(last) + 2)]
    before, change, v, found = 1.0, 0.0, 0.0, []
    for old, new in pairwise(places):
        phi = 1.0 - float(_observed_gap((old, new)).value)
        v = next_velocity(phi - before, change, v, mu, rule)
        before, change = phi, phi - before
        found.append(abs(v))
    error = 8.0 * (len(first) + 32) * EPS / (1.0 - mu)
    reason = f"the smallest |v| of all epochs, {len(found)} in number, exceeds eps"
    return exceeds(Bounded(min(found), error), Bounded(float(eps), 0.0), reason)


# ---- filters on the outputs of a unit that is trained ----------------------------------------------------------------


def _path(instance: Instance) -> np.ndarray:
    """Return phi of a ReLU unit trained from x0 by gradient steps of given length."""
    A, y, w = instance.matrix, instance.y, np.array(instance.x0)
    rate, outputs = float(instance.options["rate"]), []
    for _ in range(13):
        outputs.append(np.maximum(A @ w, 0.0)[:, None])
        w = w - _step(w, A.T @ ((outputs[-1][:, 0] - y) * (outputs[-1][:, 0] > 0.0)), rate)
    return np.concatenate([cosines(old, new) for old, new in pairwise(outputs)])


def _step(weights: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
    """Return a step along the gradient, `rate` times as long as the weights."""
    length = float(np.linalg.norm(gradient))
    return rate * float(np.linalg.norm(weights)) / length * gradient if length > 0.0 else np.zeros_like(gradient)


def _filter_settings(instance: Instance) -> Verdict:
    found = settings(instance, mu=(0.0, 1.0), rate=(0.0, math.inf))
    return found if isinstance(found, Verdict) else Verdict.of(True, "0 <= mu < 1")


def _filters(instance: Instance, *, agree_for: int | None = None) -> Verdict:
    mu, phi = float(instance.options["mu"]), _path(instance)
    error = 64 * len(phi) * EPS / (1.0 - mu)
    found, runs = [], {}
    for rule in neq.FILTERS:
        change = np.diff(phi, prepend=1.0)
        v = [float(change[0])]
        for t in range(1, len(phi)):
            v.append(next_velocity(float(change[t]), float(change[t - 1]), v[-1], mu, rule))
        runs[rule] = np.array(v)
        found.append(
            equal(
                neq.expanded_velocities(phi, mu, rule),
                v,
                error,
                f"the velocities of the {rule} rule and the expanded sums",
            )
        )
        bound = neq.velocity_bound(mu, rule, lowest=0.0)
        found.append(
            at_most(max(float(np.abs(v).max()) - bound, 0.0), error, f"|v| of the {rule} rule stays below its bound")
        )
    apart = runs["paper"] - runs["released"]
    first = 1 if agree_for is None else agree_for
    found.append(equal(apart[:first], 0.0, error, f"the two filters over the first {first} epochs"))
    if agree_for is None:
        wanted = (1.0 - 2.0 * mu) * (phi[0] - 1.0)
        found.append(
            equal(apart[1], wanted, error, "the difference of the filters after the second epoch and (1 - 2 mu) dphi^0")
        )
    return all_of(found)


def _trained(rng: np.random.Generator) -> Instance:
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 5), n_range=(3, 9), tall=False, start=True)
    rate = float(10.0 ** rng.uniform(-2.0, 0.0))
    eps = float(rate**2 * 10.0 ** rng.uniform(-2.0, 0.5))
    mu = float(rng.choice([0.0, 0.5, rng.uniform(0.0, 0.95)]))
    return instance.with_options(rate=rate, eps=eps, mu=mu, layer=1, init_seed=int(rng.integers(2**31)))


# ---- frozen neurons of small networks --------------------------------------------------------------------------------


def _absorption_settings(instance: Instance, *, layers: tuple[int, ...] = (1,)) -> Verdict:
    found = settings(instance, mu=(0.0, 1.0), eps=(1e-300, math.inf), rate=(0.0, math.inf))
    if isinstance(found, Verdict):
        return found
    layer = instance.options["layer"]
    reason = f"the neurons are in layer {layer}; only the inputs of layer 1 are fixed"
    return Verdict.of(layer in layers, reason)


def _stays_frozen(instance: Instance, *, rule: str, after: int) -> Verdict:
    """Train a network with NEq on one of its layers, and check for thaws after `after` frozen epochs.

    The margin says how close a neuron frozen for that long comes to a thaw: eps / |v| - 1.
    """
    eps, layer = float(instance.options["eps"]), int(instance.options["layer"])
    run = _Run(instance, layer, rule)
    streak = np.zeros(run.width, dtype=int)
    closest, last = math.inf, run.outputs()
    for t in range(EPOCHS):
        run.train(t, streak > 0)
        outputs = run.outputs()
        speed = np.abs(run.velocity(cosines(last, outputs)))
        last = outputs
        frozen = speed < eps
        long = streak >= after
        if not np.all(np.isfinite(speed)):
            return Verdict.unknown("the training left the range of float64")
        if long.any():
            closest = min(closest, eps / max(float(speed[long].max()), 1e-300) - 1.0)
        if closest <= 0.0:
            reason = (
                f"a neuron thaws in epoch {t}, after {int(streak[long & ~frozen].max(initial=after))} frozen epochs"
            )
            return Verdict("fails", min(closest, -1e-300), reason) if closest < -1e-9 else Verdict.unknown(reason, 0.0)
        streak = np.where(frozen, streak + 1, 0)
    reason = f"no neuron thaws after {after} frozen epochs; the largest |v| is eps / {closest + 1.0:.3g}"
    return Verdict("holds", closest, reason)


class _Run:
    """Three units in each of `layer` hidden layers and one output, trained by gradient steps."""

    width = 3

    def __init__(self, instance: Instance, layer: int, rule: str) -> None:
        self.X, self.y = instance.matrix, instance.y
        self.rate, self.mu = float(instance.options["rate"]), float(instance.options["mu"])
        self.rule, self.watched = rule, layer - 1
        rng = np.random.default_rng(int(instance.options["init_seed"]))
        size = float(np.sqrt(np.mean(instance.x0**2)))
        first = size * rng.standard_normal((self.width, instance.shape[1]))
        first[0] = instance.x0
        hidden = [np.abs(rng.standard_normal((self.width, self.width))) for _ in range(layer - 1)]
        self.weights = [first, *hidden, rng.standard_normal((1, self.width))]
        self.before, self.change, self.v = np.ones(self.width), np.zeros(self.width), np.zeros(self.width)

    def outputs(self) -> Any:
        """Return the outputs of the watched layer."""
        H = self.X
        for W in self.weights[: self.watched + 1]:
            H = np.maximum(H @ W.T, 0.0)
        return H

    def velocity(self, phi: Any) -> Any:
        """Train for one more epoch and return the velocities."""
        change = phi - self.before
        self.v = next_velocity(change, self.change, self.v, self.mu, self.rule)
        self.before, self.change = phi, change
        return self.v

    def train(self, epoch: int, frozen: Any) -> None:
        """Take one step; frozen neurons of the watched layer keep their weights. Steps are short for a while."""
        layers, rate = [self.X], self.rate * (0.05 if EPOCHS <= 3 * epoch < 2 * EPOCHS else 1.0)
        for W in self.weights[:-1]:
            layers.append(np.maximum(layers[-1] @ W.T, 0.0))
        delta = layers[-1] @ self.weights[-1].T - self.y[:, None]
        moved = []
        for place in range(len(self.weights) - 1, -1, -1):
            W = self.weights[place]
            gradient = delta.T @ layers[place]
            step = _step(W, gradient, rate)
            if place == self.watched:
                step = np.where(frozen[:, None], 0.0, step)
            moved.append(W - step)
            if place:
                delta = (delta @ W) * (layers[place] > 0.0)
        self.weights = moved[::-1]


def _deep(rng: np.random.Generator) -> Instance:
    return _trained(rng).with_options(layer=2)


SETTINGS = ("mu", "eps", "rate", "layer", "init_seed")

EQUILIBRIUM: tuple[Guarantee, ...] = (
    stated(
        "neq-arc-cosine",
        "For Gaussian inputs and a ReLU unit without bias, with weights x0 before an epoch and x0 + x after it, 1 - "
        "phi > eps if and only if the weights turned by more than the angle t with 1 - (sin t + (pi - t) cos t) / pi "
        "= eps.",
        _turns_further,
        _looks_changed,
        _turning,
        kind="equivalence",
        steer="signal",
        section="Similarity of a neuron to itself",
        paper=PAPER,
        needs=("x", "noise", "x0", "eps"),
    ),
    stated(
        "neq-filters",
        "If 0 <= mu < 1 and phi = 1 before training, then the velocities are the expanded sums of similarities; for "
        "ReLU units |v| <= 1 / (1 - mu) (paper) and |v| <= 2 - mu (released code); and the two differ by (1 - 2 mu) "
        "dphi^0 after the second epoch.",
        _filter_settings,
        _filters,
        _trained,
        section="Two velocity filters",
        paper=PAPER,
        needs=("x", "noise", "x0", "mu", "rate"),
    ),
    stated(
        "neq-absorption",
        "In the first layer, with fixed inputs, 0 <= mu < 1 and any training of the other neurons, under the paper's "
        "rule a neuron that was frozen for 2 epochs in a row is never trained again.",
        _absorption_settings,
        partial(_stays_frozen, rule="paper", after=neq.ABSORBED_AFTER["paper"]),
        _trained,
        section="When a frozen neuron stays frozen",
        paper=PAPER,
        needs=("x", "noise", "x0", *SETTINGS),
    ),
    stated(
        "neq-absorption-released",
        "In the first layer, with fixed inputs, 0 <= mu < 1 and any training of the other neurons, under the rule of "
        "the released code a neuron that was frozen for 3 epochs in a row is never trained again.",
        _absorption_settings,
        partial(_stays_frozen, rule="released", after=neq.ABSORBED_AFTER["released"]),
        _trained,
        section="When a frozen neuron stays frozen",
        paper=PAPER,
        needs=("x", "noise", "x0", *SETTINGS),
    ),
    stated(
        "neq-false-freeze",
        "For Gaussian inputs and a ReLU unit without bias that turns by the angle between x0 and x0 + x in every "
        "epoch, with delta = 1 - kappa_1(angle), the paper's rule trains the unit in all epochs up to T + 1 if and "
        "only if delta mu^T > eps. After that it is frozen, although it would turn as before.",
        _still_trained,
        _no_freeze,
        _turning,
        kind="equivalence",
        steer="signal",
        section="False freezing of a unit that still learns",
        paper=PAPER,
        needs=("x", "noise", "x0", "mu", "eps", "epoch"),
    ),
)
"""Exact statements about NEq."""


def controls() -> list[tuple[Guarantee, int]]:
    """Return false statements about NEq, and the evaluations within which the attack must refute each."""
    needs = ("x", "noise", "x0", *SETTINGS)
    return [
        (
            false(
                "neq-absorption-deep",
                "A neuron of the second layer that was frozen for 2 epochs in a row is never trained again.",
                "its inputs change while it is frozen, and so does phi",
                partial(_absorption_settings, layers=(2,)),
                partial(_stays_frozen, rule="paper", after=2),
                _deep,
                needs=needs,
            ),
            3_000,
        ),
        (
            false(
                "neq-absorption-released-two",
                "Under the rule of the released code a neuron of the first layer that was frozen for 2 epochs is never "
                "trained again.",
                "the filter still contains the jump of phi to 1",
                _absorption_settings,
                partial(_stays_frozen, rule="released", after=2),
                _trained,
                needs=needs,
            ),
            3_000,
        ),
        (
            false(
                "neq-absorption-one",
                "Under the paper's rule a neuron of the first layer that was frozen for 1 epoch is never trained "
                "again.",
                "phi jumps to 1 when it is frozen, and the velocity with it",
                _absorption_settings,
                partial(_stays_frozen, rule="paper", after=1),
                _trained,
                needs=needs,
            ),
            3_000,
        ),
        (
            false(
                "neq-filters-agree",
                "The two velocity filters agree for the first two epochs, for every mu.",
                "they agree for mu = 1/2 only",
                _filter_settings,
                partial(_filters, agree_for=2),
                _trained,
                needs=("x", "noise", "x0", "mu", "rate"),
            ),
            2_000,
        ),
    ]
