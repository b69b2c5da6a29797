"""Products with the columns of a support, in tiles: equal to the plain columns, whatever is kept or drawn again."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import recovery
from recovery.operators.gated import GatedSupport
from tests.oracles.operators import GatedReference


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr("recovery.operators.gated.CHUNK_GATES", 3)
    monkeypatch.setattr("recovery.operators.gated.FEWEST_ROWS", 2)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 4, "gpu": 4})


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("dense", [0, 10**6], ids=["entries", "matrix"])
@pytest.mark.parametrize("keep", [0, 10**6], ids=["again", "kept"])
@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_products_equal_the_plain_columns(backend, dense, keep, store, strict, monkeypatch):
    monkeypatch.setattr("recovery.operators.gated.DENSE", dense)
    rng = np.random.default_rng(0)
    X, H = np.round(2 * rng.standard_normal((13, 4))) / 2, np.round(rng.standard_normal((4, 11)))
    assert np.any(X @ H == 0)
    A = recovery.GatedOperator.from_generators(backend.put(X), backend.put(H), strict, store=store)
    idx = rng.permutation(44)[:17]  # in no order
    S = GatedSupport(A, backend.put(idx), keep_bytes=keep)
    plain = GatedReference(X, H, strict).columns(idx)
    for _ in range(2):  # the second time with what was kept
        values, r = rng.standard_normal(17), rng.standard_normal(13)
        np.testing.assert_allclose(backend.get(S.forward(backend.put(values))), plain @ values, atol=1e-13)
        np.testing.assert_allclose(backend.get(S.adjoint(backend.put(r))), plain.T @ r, atol=1e-13)


def test_a_dense_and_a_sparse_support_choose_their_products():
    X = np.random.default_rng(1).standard_normal((20, 100))
    A = recovery.GatedOperator.from_seed(X, 30, 0)
    r = np.random.default_rng(2).standard_normal(20)
    for per_gate, dense in ((2, False), (20, True)):
        idx = np.concatenate([j * 100 + 3 * np.arange(per_gate) for j in range(30)])
        S = GatedSupport(A, idx)
        assert {chunk.dense for chunk in S._chunks} == {dense}
        np.testing.assert_allclose(S.adjoint(r), A.columns(idx).T @ r, atol=1e-12)
        np.testing.assert_allclose(S.forward(r[:1].repeat(idx.size)), A.columns(idx).sum(axis=1) * r[0], atol=1e-12)


def test_kept_gates_are_not_computed_again(monkeypatch):
    X = np.random.default_rng(3).standard_normal((50, 6))
    A = recovery.GatedOperator.from_seed(X, 200, 0)
    drawn = []
    rows = type(A._source).rows
    monkeypatch.setattr(type(A._source), "rows", lambda self, which: drawn.append(len(which)) or rows(self, which))
    idx, r = np.arange(0, 1200, 7), np.ones(50)
    for keep, times in ((10**6, 1), (0, 3)):
        S = GatedSupport(A, idx, keep_bytes=keep)
        drawn.clear()
        for _ in range(3):
            S.adjoint(r)
        assert sum(drawn) == times * np.unique(idx // 6).size


def test_products_hold_neither_the_columns_nor_the_generators():
    n, d = 2000, 20
    A = recovery.GatedOperator.from_seed(np.random.default_rng(4).standard_normal((n, d)), 4000, 0)
    idx = np.arange(0, 4000 * d, 17)
    S = GatedSupport(A, idx, keep_bytes=2**20)
    S.adjoint(S.forward(np.ones(idx.size)))
    tracemalloc.start()
    try:
        S.adjoint(S.forward(np.ones(idx.size)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20 < 8 * n * idx.size  # a few tiles of 4 MiB; the columns are 72 MiB


def test_float32_stays_float32(backend):
    A = recovery.GatedOperator.from_seed(backend.put(np.ones((5, 3), dtype=np.float32)), 4, 0)
    S = GatedSupport(A, backend.put(np.array([1, 5])))
    assert S.forward(backend.put(np.ones(2, dtype=np.float32))).dtype == np.float32
    assert S.adjoint(backend.put(np.ones(5, dtype=np.float32))).dtype == np.float32
