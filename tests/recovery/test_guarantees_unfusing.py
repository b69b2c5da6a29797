"""The guarantees of un-fusing: where they hold and fail, and false versions that are broken."""

from dataclasses import replace

import numpy as np
import pytest

from recovery import GatedOperator, Instance
from recovery.guarantees import Tally, attack, contradicts, draw, ledger
from recovery.guarantees.gated.unfusing import (
    DESIGNS,
    clear_of_the_data,
    exact_signs,
    guarantees,
    network_instance,
    planted_signs,
)

BY_NAME = {one.name: one for one in guarantees()}


def instance(H, v, X=None, noise=None):
    """Neurons H (d, m) with outputs v and their own gates."""
    X = np.random.default_rng(0).standard_normal((20, len(H))) if X is None else X
    A = GatedOperator(X, X @ H >= 0)
    return Instance.planted(A, (H * v).T.ravel(), noise)


BINARY = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
NORMAL = np.array([[0.3, 0.0], [-2.0, 1.5], [0.0, 0.7]])
CASES = {
    "binary": (instance(BINARY, [2.0, -0.5]), "holds", "holds"),
    "both": (instance(BINARY, [1.0, -1.0]), "holds", "holds"),
    "signs": (instance(NORMAL, [1.0, -1.0]), "fails", "holds"),
    "negative binary": (instance(-BINARY, [1.0, -1.0]), "fails", "holds"),
    "nothing": (instance(0.0 * BINARY, [1.0, 1.0]), "holds", "holds"),
}


@pytest.mark.parametrize("name", CASES)
def test_where_each_assumption_determines_the_network(name):
    case, binary, signs = CASES[name]
    for guarantee, expected in (("unfuse-binary", binary), ("unfuse-signs", signs)):
        judgement = BY_NAME[guarantee].judge(case)
        assert judgement.check.status == judgement.conclusion.status == expected
    assert BY_NAME["unfused-outputs"].judge(case).conclusion.status == "holds"


def test_a_wrong_bit_and_a_silent_neuron():
    case = CASES["both"][0]
    X, gates = case.gated
    flipped = np.array(gates)
    flipped[4, 1] ^= True
    wrong = case.replace(A=GatedOperator(X, flipped))
    for name in ("unfuse-binary", "unfuse-signs"):
        judgement = BY_NAME[name].judge(wrong)
        assert judgement.check.status == judgement.conclusion.status == "fails"
    blank = X * np.array([0.0, 0.0, 1.0])
    silent = case.replace(A=GatedOperator(blank, blank @ BINARY >= 0))
    # the first neuron is 0 on all rows: binary weights are determined all the same, a sign is not
    assert BY_NAME["unfuse-binary"].judge(silent).check.status == "holds"
    assert BY_NAME["unfuse-signs"].judge(silent).check.status == "fails"
    assert planted_signs(silent) is None
    assert planted_signs(case) == [1.0, -1.0]


def test_a_missing_gate_is_unknown():
    dense = Instance.planted(np.eye(3), np.array([1.0, 0.0, 0.0]))
    for guarantee in BY_NAME.values():
        assert guarantee.check(dense).status == "unknown"
        assert guarantee.conclusion(dense).status == "unknown"
        assert guarantee.check(Instance(dense.A, dense.y, 1)).status == "unknown"


def test_signs_are_exact_where_rounding_could_decide():
    X = np.array([[1.0, 1.0, -2.0], [0.1, 0.2, -0.3], [1.0, 0.0, 0.0]])
    ones = np.ones(3)
    assert X[1] @ ones != 0.0
    assert exact_signs(X, ones) is None  # 0.1 + 0.2 - 0.3 is not 0 for the doubles that these are
    assert exact_signs(X[[0, 2]], ones).tolist() == [0.0, 1.0]


def test_drawn_instances_of_all_designs_agree_with_the_statements():
    for tally in ledger(guarantees(), [draw(one, seed) for one in guarantees()[:1] for seed in range(70)]):
        assert tally.violations == 0
    designs = {network_instance(np.random.default_rng(seed)).options["design"] for seed in range(60)}
    assert designs == set(DESIGNS)


def test_noise_is_put_at_the_boundary_and_the_hypothesis_is_tight():
    guarantee = BY_NAME["unfuse-least-squares"]
    tally = Tally(guarantee)
    for seed in range(80):
        tally.add(draw(guarantee, seed))
    assert tally.violations == 0
    assert tally.near > 8
    assert tally.failed_up_to > -0.05


@pytest.mark.parametrize("seed", range(2))
def test_a_weaker_hypothesis_is_broken(seed):
    false = replace(BY_NAME["unfuse-least-squares"], hypotheses=clear_of_the_data(0.9))
    found = attack(false, rng=seed).instance
    assert found is not None
    assert contradicts(false, found)
    assert found.gated is not None


def test_equal_values_alone_do_not_determine_a_network():
    false = replace(BY_NAME["unfuse-binary"], hypotheses=BY_NAME["unfuse-signs"].hypotheses)
    assert contradicts(false, CASES["signs"][0])
    assert attack(false, rng=0).status == "broken"
