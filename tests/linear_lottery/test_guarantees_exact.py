"""The exact characterisations: predicate and algorithm agree on thousands of random instances."""

import math
from pathlib import Path

import numpy as np
import pytest

from linear_lottery import _imp
from linear_lottery.guarantees import exact
from linear_lottery.guarantees.exact import EXACT
from recovery import Instance
from recovery.guarantees import draw, linear_instance

ONE_BY_ONE, ONE_SHOT, NOISE_FREE = EXACT


def judge_all(guarantee, seeds):
    """Return pairs of statuses: half of the instances as they come, half moved to the boundary."""
    instances = [draw(guarantee, seed, steered=seed % 2 == 0) for seed in seeds]
    return [(guarantee.check(one).status, guarantee.conclusion(one).status) for one in instances]


def mismatches(pairs):
    return sum(set(pair) == {"holds", "fails"} for pair in pairs)


@pytest.mark.parametrize("guarantee", [ONE_BY_ONE, ONE_SHOT], ids=["one by one", "one shot"])
@pytest.mark.parametrize("seeds", [range(250), pytest.param(range(250, 2500), marks=pytest.mark.slow)])
def test_predicate_and_algorithm_agree(guarantee, seeds):
    pairs = judge_all(guarantee, seeds)
    assert mismatches(pairs) == 0
    assert sum("unknown" in pair for pair in pairs) <= 0.01 * len(pairs)
    # both answers occur often
    assert min(pairs.count(("holds", "holds")), pairs.count(("fails", "fails"))) >= 0.15 * len(pairs)


def test_the_predicate_of_one_schedule_is_not_that_of_the_other():
    instances = [draw(ONE_BY_ONE, seed, steered=False) for seed in range(150)]
    pairs = [(ONE_SHOT.check(one).status, ONE_BY_ONE.conclusion(one).status) for one in instances]
    assert mismatches(pairs) >= 2
    # retraining turns the largest null weight of one round into the smallest of several, but not always for the better
    pairs = [(ONE_BY_ONE.check(one).status, ONE_SHOT.conclusion(one).status) for one in instances]
    assert pairs.count(("holds", "fails")) >= 2


def test_the_predicate_does_not_run_the_algorithm(monkeypatch):
    instance = draw(ONE_BY_ONE, 1)
    wanted = ONE_BY_ONE.check(instance), ONE_SHOT.check(instance)
    monkeypatch.setattr(_imp, "imp", None)
    assert (ONE_BY_ONE.check(instance), ONE_SHOT.check(instance)) == wanted
    source = Path(exact.__file__).read_text()
    assert "gradient_flow" not in source
    assert "_deflation" not in source


def test_an_instance_by_hand():
    # orthonormal columns: eta is the noise itself, and one by one and one shot are the same
    for size, status in ((0.9, "holds"), (1.1, "fails")):
        instance = Instance.planted(np.eye(3), [1.5, 0.0, 0.0], [-0.5, 0.2, size])
        for guarantee in (ONE_BY_ONE, ONE_SHOT):
            assert guarantee.check(instance).status == guarantee.conclusion(instance).status == status
        assert ONE_SHOT.check(instance).margin == pytest.approx(1 / size - 1)
        assert ONE_SHOT.conclusion(instance).margin == pytest.approx(1 / size - 1)


def test_ties_are_unknown_only_where_they_decide():
    # |eta| is the same on both nulls: either may go first, and the end is the same
    tied = Instance.planted(np.eye(3), [1.5, 0.0, 0.0], [0.0, 0.3, -0.3])
    assert ONE_BY_ONE.check(tied).status == "holds"
    # a null as large as the signal: rounding decides
    even = Instance.planted(np.eye(3), [1.0, 0.0, 0.0], [0.0, 0.3, 1.0])
    assert ONE_BY_ONE.check(even).status == "unknown"
    assert ONE_SHOT.check(even).status == "unknown"
    # which of two tied nulls goes first decides what the other one becomes
    X = np.linalg.cholesky([[1.0, 0.0, -0.9], [0.0, 1.0, 0.2], [-0.9, 0.2, 1.0]]).T
    forked = Instance.planted(X, [0.0, 0.0, 0.58], X @ [0.5, 0.5, 0.0])
    assert ONE_BY_ONE.check(forked).status == "unknown"


def test_rank_deficiency_is_left_open():
    X = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 1.0], [0.0, 0.0, 1.0]])
    instance = Instance.planted(X, [0.0, 0.0, 1.0], [0.1, 0.0, 0.0])
    for guarantee in EXACT:
        assert guarantee.check(instance).status in ("unknown", "fails")
    instance = Instance.planted(np.eye(3), [0.0, 2.0, 0.0], [0.1, 0.0, 0.0], sparsity=2)
    assert ONE_BY_ONE.check(instance).status == "unknown"


def test_without_noise_every_schedule_recovers_from_any_design():
    rng = np.random.default_rng(4)
    for _ in range(25):
        instance = linear_instance(rng, d_range=(2, 10))
        instance = instance.replace(noise=np.zeros(instance.shape[0]), law=None)
        verdict = NOISE_FREE.check(instance)
        assert (verdict.status, verdict.margin) == ("holds", math.inf)
        assert NOISE_FREE.conclusion(instance).status == "holds"
    assert NOISE_FREE.check(draw(ONE_SHOT, 1)).status == "fails"


def test_without_noise_rounding_is_noise():
    # cond = 1e13: rounding y to 16 digits moves weights by 1e-3 of the largest one, and we allow for more
    for small, status in ((1e-13, "unknown"), (1e-11, "holds")):
        X = np.array([[1.0, 1.0, 0.0], [0.0, small, 0.0], [0.0, 0.0, 1.0]])
        assert NOISE_FREE.check(Instance.planted(X, [1.0, 0.0, 0.05])).status == status
