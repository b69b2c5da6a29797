"""The equations marked `population` in docs/theory are those of the code: both sides are evaluated."""

import inspect
import re

import numpy as np
import pytest
from theory import CITED, SECTIONS, TEXT

from recovery.conditions import expected_separation, population
from recovery.conditions.population import arc_cosine_kernel, coherence_floor, population_gram

EQUATIONS = [
    line for block in re.findall(r"(?ms)^```population\n(.*?)^```$", TEXT) for line in block.strip().split("\n")
]


def words(seed):
    """What the names of the document mean, for two random unit vectors h and g."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(3, 7))
    h, g = (one / np.linalg.norm(one) for one in rng.standard_normal((2, d)))
    pair = np.stack([h, g], axis=1)
    return {
        "d": d,
        "h": h,
        "g": g,
        "H": pair,
        "theta": np.arccos(h @ g),
        "M": pair[:, ::-1] @ np.linalg.pinv(pair),
        "block": lambda h, g: population_gram(np.stack([h, g], axis=1))[:d, d:],
        "eigenvalues": np.linalg.eigvalsh,
        "norm": np.linalg.norm,
        **{name: getattr(np, name) for name in ("sin", "cos", "pi", "eye", "ones", "trace")},
        "population_gram": population_gram,
        "arc_cosine_kernel": arc_cosine_kernel,
        "coherence_floor": coherence_floor,
        "expected_separation": expected_separation,
    }


@pytest.mark.parametrize("equation", EQUATIONS)
def test_the_equation_of_the_document_holds(equation):
    left, right = equation.split(" = ")
    for seed in range(5):
        names = words(seed)
        assert np.allclose(eval(left, dict(names)), eval(right, dict(names)), rtol=1e-12, atol=1e-14)


def test_a_wrong_formula_would_be_noticed():
    assert len(EQUATIONS) >= 12
    for wrong in ("expected_separation(H)[0, 1] = theta / (2 * pi)", "block(h, g) = (pi - theta) * eye(d) / (2 * pi)"):
        with pytest.raises(AssertionError):
            test_the_equation_of_the_document_holds(wrong)


def test_every_reference_is_a_section_of_the_document():
    for name in population.__all__:
        for section in re.findall(CITED + r', "(.*?)"', inspect.getdoc(getattr(population, name))):
            assert section in SECTIONS
