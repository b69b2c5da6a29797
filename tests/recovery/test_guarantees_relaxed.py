"""Keeping more entries than x has: the constant of the projection, both conditions, and their rates by a plain loop."""

import math

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear.relaxed import (
    expansion,
    guarantees,
    jain_tewari_kar_rule,
    largest_kappa,
    orthonormal_sampler,
    relaxed_rule,
)

RELAXED, JTK = guarantees()


def top(u, s):
    kept = np.zeros(len(u))
    chosen = np.argsort(-np.abs(u), kind="stable")[:s]
    kept[chosen] = u[chosen]
    return kept


@pytest.mark.parametrize(("s", "kept"), [(1, 1), (1, 4), (2, 3), (3, 3), (2, 12)])
def test_the_expansion_is_the_best_constant(s, kept):
    tau = expansion(s, kept)
    rng = np.random.default_rng(s * 100 + kept)
    for _ in range(300):
        x = np.zeros(kept + s + 3)
        x[rng.permutation(x.size)[:s]] = rng.standard_normal(s)
        u = x + rng.standard_normal(x.size) * 10.0 ** rng.uniform(-2, 1) * (rng.random(x.size) < rng.random())
        assert np.linalg.norm(top(u, kept) - x) <= tau * np.linalg.norm(u - x) * (1 + 1e-12)
    # the extremal vector: x on s indices, u equal on those and on s~ others, which are kept
    rho = s / kept
    x, u = np.zeros(kept + s), np.zeros(kept + s)
    q = 1.0
    p = q / (tau**2 - 1 - rho) * math.sqrt(rho)  # eigenvector of [[1 + rho, sqrt rho], [sqrt rho, 1]] is (p, q)
    p, q = (tau**2 - 1) / math.sqrt(rho), 1.0
    u[:kept] = p / math.sqrt(kept)
    u[kept:] = p / math.sqrt(kept) * (1 - 1e-12)
    x[kept:] = (math.sqrt(rho) * p + q) / math.sqrt(s)
    assert np.linalg.norm(top(u, kept) - x) == pytest.approx(tau * np.linalg.norm(u - x), rel=1e-9)


def test_the_largest_condition_numbers():
    golden = (math.sqrt(5) - 1) / 2
    assert expansion(3, 3) == pytest.approx(1 / golden)
    assert expansion(0, 5) == 1.0
    kappa = largest_kappa(4, 4)
    assert kappa == pytest.approx(2 + math.sqrt(5))
    assert (kappa - 1) / (kappa + 1) == pytest.approx(golden)
    for s, kept in [(1, 3), (2, 9), (3, 40)]:
        kappa = largest_kappa(s, kept)
        assert (kappa - 1 / kappa) ** 2 * s / 16 == pytest.approx(kept)
        assert expansion(s, kept) * (kappa - 1) / (kappa + 1) == pytest.approx(1.0)
        kappa = largest_kappa(s, kept, 32.0)
        assert 32 * kappa**2 * s == pytest.approx(kept)
        assert kappa < largest_kappa(s, kept)  # the published condition asks for more
    for bad in [(0, 0), (3, 2), (-1, 4)]:
        with pytest.raises(ValueError, match="out of range"):
            expansion(*bad)
    with pytest.raises(ValueError, match="out of range"):
        largest_kappa(2, 1)
    with pytest.raises(ValueError, match="out of range"):
        largest_kappa(1, 4, 0.0)


def spectrum(A, order):
    from itertools import combinations

    found = []
    for chosen in combinations(range(A.shape[1]), min(order, A.shape[1])):
        found.extend(np.linalg.eigvalsh(A[:, chosen].T @ A[:, chosen]))
    return min(found), max(found)


