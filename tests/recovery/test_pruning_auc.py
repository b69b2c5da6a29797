"""How well criteria identify a planted support before and after training."""

import numpy as np
import pytest

from benchmarks import pruning_auc as bench


def test_the_auc_is_the_share_of_pairs_in_order_and_ties_count_half():
    rng = np.random.default_rng(0)
    scores, support = rng.integers(0, 4, 30).astype(float), rng.random(30) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[support] for b in scores[~support]]
    assert bench.auc(scores, support) == pytest.approx(np.mean(pairs), abs=1e-15)
    assert bench.auc(support.astype(float), support) == 1
    assert bench.auc(np.zeros(30), support) == 0.5


def test_one_draw_of_a_small_problem():
    found = bench.one(400, "+-1", 0.05, seed=0, d=40, s=4)
    assert set(found) == {(n, "start") for n in bench.AT_START} | {(n, "trained") for n in bench.TRAINED}
    assert all(found[name, "trained"] == 1 for name in bench.TRAINED)
    assert found["synflow", "start"] == found["magnitude", "start"]  # one layer: the same scores
    assert found["snip", "start"] > 0.8


@pytest.mark.slow
def test_the_expected_values_over_60_seeds():
    found = bench.measure(60, (bench.BASE, bench.NORMAL))
    assert [words for words, _, holds in bench.statements(found) if not holds] == []
