"""Verdicts: how often chance decides, what a few fits may change, and where nothing can be decided."""

import math

import numpy as np
import pytest

from paper_repro import verdicts
from paper_repro.verdicts import HELD, NOT_HELD, NOT_MEASURED, TOO_CLOSE, Measured

MADE = 400


def by_chance(kind, cells, seeds, rng):
    """Return scores whose true share is 1/2, in three ways that differ in what the trials have in common."""
    if kind == "trials":
        return rng.integers(0, 2, (cells, seeds)).astype(float)
    if kind == "cells":  # all seeds of a cell agree: there are as many units as cells
        return np.repeat(rng.integers(0, 2, (cells, 1)).astype(float), seeds, axis=1)
    rates = rng.beta(0.5, 0.5, (cells, 1)) + rng.normal(0.0, 0.15, (1, seeds))
    return (rng.random((cells, seeds)) < np.clip(rates, 0.0, 1.0)).astype(float)


@pytest.mark.parametrize("kind", ["trials", "cells", "both"])
@pytest.mark.parametrize(("cells", "seeds"), [(6, 2), (15, 3), (45, 3)])
def test_chance_decides_rarely(cells, seeds, kind):
    rng = np.random.default_rng([cells, seeds])
    found = [verdicts.share(by_chance(kind, cells, seeds, rng)).verdict for _ in range(MADE)]
    decided = sum(one != TOO_CLOSE for one in found)
    # 5 % are allowed; more than 36 of 400 have a probability of 4e-4 then
    assert decided <= 36
    # trials taken for independent units would decide far more often where seeds of a cell agree
    if (kind, cells) == ("cells", 45):
        rng = np.random.default_rng([cells, seeds])
        naive = [abs(by_chance(kind, cells, seeds, rng).mean() - 0.5) > 0.98 / math.sqrt(cells * seeds) for _ in found]
        assert sum(naive) > 3 * decided


@pytest.mark.parametrize("true", [0.1, 0.9])
def test_what_is_clear_is_decided(true):
    rng = np.random.default_rng(1)
    found = [verdicts.share((rng.random((27, 3)) < true).astype(float)).verdict for _ in range(50)]
    assert set(found) == {HELD if true > 0.5 else NOT_HELD}


@pytest.mark.parametrize("cells", [6, 10, 27, 45])
def test_no_verdict_flips_when_a_tenth_of_the_fits_goes_the_other_way(cells):
    rng = np.random.default_rng(cells)
    few = max(1, 3 * cells // 10)
    for ones in range(3 * cells + 1):
        score = np.zeros(3 * cells)
        score[rng.permutation(3 * cells)[:ones]] = 1.0
        before = verdicts.share(score.reshape(cells, 3)).verdict
        for value in (0.0, 1.0):
            after = score.copy()
            after[np.flatnonzero(score != value)[:few]] = value
            assert {before, verdicts.share(after.reshape(cells, 3)).verdict} != {HELD, NOT_HELD}


def test_too_few_units_decide_nothing():
    for shape in ((5, 3), (1, 50), (45, 1)):
        found = verdicts.share(np.ones(shape))
        assert (found.verdict, found.value, found.low) == (TOO_CLOSE, 1.0, None)
        assert "no interval from" in found.interval()
    assert verdicts.share(np.ones((6, 2))).verdict == HELD
    assert verdicts.share(np.zeros((6, 2))).verdict == NOT_HELD
    # a claim about each of three settings: only the seeds are drawn anew
    assert verdicts.least_share(np.ones((3, 5))).verdict == TOO_CLOSE
    assert verdicts.least_share(np.ones((3, 6))).verdict == HELD
    assert verdicts.share(np.zeros((0, 0))).verdict == NOT_MEASURED
    assert verdicts.share(np.zeros((0, 0))).interval() == "-"


def test_the_share_counts_the_trials_that_are_there():
    score = np.array([[1.0, np.nan], [0.0, 0.5], [1.0, 1.0]])
    assert verdicts.share(score).value == pytest.approx(3.5 / 5)
    known = np.tile([1.0, np.nan, 1.0], (7, 1))
    assert (verdicts.share(known).low, verdicts.share(known).high) == (1.0, 1.0)


def test_equal_scores_give_equal_intervals_in_any_order_of_calls():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 3, (12, 3)) / 2
    first = verdicts.share(score)
    verdicts._multiplicities.cache_clear()
    verdicts.share(rng.integers(0, 2, (8, 2)).astype(float))
    assert verdicts.share(score) == first
    assert first.low < first.value < first.high


