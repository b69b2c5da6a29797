"""The attack searches every sparsity, reports where it searched, and reports errors in a guarantee's code."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import Guarantee, Verdict, attack, contradicts, exceeds, linear_instance
from recovery.guarantees.engine import attack as search


def _coherence(A):
    unit = A / np.linalg.norm(A, axis=0)
    return float(np.abs(unit.T @ unit - np.eye(A.shape[1])).max())


def _quiet_and_below(limit, instance):
    k = len(instance.support)
    if not instance.noise_free or k == 0:
        return Verdict.of(False, "noise, or no signal")
    return exceeds(limit(k), _coherence(instance.matrix), f"limit for k = {k} against the coherence")


def bold(instance):
    """The claim mu < 1 / k, which is true and tight for k = 1 alone."""
    return _quiet_and_below(lambda k: 1 / k, instance)


def tropp(instance):
    """The theorem mu < 1 / (2 k - 1)."""
    return _quiet_and_below(lambda k: 1 / (2 * k - 1), instance)


def picks(instance):
    """Compare the best column inside of the support with the best outside, in each of the k steps."""
    A, y, inside = instance.matrix, instance.y, instance.x != 0.0
    norms, chosen, residual = np.linalg.norm(A, axis=0), [], instance.y
    worst = Verdict.of(True, "nothing to pick")
    for _ in instance.support:
        likeness = np.abs(A.T @ residual) / norms
        likeness[chosen] = 0.0
        found = exceeds(float(likeness[inside].max()), float(likeness[~inside].max(initial=0.0)), "in against out")
        worst = min(worst, found, key=lambda one: one.margin)
        if found.status != "holds":
            break
        chosen.append(int(np.argmax(likeness)))
        residual = y - A[:, chosen] @ np.linalg.lstsq(A[:, chosen], y, rcond=None)[0]
    return worst


def yes_or_no(instance):
    found = picks(instance)
    return found if found.status == "unknown" else Verdict.of(found.status == "holds", "the support")


def quiet(rng):
    instance = linear_instance(rng, k_range=(1, 3))
    return instance.replace(noise=np.zeros(instance.shape[0]), law=None)


BOLD = Guarantee("bold", "implication", "mu < 1 / k => OMP", "", "", bold, picks, sampler=quiet, steer=None)
TRUE = dataclasses.replace(BOLD, name="tropp", hypotheses=tropp)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_statement_that_is_tight_and_true_for_one_sparsity_is_broken_at_another(seed):
    found = attack(BOLD, evaluations=3000, rng=seed)
    assert found.status == "broken"
    assert found.instance.sparsity >= 2
    assert contradicts(BOLD, found.instance)
    assert found.nearest is None


def test_the_nearest_miss_is_kept_and_named():
    found = attack(TRUE, evaluations=600, rng=0)
    assert found.status == "survived"
    near = found.nearest
    assert isinstance(near, Instance)
    assert TRUE.check(near).status == "holds"
    assert TRUE.conclusion(near).margin == found.best_margin
    n, d = near.shape
    assert f"(nearest: k = {len(near.support)}, {n} x {d})" in found.message


def test_a_conclusion_without_a_margin_is_said():
    found = attack(dataclasses.replace(TRUE, outcome=yes_or_no), evaluations=200, rng=0)
    assert (found.status, found.best_margin, found.nearest) == ("survived", math.inf, None)
    assert "Its margin was always infinite, so the search was random: return a finite margin" in found.message
    assert "within inf" not in found.message


def test_without_a_margin_the_search_walks_to_the_boundary_of_the_hypotheses():
    way = search._Descent(0.1, None, None, search._Seen(math.inf, 1, 1, side=0.3))
    assert way.accepts(search._Seen(math.inf, 1, 1, side=0.2))
    assert not way.accepts(search._Seen(math.inf, 1, 1, side=0.4))
    assert way.accepts(search._Seen(-math.inf, 1, 1, side=0.4))
    assert not way.accepts(search._Seen(math.nan, 1, 0))
    # with a margin the hypotheses do not matter
    way.take(None, search._Seen(0.5, 1, 1, side=0.3))
    assert way.accepts(search._Seen(0.5, 1, 1, side=0.4))
    assert not way.accepts(search._Seen(0.6, 1, 1, side=0.2))


@pytest.mark.slow
def test_every_sparsity_gets_a_share():
    spent = {1: 0, 2: 0, 3: 0}

    def counted(instance):
        spent[len(instance.support)] += 1
        return picks(instance)

    attack(dataclasses.replace(TRUE, outcome=counted), evaluations=3000, rng=0)
    assert min(spent.values()) > 0.1 * sum(spent.values())


def _raises_on_two(instance):
    if len(instance.support) == 2:
        raise ValueError("two are too many")
    return picks(instance)


def test_an_outcome_that_raises_is_named_with_its_place_and_instance():
    found = attack(dataclasses.replace(TRUE, outcome=_raises_on_two), evaluations=150, rng=0)
    assert found.status == "survived"
    assert found.n_errors > 0
    assert found.n_held == found.n_decided + found.n_errors
    line = _raises_on_two.__code__.co_firstlineno + 2
    assert f"; the outcome of the guarantee raised an exception on {found.n_errors} of the instances" in found.message
    assert f" (test_attack_search.py:{line}): ValueError: two are too many; judge result.raised_on" in found.message
    with pytest.raises(ValueError, match="two are too many"):
        dataclasses.replace(TRUE, outcome=_raises_on_two).judge(found.raised_on)


def test_hypotheses_that_held_are_not_denied_because_the_outcome_raised():
    def raises(instance):
        raise ArithmeticError("on purpose")

    found = attack(dataclasses.replace(TRUE, outcome=raises), evaluations=120, rng=0)
    assert found.status == "undecided"
    assert found.n_held == found.n_errors > 0
    assert "was not tested: the hypotheses held on" in found.message
    assert "the conclusion raised ArithmeticError: on purpose" in found.message


def test_a_sampler_that_raises_at_times_is_named():
    def sampler(rng):
        if rng.random() < 0.2:
            raise ValueError("no luck")
        return quiet(rng)

    moody = dataclasses.replace(TRUE, sampler=sampler)
    found = attack(moody, evaluations=60, rng=4)
    assert "; the sampler of the guarantee raised an exception on " in found.message
    assert found.raised_on is None
    first = int(found.message.partition("first on number ")[2].partition(" ")[0])
    assert f"an attack with evaluations={first} and rng=4 reproduces it" in found.message
    again = attack(moody, evaluations=first, rng=4)
    assert again.n_errors == 1


def test_hypotheses_that_raise_are_named():
    def raises(instance):
        if len(instance.support) == 1:
            raise ValueError("one is not enough")
        return tropp(instance)

    found = attack(dataclasses.replace(TRUE, hypotheses=raises), evaluations=60, rng=0)
    assert "; the hypotheses of the guarantee raised an exception on " in found.message
    assert len(found.raised_on.support) == 1


def test_any_other_exception_ends_the_attack():
    def raises(instance):
        raise KeyError("lam")

    with pytest.raises(KeyError):
        attack(dataclasses.replace(TRUE, outcome=raises), evaluations=60, rng=0)


def _unit(A):
    return A / np.linalg.norm(A, axis=0)


def mostly_one(rng):
    """Draw unit columns at random: nearly all on which mu < 1 / (2 k - 1) have k = 1."""
    n, size, k = int(rng.integers(2, 7)), int(rng.integers(2, 7)), int(rng.integers(1, 4))
    x = np.zeros(size)
    x[rng.permutation(size)[: min(k, size - 1)]] = rng.standard_normal(min(k, size - 1))
    return Instance.planted(_unit(rng.standard_normal((n, size))), x)


def one_step(instance):
    """Whether the k largest |a_j'y| / |a_j| are those of the support: false for k = 2, and true and tight for k = 1."""
    score, inside = np.abs(_unit(instance.matrix).T @ instance.y), instance.x != 0.0
    return exceeds(float(score[inside].min()), float(score[~inside].max(initial=0.0)), "smallest in, largest out")


