"""Similarity and velocity of units: closed forms, the two filters, and what the cosine of one number is worth."""

import numpy as np
import pytest

from recovery.pruning.closed_forms import equilibrium as closed_forms
from recovery.pruning.equilibrium import (
    Calibrated,
    calibrated_eps,
    cosines,
    eps_for_rate,
    next_velocity,
    similarities,
    velocities,
)

EPS = np.finfo(float).eps


def relu(values):
    return np.maximum(values, 0)


def test_cosines_are_those_of_the_definition(backend):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 50, 7))
    wanted = [a[:, j] @ b[:, j] / np.linalg.norm(a[:, j]) / np.linalg.norm(b[:, j]) for j in range(7)]
    found = backend.get(cosines(backend.put(a), backend.put(b)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2 * 50 * EPS)


def test_equal_columns_have_similarity_one_without_rounding(backend):
    """On this the absorption of frozen units rests: phi is 1, not 1 - eps."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((301, 40)) * np.exp(20 * rng.standard_normal(40))
    assert np.array_equal(backend.get(cosines(backend.put(a), backend.put(a.copy()))), np.ones(40))


def test_zero_columns(backend):
    a = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    b = np.array([[0.0, 3.0, 0.0], [0.0, 1.0, 0.0]])
    assert backend.get(cosines(backend.put(a), backend.put(b))).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_cosines_do_not_depend_on_units(unit):
    a, b = np.random.default_rng(2).standard_normal((2, 30, 5))
    np.testing.assert_allclose(cosines(a * unit, b), cosines(a, b), rtol=0, atol=2 * 30 * EPS)
    np.testing.assert_allclose(cosines(a * unit, b * unit), cosines(a, b), rtol=0, atol=2 * 30 * EPS)


def test_the_similarity_of_relu_units_is_the_arc_cosine_kernel():
    """phi = (sin t + (pi - t) cos t) / pi for isotropic inputs; see docs/theory."""
    rng = np.random.default_rng(3)
    angles = np.array([0.02, 0.3, 1.0, 2.0, 3.0])
    n = 200_000
    Z = rng.standard_normal((n, 2))
    before = np.maximum(Z[:, :1], 0) * np.ones(angles.size)
    after = np.maximum(np.outer(Z[:, 0], np.cos(angles)) + np.outer(Z[:, 1], np.sin(angles)), 0)
    wanted = closed_forms.similarity(angles)
    np.testing.assert_allclose(wanted, (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / np.pi, atol=4 * EPS)
    # the product of two activations has a fourth moment below 3, their means of squares are 1/2
    np.testing.assert_allclose(cosines(before, after), wanted, rtol=0, atol=5 * 2 * np.sqrt(3 / n))
    # phi does not see the length of a unit's weights
    np.testing.assert_allclose(cosines(before, 7 * after), cosines(before, after), rtol=0, atol=4 * EPS * n**0.5)


def test_the_release_divides_one_cosine_a_batch_by_the_number_of_samples():
    """A unit that stands still has phi = 1 / batch, and velocities are as many times too small."""
    a = np.random.default_rng(4).standard_normal((60, 3))
    assert similarities(a, a).tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(similarities(a, a, scaling="released", batch=20), 1 / 20, rtol=4 * EPS)
    np.testing.assert_allclose(similarities(a, a, scaling="released", batch=25), 3 / 60, rtol=4 * EPS)
    with pytest.raises(ValueError, match="scaling='mean'"):
        similarities(a, a, scaling="mean")
    with pytest.raises(ValueError, match="same shape"):
        similarities(a, a[:5])


def test_of_one_sample_the_cosine_is_a_sign():
    """-1, 0 or 1, whatever the weights do: it says whether a unit is open, and nothing of how far it has turned."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1, 9))
    W, moved = rng.standard_normal((2, 9, 200))
    for values, expected in ((cosines(x @ W, x @ moved), {-1, 1}), (cosines(relu(x @ W), relu(x @ moved)), {0, 1})):
        assert set(np.round(values)) == expected
        np.testing.assert_allclose(values, np.round(values), rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.5, 0.9])
