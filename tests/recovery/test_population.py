"""The population Gram matrix of gates: limits, degeneracies, finite samples, and what it says about isometry."""

import itertools
import math

import mpmath
import numpy as np
import pytest

from planted.base import arrays
from recovery import GatedOperator, conditions
from recovery.conditions import expected_separation, population
from recovery.conditions.population import arc_cosine_kernel, coherence_floor, population_gram, population_operator
from recovery.exact.enumeration import extreme_blocks

RNG = np.random.default_rng


def binary(d, *sizes):
    """All 0/1 generators with so many ones, shape (d, p)."""
    rows = [
        np.isin(np.arange(d), chosen).astype(float) for s in sizes for chosen in itertools.combinations(range(d), s)
    ]
    return np.array(rows).T


def plain(H):
    """The formula as it is written, with arccos and M from the pseudo-inverse."""
    d, p = H.shape
    out = np.zeros((d * p, d * p))
    for j, k in itertools.product(range(p), repeat=2):
        u, v = H[:, j] / np.linalg.norm(H[:, j]), H[:, k] / np.linalg.norm(H[:, k])
        theta = 0.0 if j == k else math.acos(np.clip(u @ v, -1, 1))
        pair = np.stack([u, v], axis=1)
        M = pair[:, ::-1] @ np.linalg.pinv(pair)
        out[j * d : (j + 1) * d, k * d : (k + 1) * d] = ((math.pi - theta) * np.eye(d) + math.sin(theta) * M) / (
            2 * math.pi
        )
    return out


def test_it_is_the_formula(backend):
    H = RNG(0).standard_normal((5, 4)) * [1.0, 1e-200, 1e200, 3.0]  # lengths do not matter
    found = backend.get(population_gram(backend.put(H)))
    assert np.allclose(found, plain(RNG(0).standard_normal((5, 4))), atol=1e-14)
    assert np.array_equal(found, found.T)
    assert np.allclose(np.diag(found), 0.5, atol=1e-15)
    columns = np.array([7, 0, 19, 12])
    part = backend.get(population_gram(backend.put(H), backend.put(columns)))
    # entries are at most 1/2, from dot products of five numbers, whose order of summation may differ with the shape
    assert np.allclose(part, found[np.ix_(columns, columns)], rtol=0, atol=5 * np.finfo(float).eps)
    single = backend.put(RNG(0).standard_normal((5, 4)).astype(np.float32))
    assert population_gram(single).dtype == np.float64
    unit = backend.get(population_gram(backend.put(H), unit=True))
    assert np.allclose(unit, 2 * found, atol=1e-15)
    square = population_operator(backend.put(H), backend.put(columns))
    assert np.allclose(backend.get(square.gram(square.xp.arange(4))), part, atol=1e-15)


def test_a_large_sample_comes_near_it():
    n, H = 200_000, RNG(1).standard_normal((4, 3))
    H[:, 2] = 0.0
    X = RNG(2).standard_normal((n, 4))
    for strict in (False, True):
        A = GatedOperator.from_generators(X, H, strict=strict)
        sample = A.gram(np.arange(12)) / n
        assert np.abs(sample - population_gram(H, strict=strict)).max() < 6 / math.sqrt(n)


@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-12, 1e-16])
def test_angles_near_0_and_pi_keep_their_digits(gap, backend):
    h, g = np.array([1.0, 0.0]), np.array([1.0, gap])
    with mpmath.workdps(50):
        theta = mpmath.atan(mpmath.mpf(gap))
        left = [float(theta), float(mpmath.pi - theta)]
        spectrum = [float(theta / (2 * mpmath.pi)), float((theta - mpmath.sin(theta)) / (2 * mpmath.pi))]
    near = backend.put(np.stack([h, g], axis=1))
    far = backend.put(np.stack([h, -g], axis=1))
    assert backend.get(arc_cosine_kernel(near, order=0))[0, 1] == pytest.approx(left[1] / math.pi, rel=1e-15)
    assert backend.get(arc_cosine_kernel(far, order=0))[0, 1] == pytest.approx(left[0] / math.pi, rel=1e-14)
    block = backend.get(population_gram(far))[:2, 2:]
    assert np.trace(block) == pytest.approx(2 * spectrum[0], rel=1e-14)  # M has trace 0
    assert np.linalg.eigvalsh(block) == pytest.approx([spectrum[1], 2 * spectrum[0] - spectrum[1]], abs=4e-16 * gap)


