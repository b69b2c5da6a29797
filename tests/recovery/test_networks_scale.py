"""Fits of networks do not depend on units: powers of two in X and y, over the whole range of the dtype."""

from __future__ import annotations

import math

import numpy as np
import pytest

import planted
import recovery
import recovery.networks
from recovery import Status
from recovery.mlp.units import in_range

EDGES = {"float32": (-118, -60, 60, 118), "float64": (-1015, -500, 500, 1015)}


def problem(dtype, n_outputs=None):
    """Return inputs and targets of a small network, in the dtype."""
    X = planted.gaussian_inputs(200, 5, rng=0)
    if n_outputs is None:
        truth = planted.sparse_network(5, 2, 5, signs="mixed", rng=1)
    else:
        truth = planted.sparse_network(5, 2, 6, n_outputs=n_outputs, rng=1)
    return X.astype(dtype), truth(X).astype(dtype)


def pairs(dtype):
    return [(a, b) for t in EDGES[dtype] for a, b in ((t, t), (t, 0), (0, t))]


def fit(X, y, **options):
    return recovery.fit_network(
        X, y, n_neurons=2, sparsity=5 if y.ndim == 1 else 6, rng=2, **{"method": "robust", **options}
    )


def outputs(network, X, b):
    """Return what a network gives on its inputs, over 2^b."""
    return np.ldexp(network(X).astype(float), -b)


