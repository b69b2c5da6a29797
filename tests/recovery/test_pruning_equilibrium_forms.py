"""NEq's closed forms: against quadrature, samples, more digits, recursions, and products that are counted."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from recovery.pruning.closed_forms import equilibrium as neq
from recovery.pruning.equilibrium import backward_operations, booked_operations, counted_operations, next_velocity

ANGLES = [0.0, 1e-3, 0.04, 0.3, 0.5, 1.0, math.pi / 2, 2.0, 3.0, math.pi]


@pytest.mark.parametrize("angle", ANGLES)
def test_similarity_is_the_cosine_of_outputs_by_quadrature(angle):
    # a standard normal vector of the plane has a uniform direction, and its length squared has mean 2
    low, high = angle - math.pi / 2, math.pi / 2
    together = quad(lambda a: math.cos(a) * math.cos(a - angle), low, high, epsabs=1e-14)[0] / (2 * math.pi) * 2
    assert neq.similarity(angle) == pytest.approx(together / 0.5, abs=1e-14)


def test_similarity_of_samples():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((1_000_000, 2))
    for angle in (0.2, 1.2, 2.5):
        outputs = np.maximum(inputs @ np.array([[1.0, math.cos(angle)], [0.0, math.sin(angle)]]), 0.0)
        seen = outputs[:, 0] @ outputs[:, 1] / np.linalg.norm(outputs[:, 0]) / np.linalg.norm(outputs[:, 1])
        assert seen == pytest.approx(neq.similarity(angle), abs=2e-3)


def test_no_digits_are_lost_at_either_end():
    mp = pytest.importorskip("mpmath")
    with mp.workdps(80):
        for angle in [1e-150, 1e-20, 1e-8, 1e-3, 0.3, 0.4999, 0.5, 0.5001, 1.0, 2.0, 2.6416, 3.1, math.pi - 1e-6]:
            t = mp.mpf(angle)
            exact = (mp.sin(t) + (mp.pi - t) * mp.cos(t)) / mp.pi
            assert neq.similarity(angle) == pytest.approx(float(exact), rel=2e-15)
            assert neq.dissimilarity(angle) == pytest.approx(float(1 - exact), rel=2e-15)


def test_inverses():
    values = np.concatenate([10.0 ** np.arange(-300, 0, 7.0), np.linspace(0, 1, 101)])
    np.testing.assert_allclose(neq.dissimilarity(neq.angle_of_dissimilarity(values)), values, rtol=4e-15)
    angles = np.linspace(0.01, 2.5, 60)
    np.testing.assert_allclose(neq.angle_of_dissimilarity(neq.dissimilarity(angles)), angles, rtol=1e-13)
    np.testing.assert_allclose(neq.angle_of_similarity(neq.similarity(angles)), angles, rtol=1e-12)
    small = 10.0 ** np.arange(-30, 0, 3.0)
    # pi - u rounds u to multiples of 4e-16, and kappa_1 is u^3 / (3 pi)
    found = math.pi - neq.angle_of_similarity(small)
    assert np.all(np.abs(found - np.cbrt(3 * math.pi * small)) <= 1e-15 + 0.5 * small)
    assert math.degrees(neq.angle_of_dissimilarity(1e-3)) == pytest.approx(2.575, abs=1e-3)


def test_the_series():
    coefficients = neq.similarity_series(21)
    for angle in (0.1, 1.0, 2.0):
        assert np.polynomial.polynomial.polyval(angle, coefficients) == pytest.approx(neq.similarity(angle), abs=1e-12)
    known = [1, 0, -1 / 2, 1 / (3 * math.pi), 1 / 24, -1 / (30 * math.pi)]
    np.testing.assert_allclose(neq.similarity_series(5), known, atol=1e-16)


def recursion(similarities, mu, rule):
    found, before, last, v = [], 1.0, 0.0, 0.0
    for phi in similarities:
        change = phi - before
        v = next_velocity(change, last, v, mu, rule)
        before, last = phi, change
        found.append(v)
    return np.array(found)


@pytest.mark.parametrize("rule", neq.FILTERS)
@pytest.mark.parametrize("mu", [0.0, 0.2, 0.5, 0.9])
def test_expanded_sums_are_the_recursions(rule, mu):
    similarities = np.random.default_rng(1).uniform(-1, 1, (40, 3))
    seen = np.array([recursion(column, mu, rule) for column in similarities.T]).T
    np.testing.assert_allclose(neq.expanded_velocities(similarities, mu, rule), seen, rtol=0, atol=1e-12)
    np.testing.assert_allclose(neq.expanded_velocities(similarities[:, 0], mu, rule), seen[:, 0], rtol=0, atol=1e-12)
    long = neq.filter_weights(2000, mu, rule)
    assert abs(long.sum()) < 1e-12
    # the bound is the sum of the positive weights times the range of phi: no smaller one is true
    assert neq.velocity_bound(mu, rule) == pytest.approx(2.0 * long[long > 0].sum(), rel=1e-12)
    assert neq.velocity_bound(mu, rule, lowest=0.0) == pytest.approx(long[long > 0].sum(), rel=1e-12)
    assert np.abs(seen).max() <= neq.velocity_bound(mu, rule)


def test_without_memory_the_filters_are_the_first_and_the_second_difference():
    np.testing.assert_array_equal(neq.filter_weights(5, 0.0), [1, -1, 0, 0, 0])
    np.testing.assert_array_equal(neq.filter_weights(5, 0.0, "released"), [1, -2, 1, 0, 0])


@pytest.mark.parametrize("mu", [0.0, 0.25, 0.5, 0.8])
def test_how_long_the_filters_agree(mu):
    similarities = np.random.default_rng(2).uniform(0, 1, 6)
    apart = neq.expanded_velocities(similarities, mu) - neq.expanded_velocities(similarities, mu, "released")
    agreeing = 2 if mu == 0.5 else 1
    np.testing.assert_allclose(apart[:agreeing], 0.0, atol=1e-15)
    assert np.all(np.abs(apart[agreeing : agreeing + 1]) > 1e-3)


@pytest.mark.parametrize("mu", [0.0, 0.5, 0.8])
def test_a_constant_drift(mu):
    phi = 1.0 - 1e-3 * np.arange(1, 301)
    for rule, limit in (("paper", -1e-3 / (1 + mu)), ("released", 0.0)):
        assert neq.expanded_velocities(phi, mu, rule)[-1] == pytest.approx(limit, abs=1e-12)
        assert neq.drift_response(-1e-3, mu, rule) == pytest.approx(limit, abs=1e-18)


@pytest.mark.parametrize("rule", neq.FILTERS)
def test_when_a_unit_that_turns_is_frozen(rule):
    rng = np.random.default_rng(3)
    for _ in range(200):
        angle, mu, eps = rng.uniform(0.01, 3.0), rng.choice([0.0, rng.uniform(0, 0.99)]), 10.0 ** rng.uniform(-8, 0)
        phi = np.full(60 if mu < 0.5 else 3000, neq.similarity(angle))
        frozen = np.abs(recursion(phi, mu, rule)) < eps
        assert frozen.any()
        assert neq.false_freeze_epoch(angle, mu, eps, rule) == int(np.argmax(frozen))


def test_a_unit_that_turns_thaws_after_one_epoch():
    angle, mu, eps = 0.3, 0.5, 1e-3
    delta = neq.dissimilarity(angle)
    assert delta > (1 + mu) * eps
    t = neq.false_freeze_epoch(angle, mu, eps)
    phi = np.full(t + 2, 1 - delta)
    phi[-1] = 1.0  # frozen
    v = neq.expanded_velocities(phi, mu)
    assert abs(v[-2]) < eps < abs(v[-1])
    assert v[-1] == pytest.approx(delta - mu * v[-2], rel=1e-12)


def test_samples_on_a_circle_see_a_constant_similarity():
    """The finite counterpart of Gaussian inputs: the rotation maps the samples onto each other."""
    places = 2 * math.pi * np.arange(24) / 24
    inputs = np.column_stack([np.cos(places), np.sin(places)])
    outputs = [
        np.maximum(inputs @ [math.cos(3 * t * math.pi / 12), math.sin(3 * t * math.pi / 12)], 0) for t in range(9)
    ]
    phi = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairwise(outputs)]
    assert np.ptp(phi) < 1e-14
    assert phi[0] == pytest.approx(neq.similarity(math.pi / 4), abs=0.01)
    v = recursion(phi, 0.5, "paper")
    eps = 0.02
    assert int(np.argmax(np.abs(v) < eps)) == neq.false_freeze_epoch(neq.angle_of_similarity(phi[0]), 0.5, eps)


class Counted:
    """Products of matrices, with their multiply-adds counted."""

    def __init__(self):
        self.total = 0

    def __call__(self, a, b):
        self.total += a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b


def backward(X, weights, residual, live):
    """Weight gradients of the live rows, with as few products as possible; weights are (outputs, inputs)."""
    product, outputs = Counted(), [X]
    for W in weights[:-1]:
        outputs.append(np.maximum(outputs[-1] @ W.T, 0.0))
    gradients, delta, needed = [], residual, np.arange(residual.shape[1])
    for layer in range(len(weights) - 1, -1, -1):
        rows = np.flatnonzero(live[layer])
        if rows.size:
            gradients.append(product(delta[:, np.searchsorted(needed, rows)].T, outputs[layer]))
        else:
            gradients.append(np.zeros((0, weights[layer].shape[1])))
        if layer == 0:
            break
        below = any(one.any() for one in live[: layer - 1])
        wanted = np.arange(weights[layer].shape[1]) if below else np.flatnonzero(live[layer - 1])
        if not wanted.size:
            delta = np.zeros((len(X), 0))
        else:
            delta = product(delta, weights[layer][np.ix_(needed, wanted)]) * (outputs[layer][:, wanted] > 0)
        needed = wanted
    return gradients[::-1], product.total


@pytest.mark.parametrize("widths", [(5, 7, 3), (5, 4, 6, 2), (3, 4, 4, 4, 2), (4, 2)])
def test_executed_savings_are_the_products_that_are_left_out(widths):
    rng = np.random.default_rng(len(widths))
    n = 6
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(widths)]
    X, residual = rng.standard_normal((n, widths[0])), rng.standard_normal((n, widths[-1]))
    whole, work = backward(X, weights, residual, [np.ones(b, bool) for b in widths[1:]])
    assert work == neq.backward_work(n, widths)
    for trial in range(40):
        share = rng.choice([0.0, 0.5, 1.0], len(widths) - 1)
        live = [rng.random(b) >= f for b, f in zip(widths[1:], share, strict=True)]
        frozen = [int(np.sum(~one)) for one in live]
        gradients, left = backward(X, weights, residual, live)
        for one, full, rows in zip(gradients, whole, live, strict=True):
            np.testing.assert_allclose(one, full[rows], rtol=1e-12, atol=1e-12)
        saved = work - left
        assert saved == neq.executed_savings(n, widths, frozen), (trial, frozen)
        assert saved <= neq.counted_savings(n, widths, frozen)
        # the counts that trainings with frozen units keep are derived apart from these, and say the same
        shapes = list(pairwise(widths))
        assert left == backward_operations(shapes, frozen, n)
        for operations, savings in ((counted_operations, neq.counted_savings), (booked_operations, neq.booked_savings)):
            booked = [operations(shapes, one, n) for one in ([0] * len(frozen), frozen)]
            assert booked[0] - booked[1] == savings(n, widths, frozen)
        if len(widths) <= 3:
            assert saved == neq.counted_savings(n, widths, frozen)


def test_savings_by_hand():
    n, d, h, o = 10, 6, 8, 3
    assert neq.executed_savings(n, (d, h, o), (4, 0)) == (n * d * h + n * h * o) // 2
    assert neq.executed_savings(n, (d, h, o), (0, 2)) == 2 * n * h
    assert neq.executed_savings(n, (d, h, o), (h, o)) == neq.backward_work(n, (d, h, o))
    # as the papers book them: equal only for d = o
    assert neq.booked_savings(n, (d, h, o), (4, 0)) == 2 * n * d * 4 > neq.executed_savings(n, (d, h, o), (4, 0))
    assert neq.booked_savings(n, (d, h, d), (4, 0)) == neq.executed_savings(n, (d, h, d), (4, 0))
    assert neq.booked_savings(n, (2, h, 5), (4, 0)) < neq.executed_savings(n, (2, h, 5), (4, 0))
    # a live layer below needs what is passed back: the book says twice what is saved
    assert neq.booked_savings(n, (d, h, h, o), (0, 4, 0)) == 2 * neq.executed_savings(n, (d, h, h, o), (0, 4, 0))


def test_both_devices(backend):
    angles = backend.put(np.array([0.0, 0.1, 1.0, 3.0]))
    for function in (neq.similarity, neq.dissimilarity):
        np.testing.assert_allclose(backend.get(function(angles)), function(np.array([0.0, 0.1, 1.0, 3.0])), rtol=1e-15)
    values = backend.put(np.array([0.0, 1e-3, 0.7, 1.0]))
    for function in (neq.angle_of_dissimilarity, neq.angle_of_similarity):
        np.testing.assert_allclose(backend.get(function(values)), function(np.array([0.0, 1e-3, 0.7, 1.0])), rtol=1e-14)
    phi = np.random.default_rng(4).uniform(0, 1, (5, 2))
    np.testing.assert_allclose(
        backend.get(neq.expanded_velocities(backend.put(phi), 0.5)), neq.expanded_velocities(phi, 0.5)
    )
    assert backend.get(neq.similarity(backend.put(np.float32([0.5, 3.0])))).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: neq.similarity(-0.1), "angle has numbers from -0.1"),
        (lambda: neq.similarity([0.1, 3.2]), "expected numbers from 0 to 3.14159"),
        (lambda: neq.angle_of_dissimilarity(1.5), "value has numbers from 1.5"),
        (lambda: neq.filter_weights(3, 1.0), "mu=1; expected"),
        (lambda: neq.expanded_velocities(np.ones(3), 0.5, "theirs"), "filter='theirs'"),
        (lambda: neq.drift_response(1.0, 0.5, "theirs"), "filter='theirs'"),
        (lambda: neq.false_freeze_epoch(0.1, 0.5, 0.0), "eps=0; expected a positive"),
        (lambda: neq.executed_savings(3, (2, 3), (4,)), "frozen=4"),
        (lambda: neq.executed_savings(3, (2, 3), (1, 1)), "expected 1 numbers"),
        (lambda: neq.backward_work(3, (2,)), "expected at least two numbers"),
    ],
)
def test_bad_input_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
