"""Local repairs on a few inputs: splitting a line, merging close lines, and removing entries.

The subproblem of a set S of inputs has as parameters b_S, a_S and all lines whose support is inside S; its target is
the residual plus what these contribute. It has few columns, so many trials are affordable, and each is polished before
it is judged. Close lines can only be distinguished this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recovery.networks.exact.model import Inputs, Lines, angles, predict
from recovery.networks.exact.newton import levenberg, square
from recovery.networks.exact.wedges import Split

__all__ = ["Rule", "merges", "reduced_near", "repair"]

GAIN = 45.0
"""A split must lower |r|^2 by at least this many variances."""
LOSS, LOSS_ENTRY = 25.0, 9.0
"""Largest increase of |r|^2, in variances, allowed for removing a line, and an entry."""
TRIALS = 6
SMALL_ENTRY = 0.02
"""Removing entries below this fraction of |w_l| is tried."""


@dataclass(frozen=True)
class Rule:
    """When and how trial removals are made.

    Attributes
    ----------
    near : float
        Removing a line is tried if it is closer than this to another line or axis (radians).
    floor : float
        |r|^2 up to this counts as rounding error: any removal that stays below is accepted.
    steps : int
        Levenberg-Marquardt steps per trial.
    damping : float
        Initial damping of these steps.
    """

    near: float
    floor: float = 0.0
    steps: int = 8
    damping: float = 1e-3


@dataclass(eq=False)
class Part:
    """The subproblem on a few inputs."""

    coordinates: np.ndarray
    inside: np.ndarray
    inputs: Inputs
    target: Any
    model: Lines
    r: Any
    square: float

    @classmethod
    def of(cls, inputs: Inputs, model: Lines, r: Any, touched: np.ndarray) -> Part:
        """Return the subproblem on the inputs marked in `touched`, at the present model with residual r."""
        coordinates = np.flatnonzero(touched)
        inside = np.flatnonzero(~model.support[:, ~touched].any(axis=1))
        small = inputs.restrict(coordinates)
        part = Lines(
            model.linear[coordinates],
            model.axes[coordinates],
            model.weights[np.ix_(inside, coordinates)],
            model.signs[inside],
            model.support[np.ix_(inside, coordinates)],
        )
        return cls(coordinates, inside, small, r + predict(small, part), part, r, square(r))

    def polish(self, model: Lines, steps: int, damping: float) -> None:
        """Adopt a model after polishing it by Levenberg-Marquardt steps."""
        self.model, self.r, _ = levenberg(self.inputs, self.target, model, steps, damping, stop=1e-3)
        self.square = square(self.r)

    def trial(self, model: Lines, rule: Rule) -> Part:
        """Return the subproblem at another, polished model."""
        other = Part(self.coordinates, self.inside, self.inputs, self.target, model, self.r, self.square)
        other.polish(model, rule.steps, rule.damping)
        return other

    def take(self, other: Part) -> None:
        """Adopt the state of another subproblem."""
        self.model, self.r, self.square = other.model, other.r, other.square

    def tidy(self) -> None:
        """Move lines of one entry to the axes."""
        count = self.model.n_lines
        self.model = self.model.tidy()
        if self.model.n_lines < count:
            self.r = self.target - predict(self.inputs, self.model)
            self.square = square(self.r)

    def put(self, model: Lines) -> Lines:
        """Return the whole model with this part replaced by its new version; its lines come last."""
        others = np.ones(model.n_lines, dtype=bool)
        others[self.inside] = False
        found = model.select(others).copy()
        found.linear[self.coordinates], found.axes[self.coordinates] = self.model.linear, self.model.axes
        weights = np.zeros((self.model.n_lines, model.weights.shape[1]))
        support = np.zeros(weights.shape, dtype=bool)
        weights[:, self.coordinates], support[:, self.coordinates] = self.model.weights, self.model.support
        return Lines(
            found.linear,
            found.axes,
            np.concatenate([found.weights, weights]),
            np.concatenate([found.signs, self.model.signs]),
            np.concatenate([found.support, support]),
        )


def repair(inputs: Inputs, model: Lines, r: Any, split: Split) -> tuple[Lines, Any, bool]:
    """Try a second line; return the model, its residual, and whether the line was accepted."""
    line, own = -1, np.zeros(inputs.n_inputs, dtype=bool)
    if split.axis >= 0:
        own[split.axis] = True
    else:
        if not model.n_lines:
            return model, r, False
        cosine = np.abs(model.units @ split.unit)
        line = int(cosine.argmax())
        if cosine[line] < 0.9999:
            return model, r, False
        own = model.support[line]
    part = Part.of(inputs, model, r, own | (split.direction != 0))
    limit = part.square * (1 - GAIN / inputs.n_samples)
    start, direction = part.model.copy(), split.direction[part.coordinates]
    if split.axis >= 0:
        start.axes[np.searchsorted(part.coordinates, split.axis)] -= split.amplitude
    else:
        place = int(np.searchsorted(part.inside, line))
        start.weights[place] -= start.signs[place] * split.amplitude * direction
        start.support[place] |= direction != 0
    start = start.with_lines(direction[None], np.array([split.amplitude]))
    part.polish(start, 15, 1e-3)  # with fewer steps twice as many rounds were needed
    if part.square > limit:
        return model, r, False
    _reduce(part, Rule(near=0.15))
    part.tidy()
    if part.square > limit:
        return model, r, False
    return part.put(model), part.r, True


def merges(inputs: Inputs, model: Lines, r: Any, deviation: float, widest: float = 0.1) -> tuple[Lines, Any, int]:
    """Try to merge close lines; return the model, its residual, and how many lines were removed.

    Lines of smaller strength c that are up to 2 (sd / (3 c))^(2/3) apart may be one line, where sd is the deviation of
    the residual.
    """
    gone, tried = 0, set()
    while model.n_lines:
        near = angles(model, inputs.bent)
        strengths = np.concatenate([model.norms, np.abs(model.axes) + 1e-12])
        smaller = np.minimum(strengths[: model.n_lines, None], strengths[None])
        limit = np.minimum(widest, 2 * (deviation / (3 * smaller)) ** (2 / 3))
        pairs = _pairs(near, limit)
        for a, b in pairs:
            key = model.weights[a].tobytes(), b - model.n_lines if b >= model.n_lines else model.weights[b].tobytes()
            if key in tried:
                continue
            tried.add(key)
            part = Part.of(inputs, model, r, _touched(model, a, b))
            count = part.model.n_lines
            _reduce(part, Rule(near=max(2 * near[a, b], 1e-6)))
            if part.model.n_lines < count:
                part.tidy()
                gone += count - part.model.n_lines
                model, r = part.put(model), part.r
                break
        else:
            break
    return model, r, gone


def reduced_near(inputs: Inputs, y: Any, model: Lines, r: Any, rule: Rule) -> tuple[Lines, Any, int]:
    """Try to remove lines and small entries wherever two lines, or a line and an axis, are close.

    Parameters
    ----------
    inputs, y, model, r
        The data, the targets, the model and its residual.
    rule : Rule
        What counts as close, and what counts as rounding error.

    Returns
    -------
    model, r, gone
        `gone` counts the entries that were not needed.
    """
    model, r, gone = _together(inputs, y, model, r, rule)
    seen: set[bytes] = set()
    pairs = _pairs(angles(model, inputs.bent), np.full((model.n_lines, model.n_lines + inputs.n_inputs), rule.near))
    todo = [(model.weights[a], _touched(model, a, b)) for a, b in pairs]
    for weights, touched in todo:
        key = touched.tobytes()
        if key in seen or not (model.weights == weights).all(axis=1).any():
            continue
        seen.add(key)
        part = Part.of(inputs, model, r, touched)
        count = int(part.model.support.sum())
        _collapse(part, rule)
        _reduce(part, rule)
        _thin(part, rule)
        part.tidy()
        left = int(part.model.support.sum())
        if left < count:
            gone += count - left
            model = part.put(model)
            r = y - predict(inputs, model)
    return model, r, gone


def _pairs(near: np.ndarray, limit: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of lines, or of a line and an axis (numbered after the lines), within `limit`, closest first."""
    count = len(near)
    close = near < limit
    close[:, :count] = np.triu(close[:, :count], 1)
    a, b = np.nonzero(close)
    return [(int(a[k]), int(b[k])) for k in np.argsort(near[a, b], kind="stable")]


