"""Parts of the network fits: least squares on a support, the signature of a target, batches, PSNR, the bank."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.mlp.training import Batches
from recovery.networks.scalar import robust
from recovery.networks.scalar.bank import Bank
from recovery.networks.scalar.robust import fit_support, sign_counts


def gated(n=120, d=5, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return recovery.GatedOperator.from_generators(X, rng.standard_normal((d, p))), rng.standard_normal(n), rng


def test_fit_support_is_lstsq():
    A, y, rng = gated()
    for k in (1, 7, 20):
        idx = np.sort(rng.choice(20, k, replace=False))
        expected = np.linalg.lstsq(A.columns(idx), y, rcond=None)[0]
        np.testing.assert_allclose(fit_support(A, idx, y, np.zeros(k)), expected, atol=1e-11)


def test_fit_support_with_dependent_columns_reaches_the_least_residual():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 4))
    X[:, 3] = X[:, 0] + X[:, 1]  # dependent
    X[:, 2] = 0.0  # blank
    A = recovery.GatedOperator(X, np.ones((80, 2)))  # and every column twice
    y, idx = rng.standard_normal(80), np.arange(8)
    values = fit_support(A, idx, y, np.zeros(8))
    best = y - A.columns(idx) @ np.linalg.lstsq(A.columns(idx), y, rcond=None)[0]
    assert np.linalg.norm(y - A.columns(idx) @ values) <= np.linalg.norm(best) * (1 + 1e-9)
    assert (values[[2, 6]] == 0).all()
    assert np.abs(values).max() < 10  # the jitter keeps dependent columns small


@pytest.mark.parametrize("damping", [1e-6, 1e-3, 1e-1, 10.0])
def test_damping_pulls_towards_the_start_as_the_formula_says(damping):
    A, y, rng = gated()
    idx, start = np.arange(0, 20, 2), rng.standard_normal(10)
    columns = A.columns(idx)
    weights = np.sqrt(damping) * np.linalg.norm(columns, axis=0)
    stacked = np.vstack([columns, np.diag(weights)])
    expected = np.linalg.lstsq(stacked, np.r_[y, weights * start], rcond=None)[0]
    # from 3e-5 on the Gram matrix is in float32: relative errors of about 1e-7 / damping of the move
    np.testing.assert_allclose(fit_support(A, idx, y, start, damping), expected, atol=1e-5 if damping > 3e-5 else 1e-9)
    stay = fit_support(A, idx, columns @ start, start, damping)
    np.testing.assert_allclose(stay, start, atol=1e-12)  # a start that fits is not left


def test_many_columns_go_to_cgls_with_and_without_damping(monkeypatch):
    A, y, rng = gated(300, 6, 5)
    idx = np.arange(25)
    expected = np.linalg.lstsq(A.columns(idx), y, rcond=None)[0]
    monkeypatch.setattr(robust, "DIRECT_COLUMNS", 24)
    monkeypatch.setattr(recovery.GatedOperator, "gram", None)  # the Gram matrix must not be asked for
    for damping in (0.0, 0.1):
        np.testing.assert_allclose(fit_support(A, idx, y, rng.standard_normal(25), damping), expected, atol=1e-9)


def test_fit_support_in_float32():
    A, y, _ = gated()
    single = recovery.GatedOperator(A.columns(np.arange(5)).astype(np.float32), np.ones((120, 1)))
    values = fit_support(single, np.arange(5), y.astype(np.float32), np.zeros(5, dtype=np.float32))
    assert values.dtype == np.float32
    expected = np.linalg.lstsq(A.columns(np.arange(5)), y, rcond=None)[0]
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_signature_of_a_network_is_the_derived_matrix():
    # docs/theory, "Signature of a network"
    d, n = 4, 400_000
    X = planted.gaussian_inputs(n, d, rng=0)
    network = planted.sparse_network(d, 3, 9, signs="mixed", rng=1)
    kinks = network.kink_form()
    y = network(X)
    moment = (X.T * y) @ X / n - y.mean() * np.eye(d)
    derived = (kinks.directions * kinks.strengths) @ kinks.directions.T / np.sqrt(2 * np.pi)
    spread = np.sqrt((y**2).mean() * 8 / n)  # a generous standard error of one entry
    np.testing.assert_allclose(moment, derived, atol=5 * spread)
    assert np.abs(derived).max() > 20 * spread


@pytest.mark.parametrize(("positive", "negative"), [(6, 0), (0, 6), (4, 2), (1, 5)])
def test_sign_counts_of_planted_networks(positive, negative):
    rng = np.random.default_rng(positive)
    hidden = np.zeros((30, 6))
    for j in range(6):
        hidden[5 * j : 5 * j + 5, j] = rng.choice([-1.0, 1.0], 5)
    signs = np.repeat([1.0, -1.0], [positive, negative])
    X = planted.gaussian_inputs(20_000, 30, rng=3)
    y = planted.ReLUNetwork([hidden, signs])(X)
    assert sign_counts(X, y, np.random.default_rng(0)) == (positive, negative)
    mixing = np.eye(30) + 0.1 * rng.standard_normal((30, 30))  # whitening undoes it
    assert sign_counts(3 + X @ mixing, y, np.random.default_rng(0)) == (positive, negative)


def test_sign_counts_where_there_is_nothing_to_see():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 6))
    assert sign_counts(X[:6], X[:6, 0], rng) == (0, 0)
    assert sign_counts(np.ones((50, 3)), rng.standard_normal(50), rng) == (0, 0)
    assert sum(sign_counts(X, X @ np.arange(6.0), rng)) <= 6  # a linear target is projected out


def test_batches_hold_each_row_once_an_epoch():
    X = np.arange(1.0, 24.0)[:, None]
    batches = Batches(X, X[:, 0], 5, np.random.default_rng(0))
    orders = []
    for epoch in range(3):
        rows = []
        for place in range(4):
            base, y = batches.first() if (epoch, place) == (0, 0) else batches.next()
            assert batches.epoch == epoch
            assert y.size == (5 if place < 3 else 8)  # 23 = 5 + 5 + 5 + 8: the short rest is joined
            np.testing.assert_array_equal(base.columns(np.array([0]))[:, 0], y)
            rows.extend(y.tolist())
        assert sorted(rows) == X[:, 0].tolist()
        orders.append(tuple(rows))
    assert len(set(orders)) == 3
    assert not Batches(X, X[:, 0], 23, np.random.default_rng(0)).minibatch


def test_psnr():
    target = np.array([1.0, -2.0, 0.5, 0.0])
    assert recovery.psnr(target + 0.1, target) == pytest.approx(20 * np.log10(2) - 10 * np.log10(0.01))
    assert recovery.psnr(target, target) == np.inf
    assert recovery.psnr(1e300 * target, target) == -np.inf  # what a diverged fit may say
    assert np.isnan(recovery.psnr(target, 0 * target))
    assert recovery.psnr(0 * target, 0 * target) == np.inf
    for factor in (1e-300, 1e200):  # no square leaves the range
        assert recovery.psnr(factor * (target + 0.1), factor * target) == pytest.approx(
            recovery.psnr(target + 0.1, target)
        )
    with pytest.raises(ValueError, match=r"prediction has shape \(2,\); expected \(4,\)"):
        recovery.psnr(target[:2], target)


def bank_of(hidden, signs, X, y):
    base = recovery.GatedOperator.from_generators(X, np.zeros((X.shape[1], 1)))
    return base, Bank(base, y, hidden, signs, np.ascontiguousarray((hidden * signs).T).ravel())


def test_bank_keeps_its_residual_and_support_through_every_change():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 6)), rng.standard_normal(200)
    hidden, signs = rng.standard_normal((6, 5)), np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    hidden[:, 3] = 0.0
    base, bank = bank_of(hidden, signs, X, y)
    network = planted.ReLUNetwork([hidden, signs])
    np.testing.assert_allclose(bank.residual, y - network(X), atol=1e-12)
    bank.support = np.flatnonzero(bank.weights)
    fresh = rng.standard_normal((6, 5))
    bank.move_gates(fresh)
    np.testing.assert_array_equal(bank.generators[:, 3], fresh[:, 3])  # the empty neuron looks elsewhere
    np.testing.assert_array_equal(bank.generators[:, [0, 1, 2, 4]], hidden[:, [0, 1, 2, 4]])
    bank.keep_strongest(3)
    assert bank.size == 3
    assert bank.dropped == 6
    np.testing.assert_array_equal(np.flatnonzero(bank.weights), bank.support)
    kept = planted.ReLUNetwork([bank.hidden, bank.signs])
    np.testing.assert_allclose(bank.residual, y - kept(X), atol=1e-12)
    bank.merge(base, 2, 7)
    merged = planted.ReLUNetwork([bank.hidden, bank.signs])
    assert merged.n_neurons <= 2
    assert merged.sparsity <= 7
    np.testing.assert_allclose(bank.residual, y - merged(X), atol=1e-12)


def test_merging_takes_the_angle_that_fits():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((300, 5))
    truth = rng.standard_normal((5, 2))
    y = planted.ReLUNetwork([truth, np.ones(2)])(X)
    near = np.concatenate([0.5 * truth, 0.5 * truth * (1 + 1e-6 * rng.standard_normal((5, 2)))], axis=1)
    base, bank = bank_of(near, np.ones(4), X, y)
    bank.merge(base, 2, 10)
    assert bank.size == 2
    assert np.linalg.norm(bank.residual) < 1e-4 * np.linalg.norm(y)
