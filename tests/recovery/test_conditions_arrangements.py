"""All patterns of sparse generators: against linear programs, sampling, angles, and Cover's count."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from scipy.optimize import linprog

from recovery.conditions import cover_count, enumerate_patterns, pattern_bound


def as_set(gates):
    return {tuple(column) for column in gates.T.tolist()}


def possible(V, pattern):
    """Whether some h != 0 has pattern 1{V h >= 0}, by linear programs: off rows are at most -1 after scaling."""
    on = np.array(pattern)
    G, b = np.concatenate([-V[on], V[~on]]), np.concatenate([np.zeros(on.sum()), -np.ones((~on).sum())])
    size = V.shape[1]
    if not on.all():
        return linprog(np.zeros(size), A_ub=G, b_ub=b, bounds=[(None, None)] * size).status == 0
    goals = [sign * np.eye(size)[j] for j in range(size) for sign in (1, -1)]
    return any(linprog(goal, A_ub=G, b_ub=b, bounds=[(-1, 1)] * size).fun < -0.5e-6 for goal in goals)


def plain(X, s):
    """All patterns of all supports of s, one linear program for each of the 2^n."""
    return {
        pattern
        for support in combinations(range(X.shape[1]), s)
        for pattern in product((False, True), repeat=X.shape[0])
        if possible(X[:, support], pattern)
    }


AWKWARD = {
    "general position": np.array([[3.0, 1.0, -2.0], [1.0, -4.0, 5.0], [2.0, 7.0, 1.0], [-3.0, 2.0, 6.0]]),
    "blank rows and inputs": np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [-1.0, -1.0, 0.0]]),
    "opposite and parallel rows": np.array([[1.0, 2.0, 0.0], [-2.0, -4.0, 0.0], [3.0, 6.0, 0.0], [0.0, 1.0, -1.0]]),
    "rank one": np.outer([1.0, -2.0, 0.5, 0.0, 3.0], [1.0, -1.0, 2.0]),
    "coplanar rows": np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [1.0, -1.0, 0.0], [-1.0, 0.0, -1.0]]),
    "equal rows": np.array([[1.0, -1.0, 2.0]] * 2 + [[0.5, 3.0, 0.0]] * 2),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_exactly_the_patterns_that_linear_programs_find(name):
    X = AWKWARD[name]
    for s in (1, 2, 3):
        found = enumerate_patterns(X, s)
        assert len(as_set(found.gates)) == found.gates.shape[1]
        assert as_set(found.gates) == plain(X, s)
        assert found.gates.shape[1] <= found.bound
        assert found.counts.max() <= cover_count(X.shape[0], s)  # boundaries included, in any position


def test_a_boundary_pattern_is_no_cell():
    X = np.array([[1.0, 2.0], [-1.0, -2.0], [0.0, 1.0]])
    cells, all_of_them = (as_set(enumerate_patterns(X, 2, boundary=flag).gates) for flag in (False, True))
    # h = (2, -1) is 0 on two opposite rows, which are then both on
    assert all_of_them - cells == {(True, True, False), (True, True, True)}
    assert (True, True, False) == tuple((X @ [2.0, -1.0] >= 0).tolist())


def test_in_general_position_there_are_as_many_as_cover_counts():
    rng = np.random.default_rng(0)
    for n, d, s in ((9, 4, 1), (9, 4, 2), (9, 4, 3), (7, 5, 4)):
        X = rng.standard_normal((n, d))
        cells, found = (enumerate_patterns(X, s, boundary=flag) for flag in (False, True))
        assert set(found.counts.tolist()) == {cover_count(n, s)}
        np.testing.assert_array_equal(found.gates, cells.gates)
        assert found.gates.shape[1] <= found.bound == math.comb(d, s) * cover_count(n, s)


def test_two_entries_by_angle():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 3))
    found = as_set(enumerate_patterns(X, 2).gates)
    expected = set()
    for support in combinations(range(3), 2):
        V = X[:, support]
        turns = np.sort(np.concatenate([np.arctan2(-V[:, 0], V[:, 1]), np.arctan2(V[:, 0], -V[:, 1])]))
        between = 0.5 * (turns + np.append(turns[1:], turns[0] + 2 * np.pi))
        H = np.stack([np.cos(between), np.sin(between)])
        expected |= as_set(V @ H >= 0)
    assert found == expected


def test_sampling_finds_no_other_one_and_misses_small_ones():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((12, 4))
    found = as_set(enumerate_patterns(X, 3).gates)
    H = rng.standard_normal((4, 40_000))
    H[rng.integers(0, 4, 40_000), np.arange(40_000)] = 0.0
    seen = as_set(np.unique(X @ H >= 0, axis=1))
    assert seen <= found
    assert 0.8 * len(found) < len(seen) < len(found)


def test_floats_are_taken_as_they_are():
    tiny = np.array([[0.1, 0.2, 0.3], [1e-30, 1e30, 1.0], [0.1 + 2.0**-56, 0.2, 0.3]])
    # rows one and three differ in the last bit: some generators tell them apart
    assert any(column[0] != column[2] for column in enumerate_patterns(tiny, 2).gates.T)
    scaled = enumerate_patterns(tiny * np.array([[1e100], [1e-100], [3.0]]), 1)
    np.testing.assert_array_equal(scaled.gates, enumerate_patterns(tiny, 1).gates)


def test_arrays_of_all_kinds(backend):
    X = np.random.default_rng(3).standard_normal((6, 3))
    np.testing.assert_array_equal(enumerate_patterns(backend.put(X), 2).gates, enumerate_patterns(X, 2).gates)


def test_counts_and_refusals():
    assert [cover_count(4, s) for s in (1, 2, 3, 4, 5)] == [2, 8, 14, 16, 16]
    assert pattern_bound(4, 3, 2) == 24
    X = np.ones((40, 12))
    with pytest.raises(ValueError, match=r"sparsity=13 is out of range"):
        enumerate_patterns(X, 13)
    with pytest.raises(ValueError, match=r"sparsity=4 .* needs 4890600 intersections"):
        enumerate_patterns(X, 4)
    with pytest.raises(ValueError, match=r"X has 1 element\(s\) that are NaN"):
        enumerate_patterns([[1.0, np.nan]], 1)
    with pytest.raises(ValueError, match=r"sparsity=0 is out of range"):
        cover_count(3, 0)


def test_rows_that_are_blank_on_the_support_are_on_in_every_cell():
    X = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 5.0], [0.0, 1.0, 0.0]])
    found = enumerate_patterns(X, 2, boundary=False)
    assert found.gates[0].all()
    assert {tuple(gate[1:]) for gate in found.gates.T} == set(product([False, True], repeat=2))
    assert found.counts.tolist() == [4, 2, 4]
