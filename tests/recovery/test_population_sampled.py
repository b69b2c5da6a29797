"""The population Gram matrix against Monte Carlo: SymPy's form stays within 4 standard errors, a wrong one does not."""

import numpy as np
import pytest
import sympy as sp

from benchmarks import population_gram as sampled
from recovery.symbolic import gram


def test_the_symbolic_form_is_within_four_standard_errors():
    z, apart = sampled.deviations(400_000, seed=0)
    assert z.shape == (20, 6)
    assert np.abs(z).max() < sampled.LIMIT  # 120 comparisons of a true formula exceed it with probability .0076
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=0.15)  # and the standard errors are of the right size
    assert apart < 1e-15


@pytest.mark.slow
def test_the_symbolic_form_is_within_four_standard_errors_of_four_million_samples():
    z, _ = sampled.deviations(4_000_000, seed=0)
    assert np.abs(z).max() < sampled.LIMIT
    quantile, chance = sampled.corrected()
    assert quantile > sampled.LIMIT  # the limit is stricter than the corrected quantile
    assert chance < 0.01


@pytest.mark.parametrize("wrong", ["no swap", "swap of the other sign", "three per cent"])
def test_a_wrong_form_is_noticed(wrong):
    theta = sp.Symbol("theta", positive=True)
    block, plain = gram.gate_block(), (sp.pi - theta) * sp.eye(3) / (2 * sp.pi)
    other = {
        "no swap": plain,
        "swap of the other sign": 2 * plain - block,
        "three per cent": block * sp.Rational(103, 100),
    }
    z, apart = sampled.deviations(100_000, seed=0, block=other[wrong])
    assert np.abs(z).max() > sampled.LIMIT
    assert apart > 1e-3