def _touched(model: Lines, a: int, b: int) -> np.ndarray:
    """Return the mask of the inputs of line a and of line, or axis, b."""
    touched = model.support[a].copy()
    if b < model.n_lines:
        touched |= model.support[b]
    else:
        touched[b - model.n_lines] = True
    return touched


def _reduce(part: Part, rule: Rule) -> None:
    """Merge lines into a close line or axis as long as that raises |r|^2 by no more than noise would.

    The first trial that does not raise |r|^2 is accepted, else the best of those allowed.
    """
    while part.model.n_lines:
        model = part.model
        near = angles(model, part.inputs.bent)
        neighbour, gap = near.argmin(axis=1), near.min(axis=1)
        close = np.flatnonzero(gap < rule.near)
        close = close[np.argsort(model.norms[close] * np.sin(gap[close]), kind="stable")][:TRIALS]
        limit = max(part.square * (1 + LOSS / part.inputs.n_samples), rule.floor)
        best: Part | None = None
        for line in close:
            trial = part.trial(_absorbed(model, int(line), int(neighbour[line])), rule)
            if trial.square <= limit and (best is None or trial.square < best.square):
                best = trial
            if best is not None and best.square <= part.square:
                break
        if best is None:
            return
        part.take(best)


def _collapse(part: Part, rule: Rule) -> None:
    """Try to replace three or more close lines, or two and an axis, by one line or by two.

    Surplus lines that cancel reach rounding error together, while removing any single one spoils the fit, so they have
    to be removed all at once.
    """
    tried: set[bytes] = set()
    while part.model.n_lines:
        for lines, axis in _clusters(part.model, part.inputs.bent, rule.near):
            key = part.model.weights[lines].tobytes()
            if len(lines) + (axis >= 0) < 3 or key in tried:
                continue
            tried.add(key)
            limit = max(part.square * (1 + LOSS / part.inputs.n_samples), rule.floor)
            found = None
            for kept in (1, 2):
                trial = part.trial(_collapsed(part.model, [(lines, axis)], np.array([kept])), rule)
                if trial.square <= limit:
                    found = trial
                    break
            if found is not None:
                part.take(found)
                break  # the lines have been renumbered
        else:
            return


