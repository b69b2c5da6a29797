"""Subspace pursuit: a plain loop keeps the proved rates, and the limit is where the rate is 1."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear import cosamp
from recovery.guarantees.linear.subspace_pursuit import LIMIT, guarantees, pursues, rate, start_rate

(KNOWN,) = guarantees()


def delta(A, order):
    found = []
    for chosen in combinations(range(A.shape[1]), min(order, A.shape[1])):
        found.extend(np.linalg.eigvalsh(A[:, chosen].T @ A[:, chosen]))
    return (max(found) - min(found)) / (max(found) + min(found))


def fit(A, y, chosen):
    x = np.zeros(A.shape[1])
    x[chosen] = np.linalg.lstsq(A[:, chosen], y)[0]
    return x


def top(u, s):
    return np.argsort(-np.abs(u), kind="stable")[:s]


def textbook(A, y, s, x, steps):
    for _ in range(steps):
        union = np.union1d(np.flatnonzero(x), top(A.T @ (y - A @ x), s))
        x = fit(A, y, np.sort(top(fit(A, y, union), s)))
        yield x


def test_the_rates_are_those_of_a_plain_loop():
    held = plural = finite = begun = 0
    for seed in range(40):
        instance = draw(KNOWN, seed)
        A, s, x = instance.matrix, instance.sparsity, instance.x
        verdict = KNOWN.check(instance)
        if verdict.status != "holds":
            continue
        constant = delta(A, 3 * s)
        assert verdict.margin == pytest.approx(LIMIT / constant - 1, abs=1e-8)
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        bound = np.linalg.norm(start - x)
        for t, point in enumerate(textbook(A, instance.y, s, start, 6)):
            bound *= start_rate(constant) if t == 0 and start.any() else rate(constant)
            error = np.linalg.norm(point - x)
            assert error <= bound * (1 + 1e-9) + 1e-11 * np.linalg.norm(x)
            if bound < np.min(np.abs(x[x != 0])):
                assert error <= 1e-10 * np.linalg.norm(x)
                finite += 1
        held += 1
        plural += s >= 2
        begun += start.any()
        assert KNOWN.conclusion(instance).status == "holds"
    assert held > 20
    assert plural >= held / 2
    assert finite > 20
    assert begun > 5


def test_the_limit_is_where_the_rate_is_one():
    assert rate(LIMIT) == pytest.approx(1.0, abs=1e-12)
    assert rate(LIMIT - 1e-6) < 1.0 < rate(LIMIT + 1e-6)
    assert pytest.approx(0.4859, abs=5e-5) == LIMIT  # beyond 0.165 and 0.205 of the literature
    assert start_rate(0.3) > rate(0.3)
    assert start_rate(0.0) == 1.0
    assert start_rate(1.0) == rate(1.0) == math.inf


def test_what_the_choice_misses_for_every_matrix():
    # at most sqrt(2) |v_V| after a fit, v = (I - A'A)(x_t - x), V the missed indices and those of O outside S and S_t;
    # from elsewhere |x_t| on S_t \ S more
    rng = np.random.default_rng(0)
    worst = {True: 0.0, False: 0.0}
    for _ in range(250):
        size, s = 14, int(rng.integers(1, 5))
        A = np.linalg.qr(rng.standard_normal((12, 12)))[0] @ rng.standard_normal((12, size)) * rng.uniform(0.05, 0.4)
        chosen, there = (np.sort(rng.permutation(size)[:s]) for _ in range(2))
        x = np.zeros(size)
        x[there] = rng.standard_normal(s) * 10.0 ** rng.uniform(-1.0, 1.0, s)
        for fitted in (True, False):
            start = fit(A, A @ x, chosen)
            if not fitted:
                start[chosen] += rng.standard_normal(s) * np.linalg.norm(x) * rng.uniform(0.0, 1.0)
            added = top(A.T @ (A @ (x - start)), s)
            missed = np.setdiff1d(there, np.union1d(chosen, added))
            v = (start - x) - A.T @ (A @ (start - x))
            places = np.union1d(missed, np.setdiff1d(added, np.union1d(chosen, there) if fitted else there))
            more = 0.0 if fitted else np.linalg.norm(start[np.setdiff1d(chosen, there)])
            if missed.size:
                worst[fitted] = max(
                    worst[fitted], np.linalg.norm(x[missed]) / (math.sqrt(2.0) * np.linalg.norm(v[places]) + more)
                )
    assert 0.6 < worst[True] <= 1.0
    assert 0.3 < worst[False] <= 1.0


def test_what_the_statement_does_not_cover():
    x = np.array([1.0, 0.0, 0.0, 0.0, 2.0])
    instance = Instance.planted(np.eye(6)[:, :5], x)
    assert KNOWN.check(instance).status == "holds"
    assert KNOWN.conclusion(instance).status == "holds"
    assert KNOWN.check(instance.replace(noise=np.full(6, 1e-9))).status == "fails"
    for size in (2, 3, 5):  # no row is needed beyond the columns, for CoSaMP neither
        square = Instance.planted(np.eye(size), x[-size:]).replace(sparsity=2)
        for guarantee in (KNOWN, *cosamp.guarantees()):
            assert guarantee.check(square).status == "holds"
            assert guarantee.conclusion(square).status == "holds"
    assert KNOWN.check(Instance(instance.A, instance.y, 2)).status == "unknown"
    assert KNOWN.conclusion(Instance.planted(np.eye(3), np.zeros(3))).status == "holds"


def test_beyond_the_limit_it_may_fail():
    failed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = np.zeros(14)
        x[:3] = 1.0
        instance = Instance.planted(rng.standard_normal((7, 14)), x)
        assert KNOWN.check(instance).status == "fails"
        failed += KNOWN.conclusion(instance).status == "fails"
    assert failed > 0
    assert pursues(0.9)(Instance.planted(np.eye(6), np.eye(6)[0])).status == "holds"
