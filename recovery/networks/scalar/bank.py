"""A bank of neurons: gates, generators, output signs and fused weights, with operations that grow and shrink it."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from recovery.operators.gated import GatedOperator
from recovery.operators.thresholding import select_top

__all__ = ["MERGE_ANGLES", "Bank", "consolidate"]


def consolidate(
    hidden: np.ndarray, output: np.ndarray, angle: float, drop: float = 1e-7
) -> tuple[np.ndarray, np.ndarray]:
    """Return a network of nearly the same function with one neuron per line, where that is possible.

    Parameters
    ----------
    hidden : numpy.ndarray, shape (d, m)
        Hidden weights.
    output : numpy.ndarray, shape (m,)
        Output weights, +1 or -1.
    angle : float
        Neurons whose directions differ by at most this angle, up to sign, form one line (radians, small).
    drop : float, default 1e-7
        Neurons and entries below this fraction of the longest neuron are dropped.

    Returns
    -------
    hidden : numpy.ndarray, shape (d, q)
        The neurons.
    output : numpy.ndarray, shape (q,)
        +1 or -1.

    Notes
    -----
    The kink form f(x) = sum_l sign_l |k_l . x| / 2 + b . x determines the lines and b, not the orientation of
    the neurons: any o_l in {-1, 1} with sum_l o_l sign_l k_l = 2 b give the same function. The orientations start from
    the majority on each line and are flipped one at a time as long as the sum gets closer to 2 b. The remainder of b is
    assigned to single inputs, where a x_i = relu(a x_i) - relu(-a x_i) costs two weights, or one if the input axis is a
    line itself. Derived here; tested to be exact on disguised networks by tests/recovery/test_consolidate.py.
    """
    norms = np.linalg.norm(hidden, axis=0)
    order = np.argsort(-norms, kind="stable")
    order = order[norms[order] > drop * norms.max(initial=0.0)]
    linear = hidden @ output
    lines: list[np.ndarray] = []
    kinks: list[np.ndarray] = []
    lean: list[float] = []
    if order.size:
        unit = hidden[:, order] / norms[order]
        free = np.ones(order.size, dtype=bool)
        for first in range(order.size):
            if not free[first]:
                continue
            along = unit[:, first] @ unit
            side = np.where(along >= 0, 1.0, -1.0)
            apart = np.linalg.norm(unit - unit[:, [first]] * side, axis=0)
            members = free & (apart <= angle)
            free &= ~members
            mine = order[members]
            weights = output[mine]
            lines.append(unit[:, first])
            kinks.append(hidden[:, mine] @ (weights * side[members]))
            lean.append(float((weights * side[members] * norms[mine]).sum()))
    if not lines:
        return np.zeros((hidden.shape[0], 0)), np.zeros(0)
    line, kink, leaning = np.array(lines).T, np.array(kinks).T, np.array(lean)
    kink = np.where(np.abs(kink) > drop * norms.max(), kink, 0.0)
    strong = np.linalg.norm(kink, axis=0) > drop * norms.max()
    line, kink, leaning = line[:, strong], kink[:, strong], leaning[strong]
    sign = np.where((line * kink).sum(axis=0) >= 0, 1.0, -1.0)
    orient = np.where(leaning * sign >= 0, 1.0, -1.0)
    miss = linear - kink @ orient
    squares = (kink * kink).sum(axis=0)
    for _ in range(4 * kink.shape[1]):
        # flipping o_l adds 2 o_l k_l to the remainder
        change = 4 * squares + 4 * orient * (kink.T @ miss)
        best = int(np.argmin(change)) if change.size else 0
        if not change.size or change[best] >= -1e-12 * squares[best]:
            break
        miss = miss + 2 * orient[best] * kink[:, best]
        orient[best] = -orient[best]
    return _add_linear(kink, sign, orient, miss, drop * norms.max())


def _add_linear(
    kink: np.ndarray, sign: np.ndarray, orient: np.ndarray, miss: np.ndarray, small: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return neurons of the lines, with `miss` / 2 added to the linear part by neurons along single inputs."""
    hidden, output = [kink * (orient * sign)], [sign]
    single = (kink != 0).sum(axis=0) == 1
    keep = np.ones(kink.shape[1], dtype=bool)
    for i in np.flatnonzero(np.abs(miss) > small):
        here = np.flatnonzero(single & (kink[i] != 0))
        keep[here] = False
        strength = float((sign[here] * np.abs(kink[i, here])).sum())
        slope = float(miss[i] + (orient[here] * kink[i, here]).sum())
        # (strength |x_i| + slope x_i) / 2 = up relu(x_i) + down relu(-x_i)
        for way, weight in ((1.0, 0.5 * (strength + slope)), (-1.0, 0.5 * (strength - slope))):
            if abs(weight) > small:
                neuron = np.zeros((kink.shape[0], 1))
                neuron[i] = way * abs(weight)
                hidden.append(neuron)
                output.append(np.array([np.sign(weight)]))
    hidden[0], output[0] = hidden[0][:, keep], output[0][keep]
    return np.concatenate(hidden, axis=1), np.concatenate(output)


MERGE_ANGLES = (1e-9, 1e-4, 1e-2, 3e-2, 1e-1)
"""Angles (radians) within which merging neurons is tried; the network that fits best is kept."""