def test_equal_opposite_and_zero_generators():
    h = RNG(3).standard_normal(3)
    H = np.stack([h, 2 * h, -h, 0 * h, 0 * h], axis=1)
    for strict, share in ((False, 1.0), (True, 0.0)):
        blocks = population_gram(H, strict=strict).reshape(5, 3, 5, 3).transpose(0, 2, 1, 3)
        wanted = np.array(
            [
                [0.5, 0.5, 0.0, share / 2, share / 2],
                [0.5, 0.5, 0.0, share / 2, share / 2],
                [0.0, 0.0, 0.5, share / 2, share / 2],
                [share / 2, share / 2, share / 2, share, share],
                [share / 2, share / 2, share / 2, share, share],
            ]
        )
        assert np.allclose(blocks, wanted[:, :, None, None] * np.eye(3), atol=1e-15)
    unit = population_gram(np.stack([h, 0 * h], axis=1), strict=True, unit=True)
    assert np.allclose(np.diag(unit), [1, 1, 1, 0, 0, 0])
    assert np.all(np.isfinite(unit))


@pytest.mark.parametrize("d", [2, 3, 5])
def test_its_null_space_is_that_of_complementary_pairs_and_of_repeated_gates(d):
    """Nullity d (pairs + zero generators - 1), at least 0, for distinct directions: the proof is in the derivations."""
    H = RNG(d).standard_normal((d, 4))
    zero = np.zeros((d, 1))

    def nullity(H):
        spectrum = np.linalg.eigvalsh(population_gram(H))
        return int(np.sum(spectrum < 1e-14 * len(spectrum)))

    assert nullity(H) == 0
    assert nullity(np.hstack([H, zero])) == 0  # one gate a pair, and an ungated block
    assert nullity(np.hstack([H, -H[:, :1]])) == 0  # one pair loses nothing
    assert nullity(np.hstack([H, -H[:, :2]])) == d
    assert nullity(np.hstack([H, -H])) == 3 * d
    assert nullity(np.hstack([H, zero, -3 * H[:, :1]])) == d
    assert nullity(np.hstack([H, 2 * H[:, :1]])) == d  # the same gate twice
    pair = np.hstack([H[:, :2], -H[:, :2]])
    z = np.kron([1.0, -1.0, 1.0, -1.0], np.eye(d)[0])
    assert np.abs(population_gram(pair) @ z).max() < 1e-15


@pytest.mark.parametrize(
    ("sizes", "smallest", "largest"),
    [((2,), 0.0111, 10.27), ((1, 2), 0.0052, 12.8), pytest.param((3,), 0.0051, 22.6, marks=pytest.mark.slow)],
)
def test_binary_generators_have_no_degeneracy(sizes, smallest, largest):
    H = binary(8, *sizes)
    spectrum = np.linalg.eigvalsh(population_gram(H))
    assert spectrum[0] == pytest.approx(smallest, abs=5e-5)
    assert spectrum[-1] == pytest.approx(largest, abs=0.05 if largest > 11 else 5e-3)
    assert np.allclose(population_gram(H, unit=True), 2 * population_gram(H), atol=1e-15)  # unit columns double it


def test_the_arc_cosine_kernels_are_forms_of_the_block(backend):
    H = RNG(5).standard_normal((4, 6)) * np.exp(RNG(6).standard_normal(6))
    blocks = population_gram(H).reshape(6, 4, 6, 4)
    first, zeroth = (backend.get(arc_cosine_kernel(backend.put(H), order=k)) for k in (1, 0))
    assert np.allclose(first, 2 * np.einsum("ij,jikl,lk->jk", H, blocks, H), rtol=1e-13)
    assert np.allclose(zeroth, 2 * np.trace(blocks, axis1=1, axis2=3) / 4, atol=1e-14)
    assert np.allclose(zeroth, 1 - expected_separation(H), atol=1e-15)
    X = RNG(7).standard_normal((200_000, 4))
    relu = np.maximum(X @ H, 0)
    assert np.allclose(first, 2 * relu.T @ relu / len(X), rtol=0.03)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("d", "p"), [(2, 3), (8, 5), (3, 3), (4, 12)])
