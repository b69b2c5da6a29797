"""``fit_network`` with ``method="exact"`` and ``"auto"``: answers, units, and when the robust method is asked."""

import numpy as np
import pytest

import planted
import recovery
from recovery.certificates import network_distance
from recovery.networks import ExactMethod
from recovery.solvers.base import Status

SIZE = {"n_neurons": 3, "sparsity": 9}


def problem(seed=0, n=2000, d=10, m=3, s=9, signs="mixed"):
    X = planted.gaussian_inputs(n, d, rng=seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed + 1)
    return X, truth(X), truth


@pytest.mark.parametrize("method", ["exact", "auto", None])
@pytest.mark.parametrize("signs", ["mixed", "positive"])
def test_planted_networks_are_exact(method, signs):
    X, y, truth = problem(signs=signs)
    fit = recovery.fit_network(X, y, **SIZE, rng=0, **({} if method is None else {"method": method}))
    assert fit.status is Status.EXACT
    assert fit.success
    assert planted.match_networks(fit.network, truth, atol=1e-12).exact
    assert planted.match_networks(fit.kink_form, truth, atol=1e-12).exact
    assert fit.network.n_neurons <= 3
    assert fit.network.sparsity <= 9
    assert fit.psnr_db == recovery.psnr(fit.network(X), y)
    assert {len(column) for column in fit.history.values()} == {fit.n_iter}


def test_data_of_float32_give_a_network_of_float32_and_a_form_of_float64():
    X, _, truth = problem()
    fit = recovery.fit_network(X.astype("f4"), truth(X.astype("f4")).astype("f4"), **SIZE, rng=0)
    assert fit.status is Status.EXACT
    assert {layer.dtype for layer in fit.network.layers} == {np.dtype("f4")}
    assert fit.kink_form.strengths.dtype == np.float64
    assert planted.match_networks(fit.kink_form, truth, atol=1e-6).exact


@pytest.mark.parametrize(("wide", "loud"), [(40, -30), (-200, 300)])
def test_powers_of_two_change_no_bit(wide, loud):
    X, y, _ = problem()
    seen: list[list[float]] = [[], []]
    plain, other = (
        recovery.fit_network(
            np.ldexp(X, a),
            np.ldexp(y, b),
            **SIZE,
            method="exact",
            rng=0,
            callback=lambda s, k=k: seen[k].append(s.objective),
        )
        for k, (a, b) in enumerate([(0, 0), (wide, loud)])
    )
    np.testing.assert_array_equal(np.ldexp(plain.network.hidden, loud - wide), other.network.hidden)
    np.testing.assert_array_equal(np.ldexp(plain.kink_form.strengths, loud - wide), other.kink_form.strengths)
    np.testing.assert_array_equal(np.ldexp(plain.kink_form.linear, loud - wide), other.kink_form.linear)
    np.testing.assert_array_equal(np.ldexp(plain.history["objective"], 2 * loud), other.history["objective"])
    np.testing.assert_array_equal(np.ldexp(seen[0], 2 * loud), seen[1])


def test_weights_that_the_dtype_cannot_hold_are_named():
    X, _, truth = problem()
    X = X.astype("f4")
    X, y = np.ldexp(X, -80), np.ldexp(truth(X.astype("f8")), 30).astype("f4")
    fit = recovery.fit_network(X, y, **SIZE, method="exact", rng=0, restarts=0)
    assert fit.status is Status.EXACT
    np.testing.assert_allclose(fit.network(X), y, rtol=1e-4, atol=1e-4 * float(np.abs(y).max()))
    with pytest.raises(ValueError, match="y"):
        recovery.fit_network(np.ldexp(X, -40), np.ldexp(y, 60), **SIZE, method="exact", rng=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": "cross_entropy"}, "loss='cross_entropy'"),
        ({"n_neurons": (3, 3)}, r"n_neurons=\[3, 3\]"),
        ({"batch_size": 100}, "batch_size=100"),
        ({"gate_update": None}, "gate_update=None"),
    ],
)
def test_what_exact_recovery_does_not_do_is_refused_and_left_to_the_robust_method(change, words):
    X, y, _ = problem(n=300)
    if "loss" in change:
        y = (y > 0).astype(int)
    options = {**SIZE, "max_iter": 3, "rng": 0, **change}
    with pytest.raises(ValueError, match=f"{words}.*was given with method='exact'.*expected"):
        recovery.fit_network(X, y, method="exact", **options)
    auto, robust = (recovery.fit_network(X, y, method=method, **options) for method in ("auto", "robust"))
    assert auto == robust


def test_where_the_exact_fit_does_not_end_well_the_better_one_is_returned():
    X, y, _ = problem(n=400)
    options = {"n_neurons": 2, "sparsity": 5, "max_iter": 20, "rng": 0}
    exact, robust, auto = (recovery.fit_network(X, y, method=name, **options) for name in ("exact", "robust", "auto"))
    assert exact.status is not Status.EXACT
    assert auto.psnr_db >= max(robust.psnr_db, exact.psnr_db) - 0.5
    assert "robust method" in auto.message
    for fit in (exact, auto):
        assert fit.network.n_neurons <= 2
        assert fit.network.sparsity <= 5


