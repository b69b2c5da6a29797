"""The numeric code against SymPy's integrals over wedges, at random angles, and what SymPy says by itself."""

import math

import numpy as np
import pytest
import sympy as sp

from recovery.conditions import expected_separation
from recovery.conditions.population import arc_cosine_kernel, population_gram
from recovery.exact.enumeration import extreme_blocks
from recovery.symbolic import contraction
from recovery.symbolic import gram as symbolic
from recovery.symbolic import gram as symbolic_families

RANDOM = np.random.default_rng(21)
ANGLES = [sp.Rational(int(k), 100) for k in RANDOM.integers(1, 314, 8)]
THETA = sp.Symbol("theta", positive=True)


def at(expression, theta, **values):
    """Evaluate an expression with 40 digits."""
    unknown = {symbol.name for symbol in expression.free_symbols} - {"theta", *values}
    assert not unknown
    numbers = {symbol: {"theta": theta, **values}[symbol.name] for symbol in expression.free_symbols}
    return float(sp.N(expression.subs(numbers), 40))


def pair(theta, *more):
    """Generators in the coordinates of the derivation: along h, at the angle theta to it, and further angles."""
    return np.array([[math.cos(t), math.sin(t), 0.0] for t in (0.0, float(theta), *more)]).T


def test_the_integral_is_the_closed_form():
    assert (symbolic.gate_block() - symbolic.swap_form()).applyfunc(sp.simplify) == sp.zeros(3, 3)


@pytest.mark.parametrize("theta", ANGLES, ids=str)
def test_blocks_kernels_and_separation(theta):
    H = pair(theta)
    wanted = np.array([[at(entry, theta) for entry in symbolic.gate_block().row(i)] for i in range(3)])
    assert np.allclose(population_gram(H)[:3, 3:], wanted, rtol=1e-13, atol=1e-15)
    spectrum = sorted(at(value, theta) for value in symbolic.block_spectrum().values())
    assert np.allclose(np.linalg.eigvalsh(wanted), spectrum, rtol=1e-13, atol=1e-15)
    assert expected_separation(H)[0, 1] == pytest.approx(at(symbolic.separation(), theta), rel=1e-14)
    for order in (0, 1):
        found = arc_cosine_kernel(H, order=order)[0, 1]
        assert found == pytest.approx(at(symbolic.arc_cosine(order), theta), rel=1e-12, abs=1e-15)


def test_the_limits():
    limits, phi = symbolic.block_limits(), sp.Symbol("phi", positive=True)
    assert limits["parallel"] == sp.eye(3) / 2
    assert limits["opposite"] == sp.zeros(3, 3)
    assert limits["outside"] == phi / (2 * sp.pi)  # a block goes to 0 like the angle to the opposite generator
    assert limits["sum"] == phi / sp.pi
    assert limits["difference"] == phi**3 / (12 * sp.pi)  # along the generators themselves like its third power
    for gap in (1e-2, 1e-3):
        spectrum = np.linalg.eigvalsh(population_gram(pair(math.pi - gap))[:3, 3:])
        terms = sorted(float(limits[name].subs(phi, gap)) for name in ("outside", "sum", "difference"))
        assert np.allclose(spectrum, terms, rtol=gap)


@pytest.mark.parametrize("theta", ANGLES[:4], ids=str)
def test_one_feature_behind_two_gates(theta):
    found = symbolic_families.one_feature()
    assert sp.simplify(found["mean"] - symbolic.block_spectrum()["outside"]) == 0
    turned = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    for alpha in (sp.Rational(1, 3), sp.Rational(-7, 5)):
        c, s = math.cos(alpha), math.sin(alpha)
        basis = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        H = turned @ basis @ pair(theta)  # feature 2 lies at the angle alpha from h
        low, _, high, _ = extreme_blocks(population_gram(H, np.array([2, 5])), 2)
        assert low == pytest.approx(at(found["smallest"], theta, alpha=alpha), rel=1e-12)
        assert high == pytest.approx(at(found["largest"], theta, alpha=alpha), rel=1e-12)


