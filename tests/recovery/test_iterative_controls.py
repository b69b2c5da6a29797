"""False statements about iterative methods are broken by the attack within a number of evaluations, for four seeds."""

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import attack, contradicts, controls
from recovery.guarantees.engine.attack import CHANGES
from recovery.guarantees.linear import controls as iterative_controls

FALSE = {guarantee.name: (guarantee, evaluations) for guarantee, evaluations in iterative_controls.controls()}


@pytest.mark.parametrize("name", ["false-iht-restricted-isometry", "false-htp-scaled-isometry"])
def test_one_seed_is_broken_soon(name):
    guarantee, evaluations = FALSE[name]
    found = attack(guarantee, evaluations=evaluations, rng=1)
    assert found.status == "broken"
    assert contradicts(guarantee, found.instance)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", FALSE)
def test_every_seed_is_broken(name, seed):
    guarantee, evaluations = FALSE[name]
    found = attack(guarantee, evaluations=evaluations, rng=seed)
    assert found.status == "broken"
    assert contradicts(guarantee, found.instance)


def test_they_are_in_the_list_of_controls_and_say_what_they_ask_for():
    assert {one.name for one, _ in controls.controls()} >= FALSE.keys()
    rng = np.random.default_rng(0)
    alone, zero = FALSE["false-iht-restricted-isometry"][0], FALSE["false-iht-restricted-isometry-from-zero"][0]
    for _ in range(5):
        assert alone.sampler(rng).sparsity == 1
        drawn = zero.sampler(rng)
        assert (drawn.sparsity, drawn.shape[1], drawn.x0) == (2, 6, None)
        assert zero.check(drawn.replace(x0=drawn.x)).status == "fails"
        assert alone.check(drawn).status == "fails"


def test_a_run_that_ends_elsewhere_fails_and_the_way_there_has_a_margin():
    guarantee = FALSE["false-iht-restricted-isometry"][0]

    def two_atoms(d):
        A = np.linalg.cholesky(np.array([[1.0, d], [d, 1.0]])).T
        return Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, d]))

    assert guarantee.judge(two_atoms(0.65)).violated
    # d is fixed iff 1 - d^2 <= d: the margin is (1 - d^2) / d - 1
    for d in (0.3, 0.5, 0.6):
        verdict = guarantee.conclusion(two_atoms(d))
        assert verdict.status == "holds"
        assert verdict.margin == pytest.approx((1 - d * d) / d - 1, rel=1e-9)
    # from zero the first choice is right
    assert guarantee.conclusion(two_atoms(0.5).replace(x0=None)).margin == pytest.approx(2e3)


def test_gram_matrices_are_stretched_and_starts_made_stationary():
    stretch, stationary = CHANGES["A"][-1], CHANGES["x0"][-1]
    rng = np.random.default_rng(0)
    for rows in (4, 8):
        A = rng.standard_normal((rows, 5))
        x = np.array([1.0, 0, 0, 2.0, 0])
        parts = {"A": A.copy(), "x": x, "x0": np.array([0, 1.0, 0, 0, 1.0])}
        stretch(parts, rng)
        before, after = A.T @ A, parts["A"].T @ parts["A"]
        assert not np.allclose(before, after)
        np.testing.assert_allclose(before @ after, after @ before, atol=1e-9)  # the eigenvectors stay
        low, high = np.linalg.eigvalsh(before), np.linalg.eigvalsh(after)
        factor = (high[-1] - before.trace() / 5) / (low[-1] - before.trace() / 5)
        expected = np.maximum(before.trace() / 5 + factor * (low - before.trace() / 5), 0.0) * (low > 1e-9)
        np.testing.assert_allclose(high, expected, atol=1e-9)
        stationary(parts, rng)
        x0 = parts["x0"]
        assert np.count_nonzero(x0) == 2
        gradient = parts["A"].T @ parts["A"] @ (x - x0)
        np.testing.assert_allclose(gradient[x0 != 0], 0.0, atol=1e-9)
