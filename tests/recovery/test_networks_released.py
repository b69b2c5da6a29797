"""The paper's method against a slow version of it: dense columns, loops, the line search written out."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery


def dense_columns(X, gates):
    return np.concatenate([gates[:, [j]] * X for j in range(gates.shape[1])], axis=1)


def slow_inner_steps(columns, y, values, mu):
    """Ten gradient steps with Armijo's rule: halve mu until F falls by 0.9 mu |g|^2; give up after ten halvings."""
    start = values
    for _ in range(10):
        residual = y - columns @ values
        descent = columns.T @ residual
        square, halvings = residual @ residual, 0
        while True:
            rest = y - columns @ (values + mu * descent)
            if rest @ rest <= square - 0.9 * mu * (descent @ descent):
                break
            mu, halvings = mu / 2, halvings + 1
            if halvings > 10:
                return start
        values = values + mu * descent
    return values


def slow_released(X, y, H, s, steps, gate_update):
    """Yield the weights (m, d) and the gates (n, m) of the next step, after each step; end before a tied selection.

    Neurons with equal gates have equal gradients: which of two such entries is selected, rounding decides.
    """
    d, m = H.shape
    gates, weights, support = X @ H > 0, np.zeros(m * d), None
    for step in range(1, steps + 1):
        A = dense_columns(X, gates)
        gradient = A.T @ (y - A @ weights)
        if support is None:
            mu = 1e-14
        else:
            inside = gradient[support]
            mu = (inside @ inside) / (np.sum((A[:, support] @ inside) ** 2) + 1e-8)
        trial = weights + mu * gradient
        ordered = np.sort(np.abs(trial))[::-1]
        if s < len(ordered) and ordered[s - 1] - ordered[s] <= 1e-9 * ordered[s - 1]:
            return
        support = np.sort(np.argsort(-np.abs(trial), kind="stable")[:s])
        weights = np.zeros(m * d)
        weights[support] = slow_inner_steps(A[:, support], y, trial[support], mu)
        if gate_update is not None and step >= 2 and step % gate_update == 0:
            gates = X @ weights.reshape(m, d).T > 0
        yield weights.reshape(m, d), gates


def alive(rows):
    return rows[(rows != 0).any(axis=1)]


@pytest.mark.parametrize("gate_update", [1, 2, 3, None])
@pytest.mark.parametrize(("m", "s"), [(3, 10), (6, 8)])
def test_it_is_the_slow_version_step_by_step(gate_update, m, s):
    X = planted.gaussian_inputs(250, 7, rng=1)
    y = planted.sparse_network(7, m, s, signs="positive", rng=2)(X)
    H = np.random.default_rng(5).standard_normal((m, 7)).T
    step = 0
    for step, (rows, _) in enumerate(slow_released(X, y, H, s, 8, gate_update), start=1):
        found = recovery.fit_network(
            X, y, n_neurons=m, sparsity=s, method="paper", gate_update=gate_update, max_iter=step, rng=5
        )
        np.testing.assert_allclose(found.network.hidden.T, alive(rows), rtol=1e-7, atol=1e-9, err_msg=f"step {step}")
        expected = np.maximum(X @ rows.T, 0).sum(axis=1)
        assert found.history["objective"][-1] == pytest.approx(0.5 * np.sum((y - expected) ** 2), rel=1e-7)
    assert step >= 3


def test_the_history_counts_what_moved():
    X = planted.gaussian_inputs(250, 7, rng=1)
    y = planted.sparse_network(7, 3, 10, signs="positive", rng=2)(X)
    H = np.random.default_rng(5).standard_normal((3, 7)).T
    steps = list(slow_released(X, y, H, 10, 60, 1))
    history = recovery.fit_network(X, y, n_neurons=3, sparsity=10, method="paper", max_iter=60, rng=5).history
    before_support, before_gates = set(), X @ H > 0
    for step, (rows, gates) in enumerate(steps):
        support = set(np.flatnonzero(rows))
        flips = int((gates != before_gates)[:, (rows != 0).any(axis=1)].sum())
        assert history["support_change"][step] == len(support - before_support)
        assert history["gate_change"][step] == flips
        assert history["active"][step] == len(support - before_support) + flips
        assert history["nonzeros"][step] == 10
        assert history["neurons"][step] == (rows != 0).any(axis=1).sum()
        before_support, before_gates = support, gates
    assert history["active"][0] > 0
    assert 0.0 in history["active"]


def test_its_faults_are_kept():
    X = planted.gaussian_inputs(400, 6, rng=0)
    # a target that is nowhere positive is out of reach of positive output weights
    found = recovery.fit_network(X, -np.abs(X[:, 0]), n_neurons=4, sparsity=8, method="paper", rng=0)
    assert (found.network.output == 1).all()
    assert found.psnr_db < recovery.psnr(np.zeros(400), -np.abs(X[:, 0])) + 0.5
    # a neuron that lost its weights never comes back
    y = planted.sparse_network(6, 8, 12, rng=1)(X)
    neurons = recovery.fit_network(X, y, n_neurons=8, sparsity=12, method="paper", rng=0).history["neurons"]
    assert (np.diff(neurons[1:]) <= 0).all()
    assert neurons[-1] < 8


def test_it_is_not_scale_equivariant():
    # the paper's step size has 1e-8 in its denominator: on tiny targets the steps vanish
    X = planted.gaussian_inputs(250, 7, rng=1)
    y = planted.sparse_network(7, 3, 10, rng=2)(X)
    options = {"n_neurons": 3, "sparsity": 10, "max_iter": 20, "rng": 0}
    plain, tiny = (recovery.fit_network(X, c * y, method="paper", **options) for c in (1.0, 1e-6))
    assert plain.psnr_db > tiny.psnr_db + 1


def test_minibatches_wait_for_the_second_epoch_before_gates_move():
    X = planted.gaussian_inputs(240, 7, rng=1)
    y = planted.sparse_network(7, 3, 10, rng=2)(X)
    fit = recovery.fit_network(X, y, n_neurons=3, sparsity=10, method="paper", batch_size=60, max_iter=12, rng=0)
    changes = np.array(fit.history["gate_change"])
    assert (changes[:4] == 0).all()  # four batches an epoch
    assert changes[4] > 0