def test_level_counts_half_and_so_do_equal_infinities():
    first = np.array([[3.0, 2.5, 1.0, math.inf, math.inf, np.nan, -math.inf]])
    second = np.array([[1.0, 2.0, 3.0, math.inf, 1.0, 1.0, 0.0]])
    assert verdicts.scores(first, second, tie=1.0)[0, [0, 1, 2, 3, 4, 6]].tolist() == [1.0, 0.5, 0.0, 0.5, 1.0, 0.0]
    assert np.isnan(verdicts.scores(first, second)[0, 5])
    assert verdicts.scores(first, second, margin=-3.0, tie=0.5)[0, :3].tolist() == [1.0, 1.0, 1.0]


def test_trials_are_paired_by_cell_and_seed():
    first = {(1, 1): {0: 1.0, 1: 2.0}, (2, 1): {0: 3.0}}
    second = {(2, 1): {0: 30.0, 1: 40.0}, (1, 1): {1: 20.0}, (9, 9): {0: 0.0}}
    cells, seeds, (ours, theirs) = verdicts.paired(first, second)
    assert (cells, seeds) == ([(1, 1), (2, 1)], [0, 1])
    np.testing.assert_array_equal(ours, [[np.nan, 2.0], [3.0, np.nan]])
    np.testing.assert_array_equal(theirs, [[np.nan, 20.0], [30.0, np.nan]])
    assert verdicts.paired(first, {})[0] == []


def test_the_worst_cell_decides_only_where_it_does_not_hang_on_one_cell():
    ours, theirs = np.full((9, 3), 0.98), np.full((9, 3), 0.99)
    theirs[4] = 0.5  # one bad cell of nine is often not drawn
    one = verdicts.worst_difference(ours, theirs, slack=0.005)
    assert one.value == pytest.approx(0.48)
    assert one.verdict == TOO_CLOSE
    theirs[:6] = 0.5
    assert verdicts.worst_difference(ours, theirs, slack=0.005).verdict == HELD
    assert verdicts.worst_difference(theirs, ours, slack=0.005).verdict == NOT_HELD
    # both are dead somewhere: equal up to rounding is no difference
    assert (
        verdicts.worst_difference(np.full((9, 3), 0.1), np.full((9, 3), 0.1 + 1e-16), slack=0.005).verdict == TOO_CLOSE
    )


def test_a_claim_about_each_setting_is_as_strong_as_its_weakest():
    score = np.ones((3, 10))
    assert verdicts.least_share(score).verdict == HELD
    score[1, :5] = 0.0
    found = verdicts.least_share(score)
    assert (found.value, found.verdict) == (0.5, TOO_CLOSE)
    score[1] = 0.0
    assert verdicts.least_share(score).verdict == NOT_HELD


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([HELD, HELD], HELD),
        ([HELD, TOO_CLOSE], TOO_CLOSE),
        ([TOO_CLOSE, NOT_HELD], NOT_HELD),
        ([HELD, NOT_MEASURED], NOT_MEASURED),
    ],
)
def test_all_parts_must_hold(parts, expected):
    ends = {HELD: (0.6, 0.8), NOT_HELD: (0.1, 0.3), TOO_CLOSE: (0.4, 0.6), NOT_MEASURED: (None, None)}
    made = [Measured(math.nan if part == NOT_MEASURED else 0.5, *ends[part], 0.5, 9, 3) for part in parts]
    assert verdicts.all_of(*made) == expected


def test_an_interval_is_told_with_its_limit():
    assert Measured(0.934, 0.851, 1.0, 0.5, 9, 3).interval() == "0.93 [0.85, 1.00], limit 0.50"
    assert Measured(0.5, None, None, 0.5, 1, 3).interval() == "0.50 [no interval from 1 cell, 3 seeds], limit 0.50"
