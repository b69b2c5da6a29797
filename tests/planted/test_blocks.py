"""Blocks that shrink when memory runs out: in general, in a network's output, and in the products of an operator."""

from __future__ import annotations

import sys
import types
import warnings

import numpy as np
import pytest
import standin

import planted
import recovery
from planted.base.blocks import in_smaller_blocks
from tests.oracles.operators import GatedReference


def small_device(monkeypatch, limit):
    """Let the stand-in run out of memory in matrix products with more than `limit` entries; count the failures."""
    original, failures = standin.StandInArray.__matmul__, []

    def product(self, other):
        found = original(self, other)
        if found.size > limit:
            failures.append(found.shape)
            raise MemoryError("out of memory")
        return found

    monkeypatch.setattr(standin.StandInArray, "__matmul__", product)
    return failures


def test_it_halves_until_it_fits_and_says_so_once():
    tried = []

    def work(size):
        tried.append(size)
        if size > 20:
            raise MemoryError("no")
        return "done"

    with pytest.warns(RuntimeWarning) as told:
        assert in_smaller_blocks(work, 100, "the product") == ("done", 12)
    assert tried == [100, 50, 25, 12]
    assert [str(one.message) for one in told] == [
        "the product in blocks of 100 rows did not fit into memory; blocks of 12 are used now"
    ]
    assert in_smaller_blocks(work, 12, "the product") == ("done", 12)


def test_it_gives_up_at_one_and_passes_other_errors_on():
    tried = []

    def work(size):
        tried.append(size)
        raise MemoryError("nothing fits")

    with pytest.raises(MemoryError, match="nothing fits"):
        in_smaller_blocks(work, 5, "it")
    assert tried == [5, 2, 1]

    def broken(size):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_smaller_blocks(broken, 5, "it")


def test_the_device_s_own_error_counts_and_its_pool_is_emptied(monkeypatch):
    class OutOfMemoryError(Exception):
        pass

    freed = []
    pool = types.SimpleNamespace(free_all_blocks=lambda: freed.append(True))
    cupy = types.SimpleNamespace(
        cuda=types.SimpleNamespace(memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)),
        get_default_memory_pool=lambda: pool,
        get_default_pinned_memory_pool=lambda: pool,
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)

    def work(size):
        if size > 3:
            raise OutOfMemoryError
        return size

    with pytest.warns(RuntimeWarning, match="blocks of 8 rows did not fit into memory; blocks of 2 are used now"):
        in_smaller_blocks(work, 8, "it")
    assert len(freed) == 2 * 2  # two pools, two failures


def test_the_output_of_a_network(monkeypatch):
    X = planted.gaussian_inputs(100, 6, rng=0)
    network = planted.sparse_network(6, 5, 12, rng=1)
    expected = network(X)
    device = planted.ReLUNetwork([standin.device(layer) for layer in network.layers])
    failures = small_device(monkeypatch, 5 * 30)
    with pytest.warns(RuntimeWarning, match=r"the output of ReLUNetwork.* blocks of 100 rows .* blocks of 25 are used"):
        found = device(standin.device(X))
    assert len(failures) == 2
    np.testing.assert_allclose(found.get(), expected, rtol=1e-13)


def test_products_of_an_operator_go_on_in_smaller_tiles(monkeypatch):
    rng = np.random.default_rng(0)
    X, H = rng.standard_normal((64, 4)), rng.standard_normal((4, 6))
    plain = GatedReference(X, H, strict=True)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 64, "gpu": 64})
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 6)
    base = recovery.GatedOperator.from_generators(standin.device(X), standin.device(H), strict=True)
    x, r = rng.standard_normal(24), rng.standard_normal(64)
    failures = small_device(monkeypatch, 6 * 20)
    with pytest.warns(
        RuntimeWarning, match=r"matvec of GatedOperator.* blocks of 64 rows .* blocks of 16 are used now"
    ):
        found = base.matvec(standin.device(x))
    np.testing.assert_allclose(found.get(), plain.matvec(x), rtol=1e-12, atol=1e-12)
    assert len(failures) == 2
    assert base.tile_rows == 16
    with warnings.catch_warnings():  # what was learnt is kept, by operators of the same inputs too
        warnings.simplefilter("error")
        other, product = base.follow(standin.device(H))
        assert other.tile_rows == 16
        np.testing.assert_allclose(product.get(), np.maximum(X @ H, 0).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(base.rmatvec(standin.device(r)).get(), plain.rmatvec(r), rtol=1e-12, atol=1e-12)
        again, square = base.normal(standin.device(x))
        np.testing.assert_allclose(again.get(), plain.rmatvec(plain.matvec(x)), rtol=1e-11, atol=1e-11)
        assert float(square) == pytest.approx(plain.matvec(x) @ plain.matvec(x), rel=1e-12)


@pytest.mark.parametrize("name", ["regate", "follow", "follow_gradient", "rmatvec", "normal"])
def test_each_product_starts_again_from_the_start(name, monkeypatch):
    rng = np.random.default_rng(1)
    X, H, y = rng.standard_normal((64, 4)), rng.standard_normal((4, 6)), rng.standard_normal(64)
    monkeypatch.setattr("recovery.operators.gated.TILE_ROWS", {"cpu": 32, "gpu": 32})
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 6)
    base = recovery.GatedOperator.from_generators(standin.device(X), standin.device(H), strict=True)
    call = {
        "regate": lambda: (base.regate(standin.device(H)).gates(),),
        "follow": lambda: base.follow(standin.device(H))[1:],
        "follow_gradient": lambda: base.follow_gradient(standin.device(H), standin.device(y))[1:],
        "rmatvec": lambda: (base.rmatvec(standin.device(y)),),
        "normal": lambda: base.normal(standin.device(H.T.ravel())),
    }[name]
    expected = [one.get() for one in call()]
    original, calls = standin.StandInArray.__matmul__, []

    def product(self, other):
        calls.append(True)
        if len(calls) == (4 if name in ("follow_gradient", "normal") else 2):
            raise MemoryError("in the middle")  # the second tile: half of the work is done
        return original(self, other)

    monkeypatch.setattr(standin.StandInArray, "__matmul__", product)
    with pytest.warns(RuntimeWarning, match="blocks of 32 rows did not fit into memory; blocks of 16 are used now"):
        found = [one.get() for one in call()]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_where_nothing_fits_the_error_comes_through_and_the_tiles_stay(monkeypatch):
    X = np.random.default_rng(2).standard_normal((64, 4))
    base = recovery.GatedOperator.from_generators(standin.device(X), standin.device(X[:6].T))
    rows = base.tile_rows
    small_device(monkeypatch, 0)
    with pytest.raises(MemoryError, match="out of memory"):
        base.rmatvec(standin.device(X[:, 0]))
    assert base.tile_rows == rows
