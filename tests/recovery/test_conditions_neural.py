"""The neural isometry conditions: against the formulas written out, by hand, and the best dual vector."""

import math

import numpy as np
import pytest

from recovery.conditions import neural_isometry
from recovery.networks import group_program


def model(seed, n=14, d=3, p=5, planted=1):
    """Inputs, gates and weights; the first neurons are planted behind their own gates."""
    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    w = np.zeros((p, d))
    w[:planted] = H.T[:planted]
    return X, X @ H >= 0, w


def outputs(X, gates, w):
    return (X @ w.T * gates).sum(axis=1)


@pytest.mark.parametrize("planted", [1, 2])
def test_norms_are_those_of_the_formula(backend, planted):
    X, gates, w = model(planted, planted=planted)
    found = neural_isometry(backend.put(X), backend.put(gates), backend.put(w.ravel()))
    M = np.concatenate([np.diag(gates[:, j] * 1.0) @ X for j in range(planted)], axis=1)
    lam = M @ np.linalg.inv(M.T @ M) @ np.concatenate([row / np.linalg.norm(row) for row in w[:planted]])
    np.testing.assert_allclose(found.dual, lam, rtol=1e-9, atol=1e-12)
    norms = [np.linalg.norm(X.T @ np.diag(gates[:, j] * 1.0) @ lam) for j in range(5)]
    np.testing.assert_allclose(found.norms, norms, rtol=1e-9, atol=1e-12)
    assert found.value == pytest.approx(max(norms[planted:]), rel=1e-9)
    assert found.margin == 1 - found.value
    assert found.holds == (found.value < 1)
    assert found.planted == tuple(range(planted))
    assert found.rounding < 1e-11


def test_one_neuron_and_the_linear_part_by_their_own_formulas():
    X, gates, w = model(7)
    D = np.diag(gates[:, 0] * 1.0)
    unit = w[0] / np.linalg.norm(w[0])
    own = D @ X @ np.linalg.solve(X.T @ D @ X, unit)
    single = neural_isometry(X, gates, w, kind="single")
    assert single.value == pytest.approx(max(np.linalg.norm(X.T @ (gates[:, j] * own)) for j in range(1, 5)))
    linear = neural_isometry(X, gates, w[0], kind="linear")
    lam = X @ np.linalg.solve(X.T @ X, unit)
    np.testing.assert_allclose(linear.norms, [np.linalg.norm(X.T @ (gates[:, j] * lam)) for j in range(5)])
    assert linear.planted == ()
    # it is the same as planting a gate that is always open
    opened = np.concatenate([gates, np.ones((14, 1), dtype=bool)], axis=1)
    same = neural_isometry(X, opened, np.concatenate([np.zeros((5, 3)), w[:1]]))
    assert same.value == pytest.approx(linear.value)
    # and it fails where such a gate is in the list as well
    listed = neural_isometry(X, opened, w[0], kind="linear")
    assert (listed.norms[5], listed.holds) == (1.0, False)


def test_the_normalised_form_looks_at_ranges():
    X, gates, w = model(3)
    found = neural_isometry(X, gates, w, normalised=True)
    y = outputs(X, gates, w)
    for j in range(1, 5):  # the share of y in the range of D_j X
        D = X * gates[:, [j]]
        assert found.norms[j] == pytest.approx(np.linalg.norm(D @ np.linalg.pinv(D) @ y) / np.linalg.norm(y))
    assert found.holds
    # it does not change with the basis of the inputs, the plain form does
    turn = np.random.default_rng(0).standard_normal((3, 3))
    again = [neural_isometry(X @ turn, gates, w @ np.linalg.inv(turn).T, normalised=one) for one in (True, False)]
    np.testing.assert_allclose(again[0].norms, found.norms, rtol=1e-9)
    assert again[1].value != pytest.approx(neural_isometry(X, gates, w).value, rel=1e-3)
    two = neural_isometry(*model(3, n=20, planted=2), normalised=True)
    np.testing.assert_allclose(two.norms[:2], 1.0)