def _together(inputs: Inputs, y: Any, model: Lines, r: Any, rule: Rule) -> tuple[Lines, Any, int]:
    """Try to replace the close lines of each group that shares an input by one or two lines, all groups at once."""
    groups = [(lines, axis) for lines, axis in _clusters(model, inputs.bent, rule.near) if len(lines) + (axis >= 0) > 1]
    touched = [model.support[lines].any(axis=0) for lines, _ in groups]
    shared = [
        k for k in range(len(groups)) if any((touched[k] & touched[j]).any() for j in range(len(groups)) if j != k)
    ]
    if not shared:
        return model, r, 0
    union = np.any([touched[k] for k in shared], axis=0)
    for k in shared:
        union[groups[k][1]] |= groups[k][1] >= 0
    part = Part.of(inputs, model, r, union)
    found = [
        group for group in _clusters(part.model, part.inputs.bent, rule.near) if len(group[0]) + (group[1] >= 0) > 1
    ]
    limit, before = max(part.square * (1 + LOSS / inputs.n_samples), rule.floor), int(part.model.support.sum())
    plans = [np.ones(len(found), dtype=int), *(1 + np.eye(len(found), dtype=int)), np.full(len(found), 2)]
    for plan in plans:
        trial = part.trial(_collapsed(part.model, found, plan), rule)
        if trial.square <= limit and trial.model.n_lines < part.model.n_lines:
            part.take(trial)
            part.tidy()
            model = part.put(model)
            return model, y - predict(inputs, model), before - int(part.model.support.sum())
    return model, r, 0