def inputs(kind, n=1200, d=8):
    X = planted.gaussian_inputs(n, d, rng=5)
    if kind == "correlated":  # AR(1) with correlation 1/2
        for i in range(1, d):
            X[:, i] = 0.5 * X[:, i - 1] + 0.75**0.5 * X[:, i]
    if kind == "another unit":
        X[:, 0] *= 1e9
    if kind == "coherent":
        X = X[:, :1] + 0.05 * X
    if kind == "constant":
        X[:, 3] = 1.0
    return X[:40] if kind == "few" else X


@pytest.mark.parametrize(
    ("kind", "exact"),
    [
        ("plain", True),
        ("correlated", True),
        ("another unit", True),
        ("coherent", False),
        ("constant", False),
        ("few", False),
    ],
)
def test_inputs_that_auto_takes_for_exact_recovery(kind, exact):
    X = inputs(kind)
    y = planted.sparse_network(8, 2, 5, signs="mixed", rng=1)(X)
    options = {"n_neurons": 2, "sparsity": 5, "rng": 0}
    auto = recovery.fit_network(X, y, **options)
    assert auto == recovery.fit_network(X, y, method="exact" if exact else "robust", **options)
    assert (auto.status is Status.EXACT) == exact


@pytest.mark.parametrize("method", ["exact", "auto"])
def test_a_callback_and_a_time_limit_stop_it(method):
    X, y, _ = problem()
    fit = recovery.fit_network(X, y, **SIZE, method=method, rng=0, callback=lambda state: True)
    assert fit.status is Status.STOPPED
    fit = recovery.fit_network(X, y, **SIZE, method=method, rng=0, time_limit=0.0)
    assert fit.status is Status.TIME_LIMIT


def test_own_options_of_the_method():
    X, y, truth = problem()
    fit = recovery.fit_network(X, y, **SIZE, method=ExactMethod(search_steps=3000), rng=0)
    assert planted.match_networks(fit.network, truth, atol=1e-12).exact
    with pytest.raises(ValueError, match="search_steps=0"):
        ExactMethod(search_steps=0)


@pytest.mark.parametrize("method", ["exact", "auto"])
@pytest.mark.parametrize("given", [{}, {"n_neurons": 3}, {"sparsity": 9}])
def test_sizes_that_are_left_open_are_found(method, given):
    X, y, truth = problem()
    fit = recovery.fit_network(X, y, **{"n_neurons": "auto", "sparsity": "auto", **given}, method=method, rng=0)
    assert fit.status is Status.EXACT
    assert (fit.network.n_neurons, fit.network.sparsity) == (3, 9)
    assert planted.match_networks(fit.network, truth, atol=1e-12).exact


@pytest.mark.parametrize("change", [{"method": "robust"}, {"method": "paper"}, {"y": np.ones((2000, 2))}])
def test_sizes_cannot_be_left_open_elsewhere(change):
    X, y, _ = problem()
    options = {"X": X, "y": y, "n_neurons": 3, "sparsity": "auto", **change}
    with pytest.raises(ValueError, match=r"sparsity='auto' was given with .*expected an integer"):
        recovery.fit_network(**options)


def test_a_certificate_is_of_the_callers_own_data(tmp_path):
    X, y, truth = problem(n=400)
    fit = recovery.fit_network(np.ldexp(X, 20), y, **SIZE, certify=True, rng=0)
    assert fit.certificate.check().valid
    other = planted.ReLUNetwork([np.ldexp(truth.hidden, -20), truth.output]).kink_form()
    away = network_distance(fit.certificate, other)
    assert away.inside
    assert away.same_gates
    assert away.distance <= fit.certificate.error_bound
    fit = recovery.fit_network(X, np.tanh(y), **SIZE, certify=True, rng=0, max_iter=3)
    assert fit.certificate is None
    assert "no certificate: " in fit.message
    with pytest.raises(TypeError, match="certify=1 is of type int; expected a bool"):
        recovery.fit_network(X, y, **SIZE, certify=1)


@pytest.mark.parametrize("signs", ["mixed", "positive"])
def test_several_outputs_are_exact(signs):
    X = planted.gaussian_inputs(3000, 10, rng=0)
    rng = np.random.default_rng(1)
    hidden = planted.sparse_network(10, 4, 12, signs=signs, rng=1).hidden
    truth = planted.ReLUNetwork([hidden, rng.standard_normal((4, 3))])
    fit = recovery.fit_network(X, 8 * truth(X), n_neurons=4, sparsity=24, rng=0)
    assert fit.status is Status.EXACT
    loud = planted.ReLUNetwork([hidden, 8 * truth.output])
    assert planted.match_networks(fit.network, loud, atol=1e-11).exact
