"""Fits with several outputs: the paper's method against a slow version, the robust one, symmetries, limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import standin
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
import recovery
from recovery import Status
from recovery.mlp import passes
from recovery.mlp.losses import loss_and_gradient, softmax
from recovery.networks.joint.paper import CountSketch, paper_step, sketch_width
from recovery.networks.joint.polishing import Polisher
from recovery.networks.joint.robust import Gradual

METHODS = ("robust", "paper")
KEYS = {"psnr_db", "objective", "support_change", "gate_change", "active", "nonzeros", "neurons", "start"}


def problem(m=4, s=24, seed=0, n=400, d=12, k=3):
    X, y, truth = planted.release_instance(m, s, seed, n=n, d=d, n_outputs=k, labels="float64")
    return X, y, truth


def fit(X, y, m=4, s=24, **options):
    options = {"max_iter": 40, "rng": 0, **options}
    found = recovery.fit_network(X, y, n_neurons=m, sparsity=s, **{"method": "robust", **options})
    assert found.network.n_neurons <= m
    assert sum(int(np.count_nonzero(layer)) for layer in found.network.layers) <= s
    assert found.n_iter <= options["max_iter"]
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    return found


def slow_released(X, y, m, s, loss, steps, rng):
    """The paper's step in loops over neurons; yields (W1, W2) after each step."""
    d, k, n = X.shape[1], y.shape[1], X.shape[0]
    H = rng.standard_normal((m, d))
    U, V = rng.uniform(-1, 1, (m, d)) / np.sqrt(d * m), rng.uniform(-1, 1, (m, k)) / np.sqrt(m * k)
    sketch = CountSketch(d * m + m * k, sketch_width(d * m + m * k, s), rng, np)
    step = paper_step(m, s, loss)
    for made in range(steps):
        gates = [X @ (U[j] if made else H[j]) > 0 for j in range(m)]
        outputs = sum(np.outer(gates[j] * (X @ U[j]), V[j]) for j in range(m))
        residual = (outputs if loss == "squared" else softmax(outputs)) - y
        update = np.zeros(d * m + m * k)
        for j in range(m):
            masked = gates[j][:, None] * X
            update[j * d : (j + 1) * d] = -step * masked.T @ (residual @ V[j]) / n
            update[d * m + j * k : d * m + (j + 1) * k] = -step * (masked @ U[j]) @ residual / n
        sketch.add(update)
        picked = np.argsort(-np.abs(sketch.estimates()), kind="stable")[:s]
        vector = np.zeros_like(update)
        vector[picked] = (np.concatenate([U.ravel(), V.ravel()]) + update)[picked]
        U, V = vector[: m * d].reshape(m, d), vector[m * d :].reshape(m, k)
        yield U, V


@pytest.mark.parametrize(("m", "s", "loss"), [(4, 24, "squared"), (6, 9, "squared"), (4, 24, "cross_entropy")])
def test_released_is_the_slow_version_step_by_step(m, s, loss):
    X, y, _ = problem()
    y = y if loss == "squared" else np.eye(3)[y.argmax(axis=1)]
    for step, (U, V) in enumerate(slow_released(X, y, m, s, loss, 6, np.random.default_rng(5)), start=1):
        found = fit(X, y, m, s, method="paper", loss=loss, max_iter=step, rng=5)
        both = (U != 0).any(axis=1) & (V != 0).any(axis=1)
        np.testing.assert_allclose(found.network.hidden.T, U[both], rtol=1e-9, atol=1e-13, err_msg=f"step {step}")
        np.testing.assert_allclose(found.network.output, V[both], rtol=1e-9, atol=1e-13)
        outputs = np.maximum(X @ U.T, 0) @ V
        value = loss_and_gradient(outputs, y, loss).value * len(X)
        assert found.history["objective"][-1] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("m", "s", "loss", "step"),
    [(5, 14, "squared", 2.0), (5, 15, "squared", 0.005), (20, 29, "squared", 2.0), (20, 29, "cross_entropy", 0.001)],
)
def test_released_steps(m, s, loss, step):
    assert paper_step(m, s, loss) == step


