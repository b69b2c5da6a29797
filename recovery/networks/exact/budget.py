"""Turn a kink form into the best network of at most m neurons and s weights that the tests can find.

The criterion is |r|^2 / sd^2 + price * weights, with sd^2 the variance of the residual. Weights are added and dropped
by t tests in which all other weights are refitted; neurons are merged, turned, flipped and added by trial: each trial
is polished and tested before it is judged. If the network exceeds m or s at the end, the least significant weights are
removed first.

The price of a weight follows from a Bayesian model in which k of the N possible weights (as many as are present) are
normal with their mean square, T in units of the weight's own variance, and the others are 0: 2 log(N / k - 1) + log(1 +
T). A weight with t^2 = price is then as likely to be 0 as not, up to terms of order t^2 / T (derived here). Where a
single price is used for all weights, it is the median.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.annealed import annealed
from recovery.networks.exact.births import Quadratic, proposals
from recovery.networks.exact.exchange import Exchange, scored
from recovery.networks.exact.model import Inputs, Lines
from recovery.networks.exact.network import At, Network, at, between, covariance, on_half_axes, polish

__all__ = ["Budget"]

LEAST_PRICE = 4.0
"""Lower bound on the price of a weight: two standard deviations."""
ADD, SHARE, MOST_AXES = 1.05, 0.4, 10
"""Weights are added if their t exceeds this multiple of the threshold for keeping one, and this fraction of the largest
t; at most this many of them as new neurons on axes."""
SCREEN, CANDIDATES = 0.5, 250
CLOSE = 0.4
"""Angle up to which merging neurons is tried (radians)."""
CLUSTERS = (0.05, 0.15)
TRIALS = 12
ROUNDS, CUTS = 25, 3
TURNS, BIRTHS = 6, 4
"""Largest number of rounds of turns, and of births."""
BEST, NEAR_MISS = 4, 3
"""Number of turns, and of splits, that are fully tried per round. A split that after polishing still costs more than
the price of this many weights is abandoned."""
SHARED, LONGER = 3, (1.5, 3.0)
"""Number of a neuron's largest weights that two neurons may share, and the factor by which the axis neuron is longer
when the signs differ."""


@dataclass(eq=False)
class Budget:
    """The search for a network near a kink form.

    Parameters
    ----------
    inputs : Inputs
        The data.
    y : array, shape (n,)
        Targets, in the dtype of the inputs.
    quadratic : Quadratic
        The projection over the inputs, for births.
    one_sign : bool
        Whether all neurons should have v = +1.
    rng : numpy.random.Generator
        Used by the annealing.
    report : callable
        Called with a network and its residual's root mean square after each round; returning True ends the search.
    late : callable
        Whether the time limit is reached; called before each trial.
    floor : float
        Lower bound for the deviation: the rounding error of the labels.
    enough : float
        Root mean square of a residual at rounding error, below which the search stops.
    rounds : int
        Largest number of rounds.
    thorough : bool
        Whether to make the costly trials too: turning, flipping and adding neurons.
    """

    inputs: Inputs
    y: Any
    quadratic: Quadratic
    one_sign: bool
    rng: np.random.Generator
    report: Callable[[Network, float], bool]
    late: Callable[[], bool]
    floor: float = 0.0
    enough: float = 0.0
    rounds: int = ROUNDS
    thorough: bool = True
    variance: float = field(init=False, default=1.0)
    price: float = field(init=False, default=LEAST_PRICE)
    _spent: int = field(init=False, default=0)
    _odds: float = field(init=False, default=0.0)
    _strength: float = field(init=False, default=0.0)
    most: tuple[int, int] = field(init=False, default=(sys.maxsize, sys.maxsize))

    def cost(self, now: At) -> float:
        """Return |r|^2 + price sd^2 weights."""
        return now.square + self.price * self.variance * now.network.n_weights

    def _measure(self, now: At) -> None:
        free = max(self.inputs.n_samples - now.network.n_weights, 1)
        self.variance = max(now.square / free, self.floor**2, 1e-300)
        network = now.network
        count = max(network.n_weights, 1)
        odds = max(max(network.n_neurons, 1) * self.inputs.n_inputs / count - 1, 1.0)
        self._odds = 2 * math.log(odds)
        self._strength = float((network.weights**2).sum()) / count
        if network.n_weights:
            inverse = np.diag(covariance(self.inputs, network, now.r).inverse)
            self.price = float(np.median(self._prices(1.0 / np.maximum(inverse, 1e-300))))
        else:
            self.price = max(self._odds, LEAST_PRICE)

    def _prices(self, information: np.ndarray) -> np.ndarray:
        """Return the prices of weights whose variance is that of the noise divided by `information`."""
        return np.maximum(self._odds + np.log1p(self._strength * information / self.variance), LEAST_PRICE)

    def polish(self, start: Network | At, steps: int, damping: float = 1e-4, stop: float = 1e-5) -> At:
        """Make damped steps."""
        return polish(self.inputs, self.y, start, steps, damping, stop)

    def started(self, model: Lines, tau: np.ndarray) -> At:
        """Return the polished network with annealed orientations."""
        return self.polish(annealed(model, tau, self.one_sign, self.rng).tidy(), 10)

    def improved(self, now: At) -> tuple[At, bool]:
        """Add, drop, merge, flip, turn and split until nothing lowers the criterion; return whether this converged."""
        turns = births = 0
        self._measure(now)
        while self._spent < min(self.rounds, ROUNDS):
            self._spent += 1
            before = now
            now, _ = self._settled(now)
            now, _ = self._merges(now)
            changed = self._better(now, before)  # adding and dropping the same weights is not progress
            if not changed and self.thorough:
                now, changed = self._splits(now)
            if not changed:
                now, changed = self._oriented_again(now)
            if self.thorough:
                if not changed:
                    now, changed = self._flips(now)
                if not changed and turns < TURNS:
                    turns += 1
                    now, changed = self._turns(now)
                if not changed and births < BIRTHS:
                    births += 1
                    now, changed = self._births(now)
            self._measure(now)
            deviation = float(np.sqrt(now.square / self.inputs.n_samples))
            if self.report(now.network, deviation):
                return now, False
            if not changed or deviation <= self.enough:
                return now, not self.late()
        return now, False

    def kept(self, now: At, m: int, s: int) -> tuple[At, bool]:
        """Return one of at most m neurons and s weights, improved within these limits, and whether this converged."""
        rested = True
        for _ in range(CUTS):
            if (now.network.n_neurons <= m and now.network.n_weights <= s) or self.late():
                break
            now, self.most = self.cut(now, m, s), (m, s)
            now, rested = self.improved(now)
        return self.cut(now, m, s), rested

    def cut(self, now: At, m: int, s: int) -> At:
        """Cut to at most m neurons and s weights: the least significant are removed and the others refitted."""
        while now.network.n_weights > s or now.network.n_neurons > m:
            over = now.network.n_weights - s
            if over > 0:
                now = self._dropped(now, force=max(1, over // 3))
            else:
                now = self._weakest_gone(now, max(1, (now.network.n_neurons - m) // 3))
        return self.polish(now, 4, 1e-7, 1e-9)

    # single weights

    def _settled(self, now: At, rounds: int = 6) -> tuple[At, bool]:
        """Add and drop weights until neither test is significant."""
        changed, add, best = False, ADD, self.cost(now)
        for _ in range(rounds):
            more = self._additions(now, add)
            count = now.network.n_weights
            if more is not None:
                now = self.polish(more, 6)
            self._measure(now)
            trial = self._dropped(now)
            dropped = trial is not now
            now = trial
            if more is None and not dropped:
                break
            changed = changed or dropped or now.network.n_weights != count
            cost = self.cost(now)
            if more is not None and cost > best - self.variance:  # the added weights are dropped again
                add *= 1.08
            best = min(best, cost)
        return now, changed

    def _additions(self, now: At, factor: float) -> Network | None:
        """Return the network with significant missing weights added, one per neuron, or None.

        Their t exceeds `factor` times the square root of their price.
        """
        inputs, network, xp = self.inputs, now.network, self.inputs.xp
        n, d = inputs.n_samples, inputs.n_inputs
        deviation = np.sqrt(now.square / n)
        neuron, coordinate, half = self._screened(now, SCREEN * math.sqrt(self.price))
        if not len(neuron) + len(half):
            return None
        neuron_on, coordinate_on = xp.asarray(neuron), xp.asarray(coordinate)
        axis_on, side = xp.asarray(half // 2), inputs.put(np.where(half % 2, -1.0, 1.0))[:, None]

        def candidates(block: Any, gates: Any) -> Any:
            on_axes = xp.maximum(block[axis_on] * side, 0)
            return xp.concatenate([gates[neuron_on] * block[coordinate_on], on_axes])

        cross, own, along = between(inputs, network, now.r, candidates)
        left = own
        if network.n_weights:
            around = covariance(inputs, network, now.r)
            left = own - (cross * scipy.linalg.cho_solve(around.factor, cross, check_finite=False)).sum(axis=0)
        told = left > 1e-3 * own
        left = np.where(told, left, 1.0)
        t = np.where(told, along / (max(deviation, 1e-300) * np.sqrt(left)), 0.0)
        if self.one_sign:
            t[len(neuron) :] = np.maximum(t[len(neuron) :], 0.0)
        size = np.abs(t)
        size[size < factor * np.sqrt(self._prices(np.where(told, left, 0.0)))] = 0.0
        level = max(SHARE * float(size.max(initial=0.0)), 1e-300)
        count, seen, axes = np.zeros(network.n_neurons, dtype=int), np.zeros(d, dtype=bool), 0
        entries: list[int] = []
        amounts = np.zeros(2 * d)
        most = min(MOST_AXES, self.most[0] - network.n_neurons)
        for k in np.argsort(-size, kind="stable"):
            if size[k] < level or len(entries) + axes >= self.most[1] - network.n_weights:
                break
            if k < len(neuron):
                if not count[neuron[k]]:
                    count[neuron[k]] = 1
                    entries.append(int(k))
            elif axes < most and not seen[half[k - len(neuron)] // 2]:
                where = half[k - len(neuron)]
                seen[where // 2], axes = True, axes + 1
                amounts[where] = along[k] / left[k]
        if not entries and not axes:
            return None
        return network.with_entries(neuron[entries], coordinate[entries]).joined(on_half_axes(amounts))

    def _screened(self, now: At, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the missing weights, and the half axes, whose columns are most correlated with the residual."""
        inputs, network, xp = self.inputs, now.network, self.inputs.xp
        d = inputs.n_inputs
        pulled = xp.zeros((network.n_neurons, d), dtype=np.float64)
        axes = xp.zeros((2, d), dtype=np.float64)
        weights = inputs.put(network.weights)
        for rows in inputs.blocks(network.n_neurons + 2 * d):
            block = inputs.XT[:, rows]
            product = block * now.r[rows]
            pulled += ((weights @ block > 0).astype(inputs.dtype) @ product.T).astype(np.float64)
            above = xp.maximum(block, 0) @ now.r[rows]
            axes += xp.stack([above, above - product.sum(axis=1)]).astype(np.float64)
        scale = math.sqrt(0.5 * now.square + 1e-300)
        t = np.abs(arrays.to_numpy(pulled)) / scale
        t[network.support] = 0.0
        neuron, coordinate = np.nonzero(t > least)
        best = np.argsort(-t[neuron, coordinate], kind="stable")[:CANDIDATES]
        on_axes = np.abs(arrays.to_numpy(axes)).T.ravel() / scale
        single = np.flatnonzero(network.sizes == 1)
        axis = network.support[single].argmax(axis=1)
        on_axes[2 * axis + (network.weights[single, axis] < 0)] = 0.0
        return neuron[best], coordinate[best], np.flatnonzero(on_axes > least)

    def _dropped(self, now: At, force: int = 0) -> At:
        """Return the network without each neuron's weakest weight if that is zero to within the accuracy of the data.

        Dropping the weights D raises |r|^2 by w_D' (inv_DD)^-1 w_D if the others are refitted. `force` drops that many
        weights, whatever the cost.
        """
        network = now.network
        if not network.n_weights:
            return now
        inverse = covariance(self.inputs, network, now.r).inverse
        place = network.places()
        values = network.weights[place]
        information = 1.0 / np.maximum(np.diag(inverse), 1e-300)
        t2, price = values**2 * information / self.variance, self._prices(information)
        order = np.argsort(t2, kind="stable")
        if force:
            chosen = order[:force]
        else:
            _, first = np.unique(place[0][order], return_index=True)
            weakest = np.zeros(len(t2), dtype=bool)
            weakest[order[first]] = True
            chosen = order[(weakest & (t2 < price))[order]]
        while len(chosen):
            block = inverse[np.ix_(chosen, chosen)]
            follow = np.linalg.lstsq(block, values[chosen], rcond=1e-12)[0]
            if force or float(values[chosen] @ follow) <= self.variance * float(price[chosen].sum()):
                step = -inverse[:, chosen] @ follow
                left = network.moved(step).without(place[0][chosen], place[1][chosen]).tidy()
                return self.polish(left, 4, 1e-5)
            chosen = chosen[: int(0.7 * len(chosen))]
        return now

    def _weakest_gone(self, now: At, count: int) -> At:
        """Return the network without the neurons whose removal, one at a time, raises |r|^2 least."""
        network = now.network
        inverse = covariance(self.inputs, network, now.r).inverse
        place = network.places()
        values, rise = network.weights[place], np.full(network.n_neurons, np.inf)
        for j in range(network.n_neurons):
            mine = np.flatnonzero(place[0] == j)
            rise[j] = values[mine] @ np.linalg.lstsq(inverse[np.ix_(mine, mine)], values[mine], rcond=1e-12)[0]
        weakest = np.argsort(rise, kind="stable")[:count]
        gone = np.flatnonzero(np.isin(place[0], weakest))
        follow = np.linalg.lstsq(inverse[np.ix_(gone, gone)], values[gone], rcond=1e-12)[0]
        left = network.moved(-inverse[:, gone] @ follow).without(place[0][gone], place[1][gone])
        return self.polish(left.tidy(), 5)

    # whole neurons

    def _better(self, trial: At, now: At, margin: float = 1.0) -> bool:
        """Return whether a trial has a lower criterion and respects the current limits."""
        if trial.network.n_neurons > self.most[0] or trial.network.n_weights > self.most[1]:
            return False
        return self.cost(trial) < self.cost(now) - margin * self.variance

    def _merges(self, now: At) -> tuple[At, bool]:
        """Try to merge close neurons, pairs and clusters, of any signs."""
        tried: set[bytes] = set()
        first = now
        while (merged := self._first_merge(now, tried)) is not None:
            now = merged
        return now, now is not first

    def _first_merge(self, now: At, tried: set[bytes]) -> At | None:
        """Return the network with the first group that may be merged, or None."""
        exchanges = []
        for group in _groups(now.network):
            one = _merged(now.network, group)
            key = one.added.weights.tobytes()
            if key not in tried:
                tried.add(key)
                exchanges.append(one)
        for predicted, one, network in self._ranked(now, exchanges)[:TRIALS]:
            limit = now.square + self.price * self.variance * max(-one.weights(now.network), 1)
            if predicted > 4 * limit or self.late():
                break
            trial = self._best_start(one.made(now.network), network, 5)
            if trial.square <= limit:
                return At(trial.network.tidy(), trial.r, trial.square)
        return None

    def _ranked(self, now: At, exchanges: list[Exchange]) -> list[tuple[float, Exchange, Network]]:
        """Return the predicted |r|^2, the exchange, and the network after a step, lowest criterion first."""
        if not exchanges:
            return []
        found = [
            (square, one, network)
            for one, (square, network) in zip(exchanges, scored(self.inputs, now, exchanges), strict=True)
        ]
        unit = self.price * self.variance
        return sorted(found, key=lambda item: item[0] + unit * item[1].weights(now.network))

    def _best_start(self, first: Network, second: Network, steps: int) -> At:
        """Polish from the better of two starts."""
        one, other = at(self.inputs, self.y, first), at(self.inputs, self.y, second)
        return self.polish(other if other.square < one.square else one, steps, 1e-3)

    def _turns(self, now: At) -> tuple[At, bool]:
        """Turn one neuron around; the other neurons absorb the change of the linear part."""
        many = np.flatnonzero(now.network.sizes > 1)
        exchanges = [Exchange((int(j),), _turned(now.network.select(many[k : k + 1]))) for k, j in enumerate(many)]
        for predicted, one, network in self._ranked(now, exchanges)[:BEST]:
            if predicted > 1.1 * now.square + 2000 * self.variance or self.late():
                break
            trial, _ = self._settled(self._best_start(one.made(now.network), network, 6), 4)
            trial, _ = self._merges(trial)
            if self._better(trial, now, 2.0):
                return trial, True
        return now, False

    def _splits(self, now: At) -> tuple[At, bool]:
        """Try to split a neuron into two that share an input."""
        exchanges = [
            Exchange((j,), pair)
            for j in np.flatnonzero(now.network.sizes > 1).tolist()
            for pair in _pairs(now.network.select(np.array([j])))
        ]
        for predicted, one, network in self._ranked(now, exchanges)[:BEST]:
            gain = self.price * one.weights(now.network)
            if predicted > now.square + (gain + 0.25 * abs(gain)) * self.variance or self.late():
                break
            trial = self._best_start(one.made(now.network), network, 6)
            if self.cost(trial) > self.cost(now) + NEAR_MISS * self.price * self.variance:
                continue
            trial, _ = self._settled(trial, 4)
            if self._better(trial, now):
                return trial, True
        return now, False

    def _births(self, now: At) -> tuple[At, bool]:
        """Try new neurons proposed by the residual's moments."""
        units, side = proposals(self.quadratic, now.r)
        if self.one_sign:
            units, side = units[side > 0], side[side > 0]
        exchanges = []
        for unit, sign in zip(units, side, strict=True):
            for way in (1.0, -1.0):
                weights = (0.1 * np.sqrt(self.variance) * way * unit)[None]
                exchanges.append(Exchange((), Network.of(weights, np.array([sign]))))
        changed, used = False, set()
        for predicted, one, network in self._ranked(now, exchanges)[:TRIALS]:
            if now.square - predicted < 18 * self.variance or self.late():
                break
            key = one.added.support.tobytes()
            if key in used:
                continue
            used.add(key)
            trial, _ = self._settled(self._best_start(one.made(now.network), network, 3), 3)
            if self._better(trial, now, 4.0):
                return trial, True
        return now, changed

    def _flips(self, now: At) -> tuple[At, bool]:
        """Turn one neuron around and put its linear part on the axes, if that needs no more weights."""
        tried: set[bytes] = set()
        first = now
        while (flipped := self._flip(now, tried)) is not None:
            now = flipped
        return now, now is not first

    def _flip(self, now: At, tried: set[bytes]) -> At | None:
        for key, network in self._flipped(now.network):
            if key in tried:
                continue
            if self.late():
                break
            tried.add(key)
            trial = self.polish(network, 6)
            if trial.square > 1.05 * now.square + 500 * self.variance:
                continue
            trial = self._dropped(trial)
            if self._better(trial, now):
                return trial
        return None

    def _flipped(self, network: Network) -> Iterator[tuple[bytes, Network]]:
        """Yield networks in which one neuron is turned around, fewest weights first."""
        d = self.inputs.n_inputs
        single = network.sizes == 1
        amounts = np.zeros(2 * d)
        axis = network.support[single].argmax(axis=1)
        value = network.weights[single, axis]
        np.add.at(amounts, 2 * axis + (value < 0), network.signs[single] * np.abs(value))
        many = network.select(~single)
        small = np.sqrt(60 * self.variance / self.inputs.n_samples)
        found = []
        for j in range(many.n_neurons):
            weights = many.weights[j]
            kept = np.abs(weights) > min(4 * small, 0.3 * float(np.abs(weights).max()))
            # relu(z) = relu(-z) + z, and z = relu(z) - relu(-z) input by input
            moved = amounts.copy()
            moved[0::2] += many.signs[j] * np.where(kept, weights, 0.0)
            moved[1::2] -= many.signs[j] * np.where(kept, weights, 0.0)
            if self.one_sign and (moved < -small).any():
                continue
            moved = np.where(np.abs(moved) > small, moved, 0.0)
            more = np.count_nonzero(moved) - np.count_nonzero(amounts) - int(many.support[j].sum()) + int(kept.sum())
            if more <= 0:
                found.append((more, j, kept, moved))
        for _, j, kept, moved in sorted(found, key=lambda item: item[:2]):
            weights, support = many.weights.copy(), many.support.copy()
            weights[j] = np.where(kept, -weights[j], 0.0)
            support[j] = kept & support[j]
            yield many.weights[j].tobytes(), Network(weights, many.signs, support).joined(on_half_axes(moved))

    def _oriented_again(self, now: At) -> tuple[At, bool]:
        """Anneal the orientations once more, starting from the network's own weights."""
        many = now.network.sizes > 1
        lines = now.network.select(many)
        axes = (now.network.signs[~many, None] * np.abs(now.network.weights[~many])).sum(axis=0) / 2
        linear = now.network.signs @ now.network.weights / 2
        model = Lines(linear, axes, lines.weights / 2, lines.signs, lines.support)
        before = np.sort(np.abs(now.network.weights).sum(axis=1))
        for factor in (8.0, 50.0, 300.0):
            each = factor * self.variance / self.inputs.n_samples
            tau = each * (2.0 + model.support.sum(axis=0))
            network = annealed(model, tau, self.one_sign, self.rng).tidy()
            same = network.n_neurons == now.network.n_neurons and np.allclose(
                np.sort(np.abs(network.weights).sum(axis=1)), before, rtol=1e-9
            )
            if same or network.n_weights > now.network.n_weights:
                continue
            trial = self.polish(network, 8)
            if self._better(trial, now):
                return trial, True
        return now, False


