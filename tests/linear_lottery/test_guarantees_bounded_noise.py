"""The bounds for one noise vector: no violation up to the boundary, and none of the constants can be lowered."""

import math
from functools import partial

import numpy as np
import pytest

from linear_lottery.guarantees import bounded_noise
from linear_lottery.guarantees.bounded_noise import BOUNDED_NOISE
from recovery import Instance
from recovery.guarantees import attack, draw, steer

SMALLEST, LARGEST, BACKWARD = BOUNDED_NOISE


def with_constant(guarantee, constant):
    return type(guarantee)(
        **{
            name: getattr(guarantee, name) for name in ("kind", "statement", "source", "evidence", "outcome", "sampler")
        },
        name=guarantee.name + "-false",
        hypotheses=partial(bounded_noise._bounded_noise, constant=constant),
    )


def at_the_boundary(guarantee, seeds):
    """Yield instances with the noise at 0.9 to 0.9999 of the bound."""
    for seed in seeds:
        part = np.random.default_rng(seed).uniform()
        scale = 1.0 - 10.0 ** -(1.0 + 3.0 * part)
        yield steer(guarantee, draw(guarantee, seed, steered=False), 1.0 / scale - 1.0)


@pytest.mark.parametrize("seeds", [range(1000), pytest.param(range(1000, 11_000), marks=pytest.mark.slow)])
def test_the_noise_at_nine_tenths_of_the_bound_and_more(seeds):
    held = 0
    for instance in at_the_boundary(SMALLEST, seeds):
        one = SMALLEST.judge(instance)
        held += one.check.status == "holds" and one.check.margin <= 0.13
        assert not one.violated
        if one.check.status == "holds":
            assert one.conclusion.status == "holds"  # not even unknown: four schedules each
    assert held >= 0.95 * len(seeds)


def counter_example(eps, a=1.0):
    """Return X = I, w* = (2 a - eps, 0), xi = (-a, a): the noise makes the null weight the larger one."""
    return Instance.planted(np.eye(2), [2 * a - eps, 0.0], [-a, a])


def test_the_constant_sqrt_2_is_the_best_one():
    past = counter_example(1e-6)
    assert SMALLEST.check(past).status == "fails"
    assert SMALLEST.check(past).margin == pytest.approx(-0.5e-6, rel=1e-3)
    assert SMALLEST.conclusion(past).status == "fails"
    before = counter_example(-1e-6)
    assert SMALLEST.check(before).status == SMALLEST.conclusion(before).status == "holds"
    assert with_constant(SMALLEST, math.sqrt(2) - 1e-6).judge(past).violated


def test_the_counter_example_is_of_any_size_and_condition():
    """More weights, and columns that are nearly collinear: eta is aimed in the weakest direction."""
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((9, 6)))[0]
    X[:, [0, 4]] = (X[:, [0, 4]] * [1.0, 1e-3]) @ np.array([[1.0, 1.0], [-1.0, 1.0]]) / math.sqrt(2)
    for eps, status in ((1e-5, "fails"), (-1e-5, "holds")):
        x = np.array([2 - eps, 5.0, 0.0, -3.0, 0.0, 0.0])
        weakest = np.array([-1.0, 0, 0, 0, 1.0, 0])
        assert np.linalg.norm(X @ weakest) == pytest.approx(math.sqrt(2) * np.linalg.svd(X)[1][-1])
        instance = Instance.planted(X, x, X @ weakest)
        assert SMALLEST.check(instance).status == SMALLEST.conclusion(instance).status == status


def test_a_lowered_constant_is_noticed():
    false = with_constant(SMALLEST, 1.2)
    judged = [false.judge(draw(false, seed)) for seed in range(150)]
    assert sum(one.violated for one in judged) >= 1
    assert attack(false, rng=0).status == "broken"
    assert attack(SMALLEST, evaluations=200, rng=0).status == "survived"


def test_backward_elimination_needs_2_and_not_sqrt_2():
    """Nearly parallel columns, one much longer: both saliencies move by almost |P_X xi|."""
    theta, long, eps = 0.05, 100.0, 1e-3
    X = np.array([[math.cos(theta), long], [math.sin(theta), 0.0]])
    rows = np.linalg.inv(X)
    first, second = rows[0] / np.linalg.norm(rows[0]), rows[1] / np.linalg.norm(rows[1])
    assert abs(first @ second) == pytest.approx(math.cos(theta))
    # noise that pulls the first saliency down and pushes the second one up
    noise = -first + np.sign(-first @ second) * second
    noise /= np.linalg.norm(noise)
    x = np.array([(1 - eps) * 2 * math.cos(theta / 2) * np.linalg.norm(rows[0]), 0.0])
    failing = Instance.planted(X, x, noise)
    assert BACKWARD.conclusion(failing).status == "fails"
    assert -0.01 < BACKWARD.check(failing).margin < 0
    assert with_constant(BACKWARD, 1.98).judge(failing).violated
    # the bound for IMP does not carry over
    assert with_constant(BACKWARD, math.sqrt(2)).judge(failing).violated


def test_the_largest_noise_is_that_of_all_masks():
    rng = np.random.default_rng(2)
    X, noise = rng.standard_normal((9, 6)), rng.standard_normal(9)
    instance = Instance.planted(X, [1.0, 0, 0, 2.0, 0, 0], noise)
    worst = 0.0
    for bits in range(1, 16):
        mask = np.array([True, bits & 1, bits & 2, True, bits & 4, bits & 8], dtype=bool)
        worst = max(worst, np.abs(np.linalg.pinv(X[:, mask]) @ noise).max())
    verdict = LARGEST.check(instance)
    assert verdict.margin == pytest.approx(1 / (2 * worst) - 1, rel=1e-10)


def test_the_largest_noise_gives_up_beyond_its_size():
    rng = np.random.default_rng(2)
    instance = Instance.planted(rng.standard_normal((20, 16)), np.eye(16)[0] * 100, rng.standard_normal(20))
    assert LARGEST.check(instance).status == "unknown"
    assert "enumerate" in LARGEST.check(instance).reason


def test_one_bound_implies_the_other_only_up_to_a_factor():
    """|eta|_inf <= |P_X xi| / sigma_min: the norm's bound times sqrt(2) implies that of the largest noise."""
    for seed in range(100):
        instance = draw(SMALLEST, seed)
        if SMALLEST.check(instance).margin > math.sqrt(2) - 1 + 1e-9:
            assert LARGEST.check(instance).status == "holds"


def test_noise_outside_the_range_of_X_does_not_count():
    instance = Instance.planted(np.eye(4)[:, :2], [1.0, 0.0], [0.1, 0.1, 1e3, -1e3])
    assert SMALLEST.check(instance).status == SMALLEST.conclusion(instance).status == "holds"
    nothing = Instance.planted(np.eye(4)[:, :2], [0.0, 0.0], [0.1, 0.1, 0.0, 0.0])
    assert SMALLEST.check(nothing).status == "fails"
    assert "nothing to recover" in SMALLEST.check(nothing).reason
