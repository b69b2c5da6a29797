"""Guarantees about the savings of freezing neurons: backward passes with counted multiply-adds."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from planted.base.arrays import EPS
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import DESIGNS, linear_instance
from recovery.guarantees.pruning.shared import equal, false, settings, stated
from recovery.pruning.closed_forms import equilibrium as neq
from recovery.pruning.equilibrium import backward_operations

__all__ = ["SAVINGS", "controls"]

NEEDS = ("x", "noise", "hidden", "hidden_layers", "outputs", "init_seed")


class _Products:
    """Computes matrix products and counts their multiply-adds."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        self.count += left.shape[0] * left.shape[1] * right.shape[1]
        return np.asarray(left @ right)


class _Network:
    """A network on the inputs of an instance, with some frozen units."""

    def __init__(self, instance: Instance) -> None:
        rng = np.random.default_rng(int(instance.options["init_seed"]))
        self.X = instance.matrix
        hidden = [int(instance.options["hidden"])] * int(instance.options["hidden_layers"])
        self.widths = (self.X.shape[1], *hidden, int(instance.options["outputs"]))
        self.weights = [rng.standard_normal((b, a)) / np.sqrt(a) for a, b in pairwise(self.widths)]
        shares = rng.choice([0.0, 0.5, 1.0], len(self.widths) - 1)
        self.live = [rng.random(b) >= share for b, share in zip(self.widths[1:], shares, strict=True)]
        self.layers = [self.X]
        for W in self.weights[:-1]:
            self.layers.append(np.maximum(self.layers[-1] @ W.T, 0.0))
        self.residual = self.layers[-1] @ self.weights[-1].T - instance.y[:, None]

    @property
    def frozen(self) -> list[int]:
        """Frozen units of each layer."""
        return [int(np.sum(~one)) for one in self.live]

    def gradients(self, live: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
        """Return the weight gradients of the live units and the number of multiply-adds; nothing else is computed."""
        product, delta, columns = _Products(), self.residual, np.arange(self.widths[-1])
        found = []
        for place in range(len(self.weights) - 1, -1, -1):
            rows = np.searchsorted(columns, np.flatnonzero(live[place]))
            found.append(product(delta[:, rows].T, self.layers[place]))
            if not place:
                break
            upstream = any(bool(one.any()) for one in live[: place - 1])
            wanted = np.arange(self.widths[place]) if upstream else np.flatnonzero(live[place - 1])
            passed = product(delta, self.weights[place][np.ix_(columns, wanted)]) if wanted.size else delta[:, :0]
            delta, columns = passed * (self.layers[place][:, wanted] > 0.0), wanted
        return found[::-1], product.count


def _sizes(instance: Instance) -> Verdict:
    found = settings(instance, hidden=(1, 50), hidden_layers=(0, 4), outputs=(1, 50))
    return found if isinstance(found, Verdict) else Verdict.of(True, "every layer has units")


def _saved(instance: Instance, *, claim: str = "executed") -> Verdict:
    network = _Network(instance)
    whole, work = network.gradients([np.ones(b, dtype=bool) for b in network.widths[1:]])
    part, left = network.gradients(network.live)
    n = len(network.X)
    formula = {
        "executed": neq.executed_savings,
        "counted": neq.counted_savings,
        "booked": neq.booked_savings,
    }[claim]
    wanted, frozen = (
        formula(n, network.widths, network.frozen),
        f"with {network.frozen} of {network.widths[1:]} units frozen",
    )
    reason = f"{frozen}, {work - left} multiply-adds are saved, and the formula says {wanted}"
    found = [Verdict.of(work - left == wanted, reason)]
    if claim == "executed":
        counts = backward_operations(list(pairwise(network.widths)), network.frozen, n)
        found.append(Verdict.of(left == counts, f"{left} multiply-adds are executed, and NEq's own count is {counts}"))
        found.append(
            Verdict.of(
                work == neq.backward_work(n, network.widths), f"without freezing {work} multiply-adds are executed"
            )
        )
        for one, full, live in zip(part, whole, network.live, strict=True):
            error = 64 * (n + max(network.widths)) ** 2 * EPS * float(np.abs(full).max(initial=0.0))
            found.append(
                equal(
                    one, full[live], error, "the gradients of the live units with and without those of the frozen units"
                )
            )
    return all_of(found)


def _network(rng: np.random.Generator, layers: tuple[int, ...] = (0, 1, 1, 2, 3)) -> Instance:
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 6), n_range=(1, 8), tall=False)
    return instance.with_options(
        hidden=int(rng.integers(1, 7)),
        hidden_layers=int(rng.choice(layers)),
        outputs=int(rng.integers(1, 5)),
        init_seed=int(rng.integers(2**31)),
    )


SAVINGS: tuple[Guarantee, ...] = (
    stated(
        "neq-executed-savings",
        "In any fully connected network, leaving out the rows of the weight gradients that belong to frozen units, "
        "and their columns of the back-propagated signal where all units below are frozen, changes no gradient of a "
        "live unit and saves `executed_savings` multiply-adds: with one hidden layer f h n (d + o), if a share f of "
        "the h hidden units is frozen.",
        _sizes,
        _saved,
        _network,
        section="Operations saved by freezing neurons",
        paper="NEq (arXiv:2207.09455)",
        needs=NEEDS,
    ),
)
"""Guarantees about executed multiply-adds."""


def controls() -> list[tuple[Guarantee, int]]:
    """Return false statements about savings, and the evaluations within which the attack must refute each."""
    return [
        (
            false(
                "neq-counted-savings",
                "In any network each frozen unit saves its own row of the weight gradient and its own column of "
                "the back-propagated signal.",
                "the layers below need the column, unless all their units are frozen",
                _sizes,
                partial(_saved, claim="counted"),
                _network,
                needs=NEEDS,
            ),
            2_000,
        ),
        (
            false(
                "neq-booked-savings",
                "With one hidden layer the saving is proportional: 2 n d for each frozen hidden unit.",
                "the saving is n (d + o)",
                _sizes,
                partial(_saved, claim="booked"),
                partial(_network, layers=(1,)),
                needs=NEEDS,
            ),
            2_000,
        ),
    ]
