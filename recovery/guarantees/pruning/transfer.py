"""Guarantees about tickets trained on a target task: the limit of gradient descent, and which start is better."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from planted.base.arrays import EPS
from recovery.exact.bounded import Bounded
from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import DESIGNS, linear_instance
from recovery.guarantees.pruning.shared import equal, false, far_from_one, stated, within
from recovery.operators.ranks import rank
from recovery.pruning.closed_forms import transfer

__all__ = ["TRANSFER", "controls"]

PAPER = "ticket transfer (arXiv:1905.07785)"
CONDITION = 300.0
"""Descent is run if singular values and column norms differ by at most this factor; it needs its square in steps."""
NEEDS = ("x", "noise", "x0", "kept")


def _ticket(instance: Instance) -> np.ndarray:
    """Return the mask of the largest weights of the source, x0; of equal ones the smaller index is kept."""
    mask = np.zeros(instance.shape[1], dtype=bool)
    mask[np.argsort(-np.abs(instance.x0), kind="stable")[: int(instance.options["kept"])]] = True
    return mask


class _Part:
    """The columns of the mask, their singular values, and gradient descent on them."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.mask = instance, _ticket(instance)
        self.A = instance.matrix[:, self.mask]
        self.s = np.linalg.svd(self.A, compute_uv=False) if self.A.size else np.zeros(0)
        self.largest = float(self.s.max(initial=0.0))
        self.used = self.s[self.s > 1e-9 * self.largest]

    @property
    def rank(self) -> int:
        """Number of singular values above rounding."""
        return len(self.used) if self.largest > 0.0 else 0

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest non-zero singular value."""
        return self.largest / float(self.used.min()) if self.rank else 1.0

    @property
    def clear(self) -> Verdict:
        """Whether descent converges within the steps taken, and the rank does not depend on rounding."""
        rest = self.s[self.s <= 1e-9 * self.largest]
        if np.any(rest > 1e-13 * self.largest * math.sqrt(max(self.A.shape))):
            return Verdict.unknown("a singular value lies between rounding error and 1e-9 of the largest")
        far = far_from_one(self.A, self.instance.y, self.instance.x0)
        if far is not None:
            return far
        lengths = np.linalg.norm(self.A, axis=0)
        lengths = lengths[lengths > 0.0]
        # short columns matter to least squares in any units, but hardly to descent
        if lengths.size and not float(lengths.max()) <= CONDITION * float(lengths.min()):
            return Verdict.of(
                False,
                f"the norms of columns range from {float(lengths.min()):.3g} to {float(lengths.max()):.3g}, too far",
            )
        if rank(self.A) != self.rank:
            return Verdict.unknown("rounding leaves the rank open")
        reason = f"the condition number without zeros is {self.condition:.3g}, where {CONDITION:g} is the limit"
        return Verdict.of(self.condition <= CONDITION, reason)

    def _powers(self) -> int:
        return math.ceil(math.log2(40.0 * self.condition**2 + 2.0))

    def descend(self, start: np.ndarray) -> np.ndarray:
        """Return the weights after 2^k steps of gradient descent from a masked start, by squaring one step.

        A step is the map w -> M w + c; two of them are w -> M M w + (M c + c).
        """
        found = np.zeros(self.instance.shape[1])
        if not self.A.shape[1]:
            return found
        unit = self.largest if self.largest > 0.0 else 1.0
        A = self.A / unit
        M, c = np.eye(A.shape[1]) - A.T @ A, A.T @ (self.instance.y / unit)
        for _ in range(self._powers()):
            M, c = M @ M, M @ c + c
        found[self.mask] = M @ start[self.mask] + c
        return found

    def error(self, *starts: np.ndarray) -> float:
        """Return a bound on the rounding error of :meth:`descend`."""
        size = sum(float(np.linalg.norm(start[self.mask])) for start in starts)
        size += float(np.linalg.norm(self.instance.y)) * (self.condition / self.largest if self.largest > 0.0 else 0.0)
        return 16.0 * 2.0 ** self._powers() * (sum(self.A.shape) + 8) * EPS * size


def _descends(instance: Instance) -> Verdict:
    return _Part(instance).clear


def _limit(instance: Instance) -> Verdict:
    part = _Part(instance)
    wanted = transfer.training_limit(instance.matrix, instance.y, instance.x0, part.mask)
    return equal(
        part.descend(instance.x0),
        wanted,
        part.error(instance.x0),
        "the end of descent from m theta and its stated limit",
    )


def _full_rank(instance: Instance) -> Verdict:
    part = _Part(instance)
    if part.clear.status != "holds":
        return part.clear
    return Verdict.of(part.rank == part.A.shape[1], f"the {part.A.shape[1]} columns in the mask have rank {part.rank}")


def _one_end(instance: Instance) -> Verdict:
    part, rng = _Part(instance), np.random.default_rng(0)
    size = float(np.sqrt(np.mean(instance.x0**2)))
    starts = (instance.x0, np.zeros_like(instance.x0), size * rng.standard_normal(len(instance.x0)))
    first, *others = (part.descend(start) for start in starts)
    reason = "the ends of descent from theta_S, 0 and random weights"
    return equal(np.array(others), first, 2.0 * part.error(*starts), reason)


def _parts_add_up(instance: Instance) -> Verdict:
    part = _Part(instance)
    found, error = part.descend(instance.x0), part.error(instance.x0, instance.x)
    split = transfer.error_split(instance.matrix, instance.x0, instance.x, part.mask, instance.noise)
    seen = float(np.sum((found - instance.x) ** 2))
    slack = error * (2.0 * math.sqrt(seen) + error) + 64 * len(found) * EPS * (seen + split.total)
    return within(
        abs(seen - split.total), 2.0 * slack, "the error of the trained weights and the sum of its three parts"
    )


def _seen_by_the_samples(part: _Part, vector: np.ndarray) -> tuple[float, float]:
    """Return the norm of the part of a masked vector in the null space of the samples, and its rounding error."""
    inside = vector[part.mask]
    if not part.A.size:
        return float(np.linalg.norm(inside)), 0.0
    _, s, rows = np.linalg.svd(part.A, full_matrices=False)
    rows = rows[s > 1e-9 * part.largest] if part.largest > 0.0 else rows[:0]
    size = float(np.linalg.norm(inside))
    error = 64 * (sum(part.A.shape) + 4) * EPS * size * part.condition
    return float(np.linalg.norm(inside - rows.T @ (rows @ inside))), error


def _ticket_is_nearer(instance: Instance) -> Verdict:
    part = _Part(instance)
    if part.clear.status != "holds":
        return Verdict.unknown(part.clear.reason)
    far, first = _seen_by_the_samples(part, instance.x)
    near, second = _seen_by_the_samples(part, instance.x - instance.x0)
    if far <= first or near <= second:
        return Verdict.unknown(
            "the component in the null space of the samples is 0 within rounding error, so neither start is better"
        )
    return exceeds(Bounded(far, first), Bounded(near, second), "|P m w| exceeds |P m (w - theta)|")


def _ticket_ends_nearer(instance: Instance) -> Verdict:
    part = _Part(instance)
    if part.clear.status != "holds":
        return Verdict.unknown(part.clear.reason)
    ends = [part.descend(start) for start in (np.zeros_like(instance.x), instance.x0)]
    away = [float(np.linalg.norm((end - instance.x)[part.mask])) for end in ends]
    error = part.error(instance.x0, instance.x)
    return exceeds(
        Bounded(away[0], error), Bounded(away[1], error), "the error from the start 0 exceeds that from theta"
    )


def _task(rng: np.random.Generator) -> Instance:
    """Draw a target task, the weights of a more or less similar source, and how many of them are kept."""
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 8), n_range=(1, 12), tall=False, start=True)
    x0 = instance.x0 + instance.x * rng.choice([0.0, 0.5, 1.0, 1.0])
    return instance.replace(x0=x0).with_options(kept=int(rng.integers(1, instance.shape[1] + 1)))


def _few_samples(rng: np.random.Generator) -> Instance:
    """Draw a task with fewer samples than weights in the mask, and a source that agrees with it there."""
    designs = ("gaussian", "toeplitz", "block", "equicorrelated")
    instance = linear_instance(
        rng, designs=designs, d_range=(5, 9), n_range=(1, 4), k_range=(2, 5), tall=False, start=True, wild=0.0
    )
    away = 0.3 * float(np.abs(instance.x).max()) * rng.standard_normal(len(instance.x))
    kept = int(rng.integers(instance.shape[0] + 1, instance.shape[1] + 1))
    return instance.replace(x0=instance.x * rng.uniform(0.3, 2.5) + away).with_options(kept=kept)


SECTION = "Limit of training a transferred ticket"
MODEL = (
    "If the columns in the mask m have norms and singular values that are 0 or within a factor of 300 of each other, "
)

TRANSFER: tuple[Guarantee, ...] = (
    stated(
        "transfer-limit",
        MODEL + "then gradient descent from m theta converges to m theta + X_m^+ (y - X m theta).",
        _descends,
        _limit,
        _task,
        section=SECTION,
        paper=PAPER,
        needs=NEEDS,
    ),
    stated(
        "transfer-start-irrelevant",
        MODEL
        + "and the columns are independent, then gradient descent reaches the same end from theta_S, from 0 and from "
        "random weights.",
        _full_rank,
        _one_end,
        _task,
        section=SECTION,
        paper=PAPER,
        needs=NEEDS,
    ),
    stated(
        "transfer-error-split",
        MODEL
        + "then the error |found - w|^2 is the sum of |w - m w|^2, of |P m (theta - w)|^2 with P the projection on the "
        "null space of X_m, and of |X_m^+ (X (w - m w) + noise)|^2.",
        _descends,
        _parts_add_up,
        _task,
        section=SECTION,
        paper=PAPER,
        needs=NEEDS,
    ),
    stated(
        "transfer-crossover",
        MODEL
        + "then the ticket theta ends nearer to w than the start 0 if and only if |P m (w - theta)| < |P m w|, P the "
        "projection on the null space of X_m.",
        _ticket_is_nearer,
        _ticket_ends_nearer,
        _few_samples,
        kind="equivalence",
        steer="signal",
        section=SECTION,
        paper=PAPER,
        needs=NEEDS,
    ),
)
"""Exact statements about tickets in linear models."""


def controls() -> list[tuple[Guarantee, int]]:
    """Return false statements about tickets, and the evaluations within which the attack must refute each."""
    return [
        (
            false(
                "transfer-start-irrelevant",
                MODEL + "then gradient descent reaches the same end from theta_S, from 0 and from random weights.",
                "with fewer samples than weights, the null-space component of the start remains",
                _descends,
                _one_end,
                _task,
                needs=NEEDS,
            ),
            2_000,
        ),
        (
            false(
                "transfer-crossover",
                MODEL + "then the ticket ends nearer to w than the start 0 if |m (w - theta)| < |m w|.",
                "this holds on average over Gaussian inputs, but one set of samples covers only some directions",
                partial(_nearer_before, 1.0),
                _ticket_ends_nearer,
                _few_samples,
                steer="signal",
                needs=NEEDS,
            ),
            2_000,
        ),
    ]


def _nearer_before(factor: float, instance: Instance) -> Verdict:
    part = _Part(instance)
    if part.clear.status != "holds" or part.rank == part.A.shape[1]:
        return Verdict.of(False, part.clear.reason)
    inside = part.mask
    far, near = (float(np.linalg.norm(one[inside])) for one in (instance.x, instance.x - instance.x0))
    return exceeds(far, factor * near, "|m w| exceeds |m (w - theta)|")
