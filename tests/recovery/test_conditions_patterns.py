"""Equal and complementary gates, the rank they cost, and gates without them."""

import numpy as np
import pytest

from recovery import GatedOperator
from recovery.conditions import complementary_pairs, enumerate_patterns, equal_gates, gated_rank, one_per_pair


def blank_images(rng, n=40, d=6):
    """Inputs of which many are exactly 0, as pixels are."""
    return np.abs(rng.standard_normal((n, d))) * (rng.random((n, d)) < 0.6)


def test_pairs_come_from_the_patterns_not_from_the_generators(backend):
    rng = np.random.default_rng(0)
    X, h = blank_images(rng), np.array([1.0, -1.0, 0.0, 0.0, 0.0, 0.0])
    zero = int((X @ h == 0).sum())
    assert zero > 2
    loose = backend.put(np.stack([X @ h >= 0, -X @ h >= 0], axis=1))
    assert complementary_pairs(loose) == []  # h and -h are no exact pair here
    (pair,) = complementary_pairs(loose, rows=zero)
    assert (pair.first, pair.second, pair.both, pair.neither) == (0, 1, zero, 0)
    strict = np.stack([X @ h > 0, -X @ h > 0], axis=1)
    assert complementary_pairs(strict, rows=zero)[0].neither == zero
    mixed = np.stack([X @ h >= 0, -X @ h > 0, X @ h > 0], axis=1)
    assert [(one.first, one.second) for one in complementary_pairs(mixed)] == [(0, 1)]


def test_pairs_and_groups_are_those_of_two_loops():
    rng = np.random.default_rng(1)
    G = rng.random((5, 40)) < 0.5
    for rows in (0, 1, 2):
        found = complementary_pairs(G, rows)
        plain = [
            (i, j, int((G[:, i] & G[:, j]).sum()), int((~G[:, i] & ~G[:, j]).sum()))
            for i in range(40)
            for j in range(i + 1, 40)
        ]
        plain = sorted((one for one in plain if one[2] + one[3] <= rows), key=lambda one: (one[2] + one[3], one[:2]))
        assert [(one.first, one.second, one.both, one.neither) for one in found] == plain
    groups = equal_gates(G)
    assert groups
    assert all(np.array_equal(G[:, i], G[:, group[0]]) for group in groups for i in group)
    assert len(np.unique(G, axis=1).T) == 40 - sum(len(group) - 1 for group in groups)


def test_two_pairs_make_four_columns_of_every_feature_dependent():
    rng = np.random.default_rng(2)
    X, H = rng.standard_normal((60, 3)), rng.standard_normal((3, 2))
    A = GatedOperator.from_generators(X, np.concatenate([H, -H], axis=1))
    z = np.zeros((4, 3))
    z[:, 1] = [1.0, -1.0, 1.0, -1.0]  # the gates are h, g, -h, -g
    np.testing.assert_allclose(A.matvec(z.ravel()), 0.0, atol=1e-15)
    report = gated_rank(A)
    assert report.shape == (60, 12)
    assert (report.pairs, report.lost_within_features, report.rank, report.full) == (2, 3, 9, False)
    single = gated_rank(GatedOperator.from_generators(X, np.concatenate([H, -H[:, :1]], axis=1)))
    assert (single.pairs, single.lost_within_features, single.full) == (1, 0, True)


def test_rows_on_which_a_feature_is_blank_do_not_count():
    X = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 2.0], [1.0, 3.0]])
    G = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=bool)
    report = gated_rank(GatedOperator(X, G))
    assert report.within_features == 2 + 1  # the second gate lets nothing of the second feature through
    assert report.rank == 3
    assert report.pairs == 1


def test_one_gate_of_each_pair_and_an_ungated_block_has_full_rank_unless_gates_nearly_agree():
    seen = set()
    for seed in range(14):
        rng = np.random.default_rng(seed)
        d, q = int(rng.integers(2, 4)), int(rng.integers(2, 7))
        n = 3 * d * (q + 1)
        X = rng.standard_normal((n, d))
        H = rng.standard_normal((d, q))
        pairs = GatedOperator.from_generators(X, np.concatenate([H, -H], axis=1))
        reduced = one_per_pair(pairs)
        new = gated_rank(GatedOperator(X, reduced.gates))
        assert gated_rank(pairs).rank == new.rank  # the range is the same
        assert not gated_rank(pairs).full
        both = np.concatenate([reduced.gates, ~reduced.gates], axis=1)
        apart = (both[:, :, None] != both[:, None, :]).sum(axis=0)[np.triu_indices(both.shape[1], 1)].min()
        assert new.full == (apart >= d)
        seen.add(new.full)
    assert seen == {True, False}


def test_folded_weights_give_the_same_product_and_at_most_double():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 3))
    gates = enumerate_patterns(X, 2).gates  # holds all its complements
    every = np.concatenate([gates[:, :20], ~gates[:, :20], np.ones((30, 1), bool), np.zeros((30, 1), bool)], axis=1)
    reduced = one_per_pair(every)
    assert reduced.gates[:, -1].all()
    assert not complementary_pairs(reduced.gates)
    assert not equal_gates(reduced.gates)
    assert np.unique(np.packbits(every == every[0], axis=0), axis=1).shape[1] == reduced.gates.shape[1]
    A, B = GatedOperator(X, every), GatedOperator(X, reduced.gates)
    for _ in range(20):
        w = rng.standard_normal(A.shape[1]) * (rng.random(A.shape[1]) < 0.05)
        folded = reduced.fold(w)
        np.testing.assert_allclose(B.matvec(folded), A.matvec(w), atol=1e-13)
        assert np.count_nonzero(folded) <= 2 * np.count_nonzero(w)
    lonely = np.zeros(A.shape[1])
    lonely[int(np.flatnonzero(reduced.flipped)[0]) * 3] = 1.0
    assert np.count_nonzero(reduced.fold(lonely)) == 2
    with pytest.raises(ValueError, match="w has 5 entries; expected a multiple of the 42 gates"):
        reduced.fold(np.ones(5))


def test_a_full_enumeration_holds_all_complements_and_binary_generators_none():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((12, 4))
    gates = enumerate_patterns(X, 2).gates
    assert len(complementary_pairs(gates)) == gates.shape[1] // 2
    H = np.array([[1.0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]])
    binary = GatedOperator.from_generators(rng.standard_normal((200, 4)), H)
    assert complementary_pairs(binary) == []
    assert gated_rank(binary).full


def test_many_rows_do_not_hide_a_column_that_differs():
    """Two columns at an angle of 1e-12, far above the rounding of columns and far below n eps."""
    n = 60_000
    one = np.random.default_rng(0).standard_normal(n)
    other = one + 1e-12 * np.random.default_rng(1).standard_normal(n)
    assert 1e-12 < n * np.finfo(float).eps
    gates = np.ones((n, 1), dtype=bool)
    assert gated_rank(GatedOperator(np.stack([one, other], axis=1), gates)).rank == 2
    assert gated_rank(GatedOperator(np.stack([one, 3.0 * one], axis=1), gates)).rank == 1


def test_the_rank_does_not_depend_on_the_units_of_features():
    X = np.random.default_rng(0).standard_normal((4, 3)) * [1e-200, 1.0, 1e200]
    gates = np.random.default_rng(1).random((4, 3)) < 0.5
    found = gated_rank(GatedOperator(X, gates))
    assert found.rank == gated_rank(GatedOperator(X / [1e-200, 1.0, 1e200], gates)).rank
    assert gated_rank(GatedOperator(np.ones((4, 3)), np.zeros((4, 2), dtype=bool))).rank == 0
