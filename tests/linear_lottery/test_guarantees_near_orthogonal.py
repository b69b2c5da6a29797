"""Survivors where features are nearly orthogonal: the bounds behind the guarantees, and controls that break."""

import math
from itertools import combinations

import numpy as np
import pytest

from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.near_orthogonal import NEAR_ORTHOGONAL
from recovery import Instance
from recovery.guarantees import draw

COHERENCE, OPERATOR = NEAR_ORTHOGONAL


def test_the_operator_norm_bound_is_attained():
    """(X'X)^-1 = I + delta H, H a reflection with H c = |c| (-1, 1) / sqrt(2): the gap closes exactly at the bound."""
    for delta in (0.1, 0.5, 0.7):
        phi = math.asin(delta)  # c = (cos a, sin a) with cos a - sin a = sqrt(2) delta
        a = math.pi / 4 - phi
        for eps, status in ((1e-6, "holds"), (-1e-6, "fails")):
            c = np.array([math.cos(a - eps), math.sin(a - eps)])
            target = np.array([-1.0, 1.0]) / math.sqrt(2)
            v = c - target
            H = np.eye(2) - 2 * np.outer(v, v) / (v @ v)
            assert np.allclose(H @ c, target)
            inverse = np.eye(2) + delta * H
            X = np.linalg.cholesky(np.linalg.inv(inverse)).T
            instance = Instance(X, X @ inverse @ c, 1)
            assert OPERATOR.check(instance).status == OPERATOR.conclusion(instance).status == status
            assert OPERATOR.conclusion(instance).margin == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_the_bounds_on_single_weights(seed):
    """|w_j - c_j| on every mask, which the proofs add up."""
    rng = np.random.default_rng(seed)
    d = 5
    coherence = float(rng.uniform(0.01, 0.2))
    _, X = samplers.correlated(9, d, coherence, rng)
    X = X / np.linalg.norm(X[:, 0])
    y = rng.standard_normal(9)
    c = X.T @ y
    low, high = np.linalg.eigvalsh(X.T @ X)[[0, -1]]
    assert np.abs(X.T @ X - np.eye(d)).max() == pytest.approx(coherence)
    for size in range(2, d + 1):
        for mask in map(list, combinations(range(d), size)):
            w = np.linalg.lstsq(X[:, mask], y, rcond=None)[0]
            room = (size - 1) * coherence
            assert np.abs(w - c[mask]).max() <= room / (1 - room) * np.abs(c[mask]).max() * (1 + 1e-9)
            scaled = (1 / low + 1 / high) / 2 * c[mask]
            bound = (high - low) / (high + low) * np.linalg.norm(scaled)
            assert np.linalg.norm(w - scaled) <= bound * (1 + 1e-9)


def test_the_margins_are_those_of_the_formulas():
    for seed in range(30):
        instance = draw(COHERENCE, seed)
        X, y, k = instance.matrix, instance.y, instance.sparsity
        nu, d = X[:, 0] @ X[:, 0], X.shape[1]
        c = np.sort(np.abs(X.T @ y / nu))[::-1]
        room = (d - 1) * np.abs(X.T @ X / nu - np.eye(d)).max()
        margin = (c[k - 1] - c[k]) / (2 * room / (1 - room) * c[0]) - 1
        assert COHERENCE.check(instance).margin == pytest.approx(margin, abs=1e-9)
        instance = draw(OPERATOR, seed)
        X, y, k = instance.matrix, instance.y, instance.sparsity
        c, cond = np.sort(np.abs(X.T @ y))[::-1], np.linalg.cond(X) ** 2
        margin = (c[k - 1] - c[k]) / (math.sqrt(2) * (cond - 1) / (cond + 1) * np.linalg.norm(c)) - 1
        assert OPERATOR.check(instance).margin == pytest.approx(margin, abs=1e-9)


def test_beyond_the_bound_some_fail():
    verdicts = [(OPERATOR.check(one), OPERATOR.conclusion(one)) for one in (draw(OPERATOR, seed) for seed in range(90))]
    failed = [check.margin for check, conclusion in verdicts if conclusion.status == "fails"]
    assert len(failed) >= 2
    assert max(failed) < 0


def test_hypotheses_that_fail():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(8)
    X = np.linalg.qr(rng.standard_normal((8, 4)))[0]
    assert "norms" in COHERENCE.check(Instance(X * [1, 1, 1, 2.0], y, 2)).reason
    assert COHERENCE.check(Instance(X * [1, 1, 1, 0.0], y, 2)).status == "fails"
    close = X.copy()
    close[:, 1] = (X[:, 0] + X[:, 1]) / math.sqrt(2)
    assert "mu" in COHERENCE.check(Instance(close, y, 2)).reason
    assert COHERENCE.check(Instance(close, y, 2)).status == "fails"
    assert OPERATOR.check(Instance(np.ones((3, 2)), np.ones(3), 1)).status in ("unknown", "fails")
    # orthonormal columns: every gap will do
    assert OPERATOR.check(Instance(np.eye(3), np.array([1.0, 2.0, 3.0]), 1)).status == "holds"
    assert COHERENCE.check(Instance(np.eye(3), np.array([1.0, 2.0, 3.0]), 1)).status == "holds"
