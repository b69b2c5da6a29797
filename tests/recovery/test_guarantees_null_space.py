"""Basis pursuit by dual vectors and null vectors: the boundaries are exact, and false variants are found out."""

import dataclasses
import math

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import attack, contradicts, draw, ledger
from recovery.guarantees.linear import l1_program, null_space
from recovery.guarantees.linear import l1_program as wide_samplers

KNOWN = {one.name: one for one in null_space.guarantees()}
DUAL, SHARE = KNOWN["l1-dual-certificate"], KNOWN["l1-null-space"]


def null(*entries):
    """Return orthonormal rows with the null vector given."""
    return wide_samplers._complement(np.array(entries, dtype=float)[:, None])


def test_both_boundaries_for_one_null_vector():
    x = np.array([-1.0, -2.0, 0, 0, 0, 0])
    for size, status in ((0.999, "fails"), (1.001, "holds")):
        # the two planted entries hold 4 of the norm of the null vector, the others 4 size
        instance = Instance.planted(null(2, 2, size, size, size, size), x)
        for guarantee, margin in ((DUAL, size - 1), (SHARE, (size - 1) / 2)):
            judgement = guarantee.judge(instance)
            assert (judgement.check.status, judgement.conclusion.status) == (status, status)
            assert judgement.check.margin == pytest.approx(margin, rel=1e-3)
    # other signs, other supports: the dual vector is for one sign pattern, the null space for all
    other = Instance.planted(null(2, 2, *4 * [0.999]), x * [-1.0, 1, 1, 1, 1, 1])
    assert DUAL.judge(other).check.status == DUAL.judge(other).conclusion.status == "holds"
    assert SHARE.check(other).status == "fails"


def test_an_exact_tie_is_not_unique():
    tie = Instance.planted(np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]), np.array([1.0, 1.0, 0.0]))
    assert DUAL.check(tie).status == "fails"
    assert DUAL.check(tie).margin == pytest.approx(0.0, abs=1e-12)
    assert DUAL.conclusion(tie).status == "unknown"
    assert not DUAL.judge(tie).violated


def test_a_limit_above_a_half_is_wrong():
    instance = Instance.planted(null(1.05, 0.5, 0.5), np.array([-1.0, 0, 0]))
    for order in (None, 1):
        false = dataclasses.replace(SHARE, hypotheses=null_space.null_space_rule(0.55, order=order))
        assert false.judge(instance).violated
        assert contradicts(false, instance)
    assert SHARE.check(instance).status == "fails"


def test_one_entry_at_a_time_is_the_weaker_condition():
    for seed in range(5):
        instance = draw(SHARE, seed)
        weak, strong = null_space.null_space_rule(order=1)(instance), SHARE.check(instance)
        assert weak.status != "holds" or strong.status == "holds"


def test_what_the_sampler_aims_at_is_what_the_hypothesis_finds():
    for seed in range(5):
        instance = draw(SHARE, seed)
        aimed, found = null_space._share_ratio(instance.matrix, instance.x), SHARE.check(instance).margin
        if math.isfinite(aimed) and aimed > 0 and math.isfinite(found):
            assert 1 / aimed - 1 == pytest.approx(found, abs=1e-4)


@pytest.mark.parametrize("name", KNOWN)
def test_no_violation_and_enough_instances_of_every_kind(name):
    count = 16
    [tally] = ledger([KNOWN[name]], [draw(KNOWN[name], seed) for seed in range(count)])
    assert tally.violations == 0
    assert tally.held >= 0.4 * count
    assert tally.plural >= 0.5 * tally.held
    assert len(tally.designs) >= 3
    assert tally.unknown + tally.undecided <= 2


@pytest.mark.parametrize("name", KNOWN)
def test_missing_fields_noise_and_odd_matrices(name):
    guarantee, A = KNOWN[name], np.random.default_rng(0).standard_normal((3, 4))
    instance = Instance.planted(A, [1.0, 0, 0, 0])
    # an implication fails with noise; an equivalence says nothing
    silent = "unknown" if guarantee.kind == "equivalence" else "fails"
    assert guarantee.check(instance.replace(noise=np.full(3, 1e-3))).status == silent
    for field in ("x", "noise"):
        lacking = instance.replace(**{field: None, "y": instance.y})
        assert guarantee.check(lacking).status == guarantee.conclusion(lacking).status == "unknown"
    for matrix in (A * [1.0, 0.0, 1.0, 1.0], A[:, [0, 1, 0, 2]], A[:2], np.zeros((3, 4)), np.eye(4)):
        for x in (np.zeros(4), np.ones(4), np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0, 1e-9])):
            assert not guarantee.judge(Instance.planted(matrix, x)).violated


def test_columns_that_only_rounding_makes_independent_count_as_dependent():
    A = np.random.default_rng(0).standard_normal((6, 4))
    A[:, 3] = (0.1 * A[:, 0] + 0.2 * A[:, 1]) / 0.4  # exact arithmetic finds these independent
    for guarantee in (DUAL, SHARE):
        for x, status in ((np.array([0, 0, 0, 1.0]), "fails"), (np.array([0, 0, 1.0, 0]), "holds")):
            judgement = guarantee.judge(Instance.planted(A, x))
            assert judgement.conclusion.status == status
            assert judgement.check.status == (status if guarantee is DUAL else "fails")


def test_the_programs_of_hypothesis_and_conclusion_share_no_code():
    """The conclusion looks at the null space by its own program: a wrong dual vector would be seen."""
    instance = Instance.planted(null(2.1, 1, 1), np.array([-1.0, 0, 0]))
    wrong = dataclasses.replace(DUAL, hypotheses=lambda one: DUAL.check(one.replace(x=np.array([0.0, 1.0, 0.0]))))
    assert wrong.judge(instance).violated
    assert l1_program.descent(instance.matrix, np.array([0]), np.array([-1.0])) == pytest.approx(1.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_an_attack_finds_nothing(name):
    assert attack(KNOWN[name], evaluations=500, rng=1).status == "survived"
