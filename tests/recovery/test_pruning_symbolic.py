"""The closed forms of pruning against their second derivation in SymPy, at rational numbers."""

import math

import numpy as np
import pytest

from recovery.pruning.closed_forms import bingo, transfer
from recovery.pruning.closed_forms import equilibrium as neq
from recovery.symbolic import pruning

sp = pytest.importorskip("sympy")
mu, t = sp.symbols("mu"), sp.symbols("t", positive=True)


def of(expression, **values):
    """The value of an expression whose symbols are given by name, whatever they are assumed to be."""
    return float(expression.subs({one: values[one.name] for one in expression.free_symbols}))


def test_sum_and_variance_of_scores():
    for n in range(8):
        assert of(pruning.score_sum(), N=n, u0=sp.Rational(3, 7)) == pytest.approx(1 + (3 / 7 - 1) / 2**n, rel=1e-14)
        assert of(pruning.score_sum(), N=n, u0=1) == 1.0
        assert of(pruning.average_variance(), N=n, variance=5) == pytest.approx(bingo.score_variance(5.0, n), rel=1e-14)
        if n:
            assert of(pruning.effective_sample_size(), N=n) == pytest.approx(bingo.effective_sample_size(n), rel=1e-14)
    (N,) = pruning.effective_sample_size().free_symbols
    assert sp.limit(pruning.effective_sample_size(), N, sp.oo) == 3


def test_shares_of_subsets():
    for expression, place in zip(pruning.coalition_shares(), (0, 1), strict=True):
        for m, p in ((3, 5), (2, 7), (6, 9)):
            assert of(expression, m=m, p=p) == pytest.approx(bingo.coalition_share(m, p)[place], rel=1e-14)


@pytest.mark.parametrize(("p", "size"), [(2, 1), (3, 2), (4, 2), (4, 3), (4, 4)])
def test_mean_over_subsets(p, size):
    rng = np.random.default_rng(p + size)
    gradient, shift = rng.integers(-9, 10, (2, p)) / 4.0
    upper = np.triu(rng.integers(-9, 10, (p, p)) / 8.0)
    hessian = upper + np.triu(upper, 1).T
    values = {f"g{i}": gradient[i] for i in range(p)} | {f"d{i}": shift[i] for i in range(p)}
    values |= {f"h{i}{k}": hessian[i, k] for i in range(p) for k in range(i, p)}
    found = bingo.expected_change(gradient, hessian, shift, size)
    for j in range(p):
        assert of(pruning.coalition_mean(p, size, j), **values) == pytest.approx(found[j], rel=1e-12, abs=1e-12)


def test_similarity_and_its_series():
    gap = pruning.similarity_gap()
    for angle in (0.01, 0.7, 2.0, 3.1):
        assert float(gap.subs(t, angle).evalf(40)) == pytest.approx(neq.dissimilarity(angle), rel=1e-12)
    derivative, expected = 1 - gap, neq.similarity_series(7)
    for power in range(8):
        assert float(derivative.subs(t, 0)) / math.factorial(power) == pytest.approx(expected[power], abs=1e-15)
        derivative = sp.diff(derivative, t)
    assert sp.simplify(sp.diff(gap, t) - (sp.pi - t) * sp.sin(t) / sp.pi) == 0


@pytest.mark.parametrize("rule", neq.FILTERS)
def test_filters(rule):
    for value in (0.0, 0.25, 0.5, 0.875):
        weights = [float(one.subs(mu, value)) for one in pruning.velocity_weights(rule, 9)]
        assert neq.filter_weights(9, value, rule) == pytest.approx(weights, abs=1e-14)
        assert of(pruning.velocity_drift(rule), mu=value, c=3) == pytest.approx(neq.drift_response(3.0, value, rule))
    for epoch in range(6):
        for value in (0.25, 0.5):
            speed = abs(of(pruning.turning_speed(rule, epoch), mu=value, delta=1))
            expected = value**epoch if rule == "paper" else (1 - value) * value ** (epoch - 1) if epoch else 1.0
            assert speed == pytest.approx(expected, rel=1e-14)


def test_the_filters_agree_for_two_epochs_at_one_half_only():
    first, second = (pruning.velocity_weights(rule, 3) for rule in neq.FILTERS)
    assert sp.solve(sp.Eq(first[1], second[1]), mu) == [sp.Rational(1, 2)]
    # the third weights are equal for another mu, so that no mu makes the filters agree for three epochs
    assert sp.solve(sp.Eq(first[2], second[2]), mu) == [sp.Rational(1, 3)]


def test_errors_of_tickets():
    for n, m, many in ((20, 40, False), (2, 9, False), (60, 40, True), (12, 9, True)):
        found = of(
            pruning.ticket_error(many), n=n, m=m, outside=sp.Rational(3, 4), distance=2, variance=sp.Rational(1, 5)
        )
        assert transfer.expected_error(n, m, 0.75, 2.0, 0.2) == pytest.approx(found, rel=1e-14)
    (k,) = pruning.inverse_chi_square().free_symbols
    assert sp.simplify(pruning.inverse_chi_square() - 1 / (k - 2)) == 0
    assert not math.isfinite(transfer.expected_error(39, 40, 0.75))
