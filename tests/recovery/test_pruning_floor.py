"""Pruning to a floor: levels, stops and costs of scores, one-shot methods, rounds with rewinding, and retraining."""

from __future__ import annotations

import numpy as np
import pytest

import planted
from recovery.pruning import Data, Method, Model, Rounds, Training, prune
from recovery.pruning.bingo import bingo
from recovery.pruning.cost import Cost
from recovery.pruning.floor import prune_to_floor
from recovery.pruning.moving import iht, rigl

TRAINING = Training(n_iter=150, batch_size=50, learning_rate=1e-2)
IMP = Method("imp", "magnitude", schedule=Rounds(0.3), rewind="start", training=TRAINING)
MAGNITUDE = Method("magnitude", "magnitude", training=TRAINING, retraining=None)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 8))
    y = np.argmax(planted.sparse_network(8, 5, 12, n_outputs=3, rng=7)(X), axis=1)
    data = Data(X[:300], y[:300], X[300:], y[300:])
    return data, Model.draw((8, 12, 3), bias=True, loss="cross_entropy", rng=1)


def accuracy(model, X, y):
    return np.mean(np.argmax(model(X), axis=1) == y)


def plainly_cut(model, scores, levels, data, floor):
    """Return the levels and accuracies of one model that is cut again and again, by loops."""
    flat = np.concatenate([layer.ravel() for layer in scores])
    order = sorted(range(flat.size), key=lambda i: (-flat[i], i))
    path = []
    for count in levels:
        keep = np.zeros(flat.size, dtype=bool)
        keep[order[:count]] = True
        layers, at = [], 0
        for layer in model.layers:
            layers.append(np.where(keep[at : at + layer.size].reshape(layer.shape), layer, 0.0))
            at += layer.size
        path.append((count, accuracy(model.replace(layers=layers), data.X_validation, data.y_validation)))
        if path[-1][1] < floor:
            break
    return path


@pytest.mark.parametrize("method", [MAGNITUDE, bingo("corrected", TRAINING, subset=0.05)], ids=["magnitude", "bingo"])
def test_scores_are_cut_at_one_level_after_the_other(problem, method):
    data, model = problem
    dense = prune(model, data, method, sparsity=1.0, rng=3)
    top = accuracy(dense.path[0].model, data.X_validation, data.y_validation)
    floor = top - 0.08
    levels = [132, *(round(132 * (1 - 0.05 * i)) for i in range(1, 21))]
    path = plainly_cut(dense.path[0].model, dense.scores, levels, data, floor)
    found = prune_to_floor(model, data, method, floor=floor, step=0.05, rng=3)
    assert list(found.path) == path
    assert found.path[-1][1] < floor <= found.path[-2][1]
    assert (found.sparsity, found.accuracy) == found.path[-2]
    assert found.dense_accuracy == top
    assert found.total == 132
    assert found.masks.count == found.sparsity
    assert accuracy(found.model, data.X_validation, data.y_validation) == found.accuracy
    assert found.pruned == 1 - found.sparsity / 132
    assert found.evaluation.forward == 200 * len(path)
    assert found.cost == dense.cost + found.evaluation
    given = prune_to_floor(dense.path[0].model, data, dense.scores, floor=floor, step=0.05)
    assert given.path == found.path
    assert given.cost == given.evaluation == found.evaluation


def test_magnitude_pruning_with_rewinding_retrains_in_each_round(problem):
    data, model = problem
    floor = 0.75
    found = prune_to_floor(model, data, IMP, floor=floor, rng=3)
    counts = [count for count, _ in found.path]
    assert counts[:4] == [132, 92, 64, 45]
    assert found.path[-1][1] < floor
    assert all(value >= floor for _, value in found.path[:-1])
    # the same run, pruned to the answer's sparsity, gives the same masks, the same weights, and the accuracy
    whole = prune(model, data, IMP, sparsity=found.sparsity, rng=3)
    assert whole.masks == found.masks
    assert whole.model == found.model
    assert accuracy(whole.model, data.X_validation, data.y_validation) == found.accuracy
    # one training for each level
    assert found.cost.backward == 150 * 50 * len(counts)
    assert found.evaluation.forward == 200 * len(counts)