def first_pick(instance):
    score, inside = np.abs(_unit(instance.matrix).T @ instance.y), instance.x != 0.0
    return exceeds(float(score[inside].max()), float(score[~inside].max(initial=0.0)), "largest in, largest out")


ONE_STEP = dataclasses.replace(TRUE, name="one-step", outcome=one_step, sampler=mostly_one)
FIRST_PICK = dataclasses.replace(ONE_STEP, name="first-pick", outcome=first_pick)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
@pytest.mark.parametrize("margin", [True, False])
def test_what_is_tight_for_one_non_zero_is_broken_for_two_that_seldom_hold(seed, margin):
    def yes_no(instance):
        found = one_step(instance)
        return found if found.status == "unknown" else Verdict.of(found.status == "holds", "the support")

    found = attack(ONE_STEP if margin else dataclasses.replace(ONE_STEP, outcome=yes_no), evaluations=3000, rng=seed)
    assert found.status == "broken"
    assert found.instance.sparsity >= 2


def test_the_budget_is_balanced_by_decided_conclusions_though_two_non_zeros_seldom_hold():
    asked = Counter()

    def counted(instance):
        asked[len(instance.support)] += 1
        return first_pick(instance)

    plain = [mostly_one(np.random.default_rng(seed)) for seed in range(400)]
    held = Counter(len(one.support) for one in plain if tropp(one).status == "holds")
    assert held[2] < 0.1 * held[1]  # what the sampler alone would test
    found = attack(dataclasses.replace(FIRST_PICK, outcome=counted), evaluations=3000, rng=0)
    assert found.status == "survived"
    assert asked[2] > 0.5 * asked[1]
    assert {k: one.n_decided for k, one in found.by_sparsity.items() if one.n_decided} == asked