def test_the_coherence_of_the_population_is_at_least_the_floor(seed, d, p):
    H = RNG(seed).standard_normal((d, p))
    R = population_operator(H)
    floor, coherence = coherence_floor(H), conditions.mutual_coherence(R)
    assert coherence >= floor
    angle = math.pi * (1 - floor)
    assert angle <= 2 * math.pi / 3 + 1e-12  # of three generators two are no further apart
    assert floor >= (1 / 2 if p >= d + 2 else 1 / 3)
    found = conditions.restricted_eigenvalues(population_operator(H, unit=True), 2)
    assert found.scaled_restricted_isometry.lower == pytest.approx(coherence, abs=1e-12)
    assert found.kappa.lower >= 2  # GraDeS asks for less
    # the mean over features of the correlations behind two gates is 1 - theta / pi: M has trace 0
    unit = population_gram(H, unit=True).reshape(p, d, p, d)
    means = np.trace(unit, axis1=1, axis2=3) / d
    assert np.allclose(means, 1 - expected_separation(H), atol=1e-14)


def test_the_floor_is_reached_outside_the_span():
    H = np.vstack([[1.0, -0.5, -0.5], [0.0, 0.75**0.5, -(0.75**0.5)], np.zeros(3)])  # 120 degrees, and a third feature
    assert coherence_floor(H) == pytest.approx(1 / 3)
    third = population_gram(H, np.array([2, 5, 8]), unit=True)
    assert np.allclose(third, np.where(np.eye(3, dtype=bool), 1, 1 / 3))


def test_the_growth_with_the_number_of_gates_behind_one_feature():
    """L_t >= t / 2 for unit columns and t gates: the mean Gram matrix of a feature is the kernel of order 0, a cut."""
    for seed, (d, t) in enumerate([(3, 3), (4, 4), (5, 4)]):
        H = RNG(seed).standard_normal((d, t))
        _, _, largest, _ = extreme_blocks(population_gram(H, unit=True), t)
        kernel = np.linalg.eigvalsh(arc_cosine_kernel(H, order=0))[-1]
        assert largest >= kernel - 1e-12 >= t - 2 * (t * t // 4) / t - 1e-12 >= t / 2 - 1e-12


def test_sentences_for_what_does_not_fit():
    H = np.eye(3)
    with pytest.raises(ValueError, match=r"H has shape \(3,\); expected 2 dimension"):
        population_gram(H[0])
    with pytest.raises(TypeError, match=r"columns has dtype float64 .* expected a vector of integer indices"):
        population_gram(H, [0.5])
    with pytest.raises(ValueError, match="columns has indices from 0 to 9; expected them between 0 and 8"):
        population_gram(H, [0, 9])
    with pytest.raises(ValueError, match=r"order=2 is not known; expected one of 0, 1"):
        arc_cosine_kernel(H, order=2)
    with pytest.raises(ValueError, match=r"H has 1 zero column\(s\); expected non-zero columns"):
        arc_cosine_kernel(np.diag([1.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match=r"H has 1 column\(s\); expected at least 2 generators"):
        coherence_floor(H[:, :1])
    with pytest.raises(ValueError, match="NaN or infinite"):
        population_gram(np.full((2, 2), np.inf))


def test_the_module_is_found_when_asked_for():
    assert population.population_gram is population_gram
    assert arrays.device_of(population_gram(np.eye(2))) == "cpu"


def test_a_kernel_that_overflows_is_refused():
    H = 1e160 * np.eye(2)
    assert population.arc_cosine_kernel(H, 0)[0, 1] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="H has columns whose inner products overflow"):
        population.arc_cosine_kernel(H, 1)