def test_the_normalised_form_fails_only_where_another_gate_explains_the_data():
    X, gates, w = model(3)
    unit = w[0] / np.linalg.norm(w[0])
    closed = np.flatnonzero(~gates[:, 0])[:2]
    X[closed] -= np.outer(X[closed] @ unit, unit)  # the neuron is 0 on these rows, up to rounding
    wider = gates[:, [0, 0]]
    wider[closed, 1] = True
    found = neural_isometry(X, wider, w[:2], normalised=True)
    assert found.value == pytest.approx(1.0, abs=1e-13)
    assert not found.holds
    found = [neural_isometry(*model(seed, n=10), normalised=True) for seed in range(30)]
    lost = [one.reason for one in found if one.holds is not True]
    assert len(lost) < 6
    assert all("dependent" in reason or "is open wherever a planted one is" in reason for reason in lost)


def test_copies_complements_and_blank_rows():
    X, gates, w = model(1)
    copied = np.concatenate([gates[:, :1], gates[:, :1], ~gates[:, :1]], axis=1)
    found = neural_isometry(X, copied, w[:3])
    assert (found.value, found.holds) == (1.0, False)
    assert "gate 1 is open wherever a planted one is" in found.reason
    assert found.norms[2] == pytest.approx(0.0, abs=1e-14)
    X[4] = 0.0  # where X is 0, gates need not agree to be the same
    copied[4, 1] ^= True
    assert neural_isometry(X, copied, w[:3]).value == 1.0
    assert neural_isometry(X, copied[:, ::2], w[[0, 2]]).holds
    # one planted gate: a gate that is open on more rows has the norm 1 too, but a longer dual vector may do better
    wider = gates[:, [0, 0]]
    wider[np.flatnonzero(~gates[:, 0] & X.any(axis=1))[:3], 1] = True
    assert neural_isometry(X, wider, w[:2]).value == 1.0
    assert neural_isometry(X, wider, w[:2], dual="best").holds
    assert neural_isometry(X, wider, w[:2], normalised=True).value < 1.0
    # the program has no single solution where gates are the same
    fit = group_program(X, copied[:, :2], outputs(X, copied, w[:3]))
    assert fit.objective == pytest.approx(np.linalg.norm(w[0]), rel=1e-8)
    assert not np.allclose(fit.w[:3], w[0], rtol=1e-3)


def test_dependent_columns_leave_no_dual_vector():
    X, gates, w = model(2, n=5, planted=2)
    found = neural_isometry(X, gates, w)
    assert (found.value, found.margin, found.holds, found.dual) == (math.inf, -math.inf, False, None)
    assert "the 6 columns of the planted gates [0, 1] are dependent" in found.reason
    assert np.isnan(found.norms).all()
    assert neural_isometry(X, gates, w, normalised=True).holds is False


def test_nothing_planted_and_everything_planted():
    X, gates, w = model(2, n=20, p=2, planted=2)
    nothing, everything = neural_isometry(X, gates, 0 * w), neural_isometry(X, gates, w)
    assert (nothing.value, nothing.holds) == (0.0, True)
    assert (everything.value, everything.holds) == (0.0, True)
    assert neural_isometry(X, gates, w, dual="best").value == 0.0


def test_a_norm_of_exactly_one_is_left_open():
    # a gate that is open where one of two planted ones is has the norm |w_1 + w_2| of unit vectors at 120 degrees
    X = np.random.default_rng(0).standard_normal((8, 2))
    first = np.arange(8) < 4
    gates = np.stack([first, ~first, first | ~first], axis=1)
    angles = np.array([0.3, 0.3 + 2 * np.pi / 3])
    w = np.concatenate([np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros((1, 2))])
    found = neural_isometry(X, gates, w)
    assert found.value == pytest.approx(1.0, abs=1e-13)
    assert found.holds is None
    assert "too close to decide within rounding error" in found.reason