@pytest.mark.parametrize("s", [2, 3])
def test_one_feature_behind_gates_at_equal_angles(s):
    found = symbolic_families.one_feature_equal_angles(s)
    assert sorted(found.values()) == sorted([1, s - 1])
    small, large = THETA / (2 * sp.pi), (s - (s - 1) * THETA / sp.pi) / 2
    assert {sp.simplify(value - small) == 0 or sp.simplify(value - large) == 0 for value in found} == {True}
    # s of three vectors at 100 degrees with each other, in three dimensions, and a fourth feature outside
    cosine = math.cos(math.radians(100))
    root = np.linalg.cholesky(cosine + (1 - cosine) * np.eye(3)).T
    G = population_gram(np.vstack([root, np.zeros(3)]), np.array([3, 7, 11]))
    low, _, high, _ = extreme_blocks(G, s)
    theta = sp.pi * sp.Rational(100, 180)
    assert [low, high] == pytest.approx(sorted(at(value, theta) for value in found), rel=1e-12)


@pytest.mark.parametrize("theta", ANGLES[:4], ids=str)
def test_all_of_two_gates(theta):
    found = symbolic_families.two_gates()
    assert set(found["residual"]) == {0}
    spectrum = np.linalg.eigvalsh(population_gram(pair(theta)))
    assert np.allclose(spectrum, [at(value, theta) for value in found["eigenvalues"]], rtol=1e-12, atol=1e-15)


def test_two_complementary_pairs_lose_exactly_as_many_dimensions_as_there_are_features():
    gram = symbolic_families.complement_pairs()
    null = sp.Matrix([[1], [1], [-1], [-1]])
    for feature in range(3):
        e = sp.Matrix(3, 1, lambda i, _, feature=feature: int(i == feature))
        z = sp.Matrix(sp.kronecker_product(null, e))
        assert (gram * z).applyfunc(sp.simplify) == sp.zeros(12, 1)
    for theta in ANGLES[:2]:
        wanted = np.array(gram.subs(THETA, theta).evalf(30), dtype=float)
        H = pair(theta, math.pi, float(theta) + math.pi)[:, [0, 2, 1, 3]]
        assert np.allclose(population_gram(H), wanted, atol=1e-15)
        assert np.sum(np.linalg.eigvalsh(wanted) < 1e-14) == 3


def test_one_gate_a_pair_and_an_ungated_block_lose_nothing():
    determinant = symbolic_families.one_gate_a_pair()
    for theta in ANGLES:
        value = at(determinant, theta)
        H = np.hstack([np.zeros((3, 1)), pair(theta)])
        assert value > 0
        assert np.linalg.det(population_gram(H)) == pytest.approx(value, rel=1e-6)
    assert sp.limit(determinant, THETA, 0) == 0  # the two gates are one


def test_the_thresholds():
    limits = contraction.thresholds()
    assert limits["iht"] == limits["htp"] == (1 / sp.sqrt(3), 2 + sp.sqrt(3))
    golden = (sp.sqrt(5) - 1) / 2
    assert sp.simplify(limits["iht-sharp"][0] - golden) == 0
    assert sp.simplify(limits["iht-sharp"][1] - 2 - sp.sqrt(5)) == 0
    assert limits["grades"] == (sp.Rational(1, 3), 2)
    assert sp.simplify(limits["iht-2s"][0] - golden / sp.sqrt(3)) == 0  # .3568 and .3780, as in Xie's abstract (2023)
    assert sp.simplify(limits["htp-2s"][0] - 1 / sp.sqrt(7)) == 0
    # no better constant is possible for one atom of two, and for GraDeS none above 3
    assert sp.simplify(contraction.two_atoms_fixed_point() - golden) == 0
    assert contraction.grades_fixed_point() == 3