class Bank:
    """Neurons with their generators: row j of the weights is w_j = v_j u_j with v_j = signs_j.

    Parameters
    ----------
    base : GatedOperator
        The inputs.
    y : array, shape (n,)
        Targets.
    generators : array, shape (d, K)
        h_j, which give the gates.
    signs : array, shape (K,)
        Output weights, +1 or -1.
    weights : array, shape (K d,), optional
        Fused weights; 0 by default.

    Attributes
    ----------
    A : GatedOperator
        Operator of the current gates, shape (n, K d).
    residual : array, shape (n,)
        y - A weights.
    support : array of int64 or None
        Selected columns of the last step.
    seen : set of bytes
        Supports visited since the gates last moved.
    dropped : int
        Number of selected columns removed together with their neurons since the last step.
    """

    def __init__(self, base: GatedOperator, y: Any, generators: Any, signs: Any, weights: Any = None) -> None:
        self.xp, self.d, self.dtype = base.xp, base.n_features, base.dtype
        self.y, self.generators, self.signs = y, generators, signs
        self.A = base.regate(generators)
        self.weights = self.xp.zeros(self.A.shape[1], dtype=self.dtype) if weights is None else weights
        self.residual = y if weights is None else y - self.A.matvec(weights)
        self.support: Any = None
        self.seen: set[bytes] = set()
        self.dropped = 0

    @property
    def size(self) -> int:
        """Number of neurons, with and without weights."""
        return self.A.n_gates

    @property
    def rows(self) -> Any:
        """Fused weights, one row per neuron, shape (K, d)."""
        return self.weights.reshape(-1, self.d)

    @property
    def hidden(self) -> Any:
        """Hidden weights u_j of the network, shape (d, K)."""
        return self.rows.T * self.signs

    def show(self, base: GatedOperator, y: Any) -> None:
        """Switch the same neurons to other rows of data."""
        self.y, self.A = y, base.regate(self.generators)
        self.residual = y - self.A.matvec(self.weights)
        self.seen = set()

    def set_weights(self, support: Any, values: Any) -> None:
        """Replace the weights."""
        self.support, self.dropped = support, 0
        self.weights = self.xp.zeros(self.A.shape[1], dtype=self.dtype)
        self.weights[support] = values

    def move_gates(self, fresh: Any) -> Any:
        """Set the gates to the weights, h_j = u_j, and give neurons without weights the generators `fresh`.

        Returns the number of gate bits that flipped on neurons that carry weight (on the device).
        """
        carries = (self.rows != 0).any(axis=1)
        before = self.A
        self.generators = self.xp.where(carries, self.hidden, fresh)
        self.A = before.regate(self.generators)
        self.residual = self.y - self.A.matvec(self.weights)
        self.seen = set()
        return (self.A.gate_changes(before) * carries).sum()

    def orient(self, moment: Any) -> None:
        """Give each neuron the sign for which u_j = v_j w_j agrees with its gate: that of h_j' X'X w_j.

        `moment` is X'X. D_j X w_j equals v_j relu(X u_j) if u_j points along h_j.
        """
        agreement = ((moment @ self.generators) * self.rows.T).sum(axis=0)
        self.signs = self.xp.where(agreement < 0, -1.0, 1.0).astype(self.dtype)

    def keep_strongest(self, count: int) -> None:
        """Keep the `count` neurons whose outputs A_j w_j have the largest energy bound, and drop the others."""
        xp = self.xp
        if self.size <= count:
            return
        energy = ((self.A.column_norms().reshape(-1, self.d) * self.rows) ** 2).sum(axis=1)
        keep = select_top(energy, count)
        place = xp.full(self.size, -1, dtype=xp.int64)
        place[keep] = xp.arange(count, dtype=xp.int64)
        self.weights = self.rows[keep].ravel()
        self.A = self.A.subset(keep)
        self.signs, self.generators = self.signs[keep], self.generators[:, keep]
        if self.support is not None:
            gate = place[self.support // self.d]
            stays = xp.flatnonzero(gate >= 0)
            self.dropped += int(gate.shape[0]) - int(stays.shape[0])
            self.support = gate[stays] * self.d + (self.support % self.d)[stays]
        self.residual = self.y - self.A.matvec(self.weights)
        self.seen = set()

    def merge(self, base: GatedOperator, n_neurons: int, sparsity: int) -> None:
        """Become the consolidated network of at most the given size that fits best (small arrays, on the CPU)."""
        hidden, output = arrays.to_numpy(self.hidden), arrays.to_numpy(self.signs)
        best: tuple[float, Bank] | None = None
        for angle in MERGE_ANGLES:
            merged, signs = _cut(*consolidate(hidden, output, angle), n_neurons, sparsity)
            if signs.size == 0:
                continue
            generators = self.xp.asarray(merged, dtype=self.dtype)
            trial = Bank(
                base,
                self.y,
                generators,
                self.xp.asarray(signs, dtype=self.dtype),
                self.xp.asarray(np.ascontiguousarray((merged * signs).T).ravel(), dtype=self.dtype),
            )
            square = float((trial.residual * trial.residual).sum())
            if best is None or square < best[0]:
                best = square, trial
        if best is not None:
            gone = 0 if self.support is None else int(self.support.shape[0])
            self.__dict__.update(best[1].__dict__)
            self.dropped = gone  # merged neurons count as new: all former columns are gone


def _cut(hidden: np.ndarray, output: np.ndarray, n_neurons: int, sparsity: int) -> tuple[np.ndarray, np.ndarray]:
    strongest = np.sort(np.argsort(-np.linalg.norm(hidden, axis=0), kind="stable")[:n_neurons])
    hidden, output = hidden[:, strongest], output[strongest]
    if hidden.size > sparsity:
        flat = np.zeros(hidden.size)
        picked = select_top(hidden.ravel(), sparsity)
        flat[picked] = hidden.ravel()[picked]
        hidden = flat.reshape(hidden.shape)
    alive = (hidden != 0).any(axis=0)
    return hidden[:, alive], output[alive]