def test_released_gates_wait_for_the_second_epoch_and_a_diverged_fit_is_finite():
    X, y, _ = problem()
    found = fit(X, y, method="paper", batch_size=100, max_iter=8)
    assert set(found.history) == KEYS
    huge = fit(1e3 * X, y, m=4, s=10, method="paper", max_iter=60)
    assert huge.status is Status.DIVERGED
    assert all(np.isfinite(layer).all() for layer in huge.network.layers)


@pytest.mark.parametrize("m", [4, (3, 2)])
def test_released_does_not_answer_with_its_dense_start_if_the_first_step_diverges(m):
    X, y, _ = problem()
    # at 1e100 it depends on the order of sums in BLAS whether the first step overflows; at 1e140 it always does
    found = recovery.fit_network(1e140 * X, y, n_neurons=m, sparsity=6, method="paper", max_iter=5, rng=0)
    assert found.status is Status.DIVERGED
    assert found.network.sparsity == 0


@pytest.mark.parametrize("batch_size", [None, 100])
def test_robust_finds_planted_networks_and_released_does_not(batch_size):
    found = {}
    for method in METHODS:
        runs = (problem(3, 18, seed) for seed in range(3))
        found[method] = [
            fit(X, y, 3, 18, method=method, max_iter=300, batch_size=batch_size, rng=1).psnr_db for X, y, _ in runs
        ]
    assert np.median(found["robust"]) > np.median(found["paper"]) + 20, found
    assert max(found["robust"]) > 110, found


def test_cross_entropy_learns_classes_from_numbers_or_rows():
    rng = np.random.default_rng(0)
    centres = 2 * rng.standard_normal((4, 12))
    labels = rng.integers(4, size=600)
    X = centres[labels] + rng.standard_normal((600, 12))
    found = fit(X[:400], labels[:400], 6, 40, loss="cross_entropy", max_iter=120)
    assert (found.network(X[400:]).argmax(axis=1) == labels[400:]).mean() > 0.9
    rows = (labels[:400, None] == np.arange(4)).astype(float)
    again = fit(X[:400], rows, 6, 40, loss="cross_entropy", max_iter=120)
    assert again.network.hidden.tobytes() == found.network.hidden.tobytes()
    assert found.psnr_db == pytest.approx(recovery.psnr(softmax(found.network(X[:400])), rows))


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [None, 100])
def test_powers_of_two_change_no_bit(loss, batch_size):
    X, y, _ = problem()
    targets = y if loss == "squared" else y.argmax(axis=1)
    plain = fit(X, targets, loss=loss, batch_size=batch_size)
    for a, b in ((0, 9), (-20, 0), (7, -11)):
        scaled = targets * 2.0**b if loss == "squared" else targets
        found = fit(X * 2.0**a, scaled, loss=loss, batch_size=batch_size)
        np.testing.assert_array_equal(found.network.hidden, plain.network.hidden * 2.0**-a)
        factor = 2.0**b if loss == "squared" else 1.0
        np.testing.assert_array_equal(found.network.output, plain.network.output * factor)


@pytest.mark.parametrize(("a", "b"), [(3.0, 0.7), (0.6, 1.0), (1.0, 1.9)])
def test_other_factors_change_rounding_only(a, b):
    X, y, _ = problem()
    plain, found = fit(X, y, max_iter=20), fit(X * a, y * b, max_iter=20)
    np.testing.assert_allclose(found.network.hidden * a, plain.network.hidden, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.network.output, plain.network.output * b, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.history["objective"], np.multiply(plain.history["objective"], b * b), rtol=1e-6)


def test_outputs_in_another_order_give_the_same_network():
    X, y, _ = problem()
    order = [2, 0, 1]
    plain, turned = fit(X, y, max_iter=25), fit(X, y[:, order], max_iter=25)
    np.testing.assert_allclose(turned.network.hidden, plain.network.hidden, atol=1e-8)
    np.testing.assert_allclose(turned.network.output, plain.network.output[:, order], atol=1e-8)