@pytest.mark.parametrize("normalised", [False, True])
def test_scales_change_nothing(normalised):
    X, gates, w = model(11, n=20, planted=2)
    found = neural_isometry(X, gates, w, normalised=normalised)
    scaled = neural_isometry(1e5 * X, gates, w * np.array([[1e-6], [1e9], [1], [1], [1]]), normalised=normalised)
    np.testing.assert_allclose(scaled.norms, found.norms, rtol=1e-9, atol=1e-12)


def test_the_best_dual_vector_decides_more_often():
    counts = np.zeros(2, dtype=int)
    for seed in range(40):
        X, gates, w = model(seed, n=16, planted=2)
        shortest, best = (neural_isometry(X, gates, w, dual=dual) for dual in ("minimum-norm", "best"))
        if shortest.dual is None:
            continue
        assert best.value <= shortest.value + 1e-9
        for j in range(2):
            unit = w[j] / np.linalg.norm(w[j])
            np.testing.assert_allclose(X.T @ (gates[:, j] * best.dual), unit, atol=1e-8)
        counts += [shortest.holds is True, best.holds is True]
        fit = group_program(X, gates, outputs(X, gates, w))
        lost = np.linalg.norm(w, axis=1).sum() - fit.objective
        # holds: no lower objective; value above 1: there is one
        assert (abs(lost) < 1e-7) if best.holds else (lost > 1e-7 or abs(best.margin) < 1e-5)
    assert counts[0] < counts[1] < 40
    assert counts[0] > 0


def test_the_best_dual_vector_is_that_of_cvxpy():
    import cvxpy as cp

    for normalised in (False, True):
        X, gates, w = model(5, n=16, planted=2)
        blocks = [X * gates[:, [j]] for j in range(5)]
        directions = [row / np.linalg.norm(row) for row in w[:2]]
        if normalised:
            directions = [X * gates[:, [j]] @ w[j] for j in range(2)]
            blocks = [np.linalg.svd(block, full_matrices=False)[0] for block in blocks]
            directions = [blocks[j].T @ one / np.linalg.norm(one) for j, one in enumerate(directions)]
        lam = cp.Variable(16)
        worst = cp.max(cp.hstack([cp.norm2(block.T @ lam) for block in blocks[2:]]))
        value = cp.Problem(cp.Minimize(worst), [blocks[j].T @ lam == directions[j] for j in range(2)]).solve()
        assert neural_isometry(X, gates, w, normalised=normalised, dual="best").value == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gates": np.full((14, 5), 0.5)}, "gates holds values other than 0 and 1"),
        ({"gates": np.ones((13, 5))}, "gates has shape"),
        ({"w": np.zeros(14)}, r"w has shape \(14,\); expected \(15,\) or \(5, 3\)"),
        ({"kind": "double"}, "kind='double'"),
        ({"kind": "single", "w": np.ones(15)}, "w has weights at 5 gates"),
        ({"kind": "linear"}, r"w has shape \(5, 3\)"),
        ({"dual": "any"}, "dual='any'"),
        ({"X": np.full((14, 3), np.nan)}, "X has 42 element"),
    ],
)
def test_bad_input_is_refused(change, words):
    X, gates, w = model(0)
    with pytest.raises((TypeError, ValueError), match=words):
        neural_isometry(**({"X": X, "gates": gates, "w": w} | change))


@pytest.mark.parametrize("exponent", [-1040, -600, 600, 1010])
@pytest.mark.parametrize("options", [{}, {"normalised": True}, {"dual": "best"}])
def test_the_unit_of_the_inputs_does_not_matter(exponent, options):
    X, gates, w = model(3)
    plain = neural_isometry(X, gates, w, **options)
    found = neural_isometry(np.ldexp(X, exponent), gates, w, **options)
    assert found.holds == plain.holds
    assert found.value == pytest.approx(plain.value, rel=1e-5, abs=1e-12)  # below 2^-1022 inputs lose bits
    if -1000 < exponent < 1000:
        unit = 0 if "normalised" in options else exponent
        np.testing.assert_allclose(np.ldexp(found.dual, unit), plain.dual, rtol=1e-6, atol=1e-9)
