"""The group program and the cone program: against cvxpy, their optimality conditions, and the network they give."""

import numpy as np
import pytest

import recovery
from recovery.networks import cone_program, group_program
from recovery.networks.convex import flattest_dual, least_norms


def model(seed, n=12, d=3, p=5):
    """Inputs, gates of random generators, and data that the cone program can fit: a network of these gates."""
    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    gates = X @ H >= 0
    return X, gates, (X @ H * gates) @ rng.choice([-1.0, 0.0, 2.0], p)


def by_cvxpy(X, gates, y, *, cone=False, linear=False, normalised=False):
    """The programs as they are written."""
    import cvxpy as cp

    p, d = gates.shape[1], X.shape[1]
    u, v, free = cp.Variable((p, d)), cp.Variable((p, d)), cp.Variable(d)
    blocks = [np.diag(gates[:, j] * 1.0) @ X for j in range(p)]
    fitted = sum(blocks[j] @ (u[j] - v[j]) for j in range(p)) + X @ free
    limits = [fitted == y] + ([] if linear else [free == 0]) + ([] if cone else [v == 0])
    if cone:
        signs = [np.diag(2.0 * gates[:, j] - 1.0) @ X for j in range(p)]
        limits += [signs[j] @ one[j] >= 0 for j in range(p) for one in (u, v)]
    norms = [cp.norm2((blocks[j] if normalised else np.eye(d)) @ one[j]) for j in range(p) for one in (u, v)]
    norms.append(cp.norm2((X if normalised else np.eye(d)) @ free))
    program = cp.Problem(cp.Minimize(cp.sum(norms)), limits)
    program.solve(solver="CLARABEL")
    return program.value


@pytest.mark.parametrize("kind", ["plain", "linear", "normalised"])
def test_the_group_program_is_the_one_that_is_written(backend, kind):
    options = {} if kind == "plain" else {kind: True}
    X, gates, y = model(0)
    fit = group_program(*map(backend.put, (X, gates, y)), **options)
    assert fit.status in ("Solved", "AlmostSolved")
    assert fit.objective == pytest.approx(by_cvxpy(X, gates, y, **options), rel=1e-7)
    W = fit.w.reshape(5, 3)
    got = (X @ W.T * gates).sum(axis=1) + (0 if fit.linear is None else X @ fit.linear)
    np.testing.assert_allclose(got, y, atol=1e-9)
    assert fit.residual < 1e-9
    lengths = np.linalg.norm((X @ W.T * gates).T if kind == "normalised" else W, axis=1)
    assert fit.objective == pytest.approx(lengths.sum() + (0 if kind != "linear" else np.linalg.norm(fit.linear)))


def test_the_solution_meets_the_optimality_conditions():
    used = 0
    for seed in range(10):
        X, gates, y = model(seed)
        fit = group_program(X, gates, y, tol=1e-12)
        assert fit.objective == pytest.approx(fit.dual @ y, rel=1e-9)  # no gap
        for j, w in enumerate(fit.w.reshape(5, 3)):
            slope = X.T @ (gates[:, j] * fit.dual)
            assert np.linalg.norm(slope) <= 1 + 1e-7
            if np.linalg.norm(w) > 1e-2 * np.abs(fit.w).max():
                np.testing.assert_allclose(slope, w / np.linalg.norm(w), atol=1e-5)
                used += 1
    assert used > 15


def test_the_solver_for_operators_has_the_same_program():
    X, gates, y = model(4)
    result = recovery.solve(recovery.GatedOperator(X, gates), y, 15, "group_l1")
    fit = group_program(X, gates, y)
    # with 15 entries allowed on 12 rows the fit after the program adds nothing, so the program's own w is as good
    assert np.linalg.norm(result.x.reshape(5, 3), axis=1).sum() >= fit.objective * (1 - 1e-6)


@pytest.mark.parametrize("linear", [False, True])
def test_the_cone_program_is_the_one_that_is_written(backend, linear):
    for seed in (1, 2, 3):
        X, gates, y = model(seed)
        fit = cone_program(*map(backend.put, (X, gates, y)), linear=linear)
        assert fit.objective == pytest.approx(by_cvxpy(X, gates, y, cone=True, linear=linear), rel=1e-6)
        assert fit.objective >= group_program(X, gates, y, linear=linear).objective * (1 - 1e-9)
        np.testing.assert_allclose(fit.w, (fit.positive - fit.negative).ravel())
        assert fit.outside < 1e-7
        # inside the cones the gates are those of the network
        np.testing.assert_allclose(fit.network(X), y, atol=1e-5 * np.abs(y).max())
        hidden, output = fit.network.layers
        np.testing.assert_allclose(np.linalg.norm(hidden, axis=0), np.abs(output))
        decay = (np.sum(hidden**2) + np.sum(output**2)) / 2
        extra = 0.0 if fit.linear is None else np.linalg.norm(fit.linear)  # its two neurons cost twice its length
        assert decay == pytest.approx(fit.objective + extra, rel=1e-4)


def test_a_skip_connection_is_found_with_a_neuron_beside_it():
    rng = np.random.default_rng(0)
    X, H, w = rng.standard_normal((40, 3)), rng.standard_normal((3, 4)), rng.standard_normal(3)
    gates = X @ H >= 0
    y = X @ w - np.maximum(X @ H[:, 0], 0)
    for fit in (group_program(X, gates, y, linear=True), cone_program(X, gates, y, linear=True)):
        np.testing.assert_allclose(fit.linear, w, atol=1e-7)
        np.testing.assert_allclose(fit.w[:3], -H[:, 0], atol=1e-7)
        np.testing.assert_allclose(fit.w[3:], 0.0, atol=1e-7)
    assert fit.network.layers[1].shape == (3,)  # the neuron, and two for the linear part


