"""The null-space constant: against all circuits of small matrices, in exact arithmetic, and against l1 itself."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

import planted
import recovery
from recovery.certificates import null_space_certificate, null_space_witness
from recovery.certificates.null_space import enclosed_residual, proved_bound
from recovery.conditions import null_space_constant, null_space_multipliers
from recovery.exact.rational import _eliminate, integer_matrix, null_vector, reduced_echelon, rounded

METHODS = ("decoupled", "joint", "exact")


def by_circuits(A, s):
    """alpha_s as the maximum over the vertices of the null vectors of l1 norm 1: they have minimal supports."""
    best = 0.0
    for size in range(1, A.shape[1] + 1):
        for S in itertools.combinations(range(A.shape[1]), size):
            _, values, right = np.linalg.svd(A[:, S], full_matrices=True)
            if np.sum(values > 1e-9) == size - 1:
                z = np.sort(np.abs(right[-1]))[::-1]
                best = max(best, z[:s].sum() / z.sum())
    return best


def exact_share(z, s):
    sizes = sorted(map(abs, z), reverse=True)
    return Fraction(sum(sizes[:s]), sum(sizes))


def is_null(A, z):
    return all(sum(Fraction(a) * b for a, b in zip(row, z, strict=True)) == 0 for row in A.tolist())


CASES = {
    "gaussian": lambda rng: rng.standard_normal((4, 7)),
    "integers": lambda rng: rng.integers(-1, 2, (3, 6)).astype(float),
    "ill-scaled": lambda rng: rng.standard_normal((3, 6)) * 10.0 ** rng.integers(-3, 4, 6),
    "rows scaled": lambda rng: rng.standard_normal((3, 6)) * 10.0 ** rng.integers(-90, 90, (3, 1)),
    "dependent rows": lambda rng: rng.integers(-2, 3, (4, 2)) @ rng.integers(-2, 3, (2, 6)).astype(float),
    "equal columns": lambda rng: rng.standard_normal((4, 6))[:, [0, 1, 2, 3, 4, 4]],
}


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 9), marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("case", CASES)
def test_the_bounds_enclose_the_maximum_over_all_circuits(case, seeds):
    for seed in seeds:
        A = CASES[case](np.random.default_rng(seed))
        plain = A / np.abs(A).max(axis=1, keepdims=True).clip(1e-300)  # the same null space
        for s in (1, 2):
            truth = by_circuits(plain, s)
            found = {method: null_space_constant(A, s, method) for method in METHODS}
            for alpha in found.values():
                assert alpha.lower <= truth + 1e-12
                assert alpha.upper >= truth - 1e-12
                assert alpha.lower_certified
                assert alpha.upper_certified
            assert found["exact"].width <= 1e-9
            assert found["exact"].lower == pytest.approx(truth, abs=1e-9)
            assert found["decoupled"].upper <= s * null_space_constant(A, 1).upper + 1e-9
            if s == 1:
                assert found["decoupled"].width <= 1e-9


def test_the_joint_program_is_sharper_than_single_ones():
    gains = []
    for seed in range(2):
        A = np.random.default_rng(seed).standard_normal((8, 12))
        decoupled, joint = (null_space_constant(A, 2, method).upper for method in METHODS[:2])
        assert joint <= decoupled + 1e-9
        gains.append(decoupled - joint)
    assert max(gains) > 0.01


def test_arrays_of_any_kind_and_operators(backend):
    X, _, H, _ = planted.gated_model(9, 3, 4, 1, rng=3)
    A = recovery.GatedOperator.from_generators(backend.put(X), backend.put(H))
    dense = backend.get(A.columns(A.xp.arange(12)))
    plain = null_space_constant(dense, 2)
    for given in (A, backend.put(dense)):
        found = null_space_constant(given, 2)
        assert (found.lower, found.upper) == (plain.lower, plain.upper)
    assert null_space_certificate(backend.put(dense), 1, backend.put(null_space_multipliers(dense, 1))).check().valid
    assert null_space_witness(backend.put(dense), 2, backend.put(plain.witness)).check().valid


def test_independent_columns_have_no_null_vector():
    for A in (np.eye(3), np.random.default_rng(0).standard_normal((5, 4)), np.array([[1.0, 1.0], [1.0, 1.0 + 2**-52]])):
        for method in METHODS:
            alpha = null_space_constant(A, 1, method)
            assert (alpha.lower, alpha.upper) == (0.0, 0.0)
        assert null_space_witness(A, 1, np.ones(A.shape[1])) is None


def test_zero_columns_and_zero_matrices_hold_everything():
    A = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    assert null_space_constant(A, 1).lower == null_space_constant(A, 1).upper == 1.0
    assert null_space_constant(np.zeros((2, 3)), 1).lower == 1.0


def test_a_search_that_is_cut_short_still_encloses():
    A = np.random.default_rng(1).standard_normal((6, 10))
    full, cut = null_space_constant(A, 3, "exact"), null_space_constant(A, 3, "exact", limit=3)
    assert cut.width > full.width
    assert cut.lower <= full.lower + 1e-12
    assert full.upper <= cut.upper + 1e-12
    assert null_space_constant(A, 3, "exact", limit=0).upper <= 1.0


def test_below_one_half_l1_recovers_and_above_it_does_not():
    held = broken = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((9, 12))
        alpha = null_space_constant(A, 2, "exact")
        if alpha.below(0.5):
            held += 1
            for _ in range(4):
                x = np.zeros(12)
                x[rng.choice(12, 2, replace=False)] = rng.choice([-1.0, 1.0], 2) * np.exp(rng.standard_normal(2))
                found = linprog(np.ones(24), A_eq=np.hstack([A, -A]), b_eq=A @ x).x
                np.testing.assert_allclose(found[:12] - found[12:], x, atol=1e-9)
        elif alpha.lower > 0.5:
            broken += 1
            z = alpha.witness
            K = np.argsort(-np.abs(z))[:2]
            x = np.zeros(12)
            x[K] = z[K]
            np.testing.assert_allclose(A @ (x - z), A @ x, atol=1e-12)
            assert np.abs(x - z).sum() < np.abs(x).sum()
    assert held >= 2
    assert broken >= 2


@pytest.mark.parametrize("s", [1, 2, 3])
def test_certificates_prove_what_they_say_and_no_more(s, tmp_path):
    A = np.random.default_rng(7).standard_normal((6, 9))
    Y = null_space_multipliers(A, s, "joint" if s > 1 else "decoupled")
    upper = null_space_certificate(A, s, Y)
    lower = null_space_witness(A, s, null_space_constant(A, s, "exact").witness)
    truth = by_circuits(A, s)
    for made, sign in ((upper, -1), (lower, 1)):
        made.save(tmp_path / "file.json")
        assert recovery.certificates.Certificate.load(tmp_path / "file.json").check().valid
        bound = Fraction(made.claim["bound"])
        assert sign * (bound - Fraction(truth)) <= 1e-12
        beyond = type(made)(made.kind, {"s": s, "bound": str(bound + sign * Fraction(1, 10**6))}, made.data, made.proof)
        assert not beyond.check().valid
    # few digits make a short file, and prove nearly as much
    short = null_space_certificate(A, s, Y, bits=10)
    assert short.check().valid
    assert len(short.to_json()) < len(upper.to_json())
    assert Fraction(short.claim["bound"]) <= Fraction(upper.claim["bound"]) + Fraction(1, 50)


def test_any_multipliers_prove_something_true():
    rng = np.random.default_rng(2)
    A = rng.integers(-2, 3, (3, 5)).astype(float)
    truth = by_circuits(A, 2)
    for scale in (0.0, 1e-3, 1.0, 1e200):
        made = null_space_certificate(A, 2, rng.standard_normal((3, 5)) * scale)
        assert made.check().valid
        assert Fraction(made.claim["bound"]) >= truth - 1e-12
        assert proved_bound(A, rng.standard_normal((3, 5)) * scale, 2) >= truth - 1e-12


@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e150, 1e-308])
def test_the_radius_covers_the_rounding_errors(scale):
    rng = np.random.default_rng(4)
    A = rng.standard_normal((7, 5)) * scale * 10.0 ** rng.integers(-5, 6, (7, 1))
    Y = rng.standard_normal((7, 4)) / max(scale, 1e-300) * 10.0 ** rng.integers(-5, 6, (7, 1))
    C = rng.standard_normal((4, 5))
    residual, radius = enclosed_residual(A, Y, C)
    for k, j in itertools.product(range(4), range(5)):
        exact = Fraction(C[k, j]) - sum(Fraction(y) * Fraction(a) for y, a in zip(Y[:, k], A[:, j], strict=True))
        assert abs(exact - Fraction(residual[k, j])) <= Fraction(radius[k, j])
        assert exact != residual[k, j] or scale != 1.0  # there is something to cover


def test_a_residual_that_overflows_proves_nothing():
    A, Y = np.full((2, 3), 1e200), np.full((2, 3), 1e200)
    assert np.all(np.isinf(enclosed_residual(A, Y, np.eye(3))[1]))
    assert proved_bound(A, Y, 1) == 1.0


def test_the_echelon_form_without_flint_is_that_of_flint():
    rng = np.random.default_rng(0)
    for _ in range(60):
        n, size, rank = rng.integers(1, 6, 3)
        rows = (rng.integers(-9, 10, (n, rank)) @ rng.integers(-9, 10, (rank, size))).tolist()
        form, pivot, pivots = reduced_echelon(rows)
        other, divisor, places = _eliminate(rows)
        assert pivots == places
        assert [[Fraction(one, pivot) for one in row] for row in form] == [
            [Fraction(one, divisor) for one in row] for row in other
        ]


def test_null_vectors_are_exact_close_and_keep_zeros():
    rng = np.random.default_rng(8)
    A = rng.standard_normal((5, 9))
    basis = np.linalg.svd(A)[2][5:]
    near = rng.standard_normal(4) @ basis
    z = null_vector(A, near)
    assert is_null(A, z)
    assert math.gcd(*z) == 1
    direction = np.array([one / max(z, key=abs) for one in z])
    np.testing.assert_allclose(direction, near / near[np.argmax(np.abs(near))], atol=1e-6)
    vertex = null_space_constant(A, 2).witness
    assert np.count_nonzero(null_vector(A, vertex)) == np.count_nonzero(vertex) == 6
    assert null_vector(np.eye(3), np.ones(3)) is None
    assert exact_share(z, 9) == 1


def test_numbers_become_integers_and_short_fractions():
    assert integer_matrix([[0.5, Fraction(1, 3), 2]]) == ([[3, 2, 12]], 6)
    values = np.array([1.0, -0.3, 1e-9])
    assert np.abs(rounded(values, 8) - values).max() <= 2.0**-8
    assert rounded(values, 8)[1] * 2**8 % 1 == 0
    assert not np.any(rounded(np.zeros(3), 8))


def test_wrong_arguments_are_sentences():
    A = np.eye(3)[:2]
    with pytest.raises(ValueError, match=r"sparsity=4.*3"):
        null_space_constant(A, 4)
    with pytest.raises(ValueError, match="method='simplex' is not known"):
        null_space_constant(A, 1, "simplex")
    with pytest.raises(ValueError, match="limit=-1"):
        null_space_constant(A, 1, limit=-1)
    with pytest.raises(ValueError, match=r"Y has shape \(3, 2\)"):
        null_space_certificate(A, 1, A.T)
    with pytest.raises(ValueError, match="NaN"):
        null_space_constant(A * np.nan, 1)
    with pytest.raises(ValueError, match="z has shape"):
        null_space_witness(A, 1, np.ones(2))


def test_numbers_at_the_edges_of_floats_do_not_matter():
    A = np.random.default_rng(11).standard_normal((3, 6))
    for exponents in (np.full((3, 1), -1030), np.full((3, 1), 1000), np.array([[-900], [0], [1000]])):
        scaled = np.ldexp(A, exponents)
        plain = null_space_constant(np.ldexp(scaled, -exponents), 2, "exact")
        found = null_space_constant(scaled, 2, "exact")
        assert (found.lower, found.upper) == (plain.lower, plain.upper)
        assert null_space_certificate(scaled, 2, null_space_multipliers(scaled, 2)).check().valid
        assert null_space_witness(scaled, 2, found.witness).check().valid


def test_the_search_counts_what_rounding_may_have_done(monkeypatch):
    from recovery.certificates import null_space as proofs

    A = np.random.default_rng(1).standard_normal((5, 8))
    plain, enclosed = null_space_constant(A, 2, "exact", limit=0), proofs.enclosed_residual

    def rougher(*parts):
        residual, radius = enclosed(*parts)
        return residual, radius + 0.01

    monkeypatch.setattr(proofs, "enclosed_residual", rougher)
    assert null_space_constant(A, 2, "exact", limit=0).upper == pytest.approx(plain.upper + 0.02, rel=1e-12)
