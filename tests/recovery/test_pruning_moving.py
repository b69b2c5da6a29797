"""Masks that move during training: each rule against plain loops, exact sparsity at all times, ties, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import planted
from recovery.mlp.masks import Masks
from recovery.pruning import Data, Method, Model, Training, prune
from recovery.pruning.dynamics import Changes, Dynamics
from recovery.pruning.moving import (
    SET,
    Gradual,
    RigL,
    Thresholding,
    gradual_magnitude,
    iht,
    rigl,
    sparse_evolution,
)
from recovery.solvers.iht import IHT
from recovery.solvers.solve import solve

TRAINING = Training(n_iter=40, batch_size=30, learning_rate=2e-2)


def problem(n=120, d=6, m=8, k=3, bias=False, loss="squared", seed=0):
    X = planted.gaussian_inputs(n, d, rng=seed)
    y = planted.sparse_network(d, 3, 9, n_outputs=k, rng=seed + 1)(X)
    if loss == "cross_entropy":
        y = np.argmax(y, axis=1)
    return X, y, Model.draw((d, m, 7, k), bias=bias, loss=loss, rng=seed + 2)


class Watched(Changes):
    """Changes that keep a record of what they were given and what they returned."""

    def __init__(self, changes, record):
        self.changes, self.record, self.dense_gradient = changes, record, changes.dense_gradient

    def update(self, step, masks, rng):
        self.changes.places = self.places
        weights = [np.array(np.asarray(layer)) for layer in step.weights]
        gradient = [np.array(np.asarray(layer)) for layer in step.gradient]
        found = self.changes.update(step, masks, rng)
        self.record.append((step.n_iter, masks, weights, gradient, found))
        return found


class Watching(Dynamics):
    def __init__(self, dynamics):
        self.dynamics, self.record = dynamics, []

    def first_count(self, total, sparsity):
        return self.dynamics.first_count(total, sparsity)

    def begin(self, masks, sparsity, rng):
        return Watched(self.dynamics.begin(masks, sparsity, rng), self.record)


def watched(method, model, data, sparsity, rng=0):
    watching = Watching(method.dynamics)
    return prune(model, data, method.replace(dynamics=watching), sparsity=sparsity, rng=rng), watching.record


def largest(values, free, count):
    """Return which `count` of the values at free places are largest: plain, the smaller index first among equals."""
    order = sorted(np.flatnonzero(free.ravel()), key=lambda i: (-abs(values.ravel()[i]), i))
    found = np.zeros(values.size, dtype=bool)
    found[order[:count]] = True
    return found.reshape(values.shape)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_rigl_drops_small_weights_and_grows_large_gradients(bias, loss):
    X, y, model = problem(bias=bias, loss=loss)
    method = rigl(TRAINING, period=5, share=0.4, stop=0.6)
    result, record = watched(method, model, (X, y), 50)
    changed = [n for n, _, _, _, found in record if found is not None]
    # at update 24 the cosine is at its end
    assert changed == [5, 10, 15, 20]
    assert len(record) == 40
    for n, masks, weights, gradient, found in record:
        assert masks.count == 50
        if found is None:
            continue
        share = 0.4 * (1 + math.cos(math.pi * n / 24)) / 2
        for mask, layer, slope, new, values in zip(
            masks.layers, weights, gradient, found[0].layers, found[1], strict=True
        ):
            count = min(math.floor(share * mask.sum()), (~mask).sum())
            stay = largest(layer, mask, mask.sum() - count)
            grown = largest(slope, ~mask, count)
            np.testing.assert_array_equal(new, stay | grown)
            np.testing.assert_array_equal(values, np.where(stay, layer, 0.0))
    assert result.masks.count == 50
    assert "not" not in result.message


def test_set_keeps_the_layers_densities_and_draws_among_places_that_were_empty():
    X, y, model = problem()
    method = sparse_evolution(TRAINING, period=10, share=0.5)
    result, record = watched(method, model, (X, y), 40)
    changed = [n for n, _, _, _, found in record if found is not None]
    assert changed == [10, 20, 30]  # not after the last update
    sizes = [mask.sum() for mask in record[0][1].layers]
    assert sum(sizes) == 40
    moved = set()
    for _, masks, weights, _, found in record:
        if found is None:
            continue
        for mask, layer, new, values in zip(masks.layers, weights, found[0].layers, found[1], strict=True):
            count = min(math.floor(0.5 * mask.sum()), (~mask).sum())
            stay = largest(layer, mask, mask.sum() - count)
            np.testing.assert_array_equal(new & mask, stay)
            assert (new & ~mask).sum() == count
            np.testing.assert_array_equal(values, np.where(stay, layer, 0.0))
            moved |= {(layer.shape, i) for i in np.flatnonzero(new & ~mask)}
    assert [mask.sum() for mask in result.masks.layers] == sizes
    assert len(moved) > 20  # places are drawn anew each time
    assert prune(model, (X, y), method, sparsity=40, rng=0) == prune(model, (X, y), method, sparsity=40, rng=0)
    assert prune(model, (X, y), method, sparsity=40, rng=0) != prune(model, (X, y), method, sparsity=40, rng=1)


def test_the_random_places_are_equally_likely():
    rule = SET(period=1, share=0.5).begin(Masks([np.ones((2, 2))]), 4, np.random.default_rng(0))
    mask = np.array([[1, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    weights = np.where(mask, np.array([[2.0, 0, 0, 1.0], [0, 0, 0, 0]]), 0.0)

    seen = SimpleNamespace(n_iter=1, total=10, vector=np.zeros(1), weights=[weights], gradient=[weights])
    rng, counts = np.random.default_rng(1), np.zeros(8)
    draws = 6000
    for _ in range(draws):
        new, _ = rule.update(seen, Masks([mask]), rng)
        assert new.layers[0][0, 0]
        counts += new.layers[0].ravel()
    grown = np.delete(counts, [0, 3])
    assert counts[3] == 0  # what is dropped is not grown again at once
    # six places: chi-square with 5 degrees of freedom is above 20.5 with probability 1e-3
    assert ((grown - draws / 6) ** 2 / (draws / 6)).sum() < 20.5


def test_iht_is_the_plain_loop_and_the_solver():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20)) / math.sqrt(60)
    truth = np.zeros(20)
    truth[[3, 8, 15]] = [1.0, -2.0, 1.5]
    y = X @ truth
    start, step, s, n = np.zeros(20), 0.4, 3, 60
    w = start
    for t in range(60):
        moved = w - step * n * (X.T @ (X @ w - y) / n)
        kept = largest(moved, np.ones(20, dtype=bool), s)
        w = np.where(kept, moved, 0.0)
        training = Training(n_iter=t + 1, learning_rate=step * n, optimiser="sgd", momentum=0.0)
        if t in (0, 1, 5, 59):
            result = prune(start, (X, y), iht(training), sparsity=s)
            np.testing.assert_array_equal(result.masks.layers[0][:, 0], kept)
            np.testing.assert_allclose(result.model.layers[0], w, rtol=0, atol=1e-13)
            solved = solve(X, y, sparsity=s, solver=IHT(step=step, normalise=False), max_iter=t + 1, tol=0)
            np.testing.assert_allclose(result.model.layers[0], solved.x, rtol=0, atol=1e-13)
    np.testing.assert_allclose(w, truth, atol=1e-5)


def test_iht_keeps_s_weights_of_a_network_at_every_step():
    X, y, model = problem(bias=True)
    training = Training(n_iter=15, batch_size=40, learning_rate=0.3, optimiser="sgd", momentum=0.0)
    result, record = watched(iht(training), model, (X, y), 33)
    for _, masks, weights, _, found in record:
        assert masks.count == found[0].count == 33
        flat = np.concatenate([layer.ravel() for layer in weights])
        np.testing.assert_array_equal(found[0].flat, largest(flat, np.ones(flat.size, dtype=bool), 33))
    assert any((a[1].flat != b[1].flat).any() for a, b in pairwise(record))
    assert result.model.sparsity == 33


def test_iht_between_selections_moves_all_and_ends_with_one():
    X, y, model = problem()
    training = Training(n_iter=7, learning_rate=0.02, optimiser="sgd", momentum=0.0)
    method = iht(training).replace(dynamics=Thresholding(period=3))
    result, record = watched(method, model, (X, y), 20)
    assert [n for n, _, _, _, found in record if found is not None] == [3, 6, 7]
    assert any((layer != 0)[~mask].any() for layer, mask in zip(record[1][2], record[1][1].layers, strict=True))
    assert result.model.sparsity == result.masks.count == 20


def test_iht_per_layer():
    X, y, model = problem()
    training = Training(n_iter=5, learning_rate=0.02, optimiser="sgd", momentum=0.0)
    result = prune(model, (X, y), iht(training, scope="layer"), sparsity=0.5)
    # 48, 56, 21 weights; half of 125 is rounded to 62
    assert [int(mask.sum()) for mask in result.masks.layers] == [24, 28, 10]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_gradual_pruning_follows_the_cubic_curve(scope):
    X, y, model = problem()
    total, s = model.n_weights, 30
    method = gradual_magnitude(TRAINING, period=7, start=0.1, end=0.8, scope=scope)
    result, record = watched(method, model, (X, y), s)
    expected = total
    for n, masks, weights, _, found in record:
        assert masks.count == expected
        share = n / 40
        if (n % 7 == 0 and share > 0.1 and expected > s) or (share >= 0.8 and expected > s):
            u = min(1.0, (share - 0.1) / (0.8 - 0.1))
            expected = round(s + (total - s) * (1 - u) ** 3)
            assert found[0].count == expected
            if scope == "global":
                flat = np.concatenate([layer.ravel() for layer in weights])
                np.testing.assert_array_equal(found[0].flat, largest(flat, masks.flat, expected))
            assert not (found[0].flat & ~masks.flat).any()
        else:
            assert found is None
    assert result.masks.count == expected == s == result.model.sparsity
    assert "not 30" not in result.message


def test_a_curve_that_ends_between_periods_ends_all_the_same():
    X, y, model = problem()
    method = gradual_magnitude(replace(TRAINING, n_iter=10), period=100, end=0.55)
    result, record = watched(method, model, (X, y), 30)
    assert [n for n, _, _, _, found in record if found is not None] == [6]
    assert result.masks.count == 30


@pytest.mark.parametrize(
    "make", [sparse_evolution, rigl, iht, gradual_magnitude], ids=["set", "rigl", "iht", "gradual"]
)
def test_layers_that_are_not_pruned_are_left_alone(make):
    X, y, model = problem(bias=True)
    method = make(replace(TRAINING, optimiser="sgd", momentum=0.0)).replace(layers="hidden")
    if hasattr(method.dynamics, "period") and make is not iht:
        method = method.replace(dynamics=replace(method.dynamics, period=5))
    result = prune(model, (X, y), method, sparsity=40, rng=3)
    assert [bool(mask.all()) for mask in result.masks.layers] == [False, False, True]
    assert sum(int(mask.sum()) for mask in result.masks.layers[:2]) == 40


@pytest.mark.parametrize(
    "make", [sparse_evolution, rigl, iht, gradual_magnitude], ids=["set", "rigl", "iht", "gradual"]
)
def test_backends_agree_and_weights_outside_are_zero(backend, make):
    X, y, model = problem(bias=True, loss="cross_entropy")
    put = Model([backend.put(w) for w in model.layers], [backend.put(b) for b in model.biases], "cross_entropy")
    method = make(replace(TRAINING, n_iter=12)).replace()
    if make is not iht:
        method = method.replace(dynamics=replace(method.dynamics, period=3))
    result = prune(put, (backend.put(X), backend.put(y)), method, sparsity=35, rng=5)
    plain = prune(model, (X, y), method, sparsity=35, rng=5)
    for mask, other, layer in zip(result.masks.layers, plain.masks.layers, result.model.layers, strict=True):
        np.testing.assert_array_equal(backend.get(mask), other)
        assert not backend.get(layer)[~other].any()
    assert result.masks.count == 35


def test_of_equal_weights_and_gradients_the_smaller_index_stays_and_grows():
    seen = SimpleNamespace(
        n_iter=1,
        total=10,
        vector=np.zeros(1),
        weights=[np.array([[1.0, 0.0, -1.0, 0.0, 1.0, 0.0]])],
        gradient=[np.array([[9.0, 2.0, 9.0, -2.0, 9.0, 2.0]])],
    )
    masks = Masks([np.array([[1, 0, 1, 0, 1, 0]], dtype=bool)])
    new, weights = RigL(period=1, share=1 / 1.5, stop=1.0).begin(masks, 3, None).update(seen, masks, None)
    # floor(3 * .65) = 1 goes: the last one; the first of the empty places grows
    assert new.layers[0].astype(int).tolist() == [[1, 1, 1, 0, 0, 0]]
    assert weights[0].tolist() == [[1.0, 0.0, -1.0, 0.0, 0.0, 0.0]]
    new, _ = Thresholding().begin(masks, 2, None).update(seen, masks, None)
    assert new.layers[0].astype(int).tolist() == [[1, 0, 1, 0, 0, 0]]


def test_adam_forgets_what_was_dropped():
    """A weight that is dropped and grown again later starts as one that was never there."""
    X, y, model = problem()

    class Swap(Dynamics):
        def __init__(self, at):
            self.at = at

        def begin(self, masks, sparsity, rng):
            outer = self

            class Now(Changes):
                def update(self, step, masks, rng):
                    if step.n_iter in outer.at:
                        layers = list(masks.layers)
                        layers[0] = ~layers[0]
                        new = Masks(layers)
                        return new, new.apply(step.weights)
                    return None

            return Now()

    half = [np.zeros((6, 3))]
    half[0][:3] = 1
    training = Training(n_iter=2, learning_rate=0.1)
    method = Method("swap", lambda view: half, source="start", training=training, dynamics=Swap((1,)))
    result = prune(Model([model.layers[0][:, :3]]), (X, y), method, sparsity=9)
    grown = result.model.layers[0][3:]
    # Adam's second step on fresh means: m = .1 g, v = .001 g^2, corrected for two steps
    expected = 0.1 * (0.1 / 0.19) / math.sqrt(0.001 / 0.001999)
    np.testing.assert_allclose(np.abs(grown), expected, rtol=1e-5)
    assert not result.model.layers[0][:3].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SET(period=0), "period=0"),
        (lambda: SET(share=1.5), "share=1.5"),
        (lambda: SET(stop=0.0), "stop=0"),
        (lambda: RigL(share=-0.1), "share=-0.1"),
        (lambda: Thresholding(scope="rows"), "scope='rows'"),
        (lambda: Thresholding(ratio="half"), "ratio='half'"),
        (lambda: Gradual(start=0.8, end=0.5), "start=0.8 and end=0.5"),
        (lambda: Gradual(period=-1), "period=-1"),
    ],
)
def test_bad_input_is_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_data_are_needed():
    with pytest.raises(ValueError, match="trains"):
        prune(Model.draw((4, 2), rng=0), None, rigl(), sparsity=3)


def test_a_run_that_was_interrupted_ends_as_the_other(tmp_path):
    X, y, model = problem()
    method = rigl(TRAINING, period=5)
    whole = prune(model, Data(X, y), method, sparsity=40, rng=2)
    path = tmp_path / "state.npz"
    prune(model, Data(X, y), method, sparsity=40, rng=2, checkpoint=path, callback=lambda state: True)
    again = prune(model, Data(X, y), method, sparsity=40, rng=2, checkpoint=path)
    assert again.masks == whole.masks
    assert again.model == whole.model
