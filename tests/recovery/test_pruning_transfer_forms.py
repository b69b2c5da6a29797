"""Closed forms of ticket transfer: against gradient descent, other least squares, and averages over Gaussian inputs."""

import math

import numpy as np
import pytest

from recovery.pruning.closed_forms import transfer


def problem(n, p, size, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    X, mask = rng.standard_normal((n, p)), np.zeros(p, dtype=bool)
    mask[rng.permutation(p)[:size]] = True
    truth, start = rng.standard_normal((2, p))
    return X, mask, truth, start, noise * rng.standard_normal(n)


@pytest.mark.parametrize(("n", "size"), [(6, 12), (30, 8), (1, 5), (5, 1)])
def test_gradient_descent_ends_there(n, size):
    X, mask, truth, start, noise = problem(n, 20, size, n + size, 0.3)
    y, w = X @ truth + noise, np.where(mask, start, 0.0)
    part = X * mask
    step = 1.0 / np.linalg.norm(part, 2) ** 2
    for _ in range(4_000):
        w = w - step * part.T @ (part @ w - y)
    np.testing.assert_allclose(transfer.training_limit(X, y, start, mask), w, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("n", "size"), [(4, 9), (25, 9)])
def test_which_starts_matter(n, size):
    X, mask, truth, start, _ = problem(n, 15, size, 3)
    ends = [transfer.training_limit(X, X @ truth, one, mask) for one in (start, 0 * start, truth)]
    apart = np.linalg.norm(ends[0] - ends[1])
    assert (apart < 1e-12) == (n >= size)
    assert not ends[0][~mask].any()


@pytest.mark.parametrize(("n", "size"), [(4, 9), (25, 9), (9, 9), (3, 0), (7, 15)])
def test_the_error_is_the_sum_of_three_parts(n, size):
    X, mask, truth, start, noise = problem(n, 15, size, n, 0.5)
    split = transfer.error_split(X, start, truth, mask, noise)
    end = transfer.training_limit(X, X @ truth + noise, start, mask)
    assert split.total == pytest.approx(np.sum((end - truth) ** 2), rel=1e-8)
    assert split.outside == pytest.approx(np.sum(truth[~mask] ** 2), rel=1e-14)
    part, away = X[:, mask], (start - truth)[mask]
    assert split.start == pytest.approx(np.sum((away - np.linalg.pinv(part) @ (part @ away)) ** 2), abs=1e-10)
    assert (split.start < 1e-10) == (n >= size)


def draws(n, size, outside, distance, sigma, count, seed):
    """Errors of `count` draws of Gaussian inputs, from pseudo-inverses; by symmetry one weight outside is enough."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((count, n, size))
    extra = math.sqrt(outside) * rng.standard_normal((count, n)) + sigma * rng.standard_normal((count, n))
    away = rng.standard_normal((count, size))
    away *= math.sqrt(distance) / np.linalg.norm(away, axis=1)[:, None]
    inverse = np.linalg.pinv(A)
    moved = away - np.einsum("kij,kj->ki", inverse, np.einsum("kij,kj->ki", A, away) - extra)
    return outside + np.sum(moved**2, axis=1)


@pytest.mark.parametrize(
    ("n", "size", "outside", "distance", "sigma"),
    [
        (20, 40, 0.5, 2.0, 0.0),
        (60, 40, 0.5, 2.0, 0.0),
        (10, 40, 1.0, 0.3, 0.5),
        (80, 40, 0.2, 1.0, 1.0),
        (5, 30, 0, 1, 0),
    ],
)
def test_expected_error_is_the_mean_over_gaussian_inputs(n, size, outside, distance, sigma):
    assert abs(n - size) >= 20
    seen = draws(n, size, outside, distance, sigma, 600, 7)
    expected = transfer.expected_error(n, size, outside, distance, sigma**2)
    assert np.mean(seen) == pytest.approx(expected, rel=0.05)
    assert abs(np.mean(seen) - expected) < 4.5 * np.std(seen) / math.sqrt(len(seen)) + 1e-12


def test_medians_are_below_the_mean_near_the_number_of_weights():
    seen = draws(38, 40, 1.0, 1.0, 0.0, 400, 8)
    assert np.median(seen) < 0.7 * transfer.expected_error(38, 40, 1.0, 1.0)


def test_the_formula_by_hand():
    out, away = 0.7, 2.0
    # the two forms in which the literature of this project has it
    assert transfer.expected_error(100, 40, out) == pytest.approx(out * 99 / 59)
    assert transfer.expected_error(20, 40, out, away) == pytest.approx(out + away / 2 + out * 20 / 19)
    # with noise: against fresh noisy targets the whole of it plays the part of `outside`
    assert transfer.expected_error(100, 40, out, 0.0, 0.3) + 0.3 == pytest.approx((out + 0.3) * 99 / 59)
    assert transfer.expected_error(0, 40, out, away) == pytest.approx(out + away)
    assert transfer.expected_error(9, 0, out, 0.0, 5.0) == out
    assert transfer.expected_error(100, 40, 0.0, away) == 0.0
    for n in (39, 40, 41):
        assert transfer.expected_error(n, 40, out, away) == math.inf
        assert transfer.expected_error(n, 40, 0.0, away) == pytest.approx(max(1 - n / 40, 0) * away)
        assert not transfer.mean_is_finite(n, 40)
    assert transfer.mean_is_finite(42, 40)
    assert transfer.mean_is_finite(38, 40)
    assert transfer.mean_is_finite(0, 1)
    assert transfer.expected_error(0, 1, out, away) == pytest.approx(out + away)


def test_which_start_wins():
    rng = np.random.default_rng(5)
    size, n, p = 12, 4, 30
    mask = np.arange(p) < size
    for trial in range(20):
        truth, source, start = rng.standard_normal((3, p)) * np.array([[1.0], [1.0], [0.3]])
        source = source + truth * (trial % 2)
        near, far = (np.sum((truth - one)[mask] ** 2) for one in (source, start))
        outside = np.sum(truth[~mask] ** 2)
        wins = transfer.expected_error(n, size, outside, near) < transfer.expected_error(n, size, outside, far)
        assert transfer.ticket_wins(truth, source, start, mask) == wins


def test_both_devices(backend):
    for n, size in ((4, 9), (25, 9)):
        X, mask, truth, start, noise = problem(n, 15, size, n, 0.5)
        there = [backend.put(one) for one in (X, X @ truth + noise, start, mask)]
        found = backend.get(transfer.training_limit(*there))
        np.testing.assert_allclose(found, transfer.training_limit(X, X @ truth + noise, start, mask), atol=1e-12)
        split = transfer.error_split(*(backend.put(one) for one in (X, start, truth, mask, noise)))
        assert split == pytest.approx(transfer.error_split(X, start, truth, mask, noise), abs=1e-12)
        three = [backend.put(one) for one in (truth, start, truth * 0, mask)]
        assert transfer.ticket_wins(*three) == transfer.ticket_wins(truth, start, truth * 0, mask)
    single = [backend.put(one.astype(np.float32)) for one in (X, X @ truth, start)]
    assert backend.get(transfer.training_limit(*single, backend.put(mask))).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: transfer.expected_error(-1, 3, 1.0), "n=-1"),
        (lambda: transfer.expected_error(1, 3, -1.0), "outside=-1"),
        (lambda: transfer.expected_error(1, 3, 1.0, -0.5), "distance=-0.5"),
        (lambda: transfer.training_limit(np.eye(3), np.ones(2), np.ones(3)), "y has shape"),
        (lambda: transfer.training_limit(np.eye(3), np.ones(3), np.ones(2)), "start has shape"),
        (lambda: transfer.error_split(np.eye(3), np.ones(3), np.ones(2)), "truth has shape"),
    ],
)
def test_bad_input_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
