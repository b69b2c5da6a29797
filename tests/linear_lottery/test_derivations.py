"""The formulas of docs/theory are those of the code: both sides of every equation are evaluated."""

import inspect
import itertools
import math
import re

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm as normal
from theory import CITED, SECTIONS, TEXT

from linear_lottery import closed_forms

BLOCKS = re.findall(r"(?ms)^```formula\n(.*?)^```$", TEXT)
# an equation starts at the margin; lines that are indented go on with it
EQUATIONS = [" ".join(one.split()) for block in BLOCKS for one in re.split(r"\n(?=\S)", block.strip())]
WITHOUT_FORMULA = {"LABELS", "gram_extremes", "prunes_like_obs"}


def words(seed):
    """What the names in the document mean: one random instance, and the functions that formulas use."""
    rng = np.random.default_rng(seed)
    n, d, k, m, l = 15, 6, 3, 4, 21  # noqa: E741
    S, R = np.array([0, 2, 5]), np.array([1, 4])
    X = rng.standard_normal((n, d)) + 0.4 * rng.standard_normal((n, 1))
    y, w0 = rng.standard_normal(n), rng.standard_normal(d)
    M, w_star = rng.permutation(d) < m, np.zeros(d)
    w_star[S] = 0.7
    nulls = [1, 3, 4]
    named = {
        **{name: value for name, value in locals().items() if name not in ("rng", "seed")},
        "w": np.linalg.lstsq(X, y, rcond=None)[0],
        "noise": rng.standard_normal(n),
        "w_a": rng.standard_normal(d),
        "w_b": rng.standard_normal(d),
        "w_long": rng.standard_normal(l),
        "c": rng.standard_normal(d),
        "Sigma": np.cov(rng.standard_normal((d, 3 * d))),
        "Sg": np.linalg.inv(X.T @ X),
        **dict(zip("s sigma tau delta rho".split(), rng.uniform(0.2, 0.9, 5), strict=True)),
        **dict(zip("a b p u v c_i c_j lam".split(), rng.uniform(0.3, 2.0, 8), strict=True)),
        "subsets": lambda items: (
            list(one) for r in range(1, len(items) + 1) for one in itertools.combinations(items, r)
        ),
        "without": lambda items: np.setdiff1d(np.arange(d), items),
        "norm1": lambda x: np.abs(x).sum(),
        "gap": lambda w: np.diff(np.sort(np.abs(w)))[0],
        "eigenvalues": np.linalg.eigvalsh,
        "singular": lambda A: np.linalg.svd(A, compute_uv=False),
        "project": lambda A: A @ np.linalg.pinv(A),
        "fit": lambda M, y: np.linalg.pinv(X * M) @ y,
        "integral": lambda f, low, high: quad(f, low, high, epsabs=1e-13, epsrel=1e-12, limit=400, points=None)[0],
        "Phi": normal.cdf,
        "phi": normal.pdf,
        "ix": np.ix_,
        "inf": math.inf,
        **{name: getattr(np.linalg, name) for name in ("inv", "norm", "cond")},
        **{name: getattr(np, name) for name in ("log", "sqrt", "diag", "trace", "eye", "ones", "pi", "abs", "sum")},
        **{name: getattr(closed_forms, name) for name in closed_forms.__all__},
    }
    named["q"] = normal.isf((m - k) / (2 * (d - k)))
    return named


def sides(equation):
    """Split at the only ' = ' outside brackets and calls."""
    parts = re.split(r" = ", equation)
    assert len(parts) == 2, equation
    return parts


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: re.match(r"[\w(]*?(\w+)\(", equation).group(1))
def test_the_equation_of_the_document_holds(equation):
    for seed in range(3):
        left, right = (eval(side, words(seed)) for side in sides(equation))
        flat = [
            np.hstack([np.ravel(np.asarray(part, dtype=float)) for part in np.atleast_1d(one)])
            if not isinstance(one, tuple)
            else np.array(one, dtype=float)
            for one in (left, right)
        ]
        assert flat[0].shape == flat[1].shape
        assert np.allclose(*flat, rtol=1e-9, atol=1e-13), (left, right)


def test_every_function_has_an_equation():
    text = " ".join(sides(equation)[0] for equation in EQUATIONS)
    called = set(re.findall(r"(\w+)\(", text))
    assert set(closed_forms.__all__) - called == WITHOUT_FORMULA
    assert len(EQUATIONS) > 35


def test_a_wrong_formula_would_be_noticed():
    wrong = "asymptotic_transition(d, k) = sqrt(2 * log(d)) + sqrt(2 * log(k))"
    with pytest.raises(AssertionError):
        test_the_equation_of_the_document_holds(wrong)


def test_labels_name_public_functions_once():
    named = [name for names in closed_forms.LABELS.values() for name in names]
    assert sorted(named) == sorted(set(closed_forms.__all__) - {"LABELS"})


@pytest.mark.parametrize("name", sorted(set(closed_forms.__all__) - {"LABELS"}))
def test_every_reference_is_a_section_of_the_document(name):
    document = inspect.getdoc(getattr(closed_forms, name))
    (section,) = re.findall(CITED + r', "(.*?)"', document)
    assert section in SECTIONS