@settings(max_examples=40)
@given(data=st.data())
def test_the_answer_is_never_larger_than_asked_for(data):
    draw = data.draw
    n, d, m, k = (draw(st.integers(1, top)) for top in (40, 5, 4, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X = rng.standard_normal((n, d)) if draw(st.booleans()) else rng.integers(-1, 2, (n, d)).astype(float)
    loss = draw(st.sampled_from(["squared", "cross_entropy"]))
    y = rng.standard_normal((n, k)) if loss == "squared" else rng.integers(0, 3, n)
    k = k if loss == "squared" else max(2, int(y.max()) + 1)
    options = {"method": draw(st.sampled_from(METHODS)), "batch_size": draw(st.sampled_from([None, 7]))}
    s = draw(st.integers(0, m * (d + k)))
    found = fit(X, y, m, s, loss=loss, max_iter=draw(st.integers(1, 25)), **options)
    assert all(np.isfinite(layer).all() for layer in found.network.layers)
    if options["method"] == "robust" and loss == "squared":
        assert found.psnr_db >= recovery.psnr(np.zeros_like(y), y) - 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_find_and_one_output(method):
    X, y, _ = problem()
    assert fit(X, y, s=0, method=method).status is Status.ZERO_SPARSITY
    zero = fit(X, 0 * y, method=method)
    assert zero.status is Status.ZERO_DATA
    assert zero.network(X).shape == y.shape
    assert fit(X, y[:, :1], method=method).network.output.ndim == 2
    blank = fit(0 * X, y, method=method)
    assert not blank.network(X).any()
    everything = fit(X, y, s=4 * 15, method=method)
    assert np.isfinite(everything.psnr_db)


@pytest.mark.parametrize("method", METHODS)
def test_limits_of_time_and_callbacks(method):
    X, y, _ = problem()
    assert fit(X, y, method=method, time_limit=0.0).status is Status.TIME_LIMIT
    states = []
    stopped = fit(X, y, method=method, callback=lambda state: states.append(state) or state.n_iter == 5)
    assert stopped.status is Status.STOPPED
    assert [state.n_iter for state in states] == [1, 2, 3, 4, 5]
    assert states[-1].psnr_db == stopped.history["psnr_db"][-1]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"loss": "hinge"}, ValueError, "loss='hinge'.*'squared'"),
        ({"loss": "cross_entropy"}, ValueError, "y has rows that are not probabilities"),
        ({"sparsity": 61}, ValueError, "sparsity=61.*60"),
        ({"solver": "htp"}, ValueError, "solver='htp'.*several outputs.*expected"),
        ({"X": np.zeros((3, 12))}, ValueError, "X has 3 rows"),
        ({"y": np.full((400, 3), np.nan)}, ValueError, "y has 1200 element"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(change, error, words):
    X, y, _ = problem()
    options = {"X": X, "y": y, "n_neurons": 4, "sparsity": 24, **change}
    with pytest.raises(error, match=words):
        recovery.fit_network(options.pop("X"), options.pop("y"), **options, method="robust")


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [None, 100])
@pytest.mark.parametrize("method", METHODS)
def test_every_array_type_gives_the_same_fit(backend, method, batch_size, loss):
    X, y, _ = problem()
    y = y if loss == "squared" else y.argmax(axis=1)
    options = {"n_neurons": 4, "sparsity": 24, "method": method, "loss": loss, "batch_size": batch_size}
    here = recovery.fit_network(X, y, max_iter=30, rng=3, **options)
    there = recovery.fit_network(backend.put(X), backend.put(y), max_iter=30, rng=3, **options)
    for mine, theirs in zip(here.network.layers, there.network.layers, strict=True):
        np.testing.assert_array_equal(backend.get(theirs), mine)
    assert there.history == here.history


@pytest.mark.parametrize(("method", "most"), [("robust", 12), ("paper", 10)])
def test_synchronisations_a_step(method, most):
    X, y, _ = problem(20, 60, d=30)
    seen = []
    recovery.fit_network(
        standin.device(X), standin.device(y), n_neurons=20, sparsity=60, method=method, max_iter=60, rng=0, tol=0.0,
        callback=lambda state: seen.append(sum(standin.syncs.values())),
    )  # fmt: skip
    spent = np.diff(seen)
    assert spent.min() >= 1
    assert spent.max() <= most, spent
    assert np.median(spent) <= 6, spent


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("m", [4, (3, 2)])
def test_no_bit_depends_on_the_order_of_the_memory(method, m):
    X, y, _ = problem()
    options = {"n_neurons": m, "sparsity": 12, "method": method, "max_iter": 20, "rng": 0}
    wide = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)
    one = recovery.fit_network(X, y, **options)
    for inputs, targets in ((np.asfortranarray(X), np.asfortranarray(y)), (wide[::2, ::2], y[::-1][::-1])):
        assert recovery.fit_network(inputs, targets, **options).history == one.history