def test_velocities_by_their_expansions(mu):
    """v^t = phi^t + sum_m (-1)^m (mu^(m-1) + mu^m) phi^(t-m) for mu > 0, with phi = 1 before the first epoch."""
    phi = np.random.default_rng(6).random((30, 4))
    changes = np.diff(phi, axis=0, prepend=1.0)
    paper = [sum((-mu) ** m * changes[t - m] for m in range(t + 1)) for t in range(30)]
    np.testing.assert_allclose(velocities(phi, mu), paper, rtol=0, atol=60 * EPS / (1 - mu))
    # the released one: each change minus (1 - mu) times the exponential average of those before
    np.testing.assert_allclose(
        velocities(phi, mu), closed_forms.expanded_velocities(phi, mu), rtol=0, atol=60 * EPS / (1 - mu)
    )
    averages = [sum(mu**m * changes[t - 1 - m] for m in range(t)) for t in range(30)]
    released = [changes[t] - (1 - mu) * averages[t] for t in range(30)]
    np.testing.assert_allclose(velocities(phi, mu, "released"), released, rtol=0, atol=60 * EPS / (1 - mu))
    expanded = closed_forms.expanded_velocities(phi, mu, "released")
    np.testing.assert_allclose(velocities(phi, mu, "released"), expanded, rtol=0, atol=60 * EPS / (1 - mu))
    if mu > 0:
        far = phi[-1] + sum((-1) ** m * (mu ** (m - 1) + mu**m) * phi[29 - m] for m in range(1, 30))
        rest = (-1) ** 30 * mu**29  # all earlier phi are 1, and the tail of the series sums to this
        np.testing.assert_allclose(velocities(phi, mu)[-1], far + rest, rtol=0, atol=60 * EPS / (1 - mu))


def test_the_filters_agree_for_two_steps_at_one_half_and_differ_on_a_drift():
    phi = np.random.default_rng(7).random((6, 3))
    one, other = velocities(phi, 0.5), velocities(phi, 0.5, "released")
    np.testing.assert_allclose(one[:2], other[:2], rtol=0, atol=4 * EPS)
    assert (np.abs(one[2:] - other[2:]).max(axis=1) > 1e-3).all()
    assert np.abs(velocities(phi, 0.3)[1] - velocities(phi, 0.3, "released")[1]).max() > 1e-3
    c, mu = -0.004, 0.5
    drift = (1.0 + c * np.arange(1, 81))[:, None]
    assert velocities(drift, mu)[-1, 0] == pytest.approx(c / (1 + mu), abs=1e-12)
    assert velocities(drift, mu, "released")[-1, 0] == pytest.approx(0.0, abs=1e-12)
    # at mu = 0 the released filter is the second difference
    second = np.diff(phi, n=2, axis=0, prepend=1.0)
    np.testing.assert_allclose(velocities(phi, 0.0, "released")[1:], second, rtol=0, atol=4 * EPS)


def test_a_velocity_is_bounded_by_two_over_one_minus_mu():
    for mu in (0.0, 0.5, 0.95):
        phi = np.tile([[1.0], [-1.0]], (200, 1))
        assert np.abs(velocities(phi, mu)).max() <= 2 / (1 - mu)
    assert next_velocity(0.5, 0.25, 0.125, 0.5) == 0.4375
    assert next_velocity(0.5, 0.25, 0.125, 0.5, "released") == 0.3125


def test_thresholds_by_quantile_and_by_rate():
    values = np.arange(-50, 51, dtype=float)[:, None]
    assert calibrated_eps(values, 0.0) == 0.0
    assert calibrated_eps([values[:30], values[30:]], 1.0) == 50.0
    assert np.mean(np.abs(values) < calibrated_eps(values, 0.5)) == pytest.approx(0.5, abs=0.02)
    assert eps_for_rate(0.1, 10, slope=0.01) == pytest.approx(0.01**2 / 2)
    assert eps_for_rate(0.01, 10, slope=0.01) == pytest.approx(eps_for_rate(0.1, 10, slope=0.01) / 100)
    assert eps_for_rate(0.01, 10, momentum=0.9, slope=0.01) == pytest.approx(eps_for_rate(0.1, 10, slope=0.01))
    assert eps_for_rate(1e9, 1) == pytest.approx(np.pi**2 / 2)
    history = [np.array([[-0.9], [0.2], [0.4], [9.0]])]
    rates = np.array([0.1, 0.1, 0.1, 0.01])
    assert Calibrated(0.5).eps(history, rates, 3) == pytest.approx(0.3 / 100)
    assert Calibrated(0.5, follow_rate=False).eps(history, rates, 3) == pytest.approx(0.3)
    assert Calibrated(0.5, follow_rate=False).eps(history, rates, 1) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: velocities(np.ones((3, 1)), 1.0), "mu=1.0 is not below 1"),
        (lambda: velocities(np.ones((3, 1)), 0.5, "ema"), "filter='ema'"),
        (lambda: calibrated_eps([]), "velocity is empty"),
        (lambda: calibrated_eps(np.ones((2, 2)), 1.5), "quantile=1.5"),
        (lambda: eps_for_rate(0.1, 0), "n_updates=0"),
        (lambda: eps_for_rate(0.1, 1, momentum=1.0), "momentum=1.0 is not below 1"),
        (lambda: Calibrated(-1.0), "quantile=-1.0"),
    ],
)
def test_bad_values_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
