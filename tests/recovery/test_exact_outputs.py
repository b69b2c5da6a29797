"""``fit_exact`` with several outputs: lines found once, strengths for each output, one joint fit."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import planted
from planted.base import arrays
from recovery import Status
from recovery.networks.exact import ExactFit, fit_exact
from recovery.networks.exact.joint import Shared, System, evaluated, polished
from recovery.networks.exact.model import Inputs, Lines
from recovery.networks.exact.outputs import Outputs, recovered
from recovery.networks.exact.rounds import Fit

M, S = 6, 30


def problem(n=1500, d=10, m=M, s=S, k=3, seed=0, labels="float64"):
    return planted.release_instance(m, s, seed, n=n, d=d, n_outputs=k, labels=labels)


def fit(X, Y, m=M, s=S, **options):
    found = fit_exact(X, Y, n_neurons=m, sparsity=s, **{"search_steps": 1500, "rng": 0, **options})
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    assert found.kink_form.strengths.ndim == 2
    assert found.kink_form.n_outputs == Y.shape[1]
    if found.network is not None:
        assert found.network.output.shape[1] == Y.shape[1]
        assert found.network.n_neurons <= m
        assert found.network.sparsity <= s
    return found


def assert_exact(found, truth, atol=1e-12):
    assert found.status is Status.EXACT
    assert "exact to rounding" in found.message
    assert found.relative_residual < 1e-14
    assert planted.match_networks(found.network, truth, atol=atol).exact
    assert planted.match_networks(found.kink_form, truth, atol=atol).exact


@pytest.mark.parametrize(
    ("backend", "seed"), [*(("numpy", seed) for seed in range(4)), ("standin", 0)], indirect=["backend"]
)
def test_planted_networks_are_exact(backend, seed):
    X, Y, truth = problem(seed=seed)
    found = fit(backend.put(X), backend.put(Y))
    for part in (found.network.hidden, found.network.output, found.kink_form.strengths, found.kink_form.linear):
        assert isinstance(backend.get(part), np.ndarray)
    assert_exact(found, truth)
    # no more than were planted, where a neuron without inputs or outputs is none
    live = (truth.hidden != 0).any(axis=0) & (truth.output != 0).any(axis=1)
    assert found.network.n_neurons <= live.sum()
    assert found.network.sparsity <= np.count_nonzero(truth.hidden[:, live]) + np.count_nonzero(truth.output[live])


@pytest.mark.parametrize(
    ("backend", "seed"), [*(("numpy", seed) for seed in range(3)), ("standin", 0)], indirect=["backend"]
)
def test_labels_in_float32_are_exact_to_their_rounding(backend, seed):
    X, Y, truth = problem(seed=seed, labels="float32")
    found = fit(backend.put(X), backend.put(Y))
    assert found.status is Status.EXACT
    assert 1e-9 < found.relative_residual < 2.0**-24
    assert planted.match_networks(found.network, truth, atol=1e-6).exact
    assert planted.match_networks(found.kink_form, truth, atol=1e-6).exact


@pytest.mark.parametrize("signs", ["positive", "mixed"])
def test_dense_output_layers_are_exact(signs):
    X = planted.gaussian_inputs(1500, 10, rng=5)
    truth = planted.sparse_network(10, 4, 12, n_outputs=3, signs=signs, rng=1)
    assert_exact(fit(X, truth(X), 4, 24), truth)


def test_one_output_as_a_column_has_an_output_layer_that_counts():
    X = planted.gaussian_inputs(1500, 10, rng=100)
    truth = planted.sparse_network(10, 4, 12, signs="mixed", rng=0)
    y = truth(X)
    column = fit(X, y[:, None], 4, 16)
    assert column.network.output.shape == (column.network.n_neurons, 1)
    assert_exact(column, planted.ReLUNetwork([truth.hidden, truth.output[:, None]]))
    vector = fit_exact(X, y, n_neurons=4, sparsity=12, search_steps=1500, rng=0)
    assert vector.network.output.ndim == vector.kink_form.strengths.ndim == 1
    scarce = fit(X, y[:, None], 4, 15)
    assert scarce.network is None
    assert "does not fit into n_neurons=4 and sparsity=15" in scarce.message


def test_the_order_of_outputs_changes_no_bit():
    X, Y, _ = problem(k=4)
    order = np.array([2, 0, 3, 1])
    plain, turned = fit(X, Y), fit(X, np.ascontiguousarray(Y[:, order]))
    np.testing.assert_array_equal(turned.network.hidden, plain.network.hidden)
    np.testing.assert_array_equal(turned.network.output, plain.network.output[:, order])
    assert turned.history == plain.history


@pytest.mark.parametrize("powers", [(0, 40), (60, 0), (-200, 500), (400, -200)])
def test_powers_of_two_change_nothing(powers):
    X, Y, _ = problem()
    a, b = powers
    plain, moved = fit(X, Y), fit(np.ldexp(X, a), np.ldexp(Y, b))
    np.testing.assert_array_equal(np.ldexp(moved.network.hidden, a), plain.network.hidden)
    np.testing.assert_array_equal(np.ldexp(moved.network.output, -b), plain.network.output)
    assert (moved.status, moved.relative_residual) == (plain.status, plain.relative_residual)


def test_every_output_and_input_has_units_of_its_own():
    X, Y, _ = problem()
    inputs, outputs = np.arange(-5, 5) * 7, np.array([300, -20, 0])
    plain, moved = fit(X, Y), fit(np.ldexp(X, inputs), np.ldexp(Y, outputs))
    np.testing.assert_array_equal(np.ldexp(moved.network.hidden, inputs[:, None]), plain.network.hidden)
    np.testing.assert_array_equal(np.ldexp(moved.network.output, -outputs), plain.network.output)
    assert moved.success


def test_equal_opposite_and_zero_outputs():
    X, Y, truth = problem()
    wide = np.stack([Y[:, 0], 0 * Y[:, 0], Y[:, 1], Y[:, 0], -Y[:, 2], Y[:, 2]], axis=1)
    V = truth.output
    whole = planted.ReLUNetwork(
        [truth.hidden, np.stack([V[:, 0], 0 * V[:, 0], V[:, 1], V[:, 0], -V[:, 2], V[:, 2]], axis=1)]
    )
    found = fit(X, wide, M, 60)
    assert_exact(found, whole)
    assert (found.network.output[:, 1] == 0).all()
    np.testing.assert_allclose(found.network.output[:, 3], found.network.output[:, 0], rtol=1e-12)
    np.testing.assert_allclose(found.network.output[:, 4], -found.network.output[:, 5], rtol=1e-12)


def test_a_linear_output_has_two_neurons_on_each_axis():
    X, Y, truth = problem()
    slope = np.zeros(10)
    slope[[1, 7]] = 0.5, -2.0
    axes = np.eye(10)[:, [1, 1, 7, 7]] * [1.0, -1.0, 1.0, -1.0]
    hidden = np.concatenate([truth.hidden, axes], axis=1)
    output = np.zeros((M + 4, 4))
    output[:M, :3], output[M:, 3] = truth.output, [0.5, -0.5, -2.0, 2.0]
    whole = planted.ReLUNetwork([hidden, output])
    found = fit(X, np.concatenate([Y, (X @ slope)[:, None]], axis=1), M + 4, S + 8)
    assert_exact(found, whole)
    assert (found.kink_form.strengths[:, 3] == 0).all() or np.abs(found.kink_form.strengths[:, 3]).max() < 1e-12


def test_two_neurons_on_one_line_that_point_in_opposite_ways():
    X, _, truth = problem()
    hidden = np.concatenate([truth.hidden, -truth.hidden], axis=1)
    output = np.concatenate([truth.output * [1.0, 0.0, 0.0], truth.output * [0.0, 1.0, 1.0]])
    live = output.any(axis=1) & hidden.any(axis=0)
    whole = planted.ReLUNetwork([hidden[:, live], output[live]])
    found = fit(X, whole(X), whole.n_neurons, whole.sparsity)
    assert_exact(found, whole)
    assert (found.network.n_neurons, found.network.sparsity) == (whole.n_neurons, whole.sparsity)


def test_outputs_that_are_all_linear():
    X = planted.gaussian_inputs(800, 6, rng=0)
    B = np.array([[1.0, 0.0], [0.0, 0.0], [-2.0, 3.0], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0]])
    found = fit(X, X @ B, 6, 14)
    assert found.status is Status.EXACT
    np.testing.assert_allclose(found.kink_form.linear, B, rtol=0, atol=1e-13)
    assert found.network.n_neurons == 6
    assert found.network.sparsity == 14  # each input has two neurons


def test_a_form_that_does_not_fit_says_so():
    X, Y, truth = problem()
    found = fit(X, Y, M, S - 4)
    assert found.status is Status.AT_REST
    assert found.relative_residual < 1e-14
    assert found.network is None
    assert f"does not fit into n_neurons={M} and sparsity={S - 4}" in found.message
    assert planted.match_networks(found.kink_form, truth, atol=1e-12).exact


def test_noise_is_not_called_exact():
    X, Y, _ = problem(n=600, d=6, m=3, s=12)
    noisy = Y + 0.1 * np.random.default_rng(0).standard_normal(Y.shape)
    found = fit(X, noisy, 3, 12, restarts=0, max_rounds=6)
    assert not found.success
    assert found.network is None
    assert "noise" in found.message


def test_one_noisy_output_spoils_only_itself():
    X, Y, _ = problem()
    noisy = Y.copy()
    noisy[:, 1] += 1e-3 * np.random.default_rng(0).standard_normal(len(Y))
    found = fit(X, noisy, restarts=0, max_rounds=8)
    assert not found.success
    assert "1 of 3 output(s)" in found.message
    left = np.sqrt(((found.kink_form(X) - noisy) ** 2).mean(axis=0))
    assert left[[0, 2]].max() < 1e-9
    assert left[1] < 2e-3


def test_more_parameters_than_samples_are_not_determined():
    X, Y, _ = problem(n=20)
    found = fit(X, Y, restarts=0, max_rounds=5)
    assert not found.success


def test_time_limit_and_callback_end_the_fit():
    X, Y, _ = problem()
    found = fit(X, Y, time_limit=0)
    assert found.status is Status.TIME_LIMIT
    seen = []

    def stop(state):
        seen.append(state)
        return True

    found = fit(X, Y, callback=stop)
    assert found.status is Status.STOPPED
    assert len(seen) == 1


@pytest.mark.parametrize("power", [0, 200])
def test_the_record_is_in_the_units_of_all_outputs(power):
    X, Y, _ = problem()
    found = fit(X, np.ldexp(Y, power))
    whole = float((Y**2).sum()) * 2.0 ** (2 * power)
    assert found.history["objective"][0] < 0.01 * whole
    assert found.history["objective"][-1] == pytest.approx(0.5 * whole * found.relative_residual**2, rel=20, abs=0)


def test_nothing_to_find():
    X, Y, _ = problem(n=50)
    zero = fit(X, 0 * Y)
    assert zero.status is Status.ZERO_DATA
    assert zero.network.output.shape == (0, 3)
    assert fit(X, Y, s=0).status is Status.ZERO_SPARSITY


def test_sparsity_may_count_all_weights_of_both_layers():
    X, Y, _ = problem(n=50)
    with pytest.raises(ValueError, match="sparsity"):
        fit_exact(X, Y, n_neurons=2, sparsity=2 * (10 + 3) + 1)
    with pytest.raises(ValueError, match="y"):
        fit_exact(X, Y[:, :, None], n_neurons=2, sparsity=2)


def test_answers_are_values():
    X, Y, _ = problem()
    before = X.copy(), Y.copy()
    found = fit(X, Y)
    assert fit(np.asfortranarray(X), np.asfortranarray(Y)) == found
    assert copy.deepcopy(found) == pickle.loads(pickle.dumps(found)) == found
    assert isinstance(found, ExactFit)
    assert "neurons" in repr(found)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


def test_inputs_that_are_equal_are_fitted_and_not_called_determined():
    X, _, truth = problem()
    X = X.copy()
    X[:, 9] = X[:, 8]
    found = fit(X, truth(X))
    assert found.relative_residual < 1e-12
    assert found.status is Status.AT_REST


@pytest.mark.parametrize("what", ["uniform", "input without sign", "constant"])
def test_other_inputs(what):
    X, _, truth = problem()
    X = X.copy()
    hidden = truth.hidden.copy()
    if what == "uniform":
        X = np.random.default_rng(0).uniform(-1, 1, X.shape)
    else:
        X[:, 9] = np.abs(X[:, 9]) if what == "input without sign" else 1.0
        hidden[9] = 0.0
    truth = planted.ReLUNetwork([hidden, truth.output])
    found = fit(X, truth(X))
    assert found.success
    np.testing.assert_allclose(found.network(X), truth(X), rtol=0, atol=1e-12 * np.abs(truth(X)).max())


@pytest.mark.slow
@pytest.mark.parametrize("labels", ["float64", "float32"])
@pytest.mark.parametrize(("m", "s"), [(20, 100), (50, 200)])
def test_networks_like_those_of_figure_2_are_exact(m, s, labels):
    X, Y, truth = problem(5000, 50, m, s, 10, seed=7, labels=labels)
    found = fit(X, Y, m, s, search_steps=4000)
    assert found.success
    assert planted.match_networks(found.network, truth, atol=1e-9 if labels == "float64" else 1e-6).exact


# the parts


def data_of(X, Y, backend=None):
    put = np.asarray if backend is None else backend.put
    inputs = Inputs.of(put(X), np.float64)
    return Outputs.of(inputs, inputs.xp.ascontiguousarray(put(Y).T), np.zeros(Y.shape[1]))


def network_of(truth):
    live = (truth.hidden != 0).any(axis=0)
    weights, output = truth.hidden[:, live].T, truth.output[live]
    return Shared(weights, output, output != 0, np.zeros((weights.shape[1], output.shape[1])), False)


def test_joint_steps_find_the_weights_again(backend):
    X, Y, truth = problem(seed=1)
    data, model = data_of(X, Y, backend), network_of(truth)
    np.testing.assert_allclose(backend.get(evaluated(data.inputs, model)).T, Y, atol=1e-13)
    rng = np.random.default_rng(0)
    near = Shared(
        model.weights * (1 + 1e-3 * rng.standard_normal(model.weights.shape)),
        model.strengths * (1 + 1e-3 * rng.standard_normal(model.strengths.shape)),
        model.kept,
        model.linear,
        False,
    )
    found, R, _ = polished(data.inputs, data.Y, near, System.of(data.inputs, near, data.noise), 8)
    assert float(np.abs(backend.get(R)).max()) < 1e-13 * np.abs(Y).max()
    again = planted.ReLUNetwork([found.weights.T.copy(), found.strengths])
    assert planted.match_networks(again, truth, atol=1e-12).exact


@pytest.mark.parametrize("bent", [True, False])
def test_variances_are_those_of_the_whole_normal_matrix(bent):
    """Against all columns of all outputs, without elimination."""
    X, _, truth = problem(n=300, d=5, m=4, s=16, k=2, seed=3)
    inputs = Inputs.of(X, np.float64)
    lines = truth.hidden[:, ((truth.hidden != 0).sum(axis=0) > 1) & (truth.output != 0).any(axis=1)].T
    if bent:
        model = Shared.of_lines(inputs, lines, 2)
        model.strengths[:] = np.random.default_rng(0).standard_normal(model.strengths.shape)
    else:
        V = np.random.default_rng(0).standard_normal((len(lines), 2))
        V[0, 1] = 0.0
        model = Shared(lines, V, V != 0, np.zeros((5, 2)), False)
    noise = np.array([0.5, 2.0])
    of_weights, of_strengths, of_linear = System.of(inputs, model, noise).variances(model)
    Z = X @ model.weights.T
    phi, slope = (np.abs(Z), np.sign(Z)) if bent else (np.maximum(Z, 0), (Z > 0).astype(float))
    atom, coordinate = model.moving()
    columns, names = [], []
    for j, i in zip(atom, coordinate, strict=True):
        columns.append(np.concatenate([model.strengths[j, k] * slope[:, j] * X[:, i] / noise[k] for k in range(2)]))
        names.append(of_weights[j, i])
    for k in range(2):
        empty = np.zeros((2, len(X)))
        for j in np.flatnonzero(model.kept[:, k]):
            block = empty.copy()
            block[k] = phi[:, j] / noise[k]
            columns.append(block.ravel())
            names.append(of_strengths[j, k])
        for i in range(5) if bent else ():
            block = empty.copy()
            block[k] = X[:, i] / noise[k]
            columns.append(block.ravel())
            names.append(of_linear[i, k])
    F = np.array(columns)
    np.testing.assert_allclose(names, np.diag(np.linalg.inv(F @ F.T)), rtol=1e-8)


def test_blocks_do_not_change_the_gram_matrix(monkeypatch):
    X, _, truth = problem(n=700)
    inputs, model = Inputs.of(X, np.float64), network_of(truth)
    whole = System.of(inputs, model, np.ones(3)).Q
    monkeypatch.setattr("recovery.networks.exact.model.BLOCK_BYTES", 1)
    np.testing.assert_allclose(System.of(inputs, model, np.ones(3)).Q, whole, rtol=1e-12)


@pytest.mark.parametrize("mixture", ["exact without a line", "not exact", "exact"])
def test_lines_that_a_mixture_misses_come_from_single_outputs(mixture):
    X, Y, truth = problem(seed=2)
    data = data_of(X, Y)
    form = truth.kink_form()
    directions = form.directions[:, [len(support) > 1 for support in form.supports]].T
    strengths = form.strengths[[len(support) > 1 for support in form.supports]]
    asked = []

    def scalar(weights, start, again):
        alone = np.count_nonzero(weights) == 1
        asked.append((np.flatnonzero(weights).tolist(), start is not None))
        amounts = strengths @ weights
        chosen = amounts != 0
        if not alone and mixture == "exact without a line":
            chosen[np.abs(strengths).max(axis=1).argmax()] = False
        exact = alone or mixture != "not exact"
        model = Lines.none(10).with_lines(directions[chosen], amounts[chosen])
        return Fit(model, 0.0 if exact else 1.0, exact)

    joint = recovered(data, scalar, lambda: False, np.random.default_rng(0))
    assert joint.exact
    assert joint.determined
    assert (len(asked) == 1) == (mixture == "exact")
    found = planted.ReLUNetwork([joint.network.weights.T.copy(), joint.network.strengths])
    assert planted.match_networks(found, truth, atol=1e-12).exact


def test_lines_found_twice_become_one():
    X, Y, truth = problem(seed=1)
    data = data_of(X, Y)
    form = truth.kink_form()
    off = [len(support) > 1 for support in form.supports]
    directions, strengths = form.directions[:, off].T, form.strengths[off]

    def scalar(weights, start, again):
        if np.count_nonzero(weights) > 1:
            return Fit(Lines.none(10), 1.0, False)
        turned = directions + 1e-5 * np.flatnonzero(weights)[0] * (directions != 0) * np.arange(10)
        return Fit(Lines.none(10).with_lines(turned, strengths @ weights), 0.0, True)

    joint = recovered(data, scalar, lambda: False, np.random.default_rng(0))
    assert joint.exact
    found = planted.ReLUNetwork([joint.network.weights.T.copy(), joint.network.strengths])
    assert planted.match_networks(found, truth, atol=1e-12).exact
    assert arrays.to_numpy(found.hidden).shape[1] <= M
