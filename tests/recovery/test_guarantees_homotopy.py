"""The k-step property of the homotopy, compared with a grid of penalties and with the optimality conditions."""

import dataclasses

import numpy as np
import pytest

from recovery import Instance, solve
from recovery.guarantees import draw
from recovery.guarantees.linear import homotopy
from recovery.guarantees.linear.homotopy import exact_recovery_rule, guarantees, takes_k_steps

COHERENCE, EXACT = guarantees()


def gram(values):
    return np.linalg.cholesky(np.array(values)).T


def misled(m):
    """Three columns of which the third is most like the sum of the first two."""
    return Instance.planted(gram([[1.0, -m, m], [-m, 1.0, m], [m, m, 1.0]]), np.array([1.0, 1.0, 0.0]))


def lasso(A, y, lam, steps=20_000):
    """Coordinate descent, one column after the other."""
    w, r = np.zeros(A.shape[1]), y.copy()
    squares = np.sum(A * A, axis=0)
    for _ in range(steps):
        before = w.copy()
        for j in range(len(w)):
            r += A[:, j] * w[j]
            c = A[:, j] @ r
            w[j] = np.sign(c) * max(abs(c) - lam, 0.0) / squares[j]
            r -= A[:, j] * w[j]
        if np.max(np.abs(w - before)) <= 1e-13 * np.max(np.abs(w), initial=1e-300):
            break
    return w


@pytest.mark.parametrize("known", [COHERENCE, EXACT], ids=lambda one: one.name)
def test_supports_grow_along_a_grid_of_penalties(known):
    held = plural = 0
    for seed in range(40):
        instance = draw(known, seed)
        if known.check(instance).status != "holds":
            continue
        assert known.conclusion(instance).status == "holds"
        held += 1
        norms = np.linalg.norm(instance.matrix, axis=0)
        A, S = instance.matrix / norms, instance.support
        if len(S) < 2 or plural >= 6:
            continue
        plural += 1
        top = np.max(np.abs(A.T @ instance.y))
        before = set()
        for share in (0.9, 0.6, 0.3, 0.1, 0.01):
            w = lasso(A, instance.y, share * top)
            now = set(np.flatnonzero(np.abs(w) > 1e-9 * np.max(np.abs(w))).tolist())
            assert before <= now <= set(S.tolist())
            before = now
    assert held > 15
    assert plural >= 4


def test_the_solver_takes_as_many_pieces():
    for seed in range(30):
        instance = draw(COHERENCE, seed)
        if COHERENCE.check(instance).status == "holds" and len(instance.support):
            found = solve(instance.A, instance.y, len(instance.support), "l1")
            assert found.history["program_steps"][0] <= len(instance.support)
            assert np.array_equal(found.support, instance.support)


def test_beyond_a_third_two_columns_may_be_misled():
    below, above = misled(0.32), misled(0.36)
    assert COHERENCE.check(below).status == "holds"
    assert COHERENCE.conclusion(below).status == "holds"
    assert COHERENCE.check(above).status == "fails"
    assert COHERENCE.conclusion(above).status == "fails"
    margins = [COHERENCE.conclusion(misled(m)).margin for m in (0.1, 0.2, 0.3)]
    assert margins == sorted(margins, reverse=True)


def test_a_column_may_leave_where_planted_ones_are_alike():
    # among three planted columns, (A_S'A_S)^-1 sgn may have a wrong sign: no other column is there
    A = gram([[1.0, 0.7, 0.7], [0.7, 1.0, 0.0], [0.7, 0.0, 1.0]] + np.diag([0.0, 0.0, 0.0]) + 0.02 * np.eye(3))
    instance = Instance.planted(A, np.array([-0.05, 1.0, 1.0]))
    assert exact_recovery_rule(instance).status == "fails"
    verdict = takes_k_steps(instance)
    assert verdict.status == "fails"
    assert "left the path" in verdict.reason or "pieces for k = 3" in verdict.reason


def test_orthonormal_columns_take_one_piece_for_each_size():
    x = np.array([3.0, 0.0, -1.0, 2.0])
    for known in (COHERENCE, EXACT):
        judged = known.judge(Instance.planted(np.eye(5)[:, :4], x))
        assert judged.check.status == judged.conclusion.status == "holds"
        assert judged.conclusion.reason == "the path has 3 pieces for k = 3"
        tied = known.conclusion(Instance.planted(np.eye(5)[:, :4], np.sign(x)))
        assert tied.reason == "the path has 1 piece for k = 3"


def test_what_the_statement_does_not_cover():
    instance = misled(0.1)
    for known in (COHERENCE, EXACT):
        assert known.check(instance.replace(noise=np.full(3, 1e-9))).status == "fails"
        assert known.check(Instance(instance.A, instance.y, 2)).status == "unknown"
        assert known.conclusion(Instance.planted(np.eye(3), np.zeros(3))).status == "holds"
    small = Instance.planted(np.eye(3), np.array([1.0, 1e-12, 0.0]))
    assert COHERENCE.conclusion(small).status == "unknown"


def test_columns_that_rounding_cannot_tell_apart_are_unknown():
    # found by the attack: 1 - mu = 1.8e-14, and the solver takes the wrong one of the two
    A = np.array([[0.903102, -1.0], [-0.846355, 0.937164]])
    instance = Instance.planted(A, np.array([0.0, 1.0]))
    assert COHERENCE.check(instance).status == "holds"
    verdict = COHERENCE.conclusion(instance)
    assert verdict.status == "unknown" or verdict.status == "holds"
    clear = Instance.planted(gram([[1.0, 0.9], [0.9, 1.0]]), np.array([0.0, 1.0]))
    assert COHERENCE.conclusion(clear).status == "holds"


def test_a_path_that_is_wrong_without_need_is_a_failure(monkeypatch):
    """A solver that drops a column, or takes a wrong one, where nothing is close, is found out."""
    instance = misled(0.1)
    right = list(homotopy.stretches(instance.matrix, instance.y))

    def wrong(X, y):
        found = list(stretches(X, y))
        if X.shape[1] == 3:  # not the path of the planted columns alone
            found = [dataclasses.replace(one, support=np.array([2])) for one in found]
        return found

    stretches = homotopy.stretches
    assert len(right) <= 2
    monkeypatch.setattr(homotopy, "stretches", wrong)
    assert takes_k_steps(instance).status == "fails"