def test_errors_of_a_plain_loop_fall_at_the_rate():
    held = plural = more = 0
    for seed in range(40):
        instance = draw(RELAXED, seed)
        A, s, x, kept = instance.matrix, instance.sparsity, instance.x, instance.options["relaxed"]
        verdict = RELAXED.check(instance)
        if verdict.status != "holds":
            continue
        low, high = spectrum(A, 2 * kept + s)
        assert verdict.margin == pytest.approx(largest_kappa(s, kept) * low / high - 1, abs=1e-8)
        rate = expansion(s, kept) * (high - low) / (high + low)
        point = np.zeros(len(x)) if instance.x0 is None else np.array(instance.x0)
        bound = np.linalg.norm(point - x)
        for _ in range(15):
            point = top(point + 2 / (low + high) * A.T @ (instance.y - A @ point), kept)
            bound *= rate
            assert np.linalg.norm(point - x) <= bound * (1 + 1e-9) + 1e-11 * np.linalg.norm(x)
        held += 1
        plural += s >= 2
        more += kept > s
        assert RELAXED.conclusion(instance).status == "holds"
    assert held > 20
    assert plural >= held / 2
    assert more > held / 2


def test_objectives_of_a_plain_loop_fall_as_jain_tewari_and_kar_have_it():
    held = gated = 0
    for seed in range(16, 28):
        instance = draw(JTK, seed)
        A, s, kept = instance.matrix, instance.sparsity, instance.options["relaxed"]
        verdict = JTK.check(instance)
        if verdict.status != "holds":
            continue
        values = np.linalg.svd(A, compute_uv=False) ** 2  # 2 s~ + s exceeds the number of columns
        low, high = values[-1], values[0]
        assert kept >= 32 * (high / low) ** 2 * s
        assert verdict.margin == pytest.approx(math.sqrt(kept / 32 / s) * low / high - 1, abs=1e-9)
        point = np.zeros(A.shape[1]) if instance.x0 is None else np.array(instance.x0)
        value = np.sum((A @ point - instance.y) ** 2)
        floor = 1e-20 * np.sum(instance.y**2)
        for _ in range(15):
            point = top(point + 2 / (3 * high) * A.T @ (instance.y - A @ point), kept)
            new = np.sum((A @ point - instance.y) ** 2)
            assert new <= (1 - 5 * low / (9 * high)) * value * (1 + 1e-9) + floor
            value = new
        held += 1
        gated += instance.gated is not None
        assert JTK.conclusion(instance).status == "holds"
    assert held > 5
    assert gated


def test_too_few_entries_stay_at_a_wrong_point():
    # s~ = s and two columns beyond the golden ratio: the condition fails, and so does the run
    d = 0.63
    A = np.linalg.cholesky(np.array([[1.0, d], [d, 1.0]])).T
    stuck = Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, d]), options={"relaxed": 1})
    assert RELAXED.check(stuck).status == "fails"
    assert RELAXED.conclusion(stuck).status == "fails"
    # with both entries kept it is least squares
    both = stuck.with_options(relaxed=2)
    assert RELAXED.check(both).status == "holds"
    assert RELAXED.conclusion(both).status == "holds"


@pytest.mark.parametrize("known", [RELAXED, JTK], ids=["relaxed", "jtk"])
def test_what_the_statements_do_not_cover(known):
    instance = orthonormal_sampler(np.random.default_rng(3))
    assert relaxed_rule(None)(instance).status == "holds"
    plain = Instance(instance.A, instance.y, instance.sparsity, x=instance.x, noise=instance.noise)
    assert known.check(plain).status == "unknown"  # s~ is not known
    assert known.check(instance.with_options(relaxed=instance.shape[1] + 1)).status == "fails"
    assert known.check(instance.with_options(relaxed=0)).status == "fails"
    assert known.check(instance.replace(noise=np.full(instance.shape[0], 1e-9))).status == "fails"
    assert known.check(instance.replace(x0=np.ones(instance.shape[1]))).status == "fails"


def test_the_published_constant_needs_many_columns():
    A = np.eye(40)
    x = np.zeros(40)
    x[0] = 1.0
    instance = Instance.planted(A, x)
    assert jain_tewari_kar_rule(instance.with_options(relaxed=31)).status == "fails"
    assert jain_tewari_kar_rule(instance.with_options(relaxed=33)).status == "holds"
    assert relaxed_rule(None)(instance.with_options(relaxed=1)).status == "holds"


@pytest.mark.parametrize("known", [RELAXED, JTK], ids=["relaxed", "jtk"])
@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_a_sparsity_that_no_run_can_have_is_no_error(known, kept):
    instance = draw(RELAXED, 0)
    changed = instance.replace(sparsity=2).with_options(relaxed=kept)
    judgement = known.judge(changed)
    assert (judgement.check.status, judgement.conclusion.status) == ("fails", "unknown")