def test_float32_stays_float32():
    X, y, _ = problem()
    for method in METHODS:
        assert fit(X.astype("f4"), y.astype("f4"), method=method).network.dtype == np.float32


def layers_and_data(widths=(5, 4, 3, 2), n=30, seed=0):
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal(shape) for shape in itertools.pairwise(widths)]
    return layers, rng.standard_normal((n, widths[0])), rng


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_gradients_and_derivatives_are_those_of_finite_differences(loss):
    layers, X, rng = layers_and_data()
    y = rng.standard_normal((30, 2)) if loss == "squared" else np.eye(2)[rng.integers(2, size=30)]
    shapes = [layer.shape for layer in layers]
    change = [rng.standard_normal(shape) for shape in shapes]
    values = passes.forward(layers, X)
    step = 1e-6

    def at(t):
        return passes.forward([w + t * c for w, c in zip(layers, change, strict=True)], X)[-1]

    slope = passes.derivative(layers, values, change)
    np.testing.assert_allclose(slope, (at(step) - at(-step)) / (2 * step), atol=1e-7)
    found = loss_and_gradient(values[-1], y, loss)
    gradient = passes.join(passes.gradients(layers, values, found.gradient))
    rise = (loss_and_gradient(at(step), y, loss).value - loss_and_gradient(at(-step), y, loss).value) / (2 * step)
    assert gradient @ passes.join(change) == pytest.approx(rise, abs=1e-7)
    bend = passes.curved(slope, values[-1], loss)
    moved = (loss_and_gradient(values[-1] + step * slope, y, loss).gradient - found.gradient) / step
    np.testing.assert_allclose(bend, moved, atol=1e-6)
    assert [part.shape for part in passes.split(gradient, shapes)] == shapes


def test_column_scales_are_sizes_of_jacobian_columns_with_one_hidden_layer():
    layers, X, _ = layers_and_data((5, 4, 3))
    values = passes.forward(layers, X)
    scales = passes.column_scales(layers, values)
    one = np.zeros((4, 3))
    one[2, 1] = 1
    column = passes.derivative(layers, values, [0 * layers[0], one])
    assert scales[1][2, 1] == pytest.approx(np.sqrt((column**2).sum() / 30), rel=1e-12)
    # a neuron's incoming weights times 4 and outgoing ones by 4 leave |w| c as they are
    other = [layers[0] * np.array([1, 4, 1, 1]), layers[1] / np.array([[1], [4], [1], [1]])]
    turned = passes.column_scales(other, passes.forward(other, X))
    for w, c, v, b in zip(layers, scales, other, turned, strict=True):
        np.testing.assert_allclose(np.abs(w) * c, np.abs(v) * b, rtol=1e-12)


def test_polishing_is_quadratic_near_a_fit_and_keeps_the_support():
    X, y, truth = problem(3, 18)
    rng = np.random.default_rng(0)
    near = [layer * (1 + 0.01 * rng.standard_normal(layer.shape)) for layer in truth.layers]
    polisher = Polisher(near, X, y, "squared")
    losses = [polisher.value]
    for _ in range(12):
        polisher.step()
        losses.append(polisher.value)
    assert losses[-1] < 1e-20 * losses[0], losses
    for found, planted_layer in zip(polisher.layers, truth.layers, strict=True):
        np.testing.assert_array_equal(found != 0, planted_layer != 0)


def test_leaving_out_dead_neurons_changes_nothing(monkeypatch):
    X, y, _ = problem(20, 30, d=20)
    plain = fit(X, y, 20, 30, max_iter=60)
    monkeypatch.setattr("recovery.networks.joint.robust.COMPACT_EVERY", 10**6)
    whole = fit(X, y, 20, 30, max_iter=60)
    for mine, theirs in zip(plain.network.layers, whole.network.layers, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-7)
    assert Gradual.__doc__