def test_a_quarter_of_the_instances_are_plain_draws():
    drawn = 0

    def sampler(rng):
        nonlocal drawn
        drawn += 1
        return mostly_one(rng)

    attack(dataclasses.replace(FIRST_PICK, sampler=sampler), evaluations=1000, rng=0)
    assert 250 <= drawn <= 251


def test_counts_and_the_nearest_margin_are_given_for_each_sparsity():
    found = attack(FIRST_PICK, evaluations=1500, rng=0)
    counts = found.by_sparsity
    assert list(counts) == sorted(counts)
    assert sum(one.n_decided for one in counts.values()) == found.n_decided
    assert sum(one.n_held for one in counts.values()) == found.n_held
    assert sum(one.n_evaluations for one in counts.values()) <= found.n_evaluations
    assert min(one.best_margin for one in counts.values()) == found.best_margin
    assert counts[2].best_margin > 100 * counts[1].best_margin  # tight for k = 1 alone
    for k in (1, 2):
        shown = f"k = {k}: decided on {counts[k].n_decided:,}, nearest {counts[k].best_margin:.3g}"
        assert shown in found.message
        assert f"decided on {counts[k].n_decided:,}, nearest {counts[k].best_margin:.3g}" in found._repr_html_()
    record = found.record()["by_sparsity"]["2"]
    assert record == {
        "n_evaluations": counts[2].n_evaluations,
        "n_held": counts[2].n_held,
        "n_decided": counts[2].n_decided,
        "best_margin": counts[2].best_margin,
    }


def test_a_sparsity_at_which_the_hypotheses_never_held_is_named():
    def only_one(instance):
        return tropp(instance) if len(instance.support) == 1 else Verdict.of(False, "two are too many")

    found = attack(dataclasses.replace(FIRST_PICK, hypotheses=only_one), evaluations=200, rng=0)
    assert found.by_sparsity[2].n_held == 0
    assert f"k = 2: never held, {found.by_sparsity[2].n_evaluations} tried" in found.message
