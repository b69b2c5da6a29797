"""The search for false matches at a small size, and tests of its oracle."""

import numpy as np
import pytest

import planted
from benchmarks import no_false_exact as campaign
from tests.support import exact_networks as oracle


def check(outcomes):
    for one in outcomes:
        assert (one.false_function, one.false_exact, one.false_error) == (False, False, False), one
        assert one.recognised or not one.equal, one
    return outcomes


def test_no_false_match_among_a_few():
    outcomes = check(list(campaign.campaign(64, seed=3)))
    assert len({one.family for one in outcomes}) == len(campaign.FAMILIES)
    assert sum(one.exact for one in outcomes) > 16
    assert sum(not one.same_function for one in outcomes) > 16
    assert campaign.summary(outcomes).count("\n") == len(campaign.FAMILIES) + 2


@pytest.mark.slow
def test_no_false_match_among_two_thousand():
    outcomes = check(list(campaign.campaign(2000, seed=4)))
    for family in campaign.FAMILIES:
        assert sum(one.family == family.__name__ for one in outcomes) == 125


@pytest.mark.parametrize("lie", ["error", "same_function", "exact"])
def test_campaign_convicts_a_match_that_lies(monkeypatch, lie):
    wrong = {
        "error": planted.NetworkMatch(1e-3, 1.0, 1.0, False, False),
        "same_function": planted.NetworkMatch(2.0, 1.0, 1.0, True, False),
        "exact": planted.NetworkMatch(2.0, 1.0, 1.0, True, True),
    }[lie]
    monkeypatch.setattr(planted, "match_networks", lambda *networks, atol: wrong)
    u, v = np.array([[1.0], [2.0]]), np.array([[1.0]])
    outcome = campaign.judge("lie", (u, v), (-u, v), 1e-6, np.random.default_rng(0))
    assert outcome.false_error == (lie == "error")
    assert outcome.false_function == (lie != "error")
    assert outcome.false_exact == (lie == "exact")


def test_oracle_by_hand():
    # 2 relu(3x + 4y) - relu(-3x - 4y) + relu(x): strengths 10 - 5 = 5 and 1
    net = np.array([[3.0, -3.0, 1.0], [4.0, -4.0, 0.0]]), np.array([2.0, -1.0, 1.0])
    form = oracle.kinks(*net)
    assert [float(number) for number in form.linear[0]] == [5.0]
    assert [float(number) for number in form.linear[1]] == [6.0]
    assert oracle.value(form, [1, 1]) == [15]
    assert oracle.value(form, [-1, -1]) == [-7]
    lines = oracle.clustered(form, 1e-9)
    assert [float(line.strengths[0]) for line in lines] == [5.0, 1.0]
    assert [[float(entry) for entry in line.unit] for line in lines] == [[0.6, 0.8], [1.0, 0.0]]
    assert oracle.supports(form, 1e-9, 1e-12) == [(0,), (0, 1)]
    zero = oracle.kinks(np.zeros((2, 1)), np.ones(1))
    assert oracle.least_error(zero, form, 1e-9) == 1
    assert oracle.least_error(form, zero, 1e-9) == float("inf")
    assert oracle.differs_at(zero, form, [[1, 1]], 0.5, 1e-9)
    assert oracle.equal(form, oracle.kinks(net[0][:, ::-1] * 4, net[1][::-1] / 4))
