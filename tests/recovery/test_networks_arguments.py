"""``fit_network`` at its limits: refused arguments, small and degenerate data, stop rules, the size of the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
import recovery
from recovery import Status
from recovery.networks import FitMethod, FitSettings

METHODS = ("robust", "paper")
MODES = ({}, {"gate_update": 3}, {"gate_update": None}, {"batch_size": 17}, {"batch_size": 17, "gate_update": None})


def problem(n=200, d=5, m=2, s=6, seed=0, signs="mixed"):
    X = planted.gaussian_inputs(n, d, rng=seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed + 1)
    return X, truth(X), truth


def fit(X, y, m=2, s=6, **options):
    options = {"max_iter": 12, "rng": 0, **options}
    found = recovery.fit_network(X, y, n_neurons=m, sparsity=s, **{"method": "robust", **options})
    assert found.network.n_neurons <= m
    assert found.network.sparsity <= s
    assert found.n_iter <= options["max_iter"]
    assert set(np.abs(found.network.output)) <= {1.0}
    assert {len(column) for column in found.history.values()} == {found.n_iter}
    return found


def zero_db(y):
    return recovery.psnr(np.zeros_like(y), y)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": None}, TypeError, "X=None is not an array"),
        ({"X": np.zeros(3)}, ValueError, r"X has shape \(3,\); expected 2"),
        ({"X": np.zeros((0, 3))}, ValueError, "X is empty"),
        ({"X": np.full((200, 5), np.nan)}, ValueError, "X has 1000 element.* NaN or infinite"),
        ({"X": np.zeros((200, 5), dtype=complex)}, TypeError, "X has dtype complex128; expected real"),
        ({"X": np.zeros((7, 5))}, ValueError, "X has 7 rows and y has 200; expected equally many"),
        ({"y": np.zeros((200, 1, 1))}, ValueError, r"y has shape \(200, 1, 1\); expected 1 or 2"),
        ({"y": np.r_[np.inf, np.zeros(199)]}, ValueError, "y has 1 element.* inf at index"),
        ({"n_neurons": 0}, ValueError, "n_neurons=0.*1"),
        ({"n_neurons": 2.0}, TypeError, "n_neurons=2.0 is of type float; expected an integer"),
        ({"sparsity": -1}, ValueError, "sparsity=-1.*0"),
        ({"sparsity": 11}, ValueError, "sparsity=11.*10"),
        ({"method": "released"}, ValueError, "method='released'.*'robust'.*'paper'"),
        ({"solver": "lasso"}, ValueError, "solver='lasso'.*htp"),
        ({"solver": "htp", "method": "paper"}, ValueError, "solver='htp'.*method='paper'.*expected"),
        ({"solver": "htp", "batch_size": 10}, ValueError, "solver='htp'.*batch_size=10.*expected"),
        ({"solver": "l1"}, ValueError, "solver='l1'.*expected"),
        ({"max_iter": 0}, ValueError, "max_iter=0.*1"),
        ({"max_iter": True}, TypeError, "max_iter=True.*expected an integer"),
        ({"gate_update": 0}, ValueError, "gate_update=0.*1"),
        ({"batch_size": 0}, ValueError, "batch_size=0.*1"),
        ({"restarts": -1}, ValueError, "restarts=-1.*0"),
        ({"time_limit": -1.0}, ValueError, "time_limit=-1.*0"),
        ({"time_limit": np.nan}, ValueError, "time_limit=nan"),
        ({"tol": -1e-3}, ValueError, "tol=-0.001.*0"),
        ({"tol": "small"}, TypeError, "tol='small'.*expected"),
        ({"rng": "seed"}, TypeError, "rng='seed'.*expected"),
        ({"rng": -1}, ValueError, "rng=-1.*expected"),
        ({"callback": 3}, TypeError, "callback=3 cannot be called; expected a function"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(change, error, words):
    X, y, _ = problem()
    options = {"X": X, "y": y, "n_neurons": 2, "sparsity": 6, **change}
    with pytest.raises(error, match=words):
        recovery.fit_network(options.pop("X"), options.pop("y"), **{"method": "robust", **options})


def test_a_ratio_of_scales_that_no_weight_can_hold_is_refused():
    X, y, _ = problem()
    with pytest.raises(ValueError, match="expected a ratio that float64 can represent"):
        fit(X * 1e-200, y * 1e200)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_find(method):
    X, y, _ = problem()
    for found, status in (
        (fit(X, y, s=0, method=method), Status.ZERO_SPARSITY),
        (fit(X, 0 * y, method=method), Status.ZERO_DATA),
    ):
        assert found.status is status
        assert found.n_iter == found.network.n_neurons == 0
        assert not found.network(X).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_iter", [1, 2, 3])
def test_a_few_steps(method, n_iter):
    X, y, _ = problem()
    found = fit(X, y, max_iter=n_iter, method=method)
    assert found.n_iter == n_iter
    assert found.status is Status.STEP_LIMIT


def degenerate():
    X, y, _ = problem()
    column = np.arange(5) == 2
    return {
        "fewer rows than weights": (X[:4], y[:4], 2, 9),
        "fewer rows than inputs": (X[:3], y[:3], 2, 4),
        "one row": (X[:1], y[:1], 2, 4),
        "one input": (X[:, :1], y, 3, 2),
        "one positive input": (np.abs(X[:, :1]), np.abs(y), 3, 3),
        "one neuron": (X, y, 1, 3),
        "all weights": (X, y, 2, 10),
        "a constant input": (np.where(column, 1.0, X), y, 2, 6),
        "a blank input": (np.where(column, 0.0, X), y, 2, 6),
        "a blank input, all weights": (np.where(column, 0.0, X), y, 2, 10),
        "inputs twice": (np.where(column, X[:, :1], X), y, 2, 6),
        "blank inputs": (0 * X, y, 2, 6),
        "constant inputs": (0 * X + 1, y, 2, 6),
        "a constant target": (X, 0 * y + 1, 2, 6),
        "a negative target": (X, -np.abs(y), 2, 6),
        "one input of another scale": (np.where(column, 1e25 * X, X), y, 2, 6),
    }


@pytest.mark.parametrize("name", degenerate())
@pytest.mark.parametrize("method", METHODS)
def test_degenerate_data_give_a_fit_of_the_right_size(name, method):
    X, y, m, s = degenerate()[name]
    for rng in range(6 if X.shape[1] == 1 else 2):
        found = fit(X, y, m, s, method=method, rng=rng)
        if method == "robust":
            assert found.psnr_db >= zero_db(y) - 1e-9


def test_a_released_fit_whose_neurons_are_all_dead_says_so():
    X, y, _ = problem()
    found = fit(0 * X, y, method="paper", max_iter=30)
    assert found.status is Status.STALLED
    assert found.network.n_neurons == 0


@pytest.mark.parametrize("exponent", [-300, -150, -20, 20, 150, 300])
@pytest.mark.parametrize("method", METHODS)
def test_tiny_and_huge_numbers(exponent, method):
    X, y, truth = problem()
    for found in (
        fit(X * 10.0**exponent, y, max_iter=30, method=method),
        fit(X, y * 10.0**exponent, max_iter=30, method=method),
    ):
        assert np.isfinite(found.network.hidden).all()
        if method == "robust":
            assert found.status is Status.CONVERGED
    if method == "paper" and exponent > 100:
        assert fit(X * 10.0**exponent, y, method=method).status is Status.DIVERGED
    if method == "robust":
        unscaled = planted.ReLUNetwork([found.network.hidden / 10.0**exponent, found.network.output])
        assert planted.match_networks(unscaled, truth, atol=1e-10).exact


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_iter", [2, 5, 15])
def test_a_robust_fit_is_never_worse_than_the_zero_network(mode, n_iter):
    rng = np.random.default_rng(n_iter)
    X, noise = rng.standard_normal((150, 10)), rng.standard_normal(150)
    for s in (5, 60):
        assert fit(X, noise, 10, s, max_iter=n_iter, **mode).psnr_db >= zero_db(noise) - 1e-9
    X, y, _ = problem(300, 15, 15, 30)
    assert fit(X, y, 15, 30, max_iter=n_iter, **mode).psnr_db >= zero_db(y) - 1e-9


@settings(max_examples=40)
@given(data=st.data())
def test_the_answer_is_never_larger_than_asked_for(data):
    draw = data.draw
    n, d, m = draw(st.integers(1, 40)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) if draw(st.booleans()) else rng.integers(-1, 2, (n, d)).astype(float)
    y = rng.standard_normal(n)
    options = dict(draw(st.sampled_from(MODES)), max_iter=draw(st.integers(1, 9)), rng=seed)
    options["method"] = draw(st.sampled_from(METHODS))
    if options["method"] == "robust" and "batch_size" not in options:
        options["solver"] = draw(st.sampled_from([None, "htp", "niht", "omp"]))
    fit(X, y, m, draw(st.integers(0, m * d)), **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", MODES)
def test_arguments_are_left_alone_and_a_seed_gives_the_same_bits(method, mode):
    X, y, _ = problem()
    X.flags.writeable = y.flags.writeable = False
    first, again, other = (fit(X, y, method=method, max_iter=4, rng=rng, **mode) for rng in (3, 3, 4))
    assert first.network.hidden.tobytes() == again.network.hidden.tobytes()
    assert first.history == again.history
    assert first.network.hidden.tobytes() != other.network.hidden.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_float32_in_and_out(method):
    X, y, truth = problem(signs="positive")
    single = fit(X.astype(np.float32), y.astype(np.float32), method=method)
    assert single.network.dtype == np.float32
    assert fit(X.astype(np.float32), y, method=method).network.dtype == np.float64
    assert fit((10 * X).astype(int), (10 * y).astype(int), method=method).network.dtype == np.float64
    if method == "robust":
        assert single.status is Status.CONVERGED
        assert single.psnr_db > 110
        wide = single.network.to("cpu", np.float64).kink_form(1e-5, 1e-5)
        np.testing.assert_allclose(np.sort(wide.strengths), np.sort(truth.kink_form().strengths), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_time_limit_and_callback_stop_a_fit(method):
    X, y, _ = problem(s=7)
    found = fit(X, y, method=method, s=3, time_limit=0)
    assert found.status is Status.TIME_LIMIT
    assert found.n_iter <= 2  # a robust fit makes one more step, to cut back
    states = []

    def stop(state):
        states.append(state)
        return state.n_iter == 3

    found = fit(X, y, method=method, s=3, callback=stop)
    assert found.status is Status.STOPPED
    assert [state.n_iter for state in states] == [1, 2, 3]  # not called again
    assert found.n_iter <= 4
    assert [state.psnr_db for state in states] == found.history["psnr_db"][:3]
    assert states[-1].nonzeros == found.history["nonzeros"][2]
    assert fit(X, y, method=method, s=3, callback=lambda state: 1).status is not Status.STOPPED


def test_restarts_are_counted_and_can_be_forbidden():
    X, y, _ = problem(300, 8, 4, 20, seed=5)
    once = fit(X, y, 2, 5, max_iter=400, restarts=0)
    more = fit(X, y, 2, 5, max_iter=400, restarts=2)
    assert once.status is Status.STALLED
    assert set(once.history["start"]) == {0.0}
    assert set(more.history["start"]) == {0.0, 1.0, 2.0}
    assert "start 3 of at most 3" in more.message
    assert more.psnr_db >= once.psnr_db


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("outputs", "depth"), [(1, 1), (3, 1), (1, 2), (3, 2)])
def test_the_network_counts_what_the_argument_counted(backend, method, outputs, depth):
    X = planted.gaussian_inputs(300, 6, rng=0)
    y = planted.sparse_network(6, 4, 15, n_outputs=outputs, depth=depth, rng=1)(X)
    found = recovery.fit_network(
        backend.put(X), backend.put(y), n_neurons=[4] * depth, sparsity=18, method=method, max_iter=12, rng=0
    )
    layers = [backend.get(layer) for layer in found.network.layers]
    counted = layers if outputs > 1 else layers[:-1]
    assert found.network.sparsity == sum(np.count_nonzero(layer) for layer in counted) == len(found.support)
    assert found.network.sparsity <= 18
    places = np.flatnonzero(np.concatenate([layer.ravel() for layer in counted]))
    np.testing.assert_array_equal(backend.get(found.support), places)
    if method == "robust" and outputs > 1:  # the whole budget is used, over all layers
        assert found.network.sparsity == 18


class Guess(FitMethod):
    """Random neurons, of which the one with the best output is kept: a method that no registry knows."""

    def __init__(self, penalty):
        self.penalty = penalty

    def fit(self, data, settings, record, rng):
        drawn = rng.standard_normal((data.X.shape[1], 20))
        features = np.maximum(data.X @ drawn, 0)
        lengths = features.T @ data.y / ((features**2).sum(axis=0) + self.penalty)
        best = np.argmin(((data.y[:, None] - features * lengths) ** 2).sum(axis=0))
        hidden = drawn[:, [best]] * abs(lengths[best])
        network = planted.ReLUNetwork([hidden, np.sign(lengths[[best]])])
        record.add(data.y - network(data.X), data.peak, support_change=5, gate_change=0, nonzeros=5, neurons=1)
        return network, Status.STEP_LIMIT, "a guess"


def test_a_method_of_ones_own_is_taken_as_it_is():
    X, y, _ = problem(m=1, s=5, signs="positive")
    found = recovery.fit_network(X, y, n_neurons=1, sparsity=5, method=Guess(1e-6), max_iter=1, rng=0)
    assert found.message == f"{Status.STEP_LIMIT.value} (max_iter=1); a guess"
    assert found.n_iter == 1
    assert not found.success
    assert found.psnr_db > zero_db(y)
    np.testing.assert_allclose(found.history["objective"], [0.5 * ((y - found.network(X)) ** 2).sum()], rtol=1e-12)
    # units are the caller's again, and are not the method's business
    other = recovery.fit_network(8 * X, 2.0**-20 * y, n_neurons=1, sparsity=5, method=Guess(1e-6), max_iter=1, rng=0)
    np.testing.assert_array_equal(np.ldexp(other.network.hidden, 23), found.network.hidden)
    assert recovery.fit_many(X, y[None], n_neurons=1, sparsity=5, method=Guess(1e-6), max_iter=1, rngs=[0]) == [found]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda net, d: net, TypeError, "Wrong.fit returned ReLUNetwork; expected a tuple"),
        (lambda net, d: (net, "fine", ""), TypeError, "Wrong.fit returned the status 'fine'"),
        (lambda net, d: (planted.sparse_network(d + 1, 2, 3, rng=0), Status.STALLED, ""), ValueError, "expected 5 inp"),
        (lambda net, d: (planted.sparse_network(d, 3, 3, rng=0), Status.STALLED, ""), ValueError, "at most .2,."),
        (lambda net, d: (planted.sparse_network(d, 2, 7, rng=0), Status.STALLED, ""), ValueError, "of 7 non-zero.*6"),
    ],
)
def test_what_no_answer_is_is_refused(answer, error, words):
    class Wrong(FitMethod):
        def fit(self, data, settings, record, rng):
            return answer(planted.sparse_network(5, 2, 6, rng=0), 5)

    X, y, _ = problem()
    with pytest.raises(error, match=words):
        fit(X, y, method=Wrong())
    with pytest.raises(TypeError, match=r"method=Wrong is a class; expected an object, Wrong\(...\)"):
        fit(X, y, method=Wrong)
    with pytest.raises(TypeError, match="method=3 is of type int"):
        fit(X, y, method=3)
    with pytest.raises(ValueError, match=r"solver='htp' was given with method=.*Wrong"):
        fit(X, y, method=Wrong(), solver="htp")


def test_settings_are_checked_once_when_they_are_made():
    made = FitSettings(np.int64(3), np.int64(5))
    assert (made.widths, made.sparsity) == ((3,), 5)
    for change, words in (({"max_iter": 0}, "max_iter=0"), ({"tol": -1.0}, "tol=-1"), ({"loss": "mse"}, "loss='mse'")):
        with pytest.raises(ValueError, match=words):
            FitSettings(3, 5, **change)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("outputs", [None, 3])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_objective_is_the_loss_summed_over_rows_and_outputs(loss, outputs, unit):
    """One definition for both methods and pruning, where the last iterate on record is the answer."""
    X = planted.gaussian_inputs(150, 5, rng=0)
    net = planted.sparse_network(5, 4, 12, n_outputs=3, rng=1)
    if loss == "cross_entropy":
        y = net(X).argmax(axis=1)
        y = y if outputs is None else np.eye(3)[y]
    else:
        y = unit * (net(X)[:, 0] if outputs is None else net(X))

    def total(network):
        found = network(X)
        if loss == "squared":
            return 0.5 * ((found - y) ** 2).sum()
        chosen = y if y.ndim == 1 else y.argmax(axis=1)
        return -(found[np.arange(150), chosen] - np.log(np.exp(found).sum(axis=1))).sum()

    options = {"n_neurons": 4, "loss": loss, "rng": 2}
    pruned = recovery.imp(X, y, sparsity=10**6, max_iter=30, fine_tune=0, **options)
    assert len(pruned.history["objective"]) == 1
    first = recovery.fit_network(X, y, sparsity=20, max_iter=6, method="paper", **options)
    for found in (pruned, first):
        np.testing.assert_allclose(found.history["objective"][-1], total(found.network), rtol=1e-9)
