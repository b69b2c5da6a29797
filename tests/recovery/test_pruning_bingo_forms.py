"""BINGO's closed forms: against the recursions run, sampled scores, and enumeration of all subsets."""

import itertools

import numpy as np
import pytest

from recovery.pruning.closed_forms import bingo


def run(function, changes, start, **options):
    score = start
    for count, change in enumerate(changes):
        more = {"n_probes": count} if function is bingo.running_mean else {}
        score = function(score, 1.0, 1.0 - change, **more, **options)
    return score


def test_the_printed_score_is_one_minus_the_corrected_one_and_prunes_in_reverse():
    rng = np.random.default_rng(0)
    probes = [(rng.random(40) < 0.3, rng.uniform(0.1, 1.0), rng.uniform(0.0, 1.0)) for _ in range(60)]
    printed = corrected = np.full(40, bingo.STARTS["printed"])
    for subset, before, after in probes:
        printed = np.where(subset, bingo.printed_score(printed, before, after), printed)
        corrected = np.where(subset, bingo.corrected_score(corrected, before, after), corrected)
    np.testing.assert_allclose(printed, 1.0 - corrected, rtol=0, atol=1e-12)
    assert np.array_equal(np.argsort(printed), np.argsort(corrected)[::-1])
    assert corrected.max() - corrected.min() > 0.1


@pytest.mark.parametrize("start", [0.0, 0.3, 1.0])
def test_from_another_start_the_sum_tends_to_one_by_halves(start):
    changes = np.random.default_rng(1).uniform(0, 0.9, 12)
    for n in range(len(changes) + 1):
        total = run(bingo.printed_score, changes[:n], start) + run(bingo.corrected_score, changes[:n], start)
        assert total == pytest.approx(1.0 + (2.0 * start - 1.0) / 2.0**n, abs=1e-15)


def test_each_rule_by_hand():
    assert bingo.printed_score(0.5, 0.8, 0.6) == pytest.approx((0.5 + 1.0 - 0.25) / 2)
    assert bingo.corrected_score(0.5, 0.8, 0.6) == pytest.approx((0.5 + 0.25) / 2)
    assert bingo.released_score(0.0, 0.8, 0.6) == pytest.approx(0.1)
    assert bingo.released_score(0.5, 0.0, 0.6) == pytest.approx(0.55)  # not divided by 0
    assert bingo.running_mean(0.0, 0.8, 0.6, 0) == pytest.approx(0.25)
    assert bingo.printed_score(0.5, 0.1, 0.9) == pytest.approx(-3.25)  # scores can leave [0, 1]
    for rule in (bingo.printed_score, bingo.corrected_score):
        with pytest.raises(ValueError, match="before=0; expected a positive number"):
            rule(0.5, 0.0, 0.1)


def test_the_running_mean_is_the_mean():
    changes = np.random.default_rng(2).uniform(0, 1, 50)
    assert run(bingo.running_mean, changes, 0.0) == pytest.approx(changes.mean(), rel=1e-13)
    counts, scores = np.array([1, 4]), np.array([0.5, 0.5])  # weights that were probed once and four times
    np.testing.assert_allclose(bingo.running_mean(scores, 1.0, 0.0, counts), [0.75, 0.6], rtol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 20])
def test_weights_of_the_probes_are_what_unit_impulses_leave(n):
    impulses = [run(bingo.corrected_score, np.arange(n) == k, 0.0) for k in range(n)]
    np.testing.assert_allclose(bingo.probe_weights(n), impulses, rtol=1e-15)
    assert bingo.probe_weights(n).sum() + 2.0**-n == 1.0
    if n:
        weights = bingo.probe_weights(n)
        assert bingo.effective_sample_size(n) == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-14)
        assert bingo.score_variance(2.5, n) == pytest.approx(2.5 * (weights**2).sum(), rel=1e-14)


def test_three_probes_are_remembered():
    assert bingo.effective_sample_size() == bingo.effective_sample_size(200) == 3.0
    assert bingo.effective_sample_size(1) == 1.0
    assert bingo.effective_sample_size(2) == pytest.approx(1.8, rel=1e-15)
    assert bingo.probe_weights(30)[-5:].sum() == 0.96875  # the last five carry 96.9 %
    assert bingo.score_variance(1.0) == pytest.approx(1 / 3)
    assert bingo.score_variance(1.0, 0) == 0.0


def test_variance_of_the_average_stays_and_that_of_the_mean_falls():
    rng = np.random.default_rng(3)
    for n in (10, 40, 160):
        changes = rng.exponential(0.2, (20_000, n))
        # a variance over 20,000 draws of exponential numbers has a standard error of about 2 %
        assert np.var(changes @ bingo.probe_weights(n)) == pytest.approx(bingo.score_variance(0.04, n), rel=0.1)
        assert np.var(changes.mean(axis=1)) == pytest.approx(bingo.running_mean_variance(0.04, n), rel=0.1)


