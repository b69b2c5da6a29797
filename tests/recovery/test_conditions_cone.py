"""The restricted eigenvalue: bounds against a grid of directions, and its witness."""

import numpy as np
import pytest

from recovery.conditions import restricted_eigenvalue


def curvature(A, v):
    return float(np.sum((A @ v) ** 2) / (len(A) * np.sum(v**2)))


def in_cone(v, support, cone):
    inside = np.abs(v[support]).sum()
    return np.abs(v).sum() - inside <= cone * inside * (1 + 1e-12)


def grid(A, support, cone, steps=300):
    """The smallest curvature over a fine grid of directions in three dimensions."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, steps), np.linspace(0, np.pi, steps))
    V = np.stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)]).reshape(3, -1)
    inside = np.abs(V[support]).sum(axis=0)
    kept = V[:, np.abs(V).sum(axis=0) - inside <= cone * inside]
    return float((((A @ kept) ** 2).sum(axis=0) / (len(A) * (kept**2).sum(axis=0))).min())


@pytest.mark.parametrize("cone", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("support", [[0], [0, 1]])
def test_the_search_finds_the_smallest_curvature(cone, support):
    separated = 0
    for seed in range(15):
        A = np.random.default_rng(seed).standard_normal((6, 3)) @ np.diag([1.0, 2.0, 0.3])
        found = restricted_eigenvalue(A, support, cone=cone)
        best = grid(A, support, cone)
        assert found.lower <= best
        assert best * 0.98 - 1e-3 <= found.upper <= best * (1 + 1e-9)
        separated += found.lower < 0.9 * found.upper
    assert separated >= 1  # else the lower bound alone would do


@pytest.mark.parametrize("shape", [(30, 12), (8, 20)])
def test_the_witness_shows_the_upper_bound(backend, shape):
    A = np.random.default_rng(1).standard_normal(shape) + np.random.default_rng(2).standard_normal((shape[0], 1))
    previous = np.inf
    for cone in (0.0, 0.5, 3.0, 100.0):
        found = restricted_eigenvalue(backend.put(A), [3, 1], cone=cone)
        assert in_cone(found.witness, [1, 3], cone)
        assert curvature(A, found.witness) == pytest.approx(found.upper, abs=1e-11)
        assert found.lower <= found.upper <= previous * (1 + 1e-9)
        previous = found.upper
        assert found.lower_certified == (found.lower == 0.0) == (shape[0] < shape[1] and cone > 0.0)
        assert not found.upper_certified


def test_without_a_cone_it_is_the_smallest_eigenvalue():
    A = np.random.default_rng(3).standard_normal((25, 7))
    inside = np.linalg.eigvalsh(A[:, [0, 5]].T @ A[:, [0, 5]] / 25)[0]
    found = restricted_eigenvalue(A, [0, 5], cone=0.0)
    assert inside in found
    assert found.width < 1e-12
    whole = restricted_eigenvalue(A, [0, 5], cone=1e6)
    assert whole.lower == pytest.approx(np.linalg.eigvalsh(A.T @ A / 25)[0], rel=1e-9)
    assert whole.width < 1e-9


def test_the_oracle_bound_of_the_lasso_holds_with_the_lower_bound():
    """lam >= 2 |X'noise / n|_inf gives |e|_2 <= 3 sqrt(k) lam / kappa, |X e|^2 / n <= 9 k lam^2 / kappa; e = w - w*."""
    from sklearn.linear_model import Lasso

    for seed in range(100):
        rng = np.random.default_rng(seed)
        n, d, k = 40, 12, 3
        X, noise = rng.standard_normal((n, d)), 0.5 * rng.standard_normal(n)
        w = np.where(np.arange(d) < k, 1.0, 0.0)
        lam = 2.0 * np.abs(X.T @ noise / n).max()
        error = Lasso(alpha=lam, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(X, X @ w + noise).coef_ - w
        kappa = restricted_eigenvalue(X, np.arange(k), starts=0, max_iter=0).lower
        assert np.linalg.norm(error) <= 3 * k**0.5 * lam / kappa
        assert np.sum((X @ error) ** 2) / n <= 9 * k * lam**2 / kappa
        # the proof goes through the cone: the error lies in it
        assert in_cone(error, np.arange(k), 3.0)


@pytest.mark.parametrize("exponent", [-400, 400])
def test_the_scale_of_the_columns_does_not_matter(exponent):
    X = np.random.default_rng(2).standard_normal((30, 8))
    plain, scaled = restricted_eigenvalue(X, [0, 1]), restricted_eigenvalue(2.0**exponent * X, [0, 1])
    assert scaled.lower == np.ldexp(plain.lower, 2 * exponent)
    assert scaled.upper == np.ldexp(plain.upper, 2 * exponent)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"support": []}, "support is empty"), ({"cone": -1.0}, "cone=-1.0"), ({"starts": -1}, "starts=-1")],
)
def test_bad_input_is_refused(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        restricted_eigenvalue(np.eye(3), **({"support": [0]} | options))


def test_what_underflows_is_not_0_and_what_overflows_is_refused():
    A = np.random.default_rng(0).standard_normal((9, 6))
    tiny = restricted_eigenvalue(A * 1e-170, [0, 1], rng=0)
    assert tiny.upper > 0  # the exact number is: an upper bound of 0 would be wrong
    assert tiny.lower == 0
    with pytest.raises(ValueError, match="A has columns whose inner products overflow; expected columns of norm below"):
        restricted_eigenvalue(A * 1e170, [0, 1])
