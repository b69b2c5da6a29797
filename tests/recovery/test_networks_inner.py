"""The paper's method's inner steps: three ways to form products, and the loop of the released code's shape."""

from __future__ import annotations

import numpy as np
import pytest
import standin

import planted
import recovery
from recovery.networks.scalar import paper
from recovery.operators import gated
from recovery.operators.gated import MovingSupport
from recovery.solvers import gradient
from tests.oracles.operators import GatedReference
from tests.oracles.paper_loop import released_loop


def operator(put=np.asarray, n=120, d=6, m=5, seed=0):
    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, m))
    return recovery.GatedOperator.from_generators(put(X), put(H), strict=True), GatedReference(X, H, strict=True).A


@pytest.fixture(params=["gram", "columns", "gates"])
def way(request, monkeypatch):
    if request.param != "gram":
        monkeypatch.setattr(gated, "GRAM_COLUMNS", 0)
    if request.param == "gates":
        monkeypatch.setattr(gated, "COLUMN_BYTES", 0)
    return request.param


def test_products_of_a_support(backend, way):
    A, dense = operator(backend.put)
    rng = np.random.default_rng(1)
    idx = np.array([3])
    products = MovingSupport(A, backend.put(idx))
    assert (products.rows is None) == (way == "gates")
    # supports that overlap, a larger one, one that does not overlap, the same again
    for idx in ([0, 4, 9], [1, 4, 9], [1, 4, 9, 20], [2, 5, 6, 7], [2, 5, 6, 7]):
        products = products.moved(backend.put(np.array(idx)))
        order = backend.get(products.idx)
        assert sorted(order.tolist()) == idx
        columns = dense[:, order]
        values, r = rng.standard_normal(len(idx)), rng.standard_normal(dense.shape[0])
        image = columns @ values
        np.testing.assert_allclose(backend.get(products.forward(backend.put(values))), image, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(backend.get(products.adjoint(backend.put(r))), columns.T @ r, rtol=1e-12, atol=1e-12)
        assert float(products.curvature(backend.put(values))) == pytest.approx(image @ image, rel=1e-12)
        product, square = products.normal(backend.put(values))
        np.testing.assert_allclose(backend.get(product), columns.T @ image, rtol=1e-11, atol=1e-11)
        assert float(square) == pytest.approx(image @ image, rel=1e-12)
        assert float(products.curvature(backend.put(values))) == pytest.approx(image @ image, rel=1e-12)


def written_out(columns, y, start, mu):
    values = start
    for _ in range(paper.INNER_STEPS):
        rest = y - columns @ values
        descent = columns.T @ rest
        for _ in range(gradient.MAX_HALVINGS + 1):
            new = y - columns @ (values + mu * descent)
            if new @ new <= rest @ rest - gradient.ARMIJO * mu * (descent @ descent):
                values = values + mu * descent
                break
            mu /= 2
        else:
            values = start
    return values


@pytest.mark.parametrize("mu", [1e-4, 0.05, 3.0, 1e3])
def test_the_line_search_is_the_one_written_out(backend, way, mu):
    A, dense = operator(backend.put)
    idx = np.array([1, 4, 9, 20])
    rng = np.random.default_rng(2)
    y, start = rng.standard_normal(dense.shape[0]), rng.standard_normal(4)
    columns = dense[:, idx]
    products = MovingSupport(A, backend.put(idx))
    begin = sum(standin.syncs.values())
    descent, step = backend.put(columns.T @ (y - columns @ start)), A.xp.asarray(mu, dtype=A.dtype)
    found = gradient.descend(products, backend.put(start), descent, step, paper.INNER_STEPS)
    assert sum(standin.syncs.values()) == begin
    # a step of 1e3 is halved more than ten times and goes back to the start, from where the next one goes on
    np.testing.assert_allclose(backend.get(found), written_out(columns, y, start, mu), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("m", "s"), [(1, 1), (1, 6), (4, 3), (12, 30), (12, 60)])
def test_fit_network_is_the_released_loop(m, s):
    X = planted.gaussian_inputs(300, 8, rng=m)
    s = min(s, 8 * m)
    y = planted.sparse_network(8, m, s, signs="positive", rng=s)(X)
    steps = list(released_loop(X, y, n_neurons=m, sparsity=s, n_iter=6, rng=3))
    for count, weights in enumerate(steps, start=1):
        fit = recovery.fit_network(X, y, n_neurons=m, sparsity=s, method="paper", max_iter=count, rng=3)
        alive = weights[(weights != 0).any(axis=1)]
        np.testing.assert_allclose(fit.network.hidden.T, alive, rtol=1e-6, atol=1e-9, err_msg=f"step {count}")
