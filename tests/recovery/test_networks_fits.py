"""The robust method: planted networks exactly, any array type, any scale, an honest history."""

from __future__ import annotations

import numpy as np
import pytest
import standin

import planted
import recovery
from recovery import Status
from recovery.networks.fitting import SYNCS_PER_CUT, SYNCS_PER_STEP

SIZE = {"n_neurons": 4, "sparsity": 16}


def problem(seed, signs="mixed", n=2000, d=20, m=4, s=16):
    X = planted.gaussian_inputs(n, d, rng=1000 + seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed)
    return X, truth(X), truth


def exact(network, truth):
    return planted.match_networks(network, truth, atol=1e-10).exact


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("signs", ["mixed", "positive"])
def test_planted_networks_are_found_exactly(seed, signs):
    X, y, truth = problem(seed, signs)
    fit = recovery.fit_network(X, y, **SIZE, max_iter=300, rng=seed, method="robust")
    assert exact(fit.network, truth), (fit.psnr_db, fit.message)
    assert fit.status is Status.CONVERGED
    assert fit.network.n_neurons <= 4
    assert fit.network.sparsity <= 16
    assert fit.psnr_db == recovery.psnr(fit.network(X), y)


def test_mixed_signs_are_what_the_released_method_cannot_do():
    X, y, truth = problem(0)
    fit = recovery.fit_network(X, y, **SIZE, method="paper", rng=0)
    assert not exact(fit.network, truth)
    assert fit.psnr_db < 40
    X, y, truth = problem(0, "positive")
    assert recovery.fit_network(X, y, **SIZE, method="paper", rng=0).psnr_db > 25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "d", "m", "s", "seeds", "least"), [(10_000, 50, 8, 40, 20, 19), (10_000, 100, 20, 100, 10, 8)]
)
def test_rates_on_mixed_signs(n, d, m, s, seeds, least):
    hits = 0
    for seed in range(seeds):
        X, y, truth = problem(seed, "mixed", n, d, m, s)
        fit = recovery.fit_network(X, y, n_neurons=m, sparsity=s, max_iter=2000, rng=seed, method="robust")
        hits += exact(fit.network, truth)
    assert hits >= least


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
def test_scale_equivariance(factor):
    X, y, _ = problem(1)
    options = {**SIZE, "max_iter": 300, "rng": 1}
    plain = recovery.fit_network(X, y, **options, method="robust")
    louder = recovery.fit_network(X, factor * y, **options, method="robust")
    wider = recovery.fit_network(factor * X, y, **options, method="robust")
    top = np.abs(plain.network.hidden).max()
    for fit, unit in ((louder, factor), (wider, 1 / factor)):
        np.testing.assert_array_equal(fit.network.output, plain.network.output)
        np.testing.assert_allclose(fit.network.hidden / unit, plain.network.hidden, atol=1e-11 * top)
        assert fit.status is plain.status
    assert louder.history["objective"][0] == pytest.approx(factor**2 * plain.history["objective"][0], rel=1e-9)


def test_powers_of_two_change_no_bit():
    X, y, _ = problem(1, n=500)
    options = {**SIZE, "max_iter": 12, "rng": 1}
    plain = recovery.fit_network(X, y, **options, method="robust")
    scaled = recovery.fit_network(X * 2.0**-30, y * 2.0**17, **options, method="robust")
    np.testing.assert_array_equal(scaled.network.hidden, plain.network.hidden * 2.0**47)
    assert scaled.history["active"] == plain.history["active"]
    np.testing.assert_array_equal(scaled.history["objective"], np.array(plain.history["objective"]) * 2.0**34)


MODES = {
    "full": {},
    "every third": {"gate_update": 3},
    "fixed gates": {"gate_update": None},
    "batches": {"batch_size": 100},
    "paper": {"method": "paper"},
    "released, batches": {"method": "paper", "batch_size": 100},
    "released, fixed gates": {"method": "paper", "gate_update": None},
    "htp": {"solver": "htp"},
    "niht, fixed gates": {"solver": "niht", "gate_update": None},
}


