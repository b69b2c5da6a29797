"""The numeric code against SymPy's derivations from other starting points, at random rationals."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from linear_lottery import closed_forms as forms
from linear_lottery import gradient_flow, symbolic, symbolic_risks
from linear_lottery.closed_forms.probabilities import _log_largest_density
from linear_lottery.closed_forms.risks import _unit_risk

RANDOM = np.random.default_rng(20)
START = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers_whatever_ran_before():
    """Every test draws from the start of the stream."""
    RANDOM.bit_generator.state = START


def rational(low, high, places=12):
    """A random rational in an interval, with a small denominator."""
    return sp.Rational(int(RANDOM.integers(low * places, high * places + 1)), places)


def at(expression, **values):
    """Evaluate an expression, with 40 digits, where its symbols of these names have these values."""
    unknown = {symbol.name for symbol in expression.free_symbols} - set(values)
    assert not unknown
    numbers = {symbol: sp.sympify(values[symbol.name]) for symbol in expression.free_symbols}
    return float(sp.N(expression.subs(numbers), 40))


def close(found, wanted, rel=1e-12):
    assert float(found) == pytest.approx(wanted, rel=rel, abs=1e-14)


def integer_design(n, d):
    """A design of small integers with full column rank, so that SymPy computes with it exactly."""
    while True:
        X = RANDOM.integers(-4, 5, (n, d))
        if np.linalg.matrix_rank(X) == d:
            return X


def test_a_mode_of_the_flow():
    for _ in range(10):
        x, y, w0, t = rational(1, 4), rational(-3, 3), rational(-3, 3), rational(0, 5)
        found = gradient_flow(np.array([[float(x)]]), np.array([float(y)]), np.array([float(w0)]), float(t))[0]
        close(found, at(symbolic.flow_mode(), lam=x**2, b=y / x, a0=w0, t=t))


def test_two_coupled_weights_of_the_flow():
    for _ in range(6):
        X, y, u, t = integer_design(3, 2), RANDOM.integers(-5, 6, 3), RANDOM.integers(-3, 4, 2), rational(0, 2)
        gram, h = X.T @ X, X.T @ y
        if gram[0, 1] == 0:
            continue  # the formula divides by the distance of the eigenvalues
        third = {name: sp.Rational(int(value), 3) for name, value in zip("pqr", gram.ravel()[[0, 1, 3]], strict=True)}
        third |= {"h1": sp.Rational(int(h[0]), 3), "h2": sp.Rational(int(h[1]), 3), "u1": int(u[0]), "u2": int(u[1])}
        found = gradient_flow(X.astype(float), y.astype(float), u.astype(float), float(t))
        for place in range(2):
            close(found[place], at(symbolic.flow_pair()[place], t=t, **third), rel=1e-11)


def test_the_flow_of_two_weights_solves_its_equation():
    w, t = symbolic.flow_pair(), sp.Symbol("t", positive=True)
    values = {"p": 3, "q": sp.Rational(1, 2), "r": sp.Rational(5, 3), "h1": 2, "h2": -1, "u1": 1, "u2": 4, "t": 1}
    G = sp.Matrix([[3, sp.Rational(1, 2)], [sp.Rational(1, 2), sp.Rational(5, 3)]])
    error = w.diff(t) - (sp.Matrix([2, -1]) - G * w)
    for entry in error:
        assert abs(at(entry, **values)) < 1e-30
    for entry, start in zip(w, (1, 4), strict=True):
        close(at(entry, **(values | {"t": 0})), start)


def test_interlacing_and_the_segment():
    assert symbolic.interlacing() == sp.Symbol("q", real=True) ** 2
    for _ in range(10):
        X = integer_design(4, 2)
        smallest, largest = forms.gram_extremes(X, [[1, 1], [1, 0]])
        gram = X.T @ X / 4
        gap = (largest[0] - smallest[1]) * (smallest[1] - smallest[0])
        close(gap, at(symbolic.interlacing(), p=gram[0, 0], q=gram[0, 1], r=gram[1, 1]), rel=1e-9)
        a, b, s = RANDOM.integers(-3, 4, 2), RANDOM.integers(-3, 4, 2), rational(0, 1)
        each = [
            at(symbolic.segment_excess(), s=s, f=int(row @ a), g=int(row @ b), y=0) for row in X
        ]  # any y: it does not occur
        close(forms.segment_excess(X, a, b, float(s)), np.mean(each))
    assert {one.name for one in symbolic.segment_excess().free_symbols} == {"s", "f", "g"}


def test_the_ranking_time():
    for _ in range(10):
        e, more, u, v, lam = (rational(1, 3) for _ in range(5))
        wanted = at(symbolic.ranking_time(), c=e + more, e=e, u=u, v=v, lam=lam)
        close(forms.ranking_time(-float(e + more), float(e), float(u), float(v), float(lam)), wanted)


@pytest.mark.parametrize(
    "removed",  # the others differ by the order of the columns
    [(1,), (0, 2), *(pytest.param(one, marks=pytest.mark.slow) for one in ((0,), (2,), (0, 1), (1, 2)))],
)
def test_the_cost_of_pruning_and_the_downdate(removed):
    found = symbolic.removal(removed)
    assert sp.cancel(found["increase"] - found["saliency"]) == 0
    assert all(sp.cancel(one) == 0 for one in found["weights"] - found["downdated"])
    assert all(sp.cancel(one) == 0 for one in found["inverse"] - found["downdated_inverse"])
    for _ in range(3):
        X, y = integer_design(5, 3), RANDOM.integers(-5, 6, 5)
        K, b = X.T @ X, X.T @ y
        values = {f"k{i}{j}": int(K[i, j]) for i in range(3) for j in range(i, 3)} | {
            f"b{i}": int(b[i]) for i in range(3)
        }
        w, wanted = np.linalg.lstsq(X, y, rcond=None)[0], at(found["increase"], **values)
        close(forms.rss_increase(X, w, removed), wanted, rel=1e-10)
        if len(removed) == 1:
            close(forms.obs_saliency(X, w)[removed[0]], wanted, rel=1e-10)
        stay = [i for i in range(3) if i not in removed]
        refitted = gradient_flow(X.astype(float), y.astype(float), np.zeros(3), mask=np.isin(np.arange(3), stay))[stay]
        for entry, number in zip(found["weights"], refitted, strict=True):
            close(number, at(entry, **values), rel=1e-10)


def test_equal_correlations():
    rows = symbolic.equicorrelated_rows()
    for _ in range(10):
        d, k, rho = 9, int(RANDOM.integers(1, 9)), sp.Rational(int(RANDOM.integers(-11, 90)), 100)
        c = RANDOM.integers(-4, 5, d)
        wanted = [at(rows["weight"], c=int(one), total=int(c.sum()), m=d, rho=rho) for one in c]
        assert np.allclose(forms.equicorrelated_weights(float(rho), c), wanted, rtol=1e-12, atol=1e-13)
        worst = max(abs(at(rows["amplification"], d=d, m=m, rho=rho)) for m in range(k, d + 1))
        close(forms.equicorrelated_amplification(d, k, float(rho)), worst)
        X = np.linalg.cholesky((1 - float(rho)) * np.eye(d) + float(rho)).T
        close(forms.null_amplification(X, range(k)), worst, rel=1e-10)


def test_when_three_columns_have_equal_variances():
    first, second, third = symbolic.three_column_variances()
    a, b, c = sp.symbols("a b c", real=True)
    assert sp.expand(first - second - (b**2 - c**2)) == 0 == sp.expand(second - third - (a**2 - b**2))
    for signs in ((1, 1, 1), (1, -1, 1), (-1, -1, -1)):
        same, other = np.eye(3), np.eye(3)
        for (i, j), sign in zip(((0, 1), (0, 2), (1, 2)), signs, strict=True):
            same[i, j] = same[j, i] = 0.3 * sign
            other[i, j] = other[j, i] = 0.3 * sign + 0.1 * (i == 1)
        assert forms.prunes_like_obs(np.linalg.cholesky(same).T)
        assert not forms.prunes_like_obs(np.linalg.cholesky(other).T)


def exact_pseudo_inverse(X):
    X = sp.Matrix(X.tolist())
    return (X.T * X).inv() * X.T


def test_errors_of_predictions_in_exact_arithmetic():
    for _ in range(5):
        X, noise, w = integer_design(6, 4), RANDOM.integers(-3, 4, 6), RANDOM.integers(-2, 3, 4)
        S, sigma = [0, 2], Fraction(3, 7)
        inverse = exact_pseudo_inverse(X[:, S])
        wanted = sp.Rational(9, 49) * sum(entry**2 for entry in inverse)  # E |X_S^+ noise|^2, term by term
        close(forms.oracle_risk(X, S, float(sigma)), float(wanted))
        P = sp.Matrix(X[:, S].tolist()) * inverse
        signal = sp.Matrix((X @ w).tolist())
        error = P * (signal + sp.Matrix(noise.tolist())) - signal
        bias, variance = forms.prediction_split(X, w, noise, np.isin(np.arange(4), S))
        close(bias + variance, float((error.T * error)[0]) / 6, rel=1e-11)
        c = RANDOM.integers(-3, 4, 4)
        covariance = sp.Matrix((X.T @ X).tolist())
        wanted = [float(entry) for entry in covariance.LUsolve(sp.Matrix(c.tolist()))]
        assert np.allclose(forms.population_weights(X.T @ X, c), wanted, rtol=1e-9)


def test_the_density_of_the_largest_null():
    for N in (1, 2, 7, 90):
        t = rational(1, 4)
        found = np.exp(_log_largest_density(np.array([float(t)]), N))[0]
        close(found, at(symbolic_risks.largest_null_density(), t=t, N=N))


def test_recovery_of_one_signal_among_two_weights():
    for _ in range(5):
        a = rational(1, 5)
        close(forms.recovery_probability(2, 1, float(a)), at(symbolic_risks.two_weight_recovery(), a=a))


@pytest.mark.slow
def test_threshold_pruning():
    for _ in range(10):
        A, T, s, k, d = rational(1, 4), rational(1, 4), rational(1, 3), int(RANDOM.integers(0, 5)), 7
        if A == T:
            continue  # the antiderivative that SymPy finds divides by A - T
        values = float(A * s), float(T * s), float(s)
        wanted = at(symbolic_risks.threshold_probability(), d=d, k=k, A=A, T=T)
        close(forms.threshold_recovery_probability(d, k, *values), wanted)
        one = at(symbolic_risks.threshold_risk(), A=A, T=T)
        close(_unit_risk(np.array(float(A)), np.array(float(T))), one)
        # a weight without signal: the limit A to 0 is the truncated second moment
        null = at(symbolic_risks.truncated_second_moment(), q=T)
        close(forms.threshold_risk(d, k, *values), float(s) ** 2 * (k * one + (d - k) * null))


def test_keeping_the_largest():
    close(forms.top_m_risk(2, 0, 1), float(symbolic_risks.largest_of_two()))
    for m in (5, 12, 19):
        share = sp.Rational(m - 4, 16)
        q = sp.nsolve(sp.erfc(sp.Symbol("q") / sp.sqrt(2)) - share, 1.0, prec=30)
        wanted = 4 + 16 * at(symbolic_risks.truncated_second_moment(), q=q)
        close(forms.top_m_risk_asymptotic(20, 4, m), wanted)


def test_the_risk_on_a_fixed_mask():
    for n, m in ((10, 3), (9, 7), (4, 9), (30, 60)):
        sigma, b = rational(1, 3), rational(0, 2)
        few, many = min(n, m), max(n, m)
        trace = few * at(symbolic_risks.inverse_chi_square_mean(), nu=many - few + 1)
        wanted = float(b) + float(sigma**2 + b) * trace
        close(forms.fixed_mask_risk(n, m, float(sigma), missing=float(b)), wanted)


def test_moments_of_the_weights():
    moments = symbolic_risks.projection_moments()
    for n, m in ((3, 5), (8, 14), (20, 55)):
        sigma, alpha, w = rational(0, 2), rational(0, 2), RANDOM.integers(-3, 4, m)
        diagonal, off = (at(moments[name], n=n, m=m) for name in ("diagonal", "off"))
        noise = n / m * at(symbolic_risks.inverse_chi_square_mean(), nu=m - n + 1)
        mean, variance = forms.weight_moments(n, w, float(sigma), float(alpha))
        for i in range(m):
            others = float(w @ w - w[i] ** 2)
            wanted = w[i] ** 2 * (diagonal - (n / m) ** 2) + others * off
            wanted += float(sigma) ** 2 * noise + float(alpha) ** 2 * (1 - n / m)
            close(variance[i], wanted, rel=1e-11)
            close(mean[i], n / m * w[i])


@pytest.mark.parametrize("module", [symbolic, symbolic_risks])
def test_the_list_of_derivations_is_complete(module):
    made = [name for name, value in vars(module).items() if hasattr(value, "cache_info") and name[0] != "_"]
    assert sorted(made) == sorted(module.__all__)