def _clusters(model: Lines, bent: np.ndarray, near: float) -> list[tuple[np.ndarray, int]]:
    """Return groups of lines close to each other or to one axis, strongest first, with that axis or -1."""
    if not model.n_lines:
        return []
    close = angles(model, bent) < near
    count, label = model.n_lines, np.arange(model.n_lines)
    graph = (
        close[:, :count]
        | (close[:, count:].astype(int) @ close[:, count:].T.astype(int) > 0)
        | np.eye(count, dtype=bool)
    )
    while True:
        lowest = np.where(graph, label[None], count).min(axis=1)
        if (lowest == label).all():
            break
        label = lowest
    found = []
    for one in np.unique(label):
        lines = np.flatnonzero(label == one)
        lines = lines[np.argsort(-model.norms[lines], kind="stable")]
        axes = np.flatnonzero(close[lines, count:].any(axis=0))
        found.append((lines, int(axes[0]) if len(axes) else -1))
    return found


def _collapsed(model: Lines, groups: list[tuple[np.ndarray, int]], plan: np.ndarray) -> Lines:
    """Return the model with each group of lines replaced by `plan` of its axis and its strongest lines."""
    goals = np.arange(model.n_lines)  # the line, or the axis (numbered after the lines), into which each line is merged
    for (lines, axis), kept in zip(groups, plan, strict=True):
        stay = lines[: kept - (axis >= 0)]
        goals[lines] = model.n_lines + axis if axis >= 0 else lines[0]
        goals[stay] = stay
    count = model.n_lines
    for line in np.flatnonzero(goals != np.arange(count))[::-1]:
        left = model.n_lines
        goal = int(goals[line])
        # do not count removed lines that precede it
        gone = (goals != np.arange(count))[: min(goal, count)]
        place = goal - int(gone[line + 1 :].sum()) if goal < count else left + goal - count
        model = _absorbed(model, int(line), place)
    return model


def _absorbed(model: Lines, line: int, other: int) -> Lines:
    """Return the model with a line added to another one, or to an axis (numbered after the lines)."""
    found = model.copy()
    if other < model.n_lines:
        side = 1.0 if model.weights[line] @ model.weights[other] >= 0 else -1.0
        total = model.signs[other] * model.weights[other] + side * model.signs[line] * model.weights[line]
        sign = 1.0 if total @ model.weights[other] >= 0 else -1.0
        found.weights[other], found.signs[other] = sign * total, sign
        found.support[other] |= model.support[line]
    else:
        found.axes[other - model.n_lines] += model.signs[line] * np.sqrt(model.weights[line] @ model.weights[line])
    keep = np.ones(model.n_lines, dtype=bool)
    keep[line] = False
    return found.select(keep)


def _thin(part: Part, rule: Rule) -> None:
    """Try to remove small entries of lines that are close to another line."""
    if not part.model.n_lines:
        return
    close = np.flatnonzero(angles(part.model, part.inputs.bent).min(axis=1) < rule.near)
    for line in close:
        for i in np.argsort(np.abs(part.model.weights[line]), kind="stable"):
            model = part.model
            norm = np.sqrt(model.weights[line] @ model.weights[line])
            small = abs(model.weights[line, i]) <= SMALL_ENTRY * norm
            if not (model.support[line, i] and small and model.support[line].sum() > 2):
                continue
            trial = part.trial(model.without(np.array([line]), np.array([i])), rule)
            if trial.square <= max(part.square * (1 + LOSS_ENTRY / part.inputs.n_samples), rule.floor):
                part.take(trial)