def _turned(network: Network) -> Network:
    return Network(-network.weights, network.signs, network.support)


def _pairs(neuron: Network) -> Iterator[Network]:
    """Yield pairs of neurons that a single fitted neuron may stand for.

    With equal signs: u = (half of u_i and some other weights) + (half of u_i and the rest). With opposite signs: a
    neuron on the axis of input i, longer than u_i, minus one with the excess and the other weights reversed.
    """
    u, sign = neuron.weights[0], neuron.signs[0]
    inside = np.flatnonzero(neuron.support[0])
    for i in inside[np.argsort(-np.abs(u[inside]), kind="stable")][:SHARED]:
        rest = inside[inside != i]
        for k in rest if len(rest) > 2 else rest[: len(rest) - 1]:
            first, second = np.zeros(len(u)), u.copy()
            first[i], first[k] = 0.5 * u[i], u[k]
            second[i], second[k] = 0.5 * u[i], 0.0
            yield Network.of(np.stack([first, second]), np.array([sign, sign]))
        for longer in LONGER:
            first, second = np.zeros(len(u)), -u
            first[i], second[i] = longer * u[i], (longer - 1.0) * u[i]
            yield Network.of(np.stack([first, second]), np.array([sign, -sign]))


def _groups(network: Network) -> list[tuple[int, ...]]:
    """Return pairs of close neurons, and clusters of three and more."""
    units = network.weights / np.sqrt((network.weights**2).sum(axis=1, keepdims=True))
    cosine = units @ units.T
    first, second = np.nonzero(np.triu(cosine, 1) > np.cos(CLOSE))
    best = np.argsort(-cosine[first, second], kind="stable")[: 3 * TRIALS]
    groups: list[tuple[int, ...]] = [(int(first[k]), int(second[k])) for k in best]
    seen: set[tuple[int, ...]] = set()
    for angle in CLUSTERS:
        for row in cosine:
            group = tuple(int(j) for j in np.flatnonzero(row > np.cos(angle)))
            if len(group) > 2 and group not in seen:
                seen.add(group)
                groups.append(group)
    return groups


def _merged(network: Network, group: tuple[int, ...]) -> Exchange:
    """Return the exchange of a group for its sum, with the orientation of its largest neuron."""
    members = list(group)
    largest = members[int((network.weights[members] ** 2).sum(axis=1).argmax())]
    total = np.asarray(network.signs[members] @ network.weights[members])
    sign = 1.0 if float(total @ network.weights[largest]) >= 0 else -1.0
    support = np.atleast_2d(network.support[members].any(axis=0))
    return Exchange(group, Network(sign * total[None], np.array([sign]), support))