def test_data_out_of_reach_are_said_to_be():
    X, gates, _ = model(0, n=30)
    y = np.random.default_rng(1).standard_normal(30)
    for fit in (group_program(X, gates, y), cone_program(X, gates, y), group_program(X, gates, y, normalised=True)):
        assert fit.w is None
        assert fit.dual is None
        assert fit.objective == np.inf
        assert "Infeasible" in fit.status
    assert cone_program(X, gates, y).network is None


def test_zero_data_and_closed_gates():
    X, gates, y = model(3)
    zero = cone_program(X, gates, 0 * y)
    assert zero.objective == 0.0
    assert not zero.w.any()
    assert not zero.network(X).any()
    shut = np.concatenate([gates, np.zeros((12, 1), dtype=bool)], axis=1)
    for normalised in (False, True):
        fit, plain = (group_program(X, one, y, normalised=normalised) for one in (shut, gates))
        assert fit.objective == pytest.approx(plain.objective, rel=1e-8)
        np.testing.assert_allclose(fit.w[15:], 0.0, atol=1e-8)


def test_scales_of_the_data_do_not_matter():
    X, gates, y = model(6)
    fit, big = group_program(X, gates, y), group_program(1e6 * X, gates, 1e-5 * y)
    np.testing.assert_allclose(big.w, 1e-11 * fit.w, rtol=1e-6, atol=1e-17)
    assert big.objective == pytest.approx(1e-11 * fit.objective)


def test_multipliers_of_cones_make_the_dual_vector_flatter():
    rng = np.random.default_rng(2)
    blocks = [rng.standard_normal((5, 2)) for _ in range(3)]
    unit = {0: np.array([0.6, 0.8])}
    plain, lam, status = flattest_dual(blocks, unit)
    assert status == "Solved"
    np.testing.assert_allclose(blocks[0].T @ lam, unit[0], atol=1e-9)
    assert max(np.linalg.norm(block.T @ lam) for block in blocks[1:]) == pytest.approx(plain, abs=1e-7)
    with_cones, _, _ = flattest_dual(blocks, unit, inside=[np.eye(2), np.eye(2), np.eye(2)])
    assert with_cones <= plain + 1e-7
    # two planted blocks that are the same matrix cannot have two directions
    value, lam, status = flattest_dual([blocks[0]] * 2, {0: unit[0], 1: -unit[0]})
    assert (value, lam) == (np.inf, None)
    assert "contradict" in status
    assert flattest_dual([blocks[0]] * 2, {0: unit[0], 1: unit[0]})[0] == 0.0
    assert least_norms(blocks, np.zeros(5)).objective == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.zeros(3)}, r"y has shape \(3,\)"),
        ({"gates": np.full((12, 5), 2.0)}, "gates holds values"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"max_iter": 0}, "max_iter=0"),
    ],
)
def test_bad_input_is_refused(change, words):
    X, gates, y = model(0)
    for program in (group_program, cone_program):
        with pytest.raises((TypeError, ValueError), match=words):
            program(**({"X": X, "gates": gates, "y": y} | change))


@pytest.mark.parametrize("exponents", [(0, -700), (-560, -560), (600, 301), (-1060, 0)])
def test_units_of_the_inputs_and_data_do_not_matter(exponents):
    X, gates, y = model(2)
    inputs, data = exponents
    for program, options in ((group_program, {}), (group_program, {"normalised": True}), (cone_program, {})):
        plain = program(X, gates, y, **options)
        fit = program(np.ldexp(X, inputs), gates, np.ldexp(y, data), **options)
        # below 2^-1022 inputs lose bits
        rel = 1e-9 if inputs > -1022 else 1e-3
        size = data if options else data - inputs
        with np.errstate(over="ignore"):
            wanted = np.ldexp(plain.objective, size)
        assert fit.status == plain.status
        assert fit.objective == pytest.approx(wanted, rel=rel)
        assert np.any(fit.w)
        if program is cone_program and np.isfinite(wanted):
            outputs = fit.network(np.ldexp(X, inputs))
            np.testing.assert_allclose(np.ldexp(outputs, -data), y, atol=1e-6)


def test_what_leaves_the_cones_is_shown():
    seen = []
    for seed in range(6):
        X, gates, y = model(seed)
        fit = cone_program(X, gates, y, tol=1e-2)
        parts = [(j, part) for side in (fit.positive, fit.negative) for j, part in enumerate(side)]
        largest = max(np.linalg.norm(part) for _, part in parts)
        rows = np.linalg.norm(X, axis=1)
        left = [np.max(-(2.0 * gates[:, j] - 1) * (X @ part) / rows) / largest for j, part in parts]
        assert fit.outside == pytest.approx(max(0.0, *left), rel=1e-9, abs=1e-15)
        seen.append(fit.outside)
    assert max(seen) > 1e-9


def test_an_answer_says_in_a_line_how_it_ended():
    X, gates, y = model(0)
    for fit, name in ((group_program(X, gates, y), "GroupFit"), (cone_program(X, gates, y), "ConeFit")):
        assert fit.success
        assert fit.message.startswith("solved to its tolerance, in ")
        np.testing.assert_array_equal(fit.support, np.flatnonzero(np.abs(fit.w) > 1e-6 * np.abs(fit.w).max()))
        assert repr(fit).startswith(f"{name}(w of 15 entries, {len(fit.support)} in the support, objective=")
        assert len(repr(fit)) < 250
    none = group_program(np.zeros((3, 2)), np.ones((3, 1)), np.ones(3))
    assert (none.success, none.support.size) == (False, 0)
    assert none.message.startswith("no solution: Clarabel ended with ")
    assert "w of None entries" in repr(none)
