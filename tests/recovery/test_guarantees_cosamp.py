"""CoSaMP with a second fit: a plain loop keeps the proved rates, and the limit is where the rate is 1."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear.cosamp import LIMIT, first_rate, guarantees, later_rate, pursues

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
        union = np.union1d(np.flatnonzero(x), top(A.T @ (y - A @ x), 2 * s))
        x = fit(A, y, np.sort(top(fit(A, y, union), s)))
        yield x


def test_the_rates_are_those_of_a_plain_loop():
    held = plural = finite = 0
    for seed in range(45):
        instance = draw(KNOWN, seed)
        A, s, x = instance.matrix, instance.sparsity, instance.x
        verdict = KNOWN.check(instance)
        if verdict.status != "holds":
            continue
        constant = delta(A, 4 * s)
        assert verdict.margin == pytest.approx(LIMIT / constant - 1, abs=1e-8)
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        bound = np.linalg.norm(start - x) * (math.sqrt(4 / 3) if start.any() else 1.0)
        for point in textbook(A, instance.y, s, start, 6):
            bound *= later_rate(constant)
            error = np.linalg.norm(point - x)
            assert error <= bound * (1 + 1e-9) + 1e-11 * np.linalg.norm(x)
            if bound < np.min(np.abs(x[x != 0])):
                assert error <= 1e-10 * np.linalg.norm(x)
                finite += 1
        held += 1
        plural += s >= 2
        assert KNOWN.conclusion(instance).status == "holds"
    assert held > 20
    assert plural >= held / 2
    assert finite > 20


def test_the_limit_is_where_the_later_rate_is_one():
    assert later_rate(LIMIT) == pytest.approx(1.0, abs=1e-12)
    assert later_rate(LIMIT - 1e-6) < 1.0 < later_rate(LIMIT + 1e-6)
    assert LIMIT > 0.5  # the constants of the abstracts are inside
    assert first_rate(0.4858) < 1.0 < first_rate(0.4859)
    assert first_rate(1.0) == math.inf


def test_the_choice_from_a_fit_is_better_than_from_elsewhere():
    # what the choice O misses of x is at most sqrt(3/2) |v_V| after a fit, sqrt(2) |v_V| from any start, for every A:
    # v = (I - A'A)(x_t - x), V the missed indices and those of O outside both supports
    rng = np.random.default_rng(0)
    worst = {True: 0.0, False: 0.0}
    for _ in range(400):
        size, s = 16, int(rng.integers(1, 5))
        A = np.linalg.qr(rng.standard_normal((12, 12)))[0] @ rng.standard_normal((12, size)) * rng.uniform(0.05, 0.4)
        chosen, there = (np.sort(rng.permutation(size)[:s]) for _ in range(2))
        x = np.zeros(size)
        x[there] = rng.standard_normal(s) * 10.0 ** rng.uniform(-1.0, 1.0, s)
        for fitted in (True, False):
            start = fit(A, A @ x, chosen)
            if not fitted:
                start[chosen] += rng.standard_normal(s) * np.linalg.norm(x) * rng.uniform(0.0, 1.0)
            added = top(A.T @ (A @ (x - start)), 2 * s)
            missed = np.setdiff1d(there, np.union1d(chosen, added))
            v = (start - x) - A.T @ (A @ (start - x))
            both = np.union1d(np.union1d(chosen, there) if not fitted else there, chosen)
            places = np.union1d(missed if fitted else np.setdiff1d(both, added), np.setdiff1d(added, both))
            if missed.size:
                worst[fitted] = max(worst[fitted], np.linalg.norm(x[missed]) / np.linalg.norm(v[places]))
    assert 0.9 < worst[True] <= math.sqrt(1.5)
    assert 0.7 < worst[False] <= math.sqrt(2.0)


def test_what_the_statement_does_not_cover():
    x = np.array([1.0, 0.0, 0.0, 0.0, 2.0])
    instance = Instance.planted(np.eye(6)[:, :5], x)
    assert KNOWN.check(instance).status == "holds"
    assert KNOWN.conclusion(instance).status == "holds"
    assert KNOWN.check(instance.replace(noise=np.full(6, 1e-9))).status == "fails"
    assert KNOWN.check(Instance.planted(np.eye(5)[:4], x)).status == "fails"
    assert KNOWN.check(Instance(instance.A, instance.y, 2)).status == "unknown"
    assert KNOWN.conclusion(Instance.planted(np.eye(3), np.zeros(3))).status == "holds"


@pytest.mark.parametrize("extra", range(4))
def test_few_columns_need_no_more_rows(extra):
    # s = 2 and N = 3: a step that chooses 2 of the 3 columns, as with N > n and fewer than 3 s rows, breaks the bound
    e = 0.1 / math.sqrt(2.0)
    gram = np.array([[1.0, -e, e], [-e, 1.0, 0.0], [e, 0.0, 1.0]])
    A = np.vstack([np.linalg.cholesky(gram).T, np.zeros((extra, 3))])
    instance = Instance.planted(A, np.array([1.0, 0.135, 0.0]))
    assert KNOWN.check(instance).status == KNOWN.conclusion(instance).status == "holds"


def test_beyond_the_limit_it_may_fail():
    failed = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        x = np.zeros(14)
        x[:3] = 1.0
        instance = Instance.planted(rng.standard_normal((9, 14)), x)
        assert KNOWN.check(instance).status == "fails"
        verdict = KNOWN.conclusion(instance)
        ends = list(textbook(instance.matrix, instance.y, 3, np.zeros(14), 60))[-1]
        if np.linalg.norm(ends - x) < 1e-9:
            assert verdict.status == "holds"
        failed += verdict.status == "fails"
    assert 0 < failed < 15
    assert pursues(0.9)(Instance.planted(np.eye(6), np.eye(6)[0])).status == "holds"
