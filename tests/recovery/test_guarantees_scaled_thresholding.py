"""Hard thresholding with the best step: plain loops, two atoms at the golden ratio, and scales."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear import iterative
from recovery.guarantees.linear import iterative as iterative_samplers
from recovery.guarantees.linear.scaled_thresholding import GOLDEN, guarantees

KNOWN = {one.name: one for one in guarantees()}
ALL = pytest.mark.parametrize("name", list(KNOWN))


def spectrum(A, order):
    """Extreme eigenvalues over all supports, by plain loops."""
    found = []
    for chosen in combinations(range(A.shape[1]), min(order, A.shape[1])):
        found.extend(np.linalg.eigvalsh(A[:, chosen].T @ A[:, chosen]))
    return max(min(found), 0.0), max(found)


def textbook(A, y, s, x0, step, fit, steps):
    """The iterates x <- H_s(x + step A'(y - A x)), with least squares on that support if asked for."""
    x = np.array(x0)
    for _ in range(steps):
        u = x + step * A.T @ (y - A @ x)
        top = np.argsort(-np.abs(u), kind="stable")[:s]
        x = np.zeros(len(u))
        x[top] = np.linalg.lstsq(A[:, top], y)[0] if fit else u[top]
        yield x


RATES = {
    "iht-scaled-golden-ratio": (GOLDEN, lambda d: d * (math.sqrt(5) + 1) / 2),
    "iht-scaled-isometry": (1 / math.sqrt(3), lambda d: d * math.sqrt(3)),
    "iht-scaled-isometry-half": (0.5, lambda d: 2 * d),
    "htp-scaled-isometry": (1 / math.sqrt(3), lambda d: math.sqrt(2 * d * d / (1 - d * d))),
    "iht-scaled-isometry-2s": (GOLDEN / math.sqrt(3), lambda d: d * math.sqrt(3) * (math.sqrt(5) + 1) / 2),
    "htp-scaled-isometry-2s": (1 / math.sqrt(7), lambda d: math.sqrt(6 * d * d / (1 - d * d))),
}


@ALL
def test_the_rate_is_that_of_a_plain_loop(name):
    limit, rate = RATES[name]
    held = plural = 0
    for seed in range(25):
        instance = draw(KNOWN[name], seed)
        A, s, x = instance.matrix, instance.sparsity, instance.x
        low, high = spectrum(A, (2 if name.endswith("2s") else 3) * s)
        delta = (high - low) / (high + low)
        verdict = KNOWN[name].check(instance)
        assert verdict.margin == pytest.approx(limit / delta - 1, abs=1e-8)
        if verdict.status != "holds":
            continue
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        bound = np.linalg.norm(start - x)
        for point in textbook(A, instance.y, s, start, 2 / (low + high), name.startswith("htp"), 20):
            bound *= rate(delta)
            assert np.linalg.norm(point - x) <= bound * (1 + 1e-9) + 1e-11 * np.linalg.norm(x)
        held += 1
        plural += s >= 2
        assert KNOWN[name].conclusion(instance).status == "holds"
    assert held > 14
    assert plural >= held / 2


def two_atoms(d, start, scale=1.0):
    A = scale * np.linalg.cholesky(np.array([[1.0, d], [d, 1.0]])).T
    return Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, start]))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_the_golden_ratio_is_exact_for_two_atoms_on_any_scale(scale):
    known = KNOWN["iht-scaled-golden-ratio"]
    stuck, free = two_atoms(GOLDEN + 1e-3, GOLDEN + 1e-3, scale), two_atoms(GOLDEN - 1e-3, GOLDEN - 1e-3, scale)
    assert known.check(stuck).status == "fails"
    assert known.conclusion(stuck).status == "fails"
    assert known.check(free).status == "holds"
    assert known.conclusion(free).status == "holds"


@ALL
def test_what_the_statement_does_not_cover(name):
    known = KNOWN[name]
    instance = two_atoms(0.3, 0.0)
    assert known.check(instance).status == "holds"
    assert known.check(instance.replace(noise=np.full(2, 1e-9))).status == "fails"
    assert known.check(instance.replace(x0=np.ones(2))).status == "fails"
    assert known.check(instance.replace(x=np.ones(2))).status == "fails"
    assert known.check(Instance(instance.A, instance.y, 1)).status == "unknown"
    nothing = Instance.planted(np.eye(3), np.zeros(3))
    assert known.check(nothing).status == "holds"
    assert known.conclusion(nothing).status == "holds"
    assert known.conclusion(Instance.planted(np.eye(3), np.zeros(3), sparsity=1)).status == "unknown"


def test_values_are_held_to_bounds():
    halves = [2.0**-t for t in range(10)]
    assert iterative.held_to(halves, [one * 1.5 for one in halves], 1e-9, "it").margin == pytest.approx(0.5)
    assert iterative.held_to(halves, halves, 1e-9, "it").status == "unknown"
    assert iterative.held_to(halves, [1.0, 0.5, 0.2], 1e-9, "it").status == "fails"
    assert iterative.held_to(halves, [1.0, 0.5, 0.2], 0.21, "it").status == "unknown"  # only 0.5 is looked at
    # a run that ended stays where it is
    assert iterative.held_to([1.0, 0.1], [1.0, 0.5, 0.2, 0.09], 1e-9, "it").status == "fails"
    assert iterative.held_to([1.0, 0.1], [1.0, 0.5, 0.2], 1e-9, "it", done=0.3).status == "fails"
    assert iterative.held_to([1.0, 0.1, 0.0], [1.0, 0.5, 0.2], 1e-9, "it", done=0.3).status == "holds"


def test_extremes_are_those_of_plain_loops(monkeypatch):
    rng = np.random.default_rng(0)
    for rows, size, order in [(7, 5, 2), (3, 6, 4), (6, 6, 9), (5, 8, 5)]:
        A = rng.standard_normal((rows, size))
        np.testing.assert_allclose(iterative.extremes(A, order), spectrum(A, order), atol=1e-12)
    monkeypatch.setattr(iterative, "_ENUMERATED", 1)
    low, high = iterative.extremes(A, 3)
    assert low <= spectrum(A, 3)[0] + 1e-12
    assert high >= spectrum(A, 3)[1] - 1e-12


def test_samplers_have_the_condition_number_that_was_asked_for():
    rng = np.random.default_rng(1)
    names, wide = set(), 0
    for _ in range(80):
        s, p = int(rng.integers(1, 4)), int(rng.integers(2, 4))
        kappa = float(rng.uniform(1.1, 6.0))
        for drawn in (
            iterative_samplers.conditioned(rng, 2 + s + p, 2 * s, kappa),
            iterative_samplers.gated(rng, p, 2, 2 * s, kappa),
        ):
            if drawn is None:
                continue
            name, A = drawn
            matrix = iterative_samplers.matrix_of(A)
            low, high = spectrum(matrix, 2 * s)
            names.add(name)
            wide += matrix.shape[0] < matrix.shape[1]
            if name == "simplex_corners":
                assert high / low < kappa * (1 + 1e-9)
            else:
                assert high / low == pytest.approx(kappa, rel=1e-7)
    assert len(names) >= 12
    assert {"gated", "simplex_corners"} <= names
    assert wide
