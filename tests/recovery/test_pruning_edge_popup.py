"""Edge-popup: scores against a plain loop, weights that stay, masks that learn, and bad input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import planted
from recovery.mlp.masks import Masks
from recovery.pruning import Model, Training, prune, score
from recovery.pruning.edge_popup import EdgePopup, edge_popup
from recovery.pruning.scopes import largest

SGD = Training(n_iter=12, batch_size=40, learning_rate=0.5, optimiser="sgd", momentum=0.5, weight_decay=0.01)


def problem(bias=False, loss="squared", n=150):
    X = planted.gaussian_inputs(n, 6, rng=0)
    y = planted.sparse_network(6, 4, 12, n_outputs=3, rng=1)(X)
    if loss == "cross_entropy":
        y = np.argmax(X[:, :3], axis=1)
    return X, y, Model.draw((6, 9, 3), bias=bias, loss=loss, rng=2)


def kept_of(scores, counts):
    """Return masks of the largest scores: plain, in each layer, or over all if one count is given."""
    if len(counts) == 1:
        flat = np.concatenate([s.ravel() for s in scores])
        order = sorted(range(flat.size), key=lambda i: (-flat[i], i))[: counts[0]]
        mask = np.zeros(flat.size, dtype=bool)
        mask[order] = True
        return [mask[: scores[0].size].reshape(scores[0].shape), mask[scores[0].size :].reshape(scores[1].shape)]
    return [kept_of([s, s[:0]], [c])[0] for s, c in zip(scores, counts, strict=True)]


def plain(model, X, y, training, counts, seed):
    """Return scores of a network of two layers, trained by a plain loop with momentum."""
    rng = np.random.default_rng(seed)
    scores = [(2 * rng.random(w.shape) - 1) / np.sqrt(w.shape[0]) for w in model.layers]
    b = model.biases or (0.0, 0.0)
    speed, queue, n, size = [0 * s for s in scores], [], len(X), training.batch_size
    for _ in range(training.n_iter):
        if not queue:
            order = rng.permutation(n)
            bounds = [size * i for i in range(n // size)] + [n]
            queue = [np.sort(order[i:j]) for i, j in pairwise(bounds)]
        rows = queue.pop(0)
        masks = kept_of(scores, counts)
        W = [w * m for w, m in zip(model.layers, masks, strict=True)]
        hidden = np.maximum(X[rows] @ W[0] + b[0], 0)
        out = hidden @ W[1] + b[1]
        if model.loss == "squared":
            error = (out - y[rows]) / len(rows)
        else:
            p = np.exp(out - out.max(axis=1, keepdims=True))
            error = (p / p.sum(axis=1, keepdims=True) - np.eye(3)[y[rows]]) / len(rows)
        slopes = [X[rows].T @ ((error @ W[1].T) * (hidden > 0)) * model.layers[0], hidden.T @ error * model.layers[1]]
        for i in range(2):
            speed[i] = training.momentum * speed[i] + slopes[i] + training.weight_decay * scores[i]
            scores[i] = scores[i] - training.learning_rate * speed[i]
    return scores, kept_of(scores, counts)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_scores_are_those_of_a_plain_loop(bias, loss, scope):
    X, y, model = problem(bias, loss)
    result = prune(model, (X, y), edge_popup(SGD, scope=scope), sparsity=27, rng=5)
    # 54 and 27 weights; a third of each
    scores, masks = plain(model, X, y, SGD, [18, 9] if scope == "layer" else [27], 5)
    for found, wanted, mask, kept in zip(result.scores, scores, result.masks.layers, masks, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(mask, kept)
    first = kept_of(plain(model, X, y, Training(n_iter=0, batch_size=40), [18, 9], 5)[0], [18, 9])
    assert any((a != b).any() for a, b in zip(first, masks, strict=True))  # scores moved


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_weights_stay_and_the_mask_learns(optimiser):
    X, y, _ = problem(loss="cross_entropy", n=300)
    model = Model.draw((6, 20, 3), bias=True, loss="cross_entropy", initialisation=0.8, rng=2)
    training = Training(
        n_iter=300, batch_size=50, learning_rate=0.5 if optimiser == "sgd" else 0.02, optimiser=optimiser
    )
    result = prune(model, (X, y), edge_popup(training), sparsity=0.5, rng=1)
    for mask, layer, start in zip(result.masks.layers, result.model.layers, model.layers, strict=True):
        np.testing.assert_array_equal(layer, np.where(mask, start, 0.0))
    assert all((a == b).all() for a, b in zip(result.model.biases, model.biases, strict=True))
    at_random = [
        prune(model, (X, y), edge_popup(Training(n_iter=0)), sparsity=0.5, rng=seed).model for seed in range(10)
    ]
    rates = [np.mean(np.argmax(one(X), axis=1) == y) for one in (result.model, *at_random)]
    assert rates[0] > 0.8
    assert max(rates[1:]) < 0.6
    assert result.cost.backward == 300 * 50
    assert result.n_iter == 0  # no weight was updated


def test_layers_that_are_not_pruned_stay_whole_during_the_training_of_scores():
    X, y, model = problem()
    result = prune(model, (X, y), edge_popup(SGD, layers="hidden"), sparsity=20, rng=5)
    assert result.masks.layers[1].all()
    assert int(result.masks.layers[0].sum()) == 20
    scores, masks = plain(model, X, y, SGD, [20, 27], 5)
    np.testing.assert_allclose(result.scores[0], scores[0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.masks.layers[0], masks[0])


@pytest.mark.parametrize("scope", ["layer", "global", "unit"])
def test_backends_agree(backend, scope):
    X, y, model = problem(bias=True)
    put = Model([backend.put(w) for w in model.layers], [backend.put(b) for b in model.biases])
    found = prune(put, (backend.put(X), backend.put(y)), edge_popup(SGD, scope=scope), sparsity=27, rng=5)
    other = prune(model, (X, y), edge_popup(SGD, scope=scope), sparsity=27, rng=5)
    assert [backend.get(mask).tolist() for mask in found.masks.layers] == [m.tolist() for m in other.masks.layers]
    if scope == "unit":  # 6 inputs of 9 units, 9 inputs of 3
        assert [mask.sum(axis=0).tolist() for mask in other.masks.layers] == [[2] * 9, [3] * 3]


def test_the_largest_are_taken_with_ties_to_the_smaller_index():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.integers(-3, 4, 12).astype(float)
        count = int(rng.integers(0, 13))
        order = sorted(range(12), key=lambda i: (-values[i], i))[:count]
        np.testing.assert_array_equal(np.flatnonzero(largest(values, count)), sorted(order))


def test_all_or_no_weights():
    X, y, model = problem()
    assert prune(model, (X, y), edge_popup(SGD), sparsity=1.0).masks == Masks.full(model.layers)
    with pytest.warns(RuntimeWarning, match="no weights left"):
        prune(model, (X, y), edge_popup(SGD).replace(scope="layer"), sparsity=1, rng=0)
    assert [layer.shape for layer in score(model, (X, y), EdgePopup(SGD), sparsity=20, rng=0)] == [(6, 9), (9, 3)]


def test_bad_input_is_a_sentence():
    model = problem()[2]
    with pytest.raises(TypeError, match="expected a Training"):
        EdgePopup(training="long")
    with pytest.raises(ValueError, match="scope='row'"):
        EdgePopup(scope="row")
    with pytest.raises(ValueError, match="needs data"):
        prune(model, None, edge_popup(SGD), sparsity=20)
