"""Coverage, energy and separation of gates against their definitions and against Monte Carlo."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery import GatedOperator
from recovery.conditions import (
    energy_coverage,
    expected_separation,
    gate_coverage,
    gate_separation,
    gate_spread,
    probable_spread,
)


def gates_of(rng, n=20, p=5):
    return rng.random((n, p)) < 0.4


def test_definitions(backend):
    rng = np.random.default_rng(0)
    X, G = rng.standard_normal((20, 3)), gates_of(rng)
    put = backend.put(G)
    np.testing.assert_allclose(backend.get(gate_coverage(put)), G.mean(axis=0), rtol=1e-15)
    plain = np.array([[np.mean(G[:, i] != G[:, j]) for j in range(5)] for i in range(5)])
    np.testing.assert_allclose(backend.get(gate_separation(put)), plain, atol=1e-15)
    energy = np.array([[np.sum(X[G[:, j], a] ** 2) / np.sum(X[:, a] ** 2) for a in range(3)] for j in range(5)])
    A = GatedOperator(backend.put(X), put)
    np.testing.assert_allclose(backend.get(energy_coverage(A)), energy, rtol=1e-13)
    spread = gate_spread(put)
    assert spread.coverage == pytest.approx(G.mean(axis=0).min())
    assert spread.separation == pytest.approx(min(plain[i, j] for i, j in combinations(range(5), 2)))
    assert gate_spread(A) == spread
    assert spread.delta == 0.0


def test_coverage_without_energy():
    rng = np.random.default_rng(1)
    X = np.where(np.arange(100)[:, None] < 10, 1000.0, 1.0) * rng.choice([-1.0, 1.0], (100, 2))
    gate = np.arange(100)[:, None] >= 10
    assert gate_coverage(gate)[0] == 0.9
    assert energy_coverage(GatedOperator(X, gate)).max() == pytest.approx(90 / (90 + 1e7))
    X[:, 1] = 0.0
    shares = energy_coverage(GatedOperator(X * 1e-200, gate))
    assert np.isnan(shares[0, 1])
    assert shares[0, 0] == pytest.approx(90 / (90 + 1e7))


def test_angles_over_pi(backend):
    rng = np.random.default_rng(2)
    H = rng.standard_normal((4, 3))
    H = np.concatenate([H, -H[:, :1], 1e-200 * H[:, :1], H[:, :1] + 1e-9 * H[:, 1:2]], axis=1)
    found = backend.get(expected_separation(backend.put(H)))
    cosines = (H[:, 0] @ H[:, 1]) / np.linalg.norm(H[:, 0]) / np.linalg.norm(H[:, 1])
    assert found[0, 1] == pytest.approx(math.acos(cosines) / math.pi, rel=1e-12)
    assert found[0, 3] == 1.0
    assert found[0, 4] <= 1e-15
    u = H[:, 0] / np.linalg.norm(H[:, 0])
    across = H[:, 1] - (u @ H[:, 1]) * u
    small = 1e-9 * np.linalg.norm(across) / np.linalg.norm(H[:, 0]) / math.pi  # arccos would give 0
    assert found[0, 5] == pytest.approx(small, rel=1e-6)


def test_the_expected_separation_is_what_gaussian_data_show():
    rng = np.random.default_rng(3)
    H = rng.standard_normal((6, 4))
    n = 200_000
    shares = gate_separation(rng.standard_normal((n, 6)) @ H >= 0)
    expected = expected_separation(H)
    pairs = np.triu_indices(4, 1)
    deviation = (shares - expected)[pairs] / np.sqrt(expected * (1 - expected) / n)[pairs]
    assert np.abs(deviation).max() < 4.0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_angle_of_binary_generators(size):
    every = np.array(
        [[j in chosen for j in range(6)] for k in range(1, size + 1) for chosen in combinations(range(6), k)]
    )
    of_one_size = every[every.sum(axis=1) == size]
    smallest = [gate_angle(np.where(kind, 1.0, 0.0).T) for kind in (of_one_size, every)]
    up_to = math.asin(1 / math.sqrt(size)) if size > 1 else math.pi / 2
    assert smallest == pytest.approx([math.acos(1 - 1 / size), up_to], rel=1e-12)


def gate_angle(H):
    return math.pi * min(expected_separation(H)[np.triu_indices(H.shape[1], 1)])


def test_the_spread_holds_as_often_as_it_says_and_is_not_empty():
    rng = np.random.default_rng(4)
    H = np.concatenate([np.eye(5), rng.standard_normal((5, 3))], axis=1)
    n, delta = 400, 0.2
    promised = probable_spread(H, n, delta)
    t = 0.5 - promised.coverage
    assert (8 + 32) * math.exp(-2 * n * t * t) == pytest.approx(delta)
    assert promised.separation == pytest.approx(gate_angle(H) / math.pi - t)
    assert 0.0 < promised.separation < promised.coverage
    failed = 0
    for _ in range(400):
        found = gate_spread(rng.standard_normal((n, 5)) @ H >= 0)
        failed += found.coverage < promised.coverage or found.separation < promised.separation
    assert failed <= delta * 400
    # with a tenth of the deviation it fails nearly always: the test can tell
    found = [gate_spread(rng.standard_normal((n, 5)) @ H >= 0).coverage < 0.5 - 0.1 * t for _ in range(50)]
    assert np.mean(found) > 0.8
    assert probable_spread(H[:, :1], n, delta).separation == math.inf


def test_refusals():
    with pytest.raises(ValueError, match="gates holds values other than 0 and 1"):
        gate_coverage([[0.0, 2.0]])
    with pytest.raises(ValueError, match="H has a zero column at index 1"):
        expected_separation([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(TypeError, match=r"A is of type ndarray; expected a recovery\.GatedOperator"):
        energy_coverage(np.eye(2))
    with pytest.raises(ValueError, match=r"delta=0.0 is out of range"):
        probable_spread(np.eye(2), 10, 0.0)