@pytest.mark.parametrize("mode", MODES)
def test_every_array_type_gives_the_same_fit(backend, mode):
    X, y, _ = problem(2, "positive", 400, 8, 3, 8)
    options = {"n_neurons": 3, "sparsity": 8, "max_iter": 10, "rng": 3, "method": "robust", **MODES[mode]}
    here = recovery.fit_network(X, y, **options)
    there = recovery.fit_network(backend.put(X), backend.put(y), **options)
    np.testing.assert_array_equal(backend.get(there.network.hidden), here.network.hidden)
    np.testing.assert_array_equal(backend.get(there.network.output), here.network.output)
    assert there.history == here.history
    assert there.psnr_db == here.psnr_db


@pytest.mark.parametrize("method", ["robust", "paper"])
@pytest.mark.parametrize(("n", "d", "m", "s"), [(400, 8, 3, 8), (300, 90, 50, 100)])
def test_synchronisations_a_step(method, n, d, m, s):
    X, y, _ = problem(2, "positive", n, d, m, s)
    options = {"n_neurons": m, "sparsity": s, "rng": 3, "method": method, "tol": 0.0, "max_iter": 14}
    seen = []
    fit = recovery.fit_network(
        standin.device(X),
        standin.device(y),
        callback=lambda state: seen.append(sum(standin.syncs.values())),
        **{"method": "robust", **options},
    )
    spent = np.diff(seen)
    searching = np.array(fit.history["nonzeros"])[1:] > s if method == "robust" else np.ones(spent.size, dtype=bool)
    assert searching.sum() > 4
    assert spent.min() >= 2  # the counter does count
    assert spent[searching].max() <= SYNCS_PER_STEP[method], spent
    assert spent.max() <= SYNCS_PER_CUT, spent


def test_history_of_a_fit_that_came_to_rest():
    X, y, truth = problem(3)
    fit = recovery.fit_network(X, y, **SIZE, max_iter=300, rng=3, method="robust")
    history = {key: np.array(column) for key, column in fit.history.items()}
    assert set(history) == {
        "psnr_db", "objective", "support_change", "gate_change", "active", "nonzeros", "neurons", "start",
    }  # fmt: skip
    np.testing.assert_array_equal(history["active"], history["support_change"] + history["gate_change"])
    assert exact(fit.network, truth)
    assert history["active"][0] > 0
    assert history["nonzeros"][0] > 16 >= history["nonzeros"][-1]  # the search is larger than the answer
    assert (history["neurons"] <= 8).all()
    assert history["neurons"][-1] <= 4
    assert history["psnr_db"][-1] == pytest.approx(fit.psnr_db, abs=6)  # both at the floor of rounding
    peak = 20 * np.log10(np.abs(y).max())
    np.testing.assert_allclose(history["psnr_db"], peak - 10 * np.log10(2 * history["objective"] / y.size), atol=1e-6)


def test_active_is_zero_while_gates_and_support_rest_and_counts_what_leaves():
    X, y, _ = problem(4)
    options = {**SIZE, "max_iter": 40, "rng": 4, "restarts": 0, "gate_update": 5, "tol": 0.0}
    history = recovery.fit_network(X, y, **options, method="robust").history
    gates, sizes = np.array(history["gate_change"]), np.array(history["nonzeros"])
    steps = np.arange(1, gates.size + 1)
    assert (gates[steps % 5 != 0] == 0).all()  # gates move every fifth step only
    assert gates[steps % 5 == 0].max() > 0
    shrinks = np.flatnonzero(np.diff(sizes) < 0) + 1
    assert shrinks.size
    assert (np.array(history["active"])[shrinks] >= -np.diff(sizes)[shrinks - 1]).all()


def test_fixed_gates_stay_fixed_and_the_fit_is_scored_as_a_network():
    # gates that never move: what is returned is the network of the fitted weights, not the gated model
    X, y, _ = problem(5, n=300)
    for solver in (None, "htp"):
        fit = recovery.fit_network(X, y, **SIZE, max_iter=5, gate_update=None, solver=solver, rng=0, method="robust")
        assert not any(fit.history["gate_change"])
        assert fit.psnr_db == recovery.psnr(fit.network(X), y)


def test_minibatches_reach_a_good_fit():
    X, y, _ = problem(6)
    fit = recovery.fit_network(X, y, **SIZE, max_iter=60, batch_size=500, rng=6, method="robust")
    assert fit.n_iter == 60
    assert fit.psnr_db > 60
    whole = recovery.fit_network(X, y, **SIZE, max_iter=20, batch_size=5000, rng=6, method="robust")
    same = recovery.fit_network(X, y, **SIZE, max_iter=20, rng=6, method="robust")
    assert whole.history == same.history  # a batch of all rows is no batch