def test_a_method_with_retraining_is_run_anew_for_each_level(problem):
    data, model = problem
    method = Method("snip", "snip", source="start", training=TRAINING)
    found = prune_to_floor(model, data, method, floor=0.6, step=0.3, rng=3)
    costs = Cost()
    for count, value in found.path:
        result = prune(model, data, method, sparsity=count, rng=3)
        assert accuracy(result.model, data.X_validation, data.y_validation) == value
        costs = costs + result.cost
    assert [count for count, _ in found.path[:3]] == [132, 92, 53]
    assert found.cost == costs + found.evaluation


def test_masks_that_move_are_run_anew(problem):
    data, model = problem
    found = prune_to_floor(model, data, rigl(TRAINING, period=20), floor=0.7, step=0.45, rng=3)
    assert [count for count, _ in found.path] == [132, 73, 13]
    assert found.masks.count == found.sparsity


def test_layers_that_are_not_pruned_do_not_count(problem):
    data, model = problem
    found = prune_to_floor(model, data, IMP.replace(layers="hidden"), floor=0.75, rng=3)
    assert found.total == 96
    assert found.path[0][0] == 96
    assert found.masks.layers[1].all()
    cut = prune_to_floor(model, data, MAGNITUDE.replace(layers="hidden"), floor=0.75, step=0.1, rng=3)
    assert cut.masks.layers[1].all()
    assert cut.total == 96
    assert int(cut.masks.layers[0].sum()) == cut.sparsity


def test_training_data_serve_where_nothing_is_held_out(problem):
    data, model = problem
    found = prune_to_floor(model, (data.X, data.y), MAGNITUDE, floor=0.7, step=0.1, rng=3)
    assert accuracy(found.model, data.X, data.y) == found.accuracy


def test_bad_input_is_a_sentence(problem):
    data, model = problem
    with pytest.raises(ValueError, match="dense model has an accuracy"):
        prune_to_floor(model, data, MAGNITUDE, floor=1.0, rng=3)
    with pytest.raises(ValueError, match="dense model has an accuracy"):
        prune_to_floor(model, data, IMP, floor=1.0, rng=3)
    with pytest.raises(ValueError, match="floor=2"):
        prune_to_floor(model, data, MAGNITUDE, floor=2.0)
    with pytest.raises(ValueError, match="step=0"):
        prune_to_floor(model, data, MAGNITUDE, floor=0.5, step=0.0)
    with pytest.raises(TypeError, match="expected a Method, or a list"):
        prune_to_floor(model, data, np.ones((2, 2)), floor=0.5)
    with pytest.raises(ValueError, match="method='best'"):
        prune_to_floor(model, data, "best", floor=0.5)
    with pytest.raises(ValueError, match="shapes"):
        prune_to_floor(model, data, [np.ones((2, 2))], floor=0.5)
    with pytest.raises(ValueError, match="without a training in each"):
        prune_to_floor(model, data, Method("a", "random", source="start", schedule=Rounds()), floor=0.5)
    with pytest.raises(ValueError, match="one output"):
        prune_to_floor(Model.draw((8, 1), rng=0), (data.X, data.X[:, 0]), iht(), floor=0.5)


def test_backends_agree(problem, backend):
    data, model = problem
    put = Model([backend.put(w) for w in model.layers], [backend.put(b) for b in model.biases], "cross_entropy")
    there = Data(*(backend.put(part) for part in (data.X, data.y, data.X_validation, data.y_validation)))
    quick = Training(n_iter=30, batch_size=50, learning_rate=5e-2)
    for method in (MAGNITUDE.replace(training=quick), IMP.replace(training=quick)):
        found = prune_to_floor(put, there, method, floor=0.7, step=0.2, rng=3)
        assert found.path == prune_to_floor(model, data, method, floor=0.7, step=0.2, rng=3).path
