"""Fits with several hidden layers: sizes and budgets, layers one after the other, the joint phase, dead layers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
import recovery
from recovery import Status
from recovery.networks.joint import layerwise

METHODS = ("robust", "paper")


def problem(k=1, m=5, s=30, seed=0, n=400, d=10, depth=2):
    return planted.release_instance(m, s, seed, n=n, d=d, n_outputs=k, depth=depth, labels="float64")


def counted(network):
    layers = network.layers if network.output.ndim == 2 else network.layers[:-1]
    return sum(int(np.count_nonzero(layer)) for layer in layers)


def fit(X, y, widths=(5, 5), s=30, **options):
    found = recovery.fit_network(
        X, y, n_neurons=widths, sparsity=s, **{"method": "robust", "max_iter": 15, "rng": 0, **options}
    )
    assert found.network.depth == len(widths)
    for layer, width in zip(found.network.layers[:-1], widths, strict=True):
        assert layer.shape[1] <= width
    assert counted(found.network) <= s
    assert all(np.isfinite(layer).all() for layer in found.network.layers)
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    if y.ndim == 1 and options.get("loss", "squared") == "squared":
        assert set(np.abs(found.network.output)) <= {1.0}
    return found


def test_released_layers_are_one_hidden_layer_fits_on_the_features_before():
    X, y, _ = problem()
    rng = np.random.default_rng(3)
    first = recovery.fit_network(X, y, n_neurons=5, sparsity=15, method="paper", max_iter=9, rng=rng)
    features = np.maximum(X @ first.network.hidden, 0)
    second = recovery.fit_network(features, y, n_neurons=4, sparsity=15, method="paper", max_iter=9, rng=rng)
    both = fit(X, y, (5, 4), 30, method="paper", max_iter=9, rng=3)
    np.testing.assert_array_equal(both.network.layers[0], first.network.hidden)
    np.testing.assert_array_equal(both.network.layers[1], second.network.hidden)
    assert (both.network.output == 1).all()
    assert both.history["objective"][9:] == second.history["objective"]


def test_released_vector_layers_lose_the_budget_of_the_temporary_outputs():
    X, y, _ = problem(3)
    rng = np.random.default_rng(3)
    first = recovery.fit_network(X, y, n_neurons=5, sparsity=15, method="paper", max_iter=9, rng=rng)
    both = fit(X, y, (5, 4), 30, method="paper", max_iter=9, rng=3)
    np.testing.assert_array_equal(both.network.layers[0], first.network.hidden)
    assert counted(both.network) < 30


@pytest.mark.parametrize("k", [1, 3])
def test_robust_beats_released_on_planted_networks(k):
    gain = []
    for seed in range(3):
        X, y, _ = problem(k, seed=seed)
        found = {method: fit(X, y, method=method, max_iter=60, rng=seed).psnr_db for method in METHODS}
        gain.append(found["robust"] - found["paper"])
    assert np.median(gain) > 4, gain


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("batch_size", [None, 100])
def test_the_joint_phase_is_never_worse_than_the_layers_alone(monkeypatch, k, batch_size):
    X, y, _ = problem(k)
    alone = []
    original = layerwise.polished

    def seen(layers, *args, **options):
        outputs = X_of(args)
        for layer in layers[:-1]:
            outputs = np.maximum(outputs @ layer, 0)
        alone.append(float(((outputs @ layers[-1] - args[0].y) ** 2).sum()))
        return original(layers, *args, **options)

    def X_of(args):
        return args[0].X

    monkeypatch.setattr(layerwise, "polished", seen)
    found = fit(X, y, batch_size=batch_size)
    assert len(alone) == 1
    scale = 4.0 ** np.round(0.5 * np.log(((y) ** 2).sum() / (((found_y(alone, y)) ** 2).sum())) / np.log(2))
    assert ((found.network(X) - y) ** 2).sum() <= alone[0] * scale * (1 + 1e-9)


def found_y(alone, y):
    """The targets as the fit sees them, of root mean square 1."""
    return y / np.sqrt((y**2).mean())


@pytest.mark.parametrize("method", METHODS)
def test_layers_without_neurons_are_reported(method):
    X, y, _ = problem()
    dead = fit(-np.abs(X) * 0, y, method=method)
    assert dead.status is Status.STALLED
    assert "hidden layer 1 of 2 has no neuron" in dead.message
    assert not dead.network(X).any()
    few = fit(X, y, s=1, method=method)
    assert np.isfinite(few.psnr_db)


def test_one_width_is_a_number_and_three_layers_work():
    X, y, _ = problem()
    plain = recovery.fit_network(X, y, n_neurons=4, sparsity=12, max_iter=9, rng=0, method="robust")
    listed = recovery.fit_network(X, y, n_neurons=[4], sparsity=12, max_iter=9, rng=0, method="robust")
    assert listed.network.hidden.tobytes() == plain.network.hidden.tobytes()
    for targets in (y, np.stack([y, -y], axis=1)):
        for method in METHODS:
            fit(X, targets, (5, 4, 3), 40, method=method)


def test_powers_of_two_change_no_bit():
    for k in (1, 3):
        X, y, _ = problem(k)
        plain, scaled = fit(X, y), fit(X * 2.0**-5, y * 2.0**8)
        for a, b in zip(plain.network.layers, scaled.network.layers, strict=True):
            ratio = b[a != 0] / a[a != 0]
            assert set(ratio) <= {ratio[0]}
        np.testing.assert_array_equal(scaled.network(X * 2.0**-5), plain.network(X) * 2.0**8)


@settings(max_examples=20)
@given(data=st.data())
def test_the_answer_is_never_larger_than_asked_for(data):
    draw = data.draw
    n, d, k = draw(st.integers(2, 30)), draw(st.integers(1, 4)), draw(st.integers(0, 2))
    widths = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, k) if k else n)
    sizes = [d, *widths, *([k] if k else [])]
    total = sum(a * b for a, b in itertools.pairwise(sizes))
    options = {"method": draw(st.sampled_from(METHODS)), "batch_size": draw(st.sampled_from([None, 7]))}
    fit(X, y, widths, draw(st.integers(0, total)), max_iter=draw(st.integers(1, 8)), **options)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_array_type_gives_the_same_fit(backend, method, k):
    X, y, _ = problem(k)
    options = {"n_neurons": (5, 4), "sparsity": 30, "method": method, "max_iter": 8, "rng": 3}
    here = recovery.fit_network(X, y, **options)
    there = recovery.fit_network(backend.put(X), backend.put(y), **options)
    for mine, theirs in zip(here.network.layers, there.network.layers, strict=True):
        np.testing.assert_array_equal(backend.get(theirs), mine)
    assert there.history == here.history


@pytest.mark.parametrize("method", METHODS)
def test_limits_of_time_and_callbacks(method):
    X, y, _ = problem(3)
    assert fit(X, y, method=method, time_limit=0.0).status in (Status.TIME_LIMIT, Status.STALLED)
    stopped = fit(X, y, method=method, callback=lambda state: state.n_iter == 18)
    assert stopped.status is Status.STOPPED
    assert stopped.n_iter == 18


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"n_neurons": ()}, ValueError, r"n_neurons=\(\) is empty"),
        ({"n_neurons": (5, 0)}, ValueError, r"n_neurons\[1\]=0.*1"),
        ({"n_neurons": (5, 2.0)}, TypeError, r"n_neurons\[1\]=2.0.*integer"),
        ({"n_neurons": "5"}, TypeError, "n_neurons='5'.*integer"),
        ({"sparsity": 76}, ValueError, "sparsity=76.*75"),
        ({"solver": "htp"}, ValueError, "solver='htp'.*hidden layers"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(change, error, words):
    X, y, _ = problem()
    with pytest.raises(error, match=words):
        recovery.fit_network(X, y, **{"n_neurons": (5, 5), "sparsity": 30, **change}, method="robust")


@pytest.mark.parametrize("widths", [4, (4, 3)])
@pytest.mark.parametrize("n_iter", [1, 2, 3])
def test_a_fit_on_batches_ends_where_its_steps_end_before_it_has_cut_back(n_iter, widths):
    # cutting back needs one step more than were left: the number left must not pass 0 and count down for ever
    def stop(state):
        assert state.n_iter <= 100

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 2)), rng.standard_normal(8)
    recovery.fit_network(
        X, y, n_neurons=widths, sparsity=3, batch_size=7, max_iter=n_iter, rng=0, callback=stop, method="robust"
    )
