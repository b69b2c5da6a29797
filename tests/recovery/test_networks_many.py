"""Fits of many problems at once against the same fits one at a time."""

from __future__ import annotations

import numpy as np
import pytest
import standin

import planted
import recovery
from recovery import fit_many
from recovery.networks import many
from recovery.networks import many as batched
from recovery.solvers.base import Status

M, SIZES = 6, (1, 5, 12, 25, 40)


def problems(shared, n=220, d=8, sizes=SIZES, m=M):
    X = [planted.gaussian_inputs(n, d, rng=0 if shared else seed) for seed in range(len(sizes))]
    Y = [planted.sparse_network(d, m, s, rng=10 + s)(x) for x, s in zip(X, sizes, strict=True)]
    return (X[0] if shared else np.stack(X)), np.stack(Y)


def one_at_a_time(X, Y, sizes, n_iter, gate_update=1, m=M):
    return [
        recovery.fit_network(
            X if X.ndim == 2 else X[b],
            Y[b],
            n_neurons=m,
            sparsity=s,
            method="paper",
            max_iter=n_iter,
            gate_update=gate_update,
            rng=b,
        )
        for b, s in enumerate(sizes)
    ]


def same(fit, alone, get=np.asarray):
    hidden = get(fit.network.hidden)
    np.testing.assert_array_equal(hidden != 0, alone.network.hidden != 0)
    np.testing.assert_allclose(hidden, alone.network.hidden, rtol=1e-7, atol=1e-9)
    assert fit.status is alone.status
    assert fit.n_iter == alone.n_iter
    for key in ("support_change", "gate_change", "neurons", "nonzeros"):
        assert fit.history[key] == alone.history[key], key
    np.testing.assert_allclose(fit.history["objective"], alone.history["objective"], rtol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("gate_update", [1, 3, None])
def test_each_problem_has_the_iterates_it_has_alone(backend, shared, gate_update, monkeypatch):
    monkeypatch.setattr(batched, "TILE_ENTRIES", 5 * M * 50)  # several tiles, the last one shorter
    if gate_update == 1:
        monkeypatch.setattr(batched, "GRAM_COLUMNS", 10)
    X, Y = problems(shared)
    fits = fit_many(
        backend.put(X),
        backend.put(Y),
        n_neurons=M,
        sparsity=SIZES,
        max_iter=7,
        gate_update=gate_update,
        rngs=range(5),
        method="paper",
        together=True,
    )
    for fit, alone in zip(fits, one_at_a_time(X, Y, SIZES, 7, gate_update), strict=True):
        same(fit, alone, backend.get)


def test_groups_of_problems_give_the_same(monkeypatch):
    X, Y = problems(True)
    monkeypatch.setattr(many, "GROUP_BYTES", 220 * (2 * M + 2 * 8 * 12) * 3)
    sizes = []
    original = many.BatchedReleased
    monkeypatch.setattr(many, "BatchedReleased", lambda *args: sizes.append(args[3]) or original(*args))
    fits = fit_many(X, Y, n_neurons=M, sparsity=SIZES, max_iter=5, rngs=range(5), method="paper", together=True)
    assert sizes == [[1, 5, 12], [25], [40]]
    for fit, alone in zip(fits, one_at_a_time(X, Y, SIZES, 5), strict=True):
        same(fit, alone)


@pytest.mark.parametrize("count", [1, 5])
def test_a_step_synchronises_once_however_many_problems(count):
    X, Y = problems(True)
    spent = []
    for n_iter in (4, 5):
        before = sum(standin.syncs.values())
        fit_many(
            standin.device(X),
            standin.device(Y[:count]),
            n_neurons=M,
            sparsity=SIZES[:count],
            max_iter=n_iter,
            rngs=range(count),
            method="paper",
            together=True,
        )
        spent.append(sum(standin.syncs.values()) - before)
    assert spent[1] - spent[0] == 1


def test_problems_that_end_early_do_not_disturb_the_others(backend):
    X, Y = problems(True)
    Y[0] = -np.abs(X[:, 0])  # nowhere positive: all weights are lost in the end, or none is any good
    Y[1] = 0.0
    Y[2] = 1e200 * Y[2]
    sizes = (3, 5, 12, 0, 40)
    fits = fit_many(
        backend.put(X),
        backend.put(Y),
        n_neurons=M,
        sparsity=sizes,
        max_iter=12,
        rngs=range(5),
        method="paper",
        together=True,
    )
    with np.errstate(all="ignore"):
        alone = one_at_a_time(X, Y, sizes, 12)
    assert [fit.status for fit in fits] == [fit.status for fit in alone]
    assert [fit.status for fit in fits[1:4]] == [Status.ZERO_DATA, Status.DIVERGED, Status.ZERO_SPARSITY]
    same(fits[4], alone[4], backend.get)


def test_the_cpu_takes_them_one_by_one_bit_for_bit(monkeypatch):
    X, Y = problems(True, n=400, d=20, sizes=(5, 60, 100), m=20)
    alone = one_at_a_time(X, Y, (5, 60, 100), 15, m=20)
    monkeypatch.setattr(many, "BatchedReleased", None)  # together they would need it
    fits = fit_many(X, Y, n_neurons=20, sparsity=(5, 60, 100), max_iter=15, method="paper", rngs=range(3))
    for fit, other in zip(fits, alone, strict=True):
        np.testing.assert_array_equal(fit.network.hidden, other.network.hidden)


def test_less_memory_takes_fewer_at_once(monkeypatch):
    X, Y = problems(True)
    original, tried = many.BatchedReleased, []

    def narrow(inputs, y, *rest):
        tried.append(int(y.shape[0]))
        if int(y.shape[0]) > 2:
            raise MemoryError("too much")
        return original(inputs, y, *rest)

    monkeypatch.setattr(many, "BatchedReleased", narrow)
    with pytest.warns(RuntimeWarning) as told:
        fits = fit_many(X, Y, n_neurons=M, sparsity=SIZES, max_iter=5, rngs=range(5), method="paper", together=True)
    assert tried == [5, 3, 2, 1, 2]
    assert str(told[0].message) == (
        "5 fits at once did not fit into the memory of the device; 3 are made at once instead"
    )
    assert len(told) == 2
    for fit, alone in zip(fits, one_at_a_time(X, Y, SIZES, 5), strict=True):
        same(fit, alone)
    monkeypatch.setattr(many, "BatchedReleased", lambda *args: (_ for _ in ()).throw(MemoryError("nothing at all")))
    with pytest.raises(MemoryError, match="nothing at all"), pytest.warns(RuntimeWarning):
        fit_many(X, Y, n_neurons=M, sparsity=SIZES, max_iter=5, rngs=range(5), method="paper", together=True)


def test_arguments_are_checked():
    X, Y = problems(True)
    good = {"n_neurons": M, "sparsity": SIZES, "max_iter": 2, "method": "paper"}
    for change, words in (
        ({"sparsity": SIZES[:2]}, "sparsity has 2 entries; expected 5"),
        ({"rngs": [0]}, "rngs has 1 entries; expected 5"),
        ({"sparsity": (1, 2, 3, 4, 49)}, "sparsity=49"),
        ({"method": "other"}, "method='other'"),
        ({"max_iter": 0}, "max_iter=0"),
    ):
        with pytest.raises(ValueError, match=words):
            fit_many(X, Y, **{**good, **change})
    with pytest.raises(ValueError, match=r"X has 220 rows and Y\[0\] has 219"):
        fit_many(X, Y[:, 1:], **good)


@pytest.mark.parametrize("many_of", [recovery.fit_many, recovery.imp_many])
def test_inputs_of_each_problem_a_list_of_targets_and_one_sparsity_for_all(backend, many_of):
    X, Y = problems(False)
    options = {"max_iter": 6, "batch_size": 50, **({"fine_tune": 5} if many_of is recovery.imp_many else {})}
    alone = recovery.fit_network if many_of is recovery.fit_many else recovery.imp
    found = many_of(backend.put(X), [backend.put(y) for y in Y], n_neurons=M, sparsity=9, rngs=range(5), **options)
    stacked = many_of(backend.put(X), backend.put(Y), n_neurons=M, sparsity=[9] * 5, rngs=range(5), **options)
    assert len(found) == 5
    assert found == stacked
    for b, fit in enumerate(found):
        assert fit == alone(backend.put(X[b]), backend.put(Y[b]), n_neurons=M, sparsity=9, rng=b, **options)


def test_both_take_targets_of_several_outputs():
    X, Y = problems(True)
    targets = np.stack([Y[:2].T, Y[2:4].T])
    for many_of, alone, more in (
        (recovery.fit_many, recovery.fit_network, {}),
        (recovery.imp_many, recovery.imp, {"fine_tune": 5}),
    ):
        options = {"n_neurons": M, "max_iter": 6, **more}
        found = many_of(X, targets, sparsity=[9, 12], rngs=[0, 1], **options)
        for b, fit in enumerate(found):
            other = alone(X, targets[b], sparsity=(9, 12)[b], rng=b, **options)
            np.testing.assert_allclose(fit.network(X), other.network(X), rtol=1e-9, atol=1e-9)


def test_the_default_method_is_that_of_fit_network():
    X, Y = problems(True)
    found = fit_many(X, Y[:1], n_neurons=M, sparsity=9, max_iter=6, rngs=[0], method="robust")
    assert found == [recovery.fit_network(X, Y[0], n_neurons=M, sparsity=9, max_iter=6, rng=0, method="robust")]


def test_a_callback_stops_all_problems_also_with_inputs_of_their_own():
    X, Y = problems(False)
    for inputs in (X, X[0]):
        found = recovery.imp_many(
            inputs, Y, n_neurons=M, sparsity=9, max_iter=6, rngs=range(5), callback=lambda state: True
        )
        assert [fit.status for fit in found] == [Status.STOPPED] * 5
        assert all(len(fit.history["objective"]) == 1 for fit in found)
