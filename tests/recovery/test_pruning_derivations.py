"""The formulas about pruning in docs/theory are those of the code: both sides are evaluated."""

import inspect
import itertools
import re

import numpy as np
import pytest
from theory import CITED, SECTIONS, TEXT

from recovery.pruning.closed_forms import bingo, equilibrium, transfer

EQUATIONS = [line for block in re.findall(r"(?ms)^```formula pruning\n(.*?)^```$", TEXT) for line in block.splitlines()]
MODULES = (bingo, equilibrium, transfer)
FUNCTIONS = {name: getattr(module, name) for module in MODULES for name in module.__all__ if name.islower()}


def recursion(similarities, step):
    """Run a velocity filter epoch by epoch."""
    before, last, v, found = 1.0, 0.0, 0.0, []
    for phi in similarities:
        v = step(phi - before, last, v)
        before, last = phi, phi - before
        found.append(v)
    return np.array(found)


def words(seed):
    """What the names in the document mean."""
    rng = np.random.default_rng(seed)
    n, d, h, o, c, m, p = 7, 5, 6, 3, 4, 4, 7
    mask = np.isin(np.arange(9), [0, 2, 3, 7])
    X, e = rng.standard_normal((11, 9)), rng.standard_normal(11)
    half = rng.standard_normal((p, p))
    g, shift = rng.standard_normal((2, p))
    w, theta = rng.standard_normal((2, 9))

    def embed(values):
        found = np.zeros(9)
        found[mask] = values
        return found

    def mean_over_subsets(change, size):
        held = [[] for _ in range(p)]
        for subset in itertools.combinations(range(p), size):
            value = change(np.where(np.isin(np.arange(p), subset), shift, 0.0))
            for j in subset:
                held[j].append(value)
        return np.array([np.mean(values) for values in held])

    named = {name: value for name, value in locals().items() if name not in ("rng", "seed", "half")}
    drawn = zip("S A A2 f mu out away s2 x v".split(), rng.uniform(0.1, 0.9, 10), strict=True)
    return {
        **named,
        **dict(drawn),
        **FUNCTIONS,
        **{name: getattr(np, name) for name in ("sin", "cos", "pi", "abs", "arange", "diag", "inf", "sum")},
        **{"norm": np.linalg.norm, "pinv": np.linalg.pinv, "recursion": recursion, "N": 6, "t": 0.9},
        **{"H": half + half.T, "phi": rng.uniform(-1, 1, 12), "eps": 1e-3, "y": X @ w + e, "n_many": 9, "n_few": 1},
        "first": lambda rule: next(k for k in itertools.count() if rule(k)),
    }


def sides(equation):
    parts = re.split(r" = ", equation)
    assert len(parts) == 2, equation
    return parts


def check(equation):
    for seed in range(3):
        known = words(seed)
        if "drift" in equation:
            known["c"] = 1e-3
        found = [np.array(eval(side, known), dtype=float) for side in sides(equation)]
        assert found[0].shape == found[1].shape
        np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("equation", EQUATIONS, ids=[f"{i}-{one.partition('(')[0]}" for i, one in enumerate(EQUATIONS)])
def test_the_equation_of_the_document_holds(equation):
    check(equation)


def test_every_function_has_an_equation():
    called = {name for equation in EQUATIONS for name in re.findall(r"(\w+)\(", sides(equation)[0])}
    assert set(FUNCTIONS) - called == {"probe_weights"}  # which is on the right sides
    assert len(EQUATIONS) >= 45


def test_a_wrong_formula_would_be_noticed():
    with pytest.raises(AssertionError):
        check("expected_error(n_many, m, out) = out * n_many / (n_many - m - 1)")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_reference_is_a_section_of_the_document(name):
    for section in re.findall(CITED + r',\s+"(.*?)"', inspect.getdoc(FUNCTIONS[name]), re.DOTALL):
        assert " ".join(section.split()) in SECTIONS
