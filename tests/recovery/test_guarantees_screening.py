"""Guarantees of marginal screening: the equivalence, and the gap that noise may not close."""

import dataclasses

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import Bounded, draw, exceeds, ledger
from recovery.guarantees.linear import screening

FAITHFUL, NOISY = screening.guarantees()


def leaning(c, x=(1.0, 1.0, 0.0)):
    """Unit columns, the third with the inner product c with the two others."""
    gram = np.array([[1.0, 0.0, c], [0.0, 1.0, c], [c, c, 1.0]])
    return Instance.planted(np.linalg.cholesky(gram).T, np.array(x))


def test_screening_fails_once_two_small_correlations_exceed_one_weight():
    # |a_3'y| = 2 c against 1
    for c, status in ((0.49, "holds"), (0.51, "fails"), (0.5, "unknown")):
        judgement = FAITHFUL.judge(leaning(c))
        assert (judgement.check.status, judgement.conclusion.status) == (status, status)
        assert judgement.check.margin == pytest.approx(1 / (2 * c) - 1, abs=1e-12)
    # opposite signs: they cancel
    assert FAITHFUL.judge(leaning(0.6, (1.0, -1.0, 0.0))).conclusion.status == "holds"


def test_the_weights_themselves_decide_nothing():
    def sizes_only(instance):
        return exceeds(Bounded(np.min(np.abs(instance.x[instance.support])), 0.0), 0, "weights")

    wrong = dataclasses.replace(FAITHFUL, hypotheses=sizes_only)
    found = ledger([wrong, FAITHFUL], [draw(FAITHFUL, seed) for seed in range(200)])
    assert [tally.violations > 0 for tally in found] == [True, False]


def test_with_noise_the_equivalence_is_silent():
    assert FAITHFUL.check(leaning(0.6).replace(noise=np.full(3, 1e-9))).status == "unknown"


def test_the_constant_of_the_noise_is_tight():
    def shifted(a):
        return Instance.planted(np.eye(2), np.array([2.0, 0.0]), np.array([-a, a]))

    for a, status in ((0.99, "holds"), (1.01, "fails"), (1.0, "unknown")):
        judgement = NOISY.judge(shifted(a))
        assert judgement.check.status == status
        assert judgement.conclusion.status == status
        assert judgement.check.margin == pytest.approx(1 / a - 1)
    loose = dataclasses.replace(NOISY, hypotheses=screening.separated_rule(1.9))
    assert loose.judge(shifted(1.01)).violated


def test_noise_cannot_help_what_fails_without_it():
    instance = leaning(0.6).replace(noise=np.array([0.0, 0.0, -1.0]))
    assert NOISY.check(instance).status == "fails"


def test_all_columns_or_none():
    for x in (np.zeros(3), np.ones(3)):
        for guarantee in (FAITHFUL, NOISY):
            judgement = guarantee.judge(leaning(0.3, x))
            assert judgement.check.status == "holds"
            assert judgement.conclusion.status == "holds"
