"""The attack breaks what is false, on every seed, and leaves alone what is true."""

import math

import numpy as np
import pytest
import toy_guarantees as toy

from recovery import Instance
from recovery.guarantees import attack, contradicts
from recovery.guarantees.contradiction import afresh
from recovery.guarantees.moves import move

FALSE = {
    "least squares, 1 in place of sqrt 2": toy.projection_bound(1.0, toy.plain),
    "least squares, 1.35 in place of sqrt 2": toy.projection_bound(1.35, toy.plain),
    "OMP, mu < 1/k": toy.coherence_bound(0.5),
    "OMP, mu < 0.4": toy.coherence_bound(0.4),
    "equivalence": toy.sign_rule(3),
    "probability": toy.tail_bound(0.1, 0.6),
}
TRUE = {
    "least squares": toy.projection_bound(math.sqrt(2.0), toy.plain),
    "OMP, mu < 1/3": toy.coherence_bound(1 / 3),
    "equivalence": toy.sign_rule(1),
    "probability": toy.tail_bound(0.1, 1.0),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_broken_on_every_seed(name, seed):
    guarantee = FALSE[name]
    found = attack(guarantee, 20.0, seed)  # takes well under a second
    assert found is not None
    assert contradicts(guarantee, found, 123)
    assert guarantee.judge(afresh(found)).violated


@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_not_broken(name):
    assert attack(TRUE[name], 0.3, 0) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_not_broken_in_a_longer_time_either(name):
    assert attack(TRUE[name], 15.0, 1) is None


def test_the_known_counter_example_of_omp():
    m = 0.4  # any in (1/3, 1/2]
    gram = np.array([[1, -m, m], [-m, 1, m], [m, m, 1]])
    known = Instance.planted(np.linalg.cholesky(gram).T, np.array([1.0, 1.0, 0.0]))
    assert contradicts(toy.coherence_bound(0.5), known)
    assert not contradicts(toy.coherence_bound(1 / 3), known)


def test_no_time_no_sampler():
    assert attack(FALSE["equivalence"], 0.0, 0) is None
    with pytest.raises(ValueError, match="has no sampler"):
        attack(toy.projection_bound(1.0, sampler=None), 1.0)
    with pytest.raises(ValueError, match=r"seconds=-1.0 is out of range"):
        attack(FALSE["equivalence"], -1.0)


def test_a_probability_is_contradicted_by_its_rate_not_by_a_draw():
    guarantee = toy.tail_bound(0.1, 1.0)
    instance = guarantee.sampler(np.random.default_rng(0))
    bad = instance.replace(noise=np.full(instance.shape[0], 9.0))
    assert guarantee.conclusion(bad).status == "fails"
    assert not contradicts(guarantee, bad, 0)
    loud = instance.scaled(noise=3.5)
    assert guarantee.check(loud).status == "fails"
    assert not contradicts(guarantee, loud, 0)
    assert not contradicts(guarantee, instance.replace(law=None), 0)


def test_moves_change_something_and_keep_what_they_should():
    rng = np.random.default_rng(0)
    start = Instance.planted(
        rng.standard_normal((4, 3)), np.array([1.0, 0.0, 2.0]), rng.standard_normal(4), x0=rng.standard_normal(3)
    ).with_options(tau=1.0, t=2.0, schedule="one-shot")
    changed = dict.fromkeys(("matrix", "x", "noise", "x0"), 0)
    for _ in range(300):
        moved = move(start, rng, options=("tau", "schedule"))
        for name in changed:
            changed[name] += not np.array_equal(getattr(moved, name), getattr(start, name))
        assert np.array_equal(moved.x != 0.0, start.x != 0.0)
        assert moved.options["t"] == 2.0
        assert moved.options["schedule"] == "one-shot"
    assert min(changed.values()) > 60
    quiet = move(start.replace(noise=np.zeros(4)), rng)
    assert quiet.noise_free
    kept = [move(start, rng, fixed_noise=True) for _ in range(20)]
    assert all(np.array_equal(one.noise, start.noise) for one in kept)


def test_what_is_judged_afresh_shares_nothing():
    start = toy.plain(np.random.default_rng(0))
    again = afresh(start)
    assert not np.shares_memory(again.matrix, start.matrix)
    np.testing.assert_array_equal(again.matrix, start.matrix)
    np.testing.assert_allclose(again.y, start.y)