def test_never_probed():
    assert bingo.never_probed(0.01, 0) == 1.0
    assert bingo.never_probed(0.25, 3) == pytest.approx(0.421875)
    assert bingo.never_probed(1.0, 1) == 0.0


def enumerated(gradient, hessian, shift, size):
    """The mean of the loss change over all subsets that hold a weight, from the loss itself."""
    p = len(gradient)
    total, count = np.zeros(p), np.zeros(p)
    for subset in itertools.combinations(range(p), size):
        moved = np.zeros(p)
        moved[list(subset)] = shift[list(subset)]
        total[list(subset)] += gradient @ moved + moved @ hessian @ moved / 2
        count[list(subset)] += 1
    return total / count


@pytest.mark.parametrize("p", [1, 2, 3, 6, 10])
@pytest.mark.parametrize("definite", [True, False])
def test_expected_change_is_the_mean_over_all_subsets(p, definite):
    rng = np.random.default_rng(p)
    A = rng.standard_normal((p, p))
    hessian = A @ A.T if definite else A + A.T
    w, start, gradient = rng.standard_normal((3, p))
    for shift in (start - w, -w):
        for size in range(1, p + 1):
            found = bingo.expected_change(gradient, hessian, shift, size)
            np.testing.assert_allclose(found, enumerated(gradient, hessian, shift, size), rtol=1e-10, atol=1e-10)


def test_expected_change_of_one_weight_and_of_all():
    rng = np.random.default_rng(9)
    A = rng.standard_normal((5, 5))
    hessian, gradient, shift = A + A.T, *rng.standard_normal((2, 5))
    np.testing.assert_allclose(
        bingo.expected_change(gradient, hessian, shift, 1),
        bingo.single_change(gradient, np.diag(hessian), shift),
        rtol=1e-14,
    )
    everything = gradient @ shift + shift @ hessian @ shift / 2
    np.testing.assert_allclose(bingo.expected_change(gradient, hessian, shift, 5), everything, rtol=1e-12)


def test_at_an_optimum_reset_is_movement_and_zeroing_is_brain_damage():
    rng = np.random.default_rng(4)
    X, y, start = rng.standard_normal((30, 6)), rng.standard_normal(30), rng.standard_normal(6)
    w = np.linalg.lstsq(X, y)[0]

    def loss(weights):
        return 0.5 * np.sum((X @ weights - y) ** 2) / 30

    curvature = np.sum(X * X, axis=0) / 30
    for target, known in ((start, curvature * (w - start) ** 2 / 2), (0 * w, curvature * w**2 / 2)):
        seen = [loss(np.where(np.arange(6) == j, target, w)) - loss(w) for j in range(6)]
        np.testing.assert_allclose(bingo.single_change(0 * w, curvature, target - w), known, rtol=1e-14)
        np.testing.assert_allclose(seen, known, rtol=1e-10, atol=1e-14)


def test_both_devices(backend):
    rng = np.random.default_rng(5)
    A, gradient, shift = rng.standard_normal((4, 4)), *rng.standard_normal((2, 4))
    there = bingo.expected_change(backend.put(gradient), backend.put(A + A.T), backend.put(shift), 3)
    np.testing.assert_allclose(backend.get(there), bingo.expected_change(gradient, A + A.T, shift, 3), rtol=1e-14)
    scores = backend.put(np.full(4, 0.5))
    for rule in (bingo.printed_score, bingo.corrected_score, bingo.released_score):
        assert backend.get(rule(scores, 0.8, 0.4)).shape == (4,)
    assert backend.get(bingo.running_mean(scores, 0.8, 0.4, backend.put(np.arange(4.0)))).shape == (4,)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: bingo.expected_change(np.ones(3), np.eye(2), np.ones(3), 1), r"hessian and shift have the shapes"),
        (lambda: bingo.expected_change(np.ones(3), np.eye(3), np.ones(2), 1), r"hessian and shift have the shapes"),
        (lambda: bingo.expected_change(np.ones(3), np.eye(3), np.ones(3), 4), r"size=4"),
        (lambda: bingo.expected_change(np.ones(3), np.eye(3), np.ones(3), 0), r"size=0"),
        (lambda: bingo.single_change(np.ones(3), np.ones(2), np.ones(3)), r"expected one entry per weight"),
        (lambda: bingo.effective_sample_size(0), r"n_probes=0"),
        (lambda: bingo.never_probed(1.5, 3), r"share=1.5"),
    ],
)
def test_bad_input_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
