"""The robust method where few neurons fit better than many (coherent inputs), and damping of short columns."""

from __future__ import annotations

import numpy as np
import pytest
import standin

import planted
import recovery
from recovery.networks.fitting import SYNCS_PER_CUT
from recovery.networks.scalar.robust import PILOT, PILOT_SHARE, fit_support

STEPS = PILOT * PILOT_SHARE


def image_problem(side=12, features=160, seed=0):
    """Few neurons fit: relu(X u) with 10 weights, over Fourier features of places, more of them than rows."""
    frequencies = planted.release_frequencies(features // 2, (2.0, 2.0), seed)
    X = planted.fourier_features((side, side), frequencies=frequencies)
    rng = np.random.default_rng(seed)
    hidden = np.zeros(X.shape[1])
    hidden[rng.choice(X.shape[1], 10, replace=False)] = rng.standard_normal(10)
    return X, np.maximum(0.0, X @ hidden)


@pytest.mark.parametrize("s", [20, 60])
def test_coherent_inputs_are_fitted_as_well_as_by_the_released_method(s):
    worse = []
    for seed in range(3):
        X, y = image_problem(seed=seed)
        options = {"n_neurons": 20, "sparsity": s, "max_iter": 100, "rng": seed}
        mended = recovery.fit_network(X, y, **options, method="robust")
        released = recovery.fit_network(X, y, method="paper", **options)
        assert mended.n_iter <= 100
        assert mended.network.sparsity <= s
        worse.append(released.psnr_db - mended.psnr_db)
    assert max(worse) < 3, worse


def test_a_narrow_search_takes_over_only_where_it_fits_better():
    X, y = image_problem()
    narrow = recovery.fit_network(X, y, n_neurons=20, sparsity=60, max_iter=STEPS, rng=0, method="robust")
    short = recovery.fit_network(X, y, n_neurons=20, sparsity=60, max_iter=STEPS - 1, rng=0, method="robust")
    assert max(narrow.history["neurons"][2 * PILOT :]) <= 8
    assert max(short.history["neurons"][2 * PILOT :]) > 20  # trials would cost more than a tenth of the steps
    X = planted.gaussian_inputs(1000, 20, rng=1)
    y = planted.sparse_network(20, 4, 16, signs="mixed", rng=2)(X)
    wide = recovery.fit_network(X, y, n_neurons=4, sparsity=16, max_iter=STEPS, rng=0, method="robust").history
    assert max(wide["neurons"][PILOT : 2 * PILOT]) <= 2 < max(wide["neurons"][:PILOT])
    assert wide["neurons"][2 * PILOT] > 2


def test_trials_of_a_width_on_every_array_type(backend):
    X, y = image_problem(8, 60)
    options = {"n_neurons": 8, "sparsity": 12, "max_iter": STEPS, "rng": 0}
    here = recovery.fit_network(X, y, **options, method="robust")
    there = recovery.fit_network(backend.put(X), backend.put(y), **options, method="robust")
    np.testing.assert_array_equal(backend.get(there.network.hidden), here.network.hidden)
    assert there.history == here.history


def test_synchronisations_of_a_trial():
    X, y = image_problem(8, 60)
    seen = []
    recovery.fit_network(
        standin.device(X),
        standin.device(y),
        n_neurons=8,
        sparsity=12,
        max_iter=STEPS,
        rng=0,
        callback=lambda state: seen.append(sum(standin.syncs.values())),
        method="robust",
    )
    assert max(np.diff(seen)) <= SYNCS_PER_CUT


def test_a_callback_stops_a_trial():
    X, y = image_problem(8, 60)
    for stop in (2, PILOT + 2):
        fit = recovery.fit_network(
            X,
            y,
            n_neurons=8,
            sparsity=12,
            max_iter=STEPS,
            rng=0,
            callback=lambda state, stop=stop: state.n_iter == stop,
            method="robust",
        )
        assert fit.n_iter == stop + 1  # one more, to cut back
        assert fit.network.sparsity <= 12
        assert fit.network.n_neurons <= 8


def test_a_short_column_is_damped_by_the_length_it_is_given():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    X[:, 1] *= rng.random(60) < 0.05  # lit in few rows of this batch
    A = recovery.GatedOperator(X, np.ones((60, 1)))
    start, least = rng.standard_normal(4), np.full(4, 5.0)
    lengths = np.maximum(np.linalg.norm(X, axis=0), least)
    assert (lengths > np.linalg.norm(X, axis=0)).sum() == 1
    stacked = np.vstack([X, np.sqrt(0.1) * np.diag(lengths)])
    expected = np.linalg.lstsq(stacked, np.r_[y, np.sqrt(0.1) * lengths * start], rcond=None)[0]
    found = fit_support(A, np.arange(4), y, start, 0.1, least)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - fit_support(A, np.arange(4), y, start, 0.1)).max() > 0.01