@pytest.mark.parametrize("outputs_of_y", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_robust_fits_are_the_same_at_every_scale(dtype, outputs_of_y):
    X, y = problem(dtype, outputs_of_y)
    steps = 12 if outputs_of_y is None else 60
    plain = fit(X, y, max_iter=steps)
    assert plain.psnr_db > 15
    eps = float(np.finfo(dtype).eps)
    for a, b in pairs(dtype):
        moved = np.ldexp(X, a), np.ldexp(y, b)
        found = fit(*moved, max_iter=steps)
        assert (found.status, found.n_iter) == (plain.status, plain.n_iter), (a, b)
        # weights near the ends of the range may be subnormal numbers: that costs less than the rounding of y
        np.testing.assert_allclose(
            outputs(found.network, moved[0], b), plain.network(X), rtol=0, atol=8 * eps * np.abs(y).max()
        )


@pytest.mark.parametrize("outputs_of_y", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pruning_is_the_same_at_every_scale(dtype, outputs_of_y):
    X, y = problem(dtype, outputs_of_y)
    plain = recovery.imp(X, y, n_neurons=2, sparsity=5, max_iter=20, rng=3)
    eps = float(np.finfo(dtype).eps)
    for a, b in pairs(dtype):
        moved = np.ldexp(X, a), np.ldexp(y, b)
        found = recovery.imp(*moved, n_neurons=2, sparsity=5, max_iter=20, rng=3)
        assert found.status is Status.PRUNED
        np.testing.assert_allclose(
            outputs(found.network, moved[0], b), plain.network(X), rtol=0, atol=8 * eps * np.abs(y).max()
        )


@pytest.mark.parametrize(("dtype", "far"), [("float32", 100), ("float64", 900)])
def test_many_fits_at_extreme_scales_are_those_of_fit_network(dtype, far):
    X, y = problem(dtype)
    found = recovery.networks.fit_many(
        np.ldexp(X, far),
        np.stack([np.ldexp(y, far), np.ldexp(y, -8)]),
        n_neurons=2,
        sparsity=[5, 5],
        method="robust",
        max_iter=12,
        rngs=[2, 2],
    )
    plain = fit(X, y, max_iter=12)
    for one, b in zip(found, (far, -8), strict=True):
        assert one.status is plain.status
        np.testing.assert_allclose(outputs(one.network, np.ldexp(X, far), b), plain.network(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["robust", "paper"])
@pytest.mark.parametrize(("dtype", "far"), [("float32", 100), ("float64", 1000)])
def test_no_fit_at_an_extreme_scale_converges_to_a_wrong_network(method, dtype, far):
    X, y = problem(dtype)
    for a, b in ((far, -far), (-far, far), (far, far), (-far, -far)):
        moved = np.ldexp(X, a), np.ldexp(y, b)
        if method == "robust" and a != b:
            with pytest.raises(ValueError, match="expected a ratio that"):
                fit(*moved, method=method, max_iter=12)
            continue
        found = fit(*moved, method=method, max_iter=12)
        close = np.abs(outputs(found.network, moved[0], b) - y).max() <= 1e-4 * np.abs(y).max()
        assert close or not found.status.success


def test_weights_that_the_dtype_cannot_hold_are_named():
    """One input of size 2^-60 carries the target, of size 2^100, beside one of size 1 that does not: w = 2^160."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2)).astype("float32")
    y = np.ldexp(np.maximum(X[:, 0], 0), 100)
    X[:, 0] = np.ldexp(X[:, 0], -60)
    found = recovery.fit_network(X, y, n_neurons=1, sparsity=1, rng=0, method="robust")
    assert found.status is Status.OUT_OF_RANGE
    assert not found.status.success
    assert found.message.startswith("out of range: the solution has values that its dtype cannot hold; try other units")
    assert "before that: converged" in found.message
    assert np.isfinite(found.network.hidden).all()
    several = recovery.fit_network(X, y[:, None], n_neurons=1, sparsity=2, rng=0, max_iter=40, method="robust")
    assert all(np.isfinite(layer).all() for layer in several.network.layers)
    gap = np.abs(outputs(several.network, X, 100)[:, 0] - np.ldexp(y.astype(float), -100)).max()
    assert gap < 1e-4 or not several.status.success


def test_layers_of_several_outputs_that_the_dtype_cannot_hold_are_named(monkeypatch):
    """A search that ends with weights of 2^90, for targets of size 2^100: their product is beyond float32."""
    from planted import ReLUNetwork
    from recovery.networks import methods as fitting

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2)).astype("float32"), np.ldexp(rng.standard_normal((60, 1)), 100).astype("float32")
    layers = [np.ones((2, 1), dtype="float32"), np.full((1, 1), 2.0**90, dtype="float32")]
    monkeypatch.setattr(fitting, "fit_robust_vector", lambda *_: (ReLUNetwork(layers), Status.CONVERGED, ""))
    found = recovery.fit_network(X, y, n_neurons=1, sparsity=3, rng=0, method="robust")
    assert found.status is Status.OUT_OF_RANGE
    assert "before that: converged" in found.message


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_lose_digits_are_named_where_they_matter(backend, dtype):
    info = np.finfo(dtype)
    X, y = backend.put(np.ones((3, 1), dtype=dtype)), backend.put(np.full(3, 1.25, dtype=dtype))
    layers = [backend.put(np.array([[1.25]], dtype=dtype)), backend.put(np.ones(1, dtype=dtype))]
    smallest = int(info.minexp) - int(info.nmant)
    _, held = in_range(layers, 0, 0, int(info.minexp) + 2, X, y)
    assert held
    found, held = in_range(layers, 0, 0, smallest, X, y)  # 1.25 subnormal units are 1
    assert not held
    assert backend.get(found[0]).tolist() == [[float(info.smallest_subnormal)]]
    found, held = in_range(layers, 0, 0, int(info.maxexp), X, y)
    assert not held
    assert backend.get(found[0]).tolist() == [[0.0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_psnr_of_errors_whose_squares_leave_the_range(backend, dtype):
    info = np.finfo(dtype)
    tiny, huge = float(info.tiny), float(info.max)

    def psnr(prediction, target):
        return recovery.psnr(*(backend.put(np.array(v, dtype=dtype)) for v in (prediction, target)))

    # one error of `tiny` beside a target of 1, over two entries: 20 log10(1 / tiny) + 10 log10(2)
    expected = -20 * math.log10(tiny) + 10 * math.log10(2)
    assert psnr([1.0, tiny], [1.0, 0.0]) == pytest.approx(expected, rel=1e-6)
    assert psnr([1.0, 0.0], [1.0, 0.0]) == math.inf
    # the difference alone is out of range: an error of twice the peak in one entry of two
    assert psnr([-huge, huge], [huge, huge]) == pytest.approx(-10 * math.log10(2), rel=1e-5)
    assert psnr([huge, 0.0], [float(info.smallest_subnormal), 0.0]) == -math.inf
    assert psnr([3 * tiny, 0.0], [2 * tiny, 0.0]) == pytest.approx(20 * math.log10(2) + 10 * math.log10(2))


def test_ordinary_psnr_keeps_its_bits():
    rng = np.random.default_rng(0)
    target = rng.standard_normal(1000)
    prediction = target + 1e-8 * rng.standard_normal(1000)
    peak = np.abs(target).max()
    error = (prediction - target) / peak
    assert recovery.psnr(prediction, target) == -10 * math.log10((error * error).mean())


def gated_problem():
    rng = np.random.default_rng(0)
    X, H = rng.standard_normal((12, 3)), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    return X, H, X @ H >= 0


@pytest.mark.parametrize(("a", "b"), [(500, 500), (1000, 0), (-1000, -1000), (0, 1000)])
@pytest.mark.parametrize("program", ["group_program", "cone_program"])
def test_convex_programs_have_no_unit(program, a, b):
    pytest.importorskip("clarabel")
    X, H, gates = gated_problem()
    y = np.maximum(X @ H[:, 0], 0) - 0.5 * np.maximum(X @ H[:, 1], 0)
    solve = getattr(recovery.networks, program)
    plain, found = solve(X, gates, y), solve(np.ldexp(X, a), gates, np.ldexp(y, b))
    assert (found.status, found.steps) == (plain.status, plain.steps)
    np.testing.assert_allclose(np.ldexp(found.w, a - b), plain.w, rtol=0, atol=1e-9)
    assert math.ldexp(found.objective, a - b) == pytest.approx(plain.objective)


@pytest.mark.parametrize("program", ["group_program", "cone_program"])
def test_convex_programs_whose_weights_are_no_floats_are_refused_or_infinite(program):
    """Weights that underflow were zeros that were called solved; those that overflow are infinite, and show."""
    pytest.importorskip("clarabel")
    X, _, gates = gated_problem()
    solve, y = getattr(recovery.networks, program), np.maximum(X[:, 0], 0)
    with pytest.raises(ValueError, match="expected a ratio that float64 can represent"):
        solve(np.ldexp(X, 1000), gates, np.ldexp(y, -1000))
    found = solve(np.ldexp(X, -1000), gates, np.ldexp(y, 1000))
    assert found.objective == math.inf
    assert not np.isfinite(found.w).all()


@pytest.mark.parametrize("a", [-1000, 0, 1000])
@pytest.mark.parametrize("b", [-1000, 0, 1000])
def test_weights_are_unfused_at_every_scale(backend, a, b):
    X, H, gates = gated_problem()
    common = np.concatenate([2 * H[:, 0], -3 * H[:, 1]])
    X, gates = backend.put(np.ldexp(X, a)), backend.put(gates)
    w = backend.put(np.ldexp(common, b))
    found = recovery.unfuse(w, X, gates, "binary")
    assert backend.get(found.hidden).tolist() == H.tolist()
    assert backend.get(found.output).tolist() == [math.ldexp(2, b), math.ldexp(-3, b)]
    found = recovery.unfuse(w, X, gates, "signs")
    assert backend.get(found.output).tolist() == [1, -1]
    found = recovery.unfuse(w, X, gates, "unit")
    np.testing.assert_allclose(backend.get(found.hidden), H / math.sqrt(2), rtol=1e-15)
    np.testing.assert_allclose(
        np.ldexp(backend.get(found.output), -b), [2 * math.sqrt(2), -3 * math.sqrt(2)], rtol=1e-15
    )


def test_subnormal_weights_give_unit_vectors():
    X, H, gates = gated_problem()
    found = recovery.unfuse(np.ldexp(np.concatenate([H[:, 0], -H[:, 1]]), -1073), X, gates, "unit")
    np.testing.assert_allclose(found.hidden, H / math.sqrt(2), rtol=1e-15)


@pytest.mark.parametrize("b", [-1000, 600, 1000])
@pytest.mark.parametrize("given", [False, True])
def test_a_diagnosis_does_not_depend_on_the_unit_of_y(given, b):
    """Squares left the range: data that no vector explains were explained "to 0", or a warning was raised."""
    rng = np.random.default_rng(0)
    A, x, noise = rng.standard_normal((20, 6)), np.array([1.0, 2, 0, 0, 0, 0]), rng.standard_normal(20)
    y = A @ x + noise
    reports = []
    for power in (0, b):
        options = {"x": np.ldexp(x, power)} if given else {"sparsity": 2}
        reports.append(recovery.diagnose(A, np.ldexp(y, power), improve=False, **options))
    plain, found = reports
    assert found.notes == plain.notes
    assert [one.verdict.status for one in found.planted] == [one.verdict.status for one in plain.planted]