def test_relaxed_sparsity():
    kappa, delta, rho = (sp.Symbol(name, positive=True) for name in ("kappa", "delta", "rho"))
    needed = contraction.relaxed_sparsity()
    assert sp.simplify(needed - (kappa - 1 / kappa) ** 2 / 16) == 0
    rate = contraction.iht_rate_relaxed()
    assert sp.simplify(rate.subs(rho, 1) - contraction.iht_rate_sharp()) == 0
    assert sp.limit(rate, rho, 0) == delta  # with many entries kept nothing is lost by the choice
    golden = contraction.thresholds()["iht-sharp"][1]
    assert sp.simplify(needed.subs(kappa, golden) - 1) == 0  # no relaxation is needed below this
    for value in (sp.Rational(7, 2), sp.Integer(9), sp.Integer(40)):
        at_limit = rate.subs({delta: contraction.delta_of_kappa().subs(kappa, value)})
        assert float(at_limit.subs(rho, 1 / needed.subs(kappa, value))) == pytest.approx(1, abs=1e-14)


def test_the_rates_are_those_of_the_guarantees():
    from recovery.guarantees.linear.hard_thresholding import htp_rate, iht_rate

    limit = 1 / math.sqrt(3)
    delta = sp.Symbol("delta", positive=True)
    for value in (sp.Rational(1, 7), sp.Rational(2, 5), sp.Rational(4, 7)):
        wanted = float(contraction.iht_rate().subs(delta, value))
        assert iht_rate(limit)(float(value)) == pytest.approx(wanted, rel=1e-14)
        wanted = float(contraction.htp_rate().subs(delta, value))
        assert htp_rate(limit)(float(value)) == pytest.approx(wanted, rel=1e-13)


def test_single_steps_contract_as_derived():
    """One step of IHT, HTP and GraDeS from random points against the rates, at the isometry constant enumerated."""
    rng = np.random.default_rng(0)
    kappa, delta = sp.Symbol("kappa", positive=True), sp.Symbol("delta", positive=True)
    golden = sp.lambdify(delta, contraction.iht_rate_sharp())
    pursuit = sp.lambdify(delta, contraction.htp_rate())
    grades = sp.lambdify(kappa, contraction.grades_rate())
    worst = np.zeros(3)
    for _ in range(400):
        N, s = 6, int(rng.integers(1, 3))
        A = np.linalg.qr(rng.standard_normal((N, N)))[0] * np.exp(rng.uniform(-0.3, 0.3, N)[:, None])
        G = A.T @ A
        low, _, high, _ = extreme_blocks(G, min(3 * s, N))
        G = G * 2 / (low + high)  # the best multiple, whose constant is (kappa - 1) / (kappa + 1)
        constant = float(contraction.delta_of_kappa().subs(kappa, high / low))
        truth, start = (np.where(rng.permutation(N) < s, rng.standard_normal(N), 0.0) for _ in range(2))
        error = np.linalg.norm(start - truth)
        moved = start + G @ (truth - start)
        chosen = np.argsort(-np.abs(moved), kind="stable")[:s]
        hard, fitted = np.zeros(N), np.zeros(N)
        hard[chosen] = moved[chosen]
        fitted[chosen] = np.linalg.solve(G[np.ix_(chosen, chosen)], (G @ truth)[chosen])
        worst[0] = max(worst[0], np.linalg.norm(hard - truth) / error / golden(constant))
        worst[1] = max(worst[1], np.linalg.norm(fitted - truth) / error / pursuit(constant))
        alpha, _, beta, _ = extreme_blocks(G, 2 * s)
        moved = start + G @ (truth - start) / beta
        hard = np.where(np.abs(moved) >= np.sort(np.abs(moved))[-s], moved, 0.0)
        before, after = (float((x - truth) @ G @ (x - truth)) for x in (start, hard))
        worst[2] = max(worst[2], after / before / grades(beta / alpha))
    assert np.all(worst <= 1 + 1e-12)
    assert np.all(worst > 0.4)  # rates of less than half the size would be seen to be wrong


@pytest.mark.parametrize("module", [symbolic, symbolic_families, contraction])
def test_the_list_of_derivations_is_complete(module):
    made = {name for name, value in vars(module).items() if hasattr(value, "cache_info") and name[0] != "_"}
    own = {name for name in made if getattr(module, name).__module__ == module.__name__}
    assert own | {"angle", "wedge"} == set(module.__all__) | {"angle", "wedge"}
